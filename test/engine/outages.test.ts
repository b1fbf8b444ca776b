/** A store that is away, or that does not answer, for a minute. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, pause, StepwellError, workflow, type Store } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { errorOf } from "../support/rig.js";

const waits = workflow("waits", { input: z.object({}) }).step("wait", {
  messages: { go: z.null() },
  run: () => pause(),
  onMessage: () => undefined,
});

const busy = workflow("busy", { input: z.object({}) }).step("work", {
  run: () => new Promise<undefined>((resolve) => void release.push(() => resolve(undefined))),
});

const release: (() => void)[] = [];

interface Outage {
  way: "none" | "fails" | "silent";
}

const away = new StepwellError("STEPWELL_STORE_UNREACHABLE", "It is away.", { retryable: true });

/** As a store on a network is: it gathers, has two lanes, and answers later. What it did not answer it was never asked. */
function remote(clock: VirtualClock, outage: Outage): Store {
  const unanswered: (() => void)[] = [];
  const target = memoryStore({ clock });
  return new Proxy(target, {
    get(_, key) {
      if (key === "gathers") return true;
      if (key === "lanes") return 2;
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function" || key === "watch")
        return typeof value === "function" ? value.bind(target) : value;
      return async (...given: unknown[]): Promise<unknown> => {
        if (outage.way === "fails") throw away;
        if (outage.way === "silent") {
          await new Promise<void>((resolve) => unanswered.push(resolve));
        } else for (const go of unanswered.splice(0)) go();
        return Reflect.apply(value, target, given);
      };
    },
  });
}

async function started() {
  const clock = new VirtualClock();
  const outage: Outage = { way: "none" };
  const store = remote(clock, outage);
  const launcher = new Launcher({
    store,
    workflows: [waits, busy],
    clock,
    onError: () => undefined,
    concurrency: Infinity,
  });
  await launcher.start();
  const waiting = await launcher.launch(waits, {}, { id: "waiting" });
  for (let n = 0; n < 4; n++) await launcher.launch(busy, {}, { id: `busy-${n}` });
  await clock.settle();
  return { clock, outage, launcher, waiting, store };
}

test.each(["fails", "silent"] as const)(
  "a launch and a send are refused within their patience by a coded error while the store is away for a minute (%s), behind transitions that wait",
  async (way) => {
    const { clock, outage, launcher, waiting } = await started();
    outage.way = way;
    // Two transitions for two lanes, each a batch that stays.
    for (const go of release.splice(0, 2)) {
      go();
      await clock.settle();
    }
    for (const go of release.splice(0)) go();
    await clock.advance("1s");
    for (let second = 1; second < 60; second += 6) {
      const calls = [errorOf(launcher.launch(waits, {})), errorOf(waiting.send("go", null))];
      await clock.advance("6s");
      const refused = await Promise.race([Promise.all(calls), clock.settle().then(() => "not yet")]);
      expect(refused).toMatchObject([
        { code: "STEPWELL_STORE_UNREACHABLE", retryable: true },
        { code: "STEPWELL_STORE_UNREACHABLE", retryable: true },
      ]);
    }
    outage.way = "none";
    // The first question after a silence brings the answers to those before.
    await waiting.summary();
    await clock.advance("10s");
    // What was done is committed, and nothing is left behind.
    for (const id of ["busy-0", "busy-1", "busy-2", "busy-3"]) {
      expect((await launcher.execution(id).summary()).status).toBe("completed");
    }
    await waiting.send("go", null);
    await clock.advance("1s");
    expect((await waiting.summary()).status).toBe("completed");
    const { executions } = await launcher.list({ limit: 100 });
    expect(executions.filter(({ status }) => status === "running")).toEqual([]);
    const stopping = launcher.stop();
    await clock.advance("1m");
    await stopping;
  },
);

test("where ten thousand calls wait for a store that does not answer, one more is refused at once", async () => {
  const { clock, outage, launcher } = await started();
  outage.way = "silent";
  const waiting = Array.from({ length: 10_000 }, () => errorOf(launcher.launch(waits, {})));
  const first = errorOf(launcher.launch(waits, {}));
  // A batch is stuck once it has had its time; those behind it have some left.
  await clock.advance("4s");
  const late = Array.from({ length: 10_000 }, () => errorOf(launcher.launch(waits, {})));
  await clock.advance("2s");
  expect(await Promise.all([first, ...waiting])).toHaveLength(10_001);
  const refused = errorOf(launcher.launch(waits, {}));
  const answer = await Promise.race([refused, clock.settle().then(() => "not yet")]);
  expect(answer).toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE", retryable: true });
  await clock.advance("5s");
  await Promise.all(late);
});

test("ten thousand callers who try again and again for a minute leave no more behind than in the first round", async () => {
  const { clock, outage, launcher } = await started();
  outage.way = "fails";
  for (const go of release.splice(0)) {
    go();
    await clock.settle();
  }
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const sizes: number[] = [];
  let refusals = 0;
  for (let round = 0; round < 8; round++) {
    const calls = Array.from({ length: 10_000 }, () => launcher.launch(waits, {}).catch(() => void refusals++));
    await clock.advance("7s");
    await Promise.race([Promise.all(calls), clock.settle()]);
    collect();
    sizes.push(process.memoryUsage().heapUsed);
  }
  expect(refusals).toBe(80_000);
  expect(sizes.at(-1)! - sizes[1]!).toBeLessThan(10_000_000);
}, 60_000);

test("executions that wait for the store do not come back to it in one moment", async () => {
  const clock = new VirtualClock();
  const store = memoryStore({ clock });
  const undone = workflow("undone", { input: z.object({}) })
    .step("work", { run: () => undefined, rollback: () => undefined })
    .step("wait", { messages: { go: z.null() }, run: () => pause(), onMessage: () => fail("no") });
  const asked: number[] = [];
  const launcher = new Launcher({
    store: new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (key !== "history") return typeof value === "function" ? (value.bind(target) as unknown) : value;
        return async (): Promise<never> => {
          asked.push(clock.now());
          throw away;
        };
      },
    }),
    workflows: [undone],
    clock,
    onError: () => undefined,
  });
  await launcher.start();
  const executions = await launcher.launchMany(
    undone,
    Array.from({ length: 100 }, () => ({ input: {} })),
  );
  await clock.advance("10ms");
  // Taken up again, so that what each step gave has to be read.
  for (const execution of executions) void execution.rollback("recalled").catch(() => undefined);
  await clock.settle();
  const began = clock.now();
  await clock.advance("900ms");
  expect(asked.filter((at) => at <= began)).toHaveLength(100);
  const second = asked.slice(100, 200);
  expect(new Set(second).size).toBeGreaterThan(50);
  expect(Math.max(...second) - Math.min(...second)).toBeGreaterThan(200);
});

test("a look at the mailbox that fails is made again before anything is committed: no message is passed over", async () => {
  const clock = new VirtualClock();
  const store = memoryStore({ clock });
  let fails = true;
  const seen = new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        if (key === "mail" && fails) return Promise.reject(away);
        return Reflect.apply(value, target, given);
      };
    },
  });
  const launcher = new Launcher({ store: seen, workflows: [waits], clock, onError: () => undefined });
  await launcher.start();
  await launcher.launch(waits, {}, { id: "late", delay: "1s" });
  fails = false;
  await launcher.send("late", "go", null);
  fails = true;
  await clock.advance("5s");
  fails = false;
  await clock.advance("5s");
  expect((await launcher.execution("late").summary()).status).toBe("completed");
});
