/** Executions, mail and facts, for tests of what is decided of them. */
import type { WorkflowDefinition } from "../../src/definition/definition.js";
import { decide, type Decision, type Facts } from "../../src/execution/decide.js";
import { eventAt, type Event } from "../../src/execution/events.js";
import { activeExecution, type ActiveExecution } from "../../src/execution/execution.js";
import type { Mail } from "../../src/execution/mail.js";
import type { Moment } from "../../src/execution/next.js";
import { initialFlow, type Position } from "../../src/execution/position.js";
import type { MailboxRecord } from "../../src/execution/records.js";
import type { RoutedEvent } from "../../src/execution/router.js";
import { encode } from "../../src/values/encode.js";

export const now = 1_000_000;

export const time = { storeNow: () => now, storeNowAtMost: () => now };

export const nothingCame: Mail = { signals: 0, pending: [], dead: [] };

export function positionAt(fields: Partial<Position> = {}): Position {
  const counts = { attempts: 0, firstAttemptAt: null, uncounted: 0, waitUntil: null, resumeAt: null };
  return { ...initialFlow, step: "a", ...counts, error: null, stuckBy: null, ...fields };
}

/** An execution that a launcher has taken up for the first time, at that position. */
export function executionAt(position: Partial<Position> = {}, fields: Partial<ActiveExecution> = {}): ActiveExecution {
  const state = encode({ order: 1 }, { what: "The state" });
  const record = {
    ...{ id: "1", workflow: "flow", version: "1", fingerprint: null, tags: [], status: "running" as const },
    ...{ state, input: state, revision: 0, signals: 0, owner: 1, claims: 1, dueAt: null, deadlineAt: null },
    ...{ createdAt: 0, updatedAt: 0, carried: null, subscribed: 0, admission: null, line: null, root: null },
    position: positionAt(position),
  };
  return { ...activeExecution(record, state.value as object, 1), ...fields };
}

export function arrival(kind: MailboxRecord["kind"], payload: object = {}, name: string = kind): MailboxRecord {
  return {
    ...{ id: `${kind} ${name}`, execution: "1", sequence: 1, kind, name, messageId: null, status: "pending" },
    ...{ payload: encode(payload, { what: "A payload" }), receivedAt: 0, step: null, carried: null, topic: null },
  };
}

export function mailOf(...pending: readonly MailboxRecord[]): Mail {
  return { signals: pending.length, pending, dead: [] };
}

export function factsOf(definition: WorkflowDefinition, facts: Partial<Facts> = {}): Facts {
  return {
    definition,
    shape: { count: definition.steps.length, pivot: definition.pivot },
    time,
    mail: nothingCame,
    rewindBase: undefined,
    limit: Infinity,
    observing: { hears: () => false },
    stopping: false,
    list: undefined,
    carried: null,
    onExit: (reason) => reason,
    firstListOf: (step) => `1/${step}`,
    ...facts,
  };
}

export function momentOf(definition: WorkflowDefinition, moment: Partial<Moment> = {}): Moment {
  return {
    step: definition.steps[0],
    shape: { count: definition.steps.length, pivot: definition.pivot },
    time,
    mail: nothingCame,
    request: undefined,
    unreadable: undefined,
    isRestUntold: false,
    isMismatched: false,
    stopping: false,
    isCleared: false,
    isNoted: false,
    isRecalled: true,
    ...moment,
  };
}

/** What is decided of an event that is told by its kind alone. */
export function decided(
  execution: ActiveExecution,
  what: RoutedEvent,
  facts: Facts,
  details: Partial<Event> = {},
): Decision {
  return decide(execution, { ...eventAt(execution, what, what.type), ...details }, facts);
}
