import { expect, test } from "vitest";
import { z } from "zod";
import { again, didNotHappen, happened, pause, step, workflow, type AnyWorkflow } from "../../index.js";
import { transaction } from "../../stores/sqlite/index.js";
import { explore } from "./explore.js";
import { Participant } from "./participant.js";

const input = z.object({ sku: z.string() });
const order = { input: { sku: "book" } };

/** A step of a module of its own, which does one thing at the other side. */
function doing<const Name extends string>(bank: Participant, name: Name) {
  return step()(name, {
    run: async ({ idempotencyKey }) => {
      bank.do(name, idempotencyKey);
    },
    rollback: async ({ runKey }) => bank.undo(name, runKey),
  });
}

const eight = (bank: Participant) =>
  workflow("eight", { input })
    .step(doing(bank, "one"))
    .step(doing(bank, "two"))
    .step(doing(bank, "three"))
    .step(doing(bank, "four"))
    .step(doing(bank, "five"))
    .step(doing(bank, "six"))
    .step(doing(bank, "seven"))
    .step(doing(bank, "eight"));

const three = (bank: Participant) =>
  workflow("three", { input }).step(doing(bank, "one")).step(doing(bank, "two")).step(doing(bank, "three"));

const world = (): Participant => new Participant();

test("goes through all histories of a sound workflow, and counts them", async () => {
  const report = await explore(eight, { ...order, world });
  expect(report.histories).toBe(report.of);
  // At each call six things, at each commit three, a rollback, and a rewind to each step behind; the same at the end.
  expect(report.of).toBeGreaterThan(120);
  expect(report.cut).toBeGreaterThan(20);
  expect(report.notReached).toEqual([]);
  expect(report.text).toMatch(/^\d+ of \d+ histories, [\d.]+ s, \d+ of them cut short\.$/);
});

test("goes through all pairs", async () => {
  const two = (bank: Participant) => workflow("two", { input }).step(doing(bank, "one")).step(doing(bank, "two"));
  const [single, pairs] = [await explore(two, { ...order, world }), await explore(two, { ...order, world, depth: 2 })];
  expect(pairs.histories).toBe(pairs.of);
  expect(pairs.of).toBeGreaterThan(10 * single.of);
});

test("plays as much without what a world says of itself: then none is cut", async () => {
  const silent = (): { readonly bank: Participant; readonly more: object } => ({ bank: new Participant(), more: {} });
  const report = await explore(({ bank }: ReturnType<typeof silent>) => three(bank), { ...order, world: silent });
  expect(report.cut).toBe(0);
  expect(report.of).toBe((await explore(three, { ...order, world })).of);
});

test("takes a workflow with waits, messages, timeouts and a pivot", async () => {
  const make = (bank: Participant) =>
    workflow("paid", { input })
      .step(doing(bank, "reserve"))
      .step("pay", {
        timeout: "10s",
        retry: { attempts: 3, delay: "1s" },
        run: async ({ idempotencyKey }) => {
          bank.do("pay", idempotencyKey);
          return pause({}, { timeout: "1d" });
        },
        messages: { paid: z.object({ amount: z.number() }) },
        onMessage: ({ message }) => ({ amount: message.payload.amount }),
        rollback: async ({ runKey }) => bank.undo("pay", runKey),
      })
      .sleep("cool-off", "3d")
      .step("ship", {
        pivot: true,
        run: async ({ idempotencyKey }) => bank.do("ship", idempotencyKey),
        rollback: ({ runKey }) => bank.undo("ship", runKey),
      })
      .step(doing(bank, "bill"));
  const report = await explore(make, { ...order, world, messages: { paid: { amount: 3 } } });
  expect(report.histories).toBe(report.of);
  expect(report.of).toBeGreaterThan(80);
});

test("takes a probe that waits until a late effect can't come any more", async () => {
  const make = (bank: Participant) =>
    workflow("transfer", { input })
      .step("pay", {
        timeout: "10s",
        retry: { attempts: 3, delay: "1s" },
        run: async ({ idempotencyKey }) => {
          bank.do("pay", idempotencyKey);
        },
        probe: ({ idempotencyKey, polls }) => {
          if (bank.find("pay", idempotencyKey) !== undefined) return happened();
          return polls < 3 ? again({ after: "1m" }) : didNotHappen();
        },
        rollback: ({ runKey }) => bank.undo("pay", runKey),
      })
      .step("note", { run: () => ({ noted: true }), rollback: () => undefined });
  const report = await explore(make, {
    ...order,
    world: () => new Participant({ keys: false }),
    without: ["very-late-effects"],
  });
  expect(report.histories).toBe(report.of);
  expect(report.text).toContain("Left out: very-late-effects.");
});

test("takes children, and goes into them", async () => {
  const make = (bank: Participant) => {
    const item = workflow("item", { input: z.object({}) }).step(doing(bank, "pack"));
    return workflow("shop", { input })
      .step(doing(bank, "reserve"))
      .forEach("items", item, { items: () => [{}, {}] })
      .step(doing(bank, "bill"));
  };
  const report = await explore(make, { ...order, world });
  expect(report.histories).toBe(report.of);
  expect(report.of).toBeGreaterThan(60);
});

test("takes another version in the middle", async () => {
  const next = (bank: Participant) =>
    workflow("three", { input, version: "2" })
      .step(doing(bank, "one"))
      .step(doing(bank, "two"))
      .step(doing(bank, "three"))
      .step(doing(bank, "four"))
      .migrate("1", { move: ({ state }) => ({ state: state as { sku: string } }) });
  const alone = await explore(three, { ...order, world });
  const report = await explore(three, { ...order, world, next });
  expect(report.of).toBe(alone.of + 4);
});

test("changes the workflow for the worse, and says which changes the invariant has noticed", async () => {
  const report = await explore(three, { ...order, world, mutants: true });
  expect(report.mutants!.map(({ what, isFound }) => [what, isFound])).toEqual([
    ["the undo of one does nothing", true],
    ["the undo of one does nothing where its answer was lost", true],
    ["the undo of one uses another key", true],
    ["the undos of one and two are swapped", true],
    ["the undo of two does nothing", true],
    ["the undo of two does nothing where its answer was lost", true],
    ["the undo of two uses another key", true],
    ["the undos of two and three are swapped", true],
    ["the undo of three does nothing", true],
    ["the undo of three does nothing where its answer was lost", true],
    ["the undo of three uses another key", true],
  ]);
  expect(report.text).toContain("11 of 11 changes for the worse were noticed.");
});

test("says which change for the worse nobody has noticed", async () => {
  const deaf = (): { readonly snapshot: () => unknown } => ({ snapshot: () => null });
  const make = (): AnyWorkflow =>
    workflow("deaf", { input }).step("one", { run: () => undefined, rollback: () => undefined });
  const report = await explore(make, { ...order, world: deaf, mutants: true });
  expect(report.mutants!.every(({ isFound }) => !isFound)).toBe(true);
  expect(report.text).toContain("Not noticed: the undo of one does nothing.");
});

test("is not content where a step never ran", async () => {
  const make = (bank: Participant) =>
    workflow("gift", { input })
      .step(doing(bank, "reserve"))
      .step("wrap", { when: ({ state }) => state.sku === "gift", run: () => undefined, rollback: () => undefined });
  await expect(explore(make, { ...order, world })).rejects.toMatchObject({
    code: "STEPWELL_EXPLORED_TOO_LITTLE",
    message: expect.stringContaining("- wrap: it never ran") as string,
  });
  const report = await explore(make, { ...order, world, unreached: ["wrap"] });
  expect(report.notReached).toEqual([{ step: "wrap", situation: "it never ran" }]);
});

test("names what goes another way the second time", async () => {
  let launches = 0;
  const make = (bank: Participant) =>
    workflow("dice", { input })
      .step(doing(bank, "one"))
      .step("two", { when: () => launches++ % 2 === 0, run: () => undefined });
  await expect(explore(make, { ...order, world })).rejects.toMatchObject({
    code: "STEPWELL_NOT_DETERMINISTIC",
    message: expect.stringMatching(/point \d+ was "[^"]+", then "[^"]+"/) as string,
  });
});

test("ends where its budget ends, and says what was not covered", async () => {
  const report = await explore(three, { ...order, world, budget: { histories: 10 } });
  expect(report.histories).toBe(10);
  expect(report.notCovered).toMatch(/^\d+ histories in which one thing goes wrong$/);
});

test("plays random histories of more things that go wrong, others each time", async () => {
  const report = await explore(three, { ...order, world, random: 5 });
  expect(report.histories).toBeGreaterThan((await explore(three, { ...order, world })).of);
});

test("takes a step that an operator skips on the way down for one that has gone back, as its preview said", async () => {
  const history = [
    "commit of three: rollback requested",
    "undo of one: answers lost for good",
    "stuck at one: skipped",
  ];
  await expect(explore(three, { ...order, world, history })).resolves.toMatchObject({ histories: 1 });
});

test("waits for what a function really waits for", async () => {
  const make = (bank: Participant) =>
    workflow("real", { input }).step("one", {
      run: async ({ idempotencyKey }) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        bank.do("one", idempotencyKey);
      },
      rollback: ({ runKey }) => bank.undo("one", runKey),
    });
  const report = await explore(make, { ...order, world });
  expect(report.histories).toBe(report.of);
});

test.each<[string, unknown]>([
  ["is one", transaction(() => undefined)],
  ["gives one back", () => transaction(() => undefined)],
  ["gives one back later", async () => transaction(() => undefined)],
])("takes no step that %s: a transaction of a store, which the memory store does not have", async (_how, undo) => {
  const made = workflow("booked", { input }).step("book", { run: () => undefined, rollback: undo as () => undefined });
  await expect(explore(made, order)).rejects.toMatchObject({
    code: "STEPWELL_WRONG_STORE",
    workflow: "booked",
    step: "book",
    message: expect.stringContaining(`test such a step on the store that it is written for`) as string,
  });
});

test.each([
  [{ depht: 2 }, "STEPWELL_UNKNOWN_OPTION"],
  [{ depth: -1 }, "STEPWELL_INVALID_ARGUMENT"],
  [{ depth: 1.5 }, "STEPWELL_INVALID_ARGUMENT"],
  [{ random: "many" }, "STEPWELL_INVALID_ARGUMENT"],
  [{ without: ["weather"] }, "STEPWELL_INVALID_ARGUMENT"],
  [{ budget: { time: "soon" } }, "STEPWELL_INVALID_DURATION"],
  [{ history: ["one: explodes"] }, "STEPWELL_INVALID_ARGUMENT"],
  [{ history: ["nowhere: fails"] }, "STEPWELL_NOT_DETERMINISTIC"],
  [{ input: { sku: 7 } }, "STEPWELL_INVALID_INPUT"],
])("refuses %j", async (options, code) => {
  await expect(explore(three, { ...order, world, ...(options as object) })).rejects.toMatchObject({ code });
});
