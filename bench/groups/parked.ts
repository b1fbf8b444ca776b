/** What executions that wait cost: memory of the process, a start beside them, and throughput beside a million of them. */
import { postgresStore } from "stepwell/postgres";
import { median, type Figure } from "../figures.js";
import { prepared } from "../raw/postgres.js";
import { copyOnPostgres } from "../support/copies.js";
import { helper } from "../support/helper.js";
import { collectGarbage, inFlight, launcherOn } from "../support/load.js";
import { withFolder, withPostgres, type Database } from "../support/places.js";
import { order, parked as waiting, up } from "../support/work.js";
import { setTimeout } from "node:timers/promises";

const many = 100_000;

const copies = 1_000_000;
const count = 5_000;
const turns = 3;

export async function parked(): Promise<Figure[]> {
  return [...(await withFolder(onSqlite)), ...(await withPostgres(beside))];
}

interface Memory {
  readonly rss: number;
  readonly heap: number;
}

/**
 * What a process has more while they wait than before or afterwards, whichever of the two is less: so that what a warm process has
 * given back meanwhile is not taken off.
 */
async function onSqlite(path: (name: string) => string): Promise<Figure[]> {
  const { before, beside, after } = await ask<Record<"before" | "beside" | "after", Memory>>("park", path(""), many);
  const { milliseconds } = await ask<{ milliseconds: number }>("boot", path("parked.db"));
  const each = (key: keyof Memory): number => (beside[key] - Math.min(before[key], after[key])) / many;
  return [
    {
      name: "parked.bytes",
      value: each("rss"),
      unit: "B/execution",
      extra: { heap: each("heap"), native: each("rss") - each("heap") },
    },
    { name: "parked.boot", value: milliseconds, unit: "ms" },
  ];
}

async function ask<Answer>(...words: readonly (string | number)[]): Promise<Answer> {
  const asked = helper(...words);
  const answer = await asked.answer<Answer>();
  await asked.exited;
  return answer;
}

/** The same work on an empty table, and beside a million executions that wait, in turns. */
async function beside(database: Database): Promise<Figure[]> {
  const { url, newSchema } = database;
  const [empty, full] = [newSchema(), newSchema()];
  await prepared(url, empty);
  await fill(database, full);
  const rates = { empty: [] as number[], full: [] as number[] };
  for (let turn = 0; turn <= turns; turn++) {
    rates.empty.push(await rateOn(url, empty));
    rates.full.push(await rateOn(url, full));
  }
  // The first turn warms the compiler and the server.
  const [alone, crowded] = [median(rates.empty.slice(1)), median(rates.full.slice(1))];
  const { milliseconds } = await ask<{ milliseconds: number }>("boot", url, full);
  return [
    { name: "postgres.parked", value: crowded, unit: "executions/s", ratio: crowded / alone, to: "an empty table" },
    { name: "postgres.parked.boot", value: milliseconds, unit: "ms" },
  ];
}

/** One execution is parked by the engine; the others are copies of its row. */
async function fill({ url, client }: Database, schema: string): Promise<void> {
  const launcher = await launcherOn(postgresStore(url, { schema }), [waiting]);
  const execution = await launcher.launch(waiting, order);
  while ((await execution.summary()).status !== "waiting") await setTimeout(5);
  await launcher.stop();
  await copyOnPostgres(client, schema, [{ id: execution.id, copies, from: Date.now() - copies, every: 1 }]);
}

async function rateOn(url: string, schema: string): Promise<number> {
  collectGarbage();
  const launcher = await launcherOn(postgresStore(url, { schema }), [up]);
  const rate = await inFlight(launcher, up, count);
  await launcher.stop();
  return rate;
}
