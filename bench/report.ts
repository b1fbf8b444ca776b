/** How figures are shown: a table with bars for people, one object a line for programs. */
import { median, rounded, type Figure, type Gathered } from "./figures.js";

/** The same figure of another commit. */
export interface Against {
  readonly ref: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly ratio?: number;
  /** This commit's value to that of the other, in the same round: the median of all rounds, the lowest and the highest. */
  readonly times: number;
  readonly timesLow: number;
  readonly timesHigh: number;
  readonly extra?: Gathered["extra"];
}

/** @param rounds of both, in turns: the machine was more alike within one than over all */
export function besides(
  ref: string,
  there: Gathered | undefined,
  rounds: Readonly<Record<"here" | "there", readonly (readonly Figure[])[]>>,
): Against | undefined {
  if (there === undefined) return undefined;
  const { name, value, low, high, ratio, extra } = there;
  const valueIn = (figures: readonly Figure[] | undefined): number | undefined =>
    figures?.find((it) => it.name === name)?.value;
  const ratios = rounds.here.flatMap((figures, round) => {
    const [own, other] = [valueIn(figures), valueIn(rounds.there[round])];
    return own === undefined || other === undefined ? [] : [own / other];
  });
  if (ratios.length === 0) return undefined;
  return {
    ref,
    value,
    low,
    high,
    ...(ratio !== undefined && { ratio }),
    times: median(ratios),
    timesLow: Math.min(...ratios),
    timesHigh: Math.max(...ratios),
    ...(extra !== undefined && { extra }),
  };
}

export function jsonLine(
  { name, value, unit, ratio, to, note, low, high, rounds, extra }: Gathered,
  against: Against | undefined,
): string {
  const { extra: extraThere, ...there } = against ?? {};
  const all = {
    name,
    value,
    unit,
    ratio,
    to,
    low,
    high,
    rounds,
    note,
    ...extra,
    ...(against !== undefined && { against: { ...there, ...extraThere } }),
  };
  // What is undefined is left out.
  return JSON.stringify(all, (_, it: unknown) => (typeof it === "number" ? exact(it) : it));
}

/** A share needs more digits than a rate. */
function exact(value: number): number {
  return Math.abs(value) >= 100 ? rounded(value) : Math.round(value * 10_000) / 10_000;
}

const widths = { name: 22, value: 24, spread: 19, ratio: 22, there: 10, times: 35 };

/** A bar of this length stands for 1. */
const unitBar = 8;
const longestBar = 12;
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Beyond its end it goes on, as an arrow says. */
function bar(ratio: number): string {
  const length = Math.max(0, ratio * unitBar);
  if (length > longestBar) return `${"█".repeat(longestBar - 1)}▶`;
  const full = Math.floor(length);
  return `${"█".repeat(full)}${eighths[Math.floor((length - full) * 8)]}`;
}

export class Table {
  readonly #ref: string | undefined;
  #isBegun = false;

  /** @param ref the other commit, if there is one */
  constructor(ref: string | undefined) {
    this.#ref = ref;
  }

  /** As soon as it is there: a whole run takes minutes. */
  print(figure: Gathered, against: Against | undefined): void {
    if (!this.#isBegun) this.#line(this.#head());
    this.#isBegun = true;
    const { name, value, unit, ratio, low, high, rounds } = figure;
    const cells = [
      name.padEnd(widths.name),
      `${shown(value).padStart(9)} ${unit}`.padEnd(widths.value),
      (rounds > 1 ? `${shown(low)} … ${shown(high)}` : "").padEnd(widths.spread),
      (ratio === undefined ? "" : `${bar(ratio).padEnd(longestBar)} ${shown(ratio)}`).padEnd(widths.ratio),
    ];
    if (this.#ref !== undefined) cells.push(...theirs(against, rounds));
    this.#line([...cells, remarks(figure, against?.ratio)]);
  }

  #head(): string[] {
    const head = [
      "".padEnd(widths.name),
      "   median".padEnd(widths.value),
      "lowest … highest".padEnd(widths.spread),
      "ratio".padEnd(widths.ratio),
    ];
    const ref = this.#ref;
    if (ref === undefined) return head;
    return [...head, ref.slice(0, widths.there).padStart(widths.there), "here/there, in turns".padEnd(widths.times)];
  }

  #line(cells: readonly string[]): void {
    console.log(cells.join(" ").trimEnd());
  }
}

function theirs(against: Against | undefined, rounds: number): string[] {
  if (against === undefined) return ["–".padStart(widths.there), "".padEnd(widths.times)];
  const { value, times, timesLow, timesHigh } = against;
  const spread = rounds > 1 ? ` (${shown(timesLow)} … ${shown(timesHigh)})` : "";
  return [
    shown(value).padStart(widths.there),
    `${bar(times).padEnd(longestBar)} ×${shown(times)}${spread}`.padEnd(widths.times),
  ];
}

/** What the ratio is to, also that of the other commit; what is not the default; and the other numbers. Words are for programs. */
function remarks({ to, note, extra = {} }: Gathered, theirs: number | undefined): string {
  const numbers = Object.entries(extra).flatMap(([key, it]) => (typeof it === "number" ? [`${key} ${shown(it)}`] : []));
  const there = theirs === undefined ? "" : `, there ${shown(theirs)}`;
  return [...(to === undefined ? [] : [`to ${to}${there}`]), ...(note === undefined ? [] : [note]), ...numbers].join(
    "; ",
  );
}

function shown(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 });
}
