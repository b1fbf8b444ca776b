import { StepwellError, type ErrorDetails } from "../errors.js";
import type { RetryDefinition } from "./definition.js";
import { milliseconds, type Duration } from "./duration.js";
import { refuseUnknownOptions, shown } from "../values/options.js";

/**
 * How often a step function that throws or times out is tried. Retries are durable: the count and
 * the next time survive a restart.
 *
 * @example
 * retry: { attempts: 5, delay: "200ms", factor: 2, maxDelay: "30s" }
 */
export interface RetryPolicy {
  /** All tries, the first one included: a whole number from 1, or Infinity. Default: 1 up, Infinity down and after a pivot. */
  readonly attempts?: number;
  /** The wait before the second try. Default: "200ms", or `maxDelay` where that is shorter. */
  readonly delay?: Duration;
  /** By how much each wait is longer than the one before; at least 1. Default: 2. */
  readonly factor?: number;
  /** No wait is longer. Where both are given, it must not be shorter than `delay`. Default: "30s" up, "5m" down, or `delay` where that is longer. */
  readonly maxDelay?: Duration;
  /** Draw each wait from the upper half of its length, so that many retries spread. Default: true. */
  readonly jitter?: boolean;
  /**
   * No try begins later than this after the first one began; may be Infinity. Default: Infinity; down and after a pivot,
   * where no `attempts` are given, "24h".
   */
  readonly within?: Duration;
}

/** On the way up a step is tried once by default: only its author knows whether it may run twice. */
export const defaultRetry: RetryDefinition = {
  attempts: 1,
  delay: 200,
  factor: 2,
  maxDelay: 30_000,
  jitter: true,
  within: Infinity,
};

/** An undo must succeed in the end: an outage of an evening parks nothing. */
export const defaultRollbackRetry: RetryDefinition = {
  ...defaultRetry,
  attempts: Infinity,
  maxDelay: 5 * 60_000,
  within: 24 * 60 * 60_000,
};

const names = ["attempts", "delay", "factor", "maxDelay", "jitter", "within"];

/** Checks a policy and fills in left out options from `defaults`. Undefined: no policy was given. */
export function retryDefinition(
  policy: RetryPolicy | undefined,
  defaults: RetryDefinition,
  where: string,
  about: ErrorDetails,
): RetryDefinition | undefined {
  if (policy === undefined) return undefined;
  refuseNoPolicy(policy, where, about);
  refuseUnknownOptions(policy, names, where, about);
  const { attempts = defaults.attempts, factor = defaults.factor, jitter = defaults.jitter } = policy;
  const refuse = (what: string): never => {
    throw new StepwellError("STEPWELL_INVALID_RETRY_POLICY", `${where}: ${what}.`, about);
  };
  if (attempts !== Infinity && !(Number.isInteger(attempts) && attempts >= 1)) {
    refuse(`"attempts" counts all tries and must be a whole number from 1, or Infinity, not ${shown(attempts)}`);
  }
  if (typeof factor !== "number" || !(factor >= 1) || factor === Infinity) {
    refuse(`"factor" must be a number from 1, not ${shown(factor)}`);
  }
  if (typeof jitter !== "boolean") refuse(`"jitter" must be true or false, not ${shown(jitter)}`);
  const delay = policy.delay === undefined ? defaults.delay : milliseconds(policy.delay, `${where}, delay`);
  const maxDelay =
    policy.maxDelay === undefined
      ? Math.max(defaults.maxDelay, delay)
      : milliseconds(policy.maxDelay, `${where}, maxDelay`);
  if (policy.delay !== undefined && delay > maxDelay) {
    refuse(`"delay" (${delay} ms) is longer than "maxDelay" (${maxDelay} ms)`);
  }
  return Object.freeze({
    attempts,
    delay: Math.min(delay, maxDelay),
    factor,
    maxDelay,
    jitter,
    within: withinOf(policy, defaults, where),
  });
}

/** A policy that says how often, and not for how long, has no limit of time. */
function withinOf({ attempts, within }: RetryPolicy, defaults: RetryDefinition, where: string): number {
  if (within === undefined) return attempts === undefined ? defaults.within : Infinity;
  return within === Infinity ? Infinity : milliseconds(within, `${where}, within`);
}

/** Other libraries take `retry: false` for "never again"; here it must not mean the default. */
function refuseNoPolicy(policy: unknown, where: string, about: ErrorDetails): void {
  if (typeof policy === "object" && policy !== null && !Array.isArray(policy)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_RETRY_POLICY",
    `${where} must be a policy such as { attempts: 5, delay: "200ms" }, not ${shown(policy)}. For no retries give { attempts: 1 }.`,
    about,
  );
}
