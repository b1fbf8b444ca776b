/** Pages and counts of dead messages, as queries give them: what fits, and where the looking ended. */
import type { DeadMailPage, MailCounts } from "../contract.js";
import { mailOf, type MailRow } from "./mail-rows.js";

/** A dead message that was looked at: it fits, or it is the last one. */
export interface LetterRow extends MailRow {
  readonly fits: boolean | number;
  /** Which one it was of those that were looked at, from 1. */
  readonly number: number;
}

/** @param rows the last received first; one more than the page holds, where there are so many */
export function letterPage(rows: readonly LetterRow[], limit: number, lookAt: number): DeadMailPage {
  const fitting = rows.filter(({ fits }) => Boolean(fits));
  const page = fitting.slice(0, limit);
  const last = fitting.length > limit ? page.at(-1) : rows.find(({ number }) => number === lookAt);
  return { records: page.map(mailOf), next: last?.sequence ?? null };
}

/** What was looked at of one workflow, and a message more than is counted. */
export interface CountRow {
  readonly workflow: string;
  readonly count: number;
  readonly looked: number;
}

export function letterCounts(rows: readonly CountRow[], lookAt: number): MailCounts {
  return {
    counts: rows.flatMap(({ workflow, count }) => (count > 0 ? [{ workflow, count }] : [])),
    more: rows.some(({ looked }) => looked > lookAt),
  };
}
