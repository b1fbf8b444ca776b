/**
 * Group commit, in one place. While a flush is in flight, or until this turn of the event loop ends,
 * new work queues; then all of it goes as the next batch. No timer, no waiting when idle: the busier
 * the engine is, the more share one transaction.
 */
import { sleep, type Clock, type Timer } from "../clock.js";
import { isRetryable, StepwellError } from "../errors.js";
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
  Release,
  SubscribeResult,
  Subscription,
} from "../stores/batch.js";
import type { Transition } from "../execution/records.js";
import type { Store } from "../stores/contract.js";
import { callerPatience, unanswered } from "./patience.js";
import { answer, batchOf, isCallers, nobody, type Entry, type CommitListener } from "./batch-entries.js";
import { TopicBatches } from "./topic-batches.js";

/** A batch that is on its way. */
interface Flight {
  readonly entries: readonly Entry[];
  /** Of a queue of its own; undefined: of one of the lanes that all else shares. */
  readonly apart: "mail" | "topics" | undefined;
  /** It has been on its way for longer than a caller waits. */
  isStuck: boolean;
  timer: Timer | undefined;
  /** What its last try failed with. */
  error: unknown;
}

/** What goes one batch after the other, apart from the rest. */
interface Apart {
  readonly queue: Entry[];
  isOnItsWay: boolean;
}

function isReady({ queue, isOnItsWay }: Apart): boolean {
  return queue.length > 0 && !isOnItsWay;
}

/** Larger groups gain nothing on SQLite or PostgreSQL, and block the event loop for longer. */
const largestGroup = 512;

/** Fewer go together, though another lane is free: a batch costs something by itself. */
const worthSplitting = 32;

/** How often those are looked for that wait behind a batch that is stuck, in milliseconds. */
const sweepPause = 500;

/** Behind a batch that is stuck no more may wait; who comes then is refused at once. */
const mostWaiting = 10_000;

/** The longest pause between two tries of a busy store, in milliseconds. */
const longestPause = 500;

const none: readonly never[] = [];

const firstTransition = (result: BatchResult): CommitResult => result.transitions[0]!;
const firstRelease = (result: BatchResult): CommitResult => result.releases[0]!;

export class Committer {
  readonly #store: Store;
  readonly #clock: Clock;
  /** The store's time of the last batch that it took; its answers are being given. */
  at = 0;
  #queue: Entry[] = [];
  /** Arrivals, where a store writes several batches at once: one batch of them at a time, so that they keep their order. */
  readonly #mail: Apart = { queue: [], isOnItsWay: false };
  /** So too subscriptions and publications; they take no lane, so nothing else waits where somebody keeps the lock of a topic. */
  readonly #topics: TopicBatches<Entry & { kind: "subscriptions" | "publications" }>;
  /** What waits for a row that somebody else keeps locked, one after the other: nothing else waits for it. */
  #locked: Entry[] = [];
  #isTrying = false;
  #scheduled = false;
  /** How many batches are being written. */
  #writing = 0;
  #closed = false;
  readonly #flights = new Set<Flight>();
  #idle: (() => void)[] = [];

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#topics = new TopicBatches(store.topicLanes ?? 1, largestGroup);
  }

  /** Answers at once where the store does; otherwise undefined, and the sink hears later. */
  commit(transition: Transition, sink: CommitListener<CommitResult>): CommitResult | undefined {
    if (!this.#store.gathers) {
      return this.#direct(
        { creates: none, transitions: [transition], releases: none, arrivals: none },
        firstTransition,
        sink,
      );
    }
    this.#enqueue({ kind: "transitions", row: transition, sink, since: 0 });
    return undefined;
  }

  /** As `commit`. */
  release(release: Release, sink: CommitListener<CommitResult>): CommitResult | undefined {
    if (!this.#store.gathers) {
      return this.#direct(
        { creates: none, transitions: none, releases: [release], arrivals: none },
        firstRelease,
        sink,
      );
    }
    this.#enqueue({ kind: "releases", row: release, sink, since: 0 });
    return undefined;
  }

  /** As `commit`, but rejects where the store refuses: a launch has a caller who can try again. */
  create(row: NewExecution): CreateResult | Promise<CreateResult> {
    if (!this.#store.gathers) {
      const written = this.#store.write({ creates: [row], transitions: none, releases: none, arrivals: none });
      return written instanceof Promise ? written.then((it) => it.creates[0]!) : written.creates[0]!;
    }
    return new Promise((committed, refused) =>
      this.#enqueue({ kind: "creates", row, sink: { committed, refused }, since: this.#clock.monotonic() }),
    );
  }

  deliver(arrival: Arrival): Promise<ArrivalResult> {
    return new Promise((committed, refused) =>
      this.#enqueue({ kind: "arrivals", row: arrival, sink: { committed, refused }, since: this.#clock.monotonic() }),
    );
  }

  publish(publication: Publication): Promise<PublishResult> {
    return new Promise((committed, refused) =>
      this.#enqueue({
        kind: "publications",
        row: publication,
        sink: { committed, refused },
        since: this.#clock.monotonic(),
      }),
    );
  }

  /** As a commit, it waits for a store that is away. */
  subscribe(subscription: Subscription): Promise<SubscribeResult> {
    return new Promise((committed, refused) =>
      this.#enqueue({ kind: "subscriptions", row: subscription, sink: { committed, refused }, since: 0 }),
    );
  }

  /** Resolves when nothing is queued or being written. */
  async drained(): Promise<void> {
    while (this.#scheduled || this.#writing > 0 || this.#topics.isWriting || this.#isTrying)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** A store that does not answer is not waited for any more: what is queued is refused after the try that runs. */
  close(): void {
    this.#closed = true;
  }

  /** For stores that gain nothing from gathering: one write, answered at once if the store can. */
  #direct(
    batch: Batch,
    pick: (result: BatchResult) => CommitResult,
    sink: CommitListener<CommitResult>,
  ): CommitResult | undefined {
    try {
      const written = this.#store.write(batch);
      if (!(written instanceof Promise)) {
        this.at = written.at;
        return pick(written);
      }
      written.then(
        (it) => {
          this.at = it.at;
          sink.committed(pick(it));
        },
        (error: unknown) => sink.refused(error),
      );
    } catch (error) {
      sink.refused(error);
    }
    return undefined;
  }

  get #lanes(): number {
    return this.#store.lanes ?? 1;
  }

  #enqueue(entry: Entry): void {
    if (isCallers(entry) && this.#isFull) return this.#refuse([entry], undefined, false);
    if (this.#lanes === 1) this.#queue.push(entry);
    else if (entry.kind === "subscriptions" || entry.kind === "publications") this.#topics.push(entry);
    else (entry.kind === "arrivals" ? this.#mail.queue : this.#queue).push(entry);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#writing >= this.#lanes) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (isReady(this.#mail)) {
      this.#mail.isOnItsWay = true;
      this.#send(this.#share(this.#mail.queue), "mail", () => (this.#mail.isOnItsWay = false));
    }
    while (this.#topics.isReady) this.#sendTopics();
    while (this.#queue.length > 0 && this.#writing < this.#lanes) this.#send(this.#share(this.#queue), undefined);
  }

  /** An equal part for each lane that is free, so that one is put together here while another one is being written. */
  #share(queue: Entry[]): Entry[] {
    const free = this.#lanes - this.#writing;
    return queue.splice(0, Math.min(Math.max(Math.ceil(queue.length / free), worthSplitting), largestGroup));
  }

  #send(group: Entry[], apart: Flight["apart"], done?: () => void): void {
    this.#writing++;
    const flight = this.#begun(group, apart);
    void this.#write(group, flight).then(() => {
      this.#writing--;
      this.#ended(flight);
      done?.();
      this.#flushed();
    });
  }

  #sendTopics(): void {
    const { entries, done } = this.#topics.take();
    const flight = this.#begun(entries, "topics");
    void this.#write(entries, flight).then(() => {
      this.#ended(flight);
      done();
      this.#flushed();
    });
  }

  #flushed(): void {
    if (this.#queue.length > 0 || isReady(this.#mail) || this.#topics.isReady) return this.#schedule();
    if (this.#writing > 0 || this.#topics.isWriting || this.#isTrying) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #begun(entries: readonly Entry[], apart: Flight["apart"]): Flight {
    const flight: Flight = { entries, apart, isStuck: false, timer: undefined, error: undefined };
    this.#flights.add(flight);
    flight.timer = this.#clock.after(callerPatience, () => this.#stuck(flight));
    return flight;
  }

  #ended(flight: Flight): void {
    flight.timer?.cancel();
    this.#flights.delete(flight);
  }

  /** The store is away, or does not answer: callers get back what they gave, also those who wait behind it. */
  #stuck(flight: Flight): void {
    flight.isStuck = true;
    this.#refuse(flight.entries, flight.error, true);
    const { error } = flight;
    const stuck = [...this.#flights].filter((it) => it.isStuck);
    const lanes = stuck.filter(({ apart }) => apart !== "topics").length;
    const isAll = lanes >= this.#lanes;
    if (isAll) this.#queue = this.#sweep(this.#queue, error);
    if (isAll || stuck.some(({ apart }) => apart === "mail")) {
      this.#mail.queue.push(...this.#sweep(this.#mail.queue.splice(0), error));
    }
    const topics = stuck.flatMap(({ apart, entries }) => (apart === "topics" ? entries : []));
    if (isAll || topics.length > 0) {
      const names = new Set(topics.map(({ row }) => (row as Publication | Subscription).topic));
      this.#topics.sweep((entry) => (isAll || names.has(entry.row.topic) ? this.#sweep([entry], error) : [entry]));
    }
    flight.timer = this.#clock.after(sweepPause, () => this.#stuck(flight));
  }

  /** Gives back those whose callers have waited for long enough; what is left waits on. */
  #sweep<E extends Entry>(queue: readonly E[], error: unknown): E[] {
    const before = this.#clock.monotonic() - callerPatience;
    const [late, left]: [E[], E[]] = [[], []];
    for (const entry of queue) (isCallers(entry) && entry.since <= before ? late : left).push(entry);
    this.#refuse(late, error, false);
    return left;
  }

  /** @param doubt whether it may have been written all the same */
  #refuse(entries: readonly Entry[], error: unknown, doubt: boolean): void {
    for (const entry of entries) {
      if (!isCallers(entry) || entry.isGone === true) continue;
      const { sink } = entry;
      entry.isGone = true;
      entry.sink = nobody;
      sink.refused(error ?? unanswered(callerPatience, doubt));
    }
  }

  get #isFull(): boolean {
    const waiting = this.#queue.length + this.#mail.queue.length + this.#topics.waiting;
    return waiting >= mostWaiting && [...this.#flights].some(({ isStuck }) => isStuck);
  }

  /** Never rejects: every entry's sink hears how it went. */
  async #write(group: Entry[], flight: Flight): Promise<void> {
    let entries = group;
    for (let tries = 1; entries.length > 0; tries++) {
      const error = await this.#try(entries, flight);
      if (error === undefined) return;
      if (this.#closed) return entries.forEach(({ sink }) => sink.refused(error));
      if (!isRetryable(error)) return this.#isolate(entries, flight, ({ sink }) => sink.refused(error));
      flight.error = error;
      if (this.#lanes > 1 && flight.apart !== "topics" && isBusy(error))
        return this.#isolate(entries, flight, (entry) => this.#setAside(entry));
      await this.#pause(tries);
      entries = this.#wanted(entries);
    }
  }

  /** What it failed with; undefined: it was taken. */
  async #try(entries: Entry[], flight: Pick<Flight, "isStuck">): Promise<unknown> {
    let result: BatchResult;
    try {
      const written = this.#store.write(batchOf(entries));
      result = written instanceof Promise ? await written : written;
    } catch (error) {
      return error;
    }
    this.at = result.at;
    this.#answer(entries, result, flight);
    return undefined;
  }

  /** Others write too: of random length, so that no writer starves the rest. */
  #pause(tries: number): Promise<void> {
    return sleep(this.#clock, (0.5 + this.#clock.random()) * Math.min(2 ** tries, longestPause));
  }

  #setAside(entry: Entry): void {
    this.#locked.push(entry);
    if (!this.#isTrying) void this.#tryLocked();
  }

  async #tryLocked(): Promise<void> {
    this.#isTrying = true;
    for (let tries = 1; this.#locked.length > 0; tries++) {
      await this.#pause(tries);
      const [entry] = this.#wanted(this.#locked.splice(0, 1));
      const error = entry === undefined ? undefined : await this.#try([entry], { isStuck: true });
      if (error === undefined || entry === undefined) continue;
      if (this.#closed || !isRetryable(error)) entry.sink.refused(error);
      else this.#locked = this.#sweep([...this.#locked, entry], error);
    }
    this.#isTrying = false;
    this.#flushed();
  }

  /** What callers still wait for, and what is a step's. */
  #wanted(entries: readonly Entry[]): Entry[] {
    for (const { kind, row, isGone } of entries) if (kind === "creates" && isGone === true) this.#store.abandon?.(row);
    return entries.filter(({ isGone }) => isGone !== true);
  }

  /** What its caller does not wait for any more was made all the same: an execution that is this launcher's is given back. */
  #answer(entries: readonly Entry[], result: BatchResult, { isStuck }: Pick<Flight, "isStuck">): void {
    answer(entries, result);
    if (!isStuck) return;
    let next = 0;
    for (const entry of entries) {
      if (entry.kind !== "creates") continue;
      const created = result.creates[next++]!;
      const { id, owner } = entry.row;
      if (entry.isGone !== true || !created.created || !created.owned || owner === null) continue;
      this.release({ id, owner, signals: null, dueInMs: 0, dead: [] }, nobody);
    }
  }

  /** One row that the store can't take, or not now, must not hold up the others: each is tried by itself. */
  async #isolate(entries: Entry[], flight: Flight, give: (entry: Entry) => void): Promise<void> {
    if (entries.length === 1) return give(entries[0]!);
    for (const entry of entries) await this.#write([entry], flight);
  }
}

/** Others were in the way, with a lock of a row among them. */
function isBusy(error: unknown): boolean {
  return error instanceof StepwellError && error.code === "STEPWELL_STORE_BUSY";
}
