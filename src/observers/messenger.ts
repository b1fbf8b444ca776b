import type { Direction } from "../definition/flow.js";
import { checkedObserver, type CommitEvent, type Observer, type ObserverEvent } from "../definition/observer.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import type { StepwellError } from "../errors.js";
import { Outbox } from "./outbox.js";

/** A message to people about an execution. Plain data. */
export interface StatusMessage {
  /** The same id where the same message is sent again, as after a crash; a different one for every other message. */
  readonly id: string;
  readonly what: "init" | "beforeStep" | "afterStep" | "startRollback" | "success" | "failure" | "stuck";
  /** In plain English, such as `charge done`. */
  readonly text: string;
  readonly execution: string;
  readonly workflow: string;
  readonly version: string;
  /** For a child: the execution whose step it is part of. */
  readonly parent?: string;
  /** For a child: the execution at the top of its tree. */
  readonly root?: string;
  readonly direction: Direction;
  readonly step?: string;
  /** `beforeStep`, `afterStep`: from 1. */
  readonly attempt?: number;
  /** Why it turned or ended. */
  readonly reason?: string;
}

export interface MessengerOptions {
  /** Called for each message that was not sent. Default: `console.error`, for the 1st, the 10th, the 100th failure and so on. */
  readonly onError?: (error: StepwellError) => void;
}

/** A watcher that may still be sending. */
export interface Messenger<in State = Readonly<Record<string, unknown>>> extends Observer<State> {
  /** Resolves when every message has been sent, or has failed. For the end of a process, after `launcher.stop()`. */
  settled(): Promise<void>;
}

/**
 * A watcher that tells people how an execution gets on: it has begun, a step begins, is done, the execution turns,
 * is completed, is rolled back, is stuck. That a step is done is told when it is committed, and not before.
 *
 * Messages of one execution are sent in order, one at a time; the execution does not wait for them. The last one
 * (`success`, `failure`, `stuck`) is given to `send` at least once, the others mostly once: a crash can lose them.
 *
 * @param send an error that it throws, or rejects with, goes to `onError`; the execution is not disturbed. The
 * state comes beside the message, for an address or a name; it is not part of the message
 * @example
 * fulfilOrder.observe(messenger<{ email: string }>((message, state) => mail.send(state.email, message.text, { key: message.id })));
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 */
export function messenger<State = Readonly<Record<string, unknown>>>(
  send: (message: StatusMessage, state: State) => unknown,
  options: MessengerOptions = {},
): Messenger<State> {
  if (typeof send !== "function")
    throw invalidArgument(`messenger(…) takes a function that sends a message, not ${shown(send)}`);
  refuseUnknownOptions(options, ["onError"], "messenger(…)");
  const { onError } = options;
  if (onError !== undefined && typeof onError !== "function") {
    throw invalidArgument(`messenger(…): "onError" must be a function, not ${shown(onError)}`);
  }
  const outbox = new Outbox(onError);
  const tell = (what: StatusMessage["what"], text: string, event: ObserverEvent<State>): void => {
    const message = statusMessage(what, text, event);
    const { id, execution, workflow } = message;
    outbox.post({ what: `Message "${id}"`, execution, workflow }, () => send(message, event.state));
  };
  const watcher = checkedObserver<State>({
    name: "messenger",
    init: (event) => tell("init", `${event.execution.workflow} started`, event),
    beforeStep: (event) => tell("beforeStep", beginText(event), event),
    // Not `afterStep`: until the commit a guard may veto, a request may turn the execution, a crash may lose the attempt.
    commit: (event) => {
      const done = doneOf(event);
      if (done !== undefined) tell("afterStep", done.text, done.event);
    },
    startRollback: (event) =>
      tell("startRollback", `${event.execution.workflow} is being undone: ${event.reason}`, event),
    success: (event) => tell("success", `${event.execution.workflow} completed`, event),
    failure: (event) => tell("failure", `${event.execution.workflow} was undone: ${event.reason}`, event),
    stuck: (event) =>
      tell("stuck", `${event.execution.workflow} is stuck at ${event.step?.name}: ${event.reason}`, event),
  });
  return Object.freeze({ ...watcher, settled: () => outbox.settled() });
}

function statusMessage(what: StatusMessage["what"], text: string, event: ObserverEvent): StatusMessage {
  const { execution, revision, flow, step, attempt, reason } = event;
  const { id, ...names } = execution;
  const isOfStep = what === "beforeStep" || what === "afterStep" || what === "stuck";
  const hasReason = reason !== undefined && what !== "init" && what !== "beforeStep" && what !== "afterStep";
  return {
    // An execution begins once, though its first attempt may be cut off, committed and begun again.
    id: `${id}/${what === "init" ? 0 : revision}/${what}`,
    what,
    text,
    execution: id,
    ...names,
    direction: flow.direction,
    ...(isOfStep && step !== undefined && { step: step.name }),
    ...(isOfStep && attempt !== undefined && { attempt }),
    ...(hasReason && { reason }),
  };
}

function beginText({ step, flow, attempt = 1 }: ObserverEvent): string {
  const begins = flow.direction === "up" ? `${step?.name} started` : `undoing ${step?.name}`;
  return attempt === 1 ? begins : `${begins} (attempt ${attempt})`;
}

/** The step that was done or undone with this commit; the flow of the event is already that of the next step. */
function doneOf<State>(event: CommitEvent<State>): { text: string; event: ObserverEvent<State> } | undefined {
  const { result, direction, step, stepIndex, attempt } = event.transition;
  if (result !== "ok" && result !== "recovered") return undefined;
  const { execution, revision, state, flow } = event;
  return {
    text: `${step} ${direction === "up" ? "done" : "undone"}`,
    event: {
      execution,
      revision,
      state,
      attempt,
      flow: { ...flow, direction },
      step: { name: step, index: stepIndex },
    },
  };
}
