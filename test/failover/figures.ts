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
  const lost = violations.filter((it) => /is not there|lost message|should be|stranded|pending|has 0 effects/.test(it));
  const double = violations.filter((it) => !lost.includes(it) && /has \d+ effects|still stands|twice|times/.test(it));
  return { lost: lost.length, double: double.length, other: violations.length - lost.length - double.length };
}
