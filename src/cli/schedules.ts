/** `stepwell schedules`: shows them all, or changes one. */
import Table from "cli-table3";
import { StepwellError, type Client, type ScheduleSummary } from "../index.js";
import { asking, confirmed, operateCodes, type ActOptions } from "./asking.js";
import { loadWorkflows } from "./load-workflow.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

type ScheduleAct = "list" | "pause" | "resume" | "trigger" | "delete";

export interface SchedulesOptions extends ActOptions {
  /** Exports the workflow that a schedule launches: to trigger one needs it. */
  readonly module?: string;
}

export async function schedules(
  act: ScheduleAct | undefined,
  name: string | undefined,
  options: SchedulesOptions,
  screen: Screen,
): Promise<number> {
  const workflows = options.module === undefined ? [] : await loadWorkflows(options.module);
  const work = async (client: Client): Promise<number> => {
    if (act === undefined || act === "list") return listAll(client, options, screen);
    if (name === undefined) {
      throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `schedules ${act} needs the name of a schedule.`);
    }
    const told = await change(client, act, name, options);
    if (told === undefined) {
      screen.note("Nothing was changed.");
      return operateCodes.refused;
    }
    const { sentence, more } = told;
    screen.result(options.json === true ? jsonLine({ accepted: true, schedule: name, act, ...more }) : clean(sentence));
    return operateCodes.done;
  };
  return asking(options, screen, work, workflows);
}

interface Told {
  readonly sentence: string;
  readonly more?: object;
}

async function change(client: Client, act: ScheduleAct, name: string, options: ActOptions): Promise<Told | undefined> {
  const { schedules: all } = client;
  switch (act) {
    case "pause":
      await all.pause(name);
      return { sentence: `Schedule "${name}" is paused: it launches nothing until it is resumed.` };
    case "resume": {
      const { nextAt } = await all.resume(name);
      const next = nextAt === null ? "It has no time to come." : `It launches next at ${nextAt.toISOString()}.`;
      return { sentence: `Schedule "${name}" goes on. ${next}` };
    }
    case "trigger": {
      const { id } = await all.trigger(name);
      return { sentence: `Schedule "${name}" has launched execution "${id}".`, more: { execution: id } };
    }
    default:
      if (!(await confirmed(`This deletes the schedule "${name}", which launches nothing any more.`, options)))
        return undefined;
      await all.delete(name);
      return { sentence: `Schedule "${name}" was deleted.` };
  }
}

async function listAll(client: Client, { json = false }: ActOptions, screen: Screen): Promise<number> {
  const found = await client.schedules.list();
  if (json) for (const one of found) screen.result(jsonLine(one));
  else screen.result(found.length === 0 ? "No schedules." : table(found));
  return operateCodes.done;
}

function table(found: readonly ScheduleSummary[]): string {
  const head = ["name", "workflow", "when", "next", "last"];
  const rows = new Table({ head, style: { head: [], border: [] } });
  rows.push(
    ...found.map((it) =>
      [
        ...[it.name, it.workflow, whenOf(it), it.paused ? "paused" : (it.nextAt?.toISOString() ?? "never")],
        it.lastAt?.toISOString() ?? "never",
      ].map(clean),
    ),
  );
  return rows.toString();
}

function whenOf({ cron, timezone = "UTC", every, at }: ScheduleSummary): string {
  if (cron !== undefined) return `${cron} (${timezone})`;
  return every !== undefined ? `every ${every / 1000} s` : `once, at ${at?.toISOString() ?? "?"}`;
}
