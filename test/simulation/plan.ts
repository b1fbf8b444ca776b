/** What a simulation does, drawn at random and made smaller by fast-check: workflows, executions, and acts between clock steps. */
import fc from "fast-check";
import { groups, lawful, type Group } from "./families.js";
import { launchManyAct, type LaunchManyAct } from "./batches.js";
import { resendAct, type ResendAct } from "./letters.js";
import type { RetentionPolicy } from "../../src/session/retention.js";
import { pruneAct, retentionPolicy, type PruneAct } from "./retention.js";
import { nightAct, scheduleAct, type NightAct, type ScheduleAct } from "./schedules.js";
import { recallAct, steerAct, type RecallAct, type SteerAct } from "./recalls.js";
import { deployAct, deployment, type DeployAct, type Deployment } from "./deployments.js";
import { mostAtOnce, patienceOfLauncher, type PatienceOfLauncher } from "./buggify.js";
import { rush, stallAct, withRush, type StallAct, type Trap } from "./early.js";
import { limitsPlan, type LimitsPlan } from "./limits.js";
import type { Changes } from "./versions.js";

/** What one function of a step does. */
export interface Deed {
  readonly gives: "ok" | "fail" | "complete" | "pause" | "again" | "nonsense" | "transaction";
  readonly how: "sync" | "async" | "slow" | "deaf";
  /** For `slow`, which stops when its signal is aborted, and `deaf`, which does not. */
  readonly milliseconds: number;
  /** How many calls under one key throw first. */
  readonly throws: number;
}

export interface Patience {
  readonly attempts: number;
  readonly delay: number;
}

export interface Leg {
  /** It is made of children: of the rest only the conditions count. Null: it has functions of its own. */
  readonly group: Group | null;
  /** What `when` answers; null: there is none. */
  readonly when: boolean | null;
  readonly hasOtherwise: boolean;
  /** What `recover` gives; null: there is none. */
  readonly recover: "patch" | "fail" | "nonsense" | null;
  readonly deadline: number | null;
  readonly run: Deed;
  readonly onMessage: Deed;
  readonly onTimeout: Deed | null;
  readonly pause: number | null;
  readonly retry: Patience | null;
  readonly timeout: number | null;
  readonly undo: Deed;
  readonly onUndoMessage: Deed;
  readonly undoPause: number | null;
  readonly undoRetry: Patience | null;
  /** What its probe does at first, before it says the truth; null: it has none. */
  readonly probe: "tells" | "knows nothing" | "asks again" | "throws" | null;
  readonly inDoubt: "rerun" | "park" | null;
  /** Its functions that take time subscribe to the topic first. */
  readonly listens: "step" | "end" | null;
  /** Also takes the messages that every step may take. */
  readonly shares: boolean;
  readonly isIrreversible: boolean;
  /** Beside its name, what the step puts into the state. */
  readonly value: unknown;
}

/** Which revision the caller has seen, and asks for: that of now, the one before, or whatever there is. */
export type LastSeen = "now" | "before" | null;

export interface GuardPlan {
  readonly callback: "init" | "beforeStep" | "afterStep" | "startRollback" | "success" | "failure";
  readonly leg: number;
  readonly does: "veto" | "patch" | "throw";
  /** So often it agrees first. */
  readonly agrees: number;
  /** How often, then it agrees. */
  readonly times: number;
}

export interface Trip {
  readonly legs: readonly Leg[];
  readonly pivot: number | null;
  readonly guard: GuardPlan | null;
  readonly deadline: number | null;
  readonly hasWatcher: boolean;
  readonly asyncSchemas: boolean;
  readonly limits: LimitsPlan | null;
  readonly deployment: Deployment | null;
  /** Of a trip with all legs that any version has. Left out: it has one version. */
  readonly changes?: Changes;
}

/** How a process reaches the store. */
export interface LinePlan {
  /** Milliseconds that its clock is ahead of the store's. */
  readonly skew: number;
  /** How long a request and its answer are under way; null: the store answers at once. */
  readonly latency: readonly [number, number] | null;
  readonly gathers: boolean;
  /** Of so many answers of the store one gets lost; null: none does by itself. */
  readonly loses: number | null;
  /** At once no more are asked for; null: as many as ever. */
  readonly most: number | null;
}

export interface LauncherPlan extends LinePlan {
  readonly retention: RetentionPolicy | null;
  readonly waits: PatienceOfLauncher;
  readonly concurrency: number;
  readonly drain: number;
}

export interface CasePlan {
  readonly trip: number;
  readonly launcher: number;
  readonly delay: number;
  readonly value: unknown;
  /** Set: started directly in rollback, from this step. */
  readonly from: number | null;
  /** It is not launched at the beginning. */
  readonly late: boolean;
  /** It has the id that a child of the first one would have. */
  readonly usurps: boolean;
  /** Where it waits for a limit. Left out: none. */
  readonly priority?: number;
}

export const operations = [
  "write",
  "claim",
  "load",
  "mail",
  "history",
  "beat",
  "removeLaunchers",
  "register",
  "transactions.run",
  "lists.advance",
  "lists.lines",
  "lists.news",
  "limits.admit",
] as const;
export type Operation = (typeof operations)[number];

/** `refused`: nothing is done. `unknown`: it is done, and the answer is an error that allows to try again. */
export type Failing = "refused" | "unknown";

/** `refused`: the schema of the input does not accept it. Who does not know the workflow finds that out from who follows. */
export type AskedPatch = "fine" | "refused" | null;

export type Act =
  | LaunchManyAct
  | ResendAct
  | PruneAct
  | ScheduleAct
  | NightAct
  | RecallAct
  | SteerAct
  | DeployAct
  | {
      readonly act: "send";
      readonly case: number;
      readonly child: number | null;
      readonly by: number;
      readonly name: number;
      readonly valid: boolean;
      readonly id: number | null;
    }
  | {
      readonly act: "publish";
      readonly case: number;
      readonly by: number;
      readonly name: number;
      readonly id: number | null;
      readonly keepFor: number;
      readonly twice: boolean;
    }
  | {
      readonly act: "slip";
      readonly case: number;
      readonly child: number | null;
      readonly name: number;
      readonly valid: boolean;
    }
  | {
      readonly act: "rollback";
      readonly case: number;
      readonly child: number | null;
      readonly by: number;
      readonly refuse: boolean;
      readonly seen: LastSeen;
    }
  | {
      readonly act: "rewind";
      readonly case: number;
      readonly child: number | null;
      readonly by: number;
      readonly to: number;
      readonly patch: AskedPatch;
      /** Irreversible steps may be done again. */
      readonly repeats: boolean;
      readonly seen: LastSeen;
    }
  | {
      readonly act: "operate";
      readonly case: number;
      readonly child: number | null;
      readonly by: number;
      readonly kind: "retry" | "skip" | "patchState" | "resolve";
      readonly patch: AskedPatch;
    }
  | {
      readonly act: "outcome";
      readonly case: number;
      readonly child: number | null;
      readonly by: number;
      readonly timeout: number | null;
    }
  | { readonly act: "launch"; readonly case: number; readonly by: number }
  | { readonly act: "stop" | "start" | "pause" | "resume"; readonly launcher: number }
  | { readonly act: "crash"; readonly launcher: number; readonly bury: boolean }
  | {
      readonly act: "crashAt";
      readonly launcher: number;
      readonly operation: Operation;
      readonly nth: number;
      readonly applied: boolean;
    }
  | MeetAct
  | StallAct
  | {
      readonly act: "failAt";
      readonly launcher: number;
      readonly operation: Operation;
      readonly nth: number;
      readonly failing: Failing;
    }
  | {
      readonly act: "outage";
      readonly launcher: number;
      readonly operations: readonly Operation[];
      readonly milliseconds: number;
    }
  | { readonly act: "deafen"; readonly launcher: number; readonly milliseconds: number };

/** While the request is on its way, somebody asks for something. */
export interface MeetAct {
  readonly act: "meet";
  readonly launcher: number;
  readonly operation: "write" | "claim" | "lists.advance" | "limits.read" | "limits.admit";
  readonly nth: number;
  readonly it: Extract<Act, { readonly act: "send" | "publish" | "rollback" | "rewind" | "operate" | "launch" }>;
}

export interface Plan {
  readonly seed: number;
  readonly trips: readonly Trip[];
  readonly launchers: readonly LauncherPlan[];
  /** Processes that ask, and do not work. */
  readonly clients: readonly LinePlan[];
  readonly cases: readonly CasePlan[];
  /** Before anything is launched. */
  readonly early: readonly Trap[];
  readonly acts: readonly TimedAct[];
}

export interface PlanOptions {
  readonly transactions: boolean;
}

const text = fc.oneof(fc.constantFrom("", "\0", "\ud800", "__proto__", "~[]", "é"), fc.string({ maxLength: 5 }));

const rich: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant(1),
    fc.constantFrom(undefined, null, true, -0, NaN, Infinity, 10n),
    text,
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 3 }),
    fc.array(tie("value"), { maxLength: 2 }),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 2 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 2 }).map((items) => new Set(items)),
  ),
})).value;

const wait = fc.constantFrom(0, 1, 50, 400, 1000, 3000, 7000);

/** Of a pause. Two of no length at the same time would have one key. */
const timeout = wait.filter((milliseconds) => milliseconds > 0);

/** With its first choice most often. */
function mostly<T>(first: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 2, arbitrary: fc.constant(first) },
    { weight: 1, arbitrary: fc.constantFrom(first, ...others) },
  );
}

function rarely<T>(other: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: other },
  );
}

function seldom<T>(other: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 9, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: other },
  );
}

/** Mostly few, so that a plan is quick to play, and now and then many. */
function some<T>(item: fc.Arbitrary<T>, minLength: number, few: number, many: number): fc.Arbitrary<T[]> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 3, arbitrary: fc.array(item, { minLength, maxLength: few, size: "max" }) },
    { weight: 1, arbitrary: fc.array(item, { minLength, maxLength: many, size: "max" }) },
  );
}

function deed(gives: fc.Arbitrary<Deed["gives"]>): fc.Arbitrary<Deed> {
  return fc.record({
    gives,
    how: fc.constantFrom("sync", "async", "slow", "deaf"),
    milliseconds: fc.constantFrom(1, 300, 2000, 6000),
    throws: mostly(0, 1, 2, 6),
  });
}

const patience = fc.option(
  fc.record({ attempts: fc.integer({ min: 1, max: 4 }), delay: fc.constantFrom(0, 20, 700) }),
  {
    nil: null,
  },
);

function leg({ transactions }: PlanOptions): fc.Arbitrary<Leg> {
  const up = transactions ? (["transaction", "transaction"] as const) : [];
  return fc.record({
    group: fc.constant(null),
    when: mostly<boolean | null>(null, null, true, false),
    hasOtherwise: fc.boolean(),
    recover: mostly<Leg["recover"]>(null, null, null, "patch", "patch", "fail", "nonsense"),
    deadline: rarely(fc.constantFrom(500, 4000, 20_000)),
    run: deed(mostly<Deed["gives"]>("ok", "pause", "pause", "pause", "again", "fail", "complete", "nonsense", ...up)),
    onMessage: deed(mostly<Deed["gives"]>("ok", "pause", "fail", "complete", ...up)),
    onTimeout: fc.option(deed(mostly<Deed["gives"]>("ok", "pause", "fail", ...up)), { nil: null }),
    pause: fc.option(timeout, { nil: null }),
    retry: patience,
    timeout: fc.option(fc.constantFrom(100, 1000), { nil: null, freq: 2 }),
    undo: deed(mostly<Deed["gives"]>("ok", "pause", "pause", "again", "fail", "complete", ...up)),
    onUndoMessage: deed(mostly<Deed["gives"]>("ok", "pause", "fail", ...up)),
    undoPause: fc.option(timeout, { nil: null }),
    undoRetry: patience,
    probe: mostly<Leg["probe"]>(null, "tells", "knows nothing", "asks again", "throws"),
    inDoubt: mostly<Leg["inDoubt"]>(null, "rerun", "park"),
    listens: mostly<Leg["listens"]>(null, null, "step", "end"),
    shares: fc.boolean(),
    isIrreversible: mostly<boolean>(false, false, true),
    value: rich,
  });
}

function trip(options: PlanOptions): fc.Arbitrary<Trip> {
  const plain = tripOf(some(leg(options), 1, 3, 5));
  const family = familyOf(options, generations).map((it) => lawful({ ...it, limits: null }));
  return fc.oneof({ withCrossShrink: true }, { weight: 3, arbitrary: plain }, { weight: 1, arbitrary: family });
}

/** So many stand below an execution at most. */
const generations = 2;

/** With children, down to so many generations; small, since there are many of them. */
function familyOf(options: PlanOptions, below: number): fc.Arbitrary<Trip> {
  if (below === 0) return tripOf(some(leg(options), 1, 1, 2));
  const group = groups(familyOf(options, below - 1));
  const withGroup = fc.oneof(
    { withCrossShrink: true },
    { weight: below === generations ? 1 : 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: group },
  );
  const grouped = fc.tuple(leg(options), withGroup).map(([it, of]): Leg => (of === null ? it : { ...it, group: of }));
  return tripOf(below === generations ? some(grouped, 1, 2, 3) : some(grouped, 1, 1, 2));
}

function tripOf(legs: fc.Arbitrary<Leg[]>): fc.Arbitrary<Trip> {
  return fc.record({
    legs,
    pivot: fc.option(fc.nat(4), { nil: null, freq: 2 }),
    guard: fc.option(
      fc.record({
        callback: fc.constantFrom("beforeStep", "afterStep", "init", "startRollback", "success", "failure"),
        leg: fc.nat(4),
        does: fc.constantFrom("patch", "veto", "throw"),
        agrees: mostly(0, 1, 2),
        times: fc.constantFrom(1, 2, 100),
      }),
      { nil: null, freq: 2 },
    ),
    deadline: fc.option(fc.constantFrom(1, 1500, 5000, 20_000), { nil: null, freq: 3 }),
    hasWatcher: fc.boolean(),
    asyncSchemas: fc.boolean(),
    limits: seldom(limitsPlan),
    deployment: fc.option(deployment, { nil: null, freq: 2 }),
  });
}

const line = {
  skew: fc.constantFrom(0, 0, 60_000, -60_000),
  latency: fc.option(fc.tuple(fc.constantFrom(0, 1, 40), fc.constantFrom(0, 1, 40)), { nil: null }),
  gathers: fc.boolean(),
  loses: rarely(fc.constantFrom(2, 3, 7, 20)),
  most: rarely(mostAtOnce),
};

const launcherPlan: fc.Arbitrary<LauncherPlan> = fc.record({
  concurrency: fc.constantFrom(100, 1, 2),
  drain: fc.constantFrom(0, 500, 3000),
  retention: seldom(retentionPolicy),
  waits: patienceOfLauncher,
  ...line,
});

const small = fc.nat(3);

const operation = mostly<Operation>("write", "write", "claim", "transactions.run", "lists.advance", ...operations);
const askedPatch = mostly<AskedPatch>(null, "fine", "fine", "refused");
const launcher = fc.nat(4);
const at = { case: small, by: fc.nat(5) };
const child = fc.option(fc.nat(6), { nil: null, freq: 2 });

function asking(): fc.WeightedArbitrary<Exclude<MeetAct["it"], { readonly act: "launch" }>>[] {
  const which = { ...at, child };
  const seen = mostly<LastSeen>(null, "now", "before");
  return [
    {
      weight: 5,
      arbitrary: fc.record({
        act: fc.constant("send" as const),
        ...which,
        name: fc.nat(11),
        valid: mostly<boolean>(true, true, false),
        id: fc.option(fc.nat(2), { nil: null }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        act: fc.constant("publish" as const),
        ...at,
        name: fc.nat(11),
        id: fc.option(fc.nat(2), { nil: null }),
        keepFor: fc.constantFrom(0, 3000, 60_000),
        twice: mostly<boolean>(false, true),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        act: fc.constant("rollback" as const),
        ...which,
        refuse: mostly<boolean>(false, false, true),
        seen,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        act: fc.constant("rewind" as const),
        ...which,
        to: fc.nat(4),
        patch: askedPatch,
        repeats: mostly<boolean>(true, true, false),
        seen,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        act: fc.constant("operate" as const),
        ...which,
        kind: fc.constantFrom("retry" as const, "skip" as const, "patchState" as const, "resolve" as const),
        patch: askedPatch,
      }),
    },
  ];
}

/** @param nth which request of a kind */
function trap(nth: fc.Arbitrary<number>): fc.Arbitrary<Trap> {
  const failing = fc.constantFrom<Failing>("refused", "unknown");
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        act: fc.constant("meet" as const),
        ...{ launcher, nth },
        operation: mostly<MeetAct["operation"]>("write", "write", "claim", "lists.advance"),
        it: fc.oneof(...asking()),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ act: fc.constant("crashAt" as const), launcher, operation, nth, applied: fc.boolean() }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ act: fc.constant("failAt" as const), launcher, operation, nth, failing }),
    },
    { weight: 3, arbitrary: stallAct(operation, nth) },
  );
}

function act(): fc.Arbitrary<Act> {
  return fc.oneof(
    ...asking(),
    {
      weight: 1,
      arbitrary: fc.record({
        act: fc.constant("slip" as const),
        case: small,
        child,
        name: fc.nat(11),
        valid: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        act: fc.constant("outcome" as const),
        ...{ ...at, child },
        timeout: rarely(wait),
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant("launch" as const), ...at }) },
    { weight: 1, arbitrary: launchManyAct },
    { weight: 2, arbitrary: resendAct },
    { weight: 1, arbitrary: pruneAct },
    { weight: 1, arbitrary: scheduleAct },
    { weight: 1, arbitrary: nightAct },
    { weight: 1, arbitrary: recallAct },
    { weight: 1, arbitrary: steerAct },
    { weight: 2, arbitrary: deployAct },
    {
      weight: 3,
      arbitrary: fc.record({
        act: fc.constantFrom("stop" as const, "start" as const, "pause" as const, "resume" as const),
        launcher,
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant("crash" as const), launcher, bury: fc.boolean() }) },
    { weight: 15, arbitrary: trap(mostly<number>(1, 1, 2, 3, 6)) },
    {
      weight: 2,
      arbitrary: fc.record({
        act: fc.constant("outage" as const),
        launcher,
        operations: fc.subarray([...operations], { minLength: 1 }),
        milliseconds: fc.constantFrom(300, 3000, 9000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        act: fc.constant("deafen" as const),
        launcher,
        milliseconds: fc.constantFrom(3000, 20_000),
      }),
    },
  );
}

interface TimedAct {
  readonly after: number;
  readonly it: Act;
}

/** What seldom comes together by itself: an undo of a rewind is lost with its launcher, and a rollback is asked for before another one goes on. */
const takeover: fc.Arbitrary<TimedAct[]> = fc
  .record({ case: small, by: fc.nat(5), launcher: fc.nat(4), nth: fc.nat({ max: 3 }), to: fc.nat(4), gap: wait })
  .map(({ case: of, by, launcher, nth, to, gap }) => {
    const at = { case: of, by, child: null, seen: null };
    return [
      { after: gap, it: { act: "rewind", ...at, to, patch: null, repeats: true } },
      { after: 0, it: { act: "crashAt", launcher, operation: "write", nth, applied: false } },
      { after: 50, it: { act: "rollback", ...at, refuse: false } },
    ];
  });

/** An operator acts on what may be parked, and the launcher that follows dies of a commit. */
const mending: fc.Arbitrary<TimedAct[]> = fc
  .record({
    ...{ case: small, child, by: fc.nat(5), launcher: fc.nat(1), nth: fc.constantFrom(1, 1, 2), gap: wait },
    ...{
      kind: mostly("patchState" as const, "retry" as const, "skip" as const),
      applied: mostly<boolean>(true, false),
    },
  })
  .map(({ case: of, child, by, launcher, nth, gap, kind, applied }) => [
    { after: gap, it: { act: "crashAt", launcher, operation: "write", nth, applied } },
    { after: 0, it: { act: "operate", case: of, child, by, kind, patch: null } },
  ]);

/** A machine with a new version comes, one with the older version goes, and what may have been migrated is asked to go back, before or after. */
const replacement: fc.Arbitrary<TimedAct[]> = fc
  .record({
    ...{ gaps: fc.tuple(wait, wait, wait, wait), launcher: fc.nat(4), leaves: fc.constantFrom("stop", "crash") },
    ...{ case: small, by: fc.nat(5), to: fc.nat(4) },
    ...{ before: mostly<"rewind" | null>(null, "rewind"), asks: fc.constantFrom("rollback", "rewind", null) },
  })
  .map(({ gaps, launcher, leaves, case: of, by, before, asks, to }) => {
    const at = { case: of, by, child: null, seen: null };
    const rewind = { act: "rewind", ...at, to, patch: null, repeats: true } as const;
    const acts: TimedAct[] = [
      { after: gaps[1], it: { act: "deploy", launcher } },
      {
        after: gaps[2],
        it: leaves === "stop" ? { act: "stop", launcher: 0 } : { act: "crash", launcher: 0, bury: true },
      },
    ];
    if (before !== null) acts.unshift({ after: gaps[0], it: rewind });
    if (asks === "rollback") acts.push({ after: gaps[3], it: { act: asks, ...at, refuse: false } });
    if (asks === "rewind") acts.push({ after: gaps[3], it: rewind });
    return acts;
  });

/** A recall, and what somebody does with it. */
const recalled: fc.Arbitrary<TimedAct[]> = fc
  .record({ recall: recallAct, steers: fc.array(steerAct, { maxLength: 2 }), gaps: fc.tuple(wait, wait, wait) })
  .map(({ recall, steers, gaps }) => [recall, ...steers].map((it, at) => ({ after: gaps[at]!, it })));

/**
 * Some executions of one workflow, and a recall that nothing disturbs: only of such a one it is known how many may go down at once, and
 * by itself that is seldom drawn.
 */
function withCalm(plan: Plan, acts: readonly TimedAct[]): Plan {
  const cases = Array.from({ length: 4 }, (_, at) => plan.cases[at % plan.cases.length]!);
  const alike = cases.map((it) => ({ ...it, trip: 0, delay: 0, from: null, late: false, usurps: false }));
  return { ...plan, cases: alike, early: [], acts };
}

function timedActs(): fc.Arbitrary<TimedAct[]> {
  const one = fc.record({ after: wait, it: act() }).map((it): TimedAct[] => [it]);
  const few = fc.oneof(
    { withCrossShrink: true },
    { weight: 40, arbitrary: one },
    { weight: 2, arbitrary: takeover },
    { weight: 2, arbitrary: mending },
    { weight: 4, arbitrary: replacement },
  );
  return some(few, 0, 6, 16).map((all) => all.flat());
}

export function plans(options: PlanOptions): fc.Arbitrary<Plan> {
  return fc
    .record({
      seed: fc.nat(1_000_000),
      trips: some(trip(options), 1, 1, 2),
      launchers: some(launcherPlan, 1, 2, 3),
      clients: some(fc.record(line), 0, 1, 2),
      cases: some(
        fc.record({
          trip: fc.nat(1),
          launcher: small,
          delay: mostly(0, 0, 2500),
          value: rich,
          from: rarely(fc.nat(4)),
          late: mostly<boolean>(false, false, true),
          usurps: mostly<boolean>(false, false, true),
        }),
        ...([1, 1, 3] as const),
      ),
      early: fc.array(trap(mostly<number>(1, 2, 3, 4, 6, 9)), { maxLength: 2, size: "max" }),
      acts: timedActs(),
      rushes: rush(launcherPlan),
      calm: fc.oneof({ weight: 39, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: recalled }),
    })
    .map(({ rushes, calm, ...plan }) => withRush(calm === null ? plan : withCalm(plan, calm), rushes));
}
