import { describe, expect, test } from "vitest";
import type { Clock } from "../../clock.js";
import { storeContract } from "../../testing/store-contract/index.js";
import { memoryStore } from "./memory-store.js";
import type { NewExecution } from "../batch.js";

describe("the memory store", () => {
  test.for(storeContract)("$name", async (it, { skip }) => {
    const why = it.skip(memoryStore());
    skip(why !== false, why || undefined);
    await expect(it.run((clock) => memoryStore({ clock }))).resolves.toBeUndefined();
  });

  test("says which cases do not concern it: it has all but transactions", () => {
    const skipped = storeContract.flatMap(({ skip }) => skip(memoryStore()) || []);
    expect(new Set(skipped)).toEqual(new Set(['the store has no "transactions"']));
  });

  test("keeps its data over close and open", async () => {
    const store = memoryStore();
    await store.open();
    const owner = await store.register({ host: "here", pid: 1 });
    const one = {
      id: "one",
      workflow: "sell",
      version: "1",
      tags: [],
      status: "running",
      owner,
    } as unknown as NewExecution;
    await store.write({ creates: [one], transitions: [], releases: [], arrivals: [] });
    await store.close();
    await store.open();
    expect(await store.load(["one"])).toMatchObject([{ id: "one", owner }]);
  });

  test("looks at each execution once when it prunes in batches, though the clock was set back meanwhile", async () => {
    let now = 1000;
    const store = memoryStore({ clock: { now: () => now } as Clock });
    await store.open();
    const owner = await store.register({ host: "here", pid: 1 });
    for (const [id, at] of Object.entries({ first: 1000, second: 500, third: 600, young: 2000 })) {
      now = at;
      const one = {
        id,
        workflow: "sell",
        version: "1",
        tags: [],
        position: {},
        status: "completed",
        owner,
      } as unknown as NewExecution;
      await store.write({ creates: [one], transitions: [], releases: [], arrivals: [] });
      const release = { id, owner, signals: 0, dueInMs: null, dead: [] };
      await store.write({ creates: [], transitions: [], releases: [release], arrivals: [] });
    }
    const seen: unknown[] = [];
    let after: string | null = null;
    do {
      const { counts, cursor } = await store.prune({ olderThanMs: { completed: 1000 }, limit: 1, after, dry: false });
      seen.push(counts);
      after = cursor;
    } while (after !== null);
    expect(seen).toEqual([{ completed: 1 }, { completed: 1 }, { completed: 1 }]);
    expect((await store.list({ limit: 10 })).records.map(({ id }) => id)).toEqual(["young"]);
  });

  test("refuses an option that does not exist", () => {
    const misspelt = { clok: undefined };
    expect(() => memoryStore(misspelt as object)).toThrow(expect.objectContaining({ code: "STEPWELL_UNKNOWN_OPTION" }));
  });

  test("does not let the mistake of a listener become the answer of a write", async () => {
    const store = memoryStore();
    await store.open();
    const heard: unknown[] = [];
    const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
    store.watch(() => {
      throw new Error("mistake");
    });
    store.watch((hint) => heard.push(hint));
    const one = {
      id: "one",
      workflow: "sell",
      version: "1",
      tags: [],
      owner: null,
      dueInMs: 0,
    } as unknown as NewExecution;
    const { creates } = await store.write({ creates: [one], transitions: [], releases: [], arrivals: [] });
    expect(creates).toEqual([{ created: true, owned: false }]);
    expect(heard).toEqual([{ type: "due", inMs: 0 }]);
    expect(await thrown).toMatchObject({ message: "mistake" });
  });
});
