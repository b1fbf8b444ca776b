/** Retry arithmetic. Pure: time and chance come in as numbers. */
import type { RetryDefinition, StepDefinition } from "../definition/definition.js";
import { defaultRetry, defaultRollbackRetry } from "../definition/retry-policy.js";
import type { Position } from "./position.js";
import { isPastPivot, type Shape } from "./router.js";
import type { StoreTime } from "./time.js";

/**
 * How long to wait before the next attempt, in milliseconds; undefined when the policy is used up.
 *
 * @param failures how many attempts have failed, the latest included
 * @param elapsed milliseconds since the first of them began
 * @param random from 0 to 1
 *
 * With jitter the wait is between half and all of the computed delay ("equal jitter", as described in
 * the AWS Architecture Blog's "Exponential Backoff And Jitter"): it spreads retries and keeps a floor.
 */
export function nextDelay(
  policy: RetryDefinition,
  failures: number,
  elapsed: number,
  random: number,
): number | undefined {
  if (failures >= policy.attempts) return undefined;
  // factor ** failures may reach Infinity; the maximum catches it, save for 0 × Infinity.
  const grown = policy.delay === 0 ? 0 : policy.delay * policy.factor ** (failures - 1);
  const delay = Math.min(grown, policy.maxDelay);
  const wait = Math.round(policy.jitter ? delay * (0.5 + random / 2) : delay);
  return elapsed + wait > policy.within ? undefined : wait;
}

/** The retry policy of the step in the direction in which the execution goes. */
export function policyOf({ retry, rollbackRetry }: StepDefinition, position: Position, shape: Shape): RetryDefinition {
  if (position.direction === "down") return rollbackRetry ?? defaultRollbackRetry;
  return retry ?? (isPastPivot(position, shape) ? defaultRollbackRetry : defaultRetry);
}

/** Whether an attempt that is due begins later than its policy allows. */
export function isTooLate(step: StepDefinition, position: Position, shape: Shape, time: StoreTime): boolean {
  const { attempts, firstAttemptAt, lastResult } = position;
  // After a pause it is no attempt that is due, but what the pause was for.
  if (attempts === 0 || firstAttemptAt === null || lastResult === "continue") return false;
  return time.storeNow() - firstAttemptAt > policyOf(step, position, shape).within;
}
