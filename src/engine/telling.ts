/** What watchers hear of the engine's own work: bursts, commits, and what is carried from one to the next. */
import type { CarryEvent, CommitEvent, ExecutionIdentity, RestEvent, WakeEvent } from "../definition/observer.js";
import type { Transition } from "../stores/store.js";
import type { Course, Happening } from "./course.js";
import { transitionOf } from "./history.js";
import type { Host, Registered } from "./host.js";
import { carriedOf } from "./observing.js";
import { flowOf, messageIdentity, shownState } from "./stepping.js";

type Telling = Pick<Host, "report" | "storeNow">;

/** A launcher begins to drive the execution, which had been due for `lateMs`. */
export function tellWake(course: Course, { observing }: Registered, host: Telling, lateMs: number): void {
  if (!observing.hears("wake")) return;
  const make = (): WakeEvent => ({
    ...whereItIs(course),
    at: new Date(host.storeNow()),
    status: course.status,
    lateMs,
    claims: course.claims,
    carried: carriedOf(course.carried),
  });
  observing.tellWatchers("wake", make, (error) => host.report(error));
}

/** A transition was committed; `course` is what it led to, `before` the state that it came from. */
export function tellCommit(
  course: Course,
  { observing }: Registered,
  host: Telling,
  before: Course["saved"],
  { history, revision }: Transition,
  happening: Pick<Happening, "cause" | "called"> | undefined,
  at: number,
): void {
  if (!observing.hears("commit")) return;
  const message = messageIdentity(happening?.cause);
  const make = (): CommitEvent => ({
    ...whereItIs(course),
    status: course.status,
    before: shownState(before),
    transition: transitionOf(history, revision, at),
    called: happening?.called ?? false,
    attempt: history.attempt,
    durationMs: history.durationMs,
    ...(message !== undefined && { message }),
    ...(history.error !== undefined && { error: history.error }),
    reason: course.position.reason,
  });
  observing.tellWatchers("commit", make, (error) => host.report(error));
}

/** The launcher has let go of the execution. */
export function tellRest(course: Course, { observing }: Registered, host: Telling, lost: boolean): void {
  if (!observing.hears("rest")) return;
  const make = (): RestEvent => ({
    ...whereItIs(course),
    at: new Date(host.storeNow()),
    status: course.status,
    lost,
    pending: course.pending.filter(({ kind }) => kind === "message").length,
    reason: course.position.reason,
  });
  observing.tellWatchers("rest", make, (error) => host.report(error));
}

/** What observers want stored with a launch, a message or a burst; null: nothing. */
export function carriedBy(
  what: CarryEvent["what"],
  execution: ExecutionIdentity,
  { observing }: Registered,
  host: Telling,
): string | null {
  return observing.hears("carry") ? observing.carried({ what, execution }, (error) => host.report(error)) : null;
}

function whereItIs(course: Course): Omit<WakeEvent, "at" | "status" | "lateMs" | "claims" | "carried"> {
  const { identity, position, revision } = course;
  return {
    execution: identity,
    step: { name: position.step, index: position.stepIndex },
    flow: flowOf(position),
    state: shownState(course),
    revision,
  };
}
