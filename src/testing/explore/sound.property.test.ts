/**
 * Whatever a workflow is made of, where each of its steps is right, no history of it is wrong. Each time there are others:
 * `SOUND_RUNS=200` plays more workflows, `SOUND_SEED` the same again.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { again, didNotHappen, fail, happened, pause, workflow, type AnyWorkflow } from "../../index.js";
import { explore } from "./explore.js";
import { Participant } from "./participant.js";

const kinds = [
  ...["plain", "sync", "slow", "tried", "fails", "recovers", "irreversible", "over", "polls"],
  ...["waits", "asks", "sleeps", "waits-down", "completes", "child", "parallel", "each", "probed", "keyless"],
] as const;
type Kind = (typeof kinds)[number];

const plan = fc.record({
  steps: fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 4 }),
  pivot: fc.option(fc.nat(4), { freq: 4 }),
  deadline: fc.option(fc.constantFrom("1m", "2d"), { freq: 5 }),
  undoFor: fc.option(fc.constantFrom("0s", "1d"), { freq: 5 }),
  next: fc.boolean(),
  pair: fc.nat(9).map((nth) => nth === 0),
});

type Plan = typeof plan extends fc.Arbitrary<infer Value> ? Value : never;

interface World {
  readonly keyed: Participant;
  readonly keyless: Participant;
}

interface Context {
  readonly idempotencyKey: string;
  readonly runKey: string;
  readonly polls: number;
}

interface Loose extends AnyWorkflow {
  step(name: string, options: object): Loose;
  sleep(name: string, time: string): Loose;
  waitFor(name: string, messages: object, options: object): Loose;
  child(name: string, child: AnyWorkflow, options: object): Loose;
  parallel(name: string, children: object, options: object): Loose;
  forEach(name: string, child: AnyWorkflow, options: object): Loose;
  migrate(older: string, options: object): Loose;
}

const input = z.object({});
const begun = (name: string, options: object = {}): Loose => workflow(name, { input, ...options }) as never;

function optionsOf(kind: Kind, name: string, { keyed, keyless }: World): object {
  const run = async ({ idempotencyKey }: Context): Promise<object> => ({
    [name]: keyed.do(name, idempotencyKey, name),
  });
  const rollback = async ({ runKey }: Context): Promise<void> => keyed.undo(name, runKey);
  const thrice = { retry: { attempts: 3, delay: "1s" } };
  const waits = {
    run: async (context: Context) => pause(await run(context), { timeout: "1h" }),
    messages: { go: z.null() },
    rollback,
  };
  const probe = ({ idempotencyKey, polls }: Context): unknown => {
    if (keyless.find(name, idempotencyKey) !== undefined) return happened({ [name]: name });
    return polls < 3 ? again({ after: "1m" }) : didNotHappen();
  };
  switch (kind) {
    case "sync":
      return {
        run: ({ idempotencyKey }: Context) => ({ [name]: keyed.do(name, idempotencyKey, name) }),
        rollback: ({ runKey }: Context) => keyed.undo(name, runKey),
      };
    case "slow":
      return { run, rollback, timeout: "10s" };
    case "tried":
      return { run, rollback, timeout: "10s", ...thrice, rollbackRetry: { attempts: 2, delay: "1s" } };
    case "fails":
      return { run: async (context: Context) => (await run(context), fail("no")), rollback };
    case "recovers":
      return { run: () => fail("no"), recover: () => ({}) };
    case "irreversible":
      return { run, irreversible: "It is gone." };
    case "over":
      return { when: () => false, run, rollback };
    case "polls":
      return {
        run: async (context: Context) => (context.polls < 2 ? again(await run(context), { after: "1m" }) : undefined),
        rollback,
      };
    case "waits":
      return { ...waits, onMessage: () => undefined };
    case "asks":
      return { ...waits, onMessage: () => undefined, onTimeout: () => undefined };
    case "waits-down":
      return {
        run,
        rollback: async (context: Context) => (await rollback(context), pause(undefined, { timeout: "1h" })),
        rollbackMessages: { gone: z.null() },
        onRollbackMessage: () => undefined,
      };
    case "probed":
      return {
        ...{ timeout: "10s", ...thrice, probe },
        run: async ({ idempotencyKey }: Context) => ({ [name]: keyless.do(name, idempotencyKey, name) }),
        rollback: async ({ runKey }: Context) => keyless.undo(name, runKey),
      };
    case "keyless":
      // Nobody can say what became of it: it is looked at by a person.
      return {
        inDoubt: "park",
        run: async ({ idempotencyKey }: Context) => ({ [name]: keyless.do(name, idempotencyKey, name) }),
        rollback: async ({ runKey }: Context) => keyless.undo(name, runKey),
      };
    default:
      return { run, rollback };
  }
}

function made({ steps, pivot, deadline, undoFor }: Plan, world: World, version = "1"): AnyWorkflow {
  let order = begun("order", { version, ...(deadline !== null && { deadline }), ...(undoFor !== null && { undoFor }) });
  for (const [index, drawn] of steps.entries()) {
    // What always fails behind a point of no return is no workflow that is right.
    const kind = drawn === "fails" && pivot !== null && index > pivot ? "plain" : drawn;
    const name = `${kind}-${index}`;
    const point = index === pivot && !["irreversible", "recovers"].includes(kind) ? { pivot: true } : {};
    const child = begun(`part-${name}`).step(`pack-${name}`, optionsOf("plain", `pack-${name}`, world));
    if (kind === "sleeps") order = order.sleep(name, "3d");
    else if (kind === "completes") order = order.step(name, { ...optionsOf("plain", name, world), ...point });
    else if (kind === "child") order = order.child(name, child, { input: () => ({}) });
    else if (kind === "parallel")
      order = order.parallel(name, { one: child, other: child }, { input: () => ({ one: {}, other: {} }) });
    else if (kind === "each") order = order.forEach(name, child, { items: () => [{}, {}], concurrency: 1 });
    else order = order.step(name, { ...optionsOf(kind, name, world), ...point });
  }
  return order;
}

const { SOUND_RUNS, SOUND_SEED } = process.env;

test("no history of a workflow is wrong whose steps are right", async () => {
  const property = fc.asyncProperty(plan, async (it) => {
    const world = (): World => ({ keyed: new Participant(), keyless: new Participant({ keys: false }) });
    const report = await explore((of: World) => made(it, of), {
      ...{ input: {}, world, messages: { go: null, gone: null } },
      ...(it.next && { next: (of: World) => (made(it, of, "2") as Loose).migrate("1", {}) }),
      without: ["very-late-effects"],
      ...(it.pair && it.steps.length < 3 && { depth: 2, budget: { histories: 1500 } }),
      random: 5,
    });
    expect(report.histories).toBeGreaterThan(1);
  });
  await fc.assert(property, {
    numRuns: Number(SOUND_RUNS ?? 5),
    ...(SOUND_SEED !== undefined && { seed: Number(SOUND_SEED) }),
    // Shrinking takes time, too; so many seconds are for each run of all tests.
    interruptAfterTimeLimit: SOUND_RUNS === undefined ? 20_000 : 10 * 60_000,
  });
}, 3_600_000);
