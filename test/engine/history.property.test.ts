/** Whatever a workflow does, its history tells every state that it had. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { complete, fail, observer, pause, workflow, type AnyWorkflow, type Observer } from "../../src/index.js";
import { onEveryStore, type Rig } from "../support/rig.js";
import { Witness } from "../support/witness.js";

const leaf = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.string({ unit: "binary", maxLength: 3 }),
  fc.constantFrom(undefined, null, true, Number.NaN, -0, Infinity),
  fc.bigInt({ min: 0n, max: 3n }),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 2 }),
);
const value = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 2 }),
  fc.dictionary(fc.constantFrom("x", "y"), leaf, { maxKeys: 2, noNullPrototype: true }),
  fc.array(fc.tuple(leaf, leaf), { maxLength: 2 }).map((pairs) => new Map(pairs)),
  fc.array(leaf, { maxLength: 2 }).map((items) => new Set(items)),
);
const patch = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "toString"), value, {
  maxKeys: 3,
  noNullPrototype: true,
});
const gift = fc.option(patch, { nil: undefined });

const often = Array<string>(7).fill("give");

/** What a function of a step does each time it is called; `given` is what it gives. */
const doing = fc.record({
  kind: fc.constantFrom(...often, "pause", "fail", "complete", "throw", "hang", "large"),
  given: gift,
  /** What its handler gives. */
  answer: gift,
});
const undoing = fc.record({
  kind: fc.constantFrom(...often, "pause", "fail", "throw", "hang", "large"),
  given: gift,
  answer: gift,
});
type Deed = { readonly kind: string; readonly given: object | undefined; readonly answer: object | undefined };

/** What a guard says each time it is asked; rarely no. */
const answers = fc.infiniteStream(
  fc.oneof(
    { weight: 20, arbitrary: gift },
    { weight: 1, arbitrary: gift.map((it) => fail("vetoed", { ...(it && { patch: it }) })) },
  ),
);
const guards = fc.record({
  on: fc.subarray(["init", "beforeStep", "afterStep", "startRollback", "success", "failure"]),
  answers,
});

const plan = fc.record({
  input: patch,
  isTransformed: fc.boolean(),
  from: fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.record({ index: fc.nat(2), state: patch }) },
  ),
  steps: fc.array(fc.record({ up: doing, down: undoing }), { minLength: 1, maxLength: 3 }),
  guards: fc.array(guards, { maxLength: 2 }),
  operator: fc.infiniteStream(fc.record({ isSkip: fc.boolean(), given: gift })),
  isRolledBack: fc.boolean(),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

const sizeLimit = 4000;

/** What hangs is cut off by the death of its launcher; what throws does so at its first attempt. */
function act({ kind, given }: Deed, attempt: number): unknown {
  switch (kind) {
    case "pause":
      return pause(given);
    case "fail":
      return fail("no", { ...(given !== undefined && { patch: given }) });
    case "complete":
      return complete(given);
    case "large":
      return { ...given, text: "x".repeat(sizeLimit) };
    case "throw":
      if (attempt === 1) throw new Error("once");
      return given;
    case "hang":
      return attempt === 1 ? new Promise<never>(() => undefined) : given;
    default:
      return given;
  }
}

let count = 0;

function built({ steps, guards, isTransformed }: Plan, witness: Witness): AnyWorkflow {
  const schema = z.looseObject({});
  const input = isTransformed ? schema.transform((it) => ({ ...it, made: new Date(7) })) : schema;
  const messages = { go: z.null() };
  let flow = workflow(`random-${++count}`, { input: input as typeof schema }) as never as {
    step(name: string, options: object): typeof flow;
    observe(...observers: Observer[]): AnyWorkflow;
  };
  for (const [index, { up, down }] of steps.entries()) {
    flow = flow.step(`step-${index}`, {
      ...{ messages, rollbackMessages: messages, retry: { attempts: 2, delay: 0 } },
      ...{ rollbackRetry: { attempts: 2, delay: 0 } },
      run: ({ attempt }: { attempt: number }) => act(up, attempt),
      onMessage: () => up.answer,
      rollback: ({ attempt }: { attempt: number }) => act(down, attempt),
      onRollbackMessage: () => down.answer,
    });
  }
  const asked = guards.map(({ on, answers }, index) => {
    const answer = (): unknown => answers.next().value;
    const callbacks = Object.fromEntries([...on, "init"].map((name) => [name, answer]));
    return observer({ name: `guard-${index}`, guard: true, ...callbacks });
  });
  return flow.observe(...asked, witness.observer);
}

/** Does to the execution whatever it needs to come to its end. Gives back how it ended. */
async function brought(rig: Rig, { operator, isRolledBack }: Plan, id: string): Promise<string> {
  const { clock, store, launcher } = rig;
  const execution = launcher.execution(id);
  let back = isRolledBack;
  for (let turns = 0; turns < 60; turns++) {
    await clock.settle();
    const { status } = await execution.summary();
    if (status === "rolledBack" || (status === "completed" && !back)) return status;
    if (status === "completed") {
      back = false;
      await execution.rollback("returned");
    } else if (status === "stuck") {
      const { isSkip, given } = operator.next().value!;
      const options = given === undefined ? {} : { patch: given };
      await (isSkip || turns > 20 ? execution.skip("by hand", options) : execution.retry(options));
    } else if (status === "waiting") await execution.send("go", null);
    else {
      // It hangs: its launcher is declared dead, and takes it up again.
      const [record] = await store.load([id]);
      if (record!.owner !== null) await store.removeLaunchers([record!.owner]);
      await clock.advance("10s");
    }
  }
  return "unfinished";
}

onEveryStore("the history of any workflow", (start) => {
  test("tells every state that a watcher saw, from the first to the last", async () => {
    const idle = workflow("idle", { input: z.object({}) }).step("1", { run: () => undefined });
    const rig = await start([idle]);
    await rig.launcher.stop();
    const ends = new Set<string>();
    await fc.assert(
      fc.asyncProperty(plan, async (it) => {
        const witness = new Witness();
        const flow = built(it, witness);
        const launcher = await rig.another([flow], { sizeLimit });
        const from = it.from && {
          rollback: { from: `step-${it.from.index % it.steps.length}`, reason: "old", state: it.from.state },
        };
        const execution = await launcher.launch(flow, it.input, from ?? {});
        ends.add(await brought({ ...rig, launcher }, it, execution.id));
        await witness.confirm(execution, {
          ...it.input,
          ...(it.isTransformed && { made: new Date(7) }),
          ...it.from?.state,
        });
        const stopped = launcher.stop();
        await rig.clock.advance("1m");
        await stopped;
      }),
      { numRuns: 150 },
    );
    expect([...ends].toSorted()).toEqual(["completed", "rolledBack"]);
  });
});
