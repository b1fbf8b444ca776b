/** Observers around steps: guards first, whose patches are merged into the state, then watchers. */
import { isolate } from "../values/isolate.js";
import type { Mutable } from "../values/mutable.js";
import { serializeError } from "../values/serialize-error.js";
import type { Flow } from "../definition/flow.js";
import type { CallbackName, Carried, MessageIdentity, ObserverEvent } from "../definition/observer.js";
import { StepwellError } from "../errors.js";
import { flowOf } from "../execution/position.js";
import { shownState, withOutsidePatch, executionWith } from "../execution/execution.js";
import type { MailboxRecord } from "../execution/records.js";
import type { Veto } from "../session/observer-calls.js";
import type { Work } from "./work.js";

const nothing: Carried = Object.freeze({});

/** What was stored by `carried`. A text that can't be read counts as nothing: no execution may fail by it. */
export function carriedOf(text: string | null): Carried {
  if (text === null) return nothing;
  try {
    return Object.freeze(JSON.parse(text) as Carried);
  } catch {
    return nothing;
  }
}

/** For observers: which message a handler answered. */
export function messageIdentity(cause: MailboxRecord | undefined): MessageIdentity | undefined {
  if (cause?.kind !== "message") return undefined;
  return { id: cause.messageId ?? cause.id, name: cause.name, carried: carriedOf(cause.carried) };
}

/** A guard failed where it may stop nothing: it is reported, and kept in the history with the next commit. */
export function noteGuard(work: Work, callback: CallbackName, error: unknown): void {
  const { identity, position, guardErrors } = work.execution;
  const kept = serializeError(error);
  work.execution = executionWith(work.execution, { guardErrors: [...guardErrors, kept] });
  work.host.report(
    new StepwellError(
      "STEPWELL_OBSERVER_FAILED",
      `A guard failed in ${callback} where nothing may stop the execution; it goes on. The guard said: ${kept.message}`,
      { execution: identity.id, workflow: identity.workflow, step: position.step, cause: error },
    ),
  );
}

/** What a callback around steps is told, beside the execution as it is. */
export type Told = Mutable<Omit<ObserverEvent, "execution" | "state" | "revision">>;

/** Calls one observer callback: guards, then watchers. Gives back the veto, if there was one. */
export function observe(work: Work, callback: CallbackName, event: Readonly<Told>): Veto | undefined {
  return work.registered.observing.hears(callback) ? observed(work, callback, event) : undefined;
}

function observed(work: Work, callback: CallbackName, event: Readonly<Told>): Veto | undefined {
  const { registered, host } = work;
  const { observing } = registered;
  const flow = flowOf(event.flow);
  const { identity, revision } = work.execution;
  const make = (): ObserverEvent => eventOf(identity, event, flow, shownState(work.execution), revision);
  const veto = observing.askGuards(callback, make, (patch) => {
    work.execution = withOutsidePatch(work.execution, isolate(patch), host.sizeLimit);
  });
  observing.tellWatchers(callback, make, (error) => host.report(error));
  return veto;
}

/** Written out field by field: every step makes some, and spreading costs more than most observers do. */
function eventOf(
  execution: ObserverEvent["execution"],
  { step, attempt, durationMs, error, reason, message }: Readonly<Told>,
  flow: Flow,
  state: object,
  revision: number,
): ObserverEvent {
  const event: Mutable<ObserverEvent> = { execution, flow, state, revision };
  if (step !== undefined) event.step = step;
  if (attempt !== undefined) event.attempt = attempt;
  if (durationMs !== undefined) event.durationMs = durationMs;
  if (error !== undefined) event.error = error;
  if (reason !== undefined) event.reason = reason;
  if (message !== undefined) event.message = message;
  return event;
}

/** The execution has come to rest, and that is committed: tells those who want to know. */
export function reportRest(work: Work): void {
  work.isRestUntold = false;
  const { position, status } = work.execution;
  const isStuck = status === "stuck";
  const reason = isStuck && position.direction === "up" ? position.lastResult : position.reason;
  const error = isStuck ? position.stuckBy : position.error;
  const callback = isStuck ? "stuck" : status === "completed" ? "success" : "failure";
  const veto = observe(work, callback, {
    flow: position,
    reason,
    ...(isStuck && { step: { name: position.step, index: position.stepIndex } }),
    ...(error !== null && { error }),
  });
  if (veto !== undefined) noteGuard(work, callback, veto.error);
  // It is committed: what a guard gives back now is not stored, so nobody may see it either.
  work.dropPatches();
}
