/** `stepwell children`: the lists of children of an execution, line by line, also those that have not begun. */
import Table from "cli-table3";
import type { ChildLine, Execution } from "../index.js";
import { asking, type OperateOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

export interface ChildrenOptions extends OperateOptions {
  readonly from?: number;
  readonly limit?: number;
}

interface Line extends ChildLine {
  readonly step: string;
}

/** The largest page of `childrenOf`. */
const largestPage = 1000;

/** @param step left out: all that have begun any */
export function children(
  id: string,
  step: string | undefined,
  options: ChildrenOptions,
  screen: Screen,
): Promise<number> {
  const { from = 0, limit = 100, json = false } = options;
  return asking(options, screen, async (client) => {
    const execution = client.execution(id);
    const steps = step === undefined ? (await execution.children()).map((group) => group.step) : [step];
    const found: Line[] = [];
    // One more than is shown says that there are more.
    for (const name of new Set(steps)) found.push(...(await linesOf(execution, name, from, limit + 1 - found.length)));
    const shown = found.slice(0, limit);
    if (json) for (const line of shown) screen.result(jsonLine(line));
    else screen.result(shown.length === 0 ? "No children." : listed(shown));
    if (found.length > limit) screen.note(`There are more than ${limit}. Show more of them with --limit, or --from.`);
  });
}

async function linesOf(execution: Execution, step: string, from: number, most: number): Promise<Line[]> {
  const found: Line[] = [];
  while (found.length < most) {
    const limit = Math.min(most - found.length, largestPage);
    const page = await execution.childrenOf(step, { from: from + found.length, limit });
    found.push(...page.map((line) => ({ step, ...line })));
    if (page.length < limit) break;
  }
  return found;
}

const words: Readonly<Record<ChildLine["status"], string>> = {
  notBegun: "not begun",
  underWay: "under way",
  stuck: "stuck",
  completed: "completed",
  rolledBack: "rolled back",
};

function listed(lines: readonly Line[]): string {
  const table = new Table({ head: ["step", "position", "key", "status", "id"], style: { head: [], border: [] } });
  table.push(
    ...lines.map(({ step, position, key, status, isAsked, id }) => {
      const asked = isAsked && status !== "rolledBack" ? ", asked to go back" : "";
      return [step, String(position), key, `${words[status]}${asked}`, id].map(clean);
    }),
  );
  return table.toString();
}
