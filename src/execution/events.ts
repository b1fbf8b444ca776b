/** What happens to an execution and is committed: one union, from the router's events to an operator's act. */
import type { StepFunc } from "../definition/flow.js";
import type { Pause } from "../definition/outcome.js";
import type { SerializedError } from "../values/serialize-error.js";
import type { AskedBack, Failing } from "./position.js";
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
  readonly patch: object | undefined;
  readonly pause: Pause | undefined;
  /** The message that was handled, or the request that was followed. */
  readonly cause: MailboxRecord | undefined;
  /** Who asked for it, and why, where it came from outside. */
  readonly by: string | undefined;
  readonly why: string | undefined;
  /** The step itself has failed for good, rather than that a guard has said so: its `recover` may still be asked. */
  readonly failedItself: boolean;
  /** A function of the step was called, rather than a request followed, a veto heeded or a wait given up. */
  readonly called: boolean;
  /** What the called function gave back could be kept. False: it threw, timed out, was cut off, or gave what can't be stored. */
  readonly gave: boolean;
  /** It threw, took too long or gave back nonsense, rather than said so with `fail`. */
  readonly isUnexpected: boolean;
  /** The request that turns the execution. Left out: none does. */
  readonly asked?: AskedBack;
  /** A rewind was asked for: the step to which it goes back, and what is merged into the state where the execution goes up again. */
  readonly backTo?: string | undefined;
  readonly patchThen?: object | undefined;
  /** The function that was called, on the way up, gave nothing back: it threw, took too long or was cut off. Left out: no. */
  readonly lost?: boolean;
  /** What was said, by the probe or an operator, of an attempt in doubt; `failed`: nothing, since the probe failed. Left out: nobody was asked. */
  readonly answered?: "happened" | "did-not-happen" | "unknown" | "again" | "failed";
  /** What a step of children does to its list while the execution goes on waiting there. Left out: nothing. */
  readonly list?: ListChange;
  /** With it: the step has failed, and what is done before it is asked whether it recovers. Left out: it has not. */
  readonly failing?: Failing;
}

/** An event, and the execution with what is committed together with the event. */
/** It says that a step is to begin or to be passed over, and nothing has come of that yet. */
export function isBeforehand({ called, patch, what: { type } }: Event): boolean {
  return !called && patch === undefined && (type === "stepPassedOver" || type === "begins");
}

export interface Happened {
  readonly execution: ActiveExecution;
  readonly event: Event;
}

type Details = Pick<
  Event,
  | ("error" | "cause" | "by" | "why" | "called" | "durationMs" | "patch" | "failedItself" | "asked")
  | ("backTo" | "patchThen")
>;

/** An event that no function of a step has answered. */
export function eventAt(
  execution: ActiveExecution,
  what: RoutedEvent,
  result: string,
  details: Partial<Details> = {},
): Event {
  return {
    what,
    func: execution.position.stepFunc,
    attempt: attemptOf(execution),
    durationMs: details.durationMs ?? 0,
    result,
    error: details.error ?? null,
    patch: details.patch,
    pause: undefined,
    cause: details.cause,
    by: details.by,
    why: details.why,
    failedItself: details.failedItself ?? false,
    called: details.called ?? false,
    gave: false,
    isUnexpected: false,
    ...(details.asked !== undefined && { asked: details.asked }),
    ...(details.backTo !== undefined && { backTo: details.backTo, patchThen: details.patchThen }),
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
