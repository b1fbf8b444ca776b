/**
 * What stands in a row, checked as it is read: somebody may have changed it by hand, or a disk may have. What can't be read
 * throws when it is asked for, so that it concerns only those who ask, and the error says whose it is.
 */
import type { Direction, Lifecycle, StepFunc, Status } from "../../definition/flow.js";
import { StepwellError } from "../../errors.js";
import type { TurnRequest, Failing, Position, Round } from "../../execution/position.js";
import type { SchedulePlan } from "../records.js";
import type { ExecutionRecord } from "../../execution/records.js";

/** Objects, so that the compiler misses none. */
const directions: Readonly<Record<Direction, true>> = { up: true, down: true };
const functions: Readonly<Record<StepFunc, true>> = {
  run: true,
  runContinue: true,
  rollback: true,
  rollbackContinue: true,
  probe: true,
};
const lifecycles: Readonly<Record<Lifecycle, true>> = {
  init: true,
  beforeStep: true,
  step: true,
  startRollback: true,
  rollback: true,
  success: true,
  failure: true,
};
const statuses: Readonly<Record<Status, true>> = {
  scheduled: true,
  running: true,
  waiting: true,
  stuck: true,
  completed: true,
  rolledBack: true,
};
const admissions: Readonly<Record<NonNullable<ExecutionRecord["admission"]>, true>> = { queued: true, admitted: true };
const misses: Readonly<Record<SchedulePlan["missed"], true>> = { skip: true, once: true, all: true };

/** @param whose `execution "order-1001"` @param execution its id, where it is one's */
export function damaged(what: string, whose: string, problem: string, execution?: string): StepwellError {
  return new StepwellError(
    "STEPWELL_NOT_DECODABLE",
    `The ${what} of ${whose} can't be read back: ${problem}. It was damaged, or written by something else.`,
    execution === undefined ? {} : { execution },
  );
}

/** Undefined: it can be read. */
type Problem = string | undefined;

export function asItIs(value: unknown): unknown {
  return value;
}

/**
 * What a column of JSON holds.
 *
 * @param wholeOf what its value stands for @throws STEPWELL_NOT_DECODABLE
 */
export function readJson<T>(
  text: unknown,
  wholeOf: (value: unknown) => unknown,
  problemOf: (value: unknown) => Problem,
  fail: (problem: string) => StepwellError,
): T {
  let value: unknown;
  try {
    value = wholeOf(JSON.parse(text as string));
  } catch (error) {
    throw fail((error as Error).message);
  }
  const problem = problemOf(value);
  if (problem !== undefined) throw fail(problem);
  return value as T;
}

export function statusProblem(status: unknown): Problem {
  return word(statuses, status, "it");
}

export function admissionProblem(admission: unknown): Problem {
  return admission === null ? undefined : word(admissions, admission, "it");
}

export function positionProblem(value: unknown): Problem {
  if (!isObject(value)) return `it is ${kindOf(value)}, no object`;
  const it = value as Partial<Record<keyof Position, unknown>>;
  return (
    word(directions, it.direction, "direction") ??
    word(functions, it.stepFunc, "stepFunc") ??
    word(lifecycles, it.lifecycle, "lifecycle") ??
    (["reason", "lastResult", "step"] as const).map((field) => text(it[field], field)).find(isThere) ??
    (["stepIndex", "attempts", "uncounted"] as const).map((field) => count(it[field], field)).find(isThere) ??
    (["firstAttemptAt", "waitUntil", "resumeAt"] as const).map((field) => time(it[field], field)).find(isThere) ??
    (["error", "stuckBy"] as const).map((field) => object(it[field], field)).find(isThere) ??
    sometimes(it)
  );
}

/** Most positions have none of these fields. */
function sometimes(it: Partial<Record<keyof Position, unknown>>): Problem {
  const { passed, doubtful, irreversible, gone, keys, polls, request, priority, doubts, rounds, round, until } = it;
  return (
    (passed === undefined ? undefined : list(passed, "passed", isIndex)) ??
    (doubtful === undefined ? undefined : list(doubtful, "doubtful", isIndex)) ??
    (irreversible === undefined ? undefined : list(irreversible, "irreversible", isObject)) ??
    (gone === undefined ? undefined : list(gone, "gone", isText)) ??
    (keys === undefined || isObject(keys) ? undefined : `"keys" is ${kindOf(keys)}, no object`) ??
    (polls === undefined ? undefined : count(polls, "polls")) ??
    (request === undefined ? undefined : requestProblem(request)) ??
    (doubts === undefined ? undefined : list(doubts, "doubts", isDoubt)) ??
    (rounds === undefined ? undefined : list(rounds, "rounds", isRound)) ??
    (round === undefined ? undefined : count(round, "round")) ??
    (until === undefined ? undefined : count(until, "until")) ??
    (it.failing === undefined ? undefined : failingProblem(it.failing)) ??
    (priority === undefined ? undefined : count(priority, "priority")) ??
    sometimesTimes.map((field) => (it[field] === undefined ? undefined : someTime(it[field], field))).find(isThere) ??
    flags
      .map((field) => (it[field] === undefined || it[field] === true ? undefined : flag(it[field], field)))
      .find(isThere)
  );
}

const sometimesTimes = ["stepDeadlineAt", "sealedAt", "deadlineAt"] as const;
const flags = ["inDoubt", "partly", "warned", "begins"] as const;

function isDoubt(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { index, since } = value as Partial<Record<keyof NonNullable<Position["doubts"]>[number], unknown>>;
  return isIndex(index) && typeof since === "number";
}

function isRound(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { round, from } = value as Partial<Record<keyof Round, unknown>>;
  return isIndex(round) && isIndex(from);
}

function failingProblem(value: unknown): Problem {
  if (!isObject(value)) return `"failing" is ${kindOf(value)}, no object`;
  const { reason, error } = value as Partial<Record<keyof Failing, unknown>>;
  return text(reason, "reason") ?? object(error, "error");
}

function requestProblem(value: unknown): Problem {
  if (!isObject(value)) return `"request" is ${kindOf(value)}, no object`;
  const { reason, by = "", details = "", to = "" } = value as Partial<Record<keyof TurnRequest, unknown>>;
  return text(reason, "reason") ?? text(by, "by") ?? text(details, "details") ?? text(to, "to");
}

export function tagsProblem(value: unknown): Problem {
  if (Array.isArray(value) && value.every((tag) => typeof tag === "string")) return undefined;
  return `they are ${kindOf(value)}, no list of texts`;
}

export function lineProblem(value: unknown): Problem {
  if (!Array.isArray(value)) return `it is ${kindOf(value)}, no list`;
  const [list, position, parent, depth] = value as unknown[];
  return text(list, "list") ?? count(position, "position") ?? text(parent, "parent") ?? count(depth, "depth");
}

export function planProblem(value: unknown): Problem {
  if (!isObject(value)) return `it is ${kindOf(value)}, no object`;
  const { timing, missed, tags, paused, setAt, lastAt } = value as Partial<Record<keyof SchedulePlan, unknown>>;
  if (!isObject(timing) || !["cron", "every", "at"].some((key) => Object.hasOwn(timing, key))) {
    return `"timing" is none`;
  }
  if (typeof paused !== "boolean") return `"paused" is ${kindOf(paused)}`;
  return word(misses, missed, "missed") ?? tagsProblem(tags) ?? time(setAt, "setAt") ?? time(lastAt, "lastAt");
}

export function entryProblem(value: unknown): Problem {
  if (!isObject(value)) return `it is ${kindOf(value)}, no object`;
  const { direction, func, step, result } = value as Record<string, unknown>;
  return (
    word(directions, direction, "direction") ??
    word(functions, func, "func") ??
    text(step, "step") ??
    text(result, "result")
  );
}

function isThere(problem: Problem): problem is string {
  return problem !== undefined;
}

function word(known: object, value: unknown, field: string): Problem {
  if (typeof value === "string" && Object.hasOwn(known, value)) return undefined;
  const found = typeof value === "string" ? `"${value.slice(0, 40)}"` : kindOf(value);
  return `${field === "it" ? "it" : `"${field}"`} is ${found}, and must be one of ${Object.keys(known).join(", ")}`;
}

function text(value: unknown, field: string): Problem {
  return typeof value === "string" ? undefined : `"${field}" is ${kindOf(value)}, no text`;
}

function count(value: unknown, field: string): Problem {
  return isIndex(value) ? undefined : `"${field}" is no whole number from 0 on`;
}

function isIndex(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function list(value: unknown, field: string, holds: (item: unknown) => boolean): Problem {
  if (Array.isArray(value) && value.every(holds)) return undefined;
  return `"${field}" is ${kindOf(value)}, and not as it was written`;
}

function time(value: unknown, field: string): Problem {
  return value === null || typeof value === "number" ? undefined : `"${field}" is ${kindOf(value)}, no time`;
}

function someTime(value: unknown, field: string): Problem {
  return typeof value === "number" ? undefined : `"${field}" is ${kindOf(value)}, no time`;
}

function flag(value: unknown, field: string): Problem {
  return `"${field}" is ${kindOf(value)}, and is true where it is there`;
}

function object(value: unknown, field: string): Problem {
  return value === null || isObject(value) ? undefined : `"${field}" is ${kindOf(value)}, no object`;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return value === undefined ? "missing" : `a ${typeof value}`;
}
