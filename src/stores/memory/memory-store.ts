/**
 * The reference of what a store does: everything is synchronous, and lives as long as the process.
 * Where another store and this one differ, this one is read first.
 */
import { systemClock, type Clock } from "../../clock.js";
import { refuseUnknownOptions } from "../../values/options.js";
import { StepwellError } from "../../errors.js";
import {
  newRecord,
  type Batch,
  type BatchResult,
  type CommitResult,
  type CreateResult,
  type NewExecution,
  type Queueing,
  type Release,
} from "../batch.js";
import type { Transition, ExecutionRecord, HistoryRecord, MailboxRecord } from "../../execution/records.js";
import { Hints } from "../hints.js";
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
  MailFilter,
  Overdue,
  Pruned,
  PruneOptions,
  ScheduleChange,
  Store,
} from "../contract.js";
import { Arrivals } from "./arrivals.js";
import { DueQueue } from "./due-queue.js";
import { letterCounts, letterPage, lettersOf } from "./dead-letters.js";
import { Definitions } from "./definitions.js";
import { Gates } from "./gates.js";
import { Launchers } from "./launchers.js";
import { prune } from "./prune.js";
import { countOf, listPage } from "./read.js";
import { historyOf, recordOf, type Row } from "./rows.js";
import { MemorySchedules } from "./schedules.js";
import { Topics } from "./topics.js";

export interface MemoryStoreOptions {
  /** Whose time the store keeps. Default: the system's. */
  readonly clock?: Clock;
}

const owned: CreateResult = { created: true, owned: true };
const unowned: CreateResult = { created: true, owned: false };

/**
 * A store for tests, and for work that may be forgotten when the process ends. It keeps its data over
 * `close()` and a new `open()`, and nothing over the end of the process.
 *
 * @throws STEPWELL_UNKNOWN_OPTION
 * @example
 * const launcher = new Launcher({ store: memoryStore(), workflows: [fulfilOrder] });
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  refuseUnknownOptions(options, ["clock"], "memoryStore");
  return new MemoryStore(options.clock ?? systemClock);
}

class MemoryStore implements Store {
  readonly name = "memory";
  readonly gathers = false;
  readonly clock: Clock;
  readonly #rows = new Map<string, Row>();
  readonly #launchers = new Launchers();
  readonly #attention = new DueQueue();
  readonly #topics = new Topics<Row>();
  readonly #arrivals = new Arrivals(this.#rows, this.#topics, this.#attention);
  readonly #gates = new Gates();
  readonly #definitions = new Definitions();
  readonly #hints = new Hints();
  readonly #schedules = new MemorySchedules();
  #open = false;
  #lastSequence = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    if (this.#open) throw new StepwellError("STEPWELL_INVALID_ARGUMENT", "The memory store is open already.");
    this.#open = true;
  }

  close(): void {
    this.#open = false;
  }

  register(launcher: { readonly host: string; readonly pid: number }, formerly?: number): number {
    this.#mustBeOpen();
    return this.#launchers.register(launcher, formerly, this.clock.now());
  }

  beat(owner: number): { readonly alive: boolean; readonly others: readonly LauncherRecord[] } {
    this.#mustBeOpen();
    return this.#launchers.beat(owner, this.clock.now());
  }

  bury(owners: readonly number[], fate?: Fate): number {
    this.#mustBeOpen();
    const now = this.clock.now();
    const dead = new Set(owners);
    const counted = this.#launchers.bury(dead, fate, now);
    let freed = 0;
    for (const row of this.#rows.values()) {
      const { owner, revision } = row.record;
      if (owner === null || !dead.has(owner)) continue;
      if (counted.has(owner)) {
        if (row.deaths?.revision !== revision) row.deaths = { revision, owners: [owner] };
        else if (row.begun === owner) row.deaths = { revision, owners: [...row.deaths.owners, owner] };
      }
      this.#attention.free(row, now);
      freed++;
    }
    if (freed > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
    return freed;
  }

  begin(id: string, owner: number): boolean {
    this.#mustBeOpen();
    const row = this.#rows.get(id);
    if (row === undefined || row.record.owner !== owner) return false;
    row.begun = owner;
    return true;
  }

  deaths(id: string): readonly Death[] {
    this.#mustBeOpen();
    const row = this.#rows.get(id);
    if (row?.deaths === undefined || row.deaths.revision !== row.record.revision) return none;
    return this.#launchers.deaths(row.deaths.owners, this.clock.now());
  }

  define(definitions: readonly StoredDefinition[]): void {
    this.#mustBeOpen();
    this.#definitions.add(definitions);
  }

  definitions(workflow: string): readonly StoredDefinition[] {
    this.#mustBeOpen();
    return this.#definitions.of(workflow);
  }

  write(batch: Batch): BatchResult {
    this.#mustBeOpen();
    const at = this.clock.now();
    const hints: Hint[] = [];
    const result = {
      at,
      creates: batch.creates.length === 0 ? none : batch.creates.map((it) => this.#create(it, at, hints)),
      transitions: batch.transitions.length === 0 ? none : batch.transitions.map((it) => this.#commit(it, at, hints)),
      releases: batch.releases.length === 0 ? none : batch.releases.map((it) => this.#release(it, at, hints)),
      arrivals: batch.arrivals.length === 0 ? none : batch.arrivals.map((it) => this.#arrivals.deliver(it, at, hints)),
      subscriptions: batch.subscriptions?.map((it) => this.#arrivals.subscribe(it, at, hints)) ?? none,
      publications: batch.publications?.map((it) => this.#arrivals.publish(it, at, hints)) ?? none,
    };
    if (hints.length > 0) this.#hints.tell(hints);
    return result;
  }

  claim({ owner, limit, workflows }: ClaimOptions): Claimed {
    this.#mustBeOpen();
    const at = this.clock.now();
    const signalled = this.#attention.signalledOf(owner);
    const records: ExecutionRecord[] = [];
    const dueSince: number[] = [];
    // A launcher that was buried takes nothing: nobody would ever free it again.
    const alive = this.#launchers.has(owner);
    for (const row of this.#attention.inTurn(workflows, at, alive ? limit : 0)) {
      dueSince.push(row.record.dueAt!);
      this.#attention.take(row, owner);
      records.push(recordOf(row));
    }
    const nextAt = this.#attention.nextAt(workflows);
    return { records, dueSince, at, nextDueInMs: nextAt === null ? null : Math.max(0, nextAt - at), signalled, alive };
  }

  gates(): readonly string[] {
    this.#mustBeOpen();
    return this.#gates.waitedAt();
  }

  gate(query: GateQuery): GateState {
    this.#mustBeOpen();
    return this.#gates.read(query, this.clock.now(), (id) => this.#rows.get(id)?.record.owner === null);
  }

  admit(admission: Admission): number | null {
    this.#mustBeOpen();
    const at = this.clock.now();
    const count = this.#gates.admit(admission, at, (id) => {
      const row = this.#rows.get(id);
      if (row === undefined || row.record.owner !== null) return false;
      row.record.admission = "admitted";
      this.#attention.setDue(row, at);
      return true;
    });
    if (count !== null && count > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
    return count;
  }

  overdue(forMs: number): Overdue[] {
    this.#mustBeOpen();
    const before = this.clock.now() - forMs;
    const rows = this.#attention.overdue(before);
    const executions = rows.map(({ record: { workflow, version } }) => ({
      what: "executions" as const,
      name: workflow,
      version,
    }));
    return [...executions, ...this.#schedules.overdue(before)];
  }

  schedules(name?: string): readonly ScheduleRecord[] {
    this.#mustBeOpen();
    return this.#schedules.list(name);
  }

  dueSchedules(options: Omit<ClaimOptions, "owner">): DueSchedules {
    this.#mustBeOpen();
    return this.#schedules.due(options, this.clock.now());
  }

  changeSchedule(change: ScheduleChange): boolean {
    this.#mustBeOpen();
    const changed = this.#schedules.change(change);
    if (changed === true && change.creates.length > 0) {
      this.write({ creates: change.creates, transitions: none, releases: none, arrivals: none });
    }
    return changed !== undefined;
  }

  prunePublications(forMs: number, limit: number): number {
    this.#mustBeOpen();
    return this.#topics.prune(this.clock.now() - forMs, limit);
  }

  prune(options: PruneOptions): Pruned {
    this.#mustBeOpen();
    return prune(this.#rows.values(), options, this.clock.now(), (row) => {
      this.#topics.unsubscribe(row, "all");
      this.#rows.delete(row.record.id);
    });
  }

  /** Nothing is saved by copying less. */
  load(ids: readonly string[]): (ExecutionRecord | undefined)[] {
    this.#mustBeOpen();
    return ids.map((id) => {
      const row = this.#rows.get(id);
      return row === undefined ? undefined : recordOf(row);
    });
  }

  list(filter: ListFilter): ListPage {
    this.#mustBeOpen();
    return listPage(this.#rows.values(), filter);
  }

  count(conditions: ListConditions): number {
    this.#mustBeOpen();
    return countOf(this.#rows.values(), conditions);
  }

  history(id: string): HistoryRecord[] {
    this.#mustBeOpen();
    const row = this.#rows.get(id);
    return row === undefined ? [] : historyOf(row);
  }

  mailbox(executions: string | readonly string[], filter?: MailFilter): MailboxRecord[] {
    this.#mustBeOpen();
    return [executions].flat().flatMap((id) => this.#rows.get(id)?.mailbox?.read(filter) ?? []);
  }

  deadLetters(filter: LetterFilter): LetterPage {
    this.#mustBeOpen();
    return letterPage(this.#rows.values(), filter);
  }

  countDeadLetters(conditions: LetterConditions): number {
    this.#mustBeOpen();
    return lettersOf(this.#rows.values(), conditions).length;
  }

  countDeadLettersByWorkflow(): LetterCount[] {
    this.#mustBeOpen();
    return letterCounts(this.#rows.values());
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#hints.watch(listener);
  }

  #create(it: NewExecution, at: number, hints: Hint[]): CreateResult {
    const existing = this.#rows.get(it.id);
    if (existing !== undefined) return { created: false, existing: recordOf(existing) };
    // As in a claim: what a buried launcher creates is for another one to take up.
    const isOwned = it.owner !== null && this.#launchers.has(it.owner);
    const row: Row = {
      record: newRecord(it, isOwned ? it.owner : null, at),
      sequence: ++this.#lastSequence,
      place: -1,
      seen: 0,
      deaths: undefined,
      begun: undefined,
      last: undefined,
      mailbox: undefined,
      topics: undefined,
    };
    this.#rows.set(it.id, row);
    if (it.queue !== undefined) this.#queue(row, it.queue, it.dueInMs, at, hints);
    else if (!isOwned) this.#attention.dueIn(row, it.owner === null ? it.dueInMs : 0, at, hints);
    return isOwned ? owned : unowned;
  }

  #queue(row: Row, queueing: Queueing, dueInMs: number, at: number, hints: Hint[]): void {
    this.#gates.queue(row.record.id, row.record.version, row.sequence, queueing, at + dueInMs);
    this.#attention.setDue(row, row.record.deadlineAt);
    hints.push({ type: "due", inMs: dueInMs });
  }

  #commit(it: Transition, at: number, hints: Hint[]): CommitResult {
    const row = this.#rows.get(it.id);
    if (row === undefined) return "lost";
    const { record } = row;
    if (record.owner !== it.owner || record.revision !== it.revision - 1) return "lost";
    if (record.signals !== it.signals) return "signalled";
    record.status = it.status;
    record.position = it.position;
    if (it.state !== null) record.state = it.state;
    record.revision = it.revision;
    record.updatedAt = at;
    if (it.carried !== null) record.carried = it.carried;
    // While it has an owner it is in no heap, which its version decides.
    if (it.definition !== undefined) Object.assign(record, it.definition);
    row.last = { entry: it.history, at, before: row.last };
    if (row.mailbox !== undefined) {
      for (const { arrival, as } of it.settled) row.mailbox.settle(arrival, as, it.history.step);
      if (it.ends) row.mailbox.end();
      this.#attention.see(row);
    }
    if (it.unsubscribes !== undefined) this.#topics.unsubscribe(row, it.unsubscribes);
    if (it.leaves === true) this.#leave(row, hints);
    if (it.rests) this.#attention.letGo(row, it.dueInMs, at, hints);
    else record.claims = 1;
    return "taken";
  }

  #release(it: Release, at: number, hints: Hint[]): CommitResult {
    const row = this.#rows.get(it.id);
    if (row === undefined || row.record.owner !== it.owner) return "lost";
    if (it.signals !== null && row.record.signals !== it.signals) return "signalled";
    if (row.mailbox !== undefined) {
      for (const id of it.dead) row.mailbox.settle(id, "dead", null);
      if (it.signals !== null) this.#attention.see(row);
    }
    if (it.position !== undefined) row.record.position = it.position;
    if (it.parks === true) this.#park(row, at, hints);
    this.#attention.letGo(row, it.dueInMs, at, hints, it.position === undefined ? row.record.claims - 1 : 0);
    return "taken";
  }

  #park(row: Row, at: number, hints: Hint[]): void {
    row.record.status = "stuck";
    row.record.updatedAt = at;
    this.#leave(row, hints);
  }

  #leave({ record }: Row, hints: Hint[]): void {
    this.#gates.leave(record.id);
    record.admission = null;
    hints.push({ type: "due", inMs: 0 });
  }

  #mustBeOpen(): void {
    if (this.#open) return;
    throw new StepwellError(
      "STEPWELL_STORE_CLOSED",
      "The memory store is not open. Call open(), or start a launcher on it.",
    );
  }
}

/** Most batches of a store that gathers nothing hold one row in all. */
const none: readonly never[] = [];
