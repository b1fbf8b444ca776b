/** Figures, and how those of several rounds become one. */

/** What a round of a group measured. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Beside something that was measured in the same round; `to` says what. */
  readonly ratio?: number;
  readonly to?: string;
  /** What else a reader must know, such as a setting that is not the default. */
  readonly note?: string;
  /** More of the same measurement. */
  readonly extra?: Readonly<Record<string, number | string>>;
}

/** The median of the rounds, and their spread. */
export interface Gathered extends Figure {
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  return Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!;
}

export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((one, other) => one - other)[Math.min(values.length - 1, Math.floor(values.length * share))]!;
}

/** By name, in the order of the first round. */
export function gather(rounds: readonly (readonly Figure[])[]): Gathered[] {
  return rounds[0]!.map(({ name }) => gathered(rounds.flatMap((figures) => figures.filter((it) => it.name === name))));
}

function gathered(figures: readonly Figure[]): Gathered {
  const values = figures.map(({ value }) => value);
  const value = median(values);
  const ratios = figures.flatMap(({ ratio }) => ratio ?? []);
  // Words, such as the name of the slowest query, can't be averaged: those of the round that is nearest.
  const nearest = figures.toSorted((one, other) => Math.abs(one.value - value) - Math.abs(other.value - value))[0]!;
  return {
    ...nearest,
    value,
    ...(ratios.length > 0 && { ratio: median(ratios) }),
    ...(nearest.extra !== undefined && { extra: extraOf(nearest.extra, figures) }),
    low: Math.min(...values),
    high: Math.max(...values),
    rounds: figures.length,
  };
}

function extraOf(nearest: NonNullable<Figure["extra"]>, figures: readonly Figure[]): NonNullable<Figure["extra"]> {
  const one = ([key, own]: [string, number | string]): [string, number | string] => {
    const numbers = figures.flatMap(({ extra }) => (typeof extra?.[key] === "number" ? [extra[key]] : []));
    return [key, typeof own === "number" ? median(numbers) : own];
  };
  return Object.fromEntries(Object.entries(nearest).map(one));
}

/** Rounded to what a second run would give again, more or less. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000;
}

/** What a run says to its groups. */
export interface GroupOptions {
  /** How long the soak takes. */
  readonly seconds: number;
}
