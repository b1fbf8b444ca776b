/** What happens to an execution and is committed: one union, from the router's events to an operator's act. */
import type { StepFunc } from "../definition/flow.js";
import type { Pause } from "../definition/outcome.js";
import type { Encoded } from "../values/encode.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { TurnRequest, Failing } from "./position.js";
import { attemptOf, type ActiveExecution } from "./execution.js";
import type { ListChange, MailboxRecord } from "./records.js";
import type { RoutedEvent } from "./router.js";

/** One event with all that is recorded of it. */
export interface Event {
  readonly what: RoutedEvent;
  readonly func: StepFunc;
  readonly attempt: number;
  readonly durationMs: number;
  /** For the history: `ok`, `continue`, `again`, `begins`, `passed-over`, `recovered`, `retried`, `skipped`, `patched`, `migrated`, `cut-off` or a reason. */
  readonly result: string;
  readonly error: SerializedError | null;
  /** What the step itself gave; it is merged into the state already. */
  readonly patch: Encoded | undefined;
  readonly pause: Pause | undefined;
  /** The message that was handled, or the request that was followed. */
  readonly cause: MailboxRecord | undefined;
  /** Who asked for the event, and why, where it came from outside. */
  readonly by: string | undefined;
  readonly why: string | undefined;
  /** The step itself has failed for good, rather than that a guard has said so: its `recover` may still be asked. */
  readonly failedItself: boolean;
  /** A function of the step was called, rather than a request followed, a veto heeded or a wait given up. */
  readonly called: boolean;
  /** What the called function gave back could be kept. False: it threw, timed out, was cut off, or gave what can't be stored. */
  readonly gave: boolean;
  /** The function threw, took too long or gave back nonsense, rather than failed with `fail`. */
  readonly isUnexpected: boolean;
  /** The request that turns the execution. Undefined: none does. */
  readonly asked: TurnRequest | undefined;
  /** A rewind was asked for: the step to which it goes back, and what is merged into the state where the execution goes up again. */
  readonly backTo: string | undefined;
  readonly patchThen: object | undefined;
  /** The function that was called, on the way up, gave nothing back: it threw, took too long or was cut off. */
  readonly lost: boolean;
  /** What was said, by the probe or an operator, of an attempt in doubt; `failed`: nothing, since the probe failed. Undefined: nobody was asked. */
  readonly answered: "happened" | "did-not-happen" | "unknown" | "again" | "failed" | undefined;
  /** What a step of children does to its list while the execution goes on waiting there. Undefined: nothing. */
  readonly list: ListChange | undefined;
  /** With `list`: why the step has failed, whose children are undone before `recover` is asked. Undefined: it has not failed. */
  readonly failing: Failing | undefined;
}

/** Whether the event says that a step is to begin or to be passed over, and nothing has come of that yet. */
export function isBeforehand({ called, patch, what: { type } }: Event): boolean {
  return !called && patch === undefined && (type === "stepPassedOver" || type === "begins");
}

/** An event, and the execution with what is committed together with the event. */
export interface Happened {
  readonly execution: ActiveExecution;
  readonly event: Event;
}

/** An event that no function of a step has answered, unless `details` say otherwise. */
export function eventAt(
  execution: ActiveExecution,
  what: RoutedEvent,
  result: string,
  details: Partial<Event> = {},
): Event {
  return newEvent({ what, func: execution.position.stepFunc, attempt: attemptOf(execution), result, ...details });
}

/** The event with these changes. */
export function eventWith(event: Event, changes: Partial<Event>): Event {
  return newEvent({ ...event, ...changes });
}

/** An event in the shape that all events have: a field that is left out is as where nothing special happens. */
export function newEvent(it: Partial<Event> & Pick<Event, "what" | "func" | "attempt" | "result">): Event {
  return {
    what: it.what,
    func: it.func,
    attempt: it.attempt,
    durationMs: it.durationMs ?? 0,
    result: it.result,
    error: it.error ?? null,
    patch: it.patch,
    pause: it.pause,
    cause: it.cause,
    by: it.by,
    why: it.why,
    failedItself: it.failedItself ?? false,
    called: it.called ?? false,
    gave: it.gave ?? false,
    isUnexpected: it.isUnexpected ?? false,
    asked: it.asked,
    backTo: it.backTo,
    patchThen: it.patchThen,
    lost: it.lost ?? false,
    answered: it.answered,
    list: it.list,
    failing: it.failing,
  };
}

/** What an operator asked for. */
export function operatorEvent(
  execution: ActiveExecution,
  act: "retry" | "skip" | "patch",
  asked: Pick<Event, "cause" | "by" | "why">,
): Event {
  if (act === "retry") return eventAt(execution, { type: "resumed" }, "retried", asked);
  if (act === "patch") return eventAt(execution, { type: "patched" }, "patched", asked);
  const error = { name: "Skipped", message: asked.why ?? "" };
  return eventAt(execution, { type: "stepOk" }, "skipped", { ...asked, error });
}
