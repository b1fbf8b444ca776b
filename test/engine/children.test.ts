import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow, type Execution, type Launcher } from "../../src/index.js";
import { errorOf, onEverySqlStore, onEveryStore, patient, told } from "../support/rig.js";

const input = z.object({ items: z.array(z.string()) });

interface Joined {
  readonly state: object;
  readonly children: readonly {
    readonly id: string;
    readonly key: string;
    readonly status: string;
    readonly reason: string;
    readonly state: { readonly packed?: string };
  }[];
}

/** What was done and undone, in order. */
class World {
  readonly lines: string[] = [];
  /** Items whose child fails. */
  readonly failing = new Set<string>();

  readonly item = workflow("item", { input: z.object({ sku: z.string() }) }).step("pack", {
    run: ({ state }) => {
      this.lines.push(`pack ${state.sku}`);
      return this.failing.has(state.sku) ? fail("out-of-stock") : { packed: `${state.sku}!` };
    },
    rollback: ({ state }) => void this.lines.push(`unpack ${state.sku}`),
  });

  order(options: object = {}) {
    return workflow("order", { input })
      .step("reserve", { run: () => void this.lines.push("reserve"), rollback: () => void this.lines.push("free") })
      .forEach("items", this.item, {
        items: ({ state }) => state.items.map((sku) => ({ sku })),
        key: ({ item }) => item.sku,
        join: ({ children }) => ({ packed: children.map(({ key, state }) => `${key}=${state.packed}`) }),
        ...options,
      })
      .step("ship", {
        run: () => {
          this.lines.push("ship");
          return this.failing.has("ship") ? fail("no-carrier") : undefined;
        },
        rollback: () => void this.lines.push("call back"),
      });
  }
}

async function statusOf(launcher: Launcher, id: string): Promise<string | undefined> {
  return (
    await launcher
      .execution(id)
      .details()
      .catch(() => undefined)
  )?.status;
}

onEveryStore("a step of children", (start) => {
  test("begins a child for each item, waits for all of them, and goes on with what they have made", async () => {
    const world = new World();
    const order = world.order();
    const { launcher } = await start([order], patient);
    const execution = await launcher.launch(order, { items: ["A", "B"] }, { id: "o-1" });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { packed: ["A=A!", "B=B!"] } });
    expect(world.lines).toEqual(["reserve", "pack A", "pack B", "ship"]);
    expect(await statusOf(launcher, "o-1/items/A")).toBe("completed");
    expect(await told(execution)).toEqual([
      "run reserve: ok",
      "run items: continue",
      "runContinue items: ok",
      "run ship: ok",
    ]);
  });

  test("is done at once where there are no items", async () => {
    const world = new World();
    const order = world.order();
    const { launcher } = await start([order], patient);
    const execution = await launcher.launch(order, { items: [] });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { packed: [] } });
    expect(await told(execution)).toEqual(["run reserve: ok", "run items: ok", "run ship: ok"]);
  });

  test("fails with the reason of the first child that is rolled back, and the others are undone", async () => {
    const world = new World();
    world.failing.add("B");
    const order = world.order();
    const { launcher } = await start([order], patient);
    const execution = await launcher.launch(order, { items: ["A", "B", "C"] }, { id: "o-1" });
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "out-of-stock",
      error: { code: "STEPWELL_CHILD_ROLLED_BACK" },
    });
    expect(world.lines.toSorted()).toEqual(
      ["reserve", "pack A", "pack B", "pack C", "unpack A", "unpack B", "unpack C", "free"].toSorted(),
    );
    expect(world.lines.at(-1)).toBe("free");
    expect(await told(execution)).toEqual([
      "run reserve: ok",
      "run items: continue",
      "runContinue items: out-of-stock",
      "rollback items: continue",
      "rollbackContinue items: ok",
      "rollback reserve: ok",
    ]);
  });

  test("undoes completed children when a later step fails", async () => {
    const world = new World();
    world.failing.add("ship");
    const order = world.order();
    const { launcher } = await start([order], patient);
    const execution = await launcher.launch(order, { items: ["A", "B"] }, { id: "o-1" });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "no-carrier" });
    expect(world.lines.slice(0, 5)).toEqual(["reserve", "pack A", "pack B", "ship", "call back"]);
    expect(world.lines.slice(5, 7).toSorted()).toEqual(["unpack A", "unpack B"]);
    expect(world.lines.slice(7)).toEqual(["free"]);
    expect(await launcher.execution("o-1/items/A").outcome()).toMatchObject({
      status: "rolledBack",
      reason: "no-carrier",
    });
  });

  test("undoes them one by one, the last one first, where it says so", async () => {
    const world = new World();
    world.failing.add("ship");
    const order = world.order({ undo: "one-by-one" });
    const { launcher } = await start([order], patient);
    const execution = await launcher.launch(order, { items: ["A", "B", "C"] });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });
    expect(world.lines.slice(-4)).toEqual(["unpack C", "unpack B", "unpack A", "free"]);
  });

  test("has at most so many children unsettled at a time as `concurrency` says", async () => {
    let unsettled = 0;
    let most = 0;
    const child = workflow("child", { input: z.object({ n: z.number() }) }).step("work", {
      run: () => {
        most = Math.max(most, ++unsettled);
        return pause({}, { timeout: "1m" });
      },
      onTimeout: () => void unsettled--,
    });
    const parent = workflow("parent", { input: z.object({}) }).forEach("work", child, {
      items: () => Array.from({ length: 10 }, (_, n) => ({ n })),
      concurrency: 3,
    });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {});
    const outcome = execution.outcome();
    await clock.advance("10m");
    expect(await outcome).toMatchObject({ status: "completed" });
    expect(most).toBe(3);
    const rows = await told(execution);
    expect(rows).toEqual(["run work: continue", "runContinue work: ok"]);
  });

  test("lets `join` decide where it settles, and undoes what had completed when that fails", async () => {
    const world = new World();
    world.failing.add("B");
    const order = world.order({
      onFailure: "settle",
      join: ({ children }: Joined) =>
        children.filter(({ status }) => status === "completed").length >= 2 ? { n: children.length } : fail("too-few"),
    });
    const { launcher } = await start([order], patient);
    const enough = await launcher.launch(order, { items: ["A", "B", "C"] });
    expect(await enough.outcome()).toMatchObject({ status: "completed", state: { n: 3 } });
    world.lines.length = 0;
    const few = await launcher.launch(order, { items: ["A", "B"] });
    expect(await few.outcome()).toMatchObject({ status: "rolledBack", reason: "too-few" });
    expect(world.lines).toContain("unpack A");
    expect(world.lines.at(-1)).toBe("free");
  });

  test("turns with its children when a rollback is requested while they are under way", async () => {
    const lines: string[] = [];
    const child = workflow("child", { input: z.object({ n: z.number() }) }).step("work", {
      messages: { done: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
      rollback: ({ state }) => void lines.push(`undo ${state.n}`),
    });
    const parent = workflow("parent", { input: z.object({}) }).forEach("work", child, {
      items: () => [{ n: 0 }, { n: 1 }, { n: 2 }],
    });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await launcher.execution("p/work/1").send("done", null);
    await clock.settle();
    expect(await statusOf(launcher, "p/work/1")).toBe("completed");
    expect(await execution.rollback("customer-left")).toMatchObject({ accepted: true });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "customer-left" });
    expect(lines.toSorted()).toEqual(["undo 0", "undo 1", "undo 2"]);
    expect(await launcher.execution("p/work/0").outcome()).toMatchObject({ reason: "customer-left" });
  });

  test("begins no further child once it turns: one that has not begun never does", async () => {
    const begun: number[] = [];
    const child = workflow("child", { input: z.object({ n: z.number() }) }).step("work", {
      messages: { done: z.null() },
      run: ({ state }) => (begun.push(state.n), pause()),
      onMessage: () => undefined,
    });
    const parent = workflow("parent", { input: z.object({}) }).forEach("work", child, {
      items: () => Array.from({ length: 5 }, (_, n) => ({ n })),
      concurrency: 2,
    });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await execution.rollback("enough");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });
    expect(begun).toEqual([0, 1]);
    expect(await statusOf(launcher, "p/work/3")).toBeUndefined();
  });

  test("waits for a child that is stuck, until an operator has mended it", async () => {
    let isBroken = true;
    const child = workflow("child", { input: z.object({}) })
      .step("work", {
        run: () => undefined,
        rollbackRetry: { attempts: 1 },
        rollback: () => {
          if (isBroken) throw new Error("down");
        },
      })
      .step("fails", { run: () => fail("no") });
    const parent = workflow("parent", { input: z.object({}) }).child("one", child, { input: () => ({}) });
    const { launcher, clock } = await start([parent], { ...patient });
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    expect(await statusOf(launcher, "p/one/0")).toBe("stuck");
    expect(await statusOf(launcher, "p")).toBe("waiting");
    isBroken = false;
    await launcher.execution("p/one/0").retry();
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
  });

  test("does not let others undo a completed child: its parent alone may", async () => {
    const world = new World();
    const order = world.order();
    const { launcher } = await start([order], patient);
    const execution = await launcher.launch(order, { items: ["A"] }, { id: "o-1" });
    await execution.outcome();
    expect(await launcher.execution("o-1/items/A").rollback("wrong")).toMatchObject({
      accepted: false,
      why: "belongs-to-parent",
      error: { code: "STEPWELL_BELONGS_TO_PARENT" },
    });
    expect(await execution.rollback("wrong")).toMatchObject({ accepted: true });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });
    expect(world.lines.filter((line) => line === "unpack A")).toHaveLength(1);
  });

  test("fails before anything has begun where an input is refused, and says which", async () => {
    const world = new World();
    const given: Record<string, unknown> = { A: "A", X: 7, odd: () => undefined, long: "A".repeat(2_000) };
    const order = world.order({
      items: ({ state }: { state: { items: string[] } }) => state.items.map((sku) => ({ sku: given[sku] })),
      key: undefined,
    });
    const loose = workflow("loose", { input: z.object({ sku: z.unknown() }) }).step("work", {
      run: () => void world.lines.push("pack loose"),
    });
    const free = workflow("free", { input }).forEach("items", loose, {
      items: ({ state }) => state.items.map((sku) => ({ sku: given[sku] })),
      key: ({ index }) => `${index}-th`,
    });
    const { launcher } = await start([order, free], { ...patient, sizeLimit: 1_024 });
    const refusedOf = async (parent: typeof order | typeof free, bad: string) => {
      const execution = await launcher.launch(parent, { items: ["A", bad, "A"] });
      const outcome = await execution.outcome();
      expect(outcome.status).toBe("rolledBack");
      expect((await execution.history()).map(({ step }) => step)).not.toContain("ship");
      return { reason: outcome.reason, ...("error" in outcome && { message: outcome.error?.message }) };
    };
    expect(await refusedOf(order, "X")).toEqual({
      reason: "STEPWELL_INVALID_INPUT",
      message: expect.stringMatching(
        /^Step "items": child "1" \(position 1\) is refused\. Nothing of it has begun\. The input of workflow "item" was refused by its schema: sku: /,
      ),
    });
    expect(await refusedOf(free, "odd")).toEqual({
      reason: "STEPWELL_NOT_ENCODABLE",
      message: expect.stringMatching(
        /^Step "items": child "1-th" \(position 1\) is refused\. Nothing of it has begun\. .*sku/,
      ),
    });
    expect(await refusedOf(free, "long")).toEqual({
      reason: "STEPWELL_TOO_LARGE",
      message: expect.stringMatching(
        /^Step "items": child "1-th" \(position 1\) is refused\. Nothing of it has begun\. The input is too/,
      ),
    });
    expect(world.lines.filter((line) => line.startsWith("pack"))).toEqual([]);
    expect((await launcher.list({ children: true })).executions.map(({ workflow: of }) => of).toSorted()).toEqual([
      "free",
      "free",
      "order",
    ]);
  });

  test("fails before anything has begun where two items have one key, and says which", async () => {
    const world = new World();
    const order = world.order();
    const { launcher } = await start([order], patient);
    const twice = await launcher.launch(order, { items: ["B", "A", "A"] });
    expect(await twice.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "STEPWELL_INVALID_CHILDREN",
      error: {
        message: `Step "items": items 1 and 2 have the key "A", and each child has its own. Nothing of it has begun.`,
      },
    });
    expect(world.lines).toEqual(["reserve", "free"]);
  });

  test("fails before anything has begun where a function that must answer at once gives back a promise", async () => {
    const world = new World();
    const later = () => Promise.reject(new Error("later"));
    for (const option of ["items", "key", "input"]) {
      const order = world.order({ [option]: later });
      const { launcher } = await start([order], patient);
      const execution = await launcher.launch(order, { items: ["A"] });
      expect(await execution.outcome(), option).toMatchObject({
        status: "rolledBack",
        reason: "STEPWELL_INVALID_CHILDREN",
        error: {
          message: `Step "items": "${option}" gave back a promise that nobody waits for: it must answer at once. Nothing of it has begun.`,
        },
      });
    }
    expect(world.lines.filter((line) => line.startsWith("pack"))).toEqual([]);
  });

  test("fails, and undoes what has completed, where `join` gives back a promise or nonsense", async () => {
    const world = new World();
    for (const [given, problem] of [
      [Promise.resolve({}), "a promise that nobody waits for"],
      [7, "a number"],
    ] as const) {
      world.lines.length = 0;
      const order = world.order({ join: () => given });
      const { launcher } = await start([order], patient);
      const execution = await launcher.launch(order, { items: ["A"] });
      expect(await execution.outcome(), problem).toMatchObject({
        status: "rolledBack",
        reason: "invalid-return-value",
        error: {
          code: "STEPWELL_INVALID_RETURN_VALUE",
          message: expect.stringContaining(`Step "items": "join" gave back ${problem}`),
        },
      });
      expect(world.lines).toEqual(["reserve", "pack A", "unpack A", "free"]);
    }
  });

  test("counts a child whose id somebody else has as rolled back", async () => {
    const world = new World();
    const order = world.order();
    const { launcher } = await start([order, world.item], patient);
    await (await launcher.launch(world.item, { sku: "other" }, { id: "o-1/items/B" })).outcome();
    const execution = await launcher.launch(order, { items: ["A", "B"] }, { id: "o-1" });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "child-id-taken" });
    expect(await statusOf(launcher, "o-1/items/B")).toBe("completed");
    expect(world.lines).not.toContain("unpack other");
  });

  test("asks `recover` once nothing of the children is left", async () => {
    const world = new World();
    world.failing.add("B");
    const order = world.order({ recover: ({ reason }: { reason: string }) => ({ packed: [reason] }) });
    const { launcher } = await start([order], patient);
    const execution: Execution = await launcher.launch(order, { items: ["A", "B"] });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { packed: ["out-of-stock"] } });
    expect(world.lines.slice(0, 1)).toEqual(["reserve"]);
    expect(world.lines.indexOf("unpack A")).toBeLessThan(world.lines.indexOf("ship"));
    expect(world.lines).toContain("unpack A");
  });

  test("asks `recover` once nothing of the children is left, also where `join` has failed the step", async () => {
    const world = new World();
    const order = world.order({
      join: () => fail("too-heavy", { patch: { weighed: true } }),
      recover: ({ reason }: { reason: string }) => ({ packed: [reason] }),
    });
    const { launcher } = await start([order], patient);
    const execution: Execution = await launcher.launch(order, { items: ["A", "B"] });
    const state = { packed: ["too-heavy"], weighed: true };
    expect(await execution.outcome()).toMatchObject({ status: "completed", state });
    for (const item of ["A", "B"]) expect(world.lines.indexOf(`unpack ${item}`)).toBeGreaterThan(0);
    expect(world.lines.at(-1)).toBe("ship");
  });

  test("fails with `timeout` where its deadline passes, children and all", async () => {
    const child = workflow("child", { input: z.object({}) }).step("work", {
      messages: { done: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
    });
    const parent = workflow("parent", { input: z.object({}) }).child("one", child, {
      input: () => ({}),
      deadline: "1h",
    });
    const { launcher, clock } = await start([parent], patient);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    const outcome = execution.outcome();
    await clock.advance("2h");
    expect(await outcome).toMatchObject({ status: "rolledBack", reason: "timeout" });
    expect(await launcher.execution("p/one/0").outcome()).toMatchObject({ status: "rolledBack" });
  });

  test("goes on where its launcher has died, whatever had been committed of it", async () => {
    const world = new World();
    const order = world.order();
    const { launcher, clock, store, another } = await start([order], patient);
    const execution = await launcher.launch(order, { items: ["A", "B", "C"] }, { id: "o-1" });
    await clock.settle();
    for (const id of ["o-1", "o-1/items/A"]) {
      const [record] = await store.load([id]);
      if (record !== undefined && record.owner !== null) await store.removeLaunchers([record.owner]);
    }
    const other = await another([order], patient);
    expect(await other.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
  });
});

/** A parent whose child waits for a message. */
const waiting = workflow("waiting", { input: z.object({}) }).child(
  "one",
  workflow("below", { input: z.object({}) }).step("wait", {
    messages: { go: z.null() },
    run: () => pause(),
    onMessage: () => undefined,
  }),
  { input: () => ({}) },
);

onEverySqlStore("a list of children that was damaged", (start) => {
  test("parks its own parent and holds up nobody else; once it is mended, a retry goes on with its children", async () => {
    const { launcher, clock, sql, errors } = await start([waiting], { pollInterval: "1s" });
    const [bad, good] = [
      await launcher.launch(waiting, {}, { id: "bad" }),
      await launcher.launch(waiting, {}, { id: "good" }),
    ];
    await clock.settle();
    const [kept] = (await sql("SELECT data FROM stepwell_lists WHERE id = 'bad/one'")) as { readonly data: string }[];
    await sql("UPDATE stepwell_lists SET data = 'no' WHERE id = 'bad/one'");
    for (const { id } of [bad, good]) await launcher.send(`${id}/one/0`, "go", null);
    await clock.advance("5s");
    expect(await good.outcome()).toMatchObject({ status: "completed" });
    expect(await bad.summary()).toMatchObject({ status: "stuck" });
    expect(await errorOf(bad.children())).toMatchObject({ code: "STEPWELL_NOT_DECODABLE", execution: "bad" });
    expect(errors).toMatchObject([{ code: "STEPWELL_EXECUTION_STUCK", execution: "bad" }]);
    expect(errors[0]!.message).toContain('The list "bad/one" of children of execution "bad" can\'t be read back');
    await bad.retry();
    await clock.advance("5s");
    expect(await bad.summary()).toMatchObject({ status: "stuck" });
    await sql(`UPDATE stepwell_lists SET data = '${kept!.data}' WHERE id = 'bad/one'`);
    await bad.retry();
    await clock.advance("5s");
    expect(await bad.outcome()).toMatchObject({ status: "completed" });
    expect((await launcher.list({ root: "bad" })).executions).toHaveLength(1);
  });

  test("parks its own parent on the way down too, and once it is mended, a retry undoes its children", async () => {
    const { launcher, clock, sql } = await start([waiting], { pollInterval: "1s" });
    const execution = await launcher.launch(waiting, {}, { id: "bad" });
    await clock.settle();
    const [kept] = (await sql("SELECT data FROM stepwell_lists")) as { readonly data: string }[];
    await sql("UPDATE stepwell_lists SET data = '{}'");
    const asked = execution.rollback("enough");
    await clock.advance("5s");
    expect(await asked).toMatchObject({ accepted: true });
    expect(await execution.summary()).toMatchObject({ status: "stuck" });
    await sql(`UPDATE stepwell_lists SET data = '${kept!.data}'`);
    await execution.retry();
    await clock.advance("5s");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "enough" });
    expect(await launcher.execution("bad/one/0").outcome()).toMatchObject({ status: "rolledBack" });
  });

  test("holds up nobody but its own parent where the store refuses to advance it beside others", async () => {
    const { launcher, clock, sql, errors } = await start([waiting], { pollInterval: "1s" });
    const ids = ["good-1", "bad", "good-2"];
    for (const id of ids) await launcher.launch(waiting, {}, { id });
    await clock.settle();
    await sql("ALTER TABLE stepwell_lists ADD COLUMN odd INTEGER CHECK (id <> 'bad/one' OR revision < 3)");
    // All of them wait to be advanced.
    await sql("UPDATE stepwell_lists SET marked = 1");
    for (const id of ids) await launcher.send(`${id}/one/0`, "go", null);
    await clock.advance("5s");
    for (const id of ["good-1", "good-2"])
      expect(await launcher.execution(id).outcome()).toMatchObject({ status: "completed" });
    expect(await launcher.execution("bad").summary()).toMatchObject({ status: "waiting" });
    expect(errors.map(({ message }) => message).join()).toMatch(/check constraint/i);
  });
});

/** They are kept in another form on PostgreSQL, which refuses what is no array. */
onEveryStore(
  "what can't be read of the inputs of children that have not begun",
  (start) => {
    test("leaves its parent waiting, names its list, and goes on once they are mended", async () => {
      const done: number[] = [];
      const child = workflow("child", { input: z.object({ n: z.number() }) }).step("wait", {
        messages: { go: z.null() },
        run: () => pause(),
        onMessage: ({ state }) => void done.push(state.n),
      });
      const parent = workflow("parent", { input: z.object({}) }).forEach("items", child, {
        items: () => [{ n: 0 }, { n: 1 }],
        concurrency: 1,
      });
      const { launcher, clock, sql, errors } = await start([parent], { pollInterval: "1s" });
      const execution = await launcher.launch(parent, {}, { id: "bad" });
      await clock.settle();
      const [kept] = (await sql("SELECT launches FROM stepwell_lines")) as { readonly launches: string }[];
      await sql("UPDATE stepwell_lines SET launches = 'no'");
      await launcher.send("bad/items/0", "go", null);
      await clock.advance("5s");
      expect(await execution.summary()).toMatchObject({ status: "waiting" });
      expect(errors.map(({ message }) => message).join()).toContain(
        'The list "bad/items" of children can\'t be advanced: ',
      );
      await sql(`UPDATE stepwell_lines SET launches = '${kept!.launches}'`);
      await clock.advance("5s");
      await launcher.send("bad/items/1", "go", null);
      expect(await execution.outcome()).toMatchObject({ status: "completed" });
      expect(done).toEqual([0, 1]);
    });
  },
  ["sqlite"],
);
