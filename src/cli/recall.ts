/** `stepwell recall`: recalls many completed executions, shows recalls, and acts on one. No step runs here. */
import { readFileSync } from "node:fs";
import Table from "cli-table3";
import { StepwellError, type Client, type RecallOptions, type RecallProgress } from "../index.js";
import { asking, byOf, confirmed, operateCodes, valueOf, type ActOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine, messageOf } from "./text.js";

export type RecallAct = "start" | "list" | "show" | "pause" | "resume" | "stop";

export interface RecallCommandOptions extends ActOptions {
  readonly workflow?: string;
  readonly tag?: readonly string[];
  readonly createdFrom?: Date;
  readonly createdBefore?: Date;
  readonly all?: true;
  /** A file with an id on each line. */
  readonly ids?: string;
  readonly reason?: string;
  readonly details?: string;
  readonly order?: "newest" | "oldest";
  readonly rate?: string;
  readonly atOnce?: number;
  readonly canary?: number;
  readonly onStuck?: number;
  readonly dryRun?: boolean;
}

export async function recall(
  act: RecallAct | undefined,
  id: string | undefined,
  options: RecallCommandOptions,
  screen: Screen,
): Promise<number> {
  return asking(options, screen, async (client) => {
    if (act === undefined || act === "list") return listAll(client, options, screen);
    if (act === "start") return start(client, id, options, screen);
    if (id === undefined) {
      throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `recall ${act} needs the id of a recall.`);
    }
    if (act !== "show") return change(client, act, id, options, screen);
    const progress = await client.recalls.get(id).progress();
    screen.result(options.json === true ? jsonLine(progress) : told(progress));
    return operateCodes.done;
  });
}

async function start(
  client: Client,
  id: string | undefined,
  options: RecallCommandOptions,
  screen: Screen,
): Promise<number> {
  const asked = askedFor(id, options);
  const { count, more } = await chosen(client, asked);
  const many = `${count}${more ? " or more" : ""} ${count === 1 ? "execution" : "executions"}`;
  if (options.dryRun === true) {
    const what = asked.ids === undefined ? "would be asked to go back" : "are named";
    screen.result(options.json === true ? jsonLine({ count, more }) : `${many} ${what}. Nothing was changed.`);
    return operateCodes.done;
  }
  const consequence = `This undoes all that ${many} did that have completed, at ${asked.rate ?? "10/s"}.`;
  if (!(await confirmed(consequence, options))) {
    screen.note("Nothing was changed.");
    return operateCodes.refused;
  }
  const { id: recalled } = await client.recall(asked);
  const sentence = `Recall "${recalled}" is stored, of ${many}. Launchers go on with it: stepwell recall show ${recalled}`;
  screen.result(options.json === true ? jsonLine({ accepted: true, recall: recalled, by: asked.by }) : clean(sentence));
  return operateCodes.done;
}

function askedFor(id: string | undefined, options: RecallCommandOptions): RecallOptions {
  const { workflow, tag, createdFrom, createdBefore, all, ids, details } = options;
  const conditions = {
    ...(workflow !== undefined && { workflow }),
    ...(tag !== undefined && { tags: tag }),
    ...(createdFrom !== undefined && { createdFrom }),
    ...(createdBefore !== undefined && { createdBefore }),
    ...(all === true && { all }),
  };
  const isFiltered = Object.keys(conditions).length > 0;
  if (isFiltered === (ids !== undefined)) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `recall start needs to know what is recalled: conditions such as --workflow, or --ids, and not both.`,
    );
  }
  if (options.reason === undefined) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `recall start needs a --reason.`);
  }
  const { reason, order, rate, atOnce, canary, onStuck } = options;
  return {
    reason,
    by: byOf(options),
    ...(id !== undefined && { id }),
    ...(ids === undefined ? { filter: conditions } : { ids: idsIn(ids) }),
    ...(details !== undefined && { details: valueOf(details, "--details") }),
    ...(order !== undefined && { order }),
    ...(rate !== undefined && { rate: rate as NonNullable<RecallOptions["rate"]> }),
    ...(atOnce !== undefined && { atOnce }),
    ...(canary !== undefined && { canary }),
    ...(onStuck !== undefined && { onStuck }),
  };
}

function idsIn(file: string): readonly string[] {
  try {
    const lines = readFileSync(file, "utf8").split(/\r?\n/);
    return lines.map((line) => line.trim()).filter((line) => line !== "");
  } catch (cause) {
    const message = `The file of ids ${JSON.stringify(file)} can't be read: ${messageOf(cause)}`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { cause });
  }
}

/** How many are recalled, as far as that is known before. */
function chosen(client: Client, { filter, ids }: RecallOptions): Promise<{ count: number; more: boolean }> {
  if (ids !== undefined) return Promise.resolve({ count: new Set(ids).size, more: false });
  const { all: _all, ...conditions } = filter!;
  return client.select({ ...conditions, status: "completed" }).count();
}

async function change(
  client: Client,
  act: "pause" | "resume" | "stop",
  id: string,
  options: RecallCommandOptions,
  screen: Screen,
): Promise<number> {
  const grave = `This ends recall "${id}" for good: it asks no more, and what it has undone stays undone.`;
  if (act === "stop" && !(await confirmed(grave, options))) {
    screen.note("Nothing was changed.");
    return operateCodes.refused;
  }
  const by = byOf(options);
  await client.recalls.get(id)[act]({ by, ...(options.reason !== undefined && { reason: options.reason }) });
  screen.result(options.json === true ? jsonLine({ accepted: true, recall: id, act, by }) : clean(sentences[act](id)));
  return operateCodes.done;
}

const sentences = {
  pause: (id: string) => `Recall "${id}" asks no more until it is resumed. What goes down goes on.`,
  resume: (id: string) => `Recall "${id}" goes on.`,
  stop: (id: string) => `Recall "${id}" asks no more, and ends when all that it asked are at rest.`,
};

async function listAll(client: Client, { json = false }: ActOptions, screen: Screen): Promise<number> {
  const { recalls, cursor } = await client.recalls.list({ limit: 100 });
  if (json) for (const one of recalls) screen.result(jsonLine(one));
  else if (recalls.length === 0) screen.result("No recalls.");
  else {
    const rows = new Table({ head: ["recall", "status", "reason", "undone", "of", "stuck", "since"], style: plain });
    rows.push(
      ...recalls.map((it) =>
        [it.id, it.status, it.reason, String(it.rolledBack), String(it.counted), String(it.stuck)]
          .concat(it.launchedAt.toISOString())
          .map(clean),
      ),
    );
    screen.result(rows.toString());
  }
  if (cursor !== null) screen.note("There are more: these are the last hundred.");
  return operateCodes.done;
}

const plain = { head: [], border: [] };

/** A recall for people. */
function told(it: RecallProgress): string {
  const refused = Object.entries(it.refused).map(([why, count]) => [`refused, ${why}`, count] as const);
  const counts = [
    ...([
      ["counted", it.counted],
      ["still to come", it.left],
      ["asked", it.asked],
    ] as const),
    ...([
      ["going down", it.underWay],
      ["rolled back", it.rolledBack],
    ] as const),
    ...([
      ["struggling", it.struggling],
      ["stuck", it.stuck],
      ["turned by others", it.turned],
    ] as const),
    ...([
      ["not found", it.notFound],
      ["not completed", it.notCompleted],
    ] as const),
    ...refused,
  ];
  const table = new Table({ style: plain, colAligns: ["left", "right"] });
  table.push(...counts.map(([what, count]) => [clean(what), String(count)]));
  const lines = [
    `Recall "${it.id}", for "${it.reason}", by ${it.by}: ${it.status}${it.stopped === undefined ? "" : ", stopped"}`,
    `${it.rate}, ${it.atOnce} at once, canary ${it.canary}, pauses at ${it.onStuck} in trouble, ${it.order === "given" ? "in the order of the ids" : `the ${it.order} first`}`,
    ...(it.paused === undefined ? [] : [pauseOf(it.paused)]),
    ...it.unattended.map(
      (one) => `No launcher has taken up ${one.count} of workflow "${one.workflow}" ${one.version}.`,
    ),
    ...it.troubled.map(({ id, is }) => `${is}: ${id}`),
  ];
  return [...lines.map(clean), table.toString()].join("\n");
}

const whyPaused = {
  asked: "Paused",
  canary: "Paused: not all of its canary were rolled back",
  stuck: "Paused: too many are stuck or struggling",
};

function pauseOf({ why, at, by, reason }: NonNullable<RecallProgress["paused"]>): string {
  const who = by === undefined ? "" : ` by ${by}`;
  return `${whyPaused[why]}${who}, ${at.toISOString()}${reason === undefined ? "" : `: ${reason}`}`;
}
