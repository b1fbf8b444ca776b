/**
 * The reference of what a store does: everything is synchronous, and lives as long as the process.
 * Where another store and this one differ, this one is read first.
 */
import { systemClock, type Clock } from "../../clock.js";
import { refuseUnknownOptions } from "../../definition/options.js";
import { StepwellError } from "../../errors.js";
import type { Status } from "../../flow/flow.js";
import { cursorOf, firstPlace, placeOf } from "../cursor.js";
import { isDeadLetter, letterPage, lettersOf } from "./dead-letters.js";
import { DueHeap, type Due } from "./due-heap.js";
import { Definitions } from "./definitions.js";
import { MemorySchedules } from "./schedules.js";
import { Gates } from "./gates.js";
import { Hints } from "../hints.js";
import { idOf, Topics, type Subscriber } from "./topics.js";
import type {
  Arrival,
  ArrivalResult,
  Batch,
  BatchResult,
  CommitResult,
  CreateResult,
  NewExecution,
  Publication,
  PublishResult,
  Queueing,
  Release,
  SubscribeResult,
  Subscription,
  Transition,
} from "../batch.js";
import type {
  ExecutionRecord,
  HistoryEntry,
  HistoryRecord,
  LauncherRecord,
  MailboxRecord,
  ScheduleRecord,
  StoredDefinition,
} from "../records.js";
import type {
  Admission,
  Claimed,
  ClaimOptions,
  DueSchedules,
  GateQuery,
  GateState,
  Hint,
  LetterConditions,
  LetterFilter,
  LetterPage,
  ListConditions,
  ListFilter,
  ListPage,
  Pruned,
  PruneOptions,
  ScheduleChange,
  Store,
} from "../store.js";

export interface MemoryStoreOptions {
  /** Whose time the store keeps. Default: the system's. */
  readonly clock?: Clock;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A history, from its end: most are short and never read, and an array keeps room for sixteen more. */
interface Committed {
  readonly entry: HistoryEntry;
  readonly at: number;
  readonly before: Committed | undefined;
}

/** An execution with all that belongs to it. */
interface Row extends Mutable<ExecutionRecord>, Due, Subscriber {
  /** `signals` as the last commit knew them. */
  seen: number;
  last: Committed | undefined;
  /** Most executions never get one. */
  mailbox: Mutable<MailboxRecord>[] | undefined;
}

interface Launcher {
  readonly host: string;
  readonly pid: number;
  beatAt: number;
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
  readonly #launchers = new Map<number, Launcher>();
  /** Who is due, by workflow and version. */
  readonly #due = new Map<string, DueHeap<Row>>();
  /** Owned rows with an arrival that no commit has seen. */
  readonly #signalled = new Set<Row>();
  readonly #topics = new Topics<Row>();
  readonly #gates = new Gates();
  readonly #definitions = new Definitions();
  readonly #hints = new Hints();
  readonly #schedules = new MemorySchedules();
  #open = false;
  #lastOwner = 0;
  #lastArrival = 0;
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

  register({ host, pid }: { readonly host: string; readonly pid: number }): number {
    this.#mustBeOpen();
    this.#launchers.set(++this.#lastOwner, { host, pid, beatAt: this.clock.now() });
    return this.#lastOwner;
  }

  beat(owner: number): { readonly alive: boolean; readonly others: readonly LauncherRecord[] } {
    this.#mustBeOpen();
    const now = this.clock.now();
    const own = this.#launchers.get(owner);
    if (own !== undefined) own.beatAt = now;
    const others: LauncherRecord[] = [];
    for (const [number, { host, pid, beatAt }] of this.#launchers) {
      if (number !== owner) others.push({ owner: number, host, pid, silentMs: Math.max(0, now - beatAt) });
    }
    return { alive: own !== undefined, others };
  }

  bury(owners: readonly number[]): number {
    this.#mustBeOpen();
    const now = this.clock.now();
    const dead = new Set(owners);
    for (const owner of dead) this.#launchers.delete(owner);
    let freed = 0;
    for (const row of this.#rows.values()) {
      if (row.owner === null || !dead.has(row.owner)) continue;
      row.owner = null;
      this.#signalled.delete(row);
      this.#setDue(row, now);
      freed++;
    }
    if (freed > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
    return freed;
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
      arrivals: batch.arrivals.length === 0 ? none : batch.arrivals.map((it) => this.#deliver(it, at, hints)),
      subscriptions: batch.subscriptions?.map((it) => this.#subscribe(it, at, hints)) ?? none,
      publications: batch.publications?.map((it) => this.#publish(it, at, hints)) ?? none,
    };
    if (hints.length > 0) this.#hints.tell(hints);
    return result;
  }

  claim({ owner, limit, workflows }: ClaimOptions): Claimed {
    this.#mustBeOpen();
    const at = this.clock.now();
    const signalled = [...this.#signalled].filter((row) => row.owner === owner).map(({ id }) => id);
    const heaps = workflows.flatMap((it) => this.#due.get(dueKey(it.name, it.version)) ?? []);
    const records: ExecutionRecord[] = [];
    const dueSince: number[] = [];
    // A launcher that was buried takes nothing: nobody would ever free it again.
    const alive = this.#launchers.has(owner);
    for (const row of dueInTurn(heaps, at, alive ? limit : 0)) {
      dueSince.push(row.dueAt!);
      this.#setDue(row, null);
      row.owner = owner;
      row.claims++;
      if (row.signals > row.seen) this.#signalled.add(row);
      records.push(recordOf(row));
    }
    const next = firstOf(heaps);
    return {
      records,
      dueSince,
      at,
      nextDueInMs: next === undefined ? null : Math.max(0, next.dueAt! - at),
      signalled,
      alive,
    };
  }

  gate(query: GateQuery): GateState {
    this.#mustBeOpen();
    return this.#gates.read(query, this.clock.now(), (id) => this.#rows.get(id)?.owner === null);
  }

  admit(admission: Admission): number | null {
    this.#mustBeOpen();
    const at = this.clock.now();
    const count = this.#gates.admit(admission, at, (id) => {
      const row = this.#rows.get(id);
      if (row === undefined || row.owner !== null) return false;
      row.admission = "admitted";
      this.#setDue(row, at);
      return true;
    });
    if (count !== null && count > 0) this.#hints.tell([{ type: "due", inMs: 0 }]);
    return count;
  }

  overdue(forMs: number): { readonly name: string; readonly version: string }[] {
    this.#mustBeOpen();
    const before = this.clock.now() - forMs;
    const rows = [...this.#due.values()].flatMap(({ first }) =>
      first !== undefined && first.dueAt! < before ? first : [],
    );
    return rows.map(({ workflow, version }) => ({ name: workflow, version }));
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

  prune({ olderThanMs, limit, after, dry }: PruneOptions): Pruned {
    this.#mustBeOpen();
    const at = this.clock.now();
    const place = after === null ? firstPlace : placeOf(after);
    const youngest = at - Math.min(...Object.values(olderThanMs));
    const rows = [...this.#rows.values()]
      .filter((row) => row.createdAt <= youngest && isNewer(row, place))
      .toSorted((one, other) => (isNewer(one, other) ? 1 : -1));
    const page = rows.slice(0, limit);
    const counts: Partial<Record<Status, number>> = {};
    for (const row of page) {
      const age = olderThanMs[row.status];
      const isBusy = row.owner !== null || row.dueAt !== null || row.signals > row.seen;
      if (age === undefined || isBusy || row.updatedAt > at - age) continue;
      counts[row.status] = (counts[row.status] ?? 0) + 1;
      if (dry) continue;
      this.#topics.unsubscribe(row, "all");
      this.#rows.delete(row.id);
    }
    return { counts, cursor: rows.length > limit ? cursorOf(page.at(-1)!) : null };
  }

  load(ids: readonly string[]): (ExecutionRecord | undefined)[] {
    this.#mustBeOpen();
    return ids.map((id) => {
      const row = this.#rows.get(id);
      return row === undefined ? undefined : recordOf(row);
    });
  }

  list({ limit, after, ...conditions }: ListFilter): ListPage {
    this.#mustBeOpen();
    const place = after === undefined ? undefined : placeOf(after);
    const rows = [...this.#rows.values()]
      .filter((row) => fits(row, conditions) && (place === undefined || isNewer(place, row)))
      .toSorted((one, other) => (isNewer(one, other) ? -1 : 1));
    const page = rows.slice(0, limit);
    return { records: page.map(recordOf), cursor: rows.length > limit ? cursorOf(page.at(-1)!) : null };
  }

  count(conditions: ListConditions): number {
    this.#mustBeOpen();
    let found = 0;
    for (const row of this.#rows.values()) if (fits(row, conditions)) found++;
    return found;
  }

  history(id: string): HistoryRecord[] {
    this.#mustBeOpen();
    const row = this.#rows.get(id);
    const records: HistoryRecord[] = [];
    let revision = row?.revision ?? 0;
    for (let it = row?.last; it !== undefined; it = it.before)
      records.push({ ...it.entry, revision: revision--, at: it.at });
    return records.toReversed();
  }

  mailbox(id: string, only?: "pending"): MailboxRecord[] {
    this.#mustBeOpen();
    const records: MailboxRecord[] = [];
    for (const row of this.#rows.get(id)?.mailbox ?? []) {
      if (only === undefined || row.status === only) records.push({ ...row });
    }
    return records;
  }

  deadLetters(filter: LetterFilter): LetterPage {
    this.#mustBeOpen();
    return letterPage(this.#rows.values(), filter);
  }

  countDeadLetters(conditions: LetterConditions): number {
    this.#mustBeOpen();
    return lettersOf(this.#rows.values(), conditions).length;
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
      id: it.id,
      workflow: it.workflow,
      version: it.version,
      fingerprint: it.fingerprint,
      tags: it.tags,
      status: it.status,
      position: it.position,
      state: it.state,
      input: it.input,
      revision: 0,
      signals: 0,
      owner: isOwned ? it.owner : null,
      claims: isOwned ? 1 : 0,
      dueAt: null,
      deadlineAt: it.deadlineInMs === null ? null : at + it.deadlineInMs,
      createdAt: at,
      updatedAt: at,
      carried: it.carried,
      subscribed: 0,
      topics: undefined,
      sequence: ++this.#lastSequence,
      admission: it.queue === undefined ? null : "queued",
      place: -1,
      seen: 0,
      last: undefined,
      mailbox: undefined,
    };
    this.#rows.set(row.id, row);
    if (it.queue !== undefined) this.#queue(row, it.queue, it.dueInMs, at, hints);
    else if (!isOwned) this.#dueIn(row, it.owner === null ? it.dueInMs : 0, at, hints);
    return isOwned ? owned : unowned;
  }

  #queue(row: Row, queueing: Queueing, dueInMs: number, at: number, hints: Hint[]): void {
    this.#gates.queue(row.id, row.version, row.sequence, queueing, at + dueInMs);
    this.#setDue(row, row.deadlineAt);
    hints.push({ type: "due", inMs: dueInMs });
  }

  #commit(it: Transition, at: number, hints: Hint[]): CommitResult {
    const row = this.#rows.get(it.id);
    if (row === undefined || row.owner !== it.owner || row.revision !== it.revision - 1) return "lost";
    if (row.signals !== it.signals) return "signalled";
    row.status = it.status;
    row.position = it.position;
    if (it.state !== null) row.state = it.state;
    row.revision = it.revision;
    row.updatedAt = at;
    if (it.carried !== null) row.carried = it.carried;
    // While it has an owner it is in no heap, which its version decides.
    if (it.definition !== undefined) Object.assign(row, it.definition);
    row.last = { entry: it.history, at, before: row.last };
    if (row.mailbox !== undefined) {
      for (const { arrival, as } of it.settled) settle(row.mailbox, arrival, as, it.history.step);
      if (it.ends)
        for (const { id, status } of row.mailbox) if (status === "pending") settle(row.mailbox, id, "dead", null);
      this.#see(row);
    }
    if (it.unsubscribes !== undefined) this.#topics.unsubscribe(row, it.unsubscribes);
    if (it.leaves === true) {
      this.#gates.leave(row.id);
      row.admission = null;
      hints.push({ type: "due", inMs: 0 });
    }
    if (it.rests) this.#letGo(row, it.dueInMs, at, hints);
    else row.claims = 1;
    return "taken";
  }

  #release(it: Release, at: number, hints: Hint[]): CommitResult {
    const row = this.#rows.get(it.id);
    if (row === undefined || row.owner !== it.owner) return "lost";
    if (it.signals !== null && row.signals !== it.signals) return "signalled";
    if (row.mailbox !== undefined) {
      for (const id of it.dead) settle(row.mailbox, id, "dead", null);
      if (it.signals !== null) this.#see(row);
    }
    this.#letGo(row, it.dueInMs, at, hints, row.claims - 1);
    return "taken";
  }

  #deliver(it: Arrival, at: number, hints: Hint[]): ArrivalResult {
    const row = this.#rows.get(it.execution);
    if (row === undefined) return { result: "not-found" };
    const known = it.messageId === null ? undefined : row.mailbox?.find((other) => other.messageId === it.messageId);
    if (known !== undefined) return { result: "duplicate", id: known.id };
    if (!it.acceptedIn.includes(row.status)) return { result: "ended" };
    if (it.only !== undefined && (it.only.revision !== row.revision || it.only.signals !== row.signals)) {
      return { result: "moved" };
    }
    if (it.resends !== undefined && !this.#takeOut(it.resends)) return { result: "not-dead" };
    const { id, kind, messageId } = it;
    this.#put(row, { id, kind, name: it.name, payload: it.payload, messageId, carried: it.carried, topic: null }, at);
    if (this.#signal(row, it.wakes, at, hints)) hints.push({ type: "due", inMs: 0 });
    return { result: "stored", id };
  }

  /** A dead letter that is sent again. False: it is none. */
  #takeOut({ execution, arrival }: NonNullable<Arrival["resends"]>): boolean {
    const letter = this.#rows.get(execution)?.mailbox?.find(({ id }) => id === arrival);
    if (letter === undefined || !isDeadLetter(letter)) return false;
    letter.status = "resent";
    return true;
  }

  #subscribe({ execution, owner, revision, topic, until }: Subscription, at: number, hints: Hint[]): SubscribeResult {
    const row = this.#rows.get(execution);
    if (row === undefined || row.owner !== owner || row.revision !== revision) return "lost";
    const kept = this.#topics.subscribe(row, topic, until, at);
    // Each is tried, so that all that is new is there.
    const isNew = kept.filter((publication) => this.#putPublication(row, publication, at)).length > 0;
    if (isNew) this.#signal(row, [], at, hints);
    return "taken";
  }

  #publish(it: Publication, at: number, hints: Hint[]): PublishResult {
    const reached = this.#topics.publish(it, at);
    if (!("length" in reached)) {
      return { result: "duplicate", id: reached.publication.id, delivered: reached.delivered };
    }
    let isDue = false;
    for (const row of reached) {
      if (this.#putPublication(row, it, at) && this.#signal(row, it.wakes, at, hints)) isDue = true;
    }
    if (isDue) hints.push({ type: "due", inMs: 0 });
    return { result: "stored", id: it.id, delivered: reached.length };
  }

  /** False: the execution has it already. */
  #putPublication(row: Row, it: Publication, at: number): boolean {
    const messageId = idOf(it);
    if (row.mailbox?.some((other) => other.messageId === messageId) === true) return false;
    const { id, name, payload, carried, topic } = it;
    this.#put(row, { id, kind: "message", name, payload, messageId, carried, topic }, at);
    return true;
  }

  #put(
    row: Row,
    it: Pick<MailboxRecord, "id" | "kind" | "name" | "payload" | "messageId" | "carried" | "topic">,
    at: number,
  ): void {
    row.mailbox ??= [];
    row.mailbox.push({
      id: it.id,
      execution: row.id,
      sequence: ++this.#lastArrival,
      kind: it.kind,
      name: it.name,
      payload: it.payload,
      messageId: it.messageId,
      status: "pending",
      receivedAt: at,
      step: null,
      carried: it.carried,
      topic: it.topic,
    });
    row.signals++;
  }

  /** Something is new in its mailbox. True: it has become due. */
  #signal(row: Row, wakes: readonly Status[], at: number, hints: Hint[]): boolean {
    if (row.owner !== null) {
      this.#signalled.add(row);
      hints.push({ type: "signalled", execution: row.id });
      return false;
    }
    if (!wakes.includes(row.status)) return false;
    // One that has been due for longer keeps its place.
    if (row.dueAt === null || row.dueAt > at) this.#setDue(row, at);
    return true;
  }

  /** A commit has seen all that has arrived. */
  #see(row: Row): void {
    row.seen = row.signals;
    this.#signalled.delete(row);
  }

  #letGo(row: Row, dueInMs: number | null, at: number, hints: Hint[], claims = 0): void {
    row.owner = null;
    row.claims = claims;
    this.#signalled.delete(row);
    this.#dueIn(row, dueInMs, at, hints);
  }

  #dueIn(row: Row, milliseconds: number | null, at: number, hints: Hint[]): void {
    this.#setDue(row, milliseconds === null ? null : at + milliseconds);
    if (milliseconds !== null) hints.push({ type: "due", inMs: milliseconds });
  }

  #setDue(row: Row, dueAt: number | null): void {
    const key = dueKey(row.workflow, row.version);
    let heap = this.#due.get(key);
    if (row.place >= 0) heap!.remove(row);
    row.dueAt = dueAt;
    if (dueAt === null) return;
    if (heap === undefined) this.#due.set(key, (heap = new DueHeap()));
    heap.add(row);
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

/** Unambiguous: a name holds no control characters. */
function dueKey(workflow: string, version: string): string {
  return `${workflow}\n${version}`;
}

/** The first of each heap in turn; who takes a row takes it out of its heap before the next one is asked for. */
function* dueInTurn(heaps: readonly DueHeap<Row>[], at: number, limit: number): Generator<Row> {
  let left = limit;
  let round = heaps;
  while (left > 0 && round.length > 0) {
    round = round.filter(({ first }) => first !== undefined && first.dueAt! <= at);
    for (const { first } of round.slice(0, left)) {
      yield first!;
      left--;
    }
  }
}

function firstOf(heaps: readonly DueHeap<Row>[]): Row | undefined {
  let first: Row | undefined;
  for (const { first: row } of heaps) {
    if (row === undefined) continue;
    if (
      first === undefined ||
      row.dueAt! < first.dueAt! ||
      (row.dueAt === first.dueAt && row.sequence < first.sequence)
    ) {
      first = row;
    }
  }
  return first;
}

function fits(row: Row, { workflow, status, tags, createdFrom, createdBefore }: ListConditions): boolean {
  return (
    (workflow === undefined || row.workflow === workflow) &&
    (status === undefined || status.includes(row.status)) &&
    (tags === undefined || tags.every((tag) => row.tags.includes(tag))) &&
    (createdFrom === undefined || row.createdAt >= createdFrom) &&
    (createdBefore === undefined || row.createdAt < createdBefore)
  );
}

function isNewer(
  one: { createdAt: number; sequence: number },
  other: { createdAt: number; sequence: number },
): boolean {
  return one.createdAt === other.createdAt ? one.sequence > other.sequence : one.createdAt > other.createdAt;
}

function settle(mailbox: Mutable<MailboxRecord>[], id: string, as: "consumed" | "dead", step: string | null): void {
  const row = mailbox.find((it) => it.id === id && it.status === "pending");
  if (row === undefined) return;
  row.status = as;
  row.step = step;
}

/** A copy: the row goes on changing. */
function recordOf(row: Row): ExecutionRecord {
  return {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    fingerprint: row.fingerprint,
    tags: row.tags,
    status: row.status,
    position: row.position,
    state: row.state,
    input: row.input,
    revision: row.revision,
    signals: row.signals,
    owner: row.owner,
    claims: row.claims,
    dueAt: row.dueAt,
    deadlineAt: row.deadlineAt,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    carried: row.carried,
    subscribed: row.subscribed,
    admission: row.admission,
  };
}
