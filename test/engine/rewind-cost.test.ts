/** What a rewind costs: one row for each step that is undone and done again and one for the request, and its own history is read once. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, Launcher, workflow } from "../../src/index.js";
import { through } from "../../src/testing/faults/through.js";
import type { Store } from "../../src/stores/contract.js";
import { onEveryStore } from "../support/rig.js";

const doing = {
  run: ({ idempotencyKey }: { readonly idempotencyKey: string }) => ({ last: idempotencyKey }),
  rollback: (): void => undefined,
};

const long = workflow("long", { input: z.object({}) })
  .step("1", doing)
  .step("2", doing)
  .step("3", doing)
  .step("4", doing)
  .step("5", doing)
  .step("6", doing);

const steps = ["1", "2", "3", "4", "5", "6"] as const;

const nobodys = workflow("nobodys", { input: z.object({}) }).step("1", { run: () => undefined });

interface Counted {
  readonly store: Store;
  /** How often each method that reads one execution, or what belongs to it, was called. */
  readonly reads: Map<string, number>;
  rows: number;
}

function counted(store: Store): Counted {
  const reads = new Map<string, number>();
  const count = (call: (...given: unknown[]) => unknown, name: string) => {
    return (...given: unknown[]): unknown => {
      if (name === "write") it.rows += (given[0] as Parameters<Store["write"]>[0]).transitions.length;
      if (["load", "history", "mail", "list", "lists.of"].includes(name)) reads.set(name, (reads.get(name) ?? 0) + 1);
      return call(...given);
    };
  };
  const it: Counted = { store: through(store, count), reads, rows: 0 };
  return it;
}

onEveryStore("a rewind", (start) => {
  test("writes a row for each step that is undone and done again, and one for the request, and reads its history once", async () => {
    const { store, clock } = await start([nobodys]);
    const cost = counted(store);
    const launcher = new Launcher({ store: cost.store, workflows: [long] });
    await launcher.start();
    const client = new Client({ store });
    const execution = await client.launch(long, {}, { id: "e" });
    await clock.advance("5s");
    expect((await execution.summary()).status).toBe("completed");
    for (const [round, to] of [3, 0, 5].entries()) {
      const before = (await execution.summary()).revision;
      cost.rows = 0;
      cost.reads.clear();
      const rewinding = execution.rewind({ to: steps[to]!, reason: "again", by: "ada" });
      await clock.advance("5s");
      expect(await rewinding).toEqual({ accepted: true });
      const { status, revision, flow } = await execution.summary();
      expect([status, flow.round]).toEqual(["completed", round + 1]);
      const undone = steps.length - to;
      expect(revision - before).toBe(2 * undone + 1);
      expect(cost.rows).toBe(2 * undone + 1);
      // The request, where the execution stands, and what its steps gave.
      expect(Object.fromEntries(cost.reads)).toEqual({ mail: 1, load: 1, history: 1 });
    }
    await client.stop();
    await launcher.stop();
  });
});
