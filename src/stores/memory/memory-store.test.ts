import { describe, expect, test } from "vitest";
import { storeContract } from "../../testing/store-contract/index.js";
import { memoryStore } from "./memory-store.js";
import type { NewExecution } from "../batch.js";

describe("the memory store", () => {
  test.each(storeContract)("$name", async ({ run }) => {
    await expect(run((clock) => memoryStore({ clock }))).resolves.toBeUndefined();
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
