/** Those who ask, in a sweep: each asks again until it is answered, and what was accepted is remembered. */
import { isRetryable, StepwellError } from "../../src/errors.js";
import type { AnyWorkflow, Client } from "../../src/index.js";
import type { Store } from "../../src/stores/contract.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import type { Ask } from "./sweep-scenarios.js";

/** Where somebody may ask. */
export interface Counter {
  readonly client: Client;
  readonly workflows: readonly AnyWorkflow[];
  /** Whoever asked there hears nothing any more. */
  readonly onDeath?: (tell: () => void) => void;
}

/** How long an answer is waited for, and how long until it is asked again, in milliseconds. */
const patience = 3_000;
const pauses = { first: 50, later: 500 } as const;

/** Nobody asks so often. */
const mostTries = 60;

/** Asked for by this caller before, and on its way. */
const isUnderWay = (why: string): boolean => why.startsWith("already-");

export interface CallersParts {
  readonly world: VirtualClock;
  readonly store: Store;
  /** Where one asks at first, if anybody is there. */
  readonly first: () => Counter | undefined;
  /** Where no fault is met. */
  readonly quiet: Counter;
  readonly wrong: (what: string) => void;
}

export class Callers {
  /** What was accepted. */
  readonly accepted = new Set<Ask>();
  readonly #open = new Set<Ask>();
  readonly #parts: CallersParts;

  constructor(asks: readonly Ask[], parts: CallersParts) {
    this.#parts = parts;
    for (const ask of asks) {
      this.#open.add(ask);
      parts.world.after(ask.at, () => void this.#insist(ask));
    }
  }

  /** All are answered. */
  get areDone(): boolean {
    return this.#open.size === 0;
  }

  async #insist(ask: Ask): Promise<void> {
    const { first, quiet, world, wrong } = this.#parts;
    let wasAsked = false;
    for (let tries = 0; tries < mostTries; tries++) {
      if (wasAsked || (await this.#mayAsk(ask))) {
        const counter = (wasAsked ? undefined : first()) ?? quiet;
        wasAsked = true;
        if ((await this.#once(ask, counter)) === "answered") return void this.#open.delete(ask);
      }
      await new Promise<void>((resolve) => void world.after(tries === 0 ? pauses.first : pauses.later, resolve));
    }
    wrong(`${ask.promised.type} of ${ask.execution} is never answered`);
    this.#open.delete(ask);
  }

  async #mayAsk({ when, execution }: Ask): Promise<boolean> {
    if (when === undefined) return true;
    const [record] = await this.#parts.store.load([execution], "standing");
    return record?.status === when;
  }

  /** An answer may come when nobody waits for it any more: it counts all the same. */
  #once(ask: Ask, { client, workflows, onDeath }: Counter): Promise<"answered" | "not yet"> {
    return new Promise((resolve) => {
      this.#parts.world.after(patience, () => resolve("not yet"));
      onDeath?.(() => resolve("not yet"));
      // Some refuse at once.
      const asked = (async () => ask.ask(client, workflows))();
      asked.then(
        (answer) => resolve(this.#heard(ask, answer)),
        (error: unknown) => resolve(this.#failed(ask, error)),
      );
    });
  }

  #heard(ask: Ask, answer: unknown): "answered" | "not yet" {
    const { accepted = true, why = "" } = (answer ?? {}) as { readonly accepted?: boolean; readonly why?: string };
    if (!accepted) return isUnderWay(why) ? "answered" : "not yet";
    this.accepted.add(ask);
    return "answered";
  }

  #failed(ask: Ask, error: unknown): "answered" | "not yet" {
    const code = error instanceof StepwellError ? error.code : "";
    if (ask.tooLate?.includes(code) === true) return "answered";
    if (!isRetryable(error) && !passing.has(code))
      this.#parts.wrong(`${ask.promised.type} of ${ask.execution}: ${String(error)}`);
    return "not yet";
  }
}

/** The launcher is not there yet, or no more; no launcher has decided yet; a caller before this one has not got through yet. */
const passing = new Set(["STEPWELL_LAUNCHER_NOT_RUNNING", "STEPWELL_UNDECIDED", "STEPWELL_EXECUTION_NOT_FOUND"]);
