/** What a message carries, folded, with the id that it has. */
import type { ShownValue } from "../../http/value-shapes.js";
import { Value } from "./value.js";

export function Payload({
  id,
  name,
  payload,
}: {
  readonly id: string;
  readonly name: string;
  readonly payload: ShownValue;
}) {
  return (
    <details>
      <summary className="text-any inline-block rounded text-sm text-water-deep hover:underline">
        Payload, and the id {id}
      </summary>
      <div className="mt-1.5">
        <Value value={payload} label={`Payload of ${name}`} />
      </div>
    </details>
  );
}
