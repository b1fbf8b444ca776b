import type { Failover } from "./cluster.js";

export interface Measured extends Failover {
  readonly firstStepAt: number;
}

/** In milliseconds. */
interface Figure {
  readonly kills: number;
  readonly untilPromotion: string;
  readonly promotionToFirstStep: string;
  readonly untilFirstStep: string;
}

/** Median and 99th percentile of each. */
export function figureOf(measured: readonly Measured[]): Figure {
  const both = (of: (it: Measured) => number): string => {
    const sorted = measured.map(of).toSorted((a, b) => a - b);
    const at = (share: number): number => Math.round(sorted[Math.ceil(sorted.length * share) - 1]!);
    return `${at(0.5)} / ${at(0.99)}`;
  };
  return {
    kills: measured.length,
    untilPromotion: both((it) => it.promotedAt - it.lostAt),
    promotionToFirstStep: both((it) => it.firstStepAt - it.promotedAt),
    untilFirstStep: both((it) => it.firstStepAt - it.lostAt),
  };
}

/** How many executions, messages and effects were lost, how many happened twice, and what else is wrong. */
export function kindsOf(violations: readonly string[]): { lost: number; double: number; other: number } {
  // Each wrong execution is described in a line of its own.
  const found = violations.filter((it) => !/^\S+ \{/.test(it));
  const isLost =
    /is not there|lost message|should be|stranded|with \S+ pending|has 0 effects|: is (?:waiting|running|scheduled)/;
  const lost = found.filter((it) => isLost.test(it));
  const double = found.filter((it) => !isLost.test(it) && /has \d+ effects|still stands|twice|times/.test(it));
  return { lost: lost.length, double: double.length, other: found.length - lost.length - double.length };
}
