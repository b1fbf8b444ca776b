/** Operators and askers who act at any moment, through any launcher, over a store that takes its time: what each is told is true. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, pause, StepwellError, workflow, type Store } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";

const kinds = ["rollback", "retry", "skip", "patch", "rollbackAll", "retryAll", "outcome", "stop"] as const;
const act = fc.record({
  kind: fc.constantFrom(...kinds),
  through: fc.nat(2),
  ifCompleted: fc.constantFrom("undo" as const, "refuse" as const),
  wait: fc.constantFrom(0, 0, 20, 70, 150),
});
type Act = typeof act extends fc.Arbitrary<infer Value> ? Value : never;

const scenario = fc.record({
  seed: fc.integer({ min: 1, max: 1e9 }),
  pivot: fc.boolean(),
  /** Whether the second launcher hears of what arrives, or has to look. */
  hears: fc.boolean(),
  acts: fc.array(act, { minLength: 4, maxLength: 14 }),
});

/** Asked over a network, and with several lanes. */
function far(store: Store, clock: VirtualClock, hears: boolean): Store {
  const pause = async (): Promise<void> => {
    if (clock.random() < 0.7) await new Promise<void>((resolve) => void clock.after(clock.random() * 30, resolve));
  };
  return new Proxy(store, {
    get(target, key) {
      if (key === "gathers") return true;
      if (key === "lanes") return 2;
      if (key === "watch" && !hears) return () => () => undefined;
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key === "watch" || key === "open" || key === "close") return value.bind(target) as unknown;
      return async (...given: unknown[]): Promise<unknown> => {
        await pause();
        const result: unknown = Reflect.apply(value, target, given);
        await pause();
        return result;
      };
    },
  });
}

const input = z.object({});
const other = workflow("other", { input }).step("1", { run: () => undefined });

/** Each of its functions takes its time, and may fail. */
function made(clock: VirtualClock, pivot: boolean) {
  const works = (): Promise<void> => new Promise((resolve) => void clock.after(clock.random() * 60, resolve));
  const mayFail = async (): Promise<void> => {
    await works();
    if (clock.random() < 0.4) throw new Error("not today");
  };
  const rollback = { rollback: mayFail, rollbackRetry: { attempts: 1 } };
  return workflow("made", { input })
    .step("a", { run: works, ...rollback })
    .step("b", {
      pivot,
      messages: { go: z.null() },
      run: async () => {
        await works();
        return clock.random() < 0.5 ? pause({}, { timeout: 100 }) : undefined;
      },
      onMessage: () => undefined,
      ...rollback,
    })
    .step("c", {
      run: async () => {
        await works();
        return clock.random() < 0.4 ? fail("sold-out") : undefined;
      },
      ...rollback,
    });
}

interface Told {
  readonly kind: Act["kind"];
  /** The reason that was given; none else gave the same. */
  readonly why: string;
  answer?: unknown;
  error?: unknown;
}

function ask(launcher: Launcher, { kind, ifCompleted }: Act, why: string): Promise<unknown> {
  const all = launcher.select({ all: true });
  switch (kind) {
    case "rollback":
      return launcher.rollback("e", why, { ifCompleted });
    case "retry":
      return launcher.retry("e", { reason: why });
    case "skip":
      return launcher.skip("e", why);
    case "patch":
      return launcher.patchState("e", { patchedBy: why }, why);
    case "rollbackAll":
      return all.rollback(why, { ifCompleted });
    case "retryAll":
      return all.retry({ reason: why });
    case "outcome":
      return launcher.execution("e").outcome();
    case "stop":
      return launcher.stop();
  }
}

/** What of an answer is not true. `done`: its act is in the history; `isDown`: how it all ended. */
function lies({ kind, answer, error }: Told, done: boolean, isDown: boolean): string | undefined {
  if (error !== undefined) {
    if (!(error instanceof StepwellError)) return "was refused without a code";
    // Then it is not known here, and said so.
    if (error.code === "STEPWELL_LAUNCHER_NOT_RUNNING") return undefined;
    return done ? `was refused with ${error.code}, and done` : undefined;
  }
  if (answer === undefined) return "was never answered";
  if (kind === "retry" || kind === "skip" || kind === "patch") return done ? undefined : "was accepted, and not done";
  if (kind === "rollback") {
    const { accepted, why } = answer as { accepted: boolean; why?: string };
    if (accepted) return isDown ? undefined : "was accepted, and it did not go back";
    if (done) return `was refused as ${why}, and done`;
    if (why === "past-pivot" && isDown) return "was refused as past the pivot, but it went back";
    return why === "already-rolling-back" && !isDown ? "was told that it goes back, which it did not" : undefined;
  }
  if (kind === "rollbackAll" || kind === "retryAll") {
    const { accepted, refused } = answer as { accepted: number; refused: unknown[] };
    if (refused.length > 0 && done) return "was refused, and done";
    if (kind === "retryAll" && accepted > 0 && !done) return "was accepted, and not done";
    return kind === "rollbackAll" && accepted > 0 && !isDown ? "was accepted, and it did not go back" : undefined;
  }
  return undefined;
}

async function problemsOf({ seed, pivot, hears, acts }: typeof scenario extends fc.Arbitrary<infer It> ? It : never) {
  const clock = new VirtualClock({ seed });
  const store = memoryStore({ clock });
  await store.open();
  const until = async <Value>(promise: Promise<Value>): Promise<Value> => {
    for (let turns = 0; turns < 20; turns++) await clock.advance(100);
    return promise;
  };
  const begin = async (workflows: LauncherWorkflows, isHeard: boolean): Promise<Launcher> => {
    const launcher = new Launcher({
      ...{ store: far(store, clock, isHeard), clock, workflows, pollInterval: 200, onError: () => undefined },
    });
    await until(launcher.start());
    return launcher;
  };
  const order = made(clock, pivot);
  const launchers = [await begin([order], true), await begin([order], hears), await begin([other], true)] as const;
  const launching = launchers[0].launch(order, {}, { id: "e" });
  await clock.advance(200);
  const told: Told[] = [];
  for (const [index, one] of acts.entries()) {
    // One goes on, so that all is decided.
    const through = one.kind === "stop" ? 1 : one.through;
    const it: Told = { kind: one.kind, why: `act-${index}` };
    told.push(it);
    ask(launchers[through]!, one, it.why).then(
      (answer) => (it.answer = answer ?? true),
      (error: unknown) => (it.error = error),
    );
    await clock.advance(one.wait);
  }
  for (let turns = 0; turns < 60; turns++) await clock.advance(500);
  await launching;
  const [record] = await store.load(["e"]);
  const history = await store.history("e");
  const found = told.flatMap((it) => {
    const times = history.filter(({ why }) => why === it.why).length;
    const lie = times > 1 ? "was done twice" : lies(it, times > 0, record!.position.direction === "down");
    return lie === undefined ? [] : `${it.kind} ${it.why} ${lie}`;
  });
  for (const launcher of launchers) await until(launcher.stop());
  const open = (await store.mail({ executions: ["e"], status: "pending" })).map(
    ({ kind }) => `${kind} is left pending`,
  );
  return [...found, ...open];
}

type LauncherWorkflows = ConstructorParameters<typeof Launcher>[0]["workflows"];

test("what is told of an act or a request is true, whoever else acts", async () => {
  const property = fc.asyncProperty(scenario, async (drawn) => {
    assert.deepEqual(await problemsOf(drawn), []);
  });
  const runs = { numRuns: Number(process.env["STEPWELL_ACTS_RUNS"] ?? 60) };
  await expect(fc.assert(property, runs)).resolves.toBeUndefined();
}, 60_000);
