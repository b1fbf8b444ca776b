/** Retry arithmetic. Pure: time and chance come in as numbers. */
import type { RetryDefinition } from "../definition/definition.js";

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
