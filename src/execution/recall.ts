/**
 * What a recall knows of itself: the state of its execution, and what follows from it. Counts and no lists: only what is to be asked
 * next, who goes down, and the first who are in trouble are named, so that the state stays small however many are recalled.
 */

/** The workflow that every launcher brings. */
export const recallName = "stepwell:recall";

/** What was asked for. Never changes. */
export interface RecallPlan {
  readonly reason: string;
  readonly by: string;
  /** For the undos, as text. */
  readonly details?: string;
  /** Left out: the ids were given, and stand in the input of the execution. */
  readonly filter?: RecallConditions;
  readonly order: "newest" | "oldest";
  /** At most `count` executions are asked in `perMs` milliseconds. */
  readonly rate: { readonly count: number; readonly perMs: number };
  readonly atOnce: number;
  readonly canary: number;
  readonly onStuck: number;
}

/** Times in milliseconds since 1970. */
export interface RecallConditions {
  readonly workflow?: string;
  readonly tags?: readonly string[];
  readonly createdFrom?: number;
  readonly createdBefore?: number;
}

/** Somebody acted on the recall, or it paused itself. */
export interface RecallAct {
  readonly at: number;
  /** Left out: the recall itself. */
  readonly by?: string;
  readonly reason?: string;
}

/** `asked`: somebody wanted that. `canary`: not all of the first ones were rolled back. `stuck`: too many are in trouble. */
export interface RecallPause extends RecallAct {
  readonly why: "asked" | "canary" | "stuck";
}

/** What became of those that were reached. */
export interface RecallCounts {
  /** The request was stored. What became of these is told below; the others go down, or are about to. */
  readonly asked: number;
  readonly rolledBack: number;
  readonly stuck: number;
  /** Turned by something else, before the recall asked or before its request was followed. */
  readonly turned: number;
  readonly notFound: number;
  /** Had not completed when the recall was launched. */
  readonly notCompleted: number;
  /** Completed, and could not be asked: how many for which reason. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface RecallState {
  readonly plan: RecallPlan;
  readonly phase: "counting" | "canary" | "asking" | "finishing" | "done";
  readonly paused: RecallPause | null;
  readonly stopped: RecallAct | null;
  /** By the store's clock: only what had completed by then is asked. Null: nothing was looked at yet. */
  readonly launchedAt: number | null;
  /** How far the walk has come: the cursor of a list, or a place in the list of ids. Null: it has not begun, or is over. */
  readonly place: string | null;
  readonly isRead: boolean;
  /** How many there were when it began. */
  readonly counted: number;
  /** How many of these the walk has come by. */
  readonly reached: number;
  /** The executions that are asked next. They are stored here before anything is asked of them, so that a crash forgets none. */
  readonly next: readonly string[];
  /** Asked, and not at rest. */
  readonly underWay: readonly string[];
  /** The first ones that are stuck. */
  readonly stuck: readonly string[];
  /** Those under way that are struggling. */
  readonly struggling: readonly string[];
  readonly counts: RecallCounts;
  /** How often in a row nothing had moved. */
  readonly idle: number;
  /** How much of the rate is saved up, and when that was. */
  readonly bucket: Bucket;
  /** What the person who resumed the recall has seen: it pauses the recall no more. */
  readonly seen: { readonly stuck: number; readonly struggling: readonly string[] };
}

export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** The most stuck executions that are named; others are only counted. */
export const mostNamed = 100;

export function newRecall(plan: RecallPlan): RecallState {
  return {
    plan,
    phase: "counting",
    paused: null,
    stopped: null,
    launchedAt: null,
    place: null,
    isRead: false,
    counted: 0,
    reached: 0,
    next: [],
    underWay: [],
    stuck: [],
    struggling: [],
    counts: { asked: 0, rolledBack: 0, stuck: 0, turned: 0, notFound: 0, notCompleted: 0, refused: {} },
    idle: 0,
    bucket: { tokens: 1, at: 0 },
    seen: { stuck: 0, struggling: [] },
  };
}

/** What a second of the rate gives may be saved up, and one at least: a launcher that was away does not make up for it. */
export function filled({ tokens, at }: Bucket, { rate: { count, perMs } }: RecallPlan, now: number): Bucket {
  const most = Math.max(1, (count * 1_000) / perMs);
  // A clock that is behind what another launcher has seen gives nothing, and takes nothing back.
  return { tokens: Math.min(most, tokens + (Math.max(0, now - at) * count) / perMs), at: Math.max(at, now) };
}

/** How long until there is one more to be asked, in milliseconds. */
export function nextTokenIn({ tokens }: Bucket, { rate: { count, perMs } }: RecallPlan): number {
  return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * perMs) / count);
}

/** How many may be asked now, whatever their number is. */
export function mayAsk({ plan, phase, paused, stopped, underWay, counts, bucket }: RecallState): number {
  if (paused !== null || stopped !== null || (phase !== "canary" && phase !== "asking")) return 0;
  const places = plan.atOnce - underWay.length;
  // One that something else has turned says nothing: another one takes its place.
  const proofs = counts.rolledBack + counts.stuck + underWay.length;
  const canaries = phase === "canary" ? plan.canary - proofs : Infinity;
  return Math.max(0, Math.min(Math.floor(bucket.tokens), places, canaries));
}

/** The recall once its canary has come to rest, has trouble enough to pause, or has nothing more to do. */
export function judged(state: RecallState, at: number): RecallState {
  const { plan, paused, stopped, isRead, next, underWay, counts, seen } = state;
  const isWalked = stopped !== null || (isRead && next.length === 0);
  if (state.phase === "counting" && stopped === null) return state;
  if (isWalked && underWay.length === 0) return { ...state, phase: "done", paused: null, next: [] };
  const isFinishing = isWalked && state.phase !== "finishing";
  if (isFinishing) return judged({ ...state, phase: "finishing", next: [], paused: null }, at);
  if (paused !== null || state.phase === "finishing") return state;
  const newlyStruggling = state.struggling.filter((id) => !seen.struggling.includes(id));
  if (counts.stuck - seen.stuck + newlyStruggling.length >= plan.onStuck) {
    return { ...state, paused: { why: "stuck", at } };
  }
  if (state.phase !== "canary" || underWay.length > 0) return state;
  if (counts.stuck > seen.stuck) return { ...state, paused: { why: "canary", at } };
  return counts.rolledBack >= plan.canary ? { ...state, phase: "asking", bucket: atMostOne(state, at) } : state;
}

function atMostOne({ bucket }: RecallState, at: number): Bucket {
  return { tokens: Math.min(1, bucket.tokens), at };
}

/** What an act makes of it. */
export function acted(state: RecallState, act: "pause" | "resume" | "stop", by: RecallAct): RecallState {
  if (act === "stop") return state.stopped === null ? { ...state, stopped: by, paused: null } : state;
  if (act === "pause") return state.stopped === null ? { ...state, paused: { why: "asked", ...by } } : state;
  const { paused, phase, counts, struggling } = state;
  if (paused === null) return state;
  // Somebody who resumes after the canary has decided that the others are asked all the same.
  const goesOn = phase === "canary" && paused.why !== "asked";
  const seen = { stuck: counts.stuck, struggling };
  // What was saved up meanwhile is not asked all at once.
  const bucket = atMostOne(state, by.at);
  return { ...state, paused: null, seen, bucket, ...(goesOn && { phase: "asking" as const }) };
}
