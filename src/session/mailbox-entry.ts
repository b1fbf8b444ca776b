/** Messages and requests to one execution, as rows of its mailbox. */
import { encode, Encoded } from "../values/encode.js";
import { isolate } from "../values/isolate.js";
import type { Status } from "../definition/flow.js";
import { newId } from "../ids.js";
import type { RequestKind } from "../execution/records.js";
import type { Arrival } from "../stores/batch.js";

/** The statuses of executions that have not ended. */
export const alive: readonly Status[] = ["scheduled", "running", "waiting", "stuck"];

/** A message for a step. */
export function messageTo(
  execution: string,
  name: string,
  payload: Encoded,
  { messageId, carried, resends }: Pick<Arrival, "messageId" | "carried" | "resends">,
): Arrival {
  const more = { acceptedIn: alive, wakes: ["waiting"], ...(resends !== undefined && { resends }) } as const;
  return { id: newId(), execution, kind: "message", name, payload, messageId, carried, ...more };
}

/** Wakes an execution that waits for something else than a message: it looks by itself what that is. */
export function toldOf(execution: string): Arrival {
  const message = { kind: "told", name: "told", payload: nothing, messageId: null } as const;
  return { id: newId(), execution, ...message, carried: null, acceptedIn: alive, wakes: ["waiting"] };
}

const nothing = Encoded.ofText("null");

/**
 * A request to the launcher that drives the execution.
 *
 * @param method the method that a user calls, for an error's message
 * @throws STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE
 */
export function requestTo(
  execution: string,
  kind: RequestKind,
  request: object,
  {
    method,
    sizeLimit,
    ...terms
  }: Pick<Arrival, "acceptedIn" | "wakes" | "only"> & {
    readonly method: string;
    readonly sizeLimit: number;
  },
): Arrival {
  const payload = encode(isolate(request), { what: `The request to ${method}`, limit: sizeLimit });
  return { id: newId(), execution, kind, name: kind, payload, messageId: null, carried: null, ...terms };
}

/** @throws STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE */
export function payloadOf(name: string, payload: unknown, sizeLimit: number): Encoded {
  return encode(isolate(payload), { what: `The payload of "${name}"`, limit: sizeLimit });
}
