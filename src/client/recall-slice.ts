/**
 * The work of a recall, a few seconds at a time: it looks how those under way are, asks as many more as its rate lets it, and gives
 * back what is to be committed. Whatever it does in that time may be done again after a crash, since each request has a key.
 */
import { sleep } from "../clock.js";
import { isRetryable } from "../errors.js";
import {
  filled,
  judged,
  mayAsk,
  mostNamed,
  nextTokenIn,
  recallName,
  type RecallConditions,
  type RecallState,
} from "../execution/recall.js";
import type { RollbackRequest } from "../execution/mail.js";
import { isUndecodable } from "../session/damaged-rows.js";
import type { ClientHost } from "../session/client-host.js";
import { requestTo } from "../session/mailbox-entry.js";
import type { ListConditions, ListedExecution, ListPage, Store } from "../stores/contract.js";
import { foundOf } from "./recall-look.js";
import type { RollbackRequests } from "./rollback.js";

/** What a recall works with: the parts of its launcher. */
export interface RecallParts {
  readonly store: Store;
  readonly host: ClientHost;
  readonly rollbacks: RollbackRequests;
  /** The ids that were given to a recall. */
  readonly idsOf: (recall: string) => Promise<readonly string[]>;
}

/** How long it works before it commits what it has done, in milliseconds. */
const slice = 5_000;

/** Between two looks where nothing can be asked: it gives its place to others meanwhile. The first, and the last of growing ones. */
const shortestLook = 250;
const longestLook = 30_000;
const growth = 1.5;
const mostIdle = 20;

/** While it asks: how often it looks how those under way are, and whether somebody has acted on it. */
const looksAfter = 1_000;

/** Requests are not sent more often than so; those of a faster rate go together. */
const tick = 200;

/** How many executions are read at a time. */
const pageSize = 500;

/** The messages with which somebody acts on a recall. */
const recallActs = ["pause", "resume", "stop"] as const;

export interface Worked {
  readonly state: RecallState;
  /** When it goes on, in milliseconds. Null: it waits for an act. Undefined: it is done. */
  readonly inMs: number | null | undefined;
}

export async function recallSlice(
  begun: RecallState,
  id: string,
  parts: RecallParts,
  signal: AbortSignal,
): Promise<Worked> {
  const recall = new Slice(begun, id, parts);
  const { host } = parts;
  const until = host.clock.monotonic() + slice;
  for (let failures = 0; ;) {
    signal.throwIfAborted();
    try {
      await recall.step();
      failures = 0;
    } catch (error) {
      // What was done is in the state; a store that is away is waited for.
      if (!isRetryable(error) || !host.isRunning) throw error;
      failures++;
      await sleep(host.clock, Math.min(longestLook, tick * 2 ** failures), signal);
      continue;
    }
    const { state, idleMs } = recall;
    if (state.phase === "done") return { state, inMs: undefined };
    if (state.paused !== null && state.underWay.length === 0) return { state, inMs: null };
    if (recall.mustCommit || host.clock.monotonic() >= until || !host.isRunning) return { state, inMs: 0 };
    if (idleMs > looksAfter || recall.isBlocked || nextTokenIn(state.bucket, state.plan) > looksAfter)
      return { state, inMs: idleMs };
    if (await recall.isActedOn()) return { state, inMs: 0 };
    if (idleMs > 0) await sleep(host.clock, idleMs, signal);
  }
}

class Slice {
  state: RecallState;
  /** The state must be committed before anything more is asked. */
  mustCommit = false;
  #isTakenUp = false;
  readonly #id: string;
  readonly #parts: RecallParts;
  readonly #request: RollbackRequest;
  readonly #key: string;
  /** By the clock's `monotonic`. */
  #looksAt = -Infinity;
  #heedsAt = -Infinity;

  constructor(state: RecallState, id: string, parts: RecallParts) {
    this.state = state;
    this.#id = id;
    this.#parts = parts;
    const { reason, by, details } = state.plan;
    this.#request = { reason, ifCompleted: "undo", by, ...(details !== undefined && { details }) };
    this.#key = `recall:${id}`;
  }

  get #now(): number {
    return this.#parts.host.clock.monotonic();
  }

  async step(): Promise<void> {
    const before = this.state;
    if (before.launchedAt === null) await this.#begin();
    if (this.#now >= this.#looksAt) await this.#look();
    this.#judge();
    if (this.state.phase === "counting") await this.#count();
    else await this.#ask();
    this.#judge();
    const { phase, paused } = this.state;
    if (phase !== before.phase || paused !== before.paused) this.mustCommit = true;
  }

  #judge(): void {
    this.state = judged(this.state, this.#parts.host.storeNow());
  }

  /** Nothing can be asked before those under way have moved, or somebody acts. */
  get isBlocked(): boolean {
    const { state } = this;
    if (state.phase === "counting" || mayAsk({ ...state, bucket: { ...state.bucket, tokens: 1 } }) > 0) return false;
    return true;
  }

  /** How long nothing is to be done, in milliseconds. */
  get idleMs(): number {
    const { phase, bucket, plan, idle, underWay } = this.state;
    if (phase === "counting") return 0;
    const look = Math.min(longestLook, Math.round(shortestLook * growth ** idle));
    if (this.isBlocked) return look;
    const untilToken = Math.max(tick, nextTokenIn(bucket, plan));
    return untilToken > looksAfter && underWay.length > 0 ? Math.min(untilToken, look) : untilToken;
  }

  /** Whether a message or a request is there, which its next commit finds. */
  async isActedOn(): Promise<boolean> {
    if (this.#now < this.#heedsAt) return false;
    this.#heedsAt = this.#now + looksAfter;
    const pending = await this.#parts.store.mail({ executions: [this.#id], status: "pending", limit: 1 });
    return pending.some(({ kind, name }) => kind !== "message" || recallActs.some((act) => act === name));
  }

  async #begin(): Promise<void> {
    const [own] = await this.#parts.store.load([this.#id], "listed");
    const launchedAt = own!.createdAt;
    this.state = { ...this.state, launchedAt, bucket: { tokens: 1, at: this.#parts.host.storeNow() } };
    if (this.state.plan.filter === undefined) {
      const { length } = await this.#parts.idsOf(this.#id);
      this.state = { ...this.state, counted: length, phase: firstPhase(this.state) };
    }
  }

  /** One page of the first walk. */
  async #count(): Promise<void> {
    const page = await this.#page(2 * pageSize);
    const counted = this.state.counted + this.#chosen(page).length;
    const isOver = page.cursor === null;
    this.state = { ...this.state, counted, place: page.cursor, ...(isOver && { phase: firstPhase(this.state) }) };
  }

  async #page(limit: number): Promise<ListPage> {
    const { plan, place } = this.state;
    return this.#parts.store.list({
      ...conditionsOf(plan.filter!, this.state.launchedAt!),
      limit,
      ...(plan.order === "oldest" && { oldestFirst: true as const }),
      ...(place !== null && { after: place }),
    });
  }

  /** The ids on a page that had completed when the recall was launched. A row that can't be read is left out. */
  #chosen({ records }: ListPage): string[] {
    return records.flatMap((record) => (this.#isChosen(record) ? record.id : []));
  }

  #isChosen({ workflow, updatedAt }: ListedExecution): boolean {
    return workflow !== recallName && updatedAt <= this.state.launchedAt!;
  }

  /** The next ones, as many as the rate asks in one slice. They are asked once that is committed. */
  async #readOn(): Promise<void> {
    const { plan, place } = this.state;
    const size = Math.max(1, Math.min(pageSize, Math.ceil((plan.rate.count * slice) / plan.rate.perMs)));
    this.mustCommit = true;
    if (plan.filter === undefined) {
      const ids = await this.#parts.idsOf(this.#id);
      const from = Number(place ?? 0);
      const next = ids.slice(from, from + size);
      const isRead = from + size >= ids.length;
      this.state = { ...this.state, next, isRead, place: isRead ? null : String(from + size) };
      return;
    }
    const page = await this.#page(size);
    const isRead = page.cursor === null;
    this.state = { ...this.state, next: this.#chosen(page), isRead, place: page.cursor };
    // What was counted and is not met again has turned meanwhile, or is gone.
    if (isRead) this.#missed(this.state.counted - this.state.reached - this.state.next.length);
  }

  #missed(count: number): void {
    if (count <= 0) return;
    this.#note({ turned: this.state.counts.turned + count });
    this.state = { ...this.state, reached: this.state.reached + count };
  }

  #note(counts: Partial<RecallState["counts"]>): void {
    this.state = { ...this.state, counts: { ...this.state.counts, ...counts } };
  }

  #refuse(why: string): void {
    const { refused } = this.state.counts;
    this.#note({ refused: { ...refused, [why]: (refused[why] ?? 0) + 1 } });
  }

  /** As many as may be asked now. Who can't be asked takes nothing of the rate. */
  async #ask(): Promise<void> {
    const { plan } = this.state;
    if (!this.#isTakenUp) await this.#takeUp();
    for (;;) {
      this.state = { ...this.state, bucket: filled(this.state.bucket, plan, this.#parts.host.storeNow()) };
      const most = mayAsk(this.state);
      if (most === 0 || this.mustCommit) return;
      if (this.state.next.length === 0) return this.state.isRead ? undefined : this.#readOn();
      const ids = this.state.next.slice(0, most);
      await this.#askThese(ids);
    }
  }

  /**
   * A launcher may have died after it had asked some of the next ones. They come first, and take nothing of the rate: how much of it
   * they took nobody knows, so nothing is saved up for the others.
   */
  async #takeUp(): Promise<void> {
    const { next } = this.state;
    const requests = await this.#parts.store.mail({ executions: next, messageId: this.#key });
    this.#isTakenUp = true;
    if (requests.length === 0) return;
    const known = new Set(requests.map(({ execution }) => execution));
    const asked = next.filter((id) => known.has(id));
    const others = next.filter((id) => !known.has(id));
    const bucket = { tokens: Math.min(1, this.state.bucket.tokens), at: this.#parts.host.storeNow() };
    this.state = { ...this.state, next: [...asked, ...others], bucket };
    await this.#askThese(asked);
  }

  async #askThese(ids: readonly string[]): Promise<void> {
    const records = await this.#parts.store.load(ids, "listed");
    const answers = await Promise.all(ids.map((id, index) => this.#askOne(id, records[index])));
    // Only now, with all answers: what failed is asked again as a whole, and those that were asked are duplicates then.
    let tokens = 0;
    const asked: string[] = [];
    for (const [index, answer] of answers.entries()) {
      if (answer === "stored") tokens++;
      if (answer === "stored" || answer === "duplicate") asked.push(ids[index]!);
      else if (answer === "turned" || answer === "notFound" || answer === "notCompleted")
        this.#note({ [answer]: this.state.counts[answer] + 1 });
      else this.#refuse(answer.refused);
    }
    const { bucket, counts, next, reached, underWay } = this.state;
    this.#note({ asked: counts.asked + asked.length });
    this.state = {
      ...this.state,
      bucket: { ...bucket, tokens: bucket.tokens - tokens },
      next: next.slice(ids.length),
      reached: reached + ids.length,
      underWay: [...underWay, ...asked],
      idle: 0,
    };
  }

  async #askOne(
    id: string,
    record: ListedExecution | undefined,
  ): Promise<"stored" | "duplicate" | "turned" | "notFound" | "notCompleted" | { readonly refused: string }> {
    if (record === undefined) return "notFound";
    try {
      if (record.workflow === recallName) return { refused: "recall" };
      if (record.status === "completed") {
        if (!this.#isChosen(record)) return "notCompleted";
        const answer = await this.#parts.rollbacks.judge(record, this.#request);
        // The request that is on its way may be this one's own.
        if (!answer.accepted && answer.why !== "already-rolling-back") return { refused: answer.why };
      }
    } catch (error) {
      if (isUndecodable(error)) return { refused: "damaged" };
      throw error;
    }
    const row = requestTo(id, "rollback", this.#request, {
      method: "recall",
      sizeLimit: this.#parts.host.sizeLimit,
      acceptedIn: ["completed"],
      wakes: ["completed"],
      // It may have been asked before. One that completes only now was not completed when the recall was launched.
      ...(record.status !== "completed" && { only: { revision: record.revision, signals: record.signals } }),
    });
    const { result } = await this.#parts.host.committer.deliver({ ...row, messageId: this.#key });
    if (result === "stored" || result === "duplicate") return result;
    if (result === "not-found") return "notFound";
    return record.position.direction === "down" ? "turned" : "notCompleted";
  }

  /** Sees how those under way are, and whether those that are stuck were helped. */
  async #look(): Promise<void> {
    this.#looksAt = this.#now + looksAfter;
    const before = this.state;
    const { underWay, stuck } = before;
    if (underWay.length + stuck.length > 0) await this.#lookAt([...underWay, ...stuck]);
    const idle = this.state === before ? before.idle + 1 : 0;
    if (idle !== before.idle) this.state = { ...this.state, idle: Math.min(idle, mostIdle) };
  }

  async #lookAt(ids: readonly string[]): Promise<void> {
    const wasStuck = new Set(this.state.stuck);
    const are: { underWay: string[]; stuck: string[]; struggling: string[] } = {
      underWay: [],
      stuck: [],
      struggling: [],
    };
    for (const { id, is, request } of await foundOf(this.#parts.store, ids, this.#key)) {
      if (wasStuck.has(id) && is !== "stuck") this.#note({ stuck: this.state.counts.stuck - 1 });
      if (is === "stuck" && wasStuck.has(id)) are.stuck.push(id);
      else if (is === "completed" && request === "dead") this.#refuse("by-its-launcher");
      // Something else has turned it; or it was undone, and let go up once more.
      else if (request === "dead" || (is === "completed" && request === "consumed"))
        this.#note({ turned: this.state.counts.turned + 1 });
      else if (request !== "pending" && (is === "rolledBack" || is === "notFound"))
        this.#note({ [is]: this.state.counts[is] + 1 });
      else if (request !== "pending" && is === "stuck") {
        this.#note({ stuck: this.state.counts.stuck + 1 });
        if (are.stuck.length < mostNamed) are.stuck.push(id);
      } else if (is === "damaged") this.#refuse("damaged");
      else are.underWay.push(id);
      if (is === "struggling") are.struggling.push(id);
    }
    if (JSON.stringify(are) !== JSON.stringify(pick(this.state))) this.state = { ...this.state, ...are };
  }
}

function pick({ underWay, stuck, struggling }: RecallState): Pick<RecallState, "underWay" | "stuck" | "struggling"> {
  return { underWay, stuck, struggling };
}

function firstPhase({ plan }: RecallState): RecallState["phase"] {
  return plan.canary > 0 ? "canary" : "asking";
}

function conditionsOf({ createdBefore, ...filter }: RecallConditions, launchedAt: number): ListConditions {
  return {
    ...filter,
    createdBefore: Math.min(createdBefore ?? Infinity, launchedAt + 1),
    status: ["completed"],
    isFree: true,
  };
}
