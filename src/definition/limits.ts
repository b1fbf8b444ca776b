/** Limits on the launches of a workflow: how many at the same time, and how many in a while. */
import { StepwellError, type ErrorDetails } from "../errors.js";
import { milliseconds, type Duration } from "./duration.js";
import { refuseUnknownOptions, shown } from "../values/options.js";

/** A limit of how many executions of a workflow may be under way at the same time. */
export interface ConcurrencyLimit<State> {
  /** A whole number from 1. */
  readonly limit: number;
  /**
   * Makes it one limit for each key, such as an account, rather than one for all executions. Called once, at the launch, with the
   * state as it begins; gives a text of 1 to 255 characters.
   */
  readonly key?: (state: State) => string;
}

/** How many executions a workflow may let begin in any period of this length. */
export interface RateLimit<State> {
  /** A whole number from 1. */
  readonly limit: number;
  /** The length of the period. Longer than 0. */
  readonly per: Duration;
  /** Makes it one rate for each key, as for a limit of concurrency. */
  readonly key?: (state: State) => string;
}

/** A number, a limit, or two limits: one with a key and one without. */
export type Concurrency<State> = number | ConcurrencyLimit<State> | readonly ConcurrencyLimit<State>[];

type KeyFunction = (state: never) => string;

/** Checked limits; at least one of them is set. */
export interface LimitsDefinition {
  /** How many slots there are. Null: any number. */
  readonly concurrency: number | null;
  readonly perKey: { readonly limit: number; readonly key: KeyFunction } | null;
  /** `per` in milliseconds. */
  readonly rate: { readonly limit: number; readonly per: number; readonly key: KeyFunction | null } | null;
}

/** @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION */
export function limitsDefinition(
  concurrency: unknown,
  rate: unknown,
  where: string,
  about: ErrorDetails,
): LimitsDefinition | undefined {
  if (concurrency === undefined && rate === undefined) return undefined;
  const refuse = (problem: string): never => {
    throw new StepwellError("STEPWELL_INVALID_DEFINITION", `${where}: ${problem}`, about);
  };
  const limits = concurrency === undefined ? [] : concurrencyOf(concurrency, where, about, refuse);
  const [whole, ...moreWhole] = limits.filter(({ key }) => key === undefined);
  const [keyed, ...moreKeyed] = limits.filter(({ key }) => key !== undefined);
  if (moreWhole.length > 0 || moreKeyed.length > 0) {
    refuse(`"concurrency" takes one limit with a key and one without, not several of a kind.`);
  }
  return Object.freeze({
    concurrency: whole?.limit ?? null,
    perKey: keyed === undefined ? null : { limit: keyed.limit, key: keyed.key! },
    rate: rate === undefined ? null : rateOf(rate, where, about, refuse),
  });
}

type Refuse = (problem: string) => never;

interface CheckedLimit {
  readonly limit: number;
  readonly key: KeyFunction | undefined;
}

function concurrencyOf(given: unknown, where: string, about: ErrorDetails, refuse: Refuse): CheckedLimit[] {
  if (typeof given === "number") return [{ limit: limitOf(given, `"concurrency"`, refuse), key: undefined }];
  const all: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (all.length === 0) refuse(`"concurrency" is an empty array. Leave it out for no limit.`);
  return all.map((it) => {
    if (typeof it !== "object" || it === null) {
      return refuse(`"concurrency" takes a number, { limit, key } or an array of such, not ${shown(it)}.`);
    }
    refuseUnknownOptions(it, ["limit", "key"], `${where}, concurrency,`, about);
    const { limit, key } = it as { readonly limit?: unknown; readonly key?: unknown };
    return { limit: limitOf(limit, `concurrency: "limit"`, refuse), key: keyOf(key, "concurrency", refuse) };
  });
}

function rateOf(given: unknown, where: string, about: ErrorDetails, refuse: Refuse): LimitsDefinition["rate"] {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return refuse(`"rate" takes { limit, per, key }, such as { limit: 100, per: "1m" }, not ${shown(given)}.`);
  }
  refuseUnknownOptions(given, ["limit", "per", "key"], `${where}, rate,`, about);
  const { limit, per, key } = given as { readonly limit?: unknown; readonly per?: unknown; readonly key?: unknown };
  const length = milliseconds(per as Duration, `${where}, rate, per`);
  if (length === 0) refuse(`rate: "per" must be longer than 0.`);
  return { limit: limitOf(limit, `rate: "limit"`, refuse), per: length, key: keyOf(key, "rate", refuse) ?? null };
}

function limitOf(limit: unknown, what: string, refuse: Refuse): number {
  if (Number.isSafeInteger(limit) && (limit as number) >= 1 && (limit as number) <= largestLimit)
    return limit as number;
  return refuse(
    `${what} must be a whole number from 1 to ${largestLimit}, not ${shown(limit)}. Leave it out for no limit.`,
  );
}

function keyOf(key: unknown, what: string, refuse: Refuse): KeyFunction | undefined {
  if (key === undefined || typeof key === "function") return key as KeyFunction | undefined;
  return refuse(`${what}: "key" must be a function of the state, not ${shown(key)}.`);
}

/** What every store can count to. */
const largestLimit = 2 ** 31 - 1;
