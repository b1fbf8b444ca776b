/**
 * How records stand in the tables. Names of columns are snake_case; what is structured and never
 * searched (position, tags, a history entry) is one column of JSON, which also keeps characters that
 * a text column can't hold.
 */
import { Encoded } from "../../values/encode.js";
import type { StepwellError } from "../../errors.js";
import { positionRead, type Position } from "../../execution/position.js";
import type { Status } from "../../definition/flow.js";
import type { SerializedError } from "../../values/serialize-error.js";
import type { LauncherRecord, SchedulePlan, ScheduleRecord } from "../records.js";
import type { ExecutionRecord, HistoryEntry, HistoryRecord, Line, Standing } from "../../execution/records.js";
import type { ListedExecution } from "../contract.js";
import { entryWhole, errorThatStands, positionWhole, revisionsIn, stateTextOf } from "./json-columns.js";
import {
  admissionProblem,
  damaged,
  entryProblem,
  lineProblem,
  planProblem,
  positionProblem,
  asItIs,
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
  /** Fields that have changed since `state` was written. */
  readonly changes: string | null;
  readonly input: string;
  readonly carried: string | null;
  /** Null: it has no subscriptions. */
  readonly subscribed: number | null;
  readonly admission: ExecutionRecord["admission"];
  readonly line: string | null;
  readonly root: string | null;
}

/** Without what may be large. */
export type ListedRow = Omit<ExecutionRow, "state" | "changes" | "input">;

/** What a query for `ListedRow` selects. */
export const listedColumns =
  "sequence, id, workflow, version, fingerprint, status, revision, signals, owner, claims, due_at, deadline_at, " +
  "created_at, updated_at, tags, position, carried, subscribed, admission, line, root";

/** What a query for `ExecutionRow` selects. */
export const executionColumns =
  "sequence, id, workflow, version, fingerprint, status, revision, signals, owner, claims, due_at, deadline_at, " +
  "created_at, updated_at, tags, position, state, changes, input, carried, subscribed, admission, line, root";

/** Errors that positions refer to, by `errorKey`. */
export type Errors = ReadonlyMap<string, SerializedError>;

const noErrors: Errors = new Map();

const errorKey = (sequence: number, revision: number): string => `${sequence} ${revision}`;

/** The rows of the history that positions refer to: most refer to none. */
export function errorsReferredTo(
  rows: readonly Pick<ExecutionRow, "sequence" | "position">[],
): readonly { readonly execution: number; readonly revision: number }[] {
  return rows.flatMap(({ sequence, position }) =>
    revisionsIn(position).map((revision) => ({ execution: sequence, revision })),
  );
}

/** A row of the history to which a position refers. */
export interface ErrorRow {
  readonly execution: number;
  readonly revision: number;
  readonly entry: string;
}

/** @param entries what was found of what these rows refer to */
export function errorsIn(entries: readonly ErrorRow[], rows: readonly Pick<ExecutionRow, "sequence" | "id">[]): Errors {
  const ids = new Map(rows.map(({ sequence, id }) => [sequence, id]));
  const errors = new Map<string, SerializedError>();
  for (const { execution, revision, entry } of entries) {
    const id = ids.get(execution)!;
    const error = errorIn(entry, revision, id);
    if (error !== undefined) errors.set(errorKey(execution, revision), errorThatStands(error, id, revision));
  }
  return errors;
}

/** Undefined: the entry is damaged, and what refers to it is with it. */
function errorIn(entry: string, revision: number, id: string): SerializedError | undefined {
  try {
    return storedEntryOf(entry, revision, id).error;
  } catch {
    return undefined;
  }
}

/** What can't be read of it throws when it is asked for. */
export function executionOf(row: ExecutionRow, errors: Errors = noErrors): ExecutionRecord {
  const read = columnsOf(row, errors);
  const { tags, status, position, admission, line } = read ?? unread(row);
  // Field by field, and as a launch makes it: what is read is worked on by the same code.
  const record: ExecutionRecord = {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    fingerprint: row.fingerprint,
    tags,
    status,
    position,
    state: stateOf(row),
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
    line,
    root: row.root,
  };
  return read === undefined ? withThrowing(record, row, errors) : record;
}

/** As `executionOf`. */
export function listedOf(row: ListedRow, errors: Errors = noErrors): ListedExecution {
  const read = columnsOf(row, errors);
  const { tags, status, position, admission, line } = read ?? unread(row);
  const record: ListedExecution = {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    fingerprint: row.fingerprint,
    tags,
    status,
    position,
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
    line,
    root: row.root,
  };
  return read === undefined ? withThrowing(record, row, errors) : record;
}

/** What is read of a row rather than taken as it is. */
type Columns = Pick<ExecutionRecord, "tags" | "status" | "position" | "admission" | "line">;

/** Undefined: one of them can't be read. */
function columnsOf(row: ListedRow, errors: Errors): Columns | undefined {
  try {
    return {
      tags: tagsOf(row),
      status: statusOf(row),
      position: positionOf(row, errors),
      admission: admissionOf(row),
      line: lineOf(row),
    };
  } catch {
    return undefined;
  }
}

function unread({ status }: ListedRow): Columns {
  return { tags: [], status, position: {} as Position, admission: null, line: null };
}

function withThrowing<Record extends ListedExecution>(record: Record, row: ListedRow, errors: Errors): Record {
  return Object.defineProperties(record, {
    tags: { get: () => tagsOf(row) },
    status: { get: () => statusOf(row) },
    position: { get: () => positionOf(row, errors) },
    admission: { get: () => admissionOf(row) },
    line: { get: () => lineOf(row) },
  });
}

function stateOf(row: ExecutionRow): Encoded {
  const whole = Encoded.ofText(stateTextOf(row));
  return row.changes === null ? whole : Encoded.ofParts({ whole, changes: Encoded.ofText(row.changes) });
}

function ofExecution(what: string, id: string): (problem: string) => StepwellError {
  return (problem) => damaged(what, `execution "${id}"`, problem, id);
}

function tagsOf({ id, tags }: ListedRow): readonly string[] {
  return readJson(tags, asItIs, tagsProblem, ofExecution("tags", id));
}

function positionOf({ id, sequence, position }: ListedRow, errors: Errors): Position {
  const errorOf = (revision: number): SerializedError | undefined => errors.get(errorKey(sequence, revision));
  const fail = ofExecution("position", id);
  return positionRead(readJson(position, (value) => positionWhole(value, errorOf), positionProblem, fail));
}

function statusOf({ id, status }: Pick<ExecutionRow, "id" | "status">): Status {
  const problem = statusProblem(status);
  if (problem !== undefined) throw ofExecution("status", id)(problem);
  return status;
}

function admissionOf({ id, admission }: ListedRow): ExecutionRecord["admission"] {
  const problem = admissionProblem(admission);
  if (problem !== undefined) throw ofExecution("admission", id)(problem);
  return admission;
}

/** Short, since it is written anew with its row. */
type StoredLine = readonly [list: string, position: number, parent: string, depth: number];

/** Null: it is none. */
export function lineText(line: Line | undefined): string | null {
  if (line === undefined) return null;
  const [head, tail] = lineFrame(line);
  return `${head}${line.position}${tail}`;
}

/** What stands before and behind the position. */
export function lineFrame({ list, parent, depth }: Line): readonly [head: string, tail: string] {
  return [`[${JSON.stringify(list)},`, `,${JSON.stringify(parent)},${depth}]`];
}

function lineOf({ id, line: text }: ListedRow): Line | null {
  if (text === null) return null;
  const [list, position, parent, depth] = readJson<StoredLine>(text, asItIs, lineProblem, ofExecution("line", id));
  return { list, position, parent, depth };
}

/** What a query for the standing of an execution selects. */
export const standingColumns = "id, workflow, version, status, revision, signals, owner, due_at";

export function standingOf(row: ExecutionRow): Standing {
  const { id, workflow, version, revision, signals, owner, due_at: dueAt } = row;
  if (statusProblem(row.status) === undefined)
    return { id, workflow, version, revision, signals, owner, dueAt, status: row.status };
  return {
    ...{ id, workflow, version, revision, signals, owner, dueAt },
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

type StoredEntry = Omit<HistoryEntry, "patch" | "others" | "initial" | "replaced" | "patchThen" | "details"> & {
  readonly others?: string;
  readonly patchThen?: string;
  readonly initial?: string;
  readonly replaced?: string;
  readonly details?: string;
  /** As it was written when there was one at most. */
  readonly guardError?: SerializedError;
};

function storedEntryOf(entry: string, revision: number, id: string): StoredEntry {
  return readJson(entry, entryWhole, entryProblem, ofExecution(`row ${revision} of the history`, id));
}

/** @param id of its execution @throws STEPWELL_NOT_DECODABLE */
export function historyOf({ revision, at, entry, patch }: HistoryRow, id: string): HistoryRecord {
  const { others, initial, replaced, patchThen, details, guardError, ...rest } = storedEntryOf(entry, revision, id);
  return {
    revision,
    at,
    ...rest,
    patch: patch === null ? null : Encoded.ofText(patch),
    ...(guardError !== undefined && { guardErrors: [guardError] }),
    ...(others !== undefined && { others: Encoded.ofText(others) }),
    ...(initial !== undefined && { initial: Encoded.ofText(initial) }),
    ...(replaced !== undefined && { replaced: Encoded.ofText(replaced) }),
    ...(details !== undefined && { details: Encoded.ofText(details) }),
    ...(patchThen !== undefined && { patchThen: Encoded.ofText(patchThen) }),
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
    readJson(plan, asItIs, planProblem, (problem) => damaged("plan", `schedule "${name}"`, problem));
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
