/** From a message that is stored to the commit of its handler in another process, with notifications and by polling. */
import { setTimeout } from "node:timers/promises";
import type { Launcher } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { quantile, type Figure } from "../figures.js";
import { prepared } from "../raw/postgres.js";
import { helper } from "../support/helper.js";
import { launcherOn, timed } from "../support/load.js";
import { withPostgres, type Database } from "../support/places.js";
import { echo, order, up } from "../support/work.js";

/** A poll takes a second. */
const wakes = { "postgres.wake": 300, "postgres.wake.polling": 20 } as const;

export async function wake(): Promise<Figure[]> {
  return withPostgres(async (database) => [
    ...(await measured(database, "postgres.wake", true)),
    ...(await measured(database, "postgres.wake.polling", false)),
  ]);
}

async function measured(
  { url, newSchema }: Database,
  name: keyof typeof wakes,
  notifications: boolean,
): Promise<Figure[]> {
  const schema = newSchema();
  await prepared(url, schema);
  const waiter = helper("answer", url, schema, notifications);
  await waiter.answer();
  const ids = Array.from({ length: wakes[name] }, (_, index) => `echo-${index}`);
  const first = await launcherOn(postgresStore(url, { schema }), [echo]);
  await first.launchMany(
    echo,
    ids.map((id) => ({ input: order, id })),
  );
  await first.stop();
  // It does not know the workflow: what it sends wakes the other process.
  const sender = await launcherOn(postgresStore(url, { schema }), [up]);
  while (await some(ids, async (id) => !(await waits(sender, id)))) await setTimeout(50);
  const times: number[] = [];
  for (const id of ids) {
    await sender.send(id, "go", null);
    times.push(
      await timed(async () => {
        while (await waits(sender, id)) await setTimeout(1);
      }),
    );
  }
  waiter.go();
  await waiter.exited;
  await sender.stop();
  return [
    { name, value: quantile(times, 0.5), unit: "ms (median)" },
    { name: `${name}.p99`, value: quantile(times, 0.99), unit: "ms (p99)" },
  ];
}

async function waits(launcher: Launcher, id: string): Promise<boolean> {
  return (await launcher.execution(id).summary()).status === "waiting";
}

async function some(ids: readonly string[], test: (id: string) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(ids.map(test))).includes(true);
}
