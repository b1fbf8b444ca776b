/** What the command line says of trees of executions: who waits for whom, and which child needs a person. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { interrupted, stepwell, type Ended } from "../../test/support/command.js";
import { fail, Launcher, workflow } from "../index.js";
import { storeOn } from "./store.js";

const booking = workflow("booking", { input: z.object({ what: z.string() }) })
  .step("hold", {
    run: () => undefined,
    rollback: () => fail("the hotel is closed"),
    rollbackRetry: { attempts: 1 },
  })
  .step("pay", { run: ({ state }) => (state.what === "hotel in Pisa" ? fail("declined") : undefined) });

const leg = workflow("leg", { input: z.object({ city: z.string() }) }).forEach("bookings", booking, {
  items: ({ state: { city } }) => [{ what: `train to ${city}` }, { what: `hotel in ${city}` }],
  concurrency: 1,
});

const journey = workflow("journey", { input: z.object({ cities: z.array(z.string()) }) }).forEach("legs", leg, {
  items: ({ state }) => state.cities.map((city) => ({ city })),
  key: ({ item }) => item.city,
});

/** Its child fails again and again. */
const visit = workflow("visit", { input: z.object({}) }).child(
  "passport",
  workflow("passport", { input: z.object({}) }).step("ask", {
    run: () => {
      throw new Error("nobody answers");
    },
    retry: { attempts: 50, delay: "1ms", factor: 10, maxDelay: "1h", jitter: false },
  }),
  { input: () => ({}) },
);

/** Its children begin one after the other, and the first waits. */
const quiet = workflow("quiet", { input: z.object({}) }).forEach(
  "lists",
  workflow("asleep", { input: z.object({ name: z.string() }) }).sleep("night", "1d"),
  {
    items: () => [{ name: "first" }, { name: "second" }, { name: "third" }],
    key: ({ item }) => item.name,
    concurrency: 1,
  },
);

const hotel = "j/legs/Pisa/bookings/1";

let folder: string;
let launcher: Launcher;

/** A journey whose hotel in Pisa can't be undone, one that has completed, a visit whose passport is tried again and again, and one that sleeps. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stepwell-children-"));
  const store = await storeOn(join(folder, "trips.db"), undefined);
  launcher = new Launcher({
    store,
    workflows: [journey, visit, quiet],
    pollInterval: "50ms",
    onError: () => undefined,
  });
  await launcher.start();
  const until = async (isSo: () => Promise<boolean>) => vi.waitUntil(isSo, { timeout: 20_000 });
  await launcher.launch(journey, { cities: ["Bonn"] }, { id: "k" });
  await launcher.execution("k").outcome();
  await launcher.launch(journey, { cities: ["Rome", "Pisa"] }, { id: "j" });
  await launcher.launch(visit, {}, { id: "v" });
  await launcher.launch(quiet, {}, { id: "q" });
  await until(async () => (await launcher.list({ root: "v" })).executions.some(({ struggling }) => struggling));
  await until(async () => (await launcher.list({ root: "j", status: "stuck" })).executions.length === 1);
});

afterAll(async () => {
  await launcher.stop();
  await rm(folder, { recursive: true, force: true });
});

const run = (...words: string[]): Promise<Ended> => stepwell(folder, ...words, "--store", "trips.db");

const rows = async (...words: string[]): Promise<Record<string, unknown>[]> => {
  const lines = (await run(...words, "--json")).output.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
};

test("list says of each that waits, however far above, which child is stuck, with the command that looks at it", async () => {
  const { output } = await run("list", "--root", "j");
  expect(output).toMatch(
    /j\/legs\/Pisa +│ leg +│ waiting .* waits for a child that is stuck: stepwell show j\/legs\/Pisa\/bookings\/1 +│/,
  );
  expect(output).not.toMatch(/j\/legs\/Rome .*stuck/);
  expect((await run("list")).output).toMatch(/│ j +│ journey .* stepwell show j\/legs\/Pisa\/bookings\/1 +│/);
  const found = await rows("list", "--children");
  expect(new Map(found.flatMap(({ id, stuckBelow }) => (stuckBelow === undefined ? [] : [[id, stuckBelow]])))).toEqual(
    new Map([
      ["j", hotel],
      ["j/legs/Pisa", hotel],
    ]),
  );
});

test("show names the child that is stuck below, and why", async () => {
  const { output } = await run("show", "j");
  expect(output).toContain(`  ${hotel} is stuck at hold: declined: the hotel is closed\n  stepwell show ${hotel}\n`);
  expect(await rows("show", "j")).toMatchObject([{ id: "j", stuckBelow: hotel }]);
  expect((await run("show", "j/legs/Rome")).output).not.toContain("is stuck at");
});

test("children lists the children of an execution, also those that have not begun", async () => {
  const { code, output } = await run("children", "j/legs/Rome");
  expect(code).toBe(0);
  expect(output).toMatch(/bookings +│ 0 +│ 0 +│ completed +│ j\/legs\/Rome\/bookings\/0 +│/);
  const told = async (...words: string[]) =>
    (await rows("children", ...words)).map(({ step, key, id, status }) => [step, key, id, status]);
  expect(await told("q")).toEqual([
    ["lists", "first", "q/lists/first", "underWay"],
    ["lists", "second", "q/lists/second", "notBegun"],
    ["lists", "third", "q/lists/third", "notBegun"],
  ]);
  expect(await told("q", "lists", "--from", "1", "--limit", "1")).toEqual([
    ["lists", "second", "q/lists/second", "notBegun"],
  ]);
  expect((await run("children", "q", "--limit", "2")).errors).toMatch(/^There are more than 2\./);
  expect((await run("children", "q", "none")).output).toBe("No children.\n");
  expect(await run("children", "nobody")).toMatchObject({
    code: 1,
    errors: expect.stringMatching(/^error STEPWELL_EXECUTION_NOT_FOUND: /) as string,
  });
});

test("show of a child says whose child it is, and names the commands that find its children and its tree", async () => {
  const { output } = await run("show", "j/legs/Pisa");
  expect(output).toMatch(/^j\/legs\/Pisa {2}leg, version 1, child of j$/m);
  expect(output).toContain("\n  stepwell children j/legs/Pisa\n  stepwell list --root j\n");
  expect(await run("list", "--root", "j/legs/Pisa")).toMatchObject({
    code: 2,
    errors: expect.stringMatching(
      /^error STEPWELL_INVALID_ARGUMENT: .* is a child in the tree of "j"\. Give "j"/,
    ) as string,
  });
});

test("tail follows a tree, with the execution at its top, or children too", async () => {
  const tailed = async (ids: readonly string[], ...words: string[]) => {
    const has = (output: string) => ids.every((id) => output.includes(` ${id}  at `));
    return interrupted(folder, has, "tail", ...words, "--store", "trips.db");
  };
  const tree = await tailed(["j", "j/legs/Pisa", hotel], "--root", "j");
  expect(tree).toMatchObject({ code: 0, errors: "" });
  expect(tree.output).not.toMatch(/ (?:q|v) {2}at /);
  expect((await tailed(["q", "q/lists/first", hotel], "--children")).code).toBe(0);
});

test("list hints at children where nothing was found that was launched by itself", async () => {
  const hint = "There are children that fit. See them with --children.\n";
  expect(await run("list", "--status", "stuck")).toEqual({ code: 0, output: "No executions.\n", errors: hint });
  expect(await run("list", "--workflow", "booking", "--count")).toEqual({ code: 0, output: "0\n", errors: hint });
  expect((await run("list", "--status", "running")).errors).toBe("");
  expect((await run("list", "--status", "stuck", "--children")).output).toContain(hotel);
});

test("list says of one that has failed five times or more that it struggles", async () => {
  const { output } = await run("list", "--root", "v");
  expect(output).toMatch(/ v\/passport\/0 +│ passport +│ (?:scheduled|running), struggling +│ up +│ ask +│/);
});

test("doctor and stats count children that are stuck, and doctor those that struggle", async () => {
  const { output } = await run("doctor");
  expect(output).toMatch(/One execution is stuck: it needs a person\.\n +stepwell list --status stuck --children$/m);
  expect(output).toMatch(/tried again, such as "v\/passport\/0"\.\n +stepwell show v\/passport\/0$/m);
  expect(await rows("stats")).toMatchObject([
    { executions: { stuck: { count: 1 }, waiting: { count: 3 }, completed: { count: 1 } } },
  ]);
  expect((await run("stats")).output).toMatch(/stuck, children too +│ +1 │/);
  expect(await rows("stats", "--workflow", "booking")).toMatchObject([{ executions: { stuck: { count: 1 } } }]);
});

test("the command that the alert for stuck executions brings finds a child", async () => {
  const alerts = readFileSync(new URL("../../docs/monitoring/alerts.yaml", import.meta.url), "utf8");
  const [, command] = /alert: StepwellStuck\n[^]*?description: "stepwell ([^"]+)"/.exec(alerts)!;
  expect((await run(...command!.replace("{{ $labels.workflow }}", "booking").split(" "))).output).toContain(hotel);
});
