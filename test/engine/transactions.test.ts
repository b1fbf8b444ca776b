/** Steps whose work commits in the store's own transaction, on SQLite. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, expectTypeOf, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import {
  fail,
  Launcher,
  memoryStore,
  observer,
  pause,
  StepwellError,
  workflow,
  type AnyWorkflow,
  type CallerTransaction,
  type Store,
} from "../../src/index.js";
import { sqliteStore, transaction, type SqliteConnection } from "../../src/stores/sqlite/index.js";
import { drivers } from "../../src/stores/sqlite/driver.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { errorOf, told } from "../support/rig.js";
import { Witness } from "../support/witness.js";

const input = z.object({ n: z.number() });

interface Desk {
  readonly launcher: Launcher;
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly errors: StepwellError[];
  /** Another connection to the same file. */
  readonly other: SqliteConnection;
  readonly notes: () => string[];
}

/** A launcher on a file that has a table of the user's own, `notes`. */
async function desk(workflows: readonly AnyWorkflow[], { isOpen = false } = {}): Promise<Desk> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "desk.db");
  const clock = new VirtualClock();
  const errors: StepwellError[] = [];
  const store = sqliteStore(path, { clock });
  // Then it stays open when the launcher stops.
  if (isOpen) await store.open();
  onTestFinished(() => void (isOpen && store.close()));
  const launcher = new Launcher({ store, workflows, onError: (e) => errors.push(e) });
  await launcher.start();
  onTestFinished(async () => {
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    other.close();
  });
  const [driver] = [...drivers()];
  const other = driver!.connect(path);
  other.exec("CREATE TABLE notes (text TEXT NOT NULL UNIQUE); PRAGMA busy_timeout = 2000");
  const notes = (): string[] =>
    (other.prepare("SELECT text FROM notes ORDER BY rowid").all() as { text: string }[]).map(({ text }) => text);
  return { launcher, clock, store, errors, other, notes };
}

const note = (connection: SqliteConnection, text: string): void =>
  void connection.prepare("INSERT INTO notes (text) VALUES (?)").run(text);

describe("a step that works in the store's own transaction", () => {
  test("is told of to watchers with the time at which it was committed", async () => {
    const heard: Date[] = [];
    const steps = workflow("steps", { input })
      .step("1", { run: () => (clock.skip("5s"), transaction((connection) => note(connection, "a"))) })
      .step("2", { run: () => undefined })
      .observe(observer({ name: "listener", commit: ({ transition: { at } }) => void heard.push(at) }));
    const { launcher, clock } = await desk([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    expect((await execution.outcome()).status).toBe("completed");
    expect(heard).toEqual((await execution.history()).map(({ at }) => at));
  });

  test("commits what it wrote with its transition, on the way up and down, also from a handler", async () => {
    const steps = workflow("steps", { input })
      .step("1", {
        run: () => transaction((connection) => (note(connection, "up 1"), { one: 1 })),
        rollback: ({ state }) => transaction((connection) => note(connection, `down 1 ${state.one}`)),
      })
      .step("2", {
        messages: { go: z.number() },
        run: async () => transaction((connection) => (note(connection, "up 2"), pause({ asked: true }))),
        onMessage: ({ message, state }) =>
          transaction(
            (connection) => (note(connection, `got ${message.payload} ${state.asked}`), { two: message.payload }),
          ),
        rollback: async () => transaction((connection) => note(connection, "down 2")),
      });
    const { launcher, clock, notes } = await desk([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    await clock.settle();
    expect(notes()).toEqual(["up 1", "up 2"]);
    await execution.send("go", 5);
    const outcome = await execution.outcome();
    expect(outcome).toMatchObject({ status: "completed", state: { one: 1, asked: true, two: 5 } });
    if (outcome.status === "completed")
      expectTypeOf(outcome.state).toEqualTypeOf<{ n: number; one: number; asked: boolean; two: number }>();
    await execution.rollback("back");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(notes()).toEqual(["up 1", "up 2", "got 5 true", "down 2", "down 1 1"]);
    expect(await told(execution)).toEqual([
      ...["run 1: ok", "run 2: continue", "runContinue 2: ok", "run 2: back"],
      ...["rollback 2: ok", "rollback 1: ok"],
    ]);
  });

  test("takes back what it wrote when it fails or throws; a retry writes it once", async () => {
    let tries = 0;
    const steps = workflow("steps", { input })
      .step("1", {
        retry: { attempts: 3, delay: 0 },
        run: () =>
          transaction((connection) => {
            note(connection, "once");
            if (++tries < 3) throw new Error("not yet");
          }),
      })
      .step("2", {
        run: () => transaction((connection) => (note(connection, "never"), fail("no", { patch: { tried: true } }))),
      });
    const { launcher, notes } = await desk([steps]);
    const outcome = await (await launcher.launch(steps, { n: 1 })).outcome();
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "no", state: { tried: true } });
    expect(notes()).toEqual(["once"]);
  });

  test("that breaks a rule of its own table fails with the database's error, and nothing of it stays", async () => {
    const steps = workflow("steps", { input }).step("1", {
      run: () => transaction((connection) => (note(connection, "a"), note(connection, "a"))),
    });
    const { launcher, notes } = await desk([steps]);
    const outcome = await (await launcher.launch(steps, { n: 1 })).outcome();
    expect(outcome).toMatchObject({
      status: "rolledBack",
      error: { message: expect.stringContaining("UNIQUE") as string },
    });
    expect(notes()).toEqual([]);
  });

  test("runs again, as if it had not, when a message comes in between; a rollback request turns it", async () => {
    const seen: number[] = [];
    let sent: Promise<unknown> | undefined;
    const steps = workflow("steps", { input })
      .step("1", {
        messages: { later: z.null() },
        run: async ({ execution, attempt }) => {
          sent ??= launcher.send(execution.id, "later", null);
          // Stored, and not looked at: the engine hears of it while the step runs.
          await sent;
          return transaction((connection) => (seen.push(attempt), note(connection, "note"), pause()));
        },
        onMessage: () => undefined,
      })
      .step("2", {
        run: async ({ execution }) => {
          await launcher.rollback(execution.id, "changed-my-mind");
          return transaction((connection) => note(connection, "too late"));
        },
      });
    const { launcher, notes } = await desk([steps]);
    const outcome = await (await launcher.launch(steps, { n: 1 })).outcome();
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(notes()).toEqual(["note"]);
    expect(new Set(seen).size).toBe(1);
  });

  test("that the database refuses at its end leaves nothing in the state, nor in what the history makes of it", async () => {
    const witness = new Witness();
    let tries = 0;
    const steps = workflow("steps", { input })
      .step("1", {
        retry: { attempts: 2, delay: 0 },
        run: ({ state }) =>
          transaction((connection) => {
            // It is broken, and found out with the commit.
            if (++tries === 1) connection.exec("INSERT INTO children VALUES ('nobody')");
            return { one: tries, seen: Object.keys(state).toSorted() };
          }),
      })
      .observe(
        observer({
          name: "guard",
          guard: true,
          beforeStep: ({ attempt }) => ({ [`before ${attempt}`]: new Date(1) }),
          afterStep: ({ attempt, flow }) => ({ [`after ${attempt}`]: flow.lastResult }),
        }),
        witness.observer,
      );
    const { launcher, other } = await desk([steps]);
    other.exec("CREATE TABLE parents (id TEXT PRIMARY KEY)");
    other.exec("CREATE TABLE children (id TEXT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)");
    const execution = await launcher.launch(steps, { n: 1 });
    expect((await execution.outcome()).status).toBe("completed");
    const failed = (await execution.history())[0]!;
    expect(failed.error?.message).toContain("FOREIGN KEY");
    const first = { n: 1, "before 1": new Date(1), "after 1": failed.result };
    expect(await witness.confirm(execution, { n: 1 })).toEqual([
      { n: 1 },
      first,
      { ...first, one: 2, seen: ["after 1", "before 1", "before 2", "n"], "before 2": new Date(1), "after 2": "ok" },
    ]);
  });

  test("that runs again sees what guards gave before it, as the first time", async () => {
    const witness = new Witness();
    const seen: string[] = [];
    const sent = new Set<string>();
    // From another connection, so the engine has not heard of it when the step commits.
    const interrupted = async (name: string, id: string): Promise<void> => {
      if (sent.has(name)) return;
      sent.add(name);
      other.exec("BEGIN IMMEDIATE");
      await launcher.send(id, name, null, { tx: other });
      other.exec("COMMIT");
    };
    const messages = { first: z.null(), second: z.null() };
    const steps = workflow("steps", { input })
      .step("1", {
        ...{ messages, onMessage: () => undefined },
        run: async ({ execution, state }) => {
          await interrupted("first", execution.id);
          return transaction(() => void seen.push(`up ${Object.keys(state).toSorted().join()}`));
        },
        rollback: async ({ execution, state }) => {
          await interrupted("second", execution.id);
          return transaction(() => void seen.push(`down ${Object.keys(state).toSorted().join()}`));
        },
      })
      .observe(
        observer({
          name: "guard",
          guard: true,
          init: () => ({ init: 1 }),
          beforeStep: ({ flow }) => ({ before: flow.direction }),
          startRollback: () => ({ turned: 1 }),
        }),
        witness.observer,
      );
    const { launcher, other } = await desk([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    await execution.outcome();
    await execution.rollback("back");
    expect((await execution.outcome()).status).toBe("rolledBack");
    const [up, down] = ["up before,init,n", "down before,init,n,turned"];
    expect(seen).toEqual([up, up, down, down]);
    const states = await witness.confirm(execution, { n: 1 });
    expect(states.at(-1)).toEqual({ n: 1, init: 1, before: "down", turned: 1 });
  });

  test("whose work is taken back, since the execution has to turn, has the step undone: what it did elsewhere stands", async () => {
    const books: string[] = [];
    const steps = workflow("steps", { input }).step("1", {
      run: async ({ execution }) => {
        books.push("asked elsewhere");
        await launcher.rollback(execution.id, "changed-my-mind");
        return transaction((connection) => note(connection, "too late"));
      },
      rollback: () => void books.push("cancelled elsewhere"),
    });
    const { launcher, notes } = await desk([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(books).toEqual(["asked elsewhere", "cancelled elsewhere"]);
    expect(notes()).toEqual([]);
  });

  test("waits out a store that can't commit: the step is not run again and again meanwhile", async () => {
    let runs = 0;
    const steps = workflow("steps", { input }).step("1", {
      run: () => {
        if (++runs > 100) throw new Error("again and again");
        return transaction((connection) => note(connection, "once"));
      },
    });
    const { launcher, clock, notes, store } = await desk([steps]);
    const full = new StepwellError("STEPWELL_STORE_FAILED", "The disk is full.", { retryable: true });
    const transact = vi.spyOn(store.transactions!, "run").mockImplementation(() => {
      throw full;
    });
    const execution = await launcher.launch(steps, { n: 1 });
    await clock.advance("10s");
    expect(runs).toBeLessThan(30);
    transact.mockRestore();
    await clock.advance("1s");
    expect((await execution.outcome()).status).toBe("completed");
    expect(notes()).toEqual(["once"]);
  });

  test("does not time out while the store can't say whether it was committed", async () => {
    const steps = workflow("steps", { input }).step("1", {
      timeout: "1s",
      run: () => transaction((connection) => (note(connection, "once"), { written: true })),
    });
    const { launcher, clock, notes, store } = await desk([steps]);
    const gone = (): never => {
      throw new StepwellError("STEPWELL_STORE_FAILED", "The disk is gone.", { retryable: true });
    };
    const commits = store.transactions!.run.bind(store.transactions);
    const load = vi.spyOn(store, "load");
    const transact = vi.spyOn(store.transactions!, "run").mockImplementation((work) => {
      load.mockImplementation(gone);
      return commits((connection) => (void work(connection), gone()));
    });
    const execution = await launcher.launch(steps, { n: 1 });
    await clock.advance("1m");
    load.mockRestore();
    transact.mockRestore();
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { written: true } });
    expect(notes()).toEqual(["once"]);
    expect(await told(execution)).toEqual(["run 1: ok"]);
  });

  test("that a stop finds waiting for its store is given back as begun", async () => {
    const books: string[] = [];
    const steps = workflow("steps", { input, deadline: "3s" }).step("1", {
      run: () => {
        books.push("asked elsewhere");
        return transaction((connection) => note(connection, "too late"));
      },
      rollback: () => void books.push("cancelled elsewhere"),
    });
    const { launcher, clock, store } = await desk([steps], { isOpen: true });
    vi.spyOn(store.transactions!, "run").mockImplementation(() => {
      throw new StepwellError("STEPWELL_STORE_FAILED", "The disk is full.", { retryable: true });
    });
    await launcher.launch(steps, { n: 1 }, { id: "e" });
    const stopped = launcher.stop();
    await clock.advance("4s");
    await stopped;
    await using second = new Launcher({ store, workflows: [steps] });
    await second.start();
    expect(await second.execution("e").outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
    expect(books).toEqual(["asked elsewhere", "cancelled elsewhere"]);
    expect(await told(second.execution("e"))).toEqual(["run 1: cut-off", "run 1: deadline", "rollback 1: ok"]);
  });

  test("that the database refuses at its commit leaves nothing in the state either", async () => {
    const steps = workflow("steps", { input }).step("1", {
      run: () =>
        transaction((connection) => {
          connection.prepare("INSERT INTO lines (parcel) VALUES (?)").run("none");
          return { written: true };
        }),
    });
    const { launcher, other } = await desk([steps]);
    other.exec(
      "CREATE TABLE parcels (id TEXT PRIMARY KEY); " +
        "CREATE TABLE lines (parcel TEXT REFERENCES parcels (id) DEFERRABLE INITIALLY DEFERRED)",
    );
    const outcome = await (await launcher.launch(steps, { n: 1 })).outcome();
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "STEPWELL_STORE_FAILED" });
    expect(outcome.state).toEqual({ n: 1 });
  });

  test("must be synchronous on SQLite, and is refused on a store that has no transactions", async () => {
    const slow = workflow("slow", { input }).step("1", {
      // @ts-expect-error -- what is asynchronous would write after the transaction
      run: () => transaction<Promise<void>>(async (connection) => note(connection, "late")),
    });
    const { launcher, notes } = await desk([slow]);
    expect(await (await launcher.launch(slow, { n: 1 })).outcome()).toMatchObject({
      status: "rolledBack",
      reason: "STEPWELL_INVALID_RETURN_VALUE",
    });
    expect(notes()).toEqual([]);
    await using other = new Launcher({ store: memoryStore(), workflows: [slow] });
    await other.start();
    expect(await (await other.launch(slow, { n: 1 })).outcome()).toMatchObject({
      error: { message: expect.stringContaining('the launcher\'s store is "memory"') as string },
    });
    expect(() => transaction("no" as never)).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }));
  });
});

test("a step subscribes before it gives back its transaction, whose commit ends that; within its work it is too late", async () => {
  const late: unknown[] = [];
  const steps = workflow("steps", { input })
    .step("1", {
      run: async ({ subscribe }) => {
        await subscribe("t");
        return transaction((connection) => {
          note(connection, "done");
          late.push(errorOf(subscribe("u")));
        });
      },
    })
    .step("2", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
  const { launcher, clock, notes } = await desk([steps]);
  const execution = await launcher.launch(steps, { n: 1 });
  await clock.settle();
  expect((await execution.flow()).step).toBe("2");
  expect(notes()).toEqual(["done"]);
  expect(await Promise.all(late)).toMatchObject([{ code: "STEPWELL_SUBSCRIBE_TOO_LATE" }]);
  expect(await launcher.publish("t", "go", null)).toMatchObject({ delivered: 0 });
});

describe("launch and send within the caller's own transaction", () => {
  const waits = workflow("waits", { input }).step("1", {
    messages: { go: z.number() },
    run: () => pause(),
    onMessage: ({ message }) => ({ got: message.payload }),
  });

  test("happen with it, or not at all", async () => {
    const { launcher, clock, other, notes } = await desk([waits]);
    other.exec("BEGIN IMMEDIATE");
    note(other, "first");
    const gone = await launcher.launch(waits, { n: 1 }, { id: "gone", tx: other });
    other.exec("ROLLBACK");
    await clock.advance("2s");
    expect(await errorOf(gone.summary())).toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
    other.exec("BEGIN IMMEDIATE");
    note(other, "second");
    const kept = await launcher.launch(waits, { n: 1 }, { id: "kept", tx: other });
    await launcher.send("kept", "go", 7, { messageId: "m", tx: other });
    expect(await launcher.send("kept", "go", 7, { messageId: "m", tx: other })).toEqual({ id: "m", duplicate: true });
    other.exec("COMMIT");
    await clock.advance("2s");
    expect(await kept.outcome()).toMatchObject({ status: "completed", state: { got: 7 } });
    expect(notes()).toEqual(["second"]);
  });

  test("what is published is there for those who are subscribed and those who will be, or not at all", async () => {
    const listens = workflow("listens", { input }).step("1", {
      messages: { go: z.number() },
      run: async ({ state, subscribe }) => {
        await subscribe(`topic-${state.n}`);
        return pause();
      },
      onMessage: ({ message }) => ({ got: message.payload }),
    });
    const { launcher, clock, other } = await desk([listens]);
    const early = await launcher.launch(listens, { n: 1 });
    await clock.settle();
    other.exec("BEGIN IMMEDIATE");
    await launcher.publish("topic-1", "go", 6, { messageId: "m", tx: other });
    other.exec("ROLLBACK");
    other.exec("BEGIN IMMEDIATE");
    expect(await launcher.publish("topic-1", "go", 7, { messageId: "m", tx: other })).toEqual({
      ...{ id: "m", duplicate: false, delivered: 1 },
    });
    expect(await launcher.publish("topic-1", "go", 8, { messageId: "m", tx: other })).toMatchObject({
      duplicate: true,
    });
    other.exec("COMMIT");
    await clock.advance("2s");
    expect(await early.outcome()).toMatchObject({ status: "completed", state: { got: 7 } });
    const late = await launcher.launch(listens, { n: 1 });
    expect(await late.outcome()).toMatchObject({ status: "completed", state: { got: 7 } });
  });

  test("a conflict is found there too", async () => {
    const other = workflow("other", { input }).step("1", { run: () => undefined });
    const { launcher, other: connection } = await desk([waits, other]);
    await launcher.launch(waits, { n: 1 }, { id: "e" });
    connection.exec("BEGIN IMMEDIATE");
    expect(await errorOf(launcher.launch(other, { n: 1 }, { id: "e", tx: connection }))).toMatchObject({
      code: "STEPWELL_LAUNCH_CONFLICT",
    });
    connection.exec("ROLLBACK");
  });

  test("a store without transactions says so", async () => {
    await using launcher = new Launcher({ store: memoryStore(), workflows: [waits] });
    await launcher.start();
    const refusal = await errorOf(launcher.launch(waits, { n: 1 }, { tx: {} as CallerTransaction }));
    expect(refusal).toMatchObject({ code: "STEPWELL_CAPABILITY_MISSING" });
  });
});
