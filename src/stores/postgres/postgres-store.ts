import type { Clock } from "../../clock.js";
import { StepwellError } from "../../errors.js";
import { Hints } from "../hints.js";
import type { Batch, BatchResult, CommitResult, NewExecution } from "../batch.js";
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
  Loaded,
  MailFilter,
  MaybePromise,
  Overdue,
  Pruned,
  PruneOptions,
  ScheduleChange,
  Store,
  Within,
} from "../contract.js";
import { clientOf, mustBeInTransaction } from "./callers.js";
import { claim, claimLost, overdue } from "./claim.js";
import type { Database } from "./database.js";
import { countDeadLetters, countDeadLettersByWorkflow, deadLetters } from "./dead-letters.js";
import { define, definitions } from "./definitions.js";
import { InDoubt } from "./in-doubt.js";
import { admit, readGate, waitedAt } from "./gates.js";
import { beat, begin, bury, deaths, register } from "./launchers.js";
import { Notifications, type Line } from "./notifications.js";
import { connectionsOf, openDatabase, type Opened, type OpenOptions, type Source } from "./open.js";
import { count, history, list, load, mailbox } from "./read.js";
import { prune } from "./prune.js";
import { Semaphore } from "./semaphore.js";
import { changeSchedule, dueSchedules, schedules } from "./schedules.js";
import { prunePublications } from "./topics.js";
import { databaseOn, transact } from "./transact.js";
import { write } from "./write.js";

export interface Settings extends OpenOptions {
  readonly clock: Clock | undefined;
}

/** When to ask again for due work while a release is in doubt, in milliseconds. */
const heldPause = 50;

/** With so many connections two batches of topics may wait at the same time. */
const connectionsWorthTwo = 5;

/** So many connections are kept from the transactions of steps: for heartbeats, claims, commits and what is read. */
const keptFree = 2;

/** Each concern has its own file. */
export class PostgresStore implements Store {
  readonly name = "postgres";
  readonly gathers = true;
  /** One batch is written while the next one is put together; more only makes them smaller. */
  readonly lanes = 2;
  /** Each may wait for a lock, so they must leave enough connections for the lanes and for what is read. */
  readonly topicLanes: number;
  /** Undefined: time is the server's. */
  readonly clock?: Clock;
  readonly #source: Source;
  readonly #settings: Settings;
  readonly #hints = new Hints();
  /** Launchers of this process. */
  readonly #owners = new Set<number>();
  readonly #doubts = new InDoubt();
  /** Steps that have a transaction open. */
  readonly #transacting: Semaphore;
  #life: "closed" | "opening" | "open" = "closed";
  #opened: Opened | undefined;
  #notifications: Notifications | undefined;

  constructor(source: Source, settings: Settings) {
    this.#source = source;
    this.#settings = settings;
    const connections = connectionsOf(source, settings);
    this.topicLanes = connections < connectionsWorthTwo ? 1 : 2;
    this.#transacting = new Semaphore(Math.max(1, connections - keptFree));
    if (settings.clock !== undefined) this.clock = settings.clock;
  }

  get isOpen(): boolean {
    return this.#life === "open";
  }

  async open(): Promise<void> {
    if (this.#life !== "closed") {
      throw new StepwellError("STEPWELL_INVALID_ARGUMENT", "The PostgreSQL store is open already.");
    }
    this.#life = "opening";
    try {
      this.#opened = await openDatabase(this.#source, this.#settings);
      this.#life = "open";
    } catch (error) {
      this.#life = "closed";
      throw error;
    }
    if (!this.#settings.notifications) return;
    this.#notifications = new Notifications(this.#settings.schema, this.#line, (hints) => this.#hints.tell(hints));
    await this.#notifications.open();
  }

  async close(): Promise<void> {
    if (this.#life !== "open") return;
    this.#life = "closed";
    const opened = this.#opened;
    this.#opened = undefined;
    this.#notifications?.close();
    this.#notifications = undefined;
    await opened?.close();
  }

  async register({ host, pid }: { readonly host: string; readonly pid: number }, formerly?: number): Promise<number> {
    const owner = await register(this.#database, host, pid, formerly, this.#now);
    this.#owners.add(owner);
    return owner;
  }

  async beat(owner: number): Promise<{ readonly alive: boolean; readonly others: readonly LauncherRecord[] }> {
    return beat(this.#database, owner, this.#now);
  }

  async begin(id: string, owner: number): Promise<boolean> {
    return begin(this.#database, id, owner);
  }

  async deaths(id: string): Promise<readonly Death[]> {
    return deaths(this.#database, id, this.#now);
  }

  async bury(owners: readonly number[], fate?: Fate): Promise<number> {
    const freed = await bury(this.#database, owners, fate, this.#now);
    for (const owner of owners) this.#owners.delete(owner);
    if (freed > 0) this.#tell([{ type: "due", inMs: 0 }]);
    return freed;
  }

  async define(all: readonly StoredDefinition[]): Promise<void> {
    await define(this.#database, all);
  }

  async definitions(workflow: string): Promise<readonly StoredDefinition[]> {
    return definitions(this.#database, workflow);
  }

  async write(batch: Batch): Promise<BatchResult> {
    const database = this.#database;
    const tickets = batch.creates.map((create) => this.#doubts.ticketOf(create));
    try {
      const { hints, ...result } = await write(database, batch, tickets, this.#doubts, this.#now);
      this.#doubts.answered(batch);
      this.#tell(hints);
      return result;
    } catch (error) {
      // Whatever it was: it may have come after the commit, while it was asked why a part had been refused.
      this.#doubts.lostWrite(batch, tickets);
      throw error;
    }
  }

  abandon(create: NewExecution): void {
    this.#doubts.abandon(create);
  }

  async claim(options: ClaimOptions): Promise<Claimed> {
    const database = this.#database;
    const { owner } = options;
    const ticket = this.#doubts.newTicket();
    try {
      const stranded = this.#doubts.strandedOf(owner);
      if (this.#doubts.holdsClaims) {
        const held = await claim(database, { ...options, limit: 0 }, ticket, this.#now);
        return { ...held, nextDueInMs: heldPause };
      }
      const claimed = await claim(database, options, ticket, this.#now);
      if (stranded.length === 0 || options.limit === 0) return claimed;
      const lost = await claimLost(database, owner, stranded, ticket, this.#now);
      return {
        ...claimed,
        records: [...lost.records, ...claimed.records],
        dueSince: [...lost.dueSince, ...claimed.dueSince],
      };
    } catch (error) {
      // Also where only the second half is lost: what the first one took is given out by the next claim.
      this.#doubts.lostClaim(owner, ticket);
      throw error;
    }
  }

  async gates(): Promise<readonly string[]> {
    return waitedAt(this.#database);
  }

  async gate(query: GateQuery): Promise<GateState> {
    return readGate(this.#database, query, this.#now);
  }

  async admit(admission: Admission): Promise<number | null> {
    const count = await admit(this.#database, admission, this.#now);
    if (count !== null && count > 0) this.#tell([{ type: "due", inMs: 0 }]);
    return count;
  }

  async overdue(forMs: number): Promise<readonly Overdue[]> {
    return overdue(this.#database, forMs, this.#now);
  }

  async schedules(name?: string): Promise<readonly ScheduleRecord[]> {
    return schedules(this.#database, name);
  }

  async dueSchedules(options: Omit<ClaimOptions, "owner">): Promise<DueSchedules> {
    return dueSchedules(this.#database, options, this.#now);
  }

  async changeSchedule(change: ScheduleChange): Promise<boolean> {
    const tickets = change.creates.map(() => this.#doubts.newTicket());
    const { changed, hints } = await changeSchedule(this.#database, change, tickets, this.#now);
    this.#tell(hints);
    return changed;
  }

  async prunePublications(forMs: number, limit: number): Promise<number> {
    return prunePublications(this.#database, forMs, limit, this.#now);
  }

  async prune(options: PruneOptions): Promise<Pruned> {
    return prune(this.#database, options, this.#now);
  }

  async load<Only extends "standing" | undefined = undefined>(
    ids: readonly string[],
    only?: Only,
  ): Promise<Loaded<Only>> {
    return load(this.#database, ids, only);
  }

  async list(filter: ListFilter): Promise<ListPage> {
    return list(this.#database, filter);
  }

  async count(conditions: ListConditions): Promise<number> {
    return count(this.#database, conditions);
  }

  async history(id: string): Promise<readonly HistoryRecord[]> {
    return history(this.#database, id);
  }

  async mailbox(executions: string | readonly string[], filter?: MailFilter): Promise<readonly MailboxRecord[]> {
    return mailbox(this.#database, executions, filter);
  }

  async deadLetters(filter: LetterFilter): Promise<LetterPage> {
    return deadLetters(this.#database, filter);
  }

  async countDeadLetters(conditions: LetterConditions): Promise<number> {
    return countDeadLetters(this.#database, conditions);
  }

  async countDeadLettersByWorkflow(): Promise<LetterCount[]> {
    return countDeadLettersByWorkflow(this.#database);
  }

  async transact(work: (connection: unknown) => MaybePromise<Transition | null>): Promise<CommitResult | null> {
    const { answer, hints } = await this.#transacting.run(() =>
      transact(this.#database, work, this.#doubts, this.#now),
    );
    this.#tell(hints);
    return answer;
  }

  /** When the caller commits, nobody here hears of it: what becomes due is found by polling. */
  within(connection: unknown): Within {
    const database = databaseOn(this.#database, clientOf(connection as object));
    let checked: Promise<void> | undefined;
    const inside = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      await (checked ??= mustBeInTransaction(database));
      return work();
    };
    return {
      load: (ids, only) => inside(() => load(database, ids, only)),
      mailbox: (executions, filter) => inside(() => mailbox(database, executions, filter)),
      write: (batch) =>
        inside(() => {
          const tickets = batch.creates.map(() => this.#doubts.newTicket());
          return write(database, batch, tickets, this.#doubts, this.#now);
        }),
    };
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#hints.watch(listener);
  }

  /** Here at once. Elsewhere only what is wanted now: for a later time each process sees to it by itself. */
  #tell(told: readonly (Hint & { readonly owner?: number })[]): void {
    if (told.length === 0) return;
    const abroad: Hint[] = [];
    const hints = told.map(({ owner, ...hint }): Hint => {
      const isElsewhere = hint.type === "due" ? hint.inMs === 0 : owner === undefined || !this.#owners.has(owner);
      if (isElsewhere) abroad.push(hint);
      return hint;
    });
    this.#hints.tell(hints);
    this.#notifications?.send(abroad);
  }

  readonly #line = async (): Promise<Line> => {
    const { driver, database } = this.#opened!;
    if (typeof this.#source !== "string" || driver === undefined) {
      const client = await database.checkOut();
      return Object.assign(client, { close: () => client.release(true) });
    }
    const client = driver.client(this.#source);
    client.on("error", () => undefined);
    await client.connect();
    return Object.assign(client, { close: () => void client.end().catch(() => undefined) });
  };

  get #now(): number | null {
    return this.#settings.clock?.now() ?? null;
  }

  get #database(): Database {
    if (this.#life === "open") return this.#opened!.database;
    throw new StepwellError(
      "STEPWELL_STORE_CLOSED",
      "The PostgreSQL store is not open. Call open(), or start a launcher on it.",
    );
  }
}
