import { expect, test } from "vitest";
import { z } from "zod";
import {
  Client,
  Launcher,
  memoryStore,
  pause,
  workflow,
  type RecallOptions,
  type RecallProgress,
} from "../../src/index.js";
import { through } from "../../src/testing/faults/through.js";
import type { ListedExecution } from "../../src/stores/contract.js";
import { systemClock } from "../../src/clock.js";
import { StepwellError } from "../../src/errors.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { mortal } from "../support/dying.js";
import { errorOf, onEveryStore, told, type Rig, type Start } from "../support/rig.js";

const input = z.object({ n: z.number() });

/** What the undos do, and when they did it. */
interface World {
  readonly undone: { readonly n: number; readonly at: number }[];
  /** Their undo fails. */
  broken: (n: number) => boolean;
  now: () => number;
}

function newWorld(): World {
  return { undone: [], broken: () => false, now: () => 0 };
}

/** Undone at the first try, or never: `rollbackRetry` says how often it is tried. */
function orders(world: World, rollbackRetry: { attempts: number; delay?: number } = { attempts: 1 }) {
  return workflow("order", { input }).step("charge", {
    run: () => ({ charged: true }),
    rollbackRetry,
    rollback: ({ state }) => {
      if (world.broken(state.n)) throw new Error("the bank is away");
      world.undone.push({ n: state.n, at: world.now() });
      return { charged: false };
    },
  });
}

async function completed(rig: Rig, order: ReturnType<typeof orders>, count: number, from = 0): Promise<void> {
  for (let n = from; n < from + count; n++) {
    await rig.launcher.launch(order, { n }, { id: `o${n}`, tags: [n % 2 === 0 ? "even" : "odd"] });
    await rig.clock.advance(1);
  }
  await rig.clock.advance(10);
}

const asked = { reason: "wrong-price", by: "ada" } as const;
const orderFilter = { filter: { workflow: "order" } } as const;

/** Lets time pass until it has ended, paused, or the time is over. */
async function rested(rig: Rig, id: string, seconds = 600): Promise<RecallProgress> {
  const recall = rig.launcher.recalls.get(id);
  for (let second = 0; second < seconds; second++) {
    await rig.clock.advance("1s");
    const progress = await recall.progress();
    if (progress.status === "done" || progress.status === "paused") return progress;
  }
  return recall.progress();
}

onEveryStore("a recall", (start) => {
  async function begun(count: number, world = newWorld(), retry?: Parameters<typeof orders>[1]) {
    const order = orders(world, retry);
    const rig = await start([order]);
    world.now = () => rig.clock.now();
    await completed(rig, order, count);
    return { rig, order, world };
  }

  test("undoes each that had completed once, and reports", async () => {
    const { rig, order, world } = await begun(12);
    const recall = await rig.launcher.recall({ ...orderFilter, ...asked, rate: "5/s", id: "r" });
    await rig.clock.advance(1);
    await rig.launcher.launch(order, { n: 99 }, { id: "later" });
    const report = await rested(rig, "r");
    expect(report).toMatchObject({
      ...{ id: "r", status: "done", reason: "wrong-price", by: "ada", counted: 12, left: 0, asked: 12, rolledBack: 12 },
      ...{ underWay: 0, stuck: 0, struggling: 0, turned: 0, notFound: 0, notCompleted: 0, refused: {}, troubled: [] },
      ...{ order: "newest", rate: "5/s", atOnce: 100, canary: 1, onStuck: 3, endedAt: expect.any(Date) as Date },
    });
    expect(await recall.outcome()).toEqual(report);
    expect(world.undone.map(({ n }) => n)).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(await rig.launcher.execution("o3").outcome()).toMatchObject({ status: "rolledBack", reason: "wrong-price" });
    expect(await rig.launcher.execution("o3").history()).toContainEqual(
      expect.objectContaining({ result: "wrong-price", by: "ada" }),
    );
    expect((await rig.launcher.execution("later").summary()).status).toBe("completed");
    expect((await rig.launcher.recalls.list()).recalls).toEqual([report]);
    expect(rig.errors).toEqual([]);
  });

  test("asks the oldest first where that is wanted, at its rate and not faster", async () => {
    const { rig, world } = await begun(40);
    await rig.launcher.recall({ ...orderFilter, ...asked, order: "oldest", rate: "10/s", canary: 0, id: "r" });
    expect(await rested(rig, "r")).toMatchObject({ status: "done", rolledBack: 40 });
    const places = world.undone.map(({ n }, index) => Math.abs(n - index));
    expect(Math.max(...places)).toBeLessThan(2);
    const times = world.undone.map(({ at }) => at);
    const took = times.at(-1)! - times[0]!;
    expect(took).toBeGreaterThan(3_500);
    expect(took).toBeLessThan(4_400);
    for (const from of times) {
      const within = times.filter((at) => at >= from && at < from + 2_000).length;
      expect(within).toBeLessThanOrEqual(22);
    }
  });

  test("says to each undo why it is undone, who asked, and what it has to know", async () => {
    const requests: unknown[] = [];
    const order = workflow("order", { input }).step("charge", {
      run: () => undefined,
      rollback: ({ request }) => void requests.push(request),
    });
    const rig = await start([order]);
    await rig.launcher.launch(order, { n: 1 }, { id: "o1" });
    await rig.clock.advance("1s");
    await rig.launcher.recall({ ...orderFilter, ...asked, details: { percent: 30 }, id: "r" });
    expect(await rested(rig, "r")).toMatchObject({ status: "done", rolledBack: 1 });
    expect(requests).toEqual([{ ...asked, details: { percent: 30 } }]);
  });

  test("a slow rate waits between two of them, and takes no place of a launcher meanwhile", async () => {
    const { rig, world } = await begun(3);
    await rig.launcher.recall({ ...orderFilter, ...asked, rate: "2/m", canary: 0, id: "r" });
    await rig.clock.advance("5s");
    expect((await rig.launcher.execution("r").summary()).status).toBe("waiting");
    expect(await rested(rig, "r")).toMatchObject({ status: "done", rolledBack: 3 });
    const [first, second, third] = world.undone.map(({ at }) => at);
    for (const wait of [second! - first!, third! - second!]) {
      expect(wait).toBeGreaterThan(29_000);
      expect(wait).toBeLessThan(33_000);
    }
  });

  test("pauses where its canary gets stuck, so that nobody else is touched, and goes on when it is told to", async () => {
    const world = newWorld();
    world.broken = (n) => n === 9;
    const { rig } = await begun(10, world);
    const recall = await rig.launcher.recall({ ...orderFilter, ...asked, canary: 2, id: "r" });
    expect(await rested(rig, "r")).toMatchObject({
      ...{ status: "paused", counted: 10, asked: 2, rolledBack: 1, stuck: 1, left: 8, underWay: 0 },
      paused: { why: "canary", at: expect.any(Date) as Date },
      troubled: [{ id: "o9", is: "stuck" }],
    });
    await rig.clock.advance("1h");
    expect(world.undone).toHaveLength(1);
    world.broken = () => false;
    await rig.launcher.retry("o9", { by: "ada" });
    await recall.resume({ by: "bob", reason: "o9 was a test order" });
    expect(await rested(rig, "r")).toMatchObject({ status: "done", asked: 10, rolledBack: 10, stuck: 0, troubled: [] });
    const resumed = (await rig.launcher.execution("r").mailbox()).filter(({ name }) => name === "resume");
    expect(resumed).toMatchObject([{ payload: { by: "bob", reason: "o9 was a test order" }, status: "consumed" }]);
  });

  test("pauses at so many that struggle, long before they are stuck", async () => {
    const world = newWorld();
    world.broken = (n) => n < 90;
    const { rig } = await begun(100, world, { attempts: 1_000, delay: 10 });
    const recall = await rig.launcher.recall({ ...orderFilter, ...asked, canary: 5, onStuck: 3, id: "r" });
    const paused = await rested(rig, "r");
    expect(paused).toMatchObject({ status: "paused", paused: { why: "stuck" }, stuck: 0, rolledBack: 10 });
    expect(paused.struggling).toBeGreaterThanOrEqual(3);
    // It looks once a second, at ten a second.
    expect(paused.asked).toBeLessThan(10 + 3 + 25);
    await rig.clock.advance("10s");
    expect((await recall.progress()).asked).toBe(paused.asked);
    // Who resumes has seen those that struggle: others pause it again.
    await recall.resume({ by: "ada" });
    const again = await rested(rig, "r");
    expect(again).toMatchObject({ status: "paused", paused: { why: "stuck" } });
    expect(again.asked).toBeGreaterThan(paused.asked);
    world.broken = () => false;
    await recall.resume({ by: "ada" });
    expect(await rested(rig, "r")).toMatchObject({ status: "done", asked: 100, rolledBack: 100, struggling: 0 });
  });

  test("lets only so many go down at once", async () => {
    const world = newWorld();
    world.broken = () => true;
    const { rig } = await begun(10, world, { attempts: 1_000, delay: 10 });
    await rig.launcher.recall({ ...orderFilter, ...asked, canary: 0, atOnce: 4, onStuck: 100, id: "r" });
    await rig.clock.advance("30s");
    expect(await rig.launcher.recalls.get("r").progress()).toMatchObject({ status: "asking", asked: 4, underWay: 4 });
    world.broken = () => false;
    expect(await rested(rig, "r")).toMatchObject({ status: "done", asked: 10, rolledBack: 10 });
  });

  test("is paused, resumed and stopped by acts that say who", async () => {
    const { rig, world } = await begun(60);
    const recall = await rig.launcher.recall({ ...orderFilter, ...asked, id: "r" });
    await rig.clock.advance("2s");
    await recall.pause({ by: "bob", reason: "the bank called" });
    const paused = await rested(rig, "r");
    expect(paused).toMatchObject({ status: "paused", paused: { why: "asked", by: "bob", reason: "the bank called" } });
    const undone = world.undone.length;
    expect(undone).toBeLessThan(45);
    await rig.clock.advance("1m");
    expect(world.undone.length).toBe(undone);
    await recall.resume({ by: "bob" });
    await rig.clock.advance("1s");
    await recall.stop({ by: "eve", reason: "enough" });
    const report = await rested(rig, "r");
    expect(report).toMatchObject({
      status: "done",
      stopped: { by: "eve", reason: "enough" },
      counted: 60,
      underWay: 0,
    });
    expect(report.asked).toBe(report.rolledBack);
    expect(report.left).toBe(60 - report.asked);
    expect(report.left).toBeGreaterThan(0);
    expect(world.undone).toHaveLength(report.asked);
    await expect(recall.resume({ by: "eve" })).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_ENDED" });
  });

  test("takes ids in their order, and says of each that it could not ask why", async () => {
    const { rig, order, world } = await begun(6);
    const past = workflow("past", { input })
      .step("hand-over", { pivot: true, run: () => undefined })
      .step("notify", { run: () => undefined });
    const waits = workflow("waits", { input }).step("wait", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
    });
    const parent = workflow("parent", { input }).child("order", order, { input: ({ state }) => ({ n: state.n }) });
    const other = await rig.another([past, waits, parent]);
    await other.launch(past, { n: 1 }, { id: "past" });
    await other.launch(waits, { n: 1 }, { id: "waits" });
    await other.launch(parent, { n: 100 }, { id: "parent" });
    const turned = rig.launcher.rollback("o5", "customer-returned");
    await rig.clock.advance("1s");
    await turned;
    await rig.launcher.recall({ ids: ["o0"], ...asked, id: "first" });
    await rested(rig, "first");
    const ids = ["o4", "none", "o1", "o0", "past", "waits", "o5", "parent/order/0", "first", "o3", "o4"];
    await rig.launcher.recall({ ids, ...asked, rate: "5/s", id: "r" });
    const report = await rested(rig, "r");
    expect(report).toMatchObject({
      ...{
        status: "done",
        order: "given",
        counted: 10,
        left: 0,
        asked: 3,
        rolledBack: 3,
        turned: 2,
        notFound: 1,
        notCompleted: 1,
      },
      refused: { "past-pivot": 1, "belongs-to-parent": 1, recall: 1 },
    });
    expect(world.undone.map(({ n }) => n)).toEqual([5, 0, 4, 1, 3]);
    expect(await rig.launcher.execution("r").state()).not.toHaveProperty("ids");
  });

  test("asks by its id nobody who completes only while it is asked", async () => {
    const waits = workflow("waits", { input }).step("wait", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
    });
    const rig = await start([waits]);
    const client = new Client({ store: rig.store, workflows: [waits] });
    let found = "";
    /** It completes just after the recall has read how it stands. */
    const late = through(rig.store, (call, name) => {
      if (name !== "load") return call;
      return async (...given) => {
        const records = (await call(...given)) as (ListedExecution | undefined)[];
        if (given[1] !== "listed" || records[0]?.id !== "o" || found !== "") return records;
        found = records[0].status;
        await client.send("o", "go", null);
        while ((await rig.store.load(["o"]))[0]!.status !== "completed")
          await new Promise<void>((resolve) => systemClock.soon(resolve));
        return records;
      };
    });
    const launcher = await rig.another([waits], { store: late });
    await rig.launcher.stop();
    await launcher.launch(waits, { n: 1 }, { id: "o" });
    await rig.clock.advance("1s");
    await launcher.recall({ ids: ["o"], ...asked, id: "r" });
    expect(await rested({ ...rig, launcher }, "r")).toMatchObject({ status: "done", asked: 0, notCompleted: 1 });
    expect(found).toBe("waiting");
    expect((await launcher.execution("o").summary()).status).toBe("completed");
    await client.stop();
  });

  test("recalls parents with their children, and what fits all conditions only", async () => {
    const world = newWorld();
    const order = orders(world);
    const parent = workflow("parent", { input }).child("order", order, { input: ({ state }) => ({ n: state.n }) });
    const rig = await start([parent, order]);
    await rig.launcher.launch(parent, { n: 1 }, { id: "p1", tags: ["red"] });
    await rig.launcher.launch(parent, { n: 2 }, { id: "p2", tags: ["blue"] });
    await rig.launcher.launch(order, { n: 3 }, { id: "o3", tags: ["red"] });
    await rig.clock.advance("1s");
    await rig.launcher.recall({ filter: { workflow: "order" }, ...asked, id: "r1" });
    expect(await rested(rig, "r1")).toMatchObject({ status: "done", counted: 1, rolledBack: 1 });
    await rig.launcher.recall({ filter: { tags: ["red"] }, ...asked, id: "r2" });
    expect(await rested(rig, "r2")).toMatchObject({ status: "done", counted: 1, rolledBack: 1 });
    expect(world.undone.map(({ n }) => n)).toEqual([3, 1]);
    await rig.launcher.recall({ filter: { all: true }, ...asked, id: "r3" });
    expect(await rested(rig, "r3")).toMatchObject({ status: "done", counted: 1, rolledBack: 1 });
    expect(world.undone.map(({ n }) => n)).toEqual([3, 1, 2]);
  });

  test("counts who turned, or was deleted, before it came to them", async () => {
    const { rig } = await begun(40);
    const recall = await rig.launcher.recall({ ...orderFilter, ...asked, rate: "4/s", id: "r" });
    await rig.clock.advance("2s");
    await rig.launcher.rollback("o3", "customer-returned");
    await rig.launcher.rollback("o0", "customer-returned");
    await rig.clock.advance("1s");
    await rig.launcher.prune({ rolledBack: 0 });
    expect(await rested(rig, "r")).toMatchObject({ status: "done", counted: 40, turned: 2, left: 0 });
    const { rolledBack, notFound } = await recall.progress();
    expect(rolledBack + notFound).toBe(38);
  });

  test("counts what is sealed by the time it comes to it", async () => {
    const order = workflow("order", { input, undoFor: "10s" }).step("1", {
      run: () => undefined,
      rollback: () => undefined,
    });
    const rig = await start([order]);
    for (let n = 0; n < 4; n++) {
      await rig.launcher.launch(order, { n }, { id: `o${n}` });
      await rig.clock.advance("4s");
    }
    await rig.launcher.recall({ ...orderFilter, ...asked, id: "r" });
    expect(await rested(rig, "r")).toMatchObject({
      status: "done",
      counted: 4,
      asked: 2,
      rolledBack: 2,
      refused: { sealed: 2 },
    });
  });

  test("goes on with a launcher that has one place only", async () => {
    const world = newWorld();
    const order = orders(world);
    const rig = await start([order], { concurrency: 1 });
    await completed(rig, order, 12);
    await rig.launcher.recall({ ...orderFilter, ...asked, canary: 2, id: "r" });
    expect(await rested(rig, "r")).toMatchObject({ status: "done", rolledBack: 12 });
  });

  test("is nothing that a deployment could break, and in no list of workflows before there is one", async () => {
    const { rig, order } = await begun(3);
    const names = async () => (await rig.launcher.fleet.workflows()).map(({ name }) => name);
    expect(await names()).toEqual(["order"]);
    await rig.launcher.recall({ ...orderFilter, ...asked, rate: "1/h", canary: 0, id: "r" });
    await rig.clock.advance("1m");
    const client = new Client({ store: rig.store, workflows: [order] });
    for (const asks of [rig.launcher, client]) {
      expect(await asks.compatibility()).toEqual([]);
    }
    expect(await names()).toEqual(["order", "stepwell:recall"]);
  });

  test("is not rolled back itself, before it has begun, while it goes and after", async () => {
    const { rig } = await begun(30);
    await rig.launcher.recall({ ...orderFilter, ...asked, id: "r" });
    const refused = { accepted: false, why: "recall", error: { code: "STEPWELL_ROLLBACK_REFUSED" } };
    expect(await rig.launcher.rollback("r", "no more")).toMatchObject(refused);
    await rig.clock.advance("1s");
    expect(await rig.launcher.rollback("r", "no more")).toMatchObject(refused);
    expect(await rig.launcher.select({ workflow: "stepwell:recall" }).rollback("x")).toMatchObject({ accepted: 0 });
    expect(await rested(rig, "r")).toMatchObject({ status: "done", rolledBack: 30 });
    expect(await rig.launcher.rollback("r", "no more")).toMatchObject(refused);
  });

  test("has the same history on every store, a row for some seconds of its work", async () => {
    const { rig } = await begun(3);
    await rig.launcher.recall({ ...orderFilter, ...asked, id: "r" });
    await rested(rig, "r");
    // How often it looks depends on how fast the undos are.
    const rows = await told(rig.launcher.execution("r"));
    expect(rows.length).toBeLessThan(10);
    expect([...new Set(rows)]).toEqual([
      ...["run begin: ok", "run undo: continue", "runContinue undo: continue", "runContinue undo: ok"],
    ]);
    expect(await told(rig.launcher.execution("o1"))).toEqual([
      ...["run charge: ok", "run charge: wrong-price", "rollback charge: ok"],
    ]);
  });

  test("waits visibly where no launcher knows what it has asked", async () => {
    const { rig, order } = await begun(3);
    const other = await rig.another([workflow("other", { input }).step("1", { run: () => undefined })]);
    await rig.launcher.stop();
    await other.recall({ ...orderFilter, ...asked, id: "r" });
    await rig.clock.advance("10s");
    expect(await other.recalls.get("r").progress()).toMatchObject({
      ...{ status: "canary", asked: 1, underWay: 1, unattended: [{ workflow: "order", version: "1", count: 1 }] },
    });
    const third = await rig.another([order]);
    expect(await rested({ ...rig, launcher: third }, "r")).toMatchObject({ status: "done", rolledBack: 3 });
  });

  test("the same id again is the same recall, and another plan under it a conflict", async () => {
    const { rig } = await begun(2);
    const options: RecallOptions = { ...orderFilter, ...asked, id: "r" };
    const [one, two] = [await rig.launcher.recall(options), await rig.launcher.recall(options)];
    expect(one.id).toBe(two.id);
    await expect(rig.launcher.recall({ ...options, rate: "20/s" })).rejects.toMatchObject({
      code: "STEPWELL_LAUNCH_CONFLICT",
    });
    await expect(rig.launcher.recalls.get("o1").progress()).rejects.toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
    });
    await expect(rig.launcher.recalls.get("x").pause({ by: "ada" })).rejects.toMatchObject({
      code: "STEPWELL_EXECUTION_NOT_FOUND",
    });
  });
});

/** Its launcher dies right after change number `last`, and another one goes on. */
async function dies(start: Start, last: number): Promise<RecallProgress> {
  const order = orders(newWorld());
  const rig = await start([order]);
  await completed(rig, order, 4);
  await rig.launcher.stop();
  const first = new Launcher({ store: mortal(rig.store, last).store, workflows: [order], onError: () => undefined });
  const options: RecallOptions = { ...orderFilter, ...asked, rate: "5/s", id: "r" };
  // Its caller may have died with it.
  first.start().then(
    () => first.recall(options).catch(() => undefined),
    () => undefined,
  );
  await rig.clock.advance("3s");
  const second = await rig.another([order]);
  await second.recall(options);
  const report = await rested({ ...rig, launcher: second }, "r");
  for (const n of [0, 1, 2, 3]) {
    const rows = await rig.store.mail({ executions: [`o${n}`] });
    const found = rows.map(({ messageId, status }) => [messageId, status]);
    expect(found, `after change ${last}`).toEqual([["recall:r", "consumed"]]);
  }
  return report;
}

const whole = { status: "done", counted: 4, asked: 4, rolledBack: 4, turned: 0, left: 0 };

onEveryStore(
  "a recall whose launcher dies after any change",
  (start) => {
    test("goes on, and asks nobody twice", async () => {
      for (let last = 1; last < 22; last++) expect(await dies(start, last), `${last}`).toMatchObject(whole);
    });
  },
  ["memory"],
);

/** Each change costs time here, so each run tries some of them, others each time. */
onEveryStore(
  "a recall whose launcher dies after some change",
  (start) => {
    test("goes on, and asks nobody twice", async () => {
      for (let from = 1; from < 22; from += 7) {
        const last = from + Math.floor(Math.random() * 7);
        expect(await dies(start, last), `${last}`).toMatchObject(whole);
      }
    });
  },
  ["sqlite", "postgres"],
);

test("a recall that waits for a store which is away leaves no timer behind when its launcher stops", async () => {
  const clock = new VirtualClock();
  const store = memoryStore({ clock });
  const away = new StepwellError("STEPWELL_STORE_BUSY", "away", { retryable: true });
  let tries = 0;
  const failing = through(store, (call, name) => (...given) => {
    if (name !== "list") return call(...given);
    tries++;
    throw away;
  });
  const launcher = new Launcher({ store: failing, workflows: [orders(newWorld())], clock, drainTimeout: "1s" });
  await launcher.start();
  await launcher.recall({ ...orderFilter, ...asked, id: "r" });
  await clock.advance("20s");
  expect(tries).toBeGreaterThan(4);
  const stopped = launcher.stop();
  await clock.advance("1s");
  await stopped;
  expect(clock.pending).toBe(0);
});

test("a recall must say what, why and who, and within which bounds", async () => {
  const client = new Client({ store: memoryStore() });
  const refused = async (options: unknown, text: string, code = "STEPWELL_INVALID_ARGUMENT") => {
    const error = await errorOf(client.recall(options as RecallOptions));
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(text);
  };
  await refused({ ...asked }, `give "filter" or "ids"`);
  await refused({ ...asked, ...orderFilter, ids: ["a"] }, `give "filter" or "ids"`);
  await refused({ ...orderFilter, reason: "x" }, `"by" must say who`);
  await refused({ ...orderFilter, by: "ada" }, "the reason must be");
  await refused({ ...asked, filter: {} }, "there is no condition");
  await refused({ ...asked, filter: { all: true, workflow: "order" } }, "and not both");
  await refused({ ...asked, filter: { status: "stuck" } }, `no option "status"`, "STEPWELL_UNKNOWN_OPTION");
  await refused({ ...asked, ids: [] }, `"ids" must be a list of 1 to 100000`);
  await refused({ ...asked, ids: ["a"], order: "oldest" }, `"order" goes with "filter" only`);
  await refused({ ...asked, ...orderFilter, order: "random" }, `"order" must be "newest" or "oldest"`);
  for (const rate of ["0/s", "10", "10/d", "20000/s", 10])
    await refused({ ...asked, ...orderFilter, rate }, `"rate" must`);
  await refused({ ...asked, ...orderFilter, atOnce: 0 }, `"atOnce" must be a whole number from 1 to 1000`);
  await refused({ ...asked, ...orderFilter, atOnce: 5, canary: 6 }, `"canary" must be a whole number from 0 to 5`);
  await refused({ ...asked, ...orderFilter, onStuck: 0 }, `"onStuck" must be a whole number from 1 on`);
  await refused({ ...asked, ...orderFilter, speed: 1 }, `no option "speed"`, "STEPWELL_UNKNOWN_OPTION");
});
