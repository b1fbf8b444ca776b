import { isRetryable } from "../../errors.js";

/** So many keys are asked for by one statement at most. */
const most = 512;

interface Asked<Found> {
  readonly keys: readonly string[];
  readonly resolve: (found: readonly Found[]) => void;
  readonly reject: (error: unknown) => void;
}

/** What is read in one moment is read by one statement: who waits for many executions asks for each. The idea is DataLoader's. */
export class Together<Found> {
  readonly #read: (keys: readonly string[]) => Promise<readonly Found[]>;
  #asked: Asked<Found>[] = [];

  /** @param read gives what was found for each key, in their order */
  constructor(read: (keys: readonly string[]) => Promise<readonly Found[]>) {
    this.#read = read;
  }

  read(keys: readonly string[]): Promise<readonly Found[]> {
    return new Promise((resolve, reject) => {
      if (this.#asked.length === 0) queueMicrotask(() => this.#go());
      this.#asked.push({ keys, resolve, reject });
    });
  }

  #go(): void {
    let part: Asked<Found>[] = [];
    let size = 0;
    for (const asked of this.#asked.splice(0)) {
      if (size > 0 && size + asked.keys.length > most) {
        void this.#answer(part);
        [part, size] = [[], 0];
      }
      part.push(asked);
      size += asked.keys.length;
    }
    void this.#answer(part);
  }

  /** Never rejects. */
  async #answer(part: readonly Asked<Found>[]): Promise<void> {
    try {
      const found = await this.#read(part.flatMap(({ keys }) => keys));
      let next = 0;
      for (const { keys, resolve } of part) resolve(found.slice(next, (next += keys.length)));
    } catch (error) {
      // What can't be read of one is no reason to keep the others from who wants them.
      if (part.length > 1 && !isRetryable(error)) for (const asked of part) await this.#answer([asked]);
      else for (const { reject } of part) reject(error);
    }
  }
}
