/** How the executions of a run ended, as numbers, as a table and as JSON. */
import Table from "cli-table3";
import type { Outcome } from "../index.js";
import { clean } from "./text.js";

/** How many executions the table lists; others are counted. */
const shownReasons = 20;
const shownStuck = 10;

export class Tally {
  launched = 0;
  completed = 0;
  readonly rolledBack = new Map<string, number>();
  stuck = 0;
  /** The first stuck executions, for the operator. */
  readonly #stuck: string[] = [];

  add(id: string, outcome: Outcome): void {
    switch (outcome.status) {
      case "completed":
        this.completed++;
        break;
      case "rolledBack":
        this.rolledBack.set(outcome.reason, (this.rolledBack.get(outcome.reason) ?? 0) + 1);
        break;
      case "stuck":
        this.stuck++;
        if (this.#stuck.length < shownStuck) {
          this.#stuck.push(`${id} at ${outcome.step} (${outcome.direction}): ${outcome.error.message}`);
        }
    }
  }

  get rolledBackInAll(): number {
    return sum(this.rolledBack.values());
  }

  get atRest(): number {
    return this.completed + this.rolledBackInAll + this.stuck;
  }

  /** Launched, and neither ended nor stuck. */
  get waiting(): number {
    return this.launched - this.atRest;
  }

  table(): string {
    const reasons = [...this.rolledBack].toSorted(([, a], [, b]) => b - a);
    const others = sum(reasons.slice(shownReasons).map(([, count]) => count));
    const rows: [string, number][] = [
      ["completed", this.completed],
      ...reasons.slice(0, shownReasons).map(([reason, count]): [string, number] => [`rolled back: ${reason}`, count]),
      ...(others > 0 ? [["rolled back: other reasons", others] as [string, number]] : []),
      ["stuck", this.stuck],
      ["still waiting", this.waiting],
    ];
    // Without colours: this may go into a file.
    const table = new Table({ colAligns: ["left", "right"], style: { head: [], border: [] } });
    table.push(...rows.map(([what, count]) => [clean(what), String(count)]));
    const more = this.stuck - this.#stuck.length;
    const stuck = [...this.#stuck.map(clean), ...(more > 0 ? [`and ${more} more`] : [])];
    return [table.toString(), ...(stuck.length > 0 ? ["Stuck, each needs an operator:"] : []), ...stuck].join("\n");
  }

  json(workflow: string, seconds: number): string {
    const { launched, completed, rolledBackInAll: rolledBack, stuck, waiting } = this;
    return JSON.stringify({ workflow, launched, completed, rolledBack, stuck, waiting, seconds });
  }
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
