/**
 * Group commit. While a batch is being written, or until this turn of the event loop ends, new rows queue; then all of them go as
 * the next batch. No timer, no waiting when idle: the busier a launcher is, the more rows share one transaction.
 */
import { sleep, type Clock, type Timer } from "../clock.js";
import { isRetryable, StepwellError } from "../errors.js";
import type {
  Arrival,
  ArrivalResult,
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
import { needed } from "./capabilities.js";
import type { Store } from "../stores/contract.js";
import { callerPatience, unanswered } from "./patience.js";
import { answer, batchOf, isCallers, nobody, type BatchEntry, type CommitListener } from "./batch-entries.js";
import { TopicBatches } from "./topic-batches.js";

/** A batch that is being written. */
interface SentBatch {
  readonly entries: readonly BatchEntry[];
  /** The queue that the batch comes from; undefined: the one that all rows but mail and topics share. */
  readonly separate: "mail" | "topics" | undefined;
  /** The batch is being written for longer than a caller waits. */
  isStuck: boolean;
  timer: Timer | undefined;
  /** The error of its last try. */
  error: unknown;
}

/** A queue whose batches are written one after the other, beside the batches of all other rows. */
interface SeparateQueue {
  readonly queue: BatchEntry[];
  isWriting: boolean;
}

function isReady({ queue, isWriting }: SeparateQueue): boolean {
  return queue.length > 0 && !isWriting;
}

/** Larger batches gain nothing on SQLite or PostgreSQL, and block the event loop for longer. */
const largestBatch = 512;

/** Fewer rows go in one batch, though another lane is free: a batch costs something by itself. */
const worthSplitting = 32;

/** How often callers are told that wait behind a batch that is stuck, in milliseconds. */
const sweepPause = 500;

/** How many rows may wait behind a batch that is stuck; a caller that comes later is refused at once. */
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
  #queue: BatchEntry[] = [];
  /** Arrivals, where a store writes several batches at once: one batch of arrivals at a time, so that they keep their order. */
  readonly #mail: SeparateQueue = { queue: [], isWriting: false };
  /** Subscriptions and publications likewise. Their batches take no lane, so nothing else waits for the lock of a topic. */
  readonly #topics: TopicBatches<BatchEntry & { kind: "subscriptions" | "publications" }>;
  /** Rows that wait for a lock which another transaction keeps. They are tried one after the other, so that no other row waits. */
  #locked: BatchEntry[] = [];
  #isTrying = false;
  #scheduled = false;
  /** How many batches are being written. */
  #writing = 0;
  #closed = false;
  readonly #sent = new Set<SentBatch>();
  #idle: (() => void)[] = [];

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#topics = new TopicBatches(store.topicLanes ?? 1, largestBatch);
  }

  /** The answer, where the store gives it at once; otherwise undefined, and the listener is told later. */
  commit(transition: Transition, listener: CommitListener<CommitResult>): CommitResult | undefined {
    if (!this.#store.gathers) return this.#direct([transition], none, firstTransition, listener);
    this.#enqueue({ kind: "transitions", row: transition, listener, since: 0 });
    return undefined;
  }

  /** As `commit`. */
  release(release: Release, listener: CommitListener<CommitResult>): CommitResult | undefined {
    if (!this.#store.gathers) return this.#direct(none, [release], firstRelease, listener);
    this.#enqueue({ kind: "releases", row: release, listener, since: 0 });
    return undefined;
  }

  /** As `commit`, but rejects where the store refuses: the caller of a launch can try again. */
  create(row: NewExecution): CreateResult | Promise<CreateResult> {
    if (!this.#store.gathers) {
      const written = this.#store.write({ creates: [row], transitions: none, releases: none, arrivals: none });
      return written instanceof Promise ? written.then((it) => it.creates[0]!) : written.creates[0]!;
    }
    return this.#createInBatch(row);
  }

  #createInBatch(row: NewExecution): Promise<CreateResult> {
    return new Promise((committed, refused) =>
      this.#enqueue({ kind: "creates", row, listener: { committed, refused }, since: this.#clock.monotonic() }),
    );
  }

  deliver(row: Arrival): Promise<ArrivalResult> {
    const since = this.#clock.monotonic();
    return new Promise((committed, refused) =>
      this.#enqueue({ kind: "arrivals", row, listener: { committed, refused }, since }),
    );
  }

  publish(row: Publication): Promise<PublishResult> {
    const since = this.#clock.monotonic();
    return new Promise((committed, refused) =>
      this.#enqueue({ kind: "publications", row, listener: { committed, refused }, since }),
    );
  }

  /** Waits for a store that is away, as a commit does. @throws STEPWELL_CAPABILITY_MISSING */
  subscribe(subscription: Subscription): Promise<SubscribeResult> {
    needed(this.#store, "topics", "subscribe");
    return new Promise((committed, refused) =>
      this.#enqueue({ kind: "subscriptions", row: subscription, listener: { committed, refused }, since: 0 }),
    );
  }

  /** Resolves when nothing is queued or being written. */
  async drained(): Promise<void> {
    while (this.#scheduled || this.#writing > 0 || this.#topics.isWriting || this.#isTrying)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** A store that is away is not waited for any more: queued rows are refused when the try that runs has failed. */
  close(): void {
    this.#closed = true;
  }

  /** For stores that gain nothing from batches of many rows: one write, answered at once if the store can. */
  #direct(
    transitions: readonly Transition[],
    releases: readonly Release[],
    pick: (result: BatchResult) => CommitResult,
    listener: CommitListener<CommitResult>,
  ): CommitResult | undefined {
    try {
      const written = this.#store.write({ creates: none, transitions, releases, arrivals: none });
      if (!(written instanceof Promise)) {
        this.at = written.at;
        return pick(written);
      }
      this.#later(written, pick, listener);
    } catch (error) {
      listener.refused(error);
    }
    return undefined;
  }

  #later(
    written: Promise<BatchResult>,
    pick: (result: BatchResult) => CommitResult,
    listener: CommitListener<CommitResult>,
  ): void {
    written.then(
      (it) => {
        this.at = it.at;
        listener.committed(pick(it));
      },
      (error: unknown) => listener.refused(error),
    );
  }

  get #lanes(): number {
    return this.#store.lanes ?? 1;
  }

  #enqueue(entry: BatchEntry): void {
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
      this.#mail.isWriting = true;
      this.#send(this.#share(this.#mail.queue), "mail", () => (this.#mail.isWriting = false));
    }
    while (this.#topics.isReady) this.#sendTopics();
    while (this.#queue.length > 0 && this.#writing < this.#lanes) this.#send(this.#share(this.#queue), undefined);
  }

  /** An equal part of the queue for each free lane, so that one batch is put together while another one is being written. */
  #share(queue: BatchEntry[]): BatchEntry[] {
    const free = this.#lanes - this.#writing;
    return queue.splice(0, Math.min(Math.max(Math.ceil(queue.length / free), worthSplitting), largestBatch));
  }

  #send(group: BatchEntry[], separate: SentBatch["separate"], done?: () => void): void {
    this.#writing++;
    const sent = this.#begun(group, separate);
    void this.#write(group, sent).then(() => {
      this.#writing--;
      this.#ended(sent);
      done?.();
      this.#flushed();
    });
  }

  #sendTopics(): void {
    const { entries, done } = this.#topics.take();
    const sent = this.#begun(entries, "topics");
    void this.#write(entries, sent).then(() => {
      this.#ended(sent);
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

  #begun(entries: readonly BatchEntry[], separate: SentBatch["separate"]): SentBatch {
    const sent: SentBatch = { entries, separate, isStuck: false, timer: undefined, error: undefined };
    this.#sent.add(sent);
    sent.timer = this.#clock.after(callerPatience, () => this.#stuck(sent));
    return sent;
  }

  #ended(sent: SentBatch): void {
    sent.timer?.cancel();
    this.#sent.delete(sent);
  }

  /** The store is away, or does not answer: callers of the batch are refused, and so are callers that wait behind it. */
  #stuck(sent: SentBatch): void {
    sent.isStuck = true;
    this.#refuse(sent.entries, sent.error, true);
    const { error } = sent;
    const stuck = [...this.#sent].filter((it) => it.isStuck);
    const lanes = stuck.filter(({ separate }) => separate !== "topics").length;
    const isAll = lanes >= this.#lanes;
    if (isAll) this.#queue = this.#sweep(this.#queue, error);
    if (isAll || stuck.some(({ separate }) => separate === "mail")) {
      this.#mail.queue.push(...this.#sweep(this.#mail.queue.splice(0), error));
    }
    const topics = stuck.flatMap(({ separate, entries }) => (separate === "topics" ? entries : []));
    if (isAll || topics.length > 0) {
      const names = new Set(topics.map(({ row }) => (row as Publication | Subscription).topic));
      this.#topics.sweep((entry) => (isAll || names.has(entry.row.topic) ? this.#sweep([entry], error) : [entry]));
    }
    sent.timer = this.#clock.after(sweepPause, () => this.#stuck(sent));
  }

  /** Refuses callers that have waited for long enough. Gives back the rows that wait on. */
  #sweep<E extends BatchEntry>(queue: readonly E[], error: unknown): E[] {
    const before = this.#clock.monotonic() - callerPatience;
    const [late, left]: [E[], E[]] = [[], []];
    for (const entry of queue) (isCallers(entry) && entry.since <= before ? late : left).push(entry);
    this.#refuse(late, error, false);
    return left;
  }

  /** @param doubt whether the rows may have been written all the same */
  #refuse(entries: readonly BatchEntry[], error: unknown, doubt: boolean): void {
    for (const entry of entries) {
      if (!isCallers(entry) || entry.isWithdrawn === true) continue;
      const { listener } = entry;
      entry.isWithdrawn = true;
      entry.listener = nobody;
      listener.refused(error ?? unanswered(callerPatience, doubt));
    }
  }

  get #isFull(): boolean {
    const waiting = this.#queue.length + this.#mail.queue.length + this.#topics.waiting;
    return waiting >= mostWaiting && [...this.#sent].some(({ isStuck }) => isStuck);
  }

  /** Never rejects: the listener of every row is told how it went. */
  async #write(group: BatchEntry[], sent: SentBatch): Promise<void> {
    let entries = group;
    for (let tries = 1; entries.length > 0; tries++) {
      const error = await this.#try(entries, sent);
      if (error === undefined) return;
      if (this.#closed) return entries.forEach(({ listener }) => listener.refused(error));
      if (!isRetryable(error)) return this.#writeOneByOne(entries, sent, ({ listener }) => listener.refused(error));
      sent.error = error;
      if (this.#lanes > 1 && sent.separate !== "topics" && isBusy(error))
        return this.#writeOneByOne(entries, sent, (entry) => this.#setAside(entry));
      await this.#pause(tries);
      entries = this.#wanted(entries);
    }
  }

  /** The error of the try; undefined: the rows were taken. */
  async #try(entries: BatchEntry[], sent: Pick<SentBatch, "isStuck">): Promise<unknown> {
    let result: BatchResult;
    try {
      const written = this.#store.write(batchOf(entries));
      result = written instanceof Promise ? await written : written;
    } catch (error) {
      return error;
    }
    this.at = result.at;
    this.#answer(entries, result, sent);
    return undefined;
  }

  /** Other processes write too: a pause of random length, so that no writer starves the others. */
  #pause(tries: number): Promise<void> {
    return sleep(this.#clock, (0.5 + this.#clock.random()) * Math.min(2 ** tries, longestPause));
  }

  #setAside(entry: BatchEntry): void {
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
      if (this.#closed || !isRetryable(error)) entry.listener.refused(error);
      else this.#locked = this.#sweep([...this.#locked, entry], error);
    }
    this.#isTrying = false;
    this.#flushed();
  }

  /** Rows whose callers still wait, and rows of steps. */
  #wanted(entries: readonly BatchEntry[]): BatchEntry[] {
    for (const { kind, row, isWithdrawn } of entries)
      if (kind === "creates" && isWithdrawn === true) this.#store.abandon?.(row);
    return entries.filter(({ isWithdrawn }) => isWithdrawn !== true);
  }

  /** An execution whose caller waits no more was created all the same: if this launcher owns it, it is given back. */
  #answer(entries: readonly BatchEntry[], result: BatchResult, { isStuck }: Pick<SentBatch, "isStuck">): void {
    answer(entries, result);
    if (!isStuck) return;
    let next = 0;
    for (const entry of entries) {
      if (entry.kind !== "creates") continue;
      const created = result.creates[next++]!;
      const { id, owner } = entry.row;
      if (entry.isWithdrawn !== true || !created.created || !created.owned || owner === null) continue;
      this.release({ id, owner, signals: null, dueInMs: 0, dead: [] }, nobody);
    }
  }

  /** A row that the store can't take, or not now, must not hold up the other rows of its batch: each is tried by itself. */
  async #writeOneByOne(entries: BatchEntry[], sent: SentBatch, give: (entry: BatchEntry) => void): Promise<void> {
    if (entries.length === 1) return give(entries[0]!);
    for (const entry of entries) await this.#write([entry], sent);
  }
}

/** Whether other transactions were in the way, for example by the lock of a row. */
function isBusy(error: unknown): boolean {
  return error instanceof StepwellError && error.code === "STEPWELL_STORE_BUSY";
}
