/** A bank without idempotency keys, and launchers that die at every point: no transfer is made twice, and none is lost. */
import { expect, test } from "vitest";
import { z } from "zod";
import { didNotHappen, fail, happened, Launcher, unknown, workflow } from "../../src/index.js";
import { Bank } from "../support/bank.js";
import { mortal } from "../support/dying.js";
import { onEveryStore, type Rig } from "../support/rig.js";

const input = z.object({});

/** How the execution goes, beside its deaths. */
interface Plan {
  /** So many transfers are made, and their answers are lost. */
  readonly lost: number;
  readonly turns?: "fails" | "asked";
}

const plans: Readonly<Record<string, Plan>> = {
  "all goes well": { lost: 0 },
  "the first answer is lost": { lost: 1 },
  "two answers are lost": { lost: 2 },
  "it fails in the end": { lost: 0, turns: "fails" },
  "an answer is lost, and it fails in the end": { lost: 1, turns: "fails" },
  "its rollback is requested": { lost: 1, turns: "asked" },
};

const retry = { attempts: 4, delay: "1s", jitter: false } as const;

function transfers(bank: Bank, plan: Plan, isProbed: boolean) {
  let lost = 0;
  const pay = (memo: string): string => {
    const { id } = bank.transfer(memo);
    if (lost++ < plan.lost) throw new Error("socket hang up");
    return id;
  };
  const take = (memo: string): void => {
    const made = bank.find(memo);
    if (made !== undefined) bank.refund(made.id);
  };
  const probe = <Given>(memo: string, given: (id: string) => Given) => {
    const made = bank.find(memo);
    return made === undefined ? didNotHappen() : happened(given(made.id));
  };
  return workflow("transfers", { input })
    .step("rent", {
      retry,
      run: ({ idempotencyKey }) => ({ rent: pay(idempotencyKey) }),
      probe: ({ idempotencyKey }) => (isProbed ? probe(idempotencyKey, (rent) => ({ rent })) : unknown()),
      inDoubt: isProbed ? "park" : "rerun",
      rollback: ({ runKey }) => take(runKey),
    })
    .step("power", {
      retry,
      run: ({ idempotencyKey }) => ({ power: pay(idempotencyKey) }),
      probe: ({ idempotencyKey }) => (isProbed ? probe(idempotencyKey, (power) => ({ power })) : unknown()),
      inDoubt: isProbed ? "park" : "rerun",
      rollback: ({ runKey }) => take(runKey),
    })
    .step("note", { run: () => (plan.turns === "fails" ? fail("no") : undefined), rollback: () => undefined });
}

/** The launcher of the rig has no part in it. */
const nobodys = workflow("nobodys", { input }).step("1", { run: () => undefined });

const often = { pollInterval: "2s", heartbeat: { interval: "5s", timeout: "20s" } } as const;

interface Told {
  readonly hasDied: boolean;
  /** Undefined: none. */
  readonly problem: string | undefined;
}

async function dies(
  { store, clock }: Rig,
  plan: Plan,
  last: number,
  when: "before" | "after",
  isProbed: boolean,
): Promise<Told> {
  const bank = new Bank();
  const steps = transfers(bank, plan, isProbed);
  const dead = mortal(store, last, when);
  const options = { workflows: [steps], onError: () => undefined, logger: silent, ...often };
  const id = `o-${last}-${when}-${isProbed}-${Object.values(plan).join("-")}`;
  const first = new Launcher({ store: dead.store, ...options });
  const launched = first.start().then(() => first.launch(steps, {}, { id }));
  launched.catch(() => undefined);
  await clock.advance(plan.turns === "asked" ? "500ms" : "10s");
  const second = new Launcher({ store, ...options });
  await second.start();
  const execution = await second.launch(steps, {}, { id });
  if (plan.turns === "asked") void execution.rollback("changed-my-mind").catch(() => undefined);
  await clock.advance("1m");
  const { status } = await execution.details();
  const [rent, power] = ["rent", "power"].map(
    (step) => bank.transfers.filter(({ memo }) => memo.includes(step)).length,
  );
  const hasDied = dead.isDead();
  const stopped = Promise.all([second.stop(), hasDied ? undefined : first.stop()]);
  await clock.advance("5s");
  await stopped;
  const expected = status === "completed" ? 1 : status === "rolledBack" ? 0 : undefined;
  const isRight = rent === expected && power === expected;
  return {
    hasDied,
    problem: isRight ? undefined : `${when} change ${last}: ${status}, ${rent} and ${power} transfers`,
  };
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const whens = ["before", "after"] as const;

onEveryStore(
  "transfers through a bank without idempotency keys, whose launcher dies at every point",
  (start) => {
    test.each(Object.keys(plans))("are made once or not at all, with a probe: %s", async (name) => {
      const rig = await start([nobodys], often);
      let last = 0;
      for (let hasDied = true; hasDied;) {
        last++;
        for (const when of whens) {
          const told = await dies(rig, plans[name]!, last, when, true);
          expect(told.problem).toBeUndefined();
          hasDied = told.hasDied;
        }
      }
      expect(last).toBeGreaterThan(3);
    });

    test("are made twice without a probe: what shows that the others can fail", async () => {
      const rig = await start([nobodys], often);
      const problems: string[] = [];
      for (const name of ["all goes well", "the first answer is lost"]) {
        for (let last = 1; last < 6; last++) {
          for (const when of whens) {
            const { problem } = await dies(rig, plans[name]!, last, when, false);
            if (problem !== undefined) problems.push(problem);
          }
        }
      }
      expect(problems.join("\n")).toContain("completed, 2 and 1 transfers");
      expect(problems.join("\n")).toContain("completed, 1 and 2 transfers");
    });
  },
  ["memory"],
);

/** Each change costs time here, so each run tries some of them, others each time. */
onEveryStore(
  "transfers through a bank without idempotency keys, whose launcher dies at some point",
  (start) => {
    test("are made once or not at all, with a probe", async () => {
      const rig = await start([nobodys], often);
      for (const plan of Object.values(plans)) {
        const last = 1 + Math.floor(Math.random() * 10);
        const when = whens[Math.floor(Math.random() * 2)]!;
        expect((await dies(rig, plan, last, when, true)).problem).toBeUndefined();
      }
    });
  },
  ["sqlite", "postgres"],
);
