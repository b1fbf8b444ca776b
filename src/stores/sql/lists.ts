/** How lists and their lines stand in the tables. */
import type { LinePhase, StagedLine } from "../../execution/records.js";
import { Encoded } from "../../values/encode.js";
import type { LineRecord, ListRecord } from "../lists.js";

export interface ListRow {
  readonly id: string;
  readonly parent: string;
  readonly status: ListRecord["status"];
  readonly revision: number;
  readonly data: string;
  readonly marked: number | null;
}

/** What a query for `ListRow` selects. */
export const listColumns = "id, parent, status, revision, data, marked";

export function listOf({ id, parent, status, revision, data, marked }: ListRow): ListRecord {
  return { id, of: parent, status, revision, data, isMarked: marked === 1 };
}

/** Lines stand in rows of so many, as they were staged in a row: a row costs something, whatever it holds. */
export const linesInRow = 32;

/** What is said of a line apart from its row: that it was asked to go back, or that its id is another's. */
export type LineMark = "asked" | "taken";

export interface LineRow {
  readonly position: number;
  readonly key: string;
  readonly execution: string;
  readonly phase: LinePhase;
  readonly mark: LineMark | null;
}

/** Of the execution `e`, that may not be there. */
export const executionPhase =
  "CASE WHEN e.status IN ('stuck', 'completed', 'rolledBack') THEN e.status ELSE 'begun' END";

/** What has become of a line `l`, which knows how many of its list have begun, with the mark `m` and the execution `e`. */
export const linePhase =
  "CASE WHEN l.position >= l.begun THEN 'staged' WHEN m.mark = 'taken' THEN 'rolledBack' " +
  `WHEN e.id IS NOT NULL AND e.line IS NULL THEN 'completed' ELSE ${executionPhase} END`;

export function lineRecordOf({ position, key, execution, phase, mark }: LineRow): LineRecord {
  return { position, key, execution, phase, isAsked: mark === "asked" };
}

export interface LaunchRow {
  readonly position: number;
  readonly key: string;
  readonly execution: string;
  readonly launch: string;
}

export function stagedLineOf({ position, key, execution, launch }: LaunchRow): StagedLine {
  return { position, key, execution, launch: Encoded.ofText(launch) };
}
