/** That a launcher says that it lives, whatever else its store keeps waiting. */
import type { Beat, Store } from "../../src/stores/contract.js";
import { through } from "../../src/testing/faults/through.js";
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { z } from "zod";
import { workflow } from "../../src/index.js";
import { ownIdentity } from "../../src/worker/process-identity.js";
import { onEveryStore } from "../support/rig.js";

const job = workflow("job", { input: z.object({}) }).step("work", {
  run: () => new Promise<undefined>(() => undefined),
});

const never = new Promise<never>(() => undefined);

/** Its answers to such questions never come. */
const silences: readonly [string, (store: Store) => Store][] = [
  ["to remove the dead", (store) => through(store, (call) => call, { removeLaunchers: () => never })],
  [
    "to say what waits",
    (store) => through(store, (call) => call, { beat: (owner, overdueForMs) => beatOnly(store, owner, overdueForMs) }),
  ],
];

async function beatOnly(store: Store, owner: number, overdueForMs: number | undefined): Promise<Beat> {
  const beaten = await store.beat(owner);
  return overdueForMs === undefined ? beaten : never;
}

onEveryStore("a heartbeat", (start) => {
  test.each(silences)("does not wait for a store that it asks %s", async (_, silent) => {
    const { launcher, store, clock, another, errors } = await start([job]);
    await store.register({ host: "elsewhere", pid: 4711 });
    const slow = another([job], { store: silent(store) });
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
    const held: Store["beat"] = async (owner, overdueForMs) => {
      if (isHeld) await new Promise<void>((resolve) => (answer = resolve));
      return store.beat(owner, overdueForMs);
    };
    const slow = through(store, (call) => call, { beat: held });
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

  test("that two in a row of a process are missed is when another one of its machine looks whether it is gone, and not sooner", async () => {
    const { store, clock, another } = await start([job]);
    await another([job]);
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const ended = await store.register({ host: ownIdentity().host, pid });
    const asks = await store.register({ host: "elsewhere", pid: 4712 });
    const isThere = async (): Promise<boolean> => (await store.beat(asks)).others.some(({ owner }) => owner === ended);
    await clock.advance("6s");
    expect(await isThere()).toBe(true);
    // Before its silence is longer than the timeout of ten.
    await clock.advance("3.5s");
    expect(await isThere()).toBe(false);
  });
});
