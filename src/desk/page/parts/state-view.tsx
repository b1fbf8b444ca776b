/** The state as it is now, or as it was after any transition, with what that one changed. */
import type { ExecutionView, StateView as StateData } from "../../http/shapes.js";
import { useRead } from "../base/api.js";
import { useKeys } from "../base/keys.js";
import { useAsked } from "../base/url.js";
import { Button } from "./button.js";
import { Failure, Loading } from "./states.js";
import { Changes, Value } from "./value.js";

export function StateView({ execution: { id, revision: last } }: { readonly execution: ExecutionView }) {
  const [asked, ask] = useAsked();
  const given = Number(asked.get("revision") ?? last);
  const revision = Number.isSafeInteger(given) ? Math.min(Math.max(0, given), last) : last;
  const { data, error } = useRead<StateData>("api/execution/state", { id, revision });
  const show = (next: number): void => ask({ revision: next >= last ? undefined : String(Math.max(0, next)) }, true);
  useKeys([
    { keys: "[", does: "State one transition before", act: () => show(revision - 1) },
    { keys: "]", does: "State one transition later", act: () => show(revision + 1) },
  ]);
  return (
    <div className="flex flex-col gap-4 p-4">
      <div className="flex flex-wrap items-center gap-2">
        <Button small icon="left" disabled={revision === 0} onClick={() => show(revision - 1)}>
          Before
        </Button>
        <label className="flex items-center gap-2 text-sm">
          After transition
          <input
            type="number"
            className="field num w-20"
            min={0}
            max={last}
            value={revision}
            onChange={(event) => show(Number(event.currentTarget.value))}
          />
          <span className="num text-faint">of {last}</span>
        </label>
        <Button small disabled={revision === last} onClick={() => show(revision + 1)}>
          Later
        </Button>
        {revision > 0 && (
          <Button small look="quiet" onClick={() => show(0)}>
            As it began
          </Button>
        )}
        {revision < last && (
          <Button small look="quiet" onClick={() => show(last)}>
            As it is now
          </Button>
        )}
      </div>
      {error !== null && <Failure error={error} />}
      {data === undefined ? (
        <Loading rows={4} />
      ) : (
        <>
          <div>
            <h3 className="eyebrow mb-1">
              {revision === 0 ? "As it began" : `What transition ${data.revision} changed`}
            </h3>
            {revision > 0 && <Changes changes={data.changes} />}
          </div>
          <Value value={data.state} label={`The state after transition ${data.revision}`} />
        </>
      )}
    </div>
  );
}
