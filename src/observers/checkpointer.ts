import type { Direction, Status, StepFunc } from "../definition/flow.js";
import { checkedObserver, type ExecutionIdentity, type Observer, type ObserverEvent } from "../definition/observer.js";
import { missingFunction, refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError } from "../errors.js";
import { Outbox } from "./outbox.js";

/** Where an execution stands after a commit: the function that is due, and the state. */
export interface Checkpoint<State = Readonly<Record<string, unknown>>> {
  readonly execution: string;
  readonly workflow: string;
  readonly version: string;
  /** For a child: the execution whose step it is part of. */
  readonly parent?: string;
  /** For a child: the execution at the top of its tree. */
  readonly root?: string;
  /** How many transitions have been committed. A checkpoint with a lower revision is older. */
  readonly revision: number;
  /** `waiting`: for a message. `scheduled`: for its time. `stuck`: parked, for an operator. */
  readonly status: Status;
  readonly direction: Direction;
  /** The step that is due, waits or is stuck. */
  readonly step: string;
  readonly stepIndex: number;
  /** The function of the step that is due; `runContinue` and `rollbackContinue` wait for a message. */
  readonly func: StepFunc;
  /** Why it turned; `normal` on the way up. */
  readonly reason: string;
  readonly state: State;
}

export interface CheckpointerOptions<State> {
  /** Keeps a checkpoint in place of an older one of the same execution. May be called twice for the same checkpoint. */
  readonly save: (checkpoint: Checkpoint<State>) => unknown;
  /** The execution has ended, well or not: its checkpoints are not needed any more. May be called twice. */
  readonly deleteAll: (execution: ExecutionIdentity) => unknown;
  /** Called for each save or deletion that failed. Default: `console.error`, for the 1st, the 10th, the 100th failure and so on. */
  readonly onError?: (error: StepwellError) => void;
}

/** A watcher that may still be saving. */
export interface Checkpointer<in State = Readonly<Record<string, unknown>>> extends Observer<State> {
  /** Resolves when every checkpoint has been saved, or has failed. For the end of a process, after `launcher.stop()`. */
  settled(): Promise<void>;
}

/**
 * A watcher that hands the state to a persistence of your own: before each step, after each pause, when a retry is due later or the
 * execution is stuck. At the end it deletes the checkpoints. Stepwell does not need them, and never reads them.
 *
 * Each checkpoint is what has been committed. Checkpoints of one execution are saved in order, one at a time; the execution
 * does not wait for them.
 *
 * @example
 * fulfilOrder.observe(checkpointer({
 *   save: (checkpoint) => archive.put(checkpoint.execution, serialize(checkpoint)),
 *   deleteAll: ({ id }) => archive.remove(id),
 * }));
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 */
export function checkpointer<State = Readonly<Record<string, unknown>>>(
  options: CheckpointerOptions<State>,
): Checkpointer<State> {
  refuseUnknownOptions(options, ["save", "deleteAll", "onError"], "checkpointer(…)");
  const functions = ["save", "deleteAll", ...(options.onError === undefined ? [] : ["onError" as const])] as const;
  const missing = missingFunction(options, functions);
  if (missing !== undefined) {
    const problem = `"${missing}" must be a function, not ${shown(options[missing])}`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `checkpointer(…): ${problem}.`);
  }
  const outbox = new Outbox(options.onError);
  const save = (event: ObserverEvent<State> & { readonly status: Status }): void => {
    if (event.status === "completed" || event.status === "rolledBack") return;
    const checkpoint = checkpointOf(event);
    const { execution, workflow, revision } = checkpoint;
    const what = `Checkpoint ${revision} of execution "${execution}"`;
    outbox.post({ what, execution, workflow }, () => options.save(checkpoint));
  };
  const clear = ({ execution }: ObserverEvent): void => {
    const what = `The end of execution "${execution.id}"`;
    outbox.post({ what, execution: execution.id, workflow: execution.workflow }, () => options.deleteAll(execution));
  };
  const watcher = checkedObserver<State>({
    name: "checkpointer",
    // The first step has no commit before it; and a launcher that died may not have saved its last commit.
    wake: (event) => {
      if (event.revision === 0 || event.claims > 1) save(event);
    },
    commit: save,
    success: clear,
    failure: clear,
  });
  return Object.freeze({ ...watcher, settled: () => outbox.settled() });
}

function checkpointOf<State>(event: ObserverEvent<State> & { readonly status: Status }): Checkpoint<State> {
  const { execution, revision, status, flow, step, state } = event;
  const { id, ...names } = execution;
  return {
    execution: id,
    ...names,
    revision,
    status,
    direction: flow.direction,
    step: step?.name ?? "",
    stepIndex: flow.stepIndex,
    func: flow.stepFunc,
    reason: flow.reason,
    state,
  };
}
