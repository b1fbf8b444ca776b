export type {
  AnyWorkflow,
  Bag,
  BagOf,
  Entries,
  HalfDoneOf,
  InputOf,
  MessageName,
  MessagesOf,
  PayloadOf,
  StateOf,
  StatePatch,
  StepsOf,
  Unseen,
} from "./definition/bag.js";
export type {
  MessageContext,
  RecoverContext,
  RollbackContext,
  RollbackMessageContext,
  StateContext,
  StepContext,
  SubscribeOptions,
  Undoing,
} from "./definition/contexts.js";
export type { Frozen, Shown } from "./definition/frozen.js";
export type { First, Next } from "./definition/growth.js";
export type { MessageOf, Messages } from "./definition/messages.js";
export type { Clock, Timer } from "./clock.js";
export { diagram } from "./definition/diagram.js";
export { duration, type Duration } from "./definition/duration.js";
export { findings, type Finding, type FindingKind } from "./definition/findings.js";
export type { Direction, Flow, Lifecycle, StepFunc } from "./definition/flow.js";
export type { Concurrency, ConcurrencyLimit, RateLimit } from "./definition/limits.js";
export type { Logger } from "./definition/logger.js";
export type { MigrationOptions, Move, MoveContext, Successors } from "./definition/migration.js";
export {
  observer,
  type Carried,
  type CarryEvent,
  type CommitEvent,
  type CommittedTransition,
  type EngineCallbacks,
  type ErrorEvent,
  type EventOf,
  type ExecutionIdentity,
  type GuardAnswer,
  type GuardOptions,
  type MessageIdentity,
  type Observer,
  type ObserverCallbacks,
  type ObserverEvent,
  type ObserverOf,
  type RestEvent,
  type Synchronous,
  type WakeEvent,
  type WatcherOptions,
} from "./definition/observer.js";
export {
  again,
  complete,
  fail,
  pause,
  type Complete,
  type Fail,
  type FailOptions,
  type Again,
  type AgainOptions,
  type Pause,
  type PauseOptions,
  type Transacted,
} from "./definition/outcome.js";
export type { Flatten, Grow, GrowHalf, IsAny, Over, Simplify } from "./definition/objects.js";
export type {
  AgainPatch,
  CompletePatch,
  Completes,
  DonePatch,
  Either,
  FailPatch,
  Gives,
  IfWhen,
  Leaves,
  MaybePromise,
  MayGive,
  PausePatch,
  Settled,
  Unwrapped,
  Waiting,
  Written,
} from "./definition/patches.js";
export type { RetryPolicy } from "./definition/retry-policy.js";
export { step, type MakeStep, type Step, type Takes } from "./definition/step.js";
export type {
  Conditions,
  ConditionOption,
  ExtraOption,
  PlainOptions,
  RunArgument,
  StepExtras,
  StepOptions,
} from "./definition/step-options.js";
export type {
  Fine,
  FieldProblem,
  FirstOf,
  Free,
  InputProblem,
  Late,
  Lonely,
  Mark,
  Meets,
  Missing,
  NameProblem,
  Options,
  Problem,
  Right,
  Verdict,
} from "./definition/verdicts.js";
export { workflow, type Workflow, type WorkflowOptions } from "./definition/workflow.js";
export type { OperatorOptions, RetryOptions, SkipOptions } from "./engine/acts.js";
export type { Execution, ExecutionSummary, HistoryOptions, MailboxRow } from "./engine/execution.js";
export type { ChangedHistoryRow, HistoryRow } from "./engine/history.js";
export { Client } from "./engine/client.js";
export { Launcher } from "./engine/launcher.js";
export type { LaunchItem, LaunchOptions } from "./engine/launching.js";
export type { ExecutionPage, ListConditions, ListOptions } from "./engine/listing.js";
export type { Damaged } from "./engine/unreadable.js";
export type {
  DeadLetter,
  LetterAddress,
  LetterConditions,
  LetterCount,
  LetterOptions,
  LetterPage,
  ResendOptions,
} from "./engine/letters.js";
export { deadLettersIn, type DeadLetters, type DeadLettersOptions } from "./engine/store-letters.js";
export type { RollbackAnswer, RollbackOptions, SendOptions, Sent } from "./engine/mail.js";
export type { Outcome } from "./engine/outcome.js";
export type {
  BulkAnswer,
  BulkOptions,
  BulkRetryOptions,
  BulkRollbackOptions,
  Refused,
  Selection,
  SelectOptions,
} from "./engine/selection.js";
export type { Published, PublishOptions } from "./engine/publishing.js";
export type { ClientOptions, LauncherOptions } from "./engine/settings.js";
export { errorCodes, StepwellError, type ErrorCode, type ErrorDetails } from "./errors.js";
export type { Irreversible, SerializedError, Status } from "./flow/flow.js";
export type { ChangeOperation } from "./state-changes.js";
export type { CompatibilityGroup, Prospect } from "./engine/compatibility.js";
export type { PruneCounts, PruneOptions, RetentionPolicy } from "./engine/retention.js";
export {
  Schedules,
  type CronSchedule,
  type IntervalSchedule,
  type ScheduleOptions,
  type ScheduleSummary,
  type SingleSchedule,
} from "./engine/schedules.js";
export { memoryStore, type MemoryStoreOptions } from "./stores/memory/memory-store.js";
export type { CallerTransaction, Store } from "./stores/store.js";
