/**
 * The two versions of a trip. What is known of either is told in the words of one list, that of all legs that any version has: the number
 * of a leg is its place there, and is in its name in each version. So whoever checks something need not know of versions.
 */
import type { ExecutionRecord, HistoryRecord, MailboxRecord } from "../../src/execution/records.js";
import type { Trip } from "./plan.js";

export const versions = ["1", "2"] as const;
export type Version = (typeof versions)[number];

/** What version 2 does with which leg, by its number; null: with none. */
export interface Changes {
  /** It is in version 2 alone, and comes before all others. */
  readonly prepended: number | null;
  /** It is in version 2 alone, and comes after all others. */
  readonly added: number | null;
  readonly renamed: number | null;
  /** It is in version 1 alone. */
  readonly dropped: number | null;
}

/** The legs that a version has, by their numbers and in their order. */
export function legsIn({ legs, changes }: Trip, version: Version): readonly number[] {
  const numbers = legs.map((_, number) => number);
  if (changes === undefined) return numbers;
  const { prepended, added, dropped } = changes;
  const lacking = version === "1" ? [prepended, added] : [dropped];
  return numbers.filter((number) => !lacking.includes(number));
}

/** The one that follows in that list, or with -1 the one before; beyond its ends, what is no number of a leg. */
export function nextIn(list: readonly number[], number: number, by: 1 | -1): number {
  return list[list.indexOf(number) + by] ?? (by < 0 ? -1 : Infinity);
}

/** What a leg is called in that version. */
export function nameIn(version: Version, number: number, { changes }: Trip): string {
  return version === "2" && changes?.renamed === number ? `new-${number}` : plainName(number);
}

export function namesIn(version: Version, trip: Trip): string[] {
  return legsIn(trip, version).map((number) => nameIn(version, number, trip));
}

/** What a leg is called, whatever it is called in a version. */
export function plainName(number: number): string {
  return `leg-${number}`;
}

const pattern = /^(?:leg|new)-(\d+)$/;

export function numberOf(name: string): number {
  return Number(pattern.exec(name)![1]);
}

/** The step, and the one to which a rewind goes back, as the list of all legs has them. */
export function inAllLegs<Row extends Pick<HistoryRecord, "step" | "stepIndex" | "backTo">>(row: Row): Row {
  const { step, backTo } = row;
  if (!pattern.test(step)) return row;
  const stepIndex = numberOf(step);
  if (backTo === undefined && row.stepIndex === stepIndex && step === plainName(stepIndex)) return row;
  const to = backTo === undefined ? {} : { backTo: plainName(numberOf(backTo)) };
  return { ...row, stepIndex, step: plainName(stepIndex), ...to };
}

/** The step that has taken it, as the list of all legs has it. */
export function takenInAllLegs(row: MailboxRecord): MailboxRecord {
  return row.step === null || !pattern.test(row.step) ? row : { ...row, step: plainName(numberOf(row.step)) };
}

/** In which version it was launched. */
export function launchedIn(record: Pick<ExecutionRecord, "version">, rows: readonly HistoryRecord[]): Version {
  return (rows.find(({ migration }) => migration !== undefined)?.migration?.from ?? record.version) as Version;
}

/** Each row names a step that its version has, and says where that version has it. */
export function wrongPlaces(
  record: Pick<ExecutionRecord, "version">,
  rows: readonly HistoryRecord[],
  trip: Trip,
): string[] {
  const found: string[] = [];
  let version = launchedIn(record, rows);
  for (const { step, stepIndex, revision, migration } of rows) {
    const number = legsIn(trip, version)[stepIndex];
    if (number === undefined || step !== nameIn(version, number, trip))
      found.push(`was at ${step} in revision ${revision}, which is not step ${stepIndex} of version ${version}`);
    if (migration !== undefined) version = migration.to as Version;
  }
  return found;
}
