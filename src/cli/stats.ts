/** `stepwell stats`: how many executions there are, by status, and what else a store holds. */
import Table from "cli-table3";
import type { Status } from "../index.js";
import { asking, type OperateOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

export interface StatsOptions extends OperateOptions {
  readonly workflow?: string;
}

/** Those that need somebody come first, and are counted with those below others: each of them needs somebody. */
const statuses: readonly Status[] = ["stuck", "running", "waiting", "scheduled", "completed", "rolledBack"];

export function stats(options: StatsOptions, screen: Screen): Promise<number> {
  const { workflow, json = false } = options;
  const ofWorkflow = workflow === undefined ? {} : { workflow };
  return asking(options, screen, async (client) => {
    const counts = await Promise.all(
      statuses.map(async (status) => {
        const which = { ...ofWorkflow, status, children: status === "stuck" };
        return { status, ...(await client.select(which).count()) };
      }),
    );
    const letters = (await client.countDeadLettersByWorkflow()).filter(
      (it) => workflow === undefined || it.workflow === workflow,
    );
    const schedules = (await client.schedules.list()).filter(
      (it) => workflow === undefined || it.workflow === workflow,
    );
    const paused = schedules.filter((it) => it.paused).length;
    if (json) {
      const executions = Object.fromEntries(counts.map(({ status, count, more }) => [status, { count, more }]));
      screen.result(jsonLine({ executions, deadLetters: letters, schedules: { count: schedules.length, paused } }));
      return;
    }
    const table = new Table({ head: ["", "count"], style: { head: [], border: [] }, colAligns: ["left", "right"] });
    table.push(
      ...counts.map(({ status, count, more }) => [
        status === "stuck" ? "stuck, children too" : status,
        more ? `${count}+` : String(count),
      ]),
    );
    table.push(
      ...letters.map((it) => [clean(`dead letters of ${it.workflow}`), it.more ? `${it.count}+` : String(it.count)]),
    );
    table.push([`schedules${paused === 0 ? "" : `, ${paused} paused`}`, String(schedules.length)]);
    screen.result(table.toString());
  });
}
