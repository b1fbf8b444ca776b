/** What the public API gives, in the shapes of the desk. */
import type { Damaged, ExecutionSummary, HistoryRow, MailboxRow, ScheduleSummary, DeadLetter } from "../../index.js";
import { oneLine, span } from "../model/spans.js";
import type { Printer } from "./print.js";
import type {
  DamagedLine,
  DeadLetterView,
  ExecutionLine,
  MessageView,
  ScheduleView,
  TransitionView,
} from "./shapes.js";

/** An address below the mount. */
export function address(path: string, query: Readonly<Record<string, string | number>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) search.set(name, String(value));
  return `${path}?${search.toString()}`;
}

export function lineOf(summary: ExecutionSummary): ExecutionLine {
  const { id, workflow, version, status, struggling, queued, tags, revision, attempts, flow } = summary;
  const { error, createdAt, updatedAt, waitUntil, resumeAt } = summary;
  const dueAt = waitUntil ?? resumeAt;
  return {
    ...{ id, workflow, version, status, struggling, queued, tags, revision, attempts },
    direction: flow.direction,
    reason: flow.reason,
    step: flow.step,
    stepIndex: flow.stepIndex,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    ...(error !== undefined && { error: oneLine(error.message) }),
    ...(dueAt !== undefined && { dueAt: dueAt.toISOString() }),
  };
}

export function damagedLine({ id, workflow, message }: Damaged): DamagedLine {
  return { id, workflow, problem: message };
}

export function transitionView(
  { at, error, guardErrors, details, ...row }: HistoryRow,
  printer: Printer,
): TransitionView {
  return {
    ...row,
    at: at.toISOString(),
    ...(error !== undefined && { error: printer.error(error) }),
    ...(guardErrors !== undefined && { guardErrors: guardErrors.map((it) => printer.error(it)) }),
    ...(details !== undefined && { details: printer.cut(details) }),
  };
}

export function messageView(execution: string, row: MailboxRow, printer: Printer): MessageView {
  const { id, name, payload, receivedAt, status, step, topic, resent } = row;
  const whole = address("api/execution/value", { id: execution, of: "message", message: id });
  return {
    id,
    name,
    payload: printer.value(payload, whole),
    receivedAt: receivedAt.toISOString(),
    status,
    ...(step !== undefined && { step }),
    ...(topic !== undefined && { topic }),
    ...(resent !== undefined && { resent: { ...resent, at: resent.at.toISOString() } }),
  };
}

export function letterView(letter: DeadLetter, printer: Printer): DeadLetterView {
  const { execution, workflow, id, name, payload, receivedAt, step, topic } = letter;
  const whole = address("api/execution/value", { id: execution, of: "message", message: id });
  return {
    ...{ execution, workflow, id, name },
    payload: printer.value(payload, whole),
    receivedAt: receivedAt.toISOString(),
    ...(step !== undefined && { step }),
    ...(topic !== undefined && { topic }),
  };
}

export function scheduleView(schedule: ScheduleSummary, printer: Printer, triggerable: boolean): ScheduleView {
  const { name, workflow, version, missed, tags, paused, nextAt, lastAt, setAt, input } = schedule;
  return {
    ...{ name, workflow, version, missed, tags, paused, triggerable },
    timing: timingOf(schedule),
    nextAt: nextAt?.toISOString() ?? null,
    lastAt: lastAt?.toISOString() ?? null,
    setAt: setAt.toISOString(),
    input: printer.cut(input),
  };
}

function timingOf({ cron, timezone, every, at }: ScheduleSummary): string {
  if (cron !== undefined) return `${cron}, ${timezone ?? "UTC"}`;
  if (every !== undefined) return `every ${span(every)}`;
  return `once, ${at?.toISOString() ?? "never"}`;
}
