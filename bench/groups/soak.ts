/** A mixed load for a while on PostgreSQL, with its own vacuum only: how the table and the throughput fare. */
import { setTimeout } from "node:timers/promises";
import type { Launcher } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import type { Figure, GroupOptions } from "../figures.js";
import { busy, launcherOn } from "../support/load.js";
import { withPostgres, type Database } from "../support/places.js";
import { down, echo, order, up } from "../support/work.js";

/** For each of ten executions. */
const mix = [up, up, down, up, echo, up, up, down, up, up] as const;

export async function soak({ seconds }: GroupOptions): Promise<Figure[]> {
  return withPostgres(async (database) => {
    const schema = database.newSchema();
    const launcher = await launcherOn(postgresStore(database.url, { schema }), [up, down, echo]);
    // What the compiler gains in the first seconds is no drift.
    await drive(launcher, Math.min(5, seconds / 6));
    const ended = await drive(launcher, seconds);
    await launcher.stop();
    const table = await tableOf(database, schema);
    const [first, last] = [ended[0]!, ended[2]!];
    return [
      {
        name: "soak.postgres",
        value: (ended[0]! + ended[1]! + ended[2]!) / seconds,
        unit: "executions/s",
        note: `${seconds} s, ${busy} in flight`,
        extra: { ...table, drift: last / first },
      },
    ];
  });
}

/** How many ended in each third of the time. */
async function drive(launcher: Launcher, seconds: number): Promise<number[]> {
  const ended = [0, 0, 0];
  const began = performance.now();
  const third = (): number => Math.floor(((performance.now() - began) / 1000 / seconds) * 3);
  let launched = 0;
  const lane = async (): Promise<void> => {
    while (third() < 3) {
      await one(launcher, mix[launched++ % mix.length]!);
      const now = third();
      if (now < 3) ended[now]!++;
    }
  };
  await Promise.all(Array.from({ length: busy }, lane));
  return ended;
}

async function one(launcher: Launcher, workflow: (typeof mix)[number]): Promise<void> {
  const execution = await launcher.launch(workflow, order);
  if (workflow === echo) await launcher.send(execution.id, "go", null);
  await execution.outcome();
}

interface Table {
  /** Share of the updates that wrote no index. */
  readonly hot: number;
  /** Size of the heap to that of its live rows. */
  readonly heap: number;
}

async function tableOf({ client }: Database, schema: string): Promise<Table> {
  // The server's processes tell of their last updates when they are idle or end.
  await setTimeout(1_500);
  const { rows } = await client.query<Table>(
    `SELECT s.n_tup_hot_upd / greatest(s.n_tup_upd, 1)::float8 AS hot,
      pg_relation_size(s.relid) / (SELECT sum(pg_column_size(e.*)) FROM ${schema}.stepwell_executions AS e)::float8 AS heap
    FROM pg_stat_user_tables AS s WHERE s.schemaname = $1 AND s.relname = 'stepwell_executions'`,
    [schema],
  );
  return rows[0]!;
}
