/** What is committed of an event beside the position: the row of the history, what becomes of mail and subscriptions. */
import { encode, Encoded } from "../values/encode.js";
import { isolate } from "../values/isolate.js";
import type { ActiveExecution } from "./execution.js";
import type { Event } from "./events.js";
import { isParents, type Mail, type Turn } from "./mail.js";
import { isRequest, untilBits, type HistoryEntry, type Transition } from "./records.js";
import type { RoutedEvent } from "./router.js";

/** Which subscriptions are over: all with the execution, those of a step once it is done, or left, in its direction. */
export function unsubscribedBy(
  execution: ActiveExecution,
  { position, ends }: Transition,
  what: RoutedEvent,
): Transition["unsubscribes"] {
  if (ends) return "all";
  const before = execution.position;
  const isLeft =
    what.type === "migrated"
      ? !what.stays
      : position.stepIndex !== before.stepIndex || position.direction !== before.direction;
  return isLeft && (execution.subscribed & untilBits.step) !== 0 ? "step" : undefined;
}

const patchOptions = { what: "A patch", limit: Infinity };

export function entryOf(execution: ActiveExecution, event: Event): HistoryEntry {
  const { guardErrors, others, initial } = execution;
  const { direction, step, stepIndex } = execution.position;
  const { func, attempt, result, durationMs, cause, error, by, why, what } = event;
  const patch = event.patch === undefined ? null : encode(event.patch, patchOptions);
  const entry: Writable<HistoryEntry> = { direction, step, stepIndex, func, attempt, result, durationMs, patch };
  // Field by field: most entries have one of these or none, and spreading costs.
  if (cause?.kind === "message") entry.message = { id: cause.messageId ?? cause.id, name: cause.name };
  if (error !== null) entry.error = error;
  if (guardErrors.length > 0) entry.guardErrors = guardErrors;
  if (by !== undefined) entry.by = by;
  if (why !== undefined) entry.why = why;
  if (event.asked?.details !== undefined) entry.details = Encoded.ofText(event.asked.details);
  if (others !== undefined) entry.others = encode(fieldsOf(execution.state, others), patchOptions);
  if (initial !== undefined) entry.initial = initial;
  if (what.type === "migrated") {
    entry.migration = what.migration;
    if (execution.unsaved !== null) entry.replaced = execution.unsaved;
  }
  return entry;
}

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

function fieldsOf(state: object, names: readonly string[]): object {
  return isolate(Object.fromEntries(Object.entries(state).filter(([name]) => names.includes(name))));
}

const nothingSettled: Transition["settled"] = [];

/** Which rows of the mailbox the event settles, and as what. */
export function settledBy(
  { pending, dead }: Mail,
  { what, cause }: Event,
  turn: Turn | undefined,
  tooLate: boolean,
): Transition["settled"] {
  if (pending.length === 0 && dead.length === 0) return nothingSettled;
  const settled: { arrival: string; as: "consumed" | "dead" }[] = [];
  for (const arrival of dead) settled.push({ arrival, as: "dead" });
  // It has woken the execution, and that was all.
  for (const { id, kind } of pending) if (kind === "told") settled.push({ arrival: id, as: "consumed" });
  if (what.type === "parked") {
    // A request that could not be followed must not stand in the way of the next one.
    for (const it of pending) if (isRequest(it.kind) && !isParents(it)) settled.push({ arrival: it.id, as: "dead" });
  }
  // A handler that failed or was cut off, and will be tried again, leaves its message where it is.
  if (cause !== undefined && what.type !== "retry" && what.type !== "cutOff")
    settled.push({ arrival: cause.id, as: "consumed" });
  if (turn?.arrival !== undefined && turn.arrival !== cause?.id) {
    // Where a guard's veto turned it first, the request has what it wanted.
    const turned = what.type === "rollbackRequested" || what.type === "initVetoed" || what.type === "beforeStepVetoed";
    if (tooLate) settled.push({ arrival: turn.arrival, as: "dead" });
    else if (turned) settled.push({ arrival: turn.arrival, as: "consumed" });
  }
  return settled;
}
