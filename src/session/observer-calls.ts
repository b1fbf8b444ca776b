/** Calls observers: guards first, then watchers, each kind in the order listed. */
import { forgotten, isPromise } from "../values/promise.js";
import type { Clock } from "../clock.js";
import { callbacks, type CallbackName, type CarryEvent, type Observer } from "../definition/observer.js";
import { Fail, patchProblem } from "../definition/outcome.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { StepwellError } from "../errors.js";
import { reasonOf } from "../values/serialize-error.js";
import { Throttle } from "./throttle.js";

/** Why a guard vetoed. */
export interface Veto {
  readonly reason: string;
  readonly error: unknown;
}

type Report = (error: StepwellError) => void;

/** A callback as it is called: only its caller knows which event it gets. */
type Callback = (event: never) => unknown;

/** A watcher that takes longer, in milliseconds, is reported: it holds up every execution of its process. */
const slow = 50;

/** The largest text that observers may have stored with an execution or a message, in characters of JSON. */
const mostCarried = 4096;

export class ObserverCalls {
  readonly #workflow: string;
  readonly #guards: readonly Observer[];
  readonly #watchers: readonly Observer[];
  readonly #listening: ReadonlySet<CallbackName>;
  readonly #clock: Clock;
  readonly #throttle: Throttle;
  /** Whether an observer logs every failure: the one of `stepwell/observers/logger`, or another one of that name. */
  readonly logs: boolean;

  constructor(definition: WorkflowDefinition, clock: Clock) {
    this.#workflow = definition.name;
    this.#guards = definition.guards;
    this.#watchers = definition.watchers;
    this.#clock = clock;
    this.#throttle = new Throttle(clock);
    const all = [...definition.guards, ...definition.watchers];
    this.#listening = new Set(callbacks.filter((name) => all.some((observer) => observer[name] !== undefined)));
    this.logs = definition.watchers.some(({ name }) => name === "logger");
  }

  hears(callback: CallbackName): boolean {
    return this.#listening.size > 0 && this.#listening.has(callback);
  }

  /**
   * Asks the guards in turn. `accept` takes a guard's patch, so that the next one's event shows it.
   * The first veto ends it; the others are not asked.
   */
  askGuards(callback: CallbackName, event: () => object, accept: (patch: object) => void): Veto | undefined {
    for (const guard of this.#guards) {
      const call = guard[callback] as Callback | undefined;
      if (call === undefined) continue;
      try {
        const given = call(event() as never);
        if (given === undefined || given === null) continue;
        const patch = given instanceof Fail ? given.patch : given;
        const problem = isPromise(given) ? forgotten(given) : patch === undefined ? undefined : patchProblem(patch);
        if (problem !== undefined) throw this.#wrong(guard, callback, `gave back ${problem}`);
        if (patch !== undefined) accept(patch as object);
        if (given instanceof Fail) return { reason: reasonOf(given), error: given };
      } catch (error) {
        return { reason: reasonOf(error), error };
      }
    }
    return undefined;
  }

  /** What a watcher throws, or a promise that it gives back, changes nothing; it is reported. */
  tellWatchers(callback: CallbackName, event: () => object, report: Report): void {
    for (const watcher of this.#watchers) this.#call(watcher, callback, event, report);
  }

  /** What the watchers want stored with a launch, a message, a publication or a burst, as JSON; null: nothing. */
  carried(event: CarryEvent, report: Report): string | null {
    if (!this.hears("carry")) return null;
    const carried: Record<string, string> = {};
    for (const watcher of this.#watchers) {
      const given = this.#call(watcher, "carry", () => event, report);
      for (const [key, text] of Object.entries(given ?? {})) if (typeof text === "string") carried[key] = text;
    }
    const text = JSON.stringify(carried);
    if (text.length > mostCarried) {
      report(this.#error(`Observers gave ${text.length} characters to be carried; at most ${mostCarried} are kept.`));
      return null;
    }
    return text === "{}" ? null : text;
  }

  #call(watcher: Observer, callback: CallbackName, event: () => object, report: Report): unknown {
    const call = watcher[callback] as Callback | undefined;
    if (call === undefined) return undefined;
    const began = this.#clock.monotonic();
    try {
      const given = call(event() as never);
      if (isPromise(given)) this.#report(watcher, callback, `gave back ${forgotten(given)}`, report);
      else return given;
    } catch (error) {
      this.#report(watcher, callback, "threw", report, error);
    } finally {
      const took = this.#clock.monotonic() - began;
      if (took > slow)
        this.#report(watcher, callback, `took ${Math.round(took)} ms, while every execution waited`, report);
    }
    return undefined;
  }

  /** A watcher that fails at every step must not bury other errors: it is reported once in a while, with a count. */
  #report(watcher: Observer, callback: CallbackName, what: string, report: Report, cause?: unknown): void {
    const kind = `${watcher.name} ${callback} ${cause === undefined ? what.slice(0, 4) : "threw"}`;
    const heldBack = this.#throttle.pass(kind);
    if (heldBack === undefined) return;
    const since = heldBack === 0 ? "" : ` It did so ${heldBack} more times since this was last reported.`;
    report(this.#wrong(watcher, callback, what, cause, since));
  }

  #wrong(observer: Observer, callback: CallbackName, what: string, cause?: unknown, since = ""): StepwellError {
    const about = cause instanceof Error ? `: ${cause.message}` : "";
    const name = `Observer "${observer.name}" of workflow "${this.#workflow}"`;
    return this.#error(`${name} ${what} in ${callback}${about}. Mend the observer.${since}`, cause);
  }

  #error(message: string, cause?: unknown): StepwellError {
    return new StepwellError("STEPWELL_OBSERVER_FAILED", message, { workflow: this.#workflow, cause });
  }
}
