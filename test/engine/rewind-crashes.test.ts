/** Rewinds whose launcher dies at the worst moment: no effect is lost, none doubled, and none stands under another round's key. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Launcher, pause, workflow, type Execution } from "../../src/index.js";
import { mortal } from "../support/dying.js";
import { onEveryStore, type Rig } from "../support/rig.js";

const names = ["pay", "ship", "bill"] as const;

/** What stands out there, by the key under which it was asked for: a participant that takes each key once. */
class Ledger {
  readonly standing = new Map<string, number>();
  readonly problems: string[] = [];

  do(key: string): void {
    if (this.standing.get(key) === 0) this.problems.push(`${key} is done after it was undone`);
    this.standing.set(key, 1);
  }

  undo(key: string): void {
    this.standing.set(key, 0);
  }

  get keys(): string[] {
    return [...this.standing].flatMap(([key, stands]) => (stands === 1 ? [key] : [])).toSorted();
  }
}

function orderOf(ledger: Ledger) {
  const item = workflow("item", { input: z.object({}) }).step("pack", doing(ledger));
  const start = workflow("order", { input: z.object({}) });
  return start
    .step("pay", doing(ledger))
    .step("ship", doing(ledger))
    .forEach("items", item, { items: () => [{}, {}] })
    .step("bill", doing(ledger))
    .step("stay", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
}

function doing(ledger: Ledger) {
  return {
    run: ({ idempotencyKey }: { idempotencyKey: string }) => {
      ledger.do(idempotencyKey);
      return { last: idempotencyKey };
    },
    rollback: ({ runKey }: { runKey: string }): void => ledger.undo(runKey),
  };
}

const often = { pollInterval: "2s", heartbeat: { interval: "5s", timeout: "20s" } } as const;

type Ask = (execution: Execution) => Promise<{ readonly accepted: boolean }>;

const asks: Readonly<Record<string, Ask>> = {
  "to its second step": (execution) => execution.rewind({ to: "ship", reason: "again", by: "ada" }),
  "to its first step": (execution) => execution.rewind({ to: "pay", reason: "again", by: "ada", patch: {} }),
};

/** Asked, and then its launcher dies right after change number `last`; another one goes on. False: there were not so many changes. */
async function dies({ store, clock }: Rig, ask: Ask, last: number, isTakenOver: boolean, id: string): Promise<boolean> {
  const ledger = new Ledger();
  const order = orderOf(ledger);
  const options = { workflows: [order], onError: () => undefined, ...often };
  const before = new Launcher({ store, ...options });
  await before.start();
  const launched = await before.launch(order, {}, { id });
  await clock.advance("5s");
  expect((await launched.summary()).status).toBe("waiting");
  const stopped = before.stop();
  await clock.advance("1s");
  await stopped;
  const dead = mortal(store, last);
  const first = new Launcher({ store: dead.store, ...options });
  await first.start().catch(() => undefined);
  // Who asks may die with it: the request counts where it was stored.
  void ask(first.execution(id)).catch(() => undefined);
  await clock.advance("1s");
  const second = new Launcher({ store, ...options });
  await second.start();
  await clock.advance("30s");
  const execution = second.execution(order, id);
  if (!(await execution.history()).some(({ backTo }) => backTo !== undefined)) await ask(execution);
  if (isTakenOver) await execution.rollback("customer");
  await clock.advance("30s");
  const { status, flow } = await execution.summary();
  const rows = await execution.history();
  const { backTo } = rows.find((row) => row.backTo !== undefined)!;
  const from = names.indexOf(backTo as (typeof names)[number]);
  const keysOf = (step: string): string => `${id}/${step}/run${names.indexOf(step as "pay") >= from ? "@1" : ""}`;
  const packed = [0, 1].map((key) => `${encodeURIComponent(`${id}/items~r1/${key}`)}/pack/run`);
  const expected = isTakenOver ? [] : [...names.map(keysOf), ...packed].toSorted();
  expect({ status, round: flow.round, stands: ledger.keys, problems: ledger.problems }, `after change ${last}`).toEqual(
    {
      ...{ status: isTakenOver ? "rolledBack" : "waiting", round: 1, stands: expected, problems: [] },
    },
  );
  if (!isTakenOver) expect(await execution.state()).toEqual({ last: keysOf("bill") });
  const over = Promise.all([second.stop(), dead.isDead() ? undefined : first.stop()]);
  await clock.advance("5s");
  await over;
  return dead.isDead();
}

const nobodys = workflow("nobodys", { input: z.object({}) }).step("1", { run: () => undefined });

onEveryStore(
  "a rewind whose launcher dies after any change",
  (start) => {
    test.each(Object.keys(asks))(
      "goes back and up again, each step undone once and done once more: %s",
      async (name) => {
        const rig = await start([nobodys], often);
        let last = 1;
        while (await dies(rig, asks[name]!, last, last % 2 === 0, `o-${last}`)) last++;
        expect(last).toBeGreaterThan(10);
      },
      120_000,
    );
  },
  ["memory"],
);

/** Each change costs time here, so each run tries some of them, others each time. */
onEveryStore(
  "a rewind whose launcher dies after some change",
  (start) => {
    test("goes back and up again, each step undone once and done once more", async () => {
      const rig = await start([nobodys], often);
      for (const [name, ask] of Object.entries(asks)) {
        const last = 1 + Math.floor(Math.random() * 20);
        expect(await dies(rig, ask, last, Math.random() < 0.5, `${ask.length}-${last}-${name.length}`)).toBeTypeOf(
          "boolean",
        );
      }
    }, 120_000);
  },
  ["sqlite", "postgres"],
);
