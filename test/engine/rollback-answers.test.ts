/** What who asks for a rollback is told, where the execution moves on while it is asked. */
import { expect, test } from "vitest";
import { z } from "zod";
import {
  fail,
  observer,
  pause,
  workflow,
  type Launcher,
  type RollbackAnswer,
  type RollbackOptions,
} from "../../src/index.js";
import type { Store } from "../../src/stores/contract.js";
import { onEveryStore, type Start } from "../support/rig.js";

const input = z.object({});

/** Moves on with each message: it waits again, fails, or completes. */
const made = workflow("made", { input }).step("1", {
  messages: { stay: z.null(), fail: z.null(), complete: z.null() },
  run: () => pause(),
  onMessage: ({ message }) => (message.name === "stay" ? pause() : message.name === "fail" ? fail("no") : {}),
  rollbackMessages: { undone: z.null() },
  rollback: () => pause(undefined, { timeout: "1h" }),
  onRollbackMessage: () => undefined,
});

/** Nobody knows what becomes of it. */
const doubtful = workflow("doubtful", { input }).step("1", {
  inDoubt: "park",
  timeout: "1s",
  retry: { attempts: 1 },
  run: () => new Promise<never>(() => undefined),
  rollback: () => undefined,
});

const other = workflow("other", { input }).step("1", { run: () => undefined });

/** After each of its first looks at an execution something happens, before it hears what it saw. */
function lookingLate(store: Store, happens: (() => Promise<unknown>)[]): Store {
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "load") return value.bind(target) as unknown;
      return async (ids: readonly string[]) => {
        const records = await target.load(ids);
        await happens.shift()?.();
        return records;
      };
    },
  });
}

/** Asks one that gets these messages, each just after the asker has looked. */
async function asked(start: Start, names: readonly string[], options: RollbackOptions = {}): Promise<RollbackAnswer> {
  const { launcher, clock, store, another } = await start([made]);
  await launcher.launch(made, {}, { id: "e" });
  await clock.settle();
  const send = async (name: string): Promise<void> => {
    await launcher.send("e", name, null);
    await clock.settle();
  };
  const happens = names.map((name) => async () => {
    await send(name === "rollBack" ? "fail" : name);
    if (name === "rollBack") await send("undone");
  });
  const asker: Launcher = await another([other], { store: lookingLate(store, happens) });
  const answer = asker.rollback("e", "back", options);
  for (let turns = 0; turns < 20; turns++) await clock.advance("1s");
  expect(happens).toHaveLength(0);
  return answer;
}

const moves = ["stay", "stay", "stay"];

onEveryStore("who asks one that moves on all the time", (start) => {
  test("is heard", async () => {
    expect(await asked(start, [...moves, "stay"])).toEqual({ accepted: true });
  });

  test("hears that it was rolled back meanwhile, rather than nothing", async () => {
    expect(await asked(start, [...moves, "rollBack"])).toMatchObject({ why: "already-rolled-back" });
  });

  test("hears that it has turned by itself", async () => {
    expect(await asked(start, [...moves, "fail"])).toMatchObject({ why: "already-rolling-back" });
  });

  test("hears that it has completed, where that was to be left alone", async () => {
    const answer = await asked(start, [...moves, "complete"], { ifCompleted: "refuse" });
    expect(answer).toMatchObject({ why: "completed", error: { code: "STEPWELL_ROLLBACK_REFUSED" } });
  });

  test("has it undone where it has completed", async () => {
    expect(await asked(start, [...moves, "complete"])).toEqual({ accepted: true });
  });

  test.each([
    ["tells nobody of its end", doubtful],
    ["tells an observer of its end", doubtful.observe(observer({ name: "ends", success: () => undefined }))],
  ])("has it undone where an operator's skip that came first completes it, and it %s", async (_, doubted) => {
    const { launcher, clock, another } = await start([doubted]);
    const asker = await another([other]);
    await launcher.launch(doubted, {}, { id: "e" });
    await clock.advance("10s");
    await launcher.stop();
    await asker.skip("e", "done by hand");
    const answer = asker.rollback("e", "back");
    await clock.settle();
    await another([doubted]);
    await clock.advance("10s");
    expect(await answer).toEqual({ accepted: true });
    const history = await asker.execution("e").history();
    expect(history.slice(-3).map(({ result }) => result)).toEqual(["skipped", "back", "in-doubt"]);
  });

  test.each([
    ["is done", "past-pivot"],
    ["has failed", "already-rolling-back"],
  ])("while the pivot runs and another one has asked hears only then that it %s", async (end, why) => {
    let finish: (() => void) | undefined;
    const pivot = workflow("pivot", { input }).step("capture", {
      pivot: true,
      run: async () => {
        await new Promise<void>((resolve) => (finish = resolve));
        return end === "is done" ? {} : fail("no");
      },
      rollback: () => undefined,
    });
    const { launcher, clock, another } = await start([pivot]);
    const stranger = await another([other]);
    const execution = await launcher.launch(pivot, {}, { id: "e" });
    await clock.settle();
    const first = execution.rollback("first");
    await clock.settle();
    const others = [execution.rollback("second"), stranger.rollback("e", "third")];
    await clock.advance("10s");
    finish!();
    await clock.advance("10s");
    expect((await first).accepted).toBe(end === "has failed");
    for (const answer of others) expect(await answer).toMatchObject({ accepted: false, why });
  });

  test("while the pivot runs hears that it is done, also where the execution got stuck right after", async () => {
    let finish: (() => void) | undefined;
    const pivot = workflow("pivot", { input })
      .step("capture", { pivot: true, run: () => new Promise<void>((resolve) => (finish = resolve)) })
      .step("notify", { run: () => fail("no") });
    const { launcher, clock } = await start([pivot]);
    const execution = await launcher.launch(pivot, {});
    await clock.settle();
    const answer = execution.rollback("back");
    await clock.settle();
    finish!();
    await clock.advance("1s");
    expect(await answer).toMatchObject({ why: "past-pivot", error: { code: "STEPWELL_PAST_PIVOT" } });
    expect((await execution.outcome()).status).toBe("stuck");
  });
});
