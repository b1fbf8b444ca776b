/** Launchers that live, beside one that died, while somebody else keeps locks of its rows. */
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { freshSchema, postgresUrl, query } from "../../../test/support/postgres.js";
import { Launcher, workflow, type Store, type StepwellError } from "../../index.js";
import { postgresStore } from "./index.js";

const order = workflow("order", { input: z.object({}) }).step("work", { run: () => undefined });

/** Executions that belong to a launcher which says nothing any more. */
async function abandoned(store: Store, ids: readonly string[]): Promise<void> {
  const launcher = new Launcher({ store, workflows: [order] });
  await launcher.start();
  for (const id of ids) await launcher.launch(order, {}, { id, delay: "50ms" });
  await launcher.stop();
  await store.open();
  await pause(100);
  const owner = await store.register({ host: "elsewhere", pid: 4711 });
  const { records } = await store.claim({ owner, limit: 10, workflows: [{ name: "order", version: "1" }] });
  expect(records).toHaveLength(ids.length);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(20);
}

test("a foreign transaction over one row of a dead launcher holds up neither heartbeats nor the burial of its other rows", async () => {
  const schema = freshSchema();
  const store = postgresStore(postgresUrl(), { schema });
  await abandoned(store, ["one", "locked", "two"]);
  onTestFinished(async () => store.close());
  const foreign = new pg.Client(postgresUrl());
  await foreign.connect();
  onTestFinished(() => foreign.end());
  await foreign.query("BEGIN");
  await foreign.query(`SELECT 1 FROM ${schema}.stepwell_executions WHERE id = 'locked' FOR UPDATE`);
  const errors: StepwellError[] = [];
  for (let n = 0; n < 2; n++) {
    const launcher = new Launcher({
      store: postgresStore(postgresUrl(), { schema }),
      workflows: [order],
      pollInterval: "100ms",
      heartbeat: { interval: "100ms", timeout: "1s" },
      onError: (error) => errors.push(error),
    });
    await launcher.start();
    onTestFinished(() => launcher.stop());
  }
  const owners = async (): Promise<unknown[]> =>
    query(postgresUrl(), `SELECT owner FROM ${schema}.stepwell_launchers WHERE host <> 'elsewhere' ORDER BY owner`);
  const before = await owners();
  const statuses = async (...ids: string[]): Promise<unknown[]> => (await store.load(ids)).map((it) => it?.status);
  await until(async () => (await statuses("one", "two")).every((status) => status === "completed"));
  // Longer than the silence after which a launcher is taken for dead.
  await pause(2000);
  expect(await owners()).toEqual(before);
  expect(await statuses("locked")).toEqual(["scheduled"]);
  await foreign.query("ROLLBACK");
  await until(async () => (await statuses("locked"))[0] === "completed");
  expect(errors).toEqual([]);
}, 30_000);
