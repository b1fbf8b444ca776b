/** What watchers hear of the engine's own work: bursts, commits, and what is carried from one to the next. */
import type { CommitEvent, ExecutionIdentity, RestEvent, WakeEvent } from "../definition/observer.js";
import { isStruggling } from "../execution/position.js";
import type { StepwellError } from "../errors.js";
import type { Transition } from "../execution/records.js";
import type { Event } from "../execution/events.js";
import { shownState, type ActiveExecution } from "../execution/execution.js";
import { transitionOf } from "../execution/history.js";
import type { Host } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { flowOf } from "../execution/position.js";
import type { Mutable } from "../values/mutable.js";
import { carriedOf, messageIdentity } from "./observing.js";
import type { Work } from "./work.js";

type Telling = Pick<Host, "report" | "storeNow">;

// The events are written out field by field: every step makes some, and spreading costs more than most observers do. And whoever has
// nobody to tell comes to no function with closures.

/** A launcher begins to drive the execution, which had been due for `lateMs`. */
export function tellWake(work: Work, lateMs: number): void {
  if (work.registered.observing.hears("wake")) wakeTold(work, lateMs);
}

function wakeTold({ execution, registered, host }: Work, lateMs: number): void {
  const { observing } = registered;
  const { identity, position, revision, status, claims } = execution;
  const make = (): WakeEvent => ({
    execution: identity,
    step: { name: position.step, index: position.stepIndex },
    flow: flowOf(position),
    state: shownState(execution),
    revision,
    at: new Date(host.storeNow()),
    status,
    lateMs,
    claims,
    carried: carriedOf(execution.carried),
  });
  observing.tellWatchers("wake", make, reportTo(host));
}

/** A transition was committed, and the execution is what it led to. @param before the execution that it came from */
export function tellCommit(
  work: Work,
  before: ActiveExecution,
  transition: Transition,
  committed: Pick<Event, "cause" | "called"> | undefined,
  at: number,
): void {
  const { observing } = work.registered;
  const { func, upInto } = transition.history;
  const hearsMore =
    (func === "probe" && observing.hears("probed")) || (upInto !== undefined && observing.hears("rewound"));
  if (hearsMore || observing.hears("commit")) commitTold(work, before, transition, committed, at);
}

function commitTold(
  { execution, registered, host }: Work,
  before: ActiveExecution,
  { history, revision }: Transition,
  committed: Pick<Event, "cause" | "called"> | undefined,
  at: number,
): void {
  const { observing } = registered;
  const { identity, position, status } = execution;
  const message = messageIdentity(committed?.cause);
  const make = (): CommitEvent => {
    const event: Mutable<CommitEvent> = {
      execution: identity,
      step: { name: position.step, index: position.stepIndex },
      flow: flowOf(position),
      state: shownState(execution),
      revision,
      status,
      struggling: isStruggling(status, position),
      before: shownState(before),
      transition: transitionOf(history, revision, at),
      called: committed?.called ?? false,
      attempt: history.attempt,
      durationMs: history.durationMs,
      reason: position.reason,
    };
    if (message !== undefined) event.message = message;
    if (history.error !== undefined) event.error = history.error;
    return event;
  };
  const report = reportTo(host);
  observing.tellWatchers("commit", make, report);
  if (history.func === "probe") observing.tellWatchers("probed", make, report);
  if (history.upInto !== undefined) observing.tellWatchers("rewound", make, report);
}

/** The launcher has let go of the execution. */
export function tellRest(work: Work, lost: boolean): void {
  if (work.registered.observing.hears("rest")) restTold(work, lost);
}

function restTold({ execution, mail, registered, host }: Work, lost: boolean): void {
  const { observing } = registered;
  const { identity, position, revision, status } = execution;
  const make = (): RestEvent => ({
    execution: identity,
    step: { name: position.step, index: position.stepIndex },
    flow: flowOf(position),
    state: shownState(execution),
    revision,
    at: new Date(host.storeNow()),
    status,
    lost,
    pending: mail.pending.filter(({ kind }) => kind === "message").length,
    reason: position.reason,
  });
  observing.tellWatchers("rest", make, reportTo(host));
}

/** What observers want stored with a launch, a message or a burst; null: nothing. */
export function carriedBy(
  what: "launch" | "message" | "burst" | "child",
  execution: ExecutionIdentity,
  { observing }: Registered,
  host: Telling,
): string | null {
  return observing.hears("carry") ? observing.carried({ what, execution }, reportTo(host)) : null;
}

function reportTo(host: Telling): (error: StepwellError) => void {
  return (error) => host.report(error);
}

/** As `carriedBy`, for what may reach executions of any workflow: all of them are asked, and the first text of a name counts. */
export function carriedByAll(topic: string, registry: ReadonlyMap<string, Registered>, host: Telling): string | null {
  const carried: Record<string, string> = {};
  for (const { observing } of registry.values()) {
    const event = { what: "publication", topic } as const;
    const more = carriedOf(observing.carried(event, reportTo(host)));
    for (const [key, text] of Object.entries(more)) carried[key] ??= text;
  }
  const text = JSON.stringify(carried);
  return text === "{}" ? null : text;
}
