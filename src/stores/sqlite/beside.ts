/**
 * Long texts stand beside the rows of executions. SQLite writes a row anew with all that is in it, and a row changes with
 * each transition; these are written only when they are given. In the row stands an empty text then.
 */
import { listedColumns } from "../sql/rows.js";
import type { Encoded } from "../../values/encode.js";
import type { Database } from "./database.js";

/** In characters. Not many rows are to fill a page, which is written as a whole; an own row costs as well. */
const longFrom = 1_000;

function isLong(text: string): boolean {
  return text === "" || text.length >= longFrom;
}

/** What stands for it in the row. */
export function inRow({ text }: Encoded): string {
  return isLong(text) ? "" : text;
}

const insertInput = "INSERT INTO stepwell_inputs (execution, text) VALUES (?, ?)";

/** A state that is the input as it was given is not written: it is read from there. */
export function putFirst(database: Database, sequence: number, state: Encoded, input: Encoded): void {
  if (isLong(input.text)) database.statement(insertInput).run(sequence, input.text);
  if (isLong(state.text) && state.text !== input.text) putState(database, sequence, state);
}

const upsertState =
  "INSERT INTO stepwell_states (execution, text) VALUES (?, ?) ON CONFLICT (execution) DO UPDATE SET text = excluded.text";

/** One that is short again leaves the long one where it is: nobody reads it, and it goes with the execution. */
export function putState(database: Database, sequence: number, { text }: Encoded): void {
  if (isLong(text)) database.statement(upsertState).run(sequence, text);
}

const input = "iif(input = '', (SELECT text FROM stepwell_inputs WHERE execution = sequence), input)";
const state = `iif(state = '', coalesce((SELECT text FROM stepwell_states WHERE execution = sequence), ${input}), state)`;

/** What a query for `StoredRow` selects. One that is missing can't be read, and nothing else is the matter. */
export const storedColumns = `${listedColumns}, changes, latest, shelf, coalesce(${state}, '') AS state, coalesce(${input}, '') AS input`;
