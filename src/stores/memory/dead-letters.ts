/** Messages that no step took, in memory. */
import { letterPlaceOf } from "../cursor.js";
import type { MailboxRecord } from "../../execution/records.js";
import type { LetterConditions, LetterCount, LetterFilter, LetterPage, LetterRecord } from "../contract.js";

interface Addressee {
  readonly record: { readonly workflow: string };
  readonly mailbox: Iterable<MailboxRecord> | undefined;
}

export function isDeadLetter({ kind, status }: MailboxRecord): boolean {
  return kind === "message" && status === "dead";
}

export function lettersOf(rows: Iterable<Addressee>, { workflow, execution, name }: LetterConditions): LetterRecord[] {
  const found: LetterRecord[] = [];
  for (const row of rows) {
    if (row.mailbox === undefined || (workflow !== undefined && row.record.workflow !== workflow)) continue;
    for (const letter of row.mailbox) {
      if (!isDeadLetter(letter)) continue;
      if (execution !== undefined && letter.execution !== execution) continue;
      if (name !== undefined && letter.name !== name) continue;
      found.push({ ...letter, workflow: row.record.workflow });
    }
  }
  return found;
}

export function letterPage(rows: Iterable<Addressee>, { limit, after, ...conditions }: LetterFilter): LetterPage {
  const before = after === undefined ? Infinity : letterPlaceOf(after);
  const letters = lettersOf(rows, conditions)
    .filter(({ sequence }) => sequence < before)
    .toSorted((one, other) => other.sequence - one.sequence);
  const records = letters.slice(0, limit);
  return { records, cursor: letters.length > limit ? String(records.at(-1)!.sequence) : null };
}

export function letterCounts(rows: Iterable<Addressee>): LetterCount[] {
  const counts = new Map<string, number>();
  for (const { workflow } of lettersOf(rows, {})) counts.set(workflow, (counts.get(workflow) ?? 0) + 1);
  return [...counts].map(([workflow, count]) => ({ workflow, count }));
}
