/** What an execution of a trial is to do, drawn from a seed, and how it must end: the known answer. */
const kinds = ["plain", "slow", "flaky", "waits", "naps"] as const;
/** `long` is drawn by nobody: for a trial that has to find a step at work. */
export type Kind = (typeof kinds)[number] | "long";

export interface Leg {
  readonly kind: Kind;
  /** How the undo of this step goes. */
  readonly undo: "plain" | "flaky" | "waits";
}

export interface Plan {
  readonly legs: readonly Leg[];
  /** The step that fails for good; null: none. */
  readonly failsAt: number | null;
  /** After how long its rollback is requested from outside; null: never. */
  readonly recalledAfterMs: number | null;
}

export const sizes = [2, 3, 5] as const;

/** Mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

export function planOf(random: () => number): Plan {
  const size = pick(random, sizes);
  const legs = Array.from({ length: size }, (): Leg => ({
    kind: pick(random, kinds),
    undo: pick(random, ["plain", "plain", "flaky", "waits"] as const),
  }));
  return {
    legs,
    failsAt: random() < 0.35 ? Math.floor(random() * size) : null,
    recalledAfterMs: random() < 0.15 ? Math.floor(random() * 3000) : null,
  };
}
