/** Rows that somebody else keeps locked: what has to do with them waits, and nothing else does. */
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { errorOf } from "../../../test/support/rig.js";
import { Launcher, pause as wait, workflow, type AnyWorkflow, type StepwellError } from "../../index.js";
import { VirtualClock } from "../../testing/virtual-clock.js";
import { postgresStore, transaction } from "./index.js";

const input = z.object({});

async function started(workflows: readonly AnyWorkflow[]) {
  const schema = freshSchema();
  const errors: StepwellError[] = [];
  const store = postgresStore(postgresUrl(), { schema });
  const launcher = new Launcher({ store, workflows, onError: (error) => errors.push(error) });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  const foreign = new pg.Client(postgresUrl());
  await foreign.connect();
  onTestFinished(() => foreign.end());
  const lock = async (...ids: string[]): Promise<void> => {
    await foreign.query("BEGIN");
    await foreign.query(`SELECT 1 FROM ${schema}.stepwell_executions WHERE id = ANY ($1) FOR UPDATE`, [ids]);
  };
  return { launcher, foreign, lock, schema, errors };
}

test("an execution whose row somebody keeps locked holds up none of those that were to be committed with it, and no message to others", async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const works = workflow("works", { input })
    .step("1", { run: () => released })
    .step("2", { run: () => undefined });
  const waits = workflow("waits", { input }).step("1", {
    messages: { go: z.null() },
    run: () => wait(),
    onMessage: () => undefined,
  });
  const { launcher, foreign, lock, errors } = await started([works, waits]);
  const all = await launcher.launchMany(
    works,
    Array.from({ length: 60 }, (_, n) => ({ input: {}, id: `works-${n}` })),
  );
  const [locked, free] = await launcher.launchMany(
    waits,
    ["locked", "free"].map((id) => ({ input: {}, id })),
  );
  while ((await free!.summary()).status !== "waiting" || (await locked!.summary()).status !== "waiting")
    await pause(20);
  await lock("works-7", "locked");
  release();
  const refused = errorOf(locked!.send("go", null));
  await free!.send("go", null);
  await Promise.all([free!, ...all.filter(({ id }) => id !== "works-7")].map((it) => it.outcome({ timeout: "40s" })));
  expect(await refused).toMatchObject({ code: "STEPWELL_STORE_BUSY", retryable: true });
  expect((await all[7]!.summary()).status).toBe("running");
  await foreign.query("ROLLBACK");
  expect((await all[7]!.outcome()).status).toBe("completed");
  await locked!.send("go", null);
  expect((await locked!.outcome()).status).toBe("completed");
  expect(errors).toEqual([]);
});

test("the work of a step waits for a lock of its own tables for longer than the store waits for one of its rows", async () => {
  let attempts = 0;
  const works = workflow("works", { input }).step("1", {
    run: transaction(async (tx) => {
      attempts++;
      await tx.query(`UPDATE ${schema}.stock SET n = n - 1`);
    }),
  });
  const { launcher, foreign, schema } = await started([works]);
  await foreign.query(`CREATE TABLE ${schema}.stock (n INTEGER); INSERT INTO ${schema}.stock VALUES (5)`);
  await foreign.query(`BEGIN; SELECT n FROM ${schema}.stock FOR UPDATE`);
  const execution = await launcher.launch(works, {});
  await pause(3000);
  await foreign.query("ROLLBACK");
  expect((await execution.outcome()).status).toBe("completed");
  expect(attempts).toBe(1);
});

test("a launcher that is frozen inside the transaction of a step keeps what it has locked no longer than the server allows", async () => {
  const schema = freshSchema();
  const foreign = new pg.Client(postgresUrl());
  await foreign.connect();
  onTestFinished(() => foreign.end());
  await foreign.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.stock (n INTEGER)`);
  await foreign.query(`INSERT INTO ${schema}.stock VALUES (5)`);
  let reached = (): void => undefined;
  const isIn = new Promise<void>((resolve) => (reached = resolve));
  const takes = workflow("takes", { input }).step("1", {
    run: transaction(async (tx, { attempt }) => {
      await tx.query(`UPDATE ${schema}.stock SET n = n - 1`);
      if (attempt > 1) return;
      reached();
      await new Promise(() => undefined);
    }),
  });
  const quick = workflow("quick", { input }).step("1", { run: () => undefined });
  const workflows = [takes, quick];
  // Its clock stands still: it neither beats nor hears that it was buried.
  const frozen = new Launcher({
    ...{ store: postgresStore(postgresUrl(), { schema, notifications: false }), workflows },
    ...{ clock: new VirtualClock(), onError: () => undefined },
  });
  await frozen.start();
  await frozen.launch(takes, {}, { id: "frozen" });
  await isIn;
  const heartbeat = { interval: 100, timeout: 500 };
  const heir = new Launcher({
    store: postgresStore(postgresUrl(), { schema }),
    workflows,
    pollInterval: 50,
    heartbeat,
  });
  await heir.start();
  onTestFinished(() => heir.stop());
  const other = await heir.launch(quick, {});
  expect((await other.outcome({ timeout: "5s" })).status).toBe("completed");
  expect((await heir.execution("frozen").outcome({ timeout: "25s" })).status).toBe("completed");
  expect((await foreign.query(`SELECT n FROM ${schema}.stock`)).rows).toEqual([{ n: 4 }]);
}, 60_000);
