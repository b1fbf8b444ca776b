import { sleep, systemClock, type Clock } from "../../clock.js";
import { StepwellError } from "../../errors.js";
import type { Hint, MaybePromise } from "../contract.js";
import { Hints } from "../hints.js";
import { Moves } from "../moves.js";
import { isBusy, type Database } from "./database.js";
import type { Driver } from "./driver.js";
import { openDatabase, type Durability } from "./open.js";

/** How long a busy file is waited for, and how long between two tries, in milliseconds. */
const patience = 5_000;
const pause = 50;

/** What the parts of one SQLite store share: its file, once it is open, its clock, and who hears of what is due. */
export class SqliteFile {
  readonly path: string;
  readonly clock: Clock;
  readonly hints = new Hints();
  /** Other processes look into the file. */
  readonly moves = new Moves();
  readonly #durability: Durability;
  readonly #driver: () => Driver;
  #database: Database | undefined;

  constructor(path: string, clock: Clock, durability: Durability, driver: () => Driver) {
    this.path = path;
    this.clock = clock;
    this.#durability = durability;
    this.#driver = driver;
  }

  get isOpen(): boolean {
    return this.#database !== undefined;
  }

  open(): void {
    if (this.#database !== undefined) {
      throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `The SQLite store on ${this.#shown} is open already.`);
    }
    this.#database = openDatabase(this.path, this.#durability, this.#driver(), this.clock.now());
  }

  close(): void {
    const database = this.#database;
    this.#database = undefined;
    database?.close();
  }

  /** @throws STEPWELL_STORE_CLOSED */
  get database(): Database {
    if (this.#database !== undefined) return this.#database;
    throw new StepwellError(
      "STEPWELL_STORE_CLOSED",
      `The SQLite store on ${this.#shown} is not open. Call open(), or start a launcher on it.`,
    );
  }

  /** Does the work, and tells what became due by it once it is committed. */
  telling<Result>(work: (database: Database, at: number, hints: Hint[]) => Result): Result {
    const hints: Hint[] = [];
    const result = work(this.database, this.clock.now(), hints);
    this.hints.tell(hints);
    return result;
  }

  /** A busy file is waited for: for a moment on the thread of the caller, then beside all else. Batches the engine tries again by itself. */
  patiently<Result>(work: (database: Database, at: number, hints: Hint[]) => Result): MaybePromise<Result> {
    try {
      return this.telling(work);
    } catch (error) {
      if (!isBusy(error)) throw error;
      return this.#again(work);
    }
  }

  async #again<Result>(work: (database: Database, at: number, hints: Hint[]) => Result): Promise<Result> {
    // Who keeps the file busy lives by real time, whatever clock this store has.
    const began = systemClock.monotonic();
    for (;;) {
      await sleep(systemClock, (0.5 + systemClock.random()) * pause);
      try {
        return this.telling(work);
      } catch (error) {
        if (!isBusy(error) || systemClock.monotonic() - began > patience) throw error;
      }
    }
  }

  get #shown(): string {
    return JSON.stringify(this.path);
  }
}
