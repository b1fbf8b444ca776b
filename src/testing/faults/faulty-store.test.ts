import { expect, test } from "vitest";
import { memoryStore } from "../../stores/memory/memory-store.js";
import type { Hint, Store } from "../../stores/contract.js";
import { Bench } from "../store-contract/bench.js";
import { lineAt, list, opened } from "../store-contract/lists.js";
import { VirtualClock } from "../virtual-clock.js";
import { faultyStore, type AfterCall, type BeforeCall, type Faults, type FaultyStoreOptions } from "./faulty-store.js";
import { ProcessClock } from "./process-clock.js";

async function rig(options: Partial<FaultyStoreOptions> = {}) {
  const world = new VirtualClock();
  const clock = new ProcessClock(world);
  const base = memoryStore({ clock: world });
  await base.open();
  const owner = await base.register({ host: "here", pid: 1 });
  /** What becomes of the next call, before and after it is done. */
  const next: { before?: BeforeCall; after?: AfterCall } = {};
  const calls: string[] = [];
  const faults: Faults = {
    before: ({ name }) => {
      calls.push(name);
      const { before = "goes" } = next;
      delete next.before;
      return before;
    },
    after: () => {
      const { after = "answers" } = next;
      delete next.after;
      return after;
    },
    dies: () => clock.die(),
  };
  const store = faultyStore(base, { clock, faults, gathers: true, ...options });
  /** Through the faults, and beside them. */
  const [bench, plain] = [new Bench(store, world, owner), new Bench(base, world, owner)];
  return { world, clock, base, store, bench, plain, calls, next };
}

const busy = { code: "STEPWELL_STORE_BUSY", retryable: true };

test("a call that is refused is not done, and may be tried again", async () => {
  const { bench, plain, next } = await rig();
  next.before = "refused";
  await expect(bench.create("1")).rejects.toMatchObject(busy);
  await expect(plain.load("1")).rejects.toThrow("not there");
  await expect(bench.create("1")).resolves.toEqual({ created: true, owned: true });
});

test("a process dies of a call, before or after it is done, and never hears of it", async () => {
  for (const when of ["before", "after"] as const) {
    const { bench, base, next, clock, world } = await rig();
    next[when] = "dies";
    let heard = false;
    void bench.create("1").finally(() => (heard = true));
    await world.settle();
    expect([heard, clock.life]).toEqual([false, "gone"]);
    expect((await base.load(["1"])).map((it) => it?.id)).toEqual([when === "after" ? "1" : undefined]);
    void bench.create("2").finally(() => (heard = true));
    await world.settle();
    expect([heard, (await base.load(["2"]))[0]]).toEqual([false, undefined]);
  }
});

test("a call that waits is done when it may, in the state of then", async () => {
  const { bench, plain, next, world } = await rig();
  await plain.create("1");
  let open = (): void => undefined;
  next.before = new Promise((resolve) => (open = resolve));
  const loaded = bench.load("1");
  await plain.commit("1", { status: "stuck", rests: true });
  open();
  await world.settle();
  expect((await loaded).status).toBe("stuck");
});

test("a request and its answer are under way for as long as was said", async () => {
  const { bench, base, world } = await rig({ latency: [30, 40] });
  const created = bench.create("1").then(() => world.monotonic());
  await world.advance(29);
  expect(await base.load(["1"])).toEqual([undefined]);
  await world.advance(1);
  expect(await base.load(["1"])).toMatchObject([{ id: "1" }]);
  await world.advance(100);
  await expect(created).resolves.toBe(70);
});

test("hints get lost where that is said, and none comes to a process that stands", async () => {
  const heard: Hint[] = [];
  const deaf = { before: () => "goes" as const, dies: () => undefined, hears: () => isHearing };
  let isHearing = false;
  const { store, plain, clock } = await rig({ faults: deaf });
  store.watch((hint) => heard.push(hint));
  await plain.create("1", { owner: null });
  expect(heard).toEqual([]);
  isHearing = true;
  clock.stand();
  await plain.create("2", { owner: null });
  expect(heard).toEqual([]);
  clock.goOn();
  await plain.create("3", { owner: null });
  expect(heard).toEqual([{ type: "due", inMs: 0 }]);
});

test("the parts of a store are faulty too, under their own names", async () => {
  const { store, calls, next } = await rig();
  next.before = "refused";
  await expect(async () => store.schedules!.find()).rejects.toMatchObject(busy);
  await store.lists!.find(["1/items"]);
  expect(calls).toEqual(["schedules.find", "lists.find"]);
});

test.each<[string, (bench: Bench) => () => Promise<unknown>, unknown]>([
  [
    "a create",
    (bench) => {
      const creates = [bench.newExecution("1")];
      return async () => (await bench.write({ creates })).creates;
    },
    [{ created: true, owned: true }],
  ],
  [
    "a transition",
    (bench) => {
      const transitions = [bench.transition("there")];
      return async () => (await bench.write({ transitions })).transitions;
    },
    ["taken"],
  ],
  [
    "an arrival",
    (bench) => {
      const arrivals = [bench.arrival("there")];
      return async () => (await bench.write({ arrivals })).arrivals;
    },
    [{ result: "stored", id: "arrival-1" }],
  ],
  [
    "a publication",
    (bench) => {
      const publications = [bench.publication("prices")];
      return async () => (await bench.write({ publications })).publications;
    },
    [{ result: "stored", id: "publication-1", delivered: 0 }],
  ],
])("who asks again after the answer to %s was lost is told the truth, and it is done once", async (_, given, truth) => {
  const { bench, plain, next } = await rig();
  await plain.create("there");
  const ask = given(bench);
  next.after = "lost";
  await expect(ask()).rejects.toMatchObject(busy);
  await expect(ask()).resolves.toEqual(truth);
  expect((await plain.history("there")).length + (await plain.mail("there")).length).toBeLessThanOrEqual(1);
});

test("rows that were lost and rows that are new go together, each with its own answer", async () => {
  const { bench, plain, next } = await rig();
  await plain.create("there");
  const lost = bench.transition("there");
  next.after = "lost";
  await expect(bench.write({ transitions: [lost] })).rejects.toMatchObject(busy);
  const { transitions } = await bench.write({ transitions: [bench.transition("nowhere"), lost] });
  expect(transitions).toEqual(["lost", "taken"]);
});

test("what a claim took whose answer was lost comes with the next one", async () => {
  const { bench, plain, next } = await rig();
  await plain.create("1", { owner: null });
  next.after = "lost";
  await expect(bench.claimedIds()).rejects.toMatchObject(busy);
  await plain.create("2", { owner: null });
  await expect(bench.claimedIds()).resolves.toEqual(["1", "2"]);
  await expect(bench.claimedIds()).resolves.toEqual([]);
});

test("nothing is claimed while a release is in doubt", async () => {
  const { bench, plain, next } = await rig();
  await plain.create("1");
  const releases = [{ id: "1", owner: bench.owner, signals: 0, dueInMs: 0, dead: [] }];
  next.after = "lost";
  await expect(bench.write({ releases })).rejects.toMatchObject(busy);
  await expect(bench.claim()).resolves.toMatchObject({ records: [], nextDueInMs: 50, alive: true });
  await expect(bench.write({ releases })).resolves.toMatchObject({ releases: ["taken"] });
  await expect(bench.claimedIds()).resolves.toEqual(["1"]);
});

test("what a lost launch found there is not given out by a claim: its launcher may drive it", async () => {
  const { bench, store, next } = await rig();
  await bench.create("1");
  const again = bench.newExecution("1");
  next.after = "lost";
  await expect(bench.write({ creates: [again] })).rejects.toMatchObject(busy);
  (store as Required<Store>).abandon(again);
  await expect(bench.claimedIds()).resolves.toEqual([]);
});

test("of children whose beginning was lost, a claim gives out what began: none that was there", async () => {
  const { bench, plain, next } = await rig();
  await opened(plain, 2);
  await bench.create("c1");
  const begun = [0, 1].map((at) => bench.newExecution(`c${at}`, { line: lineAt(at), root: "p" }));
  next.after = "lost";
  const one = {
    list,
    revision: 1,
    data: "",
    isMarked: false,
    counts: [],
    begins: begun,
    asks: [],
    arrivals: [],
    frees: [],
  };
  await expect(async () => bench.the("lists").advance([one])).rejects.toMatchObject(busy);
  await expect(bench.claimedIds()).resolves.toEqual(["c0"]);
});

test("a launch that nobody asks for again is given out by a claim", async () => {
  const { bench, store, next } = await rig();
  const create = bench.newExecution("1");
  next.after = "lost";
  await expect(bench.write({ creates: [create] })).rejects.toMatchObject(busy);
  await expect(bench.claimedIds()).resolves.toEqual([]);
  (store as Required<Store>).abandon(create);
  await expect(bench.claimedIds()).resolves.toEqual(["1"]);
});
