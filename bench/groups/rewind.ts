/** Executions that have completed go back to their first step and up again, beside launches that fail in the end and are undone. */
import { memoryStore, type Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import { median, type Figure } from "../figures.js";
import { allAtOnce, collectGarbage, launcherOn, perSecond } from "../support/load.js";
import { withFolder, withPostgres } from "../support/places.js";
import { down, order, up } from "../support/work.js";

const count = 300;
const turns = 5;

export async function rewind(): Promise<Figure[]> {
  return [
    await beside("rewind.memory", memoryStore()),
    await withFolder((path) => beside("rewind.sqlite", sqliteStore(path("rewind.db")))),
    await withPostgres((database) =>
      beside("rewind.postgres", postgresStore(database.url, { schema: database.newSchema() })),
    ),
  ];
}

/** In turns: the first of each warms the compiler. */
async function beside(name: string, store: Store): Promise<Figure> {
  const launcher = await launcherOn(store, [up, down], { concurrency: count + 1 });
  const rates = { down: [] as number[], rewind: [] as number[] };
  let rows = 0;
  for (let turn = 0; turn <= turns; turn++) {
    collectGarbage();
    rates.down.push(await allAtOnce(launcher, down, count));
    const executions = await launcher.launchMany(
      up,
      Array.from({ length: count }, () => ({ input: order })),
    );
    await Promise.all(executions.map((execution) => execution.outcome()));
    const { revision } = await executions[0]!.summary();
    collectGarbage();
    const began = performance.now();
    const answers = await Promise.all(
      executions.map(async (execution) => {
        const answer = await execution.rewind({ to: "reserve", reason: "wrong-address", by: "ada" });
        await execution.outcome();
        return answer.accepted;
      }),
    );
    rates.rewind.push(perSecond(count, began));
    if (answers.includes(false)) throw new Error("A rewind was refused.");
    rows = (await executions[0]!.summary()).revision - revision;
  }
  await launcher.stop();
  const value = median(rates.rewind.slice(1));
  const ratio = value / median(rates.down.slice(1));
  const extra = { rows, undone: 3, again: 3 };
  return { name, value, unit: "rewinds/s", ratio, to: "launches that are undone", extra };
}
