/** Publications: while one is kept, its id is taken in its topic, and who publishes it again is told of the first one. */
import type { Publication, PublishResult } from "../../src/stores/batch.js";
import type { Seen } from "./seen.js";

export const publicationSights = ["told to be a duplicate", "published anew"].map((what) => `a publication: ${what}`);

interface Kept {
  readonly id: string;
  readonly delivered: number;
  readonly expiresAt: number;
}

export class Publications {
  readonly #seen: Seen;
  readonly #wrong: (what: string) => void;
  readonly #kept = new Map<string, Kept>();

  constructor(seen: Seen, wrong: (what: string) => void) {
    this.#seen = seen;
    this.#wrong = wrong;
  }

  /** @param at the store's time */
  answered({ topic, id, messageId, keepForMs }: Publication, answer: PublishResult, at: number): void {
    const key = `${topic} ${messageId ?? id}`;
    const known = this.#kept.get(key);
    const isKept = known !== undefined && known.expiresAt > at;
    const { delivered } = answer;
    if (answer.result === "duplicate") {
      this.#sight("told to be a duplicate");
      if (!isKept) this.#wrong(`${key} is not kept, and is told to be a duplicate`);
      else if (known.id !== answer.id || known.delivered !== delivered)
        this.#wrong(`${key} is told to be another one than it is`);
      return;
    }
    if (known !== undefined) this.#sight("published anew");
    if (isKept) this.#wrong(`${key} is published twice while it is kept`);
    this.#kept.set(key, { id, delivered, expiresAt: at + keepForMs });
  }

  #sight(what: string): void {
    this.#seen.note("sight", `a publication: ${what}`);
  }
}
