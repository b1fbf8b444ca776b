import { sleep, systemClock, type Clock } from "../../clock.js";
import { StepwellError } from "../../errors.js";
import { Hints } from "../hints.js";
import type { Batch, BatchResult, CommitResult } from "../batch.js";
import type { Transition, HistoryRecord, MailboxRecord } from "../../execution/records.js";
import type { Death, Fate, LauncherRecord, ScheduleRecord, StoredDefinition } from "../records.js";
import type {
  Admission,
  Claimed,
  ClaimOptions,
  DueSchedules,
  GateQuery,
  GateState,
  Hint,
  LetterConditions,
  LetterCount,
  LetterFilter,
  LetterPage,
  ListConditions,
  ListFilter,
  ListPage,
  MaybePromise,
  Loaded,
  MailFilter,
  Overdue,
  Pruned,
  PruneOptions,
  ScheduleChange,
  Store,
  Within,
} from "../contract.js";
import { mailbox } from "./arrivals.js";
import { connectionOf, inTransaction } from "./callers.js";
import { claim, overdue } from "./claim.js";
import { Database, isBusy } from "./database.js";
import { countDeadLetters, countDeadLettersByWorkflow, deadLetters } from "./dead-letters.js";
import { define, definitions } from "./definitions.js";
import type { Connection, Driver } from "./driver.js";
import { admit, readGate, waitedAt } from "./gates.js";
import { beat, begin, bury, deaths, register } from "./launchers.js";
import { openDatabase, type Durability } from "./open.js";
import { count, history, list, load } from "./read.js";
import { prune } from "./prune.js";
import { changeSchedule, dueSchedules, schedules } from "./schedules.js";
import { prunePublications } from "./topics.js";
import { transact } from "./transact.js";
import { write, writeWithin } from "./write.js";

/** How long a busy file is waited for, and how long between two tries, in milliseconds. */
const patience = 5_000;
const pause = 50;

/** Everything is synchronous, on the thread of the caller; each concern has its own file. */
export class SqliteStore implements Store {
  readonly name = "sqlite";
  readonly gathers = true;
  readonly clock: Clock;
  readonly #path: string;
  readonly #durability: Durability;
  readonly #driver: () => Driver;
  readonly #hints = new Hints();
  #database: Database | undefined;

  constructor(path: string, clock: Clock, durability: Durability, driver: () => Driver) {
    this.clock = clock;
    this.#path = path;
    this.#durability = durability;
    this.#driver = driver;
  }

  get isOpen(): boolean {
    return this.#database !== undefined;
  }

  open(): void {
    if (this.#database !== undefined) {
      throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `The SQLite store on ${this.#file} is open already.`);
    }
    this.#database = openDatabase(this.#path, this.#durability, this.#driver(), this.clock.now());
  }

  close(): void {
    const database = this.#database;
    this.#database = undefined;
    database?.close();
  }

  register({ host, pid }: { readonly host: string; readonly pid: number }, formerly?: number): MaybePromise<number> {
    return this.#patiently(() => register(this.#opened, host, pid, formerly, this.clock.now()));
  }

  beat(owner: number): MaybePromise<{ readonly alive: boolean; readonly others: readonly LauncherRecord[] }> {
    return this.#patiently(() => beat(this.#opened, owner, this.clock.now()));
  }

  begin(id: string, owner: number): MaybePromise<boolean> {
    return this.#patiently(() => begin(this.#opened, id, owner));
  }

  deaths(id: string): MaybePromise<readonly Death[]> {
    return this.#patiently(() => deaths(this.#opened, id, this.clock.now()));
  }

  bury(owners: readonly number[], fate?: Fate): MaybePromise<number> {
    return this.#patiently(() => {
      const freed = bury(this.#opened, owners, fate, this.clock.now());
      if (freed > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
      return freed;
    });
  }

  define(all: readonly StoredDefinition[]): MaybePromise<void> {
    return this.#patiently(() => define(this.#opened, all));
  }

  definitions(workflow: string): MaybePromise<readonly StoredDefinition[]> {
    return this.#patiently(() => definitions(this.#opened, workflow));
  }

  write(batch: Batch): BatchResult {
    const hints: Hint[] = [];
    const result = write(this.#opened, batch, this.clock.now(), hints);
    this.#hints.tell(hints);
    return result;
  }

  claim(options: ClaimOptions): MaybePromise<Claimed> {
    return this.#patiently(() => claim(this.#opened, options, this.clock.now()));
  }

  gates(): MaybePromise<readonly string[]> {
    return this.#patiently(() => waitedAt(this.#opened));
  }

  gate(query: GateQuery): MaybePromise<GateState> {
    return this.#patiently(() => readGate(this.#opened, query, this.clock.now()));
  }

  admit(admission: Admission): MaybePromise<number | null> {
    return this.#patiently(() => {
      const count = admit(this.#opened, admission, this.clock.now());
      if (count !== null && count > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
      return count;
    });
  }

  overdue(forMs: number): MaybePromise<readonly Overdue[]> {
    return this.#patiently(() => overdue(this.#opened, this.clock.now() - forMs));
  }

  schedules(name?: string): MaybePromise<readonly ScheduleRecord[]> {
    return this.#patiently(() => schedules(this.#opened, name));
  }

  dueSchedules(options: Omit<ClaimOptions, "owner">): MaybePromise<DueSchedules> {
    return this.#patiently(() => dueSchedules(this.#opened, options, this.clock.now()));
  }

  changeSchedule(change: ScheduleChange): MaybePromise<boolean> {
    return this.#patiently(() => {
      const hints: Hint[] = [];
      const changed = changeSchedule(this.#opened, change, this.clock.now(), hints);
      this.#hints.tell(hints);
      return changed;
    });
  }

  prunePublications(forMs: number, limit: number): MaybePromise<number> {
    return this.#patiently(() => prunePublications(this.#opened, this.clock.now() - forMs, limit));
  }

  prune(options: PruneOptions): MaybePromise<Pruned> {
    return this.#patiently(() => prune(this.#opened, options, this.clock.now()));
  }

  load<Only extends "standing" | undefined = undefined>(
    ids: readonly string[],
    only?: Only,
  ): MaybePromise<Loaded<Only>> {
    return this.#patiently(() => load(this.#opened, ids, only));
  }

  list(filter: ListFilter): MaybePromise<ListPage> {
    return this.#patiently(() => list(this.#opened, filter));
  }

  count(conditions: ListConditions): MaybePromise<number> {
    return this.#patiently(() => count(this.#opened, conditions));
  }

  history(id: string): MaybePromise<readonly HistoryRecord[]> {
    return this.#patiently(() => history(this.#opened, id));
  }

  mailbox(executions: string | readonly string[], filter?: MailFilter): MaybePromise<readonly MailboxRecord[]> {
    return this.#patiently(() => mailbox(this.#opened, executions, filter));
  }

  deadLetters(filter: LetterFilter): MaybePromise<LetterPage> {
    return this.#patiently(() => deadLetters(this.#opened, filter));
  }

  countDeadLetters(conditions: LetterConditions): MaybePromise<number> {
    return this.#patiently(() => countDeadLetters(this.#opened, conditions));
  }

  countDeadLettersByWorkflow(): MaybePromise<LetterCount[]> {
    return this.#patiently(() => countDeadLettersByWorkflow(this.#opened));
  }

  transact(work: (connection: unknown) => unknown): CommitResult | null {
    const hints: Hint[] = [];
    const result = transact(
      this.#opened,
      work as (connection: Connection) => Transition | null,
      this.clock.now(),
      hints,
    );
    this.#hints.tell(hints);
    return result;
  }

  /** Nobody tells when the caller commits: what becomes due is found by polling. */
  within(connection: unknown): Within {
    const database = new Database(this.#path, connectionOf(connection, this.#path));
    return {
      load: (ids, only) => load(database, ids, only),
      mailbox: (executions, filter) => mailbox(database, executions, filter),
      // Whoever has waited meanwhile may have committed.
      write: (batch) => writeWithin(inTransaction(database), batch, this.clock.now()),
    };
  }

  waitsForNothing(connection: unknown): boolean {
    return this.#database?.connection === connection;
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#hints.watch(listener);
  }

  /** A busy file is waited for: for a moment on the thread of the caller, then beside all else. Batches the engine tries again by itself. */
  #patiently<Result>(work: () => Result): MaybePromise<Result> {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      return this.#again(work);
    }
  }

  async #again<Result>(work: () => Result): Promise<Result> {
    // Who keeps the file busy lives by real time, whatever clock this store has.
    const began = systemClock.monotonic();
    for (;;) {
      await sleep(systemClock, (0.5 + systemClock.random()) * pause);
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || systemClock.monotonic() - began > patience) throw error;
      }
    }
  }

  get #file(): string {
    return JSON.stringify(this.#path);
  }

  get #opened(): Database {
    if (this.#database !== undefined) return this.#database;
    throw new StepwellError(
      "STEPWELL_STORE_CLOSED",
      `The SQLite store on ${this.#file} is not open. Call open(), or start a launcher on it.`,
    );
  }
}
