/** Calls observers: guards first, then watchers, each kind in the order listed. */
import type { Observer, ObserverCallbacks, ObserverEvent } from "../definition/observer.js";
import { Fail, patchProblem } from "../definition/outcome.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { StepwellError } from "../errors.js";
import { reasonOf } from "../serialize-error.js";

export type CallbackName = keyof ObserverCallbacks<unknown>;

/** Why a guard said no. */
export interface Veto {
  readonly reason: string;
  readonly error: unknown;
}

export class Observing {
  readonly #workflow: string;
  readonly #guards: readonly Observer[];
  readonly #watchers: readonly Observer[];
  readonly #listening: ReadonlySet<CallbackName>;
  /** Whether anyone wants to hear of the end. */
  readonly reports: boolean;

  constructor(definition: WorkflowDefinition) {
    this.#workflow = definition.name;
    this.#guards = definition.guards;
    this.#watchers = definition.watchers;
    const all = [...definition.guards, ...definition.watchers];
    const names: CallbackName[] = ["init", "beforeStep", "afterStep", "startRollback", "success", "failure"];
    this.#listening = new Set(names.filter((name) => all.some((observer) => observer[name] !== undefined)));
    this.reports = this.#listening.has("success") || this.#listening.has("failure");
  }

  hears(callback: CallbackName): boolean {
    return this.#listening.size > 0 && this.#listening.has(callback);
  }

  /**
   * Asks the guards in turn. `accept` takes a guard's patch, so that the next one's event shows it.
   * The first veto ends it; the others are not asked.
   */
  askGuards(callback: CallbackName, event: () => ObserverEvent, accept: (patch: object) => void): Veto | undefined {
    for (const guard of this.#guards) {
      if (guard[callback] === undefined) continue;
      try {
        const given = guard[callback](event());
        if (given === undefined || given === null) continue;
        const patch = given instanceof Fail ? given.patch : given;
        const problem = isPromise(given) ? forgotten(given) : patch === undefined ? undefined : patchProblem(patch);
        if (problem !== undefined) throw this.#wrong(guard, callback, `gave back ${problem}`, undefined);
        if (patch !== undefined) accept(patch);
        if (given instanceof Fail) return { reason: reasonOf(given), error: given };
      } catch (error) {
        return { reason: reasonOf(error), error };
      }
    }
    return undefined;
  }

  /** What a watcher throws or gives back changes nothing; it is reported. */
  tellWatchers(callback: CallbackName, event: () => ObserverEvent, report: (error: StepwellError) => void): void {
    for (const watcher of this.#watchers) {
      if (watcher[callback] === undefined) continue;
      try {
        const given = watcher[callback](event());
        if (isPromise(given)) report(this.#wrong(watcher, callback, `gave back ${forgotten(given)}`, undefined));
      } catch (error) {
        report(this.#wrong(watcher, callback, "threw", error));
      }
    }
  }

  #wrong(observer: Observer, callback: CallbackName, what: string, cause: unknown): StepwellError {
    const about = cause instanceof Error ? `: ${cause.message}` : "";
    return new StepwellError(
      "STEPWELL_OBSERVER_FAILED",
      `Observer "${observer.name}" of workflow "${this.#workflow}" ${what} in ${callback}${about}. Mend the observer.`,
      { workflow: this.#workflow, cause },
    );
  }
}

/** Nobody waits for it, so nobody else would hear that it was rejected. */
export function forgotten(promise: PromiseLike<unknown>): string {
  void Promise.resolve(promise).then(undefined, () => undefined);
  return "a promise, but observers are synchronous";
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
