/** Counts the bytes that a store writes: to the write-ahead log, in which each change stands once. */
import { statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Launcher } from "stepwell";
import { connect } from "../raw/sqlite.js";
import { inFlight, launches, type Measured } from "./load.js";
import type { Database } from "./places.js";
import type { order } from "./work.js";

/** All that was written so far. */
export type Gauge = () => Promise<number>;

/** What a figure of the log says of itself. */
export const imageless = "without images of pages";

/**
 * Without images of full pages, of which there is one for each page after each checkpoint: how many there are depends on how
 * long the server runs, not on the engine. To be followed by `postgresDefaults`, so that nothing else is measured without them.
 */
export async function postgresGauge({ client }: Database): Promise<Gauge> {
  await client.query("ALTER SYSTEM SET full_page_writes = off");
  await imagesAre(client, "off");
  await client.query("CHECKPOINT");
  return async () => {
    const { rows } = await client.query<{ bytes: number }>(
      "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS bytes",
    );
    return rows[0]!.bytes;
  };
}

/** As by default again. */
export async function postgresDefaults({ client }: Database): Promise<void> {
  await client.query("ALTER SYSTEM RESET full_page_writes");
  await imagesAre(client, "on");
}

/** The server reads its settings anew by and by. */
async function imagesAre(client: Database["client"], wanted: "on" | "off"): Promise<void> {
  await client.query("SELECT pg_reload_conf()");
  const isSo = async (): Promise<boolean> =>
    (await client.query("SHOW full_page_writes")).rows[0].full_page_writes === wanted;
  while (!(await isSo())) await setTimeout(10);
}

/**
 * A second connection that goes on reading what the file once was: so the log is never begun anew, and its length is what was
 * written. Called when something stands in the log that is not in the file yet.
 */
export function sqliteGauge(path: string): { readonly gauge: Gauge; readonly close: () => void } {
  const reader = connect(path);
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM stepwell_executions").all();
  return { gauge: async () => statSync(`${path}-wal`).size, close: () => reader.close() };
}

/** What a transition adds, without what the launches take: these are measured by themselves. */
export async function bytesPerTransition(
  launcher: Launcher,
  { workflow, steps, input }: { readonly workflow: Measured; readonly steps: number; readonly input: typeof order },
  gauge: Gauge,
  executions: number,
): Promise<number> {
  const before = await gauge();
  await inFlight(launcher, workflow, executions, { input });
  const ended = await gauge();
  await launches(launcher, workflow, executions, { input });
  const launched = await gauge();
  return (ended - before - (launched - ended)) / (executions * steps);
}
