/** A client asks and never drives: it needs no launcher of its own, no workflows and no start. */
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import {
  Client,
  fail,
  Launcher,
  memoryStore,
  pause,
  workflow,
  type ClientOptions,
  type Store,
} from "../../src/index.js";
import type { Batch } from "../../src/stores/batch.js";
import { errorOf, onEveryStore, told } from "../support/rig.js";

const input = z.object({ n: z.number() });

const work = workflow("work", { input }).step("1", { run: ({ state }) => ({ twice: 2 * state.n }) });

const ask = workflow("ask", { input }).step("1", {
  messages: { answer: z.object({ yes: z.boolean() }) },
  run: () => pause(),
  onMessage: ({ message }) => message.payload,
  rollback: () => undefined,
});

const broken = workflow("broken", { input })
  .step("1", { pivot: true, run: () => undefined })
  .step("2", { run: () => fail("no") });

/** Stuck in its undo until it has a good account. */
const refund = workflow("refund", { input: z.object({ iban: z.string(), at: z.coerce.date() }) }).step("refund", {
  run: () => fail("declined"),
  rollback: ({ state }) => (state.iban === "good" ? undefined : fail("no-account")),
});

function clientOn(store: Store, options: Partial<ClientOptions> = {}): Client {
  const client = new Client({ store, ...options });
  onTestFinished(() => client.stop());
  return client;
}

/** What of the store was called, and what was written. */
function watched(store: Store): { seen: Store; called: Set<string>; batches: Batch[] } {
  const called = new Set<string>();
  const batches: Batch[] = [];
  const seen = new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        called.add(String(key));
        if (key === "write") batches.push(given[0] as Batch);
        return Reflect.apply(value, target, given);
      };
    },
  });
  return { seen, called, batches };
}

onEveryStore("a client", (start) => {
  test("launches what it is given, and hears the outcome of what launchers made of it", async () => {
    const { store, clock } = await start([work]);
    const client = clientOn(store);
    const execution = await client.launch(work, { n: 21 }, { id: "one", tags: ["x"] });
    const outcome = execution.outcome();
    await clock.advance("2s");
    expect(await outcome).toEqual({ status: "completed", reason: "normal", state: { n: 21, twice: 42 } });
    expect((await client.list({ tags: ["x"] })).executions.map(({ id }) => id)).toEqual(["one"]);
  });

  test("reads, sends and requests rollbacks without knowing a workflow", async () => {
    const { store, clock, launcher } = await start([ask]);
    await launcher.launch(ask, { n: 1 }, { id: "one" });
    await launcher.launch(ask, { n: 2 }, { id: "two" });
    await clock.settle();
    const client = clientOn(store);
    const one = client.execution("one");
    await one.send("answer", { yes: true });
    const answer = client.rollback("two", "not-wanted", { by: "ada" });
    const outcomes = Promise.all([one.outcome(), client.execution("two").outcome()]);
    await clock.advance("2s");
    expect(await answer).toEqual({ accepted: true });
    expect(await outcomes).toMatchObject([{ status: "completed" }, { status: "rolledBack", reason: "not-wanted" }]);
    expect(await one.state()).toEqual({ n: 1, yes: true });
    expect(await told(one)).toEqual(["run 1: continue", "runContinue 1: ok"]);
    expect(await one.mailbox()).toMatchObject([{ name: "answer", status: "consumed" }]);
  });

  test("registers nowhere, sends no heartbeat, takes nothing up and commits nothing of an execution", async () => {
    const { store, clock, launcher } = await start([ask, broken]);
    await launcher.launch(ask, { n: 1 }, { id: "one" });
    const stuck = await launcher.launchMany(broken, [
      { input: { n: 1 }, id: "two" },
      { input: { n: 1 }, id: "three" },
    ]);
    await Promise.all(stuck.map((execution) => execution.outcome()));
    const { seen, called, batches } = watched(store);
    const client = clientOn(seen);
    // Before the rollback, which ends what it is sent to.
    await client.send("one", "answer", { yes: false });
    const asked = [
      client.launch(work, { n: 1 }, { id: "unknown-to-the-launcher" }),
      client.publish("topic", "answer", { yes: false }),
      client.execution("one").outcome(),
      client.rollback("one", "too-late"),
      client.retry("two", { by: "ada" }),
      client.skip("three", "done by hand", { by: "ada" }),
      client.schedules.set("daily", work, { n: 1 }, { every: "1d" }),
      client.select({ status: "stuck" }).count(),
      client.prune({ completed: "1d" }, { dryRun: true }),
      client.countDeadLetters(),
      client.compatibility(),
    ];
    await clock.advance("5s");
    await Promise.all(asked);
    await client.stop();
    for (const method of ["register", "beat", "bury", "claim", "admit", "transact"])
      expect(called).not.toContain(method);
    expect(batches.flatMap(({ creates }) => creates.map(({ owner }) => owner))).toEqual([null]);
    expect(batches.flatMap(({ transitions, releases }) => [...transitions, ...releases])).toEqual([]);
    expect(await launcher.execution("unknown-to-the-launcher").summary()).toMatchObject({ status: "running" });
  });

  test("knows the pivot of a workflow that it was never given, though no launcher runs", async () => {
    const { store, clock, launcher } = await start([broken, ask]);
    await launcher.launch(broken, { n: 1 }, { id: "past" });
    await launcher.launch(ask, { n: 1 }, { id: "before" });
    await clock.settle();
    await launcher.stop();
    const client = clientOn(store);
    expect(await client.rollback("past", "never-mind")).toMatchObject({ accepted: false, why: "past-pivot" });
    expect(await client.rollback("before", "never-mind")).toEqual({ accepted: true });
  });

  test("says with a code that no launcher has decided yet; what was asked for is followed later", async () => {
    const { store, clock, launcher, another } = await start([work]);
    await launcher.launch(work, { n: 1 }, { id: "one" });
    await clock.settle();
    await launcher.stop();
    const client = clientOn(store, { patience: "3s" });
    const undecided = errorOf(client.rollback("one", "recalled", { by: "ada" }));
    await clock.advance("3s");
    expect(await undecided).toMatchObject({ code: "STEPWELL_UNDECIDED", execution: "one" });
    await another();
    await clock.settle();
    const outcome = client.execution("one").outcome();
    await clock.advance("1s");
    expect(await outcome).toMatchObject({ status: "rolledBack", reason: "recalled" });
  });

  test("has a patch checked by the launcher that knows the workflow, and waits for its word", async () => {
    const { store, clock, launcher, errors } = await start([refund]);
    const [one, two] = [{ id: "one" }, { id: "two" }];
    for (const which of [one, two]) await launcher.launch(refund, { iban: "none", at: "2026-03-01T00:00:00Z" }, which);
    await clock.settle();
    const client = clientOn(store);
    const after = async <T>(asked: Promise<T>): Promise<T> => (await clock.advance("2s"), asked);
    expect(await after(errorOf(client.patchState("one", { iban: 5 }, "mistyped")))).toMatchObject({
      code: "STEPWELL_INVALID_PATCH",
      execution: "one",
      step: "refund",
    });
    expect(await after(errorOf(client.retry("one", { patch: { at: "soon" } })))).toMatchObject({
      code: "STEPWELL_INVALID_PATCH",
    });
    expect(await after(errorOf(client.skip("one", "by hand", { patch: { at: "soon" } })))).toMatchObject({
      code: "STEPWELL_INVALID_PATCH",
    });
    // The launcher tells why, and nothing of the executions has changed.
    expect(errors.filter(({ code }) => code === "STEPWELL_INVALID_PATCH").map(({ message }) => message)).toEqual([
      expect.stringContaining("iban"),
      expect.stringContaining("at:"),
      expect.stringContaining("at:"),
    ]);
    expect(await client.execution("one").history()).toHaveLength(2);
    await after(client.patchState("one", { iban: "good", at: "2026-04-01T00:00:00Z" }, "mistyped", { by: "ada" }));
    expect(await client.execution("one").state()).toMatchObject({ iban: "good", at: new Date("2026-04-01") });
    expect((await client.execution("one").history()).at(-1)).toMatchObject({ result: "patched", by: "ada" });
    await after(client.retry("two", { patch: { iban: "good" }, by: "ada" }));
    expect((await client.execution("two").summary()).status).toBe("rolledBack");
  });

  test("says that nobody has checked its patch yet where no launcher runs", async () => {
    const { store, clock, launcher, another } = await start([refund]);
    await launcher.launch(refund, { iban: "none", at: "2026-03-01" }, { id: "one" });
    await clock.settle();
    await launcher.stop();
    const client = clientOn(store, { patience: "3s" });
    const undecided = errorOf(client.patchState("one", { iban: "good" }, "mistyped"));
    await clock.advance("3s");
    expect(await undecided).toMatchObject({ code: "STEPWELL_UNDECIDED", execution: "one" });
    expect(await client.execution("one").state()).toMatchObject({ iban: "none" });
    await another();
    await clock.settle();
    expect(await client.execution("one").state()).toMatchObject({ iban: "good" });
  });

  test("fails those who wait when it is stopped, and refuses what is asked later", async () => {
    const { store, launcher, clock } = await start([ask]);
    await launcher.launch(ask, { n: 1 }, { id: "one" });
    await clock.settle();
    const client = clientOn(store);
    const one = client.execution("one");
    const waiting = errorOf(one.outcome());
    await clock.settle();
    await client.stop();
    expect(await waiting).toMatchObject({ code: "STEPWELL_CLIENT_STOPPED" });
    for (const asked of [client.list(), one.state(), one.send("answer", { yes: true }), client.schedules.list()]) {
      expect(await errorOf(asked)).toMatchObject({ code: "STEPWELL_CLIENT_STOPPED" });
    }
    expect(await launcher.execution("one").state()).toEqual({ n: 1 });
  });
});

describe("the store of a client", () => {
  test("is opened by the first call, and closed with the client", async () => {
    const store = memoryStore();
    const client = new Client({ store });
    expect(store.isOpen).toBe(false);
    await Promise.all([client.list(), client.list()]);
    expect(store.isOpen).toBe(true);
    await client.stop();
    expect(store.isOpen).toBe(false);
  });

  test("stays open where somebody else has opened it", async () => {
    const store = memoryStore();
    await store.open();
    await using client = new Client({ store });
    await client.list();
    await client.stop();
    expect(store.isOpen).toBe(true);
  });

  test("that it shares with a launcher is closed by whoever stops last", async () => {
    const store = memoryStore();
    const launcher = new Launcher({ store, workflows: [work] });
    const client = new Client({ store });
    await Promise.all([client.list(), launcher.start()]);
    await launcher.stop();
    expect((await client.list()).executions).toEqual([]);
    await client.stop();
    expect(store.isOpen).toBe(false);
  });

  test("may be away at first: the next call tries again", async () => {
    const store = memoryStore();
    const open = store.open.bind(store);
    let tries = 0;
    store.open = () => {
      if (++tries === 1) throw new Error("no route to host");
      return open();
    };
    await using client = new Client({ store });
    await expect(client.list()).rejects.toThrow("no route to host");
    expect((await client.list()).executions).toEqual([]);
  });
});
