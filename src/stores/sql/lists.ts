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

export interface LineRow {
  readonly position: number;
  readonly key: string;
  readonly execution: string;
  readonly phase: LinePhase;
  readonly counted: LinePhase;
  readonly asked: number;
  /** Null: it was forgotten. */
  readonly launch: string | null;
}

/** What a query for lines selects, without what their executions need to be created. */
export const lineColumns = "position, key, execution, phase, counted, asked";

export function lineRecordOf({ position, key, execution, phase, counted, asked }: LineRow): LineRecord {
  return { position, key, execution, phase, counted, isAsked: asked === 1 };
}

export function stagedLineOf({ position, key, execution, launch }: LineRow): StagedLine {
  return { position, key, execution, launch: Encoded.ofText(launch!) };
}
