/** The workflows of a simulation, made anew for each machine, so that what a step does is known to come from there. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import {
  again,
  complete,
  didNotHappen,
  fail,
  happened,
  observer,
  pause,
  step,
  unknown,
  workflow,
  type AnyWorkflow,
  type Observer,
} from "../../src/index.js";
import { transaction } from "../../src/stores/sqlite/index.js";
import type { Transacted } from "../../src/definition/outcome.js";
import type { StepFunc } from "../../src/definition/flow.js";
import type { Shape } from "../../src/execution/router.js";
import { sleep } from "../../src/clock.js";
import type { Books } from "./books.js";
import { familiesOf, nameBelow, pivotOf, withGroup } from "./families.js";
import { limitsOf } from "./limits.js";
import { deploymentOf, migrating, withAll } from "./deployments.js";
import type { Line } from "./machine.js";
import type { Deed, GuardPlan, Leg, Patience, Plan, Trip } from "./plan.js";
import { legsIn, nameIn, numberOf, plainName, type Version } from "./versions.js";

type State = Record<string, unknown>;

/** What all step functions are called with, as far as they look. */
interface Context {
  readonly state: State;
  readonly execution: { readonly id: string };
  readonly step: { readonly name: string; readonly index: number };
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly given?: State;
  readonly runKey?: string;
  readonly reason?: string;
  subscribe(topic: string, options: { readonly until: "step" | "end" }): Promise<void>;
  readonly message?: { readonly name: string; readonly payload: unknown; readonly id: string };
}

/** A step added in a loop: its types are the plan's business. */
type Untyped = AnyWorkflow & { step(step: unknown): Untyped; observe(observer: Observer): Untyped };

export const upMessage = (index: number): string => `go-${index}`;
export const downMessage = (index: number): string => `back-${index}`;
export const sharedMessage = "any";

export const tripName = (index: number): string => `trip-${index}`;

/** All of a plan, by the names of their workflows. */
export function tripsOf({ trips }: Plan): ReadonlyMap<string, Trip> {
  return new Map(trips.flatMap((it, index) => familiesOf(tripName(index), it)));
}

/** @param version what its machine launches. Behind them: older versions that are known as well */
export function tripsOn(line: Line, plans: readonly Trip[], books: Books, version: Version): AnyWorkflow[] {
  const older: AnyWorkflow[] = [];
  const trips = plans.map((plan, number) => {
    const name = tripName(number);
    const all = withAll(plan);
    const first = tripOn(name, all, line, books);
    const deployed = deploymentOf(plan);
    if (version === "1" || deployed === null) return first;
    if (deployed.keepsOld) older.push(first);
    return migrating(tripOn(name, all, line, books, "2"), first, all, books);
  });
  return [...trips, ...older];
}

function tripOn(name: string, plan: Trip, line: Line, books: Books, version: Version = "1"): AnyWorkflow {
  const input: StandardSchemaV1<State, State> = schema(plan.asyncSchemas, isInput) as never;
  const options = {
    input,
    version,
    ...(plan.limits !== null && limitsOf(plan.limits)),
    ...(plan.deadline !== null && { deadline: plan.deadline }),
  };
  let trip = workflow(name, options) as unknown as Untyped;
  if (plan.guard !== null) trip = trip.observe(guard(plan.guard, books));
  if (plan.hasWatcher) trip = trip.observe(watcher(line, books));
  for (const index of legsIn(plan, version)) {
    const leg = plan.legs[index]!;
    const conditions = conditionsOf(leg, index, plan);
    if (leg.group === null) trip = trip.step(legOn(leg, index, conditions, plan, line, books, version));
    else {
      const below = leg.group.trips.map((it, place) => tripOn(nameBelow(name, index, place), it, line, books));
      trip = withGroup(trip, name, index, leg, below, conditions, books);
    }
  }
  return trip;
}

export function shapeOf(trip: Trip): Shape {
  return { count: trip.legs.length, pivot: pivotOf(trip) };
}

function isState(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** What an input must not have. */
export const refusedField = "refused";

function isInput(value: unknown): boolean {
  return isState(value) && (value as State)[refusedField] === undefined;
}

function isPayload(value: unknown): boolean {
  return isState(value) && typeof (value as { n?: unknown }).n === "number";
}

function schema(isAsync: boolean, accepts: (value: unknown) => boolean): StandardSchemaV1 {
  const judge = (value: unknown): StandardSchemaV1.Result<unknown> =>
    accepts(value) ? { value } : { issues: [{ message: "not that" }] };
  return {
    "~standard": {
      version: 1,
      vendor: "simulation",
      validate: (value) => (isAsync ? Promise.resolve(judge(value)) : judge(value)),
    },
  };
}

/** What steps with functions and steps of children have in common. */
function conditionsOf(leg: Leg, index: number, plan: Trip): object {
  const isPivot = plan.pivot === index;
  return {
    pivot: isPivot,
    ...(leg.when !== null && {
      when: () => leg.when,
      ...(leg.hasOtherwise && { otherwise: () => ({ [`otherwise-${index}`]: leg.value }) }),
    }),
    ...(leg.recover !== null && !isPivot && { recover: () => recovery[leg.recover!](index) }),
    ...(leg.deadline !== null && { deadline: leg.deadline }),
    ...(leg.isIrreversible && { irreversible: "It is said so." }),
  };
}

function legOn(
  leg: Leg,
  index: number,
  conditions: object,
  plan: Trip,
  line: Line,
  books: Books,
  version: Version,
): unknown {
  const message = schema(plan.asyncSchemas, isPayload);
  const shared = leg.shares ? { [sharedMessage]: message } : {};
  const does = (func: StepFunc, deed: Deed, timeout: number | null) => (context: never) =>
    perform(context, func, deed, timeout, leg, line, books, version);
  return (step<State>() as (name: string, options: never) => unknown)(nameIn(version, index, plan), {
    ...conditions,
    ...(leg.retry !== null && { retry: leg.retry satisfies Patience }),
    ...(leg.undoRetry !== null && { rollbackRetry: leg.undoRetry satisfies Patience }),
    ...(leg.timeout !== null && { timeout: leg.timeout }),
    ...(leg.run.gives !== "transaction" && {
      ...(leg.probe !== null && { probe: (context: never) => probed(context, leg, books) }),
      ...(leg.inDoubt !== null && { inDoubt: leg.inDoubt }),
    }),
    run: does("run", leg.run, leg.pause),
    messages: { [upMessage(index)]: message, ...shared },
    onMessage: does("runContinue", leg.onMessage, leg.pause),
    ...(leg.onTimeout !== null && { onTimeout: does("runContinue", leg.onTimeout, leg.pause) }),
    ...(!leg.isIrreversible && {
      rollback: does("rollback", leg.undo, leg.undoPause),
      rollbackMessages: { [downMessage(index)]: message, ...shared },
      onRollbackMessage: does("rollbackContinue", leg.onUndoMessage, leg.undoPause),
    }),
  } as never);
}

const recovery: Readonly<Record<NonNullable<Leg["recover"]>, (index: number) => unknown>> = {
  patch: (index) => ({ [`recovered-${index}`]: true }),
  fail: (index) => fail(`not-recovered-${index}`, { patch: { [`asked-${index}`]: true } }),
  nonsense: () => 7,
};

/** What a step function does, from the plan. */
function perform(
  context: Context,
  func: StepFunc,
  deed: Deed,
  timeout: number | null,
  leg: Leg,
  line: Line,
  books: Books,
  version: Version,
): unknown {
  const isUp = func === "run" || func === "runContinue";
  const calls = books.called(context, func, line, version);
  const name = plainName(numberOf(context.step.name));
  const { id } = context.execution;
  if (isUp && !leg.isIrreversible) books.do(context.idempotencyKey, id, name, line);
  const end = (): unknown => {
    if (calls <= deed.throws && !books.isHealed) {
      const policy = isUp ? leg.retry : leg.undoRetry;
      books.timers.threw(id, { ...context, func, step: { name } }, policy?.delay ?? 0);
      throw new Error(`not at call ${calls}`);
    }
    return answer();
  };
  const patch = { [name]: leg.value, [`${func}-${name}`]: calls };
  const answer = (): unknown => {
    switch (deed.gives) {
      case "fail":
        // On the way down it must come to an end.
        if (books.isHealed || (!isUp && calls > 2)) break;
        return fail(`failed-${name}`, { patch: { ...patch, failed: calls } });
      case "complete":
        // On the way down this is a mistake, and the undo fails.
        if (!isUp && (books.isHealed || calls > 2)) break;
        return complete(patch);
      case "nonsense":
        if (books.isHealed) break;
        return [name];
      case "pause": {
        const isHandler = func === "runContinue" || func === "rollbackContinue";
        // With a short timeout and a patient policy it would go on for longer than anybody waits.
        if (calls > (isHandler ? 1 : books.isHealed ? 3 : Infinity)) break;
        // A handler sets it anew, or leaves the one that runs.
        const sets = isHandler ? deed.milliseconds >= 2000 : timeout !== null;
        books.timers.paused(id, func, name, calls, sets ? timeout : undefined);
        return pause(patch, { ...(sets && { timeout }) });
      }
      case "again":
        if (books.isHealed || calls % 4 === 0) break;
        return again(calls % 4 === 1 ? patch : undefined, { after: deed.milliseconds });
      case "transaction":
        return within(context, () => {
          if (!isUp) undo(context, books);
          return patch;
        });
      case "ok":
        break;
    }
    if (!isUp) undo(context, books);
    return patch;
  };
  if (deed.how === "sync") return end();
  return later(context, books.isHealed ? { ...deed, milliseconds: 1 } : deed, leg, line).then(end);
}

/** It says the truth, if not at once. Who is told on the way down that nothing has come takes care that nothing comes. */
function probed(context: Context, { probe, value }: Leg, books: Books): unknown {
  const { idempotencyKey: key, execution, step } = context;
  const name = plainName(numberOf(step.name));
  const asked = books.count(`probe ${key}`);
  books.note(() => `${execution.id} probe ${step.name} is asked ${asked} times`);
  if (!books.isHealed && asked % 3 > 0) {
    if (probe === "throws") throw new Error("not with this probe");
    if (probe === "asks again") return again({ after: 300 });
    if (probe === "knows nothing") return unknown();
  }
  if (books.has(key)) return happened({ [name]: value, probed: asked });
  if (context.reason !== undefined) books.close(key, execution.id, name);
  books.deny(key);
  return didNotHappen();
}

function undo({ execution, step, runKey }: Context, books: Books): void {
  books.cancel(runKey!, execution.id, plainName(numberOf(step.name)));
}

/** Its own entry, which must stand there once however often this is tried. */
function within({ idempotencyKey }: Context, answer: () => unknown): Transacted {
  return transaction((connection) => {
    connection.exec("CREATE TABLE IF NOT EXISTS entries (key TEXT NOT NULL)");
    connection.prepare("INSERT INTO entries (key) VALUES (?)").run(idempotencyKey);
    return answer() as object;
  });
}

export const topic = "news";

async function later(context: Context, { how, milliseconds }: Deed, { listens }: Leg, line: Line): Promise<void> {
  const { signal } = context;
  if (listens !== null) await context.subscribe(topic, { until: listens });
  if (how === "async") await Promise.resolve();
  else if (how === "deaf") await sleep(line.clock, milliseconds);
  else {
    await new Promise<void>((resolve, reject) => {
      const timer = line.clock.after(milliseconds, resolve);
      signal.addEventListener("abort", () => {
        timer.cancel();
        reject(signal.reason as Error);
      });
    });
  }
  // Nothing more happens in a process that is gone.
  if (line.clock.life === "gone") await new Promise(() => undefined);
}

function guard({ callback, leg, does, agrees, times }: GuardPlan, books: Books): Observer {
  const isOfStep = callback === "beforeStep" || callback === "afterStep" || callback === "startRollback";
  return observer({
    name: "guard",
    guard: true,
    [callback]: ({ step, execution }: Context) => {
      if (isOfStep && step.index !== leg) return undefined;
      const asked = books.count(`guard ${execution.id}`) - agrees;
      if (asked < 1 || asked > times || books.isHealed) return undefined;
      if (does === "patch") return { guarded: asked };
      if (does === "throw") throw new Error("not with this guard");
      return fail("vetoed", { patch: { vetoed: asked } });
    },
  });
}

function watcher(line: Line, books: Books): Observer {
  const told = (what: string) => (event: Parameters<Books["told"]>[1]) => books.told(what, event, line);
  return observer({
    name: "watcher",
    ...Object.fromEntries(
      ["init", "beforeStep", "afterStep", "startRollback", "success", "failure", "wake", "commit", "rest"].map(
        (callback) => [callback, told(callback)],
      ),
    ),
    carry: () => ({ by: "watcher" }),
  });
}
