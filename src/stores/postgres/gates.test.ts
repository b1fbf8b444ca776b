/** Several launchers at one gate, on connections of their own, without a virtual clock: as it is when they race. */
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { Encoded } from "../../values/encode.js";
import { entry, fromTexts, position } from "../../testing/store-contract/bench.js";
import type { Batch, NewExecution } from "../batch.js";
import type { Transition, HistoryEntry } from "../../execution/records.js";
import type { Store } from "../contract.js";
import { postgresStore } from "./index.js";

const nothing: Batch = {
  creates: [],
  transitions: [],
  releases: [],
  arrivals: [],
  subscriptions: [],
  publications: [],
};

const query = { gate: "sell", versions: ["1"], keyLimit: 2, rate: null };
const limit = 5;
const count = 120;

function waiting(id: string, key: string): NewExecution {
  return {
    ...{ id, workflow: "sell", version: "1", fingerprint: null, tags: [], status: "scheduled", position },
    ...{ state: Encoded.ofText("{}"), input: Encoded.ofText("{}") },
    ...{ owner: null, dueInMs: 0, deadlineInMs: null, carried: null },
    queue: { gate: "sell", key, rateKey: null, leadMs: 0 },
  };
}

const end = (id: string, owner: number): Transition => ({
  ...{ id, owner, revision: 1, signals: 0, status: "completed", position, state: null, rests: true, dueInMs: null },
  ...{ settled: [], ends: true, leaves: true, carried: null, history: fromTexts<HistoryEntry>(entry) },
});

/** Admits and works on what is due until all have ended. */
async function work(store: Store, ended: Set<string>, running: Map<string, string>, most: number[]): Promise<void> {
  const owner = await store.register({ host: "here", pid: 1 });
  while (ended.size < count) {
    const { revision, held, candidates } = await store.limits!.read({ ...query, limit: 20 });
    // Each chooses others, as if priorities had changed in between.
    const chosen = [...candidates.slice(3 * owner), ...candidates.slice(0, 3 * owner)];
    const ids: string[] = [];
    const byKey = new Map<string, number>();
    for (const { id, key, heldByKey } of chosen) {
      const has = byKey.get(key!) ?? heldByKey;
      if (held + ids.length >= limit || has >= query.keyLimit) continue;
      byKey.set(key!, has + 1);
      ids.push(id);
    }
    if (ids.length > 0) await store.limits!.admit({ gate: "sell", revision, ids, perMs: null });
    const { records } = await store.claim({ owner, limit: 2, workflows: [{ name: "sell", version: "1" }] });
    for (const { id } of records) running.set(id, id.split("-")[0]!);
    const keys = [...running.values()];
    most.push(keys.length);
    for (const key of keys) expect(keys.filter((it) => it === key).length).toBeLessThanOrEqual(query.keyLimit);
    // A while in which others can see what runs: until then all of it has its place.
    await store.load(records.map(({ id }) => id));
    for (const { id } of records) running.delete(id);
    const { transitions } = await store.write({ ...nothing, transitions: records.map(({ id }) => end(id, owner)) });
    expect(transitions).toEqual(records.map(() => "taken"));
    for (const { id } of records) ended.add(id);
  }
}

test("launchers that race never let in more than the limits allow, and leave nobody behind", async () => {
  const schema = freshSchema();
  const stores = [0, 1, 2, 3].map(() => postgresStore(postgresUrl(), { schema, connections: 2 }));
  onTestFinished(async () => void (await Promise.all(stores.map(async (store) => store.close()))));
  for (const store of stores) await store.open();
  const creates = Array.from({ length: count }, (_, index) => waiting(`k${index % 4}-${index}`, `k${index % 4}`));
  await stores[0]!.write({ ...nothing, creates });
  const ended = new Set<string>();
  const most: number[] = [];
  const running = new Map<string, string>();
  await Promise.all(stores.map(async (store) => work(store, ended, running, most)));
  expect(Math.max(...most)).toBeLessThanOrEqual(limit);
  expect(await stores[0]!.limits!.read({ ...query, limit: 9 })).toMatchObject({ held: 0, candidates: [] });
}, 60_000);
