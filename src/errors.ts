/**
 * Every error that Stepwell throws or records: one class, one catalogue of codes.
 * `docs/errors.md` explains each code; a test compares the two.
 */
export const errorCodes = {
  // Definitions: thrown while a workflow, step or observer is built.
  STEPWELL_INVALID_DEFINITION: "A workflow, step or observer is not well formed.",
  STEPWELL_UNKNOWN_OPTION: "An option was given that does not exist there.",
  STEPWELL_INVALID_DURATION: 'A duration is neither milliseconds nor a string such as "5m".',
  STEPWELL_INVALID_RETRY_POLICY: "A retry policy has a value that makes no sense.",
  // Launching and addressing executions.
  STEPWELL_INVALID_ARGUMENT: "An argument of a call is not usable.",
  STEPWELL_FILTER_TOO_WIDE: "A list or a count would read too much of what its filter leaves out.",
  STEPWELL_NOT_IN_TRANSACTION: "What was given as `tx` is not in a transaction on the store's database.",
  STEPWELL_INVALID_INPUT: "The input of a launch was refused by the workflow's schema.",
  STEPWELL_UNKNOWN_WORKFLOW: "The workflow is not registered with this launcher.",
  STEPWELL_LAUNCH_CONFLICT: "An execution with this id exists with another workflow or input.",
  STEPWELL_INVALID_LIMIT_KEY: "A limit's key function gave no short text for a launch.",
  STEPWELL_EXECUTION_NOT_FOUND: "There is no execution with this id.",
  STEPWELL_REVISION_NOT_FOUND: "The execution has no such revision.",
  STEPWELL_SCHEDULE_NOT_FOUND: "There is no schedule of this name.",
  STEPWELL_EXECUTION_ENDED: "The execution has ended and takes no more messages.",
  STEPWELL_EXECUTION_NOT_STUCK: "Only a stuck execution can be retried, have its step skipped or its state patched.",
  STEPWELL_NOT_IN_DOUBT: "Only a step that is in doubt can be resolved.",
  STEPWELL_EXECUTION_CHANGED: "The execution has gone on since the revision that the call was meant for.",
  STEPWELL_INVALID_PATCH: "A patch of a stuck execution's state was refused by the schema of the workflow's input.",
  STEPWELL_PAST_PIVOT: "The execution's pivot is done; nothing turns the execution any more.",
  STEPWELL_SEALED: "The execution has completed for longer than its workflow lets it be undone.",
  STEPWELL_ROLLBACK_REFUSED: "The execution can't be rolled back, as things stand.",
  STEPWELL_REWIND_REFUSED: "The execution can't be rewound, as things stand.",
  STEPWELL_STEP_NOT_BEGUN: "The execution has not reached the step to which it was to be rewound, or has undone it.",
  STEPWELL_WOULD_REPEAT: "A rewind would do an irreversible step a second time.",
  STEPWELL_NOT_AT_REST: "A certificate tells of an execution that is at rest.",
  STEPWELL_OUTCOME_TIMEOUT: "The execution did not come to rest within the time given.",
  STEPWELL_UNDECIDED: "No launcher has decided yet on a request that is stored.",
  // Messages.
  STEPWELL_UNKNOWN_MESSAGE: "No step of the workflow declares a message of this name.",
  STEPWELL_INVALID_MESSAGE: "No step that declares this message accepts the payload.",
  STEPWELL_NOT_DEAD: "The message is no dead letter: it is pending, was consumed or sent again, or is not there.",
  // What steps and observers give back.
  STEPWELL_INVALID_RETURN_VALUE: "A step or guard gave back something that is neither a patch nor an outcome.",
  STEPWELL_OBSERVER_FAILED: "A watcher threw or gave back a promise; the execution was not disturbed.",
  STEPWELL_WRONG_STORE: "A step is a transaction of another store than the launcher's.",
  STEPWELL_CAPABILITY_MISSING: "A workflow or a call needs what the store does not have.",
  STEPWELL_TRANSACTION_TIMEOUT: "The database ended the transaction of a step, since its work took too long.",
  // Interruption: reasons of an aborted AbortSignal.
  STEPWELL_ATTEMPT_TIMEOUT: "An attempt ran longer than its step's timeout.",
  STEPWELL_ROLLBACK_REQUESTED: "A rollback of the execution was requested while a step function ran.",
  STEPWELL_DEADLINE_EXCEEDED: "The workflow's deadline passed while a step function ran.",
  STEPWELL_LAUNCHER_STOPPING: "The launcher is stopping and its drain time is over.",
  STEPWELL_OWNERSHIP_LOST: "The execution belongs to another launcher now; nothing more is committed here.",
  STEPWELL_SUBSCRIBE_TOO_LATE: "`subscribe` was called when its step function had settled, or had been given up.",
  STEPWELL_CLIENT_TOO_LATE: "A step's `client` was called when the step function had settled, or had been given up.",
  STEPWELL_LATE_RESULT: "An attempt settled after it had been given up; its result was discarded.",
  // State and payloads.
  STEPWELL_NOT_ENCODABLE: "A value cannot be stored; the message names its path and type.",
  STEPWELL_TOO_LARGE: "A value is larger than the limit when encoded.",
  STEPWELL_NOT_DECODABLE: "A stored value cannot be read back.",
  // Supervision.
  STEPWELL_EXECUTION_STRUGGLING: "A step has failed five times and is tried again.",
  STEPWELL_EXECUTION_STUCK: "An execution is parked: it needs an operator.",
  STEPWELL_IN_DOUBT: "Nobody can say whether a step was done, so the execution is parked.",
  STEPWELL_CRASHES_LAUNCHER: "The execution was taken up many times without progress and is parked.",
  STEPWELL_STEP_MISSING: "The execution stands at a step that its workflow does not have.",
  STEPWELL_DEFINITION_CHANGED:
    "The list of steps has changed under the same version, and the execution can't go on with it.",
  STEPWELL_MIGRATION_FAILED: "An execution could not be migrated to another version of its workflow.",
  STEPWELL_INVARIANT_VIOLATED: "A commit would have broken an invariant; the execution is parked.",
  STEPWELL_SCHEDULE_FAILED: "A schedule that is due could not launch; it is tried again.",
  STEPWELL_INVALID_CHILDREN: "What a step of children was to begin is not usable; nothing of it has begun.",
  STEPWELL_CHILD_ROLLED_BACK: "A child was rolled back, so its parent's step has failed.",
  STEPWELL_CHILDREN_LIVE: "A step is not skipped while one of its children is not settled.",
  STEPWELL_CHILD_NOT_BEGUN: "A child that has not begun takes no messages and can't be rolled back.",
  STEPWELL_BELONGS_TO_PARENT: "What a completed child has done, its parent alone may undo.",
  STEPWELL_LAUNCHER_NOT_RUNNING: "The launcher has not been started, or is stopped.",
  STEPWELL_CLIENT_STOPPED: "The client was stopped.",
  // Stores.
  STEPWELL_STORE_CLOSED: "The store is not open.",
  STEPWELL_STORE_BUSY: "The store is locked by another writer; the call may be tried again.",
  STEPWELL_STORE_UNREACHABLE: "The database of the store can't be reached; the call may be tried again.",
  STEPWELL_STORE_FAILED: "The store answered with an error.",
  STEPWELL_STORE_TOO_NEW: "The store was written by a newer version of Stepwell.",
  STEPWELL_SQLITE_MISSING: "No SQLite binding was found on this Node.",
  STEPWELL_SQLITE_UNSAFE: "This SQLite version can lose commits when a file has several connections.",
  STEPWELL_POSTGRES_MISSING: "The package pg is not installed.",
  // Command line.
  STEPWELL_COUNTEREXAMPLE: "An exploration has found a history that breaks what is asked of the workflow.",
  STEPWELL_EXPLORED_TOO_LITTLE: "An exploration has found nothing wrong, and has not seen all of the workflow.",
  STEPWELL_NOT_DETERMINISTIC: "An exploration has seen the same history go in two ways.",
  STEPWELL_INVALID_MODULE: "The module given to the command line does not export a workflow.",
  STEPWELL_INVALID_LINE: "A line of the input file is not usable.",
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** What an error is about. Each field is set where it is known. */
export interface ErrorDetails {
  readonly workflow?: string | undefined;
  readonly step?: string | undefined;
  readonly execution?: string | undefined;
  /** Where that is a child: the execution at the top of its tree. */
  readonly root?: string | undefined;
  readonly cause?: unknown;
  /** The call may be tried again as it is. Nothing was changed, unless the message says that this is not known. Default: false. */
  readonly retryable?: boolean | undefined;
}

/**
 * The class of every error that Stepwell throws. `code` is stable over versions; the message says
 * what was wrong, where, and what to do.
 *
 * @example
 * try { await launcher.launch(fulfilOrder, input, { id }); }
 * catch (error) { if (error instanceof StepwellError && error.code === "STEPWELL_LAUNCH_CONFLICT") … }
 */
export class StepwellError extends Error {
  override readonly name = "StepwellError";
  readonly code: ErrorCode;
  readonly workflow: string | undefined;
  readonly step: string | undefined;
  readonly execution: string | undefined;
  /** Where that is a child: the execution at the top of its tree. */
  readonly root: string | undefined;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.workflow = details.workflow;
    this.step = details.step;
    this.execution = details.execution;
    this.root = details.root;
    this.retryable = details.retryable ?? false;
  }

  /** Includes the message, which JSON leaves out of an error, and leaves out stack and cause, which may hold anything. */
  toJSON(): Pick<
    StepwellError,
    "name" | "code" | "message" | "workflow" | "step" | "execution" | "root" | "retryable"
  > {
    const { name, code, message, workflow, step, execution, root, retryable } = this;
    return { name, code, message, workflow, step, execution, root, retryable };
  }
}

/** Whether the same call may succeed later. */
export function isRetryable(error: unknown): error is StepwellError {
  return error instanceof StepwellError && error.retryable;
}
