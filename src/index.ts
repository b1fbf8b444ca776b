export type { Clock, Timer } from "./clock.js";
export { diagram } from "./definition/diagram.js";
export type { Duration } from "./definition/duration.js";
export { findings, type Finding, type FindingKind } from "./definition/findings.js";
export type { Direction, Flow, Lifecycle, StepFunc } from "./definition/flow.js";
export type { Concurrency, ConcurrencyLimit, RateLimit } from "./definition/limits.js";
export type { Logger } from "./definition/logger.js";
export type { MigrationOptions, Move, MoveContext, Successors } from "./definition/migration.js";
export {
  observer,
  type ExecutionIdentity,
  type GuardOptions,
  type Observer,
  type ObserverEvent,
  type WatcherOptions,
} from "./definition/observer.js";
export {
  complete,
  fail,
  pause,
  type Complete,
  type Fail,
  type FailOptions,
  type Pause,
  type PauseOptions,
} from "./definition/outcome.js";
export type { RetryPolicy } from "./definition/retry-policy.js";
export {
  step,
  type MessageContext,
  type RollbackContext,
  type RollbackMessageContext,
  type Step,
  type StepContext,
  type StepOptions,
  type SubscribeOptions,
} from "./definition/step.js";
export type { HalfDoneOf, InputOf, StateOf } from "./definition/types.js";
export { workflow, type AnyWorkflow, type Workflow, type WorkflowOptions } from "./definition/workflow.js";
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
export { Schedules, type ScheduleOptions, type ScheduleSummary } from "./engine/schedules.js";
export { memoryStore, type MemoryStoreOptions } from "./stores/memory/memory-store.js";
export type { Store } from "./stores/store.js";
