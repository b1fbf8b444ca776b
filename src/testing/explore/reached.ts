/** In which situations the undos of a workflow were seen: what no history has shown is not known to work. */
import type { Called, CalledContext } from "./instrumented.js";

/** What had become of a step when its undo was called. */
export type Situation =
  "happened, with its patch" | "happened, without its patch" | "did not happen" | "happened twice";

interface Effect {
  count: number;
  /** What the function gave back last. */
  given: unknown;
}

export class Reached {
  /** By the name of the step. */
  readonly undone = new Map<string, Set<Situation>>();
  readonly run = new Set<string>();
  /** By idempotency key. */
  readonly #effects = new Map<string, Effect>();

  begins({ step, func, context }: Called): void {
    if (func === "run") this.run.add(step.name);
    if (func !== "rollback") return;
    const situations = this.undone.get(step.name) ?? new Set();
    for (const situation of this.#situations(context)) situations.add(situation);
    this.undone.set(step.name, situations);
  }

  #situations({ runKey, halfDone }: CalledContext): readonly Situation[] {
    const count = this.#effects.get(runKey ?? "")?.count ?? 0;
    if (count === 0) return halfDone === true ? ["did not happen"] : [];
    const patch = halfDone === true ? "happened, without its patch" : "happened, with its patch";
    return count > 1 ? [patch, "happened twice"] : [patch];
  }

  /** Counts it where it comes to its end. */
  took({ func, context }: Called, given: unknown): unknown {
    if (func !== "run") return given;
    const count = (value: unknown): void => {
      const effect = this.#effects.get(context.idempotencyKey);
      this.#effects.set(context.idempotencyKey, { count: (effect?.count ?? 0) + 1, given: value });
    };
    if (!(given instanceof Promise)) {
      count(given);
      return given;
    }
    return given.then((value: unknown) => {
      count(value);
      return value;
    });
  }

  /** What really became of it: what it gave, or that it did not happen. */
  givenUnder(key: string): object | undefined {
    const effect = this.#effects.get(key);
    if (effect === undefined) return undefined;
    const isPatch =
      typeof effect.given === "object" &&
      effect.given !== null &&
      Object.getPrototypeOf(effect.given) === Object.prototype;
    return isPatch ? (effect.given as object) : {};
  }

  /** What another history has shown is shown. */
  add(other: Reached): void {
    for (const step of other.run) this.run.add(step);
    for (const [step, situations] of other.undone) {
      const known = this.undone.get(step) ?? new Set();
      for (const situation of situations) known.add(situation);
      this.undone.set(step, known);
    }
  }
}
