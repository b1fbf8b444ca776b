/** What is asked of a launcher in the work of a transaction on SQLite, which waits for nothing; and where nobody waits for it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, pause, workflow } from "../../src/index.js";
import { drivers } from "../../src/stores/sqlite/driver.js";
import { sqliteStore, transaction, type SqliteConnection } from "../../src/stores/sqlite/index.js";
import { errorOf } from "../support/rig.js";

const input = z.object({ n: z.number() });

const waits = workflow("waits", { input }).step("1", {
  messages: { go: z.number(), early: z.number() },
  run: async ({ subscribe }) => {
    await subscribe("topic");
    return pause();
  },
  onMessage: ({ message }) => ({ [message.name]: message.payload }),
});

const later = z.object({ n: z.number() }).refine(async () => Promise.resolve(true));
const slow = workflow("slow", { input: later }).step("1", {
  messages: { go: z.number().refine(async () => Promise.resolve(true)) },
  run: () => pause(),
  onMessage: () => undefined,
});

/** `asks` is what the work of the only step of `works` does. */
async function desk(asks: (tx: SqliteConnection, launcher: Launcher) => unknown) {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "desk.db");
  const works = workflow("works", { input }).step("1", { run: transaction((tx) => asks(tx, launcher) as undefined) });
  const store = sqliteStore(path);
  const launcher = new Launcher({ store, workflows: [waits, slow, works], pollInterval: 20 });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  const connection = [...drivers()][0]!.connect(path);
  onTestFinished(() => connection.close());
  const count = async (): Promise<number> => {
    const all = await launcher.list();
    return all.executions.filter((it) => it.workflow !== "works").length;
  };
  return { launcher, works, connection, count };
}

test("happens at once, with the work, or not at all", async () => {
  let ends: "well" | "badly" = "badly";
  const { launcher, works } = await desk((tx, it) => {
    void it.launch(waits, { n: 1 }, { id: "new", tx });
    void it.send("new", "early", 7, { tx, messageId: "m" });
    void it.execution(waits, "there").send("go", 8, { tx });
    void it.publish("other", "go", 9, { tx });
    // It is there already.
    expect(tx.prepare("SELECT count(*) AS n FROM stepwell_mailbox").get()).toEqual({ n: 2 });
    return ends === "well" ? undefined : fail("no");
  });
  const there = await launcher.launch(waits, { n: 1 }, { id: "there" });
  expect((await (await launcher.launch(works, { n: 1 })).outcome()).reason).toBe("no");
  expect(await there.mailbox()).toEqual([]);
  expect(await errorOf(launcher.execution("new").summary())).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
  ends = "well";
  expect((await (await launcher.launch(works, { n: 2 })).outcome()).status).toBe("completed");
  expect(await there.outcome()).toMatchObject({ status: "completed", state: { go: 8 } });
  expect(await launcher.execution("new").outcome()).toMatchObject({ status: "completed", state: { early: 7 } });
});

test.each([
  ["STEPWELL_EXECUTION_NOT_FOUND", (tx: SqliteConnection, it: Launcher) => it.send("nobody", "go", 7, { tx })],
  ["STEPWELL_UNKNOWN_MESSAGE", (tx: SqliteConnection, it: Launcher) => it.send("there", "gone", 7, { tx })],
  ["STEPWELL_INVALID_INPUT", (tx: SqliteConnection, it: Launcher) => it.launch(waits, { n: "1" } as never, { tx })],
  ["STEPWELL_INVALID_ARGUMENT", (tx: SqliteConnection, it: Launcher) => it.publish("", "go", 7, { tx })],
  ["STEPWELL_NOT_IN_TRANSACTION", (tx: SqliteConnection, it: Launcher) => it.launch(slow, { n: 1 }, { tx })],
  ["STEPWELL_NOT_IN_TRANSACTION", (tx: SqliteConnection, it: Launcher) => it.send("slow", "go", 7, { tx })],
])("what is refused by %s is thrown in the work, and nothing of that is committed", async (code, ask) => {
  const { launcher, works, count } = await desk((tx, it) => {
    void it.launch(waits, { n: 1 }, { id: "new", tx });
    void ask(tx, it);
  });
  await launcher.launch(waits, { n: 1 }, { id: "there" });
  const slowly = await launcher.launch(slow, { n: 1 }, { id: "slow" });
  const outcome = await (await launcher.launch(works, { n: 1 })).outcome();
  expect(outcome).toMatchObject({ status: "rolledBack", reason: code, error: { code } });
  expect(await count()).toBe(2);
  expect(await slowly.mailbox()).toEqual([]);
});

test("what its caller did not wait for before COMMIT is refused, and not written by itself", async () => {
  const { launcher, connection, count } = await desk(() => undefined);
  const slowly = await launcher.launch(slow, { n: 1 }, { id: "slow" });
  connection.exec("BEGIN IMMEDIATE");
  const asked = [
    errorOf(launcher.launch(slow, { n: 2 }, { tx: connection })),
    errorOf(slowly.send("go", 7, { tx: connection })),
  ];
  connection.exec("COMMIT");
  for (const error of await Promise.all(asked)) expect(error).toMatchObject({ code: "STEPWELL_NOT_IN_TRANSACTION" });
  expect(await count()).toBe(1);
  expect(await slowly.mailbox()).toEqual([]);
  connection.exec("BEGIN IMMEDIATE");
  void launcher.launch(waits, { n: 1 }, { id: "e", tx: connection });
  void launcher.send("e", "go", 7, { tx: connection });
  connection.exec("COMMIT");
  expect(await launcher.execution("e").outcome()).toMatchObject({ status: "completed", state: { go: 7 } });
});
