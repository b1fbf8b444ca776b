/**
 * How records stand in the tables. Names of columns are snake_case; what is structured and never
 * searched (position, tags, a history entry) is one column of JSON, which also keeps characters that
 * a text column can't hold.
 */
import { Encoded } from "../../values/encode.js";
import type { StepwellError } from "../../errors.js";
import type { Position } from "../../execution/position.js";
import type { Status } from "../../definition/flow.js";
import type { SerializedError } from "../../values/serialize-error.js";
import type { LauncherRecord, SchedulePlan, ScheduleRecord } from "../records.js";
import type {
  ArrivalKind,
  ArrivalStatus,
  ExecutionRecord,
  HistoryEntry,
  HistoryRecord,
  Standing,
} from "../../execution/records.js";
import type { ListedExecution, MailRecord } from "../contract.js";
import {
  admissionProblem,
  damaged,
  entryProblem,
  planProblem,
  positionProblem,
  readJson,
  statusProblem,
  tagsProblem,
} from "./readable.js";

export interface ExecutionRow {
  /** The order of creation; the other tables refer to it. */
  readonly sequence: number;
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly fingerprint: string | null;
  readonly status: Status;
  readonly revision: number;
  readonly signals: number;
  readonly owner: number | null;
  readonly claims: number;
  readonly due_at: number | null;
  readonly deadline_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly tags: string;
  readonly position: string;
  readonly state: string;
  readonly input: string;
  readonly carried: string | null;
  /** Null: it has no subscriptions. */
  readonly subscribed: number | null;
  readonly admission: ExecutionRecord["admission"];
}

/** Without what may be large. */
export type ListedRow = Omit<ExecutionRow, "state" | "input">;

/** What a query for `ListedRow` selects. */
export const listedColumns =
  "sequence, id, workflow, version, fingerprint, status, revision, signals, owner, claims, due_at, deadline_at, " +
  "created_at, updated_at, tags, position, carried, subscribed, admission";

/** What a query for `ExecutionRow` selects. */
export const executionColumns =
  "sequence, id, workflow, version, fingerprint, status, revision, signals, owner, claims, due_at, deadline_at, " +
  "created_at, updated_at, tags, position, state, input, carried, subscribed, admission";

/** What can't be read of it throws when it is asked for. */
export function executionOf(row: ExecutionRow): ExecutionRecord {
  try {
    return recordOf(row, tagsOf(row), statusOf(row), positionOf(row), admissionOf(row));
  } catch {
    const unread = recordOf(row, [], row.status, {} as Position, null);
    return Object.defineProperties(unread, {
      tags: { get: () => tagsOf(row) },
      status: { get: () => statusOf(row) },
      position: { get: () => positionOf(row) },
      admission: { get: () => admissionOf(row) },
    });
  }
}

/** As `executionOf`. */
export function listedOf(row: ListedRow): ListedExecution {
  const record = executionOf({ ...row, state: "", input: "" });
  for (const large of ["state", "input"] as const) Reflect.deleteProperty(record, large);
  return record;
}

/** Of one shape, field by field: most of what is read is read so. */
function recordOf(
  row: ExecutionRow,
  tags: readonly string[],
  status: Status,
  position: Position,
  admission: ExecutionRecord["admission"],
): ExecutionRecord {
  return {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    fingerprint: row.fingerprint,
    tags,
    status,
    position,
    state: Encoded.ofText(row.state),
    input: Encoded.ofText(row.input),
    revision: row.revision,
    signals: row.signals,
    owner: row.owner,
    claims: row.claims,
    dueAt: row.due_at,
    deadlineAt: row.deadline_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    carried: row.carried,
    subscribed: row.subscribed ?? 0,
    admission,
  };
}

function ofExecution(what: string, id: string): (problem: string) => StepwellError {
  return (problem) => damaged(what, `execution "${id}"`, problem, id);
}

function tagsOf({ id, tags }: ExecutionRow): readonly string[] {
  return readJson(tags, tagsProblem, ofExecution("tags", id));
}

function positionOf({ id, position }: ExecutionRow): Position {
  return readJson(position, positionProblem, ofExecution("position", id));
}

function statusOf({ id, status }: Pick<ExecutionRow, "id" | "status">): Status {
  const problem = statusProblem(status);
  if (problem !== undefined) throw ofExecution("status", id)(problem);
  return status;
}

function admissionOf({ id, admission }: ExecutionRow): ExecutionRecord["admission"] {
  const problem = admissionProblem(admission);
  if (problem !== undefined) throw ofExecution("admission", id)(problem);
  return admission;
}

/** What a query for the standing of an execution selects. */
export const standingColumns = "id, workflow, version, status, revision, signals, owner, due_at";

export function standingOf(row: ExecutionRow): Standing {
  const { id, workflow, version, revision, signals, owner, due_at: dueAt } = row;
  const kept = { id, workflow, version, revision, signals, owner, dueAt };
  if (statusProblem(row.status) === undefined) return { ...kept, status: row.status };
  return {
    ...kept,
    get status() {
      return statusOf(row);
    },
  };
}

export interface HistoryRow {
  readonly revision: number;
  readonly at: number;
  /** The rest of the entry. */
  readonly entry: string;
  readonly patch: string | null;
}

/** The patch is encoded already: inside the JSON it would be encoded twice. Written out field by field, since each step makes one. */
export function historyEntryOf(entry: HistoryEntry): string {
  const { direction, step, stepIndex, func, attempt, result, durationMs, message, error, guardErrors, by, why } = entry;
  return JSON.stringify({
    direction,
    step,
    stepIndex,
    func,
    attempt,
    result,
    durationMs,
    message,
    error,
    guardErrors,
    by,
    why,
    others: entry.others?.text,
    initial: entry.initial?.text,
    replaced: entry.replaced?.text,
    migration: entry.migration,
    leftNothing: entry.leftNothing,
  } satisfies Record<Exclude<keyof HistoryEntry, "patch">, unknown>);
}

type StoredEntry = Omit<HistoryEntry, "patch" | "others" | "initial" | "replaced"> & {
  readonly others?: string;
  readonly initial?: string;
  readonly replaced?: string;
  /** As it was written when there was one at most. */
  readonly guardError?: SerializedError;
};

/** @param id of its execution @throws STEPWELL_NOT_DECODABLE */
export function historyOf({ revision, at, entry, patch }: HistoryRow, id: string): HistoryRecord {
  const { others, initial, replaced, guardError, ...rest } = readJson<StoredEntry>(
    entry,
    entryProblem,
    ofExecution(`row ${revision} of the history`, id),
  );
  return {
    revision,
    at,
    ...rest,
    patch: patch === null ? null : Encoded.ofText(patch),
    ...(guardError !== undefined && { guardErrors: [guardError] }),
    ...(others !== undefined && { others: Encoded.ofText(others) }),
    ...(initial !== undefined && { initial: Encoded.ofText(initial) }),
    ...(replaced !== undefined && { replaced: Encoded.ofText(replaced) }),
  };
}

export interface MailRow {
  readonly execution_id: string;
  readonly workflow: string;
  readonly sequence: number;
  readonly id: string;
  readonly kind: ArrivalKind | "resend";
  readonly name: string;
  readonly payload: string;
  readonly message_id: string | null;
  readonly status: ArrivalStatus;
  readonly received_at: number;
  readonly step: string | null;
  readonly carried: string | null;
  readonly topic: string | null;
}

/** What a query for `MailRow` selects, from the mailbox `m` and its execution `e`. */
export const mailColumns =
  "m.sequence, m.id, m.kind, m.name, m.payload, m.message_id, m.status, m.received_at, m.step, m.carried, m.topic, " +
  "e.id AS execution_id, e.workflow";

export function mailOf(row: MailRow): MailRecord {
  return {
    id: row.id,
    execution: row.execution_id,
    workflow: row.workflow,
    sequence: row.sequence,
    kind: row.kind,
    name: row.name,
    payload: Encoded.ofText(row.payload),
    messageId: row.message_id,
    status: row.status,
    receivedAt: row.received_at,
    step: row.step,
    carried: row.carried,
    topic: row.topic,
  };
}

export interface LauncherRow {
  readonly owner: number;
  readonly host: string;
  readonly pid: number;
  readonly beat_at: number;
}

export function launcherOf({ owner, host, pid, beat_at }: LauncherRow, now: number): LauncherRecord {
  // Another process may have a clock that is ahead.
  return { owner, host, pid, silentMs: Math.max(0, now - beat_at) };
}

/** So long after a burial nobody asks for it any more, in milliseconds. */
export const keepBurials = 30 * 24 * 60 * 60 * 1000;

/** Of a row's `deaths`, which are written as "revision:owner,owner": under whom it may have been what killed the process. */
export function ownersIn(deaths: string | null, revision: number): number[] {
  const [at, owners = ""] = deaths?.split(":") ?? [];
  return Number(at) === revision && owners !== "" ? owners.split(",").map(Number) : [];
}

/** What a row's `deaths` become when its owner is buried. The first burial counts for all that it owned, a further one only for what was begun. */
export const deathsAfter = `CASE WHEN deaths LIKE revision || ':%'
    THEN CASE WHEN begun = owner THEN deaths || ',' || owner ELSE deaths END
    ELSE revision || ':' || owner END`;

export interface ScheduleRow {
  readonly name: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: string;
  readonly plan: string;
  readonly next_at: number | null;
  readonly revision: string;
}

/** What a query for `ScheduleRow` selects. */
export const scheduleColumns = "name, workflow, version, input, plan, next_at, revision";

/** A plan that can't be read throws when it is asked for. */
export function scheduleOf({ name, workflow, version, input, plan, next_at, revision }: ScheduleRow): ScheduleRecord {
  const kept = { name, workflow, version, input: Encoded.ofText(input), nextAt: next_at, revision };
  const read = (): SchedulePlan =>
    readJson(plan, planProblem, (problem) => damaged("plan", `schedule "${name}"`, problem));
  try {
    return { ...kept, plan: read() };
  } catch {
    return {
      ...kept,
      get plan() {
        return read();
      },
    };
  }
}
