/** What one execution takes of a launcher's processor, of the server's and of its log: what a model of more machines is made of. */
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import type { Figure } from "../figures.js";
import { imageless, postgresDefaults, postgresGauge } from "../support/gauge.js";
import { busy, collectGarbage, inFlight, launcherOn } from "../support/load.js";
import { withPostgres, type Database } from "../support/places.js";
import { up } from "../support/work.js";

const count = 12_000;
const idleSeconds = 5;

/** Linux counts the time of a process in hundredths of a second. */
const tick = 10_000;

export async function parts(): Promise<Figure[]> {
  return withPostgres(async (database) => {
    const server = await processorOf(database);
    const wal = await postgresGauge(database);
    const launcher = await launcherOn(postgresStore(database.url, { schema: database.newSchema() }), [up]);
    await inFlight(launcher, up, count / 4);
    collectGarbage();
    const before = { own: process.cpuUsage(), server: server(), wal: await wal() };
    await inFlight(launcher, up, count);
    const { user, system } = process.cpuUsage(before.own);
    const of = (taken: number): number => taken / count;
    const figures: Figure[] = [
      { name: "parts.launcher", value: of(user + system), unit: "µs/execution", note: "CPU of the launcher" },
      {
        name: "parts.server",
        value: of(server() - before.server),
        unit: "µs/execution",
        note: `CPU of PostgreSQL, ${imageless}`,
      },
      { name: "parts.wal", value: of((await wal()) - before.wal), unit: "B/execution", note: imageless },
    ];
    await postgresDefaults(database);
    const idle = server();
    await setTimeout(idleSeconds * 1000);
    const taken = (server() - idle) / idleSeconds;
    await launcher.stop();
    return [
      ...figures,
      { name: "parts.idle", value: taken, unit: "µs/s", note: "CPU of PostgreSQL for an idle launcher" },
    ];
  });
}

/** What a write takes, in milliseconds, and of the log, in bytes. */
export interface Costs {
  readonly launcher: Cost;
  readonly server: Cost;
  readonly wal: number;
}

export interface Cost {
  /** Whatever is in it. */
  readonly batch: number;
  readonly row: number;
}

/** From much at once and from one at a time, which differ in how many rows a batch has. */
export async function costs(): Promise<Costs> {
  return withPostgres(async (database) => {
    const server = await processorOf(database);
    const wal = await postgresGauge(database);
    const counted = { batches: 0, rows: 0 };
    const store = postgresStore(database.url, { schema: database.newSchema() });
    const counting: Store = {
      ...store,
      write(batch) {
        counted.batches += 1;
        counted.rows += batch.creates.length + batch.transitions.length;
        return store.write(batch);
      },
    };
    const launcher = await launcherOn(counting, [up]);
    const take = async (executions: number, atOnce: number): Promise<Taken> => {
      collectGarbage();
      const before = { own: process.cpuUsage(), server: server(), wal: await wal(), ...counted };
      await inFlight(launcher, up, executions, { atOnce });
      const { user, system } = process.cpuUsage(before.own);
      const rows = counted.rows - before.rows;
      return {
        batches: (counted.batches - before.batches) / rows,
        launcher: (user + system) / rows / 1000,
        server: (server() - before.server) / rows / 1000,
        wal: ((await wal()) - before.wal) / rows,
      };
    };
    await take(count / 4, busy);
    const [many, one] = [await take(count, busy), await take(count / 6, 1)];
    await launcher.stop();
    await postgresDefaults(database);
    return { launcher: costOf("launcher", many, one), server: costOf("server", many, one), wal: many.wal };
  });
}

/** For each row. */
interface Taken {
  readonly batches: number;
  readonly launcher: number;
  readonly server: number;
  readonly wal: number;
}

function costOf(part: "launcher" | "server", many: Taken, one: Taken): Cost {
  const batch = (one[part] - many[part]) / (one.batches - many.batches);
  return { batch, row: many[part] - batch * many.batches };
}

/** Microseconds that the server's processes have taken so far; those that have ended are counted by the one that waited for them. */
async function processorOf({ client }: Database): Promise<() => number> {
  const { rows } = await client.query<{ text: string }>("SELECT pg_read_file('postmaster.pid') AS text");
  const first = rows[0]!.text.split("\n")[0]!;
  return () =>
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .reduce((sum, pid) => sum + timeOf(pid, first), 0);
}

function timeOf(pid: string, first: string): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name, which may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (pid !== first && fields[1] !== first) return 0;
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * tick;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
