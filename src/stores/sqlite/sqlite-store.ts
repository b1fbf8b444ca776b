import type { Clock } from "../../clock.js";
import { StepwellError } from "../../errors.js";
import { Hints } from "../hints.js";
import type { Batch, BatchResult, CommitResult, Transition } from "../batch.js";
import type { HistoryRecord, LauncherRecord, MailboxRecord, ScheduleRecord, StoredDefinition } from "../records.js";
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
  Loaded,
  MailFilter,
  Overdue,
  Pruned,
  PruneOptions,
  ScheduleChange,
  Store,
  Within,
} from "../store.js";
import { mailbox } from "./arrivals.js";
import { claim, overdue } from "./claim.js";
import { Database } from "./database.js";
import { countDeadLetters, countDeadLettersByWorkflow, deadLetters } from "./dead-letters.js";
import { define, definitions } from "./definitions.js";
import type { Connection, Driver } from "./driver.js";
import { admit, readGate, waitedAt } from "./gates.js";
import { beat, bury, register } from "./launchers.js";
import { openDatabase, type Durability } from "./open.js";
import { count, history, list, load } from "./read.js";
import { prune } from "./prune.js";
import { changeSchedule, dueSchedules, schedules } from "./schedules.js";
import { prunePublications } from "./topics.js";
import { transact } from "./transact.js";
import { write, writeWithin } from "./write.js";

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

  register({ host, pid }: { readonly host: string; readonly pid: number }): number {
    return register(this.#opened, host, pid, this.clock.now());
  }

  beat(owner: number): { readonly alive: boolean; readonly others: readonly LauncherRecord[] } {
    return beat(this.#opened, owner, this.clock.now());
  }

  bury(owners: readonly number[]): number {
    const freed = bury(this.#opened, owners, this.clock.now());
    if (freed > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
    return freed;
  }

  define(all: readonly StoredDefinition[]): void {
    define(this.#opened, all);
  }

  definitions(workflow: string): readonly StoredDefinition[] {
    return definitions(this.#opened, workflow);
  }

  write(batch: Batch): BatchResult {
    const hints: Hint[] = [];
    const result = write(this.#opened, batch, this.clock.now(), hints);
    this.#hints.tell(hints);
    return result;
  }

  claim(options: ClaimOptions): Claimed {
    return claim(this.#opened, options, this.clock.now());
  }

  gates(): readonly string[] {
    return waitedAt(this.#opened);
  }

  gate(query: GateQuery): GateState {
    return readGate(this.#opened, query, this.clock.now());
  }

  admit(admission: Admission): number | null {
    const count = admit(this.#opened, admission, this.clock.now());
    if (count !== null && count > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
    return count;
  }

  overdue(forMs: number): readonly Overdue[] {
    return overdue(this.#opened, this.clock.now() - forMs);
  }

  schedules(name?: string): readonly ScheduleRecord[] {
    return schedules(this.#opened, name);
  }

  dueSchedules(options: Omit<ClaimOptions, "owner">): DueSchedules {
    return dueSchedules(this.#opened, options, this.clock.now());
  }

  changeSchedule(change: ScheduleChange): boolean {
    const hints: Hint[] = [];
    const changed = changeSchedule(this.#opened, change, this.clock.now(), hints);
    this.#hints.tell(hints);
    return changed;
  }

  prunePublications(forMs: number, limit: number): number {
    return prunePublications(this.#opened, this.clock.now() - forMs, limit);
  }

  prune(options: PruneOptions): Pruned {
    return prune(this.#opened, options, this.clock.now());
  }

  load<Only extends "standing" | undefined = undefined>(ids: readonly string[], only?: Only): Loaded<Only> {
    return load(this.#opened, ids, only);
  }

  list(filter: ListFilter): ListPage {
    return list(this.#opened, filter);
  }

  count(conditions: ListConditions): number {
    return count(this.#opened, conditions);
  }

  history(id: string): readonly HistoryRecord[] {
    return history(this.#opened, id);
  }

  mailbox(executions: string | readonly string[], filter?: MailFilter): readonly MailboxRecord[] {
    return mailbox(this.#opened, executions, filter);
  }

  deadLetters(filter: LetterFilter): LetterPage {
    return deadLetters(this.#opened, filter);
  }

  countDeadLetters(conditions: LetterConditions): number {
    return countDeadLetters(this.#opened, conditions);
  }

  countDeadLettersByWorkflow(): LetterCount[] {
    return countDeadLettersByWorkflow(this.#opened);
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
    const database = new Database(this.#path, connection as Connection);
    return {
      load: (ids, only) => load(database, ids, only),
      mailbox: (executions, filter) => mailbox(database, executions, filter),
      write: (batch) => writeWithin(database, batch, this.clock.now()),
    };
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#hints.watch(listener);
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
