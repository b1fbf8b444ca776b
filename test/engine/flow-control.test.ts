/** Limits on launches: how many at the same time, how many in a while, and who goes first. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, StepwellError, workflow, type Launcher, type WorkflowOptions } from "../../src/index.js";
import { Encoded } from "../../src/values/encode.js";
import { errorOf, onEveryStore, told, type Rig } from "../support/rig.js";

const input = z.object({ account: z.string().default("a"), fails: z.string().optional() });

type Options = Omit<WorkflowOptions<typeof input>, "input">;

/** What runs now, what began and in which order, and the most that ran at the same time, in all and by account. */
class Floor {
  clock: Rig["clock"] | undefined;
  readonly began: string[] = [];
  readonly running = new Map<string, number>();
  most = 0;
  readonly mostOf = new Map<string, number>();
  #now = 0;

  async work(id: string, account: string, milliseconds = 1000): Promise<void> {
    this.began.push(id);
    const ofAccount = (this.running.get(account) ?? 0) + 1;
    this.running.set(account, ofAccount);
    this.mostOf.set(account, Math.max(this.mostOf.get(account) ?? 0, ofAccount));
    this.most = Math.max(this.most, ++this.#now);
    await new Promise<void>((resolve) => this.clock!.after(milliseconds, resolve));
    this.#now--;
    this.running.set(account, this.running.get(account)! - 1);
  }
}

const limited = (floor: Floor, options: Options) =>
  workflow("limited", { input, ...options }).step("work", {
    run: async ({ state, execution }) => {
      await floor.work(execution.id, state.account);
      return state.fails === undefined ? undefined : fail(state.fails);
    },
  });

const count = (number: number, prefix = "e") =>
  Array.from({ length: number }, (_, index) => ({ input: {}, id: `${prefix}${index}` }));

/** Step by step, so that what happens in between is given its time. */
async function pass(clock: Rig["clock"], milliseconds: number): Promise<void> {
  for (let gone = 0; gone < milliseconds; gone += 250) await clock.advance(Math.min(250, milliseconds - gone));
}

const statusOf = async (launcher: Launcher, id: string): Promise<string> =>
  (await launcher.execution(id).summary()).status;

/** Makes it due, as a request that turns nothing would. */
async function wake(store: Rig["store"], id: string): Promise<void> {
  const payload = Encoded.ofText("{}");
  const message = { id: `wake-${id}`, execution: id, kind: "message", name: "wake", payload } as const;
  const status = ["scheduled"] as const;
  const arrival = { ...message, messageId: null, carried: null, acceptedIn: status, wakes: status };
  await store.write({ creates: [], transitions: [], releases: [], arrivals: [arrival] });
}

onEveryStore("flow control", (start) => {
  test("a limit is never exceeded by two launchers, and is used up", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 3 });
    const { clock, launcher, another } = await start([it]);
    floor.clock = clock;
    const other = await another([it]);
    await Promise.all([launcher.launchMany(it, count(5, "a")), other.launchMany(it, count(5, "b"))]);
    await pass(clock, 500);
    expect(floor.began).toHaveLength(3);
    await pass(clock, 8000);
    expect(floor.most).toBe(3);
    expect(floor.began).toHaveLength(10);
    const { executions } = await launcher.list({ status: ["completed"] });
    expect(executions).toHaveLength(10);
  });

  test("a place that is given back is taken at once, without waiting for the next poll", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1 });
    const { clock, launcher } = await start([it], { pollInterval: "1h" });
    floor.clock = clock;
    await launcher.launchMany(it, count(4));
    await pass(clock, 4000);
    expect(floor.began).toEqual(["e0", "e1", "e2", "e3"]);
  });

  test.each([
    ["completed", {}],
    ["rolledBack", { fails: "no" }],
  ])("one that is %s gives its place back", async (status, more) => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1 });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    await launcher.launch(it, more, { id: "first" });
    await launcher.launch(it, {}, { id: "second" });
    await pass(clock, 500);
    expect(floor.began).toEqual(["first"]);
    await pass(clock, 1500);
    expect(await statusOf(launcher, "first")).toBe(status);
    expect(floor.began).toEqual(["first", "second"]);
  });

  test("one that is stuck gives its place back, and an operator's retry takes none", async () => {
    const began: string[] = [];
    let broken = true;
    const it = workflow("parks", { input, concurrency: 1 })
      .step("commit", { pivot: true, run: () => undefined })
      .step("after", {
        run: ({ execution }) => {
          began.push(execution.id);
          if (broken) throw new Error("no");
          return execution.id === "second" ? pause() : undefined;
        },
        retry: { attempts: 1 },
        messages: { go: z.object({}) },
        onMessage: () => undefined,
      });
    const { clock, launcher } = await start([it]);
    await launcher.launch(it, {}, { id: "first" });
    await pass(clock, 500);
    expect(await statusOf(launcher, "first")).toBe("stuck");
    broken = false;
    await launcher.launch(it, {}, { id: "second" });
    await launcher.launch(it, {}, { id: "third" });
    await pass(clock, 500);
    expect(began).toEqual(["first", "second"]);
    await launcher.execution("first").retry();
    await pass(clock, 500);
    expect(await statusOf(launcher, "first")).toBe("completed");
    expect(await statusOf(launcher, "third")).toBe("scheduled");
    await launcher.execution("second").send("go", {});
    await pass(clock, 500);
    expect(began).toEqual(["first", "second", "first", "third"]);
  });

  test("a place is kept while an execution waits for a message, or for its next attempt", async () => {
    const began: string[] = [];
    let failures = 1;
    const it = workflow("waits", { input, concurrency: 1 }).step("ask", {
      run: ({ execution }) => {
        began.push(execution.id);
        if (failures-- > 0) throw new Error("later");
        return pause();
      },
      retry: { attempts: 2, delay: "10s", jitter: false },
      messages: { go: z.object({}) },
      onMessage: () => undefined,
    });
    const { clock, launcher } = await start([it]);
    await launcher.launch(it, {}, { id: "first" });
    await launcher.launch(it, {}, { id: "second" });
    await pass(clock, 5000);
    expect([began, await statusOf(launcher, "first")]).toEqual([["first"], "scheduled"]);
    await pass(clock, 10_000);
    expect([began, await statusOf(launcher, "first")]).toEqual([["first", "first"], "waiting"]);
    await launcher.execution("first").send("go", {});
    await pass(clock, 500);
    expect(began).toEqual(["first", "first", "second"]);
  });

  test("a key has a limit of its own, beside the one for all", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: [{ limit: 3 }, { limit: 1, key: (state) => state.account }] });
    const { clock, launcher, another } = await start([it]);
    floor.clock = clock;
    const other = await another([it]);
    for (const [index, account] of "aaaabbcd".split("").entries()) {
      await (index % 2 === 0 ? launcher : other).launch(it, { account }, { id: `${account}${index}` });
    }
    await pass(clock, 500);
    expect(floor.began.toSorted()).toEqual(["a0", "b4", "c6"]);
    await pass(clock, 6000);
    expect(floor.most).toBe(3);
    expect([...floor.mostOf.values()]).toEqual([1, 1, 1, 1]);
    expect(floor.began).toHaveLength(8);
  });

  test("a rate is never exceeded in any period of its length", async () => {
    const starts: number[] = [];
    let now = (): number => 0;
    const it = workflow("rated", { input, rate: { limit: 3, per: "10s" } }).step("work", {
      run: () => void starts.push(now()),
    });
    const { clock, launcher, another } = await start([it]);
    now = () => clock.now();
    await another([it]);
    await launcher.launch(it, {});
    await pass(clock, 4000);
    await launcher.launchMany(it, count(8));
    await pass(clock, 36_000);
    expect(starts).toHaveLength(9);
    for (const at of starts)
      expect(starts.filter((other) => other >= at && other < at + 10_000).length).toBeLessThan(4);
    const first = starts[0]!;
    expect(starts.map((at) => Math.round((at - first) / 1000))).toEqual([0, 4, 4, 10, 14, 14, 20, 24, 24]);
  });

  test("a rate may have a key", async () => {
    const began: string[] = [];
    const rate = { limit: 1, per: "10s", key: (state: { account: string }) => state.account } as const;
    const it = workflow("rated", { input, rate }).step("work", {
      run: ({ execution }) => void began.push(execution.id),
    });
    const { clock, launcher } = await start([it]);
    for (const [index, account] of "aab".split("").entries())
      await launcher.launch(it, { account }, { id: `${account}${index}` });
    await pass(clock, 9000);
    expect(began).toEqual(["a0", "b2"]);
    await pass(clock, 1000);
    expect(began).toEqual(["a0", "b2", "a1"]);
  });

  test("a higher priority goes first; who has waited long enough goes first all the same", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1 });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    await launcher.launch(it, {}, { id: "running" });
    await pass(clock, 250);
    await launcher.launch(it, {}, { id: "low" });
    await launcher.launch(it, {}, { id: "high", priority: 2 });
    await launcher.launch(it, {}, { id: "higher", priority: 3 });
    await pass(clock, 4000);
    expect(floor.began).toEqual(["running", "higher", "high", "low"]);
    const slow = workflow("slow", { input, concurrency: 1 }).step("work", {
      run: ({ execution }) => floor.work(execution.id, "a", 180_000),
    });
    const second = await start([slow]);
    floor.clock = second.clock;
    await second.launcher.launch(slow, {}, { id: "occupied" });
    await pass(second.clock, 250);
    await second.launcher.launch(slow, {}, { id: "patient" });
    await second.clock.advance("150s");
    await second.launcher.launch(slow, {}, { id: "hasty", priority: 2 });
    await pass(second.clock, 35_000);
    expect(floor.began.slice(4)).toEqual(["occupied", "patient"]);
  });

  test.each([1, 3])(
    "a higher priority goes first also where there is room for %i and much else is due",
    async (room) => {
      const floor = new Floor();
      const it = limited(floor, { concurrency: 50 });
      const free = workflow("free", { input }).step("work", { run: ({ execution }) => floor.work(execution.id, "a") });
      const { clock, launcher } = await start([it, free], { concurrency: room });
      floor.clock = clock;
      await launcher.launchMany(free, count(20 * room, "f"));
      await launcher.launchMany(it, count(20 * room));
      await pass(clock, 10_500);
      await launcher.launch(it, {}, { id: "urgent", priority: 10 });
      const before = floor.began.length;
      expect(floor.began.filter((id) => id.startsWith("e")).length).toBeGreaterThanOrEqual(4 * room);
      await pass(clock, 3000);
      const since = floor.began.slice(before).filter((id) => !id.startsWith("f"));
      expect(since.indexOf("urgent")).toBeGreaterThanOrEqual(0);
      expect(since.indexOf("urgent")).toBeLessThanOrEqual(1);
      await pass(clock, 40_000);
      expect(floor.began).toHaveLength(40 * room + 1);
    },
  );

  test("one that waits and is asked to roll back ends without ever having run, and is passed over", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1 });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    await launcher.launchMany(it, count(3));
    await pass(clock, 250);
    expect(await launcher.execution("e1").rollback("not-needed")).toEqual({ accepted: true });
    await pass(clock, 250);
    expect(await launcher.execution("e1").outcome()).toMatchObject({ status: "rolledBack", reason: "not-needed" });
    expect(await told(launcher.execution("e1"))).toHaveLength(1);
    await pass(clock, 3000);
    expect(floor.began).toEqual(["e0", "e2"]);
  });

  test("one that waits, and is taken up for something that does not turn it, goes on waiting", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1 });
    const { clock, launcher, store } = await start([it]);
    floor.clock = clock;
    await launcher.launchMany(it, count(2));
    await pass(clock, 250);
    await wake(store, "e1");
    await pass(clock, 500);
    expect([floor.began, await statusOf(launcher, "e1")]).toEqual([["e0"], "scheduled"]);
    await pass(clock, 2000);
    expect(floor.began).toEqual(["e0", "e1"]);
    expect(await statusOf(launcher, "e1")).toBe("completed");
  });

  test("one that waits has done nothing that could be undone, though launchers died that had taken it up", async () => {
    const undone: string[] = [];
    const floor = new Floor();
    const it = workflow("limited", { input, concurrency: 1 }).step("work", {
      run: ({ execution }) => floor.work(execution.id, "a", 60_000),
      rollback: ({ execution }) => void undone.push(execution.id),
    });
    const { clock, launcher, store } = await start([it]);
    floor.clock = clock;
    await launcher.launchMany(it, count(2));
    await pass(clock, 250);
    // Taken up in this very moment, before the launcher hears of it.
    const owner = await store.register({ host: "elsewhere", pid: 1 });
    await wake(store, "e1");
    const { records } = await store.claim({ owner, limit: 9, workflows: [{ name: "limited", version: "1" }] });
    expect(records.map(({ id }) => id)).toEqual(["e1"]);
    const answer = launcher.execution("e1").rollback("not-needed");
    await store.removeLaunchers([owner]);
    await pass(clock, 500);
    await answer;
    expect(await launcher.execution("e1").outcome()).toMatchObject({ status: "rolledBack", reason: "not-needed" });
    expect([floor.began, undone]).toEqual([["e0"], []]);
  });

  test("one that waits begins as soon as its launcher has room, whatever took it", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 5 });
    const free = workflow("free", { input }).step("work", { run: ({ execution }) => floor.work(execution.id, "a") });
    const { clock, launcher } = await start([it, free], { concurrency: 1, pollInterval: "1h" });
    floor.clock = clock;
    await launcher.launch(free, {}, { id: "free" });
    await launcher.launch(it, {}, { id: "limited" });
    await pass(clock, 500);
    expect(floor.began).toEqual(["free"]);
    await pass(clock, 1000);
    expect(floor.began).toEqual(["free", "limited"]);
  });

  test("one that waits for longer than its deadline ends without ever having run", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1, deadline: "1500ms" });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    await launcher.launchMany(it, count(3));
    await pass(clock, 4000);
    expect(floor.began).toEqual(["e0", "e1"]);
    expect(await launcher.execution("e2").outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
  });

  test("the way down is never held up", async () => {
    const undone: string[] = [];
    const floor = new Floor();
    const it = workflow("down", { input, concurrency: 1 })
      .step("book", { run: () => undefined, rollback: ({ execution }) => void undone.push(execution.id) })
      .step("work", { run: ({ execution }) => floor.work(execution.id, "a", 60_000), rollback: () => undefined });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    await launcher.launch(it, {}, { id: "done" });
    await pass(clock, 61_000);
    await launcher.launch(it, {}, { id: "running" });
    await launcher.launch(it, {}, { id: "waiting" });
    await pass(clock, 500);
    await launcher.launch(it, {}, { id: "down", rollback: { from: "book", reason: "lost" } });
    await launcher.execution("done").rollback("returned");
    await pass(clock, 500);
    expect(undone.toSorted()).toEqual(["done", "down"]);
    expect([await statusOf(launcher, "running"), await statusOf(launcher, "waiting")]).toEqual([
      "running",
      "scheduled",
    ]);
    await pass(clock, 60_000);
    expect(floor.began).toEqual(["done", "running", "waiting"]);
  });

  test("a launch with a delay is let in from its time on, in its turn", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1 });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    await launcher.launch(it, {}, { id: "later", delay: "5s" });
    await launcher.launch(it, {}, { id: "now" });
    await pass(clock, 4500);
    expect(floor.began).toEqual(["now"]);
    await pass(clock, 500);
    expect(floor.began).toEqual(["now", "later"]);
  });

  test("who waits for a limit is told from who waits for a time, a message, or its next attempt", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1, deadline: "10s" });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    const queued = async (): Promise<string[]> => {
      const { executions } = await launcher.list();
      for (const { id, queued } of executions) {
        expect((await launcher.execution(id).summary()).queued).toBe(queued);
      }
      return executions.flatMap((one) => (one.queued ? one.id : [])).toReversed();
    };
    await launcher.launch(it, {}, { id: "now" });
    await launcher.launch(it, {}, { id: "later", delay: "700ms" });
    await launcher.launch(it, {}, { id: "next" });
    await launcher.launch(it, {}, { id: "turned" });
    await pass(clock, 250);
    expect(await queued()).toEqual(["next", "turned"]);
    await launcher.execution("turned").rollback("not-needed");
    await pass(clock, 500);
    expect(await queued()).toEqual(["later", "next"]);
    await pass(clock, 500);
    expect(await queued()).toEqual(["later"]);
    expect(await statusOf(launcher, "later")).toBe("scheduled");
    await pass(clock, 3000);
    expect(await queued()).toEqual([]);
  });

  test("what a schedule launches waits as all others do", async () => {
    const floor = new Floor();
    const it = workflow("slow", { input, concurrency: 1 }).step("work", {
      run: ({ execution }) => floor.work(execution.id, "a", 2500),
    });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    await launcher.schedules.set("often", it, {}, { every: "1s" });
    await pass(clock, 9000);
    expect(floor.most).toBe(1);
    expect(floor.began.length).toBeGreaterThan(2);
  });

  test("the same launch twice waits once, and takes one place", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 2 });
    const { clock, launcher } = await start([it]);
    floor.clock = clock;
    for (let i = 0; i < 3; i++) await launcher.launch(it, {}, { id: "one" });
    await launcher.launch(it, {}, { id: "two" });
    await pass(clock, 500);
    await launcher.launch(it, {}, { id: "one" });
    await pass(clock, 3000);
    expect(floor.began).toEqual(["one", "two"]);
  });

  test("what a launcher held when it died goes on elsewhere, in the place that it has", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 2 });
    const { clock, launcher, store, another } = await start([it]);
    floor.clock = clock;
    await launcher.launchMany(it, count(4));
    await pass(clock, 500);
    const [first] = await store.load(["e0"]);
    await another([it]);
    // As others see it: the launcher has died. It begins anew, as a process that is started again.
    await store.removeLaunchers([first!.owner!]);
    const query = { gate: "limited", versions: ["1"], limit: 10, keyLimit: null, rate: null };
    expect((await store.limits!.read(query)).held).toBe(2);
    await pass(clock, 500);
    expect(floor.began.toSorted()).toEqual(["e0", "e0", "e1", "e1"]);
    expect((await store.limits!.read(query)).held).toBe(2);
    await pass(clock, 4000);
    expect(floor.began.slice(4).toSorted()).toEqual(["e2", "e3"]);
    expect((await store.limits!.read(query)).held).toBe(0);
  });

  test("two versions share one limit, and a launcher lets in only what it knows", async () => {
    const floor = new Floor();
    const old = limited(floor, { concurrency: 1 });
    const next = limited(floor, { concurrency: 1, version: "2" });
    const { clock, launcher, another } = await start([old, next]);
    floor.clock = clock;
    await launcher.launch(old, {}, { id: "o1" });
    await launcher.launch(next, {}, { id: "n1" });
    await launcher.launch(old, {}, { id: "o2" });
    await launcher.launch(next, {}, { id: "n2" });
    await pass(clock, 1500);
    expect(floor.began).toEqual(["o1", "n1"]);
    expect(floor.most).toBe(1);
    const stopped = launcher.stop();
    await pass(clock, 1500);
    await stopped;
    await another([next]);
    await pass(clock, 4000);
    expect(floor.began).toEqual(["o1", "n1", "n2"]);
    await another([old]);
    await pass(clock, 3000);
    expect(floor.began).toEqual(["o1", "n1", "n2", "o2"]);
    expect(floor.most).toBe(1);
  });

  test("one that waits for limits that were taken away since then begins all the same", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 1 });
    const { clock, launcher, store, another } = await start([it]);
    floor.clock = clock;
    await launcher.launchMany(it, count(3));
    await launcher.launch(it, {}, { id: "later", delay: "20s" });
    await pass(clock, 500);
    const stopped = launcher.stop();
    await pass(clock, 1500);
    await stopped;
    expect(floor.began).toEqual(["e0"]);
    const free = limited(floor, {});
    const next = await another([free]);
    await pass(clock, 500);
    expect(floor.began).toEqual(["e0", "e1", "e2"]);
    // As another launcher does that was not stopped yet, and still has the limits.
    const old = await another([it], { concurrency: 1 });
    await old.launchMany(it, count(2, "n"));
    await pass(clock, 3500);
    expect(floor.began.toSorted()).toEqual(["e0", "e1", "e2", "n0", "n1"]);
    await pass(clock, 20_000);
    expect(floor.began.at(-1)).toBe("later");
    expect((await next.list({ status: "completed" })).executions).toHaveLength(6);
    expect((await store.beat(0, 0)).waiting).toMatchObject({ gates: [] });
  });

  test("those of a version that nobody knows any more are told of, once, and not while others are in their place", async () => {
    const floor = new Floor();
    const options = { concurrency: { limit: 1, key: ({ account }: { account: string }) => account } };
    const old = limited(floor, options);
    const next = limited(floor, { ...options, version: "2" });
    const { clock, launcher, another, errors } = await start([old]);
    floor.clock = clock;
    await launcher.launch(old, { account: "b" }, { id: "done" });
    await pass(clock, 1500);
    await launcher.launch(old, {}, { id: "late", delay: "30s" });
    await launcher.stop();
    const second = await another([next]);
    const third = await another([next]);
    await pass(clock, 25_000);
    // It could not be admitted, whoever knew it.
    for (let i = 0; i < 60; i++) await second.launch(next, {}, { id: `n${i}` });
    await pass(clock, 30_000);
    expect(errors).toEqual([]);
    await pass(clock, 60_000);
    expect(floor.began).toHaveLength(61);
    expect(errors).toMatchObject([
      { code: "STEPWELL_UNKNOWN_WORKFLOW", workflow: "limited" },
      { code: "STEPWELL_UNKNOWN_WORKFLOW", workflow: "limited" },
    ]);
    await another([old]);
    await pass(clock, 2000);
    expect(floor.began.at(-1)).toBe("late");
    expect((await third.list({ status: "scheduled" })).executions).toEqual([]);
  });

  test("a launcher lets no more in than it can work on", async () => {
    const floor = new Floor();
    const it = limited(floor, { concurrency: 10 });
    const { clock, launcher, store } = await start([it], { concurrency: 2 });
    floor.clock = clock;
    await launcher.launchMany(it, count(5));
    await pass(clock, 500);
    const query = { gate: "limited", versions: ["1"], limit: 10, keyLimit: null, rate: null };
    expect((await store.limits!.read(query)).held).toBe(2);
    await pass(clock, 3000);
    expect(floor.began).toHaveLength(5);
  });

  test("what is no short text is refused as a key, and nothing is launched", async () => {
    const keys: Record<string, unknown> = {
      number: 7,
      blank: " ",
      long: "x".repeat(256),
      none: undefined,
      promise: Promise.resolve("a"),
    };
    const key = ({ account }: { account: string }): string => {
      if (account === "throws") throw new Error("no");
      return keys[account] as string;
    };
    const it = limited(new Floor(), { concurrency: { limit: 1, key } });
    const { launcher } = await start([it]);
    for (const account of [...Object.keys(keys), "throws"]) {
      const error = await errorOf(launcher.launch(it, { account }, { id: account }));
      expect(error).toMatchObject({ code: "STEPWELL_INVALID_LIMIT_KEY", workflow: "limited", execution: account });
    }
    expect((await launcher.list()).executions).toEqual([]);
  });

  test("the same launch again is the same execution, though its key is refused by now", async () => {
    const began = new Floor();
    const old = limited(began, { concurrency: { limit: 1, key: ({ account }) => account } });
    const strict = limited(began, { concurrency: { limit: 1, key: () => "" }, version: "2" });
    const { clock, launcher, another } = await start([old]);
    began.clock = clock;
    await launcher.launch(old, {}, { id: "one" });
    const other = await another([strict]);
    expect((await other.launch(strict, {}, { id: "one" })).id).toBe("one");
    for (const [account, id] of Object.entries({ b: "one", a: "two" })) {
      expect(await errorOf(other.launch(strict, { account }, { id }))).toMatchObject({
        code: "STEPWELL_INVALID_LIMIT_KEY",
      });
    }
    expect((await launcher.list()).executions).toHaveLength(1);
  });

  test("a priority is refused where it means nothing, or is none", async () => {
    const free = workflow("free", { input }).step("one", { run: () => undefined });
    const it = limited(new Floor(), { concurrency: 1 });
    const { launcher } = await start([it, free]);
    const refused = [
      launcher.launch(free, {}, { priority: 1 }),
      launcher.launch(free, {}, { priority: 0 }),
      launcher.launch(it, {}, { priority: 1, rollback: { from: "work", reason: "x" } }),
      launcher.launch(it, {}, { priority: -1 }),
      launcher.launch(it, {}, { priority: 1.5 }),
      launcher.launch(it, {}, { priority: 1_000_001 }),
      launcher.launch(it, {}, { priority: "1" as never }),
    ];
    for (const promise of refused) expect(await errorOf(promise)).toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    expect((await launcher.list()).executions).toEqual([]);
  });

  test("versions with different limits are refused by a launcher that has both", async () => {
    const one = limited(new Floor(), { concurrency: 1 });
    const two = limited(new Floor(), { concurrency: 2, version: "2" });
    const error = await errorOf(start([one, two]));
    expect(error).toBeInstanceOf(StepwellError);
    expect(error).toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT", workflow: "limited" });
  });
});
