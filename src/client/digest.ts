/**
 * The digest of a history: SHA-256 over its rows as canonical JSON (RFC 8785). Values are in it by the hash of their stored text, so
 * that it says nothing of them; children are in it by their own digests. It is the same on every store.
 */
import { sha256 } from "../ids.js";
import { canonical } from "../values/canonical.js";
import type { Encoded } from "../values/encode.js";
import type { HistoryRecord } from "../execution/records.js";

/** Grows when other fields, or other forms of them, go into the digest. */
export const digestFormat = 1;

/**
 * @param start the state as the execution was launched with
 * @param rows all of them, in order
 * @param children the digests of its children, in the order of their lists
 */
export function digestOf(
  execution: string,
  start: Encoded,
  rows: readonly HistoryRecord[],
  children: readonly string[],
): string {
  const form = {
    format: digestFormat,
    execution,
    rows: rows.map((row) => rowOf(execution, row)),
    children,
    start: sha256(canonical([execution, start.text])),
  };
  return sha256(canonical(form));
}

function rowOf(execution: string, row: HistoryRecord): object {
  // How the state began is in the digest once: whether a store keeps it twice is its own affair.
  const { patch, others, initial: _, replaced, details, ...rest } = row;
  // Short values could be guessed from their bare hashes: each is hashed with where it stands.
  const hashed = (field: string, value: Encoded): string =>
    sha256(canonical([execution, row.revision, field, value.text]));
  const values = Object.entries({ patch: patch ?? undefined, others, replaced, details }).flatMap(([field, value]) =>
    value === undefined ? [] : [[field, hashed(field, value)] as const],
  );
  // Without fields that are undefined, and errors as they are stored.
  return { ...(JSON.parse(JSON.stringify(rest)) as object), values: Object.fromEntries(values) };
}
