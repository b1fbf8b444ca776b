export type {
  AnyWorkflow,
  Bag,
  BagOf,
  Entries,
  FieldEntry,
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
  Child,
  ChildFailure,
  ChildrenOption,
  ChildrenOptions,
  ChildrenSteps,
  ChildrenWorkflows,
  CompletedChild,
  ItemContext,
  ItemProblem,
  JoinByKeyContext,
  JoinContext,
  KeyProblem,
  RolledBackChild,
  StepAfterChildren,
  TheChild,
  UndoOption,
} from "./definition/children-options.js";
export type {
  MessageContext,
  ProbeContext,
  RecoverContext,
  RollbackContext,
  UndoRequest,
  RollbackMessageContext,
  StateContext,
  StepContext,
  SubscribeOptions,
  Undoing,
} from "./definition/contexts.js";
export type { Frozen, Shown } from "./definition/frozen.js";
export type { First, Next } from "./definition/growth.js";
export type { MessageOf, Messages } from "./definition/messages.js";
export type { Clock, Look, Timer } from "./clock.js";
export { diagram } from "./inspect/diagram.js";
export { duration, type Duration } from "./definition/duration.js";
export { findings, type Finding, type FindingKind } from "./inspect/findings.js";
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
  didNotHappen,
  fail,
  happened,
  pause,
  unknown,
  type Complete,
  type DidNotHappen,
  type Fail,
  type FailOptions,
  type Happened,
  type Again,
  type AgainOptions,
  type Pause,
  type PauseOptions,
  type Transacted,
  type Unknown,
} from "./definition/outcome.js";
export type {
  Flatten,
  Grow,
  GrowHalf,
  IsAny,
  KnownKey,
  OptionalKey,
  Over,
  RequiredKey,
  Simplify,
} from "./definition/objects.js";
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
  MayGive,
  PausePatch,
  ProbeAnswer,
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
  JoinProblem,
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
export type { OperatorOptions, Resolution, ResolveOptions, RetryOptions, SkipOptions } from "./client/operator.js";
export type { Execution, HistoryOptions, HistoryRange } from "./client/execution-handle.js";
export type { MailboxOptions, MailboxRow } from "./client/mailbox.js";
export type { ExecutionSummary, StepInDoubt } from "./client/execution-summary.js";
export type { ExecutionDetails } from "./client/execution-details.js";
export type { ChildGroup, ChildLine, ChildLinesOptions } from "./client/children.js";
export type { ChildrenOutline, StepOutline } from "./definition/outline.js";
export type { Recall, RecallActed, RecallActOptions, RecallPage, RecallProgress, Recalls } from "./client/recall.js";
export type { RecallFilter, RecallOptions, RecallRate } from "./client/recall-options.js";
export type { StillAt } from "./client/still-at.js";
export type { Fleet, KnownWorkflow, LauncherSummary, LimitSummary, Unattended } from "./client/fleet.js";
export type { ChangedHistoryRow, HistoryRow } from "./execution/history.js";
export { Client } from "./client/client.js";
export { Launcher } from "./client/launcher.js";
export type { LaunchItem } from "./runtime/launch.js";
export type { FollowOptions } from "./client/follow.js";
export type { FollowFilter } from "./client/follow-many.js";
export type { ExecutionPage, ListConditions, ListOptions } from "./client/listing.js";
export type { Damaged } from "./session/damaged-rows.js";
export type {
  DeadLetter,
  LetterAddress,
  LetterConditions,
  LetterCount,
  LetterTotal,
  LetterOptions,
  LetterPage,
  ResendOptions,
} from "./client/dead-letters.js";
export { deadLettersIn, type DeadLetters, type DeadLettersOptions } from "./client/dead-letters.js";
export type {
  CallerTransaction,
  LaunchOptions,
  MessageOptions,
  Published,
  PublishOptions,
  Sent,
  StepClient,
} from "./definition/asking.js";
export type { SendOptions } from "./client/messages.js";
export type { Certificate, CertificateCheck, CertifiedExecution, LeftInWorld } from "./client/certificate.js";
export {
  certificateHeads,
  certificateMarkdown,
  certificateTables,
  certificateText,
  type CertificateTables,
} from "./client/certificate-text.js";
export type { CertifiedDoing, CertifiedUndo, WhyLeft } from "./execution/certificate.js";
export type { ChildPreview, PreviewedChildren, PreviewedStep, RollbackPreview } from "./client/preview.js";
export { childrenText, heldText, previewText } from "./client/preview-text.js";
export type { PreviewedWhat, StepPreview } from "./execution/preview.js";
export type { RewindAnswer, RewindOptions } from "./client/rewind.js";
export type { RefusedAnswer, RollbackAnswer, RollbackOptions, WhyRefused } from "./client/rollback.js";
export type { Outcome } from "./session/outcome-waiters.js";
export type {
  BulkAnswer,
  ExecutionCount,
  BulkOptions,
  BulkRetryOptions,
  BulkRollbackOptions,
  Refused,
  BulkActs,
  SelectOptions,
} from "./client/bulk.js";
export type { ClientOptions, LauncherOptions } from "./session/options.js";
export { errorCodes, StepwellError, type ErrorCode, type ErrorDetails } from "./errors.js";
export type { Irreversible } from "./execution/position.js";
export type { Status } from "./definition/flow.js";
export type { SerializedError } from "./values/serialize-error.js";
export type { ChangeOperation } from "./values/state-changes.js";
export type { CompatibilityGroup, Forecast } from "./client/deployment-check.js";
export type { PruneCounts, PruneOptions, RetentionPolicy } from "./session/retention.js";
export {
  Schedules,
  type CronSchedule,
  type IntervalSchedule,
  type ScheduleOptions,
  type ScheduleSummary,
  type SingleSchedule,
} from "./client/schedules.js";
export { memoryStore, type MemoryStoreOptions } from "./stores/memory/memory-store.js";
export type { MaybePromise, Store } from "./stores/contract.js";
