export { desk, type DeskHandler } from "./http/desk.js";
export { nodeListener } from "./http/node.js";
export { openDesk, type OpenDesk, type OpenDeskOptions } from "./http/open.js";
export type { Authorize, DeskOptions, DeskUser } from "./http/options.js";
export type { Acts, ActAnswer, BulkBody, BulkView, DeskCode, OnOne, OnRecall, Refusal } from "./http/act-shapes.js";
export type {
  DeskRight,
  Session,
  Count,
  Overview,
  ExecutionsQuery,
  ExecutionLine,
  DamagedLine,
  ExecutionsPage,
  ExecutionView,
  CountedView,
  PreviewView,
  CertificateView,
  TransitionView,
  HistoryPage,
  StateView,
  Mailbox,
  MessageView,
  WorkflowNames,
  WorkflowsView,
  WorkflowLine,
  WorkflowView,
  VersionInFlight,
  SchedulesView,
  ScheduleView,
  DeadLettersPage,
  DeadLetterView,
  LimitsView,
  LimitView,
  LaunchersView,
  LauncherView,
} from "./http/shapes.js";
export type { ChildrenPage } from "./http/child-shapes.js";
export type { ActivityMinute, ActivityWindow, DeskEvent } from "./http/feed-shapes.js";
export type { RecallActedView, RecallsView, RecallView } from "./http/recall-shapes.js";
export type { ShownValue, ShownChange, ShownError } from "./http/value-shapes.js";
export type { Cell, DownMark, LaneRow, Lanes, Round, UpMark } from "./model/lanes.js";
export type { ActName, Offer, Urgency, Words } from "./model/words.js";
export type { ErrorFacts } from "./model/facts.js";
