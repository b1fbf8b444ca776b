/** What is committed of an event beside the position: the row of the history, what becomes of mail and subscriptions. */
import { encode, Encoded } from "../values/encode.js";
import { isolate } from "../values/isolate.js";
import type { Mutable } from "../values/mutable.js";
import { patchOptions, type ActiveExecution } from "./execution.js";
import type { Event } from "./events.js";
import { isLasting, type Mail } from "./mail.js";
import { roundOf, type Position } from "./position.js";
import { isRequest, untilBits, type HistoryEntry, type Transition } from "./records.js";
import type { RoutedEvent } from "./router.js";

/** Which subscriptions are over: all with the execution, those of a step once it is done, or left, in its direction. */
export function unsubscribedBy(
  execution: ActiveExecution,
  { position, ends }: Pick<Transition, "position" | "ends">,
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

/** @param upInto the round into which the execution goes up again with it. Default: it does not */
export function entryOf(execution: ActiveExecution, event: Event, upInto?: number): Mutable<HistoryEntry> {
  const { guardErrors, outsideFields, initial } = execution;
  const { position } = execution;
  const { direction, step, stepIndex } = position;
  const { func, attempt, result, durationMs, cause, error, by, why, what, patch = null } = event;
  const entry: Mutable<HistoryEntry> = { direction, step, stepIndex, func, attempt, result, durationMs, patch };
  // Field by field: most entries have one of these or none, and spreading costs.
  if (cause?.kind === "message") entry.message = { id: cause.messageId ?? cause.id, name: cause.name };
  if (error !== null) entry.error = error;
  if (guardErrors.length > 0) entry.guardErrors = guardErrors;
  if (by !== undefined) entry.by = by;
  if (why !== undefined) entry.why = why;
  if (event.asked?.details !== undefined) entry.details = Encoded.ofText(event.asked.details);
  if (outsideFields !== undefined) entry.others = encode(fieldsOf(execution.state, outsideFields), patchOptions);
  if (initial !== undefined) entry.initial = initial;
  if (what.type === "migrated") entry.migration = what.migration;
  if ((what.type === "migrated" || upInto !== undefined) && execution.unsaved !== null)
    entry.replaced = execution.unsaved;
  if (position.rounds !== undefined) noteRound(entry, position);
  if (event.backTo !== undefined) entry.backTo = event.backTo;
  if (event.patchThen !== undefined) entry.patchThen = encode(event.patchThen, patchOptions);
  if (upInto !== undefined) entry.upInto = upInto;
  return entry;
}

function noteRound(entry: Mutable<HistoryEntry>, position: Position): void {
  const round = roundOf(position, position.stepIndex);
  if (round > 0) entry.round = round;
}

function fieldsOf(state: object, names: readonly string[]): object {
  return isolate(Object.fromEntries(Object.entries(state).filter(([name]) => names.includes(name))));
}

const nothingSettled: Transition["settled"] = [];

/** A row of the mailbox, and what becomes of it. */
export type SettledRow = Transition["settled"][number];

/**
 * Which rows of the mailbox the event settles, and as what.
 *
 * @param step where the execution stood
 * @param request what becomes of the request that wants the execution to turn; undefined: nothing yet
 */
export function settledBy(
  step: string,
  { pending, dead }: Mail,
  { what, cause }: Event,
  request: SettledRow | undefined,
): Transition["settled"] {
  if (pending.length === 0 && dead.length === 0) return nothingSettled;
  const settled: SettledRow[] = [];
  for (const arrival of dead) settled.push({ arrival, as: "dead" });
  // It has woken the execution, and that was all.
  for (const { id, kind } of pending) if (kind === "told") settled.push({ arrival: id, as: "consumed" });
  if (what.type === "parked" || (what.type === "probed" && what.parks)) {
    // A request that could not be followed must not stand in the way of the next one.
    for (const it of pending) if (isRequest(it.kind) && !isLasting(it)) settled.push({ arrival: it.id, as: "dead" });
  }
  if (leavesItsStep(step, what)) {
    // What was said of that step is not said of another one.
    for (const { id, kind } of pending)
      if (kind === "skip" || kind === "resolve") settled.push({ arrival: id, as: "dead" });
  }
  // A handler that failed or was cut off, and will be tried again, leaves its message where it is.
  if (cause !== undefined && what.type !== "retry" && what.type !== "cutOff")
    settled.push({ arrival: cause.id, as: "consumed" });
  if (request !== undefined && request.arrival !== cause?.id) settled.push(request);
  return settled;
}

/** A migration has moved the execution to another step than what became of the one where it stood. */
function leavesItsStep(step: string, what: RoutedEvent): boolean {
  if (what.type !== "migrated") return false;
  const { steps = {} } = what.migration;
  return (Object.hasOwn(steps, step) ? steps[step] : step) !== what.position.step;
}
