/** Mistakes of the engine's own, seen before they are committed. */
import type { ActiveExecution } from "./execution.js";
import type { Position } from "./position.js";
import type { HistoryEntry, Transition } from "./records.js";
import type { RoutedEvent } from "./router.js";

/** What leaves an execution at the step where it stands, unless it turns. */
const standing = new Set<RoutedEvent["type"]>([
  ...(["retry", "resumed", "patched", "cutOff", "stepPaused", "stepFailed"] as const),
  ...(["initVetoed", "beforeStepVetoed", "rollbackRequested", "rewindRequested"] as const),
  ...(["doubted", "probed", "probeHappened"] as const),
]);

/**
 * A mistake of the engine's own, seen before it is committed. An execution goes up or down one step at a time, and only
 * where the step is done; it turns once in a round, and undoes the step where it stands, unless that never began or left
 * nothing; it goes up again only where a rewind wanted to be, into the next round; it ends with its last step done or its first
 * undone, and after that only a completed one goes on, when its rollback or a rewind is requested. Undefined: there is no mistake.
 */
export function brokenInvariant(
  { position: before, revision }: Pick<ActiveExecution, "position" | "revision">,
  what: RoutedEvent,
  { position: after, revision: next, history }: Pick<Transition, "position" | "revision" | "history">,
): string | undefined {
  // Where it was parked or migrated it stands where that says: there is no way that it went.
  if (what.type === "parked" || what.type === "migrated") return undefined;
  if (next !== revision + 1) return `it would go from revision ${revision} to ${next}`;
  const turns = before.direction === "up" && after.direction === "down";
  if (after.round !== before.round) return brokenRise(before, what, after, history);
  if (before.direction === "down" && after.direction === "up") return "it would go up again after it has turned";
  if (before.until !== after.until && !mayRewind(before, after, history))
    return `it would go up again at step ${after.until}, and nobody has asked for that`;
  // It was parked after its end, by a request that could not be followed.
  if (before.lifecycle === "success" && (what.type === "resumed" || what.type === "patched")) return undefined;
  if (before.lifecycle === "failure" || (before.lifecycle === "success" && !turns))
    return "it would go on after it has ended";
  const isUnbegun = ("begun" in what && !what.begun) || history.leftNothing === true;
  if (history.backTo !== undefined && before.direction === "down") return undefined;
  const mayMove = turns ? isUnbegun : !standing.has(what.type);
  const moved = after.stepIndex - before.stepIndex;
  if (moved !== 0 && !(mayMove && moved === (after.direction === "up" ? 1 : -1)))
    return `it would go ${after.direction} from step ${before.stepIndex} to step ${after.stepIndex}`;
  if (after.lifecycle === "success" && (after.direction === "down" || !mayMove))
    return `it would go to its end with step ${before.stepIndex} not done`;
  if (after.lifecycle === "failure" && (after.stepIndex > 0 || !mayMove))
    return `it would go to its end with step ${after.stepIndex} not undone`;
  return undefined;
}

/** A rewind begins, or goes on all the way down: by a request, which may have come while the last step was undone. */
function mayRewind(before: Position, after: Position, { backTo }: HistoryEntry): boolean {
  if (after.until === undefined) return before.direction === "down" && after.direction === "down";
  return backTo !== undefined && after.direction === "down" && after.until <= after.stepIndex;
}

/** Up again: at the step that the rewind has named and undone, with nothing left of it. */
function brokenRise(
  before: Position,
  { type }: RoutedEvent,
  after: Position,
  { backTo }: HistoryEntry,
): string | undefined {
  const { stepIndex, round = 0 } = after;
  if (round !== (before.round ?? 0) + 1) return `it would go from round ${before.round ?? 0} to ${round}`;
  if (after.direction === "down" || after.until !== undefined) return "it would begin a round on its way down";
  const isUndone = before.direction === "down" && before.until === stepIndex && !standing.has(type);
  const isUntouched = before.direction === "up" && backTo !== undefined;
  if (stepIndex === before.stepIndex && (isUndone || isUntouched)) return undefined;
  return `it would go up again at step ${stepIndex}, and stands at step ${before.stepIndex}`;
}
