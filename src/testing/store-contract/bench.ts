/** What the cases of the contract share: an open store on a virtual clock, and short ways to use it. */
import assert from "node:assert/strict";
import type { Clock } from "../../clock.js";
import { Encoded } from "../../values/encode.js";
import { initialFlow, type Position } from "../../execution/position.js";
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
} from "../../stores/batch.js";
import type { Transition, ExecutionRecord, HistoryEntry, HistoryRecord } from "../../execution/records.js";
import type { Capabilities, Claimed, MailFilter, MailRecord, Store, Waiting } from "../../stores/contract.js";
import { VirtualClock } from "../virtual-clock.js";

/** Makes a store that is empty and not open yet, and keeps the time of this clock. */
export type MakeStore = (clock: Clock) => Store | Promise<Store>;

/** What a store may declare: that it has it. */
export type Capability = keyof Capabilities;

/** One thing that a store must do: every one, or every one that has what it needs. */
export interface StoreContractCase {
  /** A sentence, as the title of a test. */
  readonly name: string;
  readonly needs: readonly Capability[];
  /** Why the case says nothing of that store: the capability that the store does not have. False: it does say something. */
  readonly skip: (store: Capabilities) => string | false;
  /** Rejects, with an assertion that failed, where the store does not do it, or does not have what the case needs. */
  readonly run: (makeStore: MakeStore) => Promise<void>;
}

export const sell = { name: "sell", version: "1" };

export const position: Position = {
  ...initialFlow,
  step: "first",
  attempts: 0,
  firstAttemptAt: null,
  uncounted: 0,
  waitUntil: null,
  resumeAt: null,
  error: null,
  stuckBy: null,
};

export const entry: Texts<HistoryEntry> = {
  direction: "up",
  step: "first",
  stepIndex: 0,
  func: "run",
  attempt: 1,
  result: "ok",
  durationMs: 3,
  patch: null,
};

/** The encoded values of a record as texts, so that cases can write and compare them. */
export type Texts<T> = {
  [K in keyof T]: T[K] extends Encoded
    ? string
    : T[K] extends Encoded | null | undefined
      ? string | Exclude<T[K], Encoded>
      : T[K] extends HistoryEntry
        ? Texts<HistoryEntry>
        : T[K];
};

export function toTexts<T extends object>(record: T): Texts<T> {
  const textOf = (value: unknown): unknown => (value instanceof Encoded ? value.text : value);
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, textOf(value)])) as Texts<T>;
}

const encodedFields = new Set(["state", "changes", "input", "patch", "payload", "others", "initial", "replaced"]);

export function fromTexts<T extends object>(texts: Texts<T>): T {
  const valueOf = (key: string, value: unknown): unknown => {
    if (key === "history") return fromTexts<HistoryEntry>(value as Texts<HistoryEntry>);
    return encodedFields.has(key) && typeof value === "string" ? Encoded.ofText(value) : value;
  };
  return Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, valueOf(key, value)])) as T;
}

/** Which mail of given executions. */
type OwnMail =
  | { readonly id?: string; readonly messageId?: string }
  | { readonly last: number }
  | Omit<Extract<MailFilter, { readonly status: "pending" }>, "executions">;

export const everyStatus = ["scheduled", "running", "waiting", "stuck", "completed", "rolledBack"] as const;

const start = Date.UTC(2026, 0, 1);

export class Bench {
  readonly store: Store;
  readonly clock: VirtualClock;
  /** A registered launcher. */
  readonly owner: number;
  #arrivals = 0;
  #publications = 0;

  constructor(store: Store, clock: VirtualClock, owner: number) {
    this.store = store;
    this.clock = clock;
    this.owner = owner;
  }

  get now(): number {
    return this.clock.now();
  }

  /** What a case has said that it needs. */
  the<Name extends Capability>(name: Name): NonNullable<Store[Name]> {
    const capability = this.store[name];
    assert.ok(capability !== undefined, `the store has no "${name}"`);
    return capability;
  }

  async waiting(overdueForMs: number): Promise<Waiting> {
    const { waiting } = await this.store.beat(this.owner, overdueForMs);
    assert.ok(waiting !== undefined, "a heartbeat that is asked what waits says so");
    return waiting;
  }

  /** `what name version` of each. */
  async overdue(forMs: number): Promise<string[]> {
    const { overdue } = await this.waiting(forMs);
    return overdue.map(({ what, name, version }) => `${what} ${name} ${version}`).toSorted();
  }

  write(batch: Partial<Batch>): Promise<BatchResult> {
    return promised(() => this.store.write({ creates: [], transitions: [], releases: [], arrivals: [], ...batch }));
  }

  /** Owned by the bench's launcher, unless said otherwise. */
  async create(id: string, more: Partial<Texts<NewExecution>> = {}): Promise<CreateResult> {
    const { creates } = await this.write({ creates: [this.newExecution(id, more)] });
    return only(creates);
  }

  newExecution(id: string, more: Partial<Texts<NewExecution>> = {}): NewExecution {
    return fromTexts<NewExecution>({
      id,
      workflow: sell.name,
      version: sell.version,
      fingerprint: null,
      tags: [],
      status: "running",
      position,
      state: "{}",
      input: `{"for":"${id}"}`,
      owner: this.owner,
      dueInMs: 0,
      deadlineInMs: null,
      carried: null,
      ...more,
    });
  }

  /** The first transition of an execution, unless said otherwise. */
  async commit(id: string, more: Partial<Texts<Transition>> = {}): Promise<CommitResult> {
    const { transitions } = await this.write({ transitions: [this.transition(id, more)] });
    return only(transitions);
  }

  transition(id: string, more: Partial<Texts<Transition>> = {}): Transition {
    return fromTexts<Transition>({
      id,
      owner: this.owner,
      revision: 1,
      signals: 0,
      status: "running",
      position,
      state: null,
      rests: false,
      dueInMs: null,
      settled: [],
      ends: false,
      carried: null,
      history: entry,
      ...more,
    });
  }

  async release(id: string, more: Partial<Release> = {}): Promise<CommitResult> {
    const release: Release = { id, owner: this.owner, signals: 0, dueInMs: null, dead: [], ...more };
    const { releases } = await this.write({ releases: [release] });
    return only(releases);
  }

  async send(execution: string, more: Partial<Texts<Arrival>> = {}): Promise<ArrivalResult> {
    const { arrivals } = await this.write({ arrivals: [this.arrival(execution, more)] });
    return only(arrivals);
  }

  /** Ids are `arrival-1`, `arrival-2`, … */
  arrival(execution: string, more: Partial<Texts<Arrival>> = {}): Arrival {
    return fromTexts<Arrival>({
      id: `arrival-${++this.#arrivals}`,
      execution,
      kind: "message",
      name: "paid",
      payload: "null",
      messageId: null,
      carried: null,
      acceptedIn: ["scheduled", "running", "waiting", "stuck"],
      wakes: ["waiting"],
      ...more,
    });
  }

  /** Ids are `publication-1`, `publication-2`, … */
  publication(topic: string, more: Partial<Texts<Publication>> = {}): Publication {
    return fromTexts<Publication>({
      id: `publication-${++this.#publications}`,
      topic,
      name: "paid",
      payload: "null",
      messageId: null,
      keepForMs: 1000,
      wakes: ["waiting"],
      carried: null,
      ...more,
    });
  }

  async publish(topic: string, more: Partial<Texts<Publication>> = {}): Promise<PublishResult> {
    const { publications } = await this.write({ publications: [this.publication(topic, more)] });
    return only(publications);
  }

  subscription(execution: string, topic: string, more: Partial<Subscription> = {}): Subscription {
    return { execution, owner: this.owner, revision: 0, topic, until: "step", step: "first", ...more };
  }

  async subscribe(execution: string, topic: string, more: Partial<Subscription> = {}): Promise<SubscribeResult> {
    const { subscriptions } = await this.write({ subscriptions: [this.subscription(execution, topic, more)] });
    return only(subscriptions);
  }

  async claim(
    owner: number = this.owner,
    limit = 100,
    workflows = [sell],
  ): Promise<Omit<Claimed, "records"> & { readonly records: readonly Texts<ExecutionRecord>[] }> {
    const claimed = await this.store.claim({ owner, limit, workflows });
    return { ...claimed, records: claimed.records.map(toTexts) };
  }

  async claimedIds(owner?: number, limit?: number): Promise<string[]> {
    const { records } = await this.claim(owner, limit);
    return records.map(({ id }) => id);
  }

  async load(id: string): Promise<Texts<ExecutionRecord>> {
    const [record] = await this.store.load([id]);
    assert.ok(record, `execution "${id}" is not there`);
    return toTexts(record);
  }

  register(): Promise<number> {
    return promised(() => this.store.register({ host: "elsewhere", pid: 4711 }));
  }

  async history(id: string): Promise<Texts<HistoryRecord>[]> {
    return (await this.store.history(id)).map(toTexts);
  }

  async mail(ids: string | readonly string[], filter: OwnMail = {}): Promise<Texts<MailRecord>[]> {
    return (await this.store.mail({ executions: [ids].flat(), ...filter })).map(toTexts);
  }

  /** `id status step` of each row of the mailbox. */
  async mailbox(id: string): Promise<string[]> {
    const rows = await this.store.mail({ executions: [id] });
    return rows.map((row) => `${row.id} ${row.status}${row.step === null ? "" : ` ${row.step}`}`);
  }
}

/** A case that gets an open store, with one launcher registered; the store is closed after it. */
export function contractCase(
  name: string,
  body: (bench: Bench) => Promise<void>,
  needs: readonly Capability[] = [],
): StoreContractCase {
  const skip = (store: Capabilities): string | false => {
    const missing = needs.find((capability) => store[capability] === undefined);
    return missing !== undefined && `the store has no "${missing}"`;
  };
  return {
    name,
    needs,
    skip,
    async run(makeStore) {
      const clock = new VirtualClock({ start });
      const store = await makeStore(clock);
      assert.equal(skip(store), false);
      await store.open();
      try {
        await body(new Bench(store, clock, await store.register({ host: "here", pid: 1 })));
      } finally {
        if (store.isOpen) await store.close();
      }
    },
  };
}

/** Cases for stores that have this. */
export function needing(capability: Capability): (...given: Parameters<typeof contractCase>) => StoreContractCase {
  return (name, body) => contractCase(name, body, [capability]);
}

/** An error that a store throws at once and one that it rejects with are the same to the engine. */
export async function promised<T>(call: () => T | Promise<T>): Promise<T> {
  return call();
}

function only<T>(items: readonly T[]): T {
  assert.equal(items.length, 1);
  return items[0]!;
}
