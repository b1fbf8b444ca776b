/** Whatever an execution has done, and wherever it stands: what a rollback then does is what its preview has said. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  again,
  complete,
  fail,
  pause,
  workflow,
  type AnyWorkflow,
  type RewindAnswer,
  type RollbackAnswer,
  type RollbackPreview,
} from "../../src/index.js";
import { onEveryStore, type Rig, type Start } from "../support/rig.js";

const kinds = [
  "plain",
  "slow",
  "no-undo",
  "irreversible",
  "over",
  "asked",
  "waits",
  "sleeps",
  "throws",
  "again",
  "children",
  "completes",
  "fails",
  "recovers",
] as const;
type Kind = (typeof kinds)[number];

const scenario = fc.record({
  steps: fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 6 }),
  pivot: fc.option(fc.nat(5), { freq: 3 }),
  undoFor: fc.constantFrom(undefined, 0, "1d" as const),
  /** At this revision, or at the last one where it never comes so far. */
  at: fc.nat(14),
  /** Rewound to this step rather than rolled back. */
  to: fc.option(fc.nat(3), { freq: 2 }),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer Value> ? Value : never;

const input = z.object({});

const silent = { debug() {}, info() {}, warn() {}, error() {} };

interface Undone {
  readonly step: string;
  readonly halfDone: boolean;
}

/** A step for each kind; what is undone is written down. */
function made({ steps, pivot, undoFor }: Scenario, clock: Rig["clock"], undone: Undone[]): AnyWorkflow {
  const works = (): Promise<void> => new Promise((resolve) => void clock.after(40, resolve));
  const seat = workflow("seat", { input }).step("seat", {
    run: works,
    rollback: ({ execution }) => void undone.push({ step: execution.id, halfDone: false }),
  });
  const rollback = ({ step, halfDone }: { step: { name: string }; halfDone: boolean }): void =>
    void undone.push({ step: step.name, halfDone });
  // Steps are added one by one, so the type can't follow.
  let built = workflow("made", { input, ...(undoFor !== undefined && { undoFor }) }) as unknown as {
    step(name: string, options: object): typeof built;
    sleep(name: string, time: number): typeof built;
    forEach(name: string, child: AnyWorkflow, options: object): typeof built;
  };
  for (const [index, kind] of steps.entries()) {
    const name = `${index} ${kind}`;
    const point = index === pivot && kind !== "irreversible" && kind !== "recovers" ? { pivot: true } : {};
    if (kind === "sleeps") built = built.sleep(name, 100);
    else if (kind === "children") built = built.forEach(name, seat, { items: () => [{}, {}], concurrency: 1 });
    else
      built = built.step(name, {
        ...optionsOf(kind, works),
        ...(kind === "no-undo" || kind === "irreversible" ? {} : { rollback }),
        ...point,
      });
  }
  return built as unknown as AnyWorkflow;
}

function optionsOf(kind: Kind, works: () => Promise<void>): object {
  const twice = { retry: { attempts: 3, delay: 100, jitter: false } };
  switch (kind) {
    case "slow":
      return { run: works };
    case "irreversible":
      return { run: works, irreversible: "It has left." };
    case "over":
      return { when: () => false, run: works };
    case "asked":
      return { when: () => true, run: works };
    case "waits":
      return {
        messages: { go: z.null() },
        run: () => pause(undefined, { timeout: 200 }),
        onMessage: works,
        onTimeout: works,
      };
    case "throws":
      return {
        ...twice,
        run: async ({ attempt }: { attempt: number }) => {
          await works();
          if (attempt < 3) throw new Error("not yet");
        },
      };
    case "again":
      return { run: ({ polls }: { polls: number }) => (polls < 2 ? again(undefined, { after: 100 }) : undefined) };
    case "completes":
      return { run: () => complete() };
    case "fails":
      return { run: () => fail("no") };
    case "recovers":
      return { run: () => fail("no"), recover: () => ({}) };
    default:
      return { run: () => undefined };
  }
}

/** Children that were not settled go on meanwhile, and more of them begin: of those a preview says how they stood. */
function moving({ steps }: RollbackPreview): (id: string) => boolean {
  const unsettled = steps.filter(({ children }) => children !== undefined && children.underWay + children.notBegun > 0);
  return (id) => unsettled.some(({ step }) => id.startsWith(`e/${step}/`));
}

/** Which undos the preview says will be called, in their order; of children, which may be in any order, sorted. */
function expected({ steps }: RollbackPreview): string[] {
  return steps.flatMap(({ step, what, children }) => {
    if (what !== "undo" && what !== "half-done") return [];
    if (children === undefined) return [step];
    return children.first
      .filter(({ status }) => status !== "notBegun" && status !== "rolledBack")
      .map(({ id }) => id)
      .toSorted();
  });
}

/** The same of what was done. */
function done(undone: readonly Undone[]): string[] {
  const found: string[][] = [];
  const groupOf = (step: string): string => step.split("/").slice(0, -1).join("/");
  for (const { step } of undone) {
    const last = found.at(-1);
    if (last !== undefined && step.includes("/") && groupOf(last[0]!) === groupOf(step)) last.push(step);
    else found.push([step]);
  }
  return found.flatMap((group) => group.toSorted());
}

async function holds(start: Start, plan: Scenario): Promise<void> {
  const undone: Undone[] = [];
  const clocked: { clock?: Rig["clock"] } = {};
  const built = made(
    plan,
    { after: (...given: Parameters<Rig["clock"]["after"]>) => clocked.clock!.after(...given) } as Rig["clock"],
    undone,
  );
  const { launcher, clock } = await start([built], { logger: silent });
  clocked.clock = clock;
  const execution = await launcher.launch(built, {}, { id: "e" });
  for (let turns = 0; turns < 60; turns++) {
    const { revision, status } = await execution.summary();
    if (revision >= plan.at || status === "completed" || status === "rolledBack" || status === "stuck") break;
    await clock.advance(20);
  }
  const to = plan.to === null || plan.to >= plan.steps.length ? undefined : `${plan.to} ${plan.steps[plan.to]!}`;
  let preview: RollbackPreview;
  let answer: RollbackAnswer | RewindAnswer;
  do {
    undone.length = 0;
    preview = await execution.previewRollback(to === undefined ? {} : { to });
    const ifRevision = preview.revision;
    const asking =
      to === undefined
        ? execution.rollback("back", { ifRevision })
        : execution.rewind({ to, reason: "back", by: "ada", ifRevision });
    await clock.advance("1s");
    answer = await asking;
    // It went on between the look and the request, and nothing was done: look again.
  } while (!answer.accepted && answer.why === "moved-on");
  await clock.advance("10s");
  if (preview.refused !== undefined) {
    expect(answer).toMatchObject({ accepted: false, why: preview.refused, error: { code: preview.error!.code } });
    return;
  }
  if (preview.held === true && !answer.accepted) {
    expect(answer.why).toBe("past-pivot");
    return;
  }
  expect(answer).toEqual({ accepted: true });
  const rows = await execution.history({ from: preview.revision });
  const rise = rows.findIndex(({ upInto }) => upInto !== undefined);
  expect(rise >= 0).toBe(to !== undefined);
  if (to === undefined) expect((await execution.summary()).status).toBe("rolledBack");
  const down = rows
    .slice(0, to === undefined ? rows.length : rise + 1)
    .filter((row) => row.direction === "down" && row.result === "ok");
  expect(down.map(({ step }) => step)).toEqual(
    preview.steps.flatMap(({ step, what, children }) => (what === "never-ran" && children === undefined ? [] : [step])),
  );
  if (to !== undefined) return;
  const isMoving = moving(preview);
  expect(done(undone).filter((id) => !isMoving(id))).toEqual(expected(preview).filter((id) => !isMoving(id)));
  const certain = new Set(preview.steps.filter(({ what }) => what === "undo").map(({ step }) => step));
  expect(undone.filter(({ step, halfDone }) => halfDone && certain.has(step))).toEqual([]);
}

for (const [stores, numRuns] of [
  [["memory"], 150],
  [["sqlite", "postgres"], 4],
] as const) {
  onEveryStore(
    "what is done when somebody asks at the revision of a preview",
    (start) => {
      test("is what the preview has said", async () => {
        await fc.assert(
          fc.asyncProperty(scenario, (plan) => holds(start, plan)),
          { numRuns },
        );
      }, 60_000);
    },
    [...stores],
  );
}
