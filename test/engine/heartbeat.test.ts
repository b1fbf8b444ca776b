/** That a launcher says that it lives, whatever else its store keeps waiting. */
import { expect, test } from "vitest";
import { z } from "zod";
import { workflow, type Store } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const job = workflow("job", { input: z.object({}) }).step("work", {
  run: () => new Promise<undefined>(() => undefined),
});

/** Its answers to these questions never come. */
function silentOn(store: Store, ...methods: readonly (keyof Store)[]): Store {
  return new Proxy(store, {
    get(target, key) {
      if (methods.includes(key as keyof Store)) return () => new Promise(() => undefined);
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

onEveryStore("a heartbeat", (start) => {
  test.each(["bury", "overdue", "gates"] as const)("does not wait for the store's answer to %s", async (method) => {
    const { launcher, store, clock, another, errors } = await start([job]);
    await store.register({ host: "elsewhere", pid: 4711 });
    const slow = another([job], { store: silentOn(store, method) });
    await clock.advance("2s");
    const execution = await launcher.launch(job, {});
    await clock.advance("2m");
    expect(await execution.summary()).toMatchObject({ status: "running" });
    const { others } = await store.beat(await store.register({ host: "elsewhere", pid: 4712 }));
    expect(others.filter(({ silentMs }) => silentMs <= 3000)).toHaveLength(2);
    expect(errors).toEqual([]);
    void slow;
  });

  test("that is answered after its launcher has stopped brings it back to no life, and is no error", async () => {
    const { store, clock, another, errors } = await start([job]);
    let answer = (): void => undefined;
    let isHeld = false;
    const slow = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        if (key !== "beat" || !isHeld) return value.bind(target) as unknown;
        return async (owner: number) => {
          await new Promise<void>((resolve) => (answer = resolve));
          return store.beat(owner);
        };
      },
    });
    const leaves = await another([job], { store: slow });
    isHeld = true;
    await clock.advance("6s");
    await leaves.stop();
    answer();
    await clock.settle();
    expect(errors).toEqual([]);
    const { others } = await store.beat(await store.register({ host: "elsewhere", pid: 4712 }));
    expect(others).toHaveLength(1);
  });
});
