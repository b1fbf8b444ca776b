/** Recalls: undo for many completed executions, as an execution of its own that goes on by itself. */
import type { Duration } from "../definition/duration.js";
import { StepwellError } from "../errors.js";
import { recallName, type RecallPlan, type RecallState } from "../execution/recall.js";
import { checkExecutionId } from "../ids.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { ClientHost } from "../session/client-host.js";
import { stateOf } from "../session/damaged-rows.js";
import { notFound } from "../session/not-found.js";
import { checkBy, checkText } from "../session/reasons.js";
import { definitionIn, registryKey } from "../session/registry.js";
import type { Store } from "../stores/contract.js";
import { invalidArgument, refuseUnknownOptions } from "../values/options.js";
import type { Execution } from "./execution-handle.js";
import { Launches } from "./launches.js";
import { checkedRecall, type RecallOptions } from "./recall-options.js";
import { recallWorkflow, type RecallInput, type RecallMessage } from "./recall-workflow.js";

/** What became of a recall so far, and how it was asked for. */
export interface RecallProgress {
  readonly id: string;
  /**
   * `counting`; `canary`: the first ones go down; `asking`; `paused`: nothing more is asked; `finishing`: all are asked, or it was
   * stopped, and those under way are waited for; `done`. `stuck`: the recall itself could not go on, `retry` its execution.
   */
  readonly status: "counting" | "canary" | "asking" | "paused" | "finishing" | "done" | "stuck";
  readonly reason: string;
  readonly by: string;
  readonly launchedAt: Date;
  /** When the recall ended. Null: it goes on. */
  readonly endedAt: Date | null;
  /** How many there were when it began; with `ids`, how many were given. */
  readonly counted: number;
  /** How many of these it has not come to yet. */
  readonly left: number;
  /** How many rollbacks were requested. Each of the executions is under way, rolled back, stuck, turned or refused. */
  readonly asked: number;
  readonly underWay: number;
  readonly rolledBack: number;
  readonly stuck: number;
  /** How many of those under way have an undo that has failed five times or more, and is tried again. */
  readonly struggling: number;
  /** How many were turned by something else, or deleted, before the recall came to them. */
  readonly turned: number;
  readonly notFound: number;
  /** How many had not completed when the recall was launched: nothing was asked of them. */
  readonly notCompleted: number;
  /** How many refused, by the word that `rollback` answers with: `past-pivot`, `belongs-to-parent`, … */
  readonly refused: Readonly<Record<string, number>>;
  /** Why it is paused, since when, and by whom; left out: it is not. */
  readonly paused?: { readonly why: "asked" | "canary" | "stuck" } & RecallActed;
  /** Left out: nobody stopped it. */
  readonly stopped?: RecallActed;
  /** The executions that need a person, at most a hundred. */
  readonly troubled: readonly { readonly id: string; readonly is: "stuck" | "struggling" }[];
  /** Of the first hundred under way: how many no launcher has taken up, by version of the workflow. */
  readonly unattended: readonly { readonly workflow: string; readonly version: string; readonly count: number }[];
  /** Which executions are asked first. `"given"`: in the order of its `ids`. */
  readonly order: "newest" | "oldest" | "given";
  /** As it was given: `10/s`. */
  readonly rate: string;
  readonly atOnce: number;
  readonly canary: number;
  readonly onStuck: number;
}

export interface RecallActed {
  readonly at: Date;
  /** Left out: the recall itself. */
  readonly by?: string;
  readonly reason?: string;
}

/** Who acts on a recall. */
export interface RecallActOptions {
  /** For the history. One line of 1 to 255 characters. */
  readonly by: string;
  /** Why. A text of 1 to 1000 characters. */
  readonly reason?: string;
}

export interface RecallPage {
  /** Newest first. */
  readonly recalls: readonly RecallProgress[];
  /** For the next page; null: this was the last. */
  readonly cursor: string | null;
}

/** What recalls ask with: their client, and its parts. */
interface RecallClient {
  readonly store: Store;
  readonly host: ClientHost;
  readonly asks: Asks;
}

interface Asks {
  execution(id: string): Pick<Execution, "outcome">;
  send(id: string, name: string, message: RecallMessage): Promise<unknown>;
}

/**
 * One recall, by its id. It is an execution that launchers drive: a process that asked for it may end.
 *
 * @example
 * const recall = client.recalls.get("wrong-price");
 * const { status, rolledBack, stuck } = await recall.progress();
 * if (status === "paused" && stuck === 0) await recall.resume({ by: "ada" });
 */
export class Recall {
  readonly id: string;
  readonly #client: RecallClient;

  /** @internal Made by `Client.recall` and `Recalls.get`. */
  constructor(id: string, client: RecallClient) {
    this.id = id;
    this.#client = client;
  }

  /** Asks no more, until `resume`. Those under way go on. Followed within about a second. */
  async pause(options: RecallActOptions): Promise<void> {
    await this.#act("pause", options);
  }

  /**
   * Goes on after a pause, also after the canary: who resumes it has decided that the others are asked all the same. Those that are in
   * trouble now do not pause it again.
   */
  async resume(options: RecallActOptions): Promise<void> {
    await this.#act("resume", options);
  }

  /** Asks no more, for good. It ends when those under way are at rest; nothing that it has undone is done again. */
  async stop(options: RecallActOptions): Promise<void> {
    await this.#act("stop", options);
  }

  /**
   * How far it is: as of its last commit, some seconds ago while it asks.
   *
   * @throws STEPWELL_EXECUTION_NOT_FOUND; STEPWELL_INVALID_ARGUMENT where the execution of that id is no recall
   */
  async progress(): Promise<RecallProgress> {
    await this.#client.host.ready("recall");
    const [record] = await this.#client.store.load([this.id]);
    if (record === undefined) throw notFound(this.id);
    const progress = progressOf(record);
    const unattended = await this.#unattended((stateOf(record) as RecallState).underWay);
    return { ...progress, unattended };
  }

  /**
   * Resolves when the recall has ended, with its report.
   *
   * @throws as `Execution.outcome`
   */
  async outcome(options: { readonly timeout?: Duration } = {}): Promise<RecallProgress> {
    refuseUnknownOptions(options, ["timeout"], "recall: outcome");
    await this.#client.asks.execution(this.id).outcome(options);
    return this.progress();
  }

  async #act(name: "pause" | "resume" | "stop", options: RecallActOptions): Promise<void> {
    refuseUnknownOptions(options, ["by", "reason"], `recall: ${name}`);
    const { by, reason } = options;
    if (by === undefined) throw invalidArgument(`recall: ${name}: "by" must say who asks for it`);
    checkBy(by, `recall: ${name}: by`);
    if (reason !== undefined) checkText(reason, `recall: ${name}: the reason`);
    await this.#client.host.ready(`recall: ${name}`);
    const [standing] = await this.#client.store.load([this.id], "standing");
    if (standing === undefined) throw notFound(this.id);
    if (standing.workflow !== recallName) throw noRecall(standing);
    await this.#client.asks.send(this.id, name, { by, ...(reason !== undefined && { reason }) });
  }

  async #unattended(underWay: readonly string[]): Promise<RecallProgress["unattended"]> {
    const records = await this.#client.store.load(underWay.slice(0, 100), "standing");
    const counts = new Map<string, { workflow: string; version: string; count: number }>();
    for (const record of records) {
      if (record?.status !== "completed" || record.owner !== null) continue;
      const { workflow, version } = record;
      const key = registryKey(workflow, version);
      counts.set(key, { workflow, version, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    return [...counts.values()];
  }
}

/** The recalls of a store. */
export class Recalls {
  readonly #client: RecallClient;
  readonly #launches: Launches;

  /** @internal Made by a client. */
  constructor(store: Store, host: ClientHost, asks: Asks) {
    this.#client = { store, host, asks };
    this.#launches = new Launches(store, host);
  }

  /** @internal As `Client.recall`. */
  async start(options: RecallOptions): Promise<Recall> {
    const { id } = options;
    const { plan, ids } = checkedRecall(options);
    const { host, store } = this.#client;
    await host.ready("recall");
    const registered = await host.registered(unbound);
    // A launcher keeps the lists of its own workflows only: most stores never see a recall.
    await store.definitions?.keep([definitionIn(registered)]);
    const input: RecallInput = { plan, ...(ids !== undefined && { ids }) };
    return this.get(await this.#launches.launchOf(registered, input, id === undefined ? {} : { id }));
  }

  /**
   * A handle on a recall. Reads nothing.
   *
   * @throws STEPWELL_INVALID_ARGUMENT at once, for what can't be an id
   */
  get(id: string): Recall {
    checkExecutionId(id);
    return new Recall(id, this.#client);
  }

  /**
   * All recalls, the newest first, a page at a time.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
   */
  async list(options: { readonly limit?: number; readonly after?: string } = {}): Promise<RecallPage> {
    refuseUnknownOptions(options, ["limit", "after"], "recalls.list");
    const { limit = 20, after } = options;
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > 100) {
      throw invalidArgument(`recalls.list: "limit" must be a whole number from 1 to 100`);
    }
    await this.#client.host.ready("recalls.list");
    const { store } = this.#client;
    const page = await store.list({ workflow: recallName, isFree: true, limit, after });
    const records = await store.load(page.records.map(({ id }) => id));
    return {
      recalls: records.flatMap((record) => (record === undefined ? [] : progressOf(record))),
      cursor: page.cursor,
    };
  }
}

/** For launches: what drives a recall has another one, with its launcher. */
const unbound = recallWorkflow(() => {
  throw new Error("A client drives no recall.");
});

function progressOf(record: ExecutionRecord): RecallProgress {
  if (record.workflow !== recallName) throw noRecall(record);
  const { id, createdAt, updatedAt } = record;
  const state = stateOf(record) as RecallState;
  const { plan, counted, reached, counts, underWay, struggling, paused, stopped } = state;
  const isOver = record.status === "completed";
  const troubled = [
    ...state.stuck.map((it) => ({ id: it, is: "stuck" as const })),
    ...struggling.map((it) => ({ id: it, is: "struggling" as const })),
  ];
  return {
    id,
    status: record.status === "stuck" ? "stuck" : paused !== null ? "paused" : state.phase,
    reason: plan.reason,
    by: plan.by,
    launchedAt: new Date(createdAt),
    endedAt: isOver ? new Date(updatedAt) : null,
    counted,
    left: Math.max(0, counted - reached),
    ...counts,
    underWay: underWay.length,
    struggling: struggling.length,
    ...(paused !== null && { paused: { ...paused, at: new Date(paused.at) } }),
    ...(stopped !== null && { stopped: { ...stopped, at: new Date(stopped.at) } }),
    troubled: troubled.slice(0, 100),
    unattended: [],
    order: plan.filter === undefined ? "given" : plan.order,
    rate: rateText(plan.rate),
    atOnce: plan.atOnce,
    canary: plan.canary,
    onStuck: plan.onStuck,
  };
}

const units: Readonly<Record<number, string>> = { 1_000: "s", 60_000: "m", 3_600_000: "h" };

function rateText({ count, perMs }: RecallPlan["rate"]): string {
  return `${count}/${units[perMs] ?? `${perMs}ms`}`;
}

function noRecall({ id, workflow }: Pick<ExecutionRecord, "id" | "workflow">): StepwellError {
  return new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `Execution "${id}" is of workflow "${workflow}", and is no recall. Recalls are listed by recalls.list().`,
    { execution: id, workflow },
  );
}
