/** How lists and their lines stand in the tables. */
import type { LinePhase, StagedLine } from "../../execution/records.js";
import { Encoded } from "../../values/encode.js";
import type { Advance, LineRecord, ListRecord } from "../lists.js";

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

/** What a query for lines selects, without what their executions need to be created. `begun`: as an expression. */
export function lineColumns(begun: string): string {
  return `l.position, l.key, l.execution, ${linePhase(begun)} AS phase, ${countedPhase(begun)} AS counted, l.asked`;
}

/** What has become of a line `l`, of which there may be news `n`. */
export function linePhase(begun: string): string {
  return `coalesce(n.phase, ${countedPhase(begun)})`;
}

/** Lines that begin in the order of their positions are not written for it. */
function countedPhase(begun: string): string {
  return `CASE WHEN l.phase = 'staged' AND l.position < ${begun} THEN 'begun' ELSE l.phase END`;
}

/** Those that begin, where they stand in a row. Undefined: they don't, or none begins. */
export function rangeOf({ begins }: Advance): { readonly from: number; readonly to: number } | undefined {
  const from = begins[0]?.position;
  if (from === undefined || begins.some(({ position }, index) => position !== from + index)) return undefined;
  return { from, to: from + begins.length };
}

export function lineRecordOf({ position, key, execution, phase, counted, asked }: LineRow): LineRecord {
  return { position, key, execution, phase, counted, isAsked: asked === 1 };
}

export function stagedLineOf({ position, key, execution, launch }: LineRow): StagedLine {
  return { position, key, execution, launch: Encoded.ofText(launch!) };
}
