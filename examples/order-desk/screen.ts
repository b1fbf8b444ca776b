/** What the demo shows: a bar while it runs (on stderr), tables at the end (on stdout). */
import { MultiBar } from "cli-progress";
import Table from "cli-table3";
import type { Books, Standing } from "./books.js";

export interface Counts {
  readonly completed: number;
  readonly rolledBack: number;
  readonly stuck: number;
  /** All of these. A stuck order goes on only by hand. */
  readonly ended: number;
  /** Taken by the desk and not at an end. */
  readonly inWork: number;
}

export function count(standings: readonly Standing[]): Counts {
  const withStatus = (status: string) => standings.filter((standing) => standing.status === status).length;
  const [completed, rolledBack, stuck] = [withStatus("completed"), withStatus("rolledBack"), withStatus("stuck")];
  const ended = completed + rolledBack + stuck;
  return { completed, rolledBack, stuck, ended, inWork: standings.length - ended };
}

export interface Screen {
  show(counts: Counts): void;
  say(line: string): void;
  close(): void;
}

/** On a terminal the bar moves; elsewhere it is a line every two seconds. */
export function openScreen(orders: number): Screen {
  const bars = new MultiBar({
    format: "[{bar}] {value}/{total} orders | {completed} completed, {rolledBack} rolled back, {inWork} in work",
    barsize: 30,
    hideCursor: true,
    noTTYOutput: true,
  });
  const bar = bars.create(orders, 0, { completed: 0, rolledBack: 0, inWork: 0 });
  return {
    show: (counts) => bar.update(counts.ended, counts),
    say: (line) => bars.log(`${line}\n`),
    close: () => bars.stop(),
  };
}

export function outcomeTable(standings: readonly Standing[]): string {
  const { completed, stuck, inWork } = count(standings);
  const reasons = new Map<string, number>();
  for (const { status, reason } of standings) {
    if (status === "rolledBack") reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const table = new Table({ head: ["outcome", "orders"], colAligns: ["left", "right"], style: plain });
  table.push(["completed", completed]);
  for (const [reason, orders] of [...reasons].toSorted(([a], [b]) => a.localeCompare(b)))
    table.push([`rolled back: ${reason}`, orders]);
  table.push(["stuck", stuck]);
  if (inWork > 0) table.push(["not at an end", inWork]);
  return table.toString();
}

export function booksTable({ sums }: Books): string {
  const head = ["books", "by the desk", "by the ledgers", ""];
  const table = new Table({ head, colAligns: ["left", "right", "right", "left"], style: plain });
  for (const { what, desk, ledgers } of sums) table.push([what, desk, ledgers, desk === ledgers ? "=" : "differs"]);
  return table.toString();
}

/** No colours: the tables end up in logs as well. */
const plain = { head: [], border: [], compact: true };
