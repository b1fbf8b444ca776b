/** What the desk tells of children, and what an act on many does to them. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, fail, workflow } from "../../src/index.js";
import type {
  ChildrenPage,
  Count,
  ExecutionsPage,
  Overview,
  WorkflowsView,
  WorkflowView,
} from "../../src/desk/index.js";
import { deskRig } from "../support/desk.js";
import { onEveryStore } from "../support/rig.js";
import { scene } from "../support/seen.js";

const input = z.object({ cents: z.number().default(1) });

/** Its undo fails, so that it gets stuck. */
const item = workflow("item", { input })
  .step("reserve", { run: () => ({}), rollback: () => fail("no-carrier") })
  .step("pack", { run: ({ state: { cents } }) => (cents === 1 ? fail("sold-out") : {}), rollback: () => ({}) });

const order = workflow("order", { input }).forEach("items", item, { items: () => [{ cents: 1 }, { cents: 2 }] });

/** Tried again and again. */
const call = workflow("call", { input }).step("call", {
  retry: { attempts: 50, delay: "1s", factor: 1 },
  run: () => {
    throw new Error("no answer");
  },
  rollback: () => ({}),
});

const round = workflow("round", { input }).child("call", call, { input: () => ({}) });

onEveryStore("the desk, of children", (start) => {
  test("a child that is stuck or struggles needs a person, and is counted, as any other execution", async () => {
    const { launcher, clock, store } = await start([order, round]);
    await launcher.launch(order, {}, { id: "o-1" });
    await launcher.launch(round, {}, { id: "r-1" });
    await clock.advance("10s");
    const { get, act } = deskRig(new Client({ store }));
    const { counts, stuck, struggling } = (await get<Overview>("overview")).body;
    expect(stuck.map(({ id }) => id)).toEqual(["o-1/items/0"]);
    expect(struggling.map(({ id }) => id)).toEqual(["r-1/call/0"]);
    expect(counts.stuck.count).toBe(1);
    const ids = async (query: Record<string, string>): Promise<string[]> =>
      (await get<ExecutionsPage>("executions", query)).body.executions.map(({ id }) => id).toSorted();
    expect(await ids({ status: "stuck" })).toEqual([]);
    expect(await ids({ status: "stuck", children: "true" })).toEqual(["o-1/items/0"]);
    expect(await ids({ children: "true" })).toEqual(["o-1", "o-1/items/0", "o-1/items/1", "r-1", "r-1/call/0"]);
    expect((await get<Count>("executions/count")).body.count).toBe(2);
    expect((await get<Count>("executions/count", { children: "true" })).body.count).toBe(5);
    expect((await get("executions", { children: "some" })).status).toBe(400);
    const { workflows } = (await get<WorkflowsView>("workflows")).body;
    expect(workflows.find(({ name }) => name === "item")).toMatchObject({ stuck: { count: 1 } });
    const { versions } = (await get<WorkflowView>("workflow", { name: "call" })).body;
    expect(versions).toMatchObject([{ inFlight: { count: 1 } }]);
    const dry = { dry: true, reason: "again" };
    const retried = await act("bulk-retry", { filter: { status: ["stuck"], children: true }, ...dry });
    expect(retried.body.bulk).toMatchObject({ matched: 1, accepted: 1 });
    // That children are chosen too chooses none of them.
    expect((await act("bulk-rollback", { filter: { children: true }, ...dry })).status).toBe(400);
    expect((await act("recall", { filter: { workflow: "item", children: true }, reason: "no" })).status).toBe(400);
  });

  test("the children of a step are told one by one, by page and by status, also below a child and before they begin", async () => {
    const leg = workflow("leg", { input }).forEach("items", item, {
      items: () => [2, 1, 2, 2, 2].map((cents) => ({ cents })),
      key: ({ index }) => `k${index}`,
      concurrency: 1,
    });
    const journey = workflow("journey", { input }).child("leg", leg, { input: () => ({}) });
    const { launcher, clock, store } = await start([journey]);
    await launcher.launch(journey, {}, { id: "j" });
    await clock.advance("5s");
    const { get } = deskRig(new Client({ store }));
    const at = { id: "j/leg/0", step: "items" };
    const asked = async (query: Record<string, string | number>): Promise<readonly [string[], number | null]> => {
      const { lines, next } = (await get<ChildrenPage>("execution/children", { ...at, ...query })).body;
      return [lines.map(({ key, status }) => `${key} ${status}`), next];
    };
    expect((await get<ChildrenPage>("execution/children", at)).body.group).toMatchObject({ count: 5, notBegun: 3 });
    expect(await asked({ limit: 2 })).toEqual([["k0 completed", "k1 stuck"], 2]);
    expect(await asked({ from: 2 })).toEqual([["k2 notBegun", "k3 notBegun", "k4 notBegun"], null]);
    expect(await asked({ status: "stuck" })).toEqual([["k1 stuck"], null]);
    expect(await asked({ status: "notBegun", limit: 1 })).toEqual([["k2 notBegun"], 3]);
    expect(await asked({ status: "notBegun", limit: 1, from: 3 })).toEqual([["k3 notBegun"], 4]);
    expect((await get("execution/children", { ...at, status: "lost" })).status).toBe(400);
    expect((await get("execution/children", { ...at, round: 1 })).status).toBe(404);
    expect((await get("execution/children", { ...at, step: "other" })).status).toBe(404);
  });

  test("an act on what is below one execution leaves all others alone, and a recall is not of children", async () => {
    const { launcher, clock, store } = await start([order]);
    await launcher.launch(order, {}, { id: "o-1" });
    await launcher.launch(order, {}, { id: "o-2" });
    await clock.advance("5s");
    const { get, act } = deskRig(new Client({ store }));
    const ids = async (query: Record<string, string>): Promise<string[]> =>
      (await get<ExecutionsPage>("executions", query)).body.executions.map(({ id }) => id).toSorted();
    expect(await ids({ root: "o-1" })).toEqual(["o-1/items/0", "o-1/items/1"]);
    expect(await ids({ root: "o-1", id: "o-1/items/1" })).toEqual(["o-1/items/1"]);
    expect(await ids({ root: "o-1", id: "o-2/items/1" })).toEqual([]);
    const filter = { root: "o-1", status: ["stuck"] as const };
    expect((await get<Count>("executions/count", { root: "o-1", status: "stuck" })).body.count).toBe(1);
    const dry = await act("bulk-retry", { filter, dry: true });
    expect(dry.body.bulk).toMatchObject({ matched: 1, accepted: 1 });
    expect((await act("bulk-retry", { filter, reason: "again", expected: 1 })).status).toBe(200);
    await clock.advance("5s");
    const retried = async (id: string): Promise<number> =>
      (await launcher.execution(id).history()).filter(({ result }) => result === "retried").length;
    expect(await Promise.all(["o-1/items/0", "o-2/items/0"].map(retried))).toEqual([1, 0]);
    const recall = await act("recall", { filter: { root: "o-1" }, reason: "wrong-price" });
    expect(recall).toMatchObject({ status: 400, body: { error: { code: "DESK_BAD_REQUEST" } } });
    expect(recall.body.error.message).toContain("launched by itself");
  });
});

test("of a long list as much is looked through in one request as is quick, and the answer says from where to look further", async () => {
  const long = workflow("long", { input: z.object({}) }).forEach("items", item, {
    items: () => Array.from({ length: 10_001 }, (_, index) => ({ cents: index === 0 ? 1 : 2 })),
    concurrency: 1,
  });
  const { launch, launcher, clock } = await scene([long]);
  await launch(long);
  await clock.advance("5s");
  const { get } = deskRig(launcher);
  const asked = async (from: number): Promise<ChildrenPage> =>
    (await get<ChildrenPage>("execution/children", { id: "e", step: "items", status: "stuck", from })).body;
  expect(await asked(0)).toMatchObject({ lines: [{ key: "0" }], next: 10_000, lookedAt: 10_000 });
  expect(await asked(10_000)).toMatchObject({ lines: [], next: null });
});
