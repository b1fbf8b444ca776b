/** Acts on many executions that a filter chooses: each execution by itself, many at the same time. */
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import type { ListConditions as StoredConditions, ListedExecution, ListPage, Store } from "../stores/contract.js";
import { OperatorActs, checkRetry, type RetryOptions } from "./operator.js";
import type { ClientHost } from "../session/client-host.js";
import type { Registered } from "../session/registry.js";
import { checkRoot, conditionsOf, tooWide, type ListConditions } from "./listing.js";
import { RollbackRequests, type RollbackAnswer, type RollbackOptions } from "./rollback.js";

export interface SelectOptions extends ListConditions {
  /** Every execution in the store. Has to be said, so that nobody undoes everything by leaving out a condition. */
  readonly all?: true;
}

export interface BulkOptions {
  /** Only say what would become of each execution; nothing is stored. Default: false. */
  readonly dryRun?: boolean;
  /** When it is aborted, no further act is begun. Acts that were begun are waited for, and are in the answer. */
  readonly signal?: AbortSignal;
}

export interface BulkRollbackOptions extends BulkOptions, Omit<RollbackOptions, "ifRevision"> {}

export interface BulkRetryOptions extends BulkOptions, Omit<RetryOptions, "patch" | "ifRevision"> {}

/** An execution that refused the act, and why. */
export interface Refused {
  readonly id: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface BulkAnswer {
  /** How many executions were looked at. */
  readonly matched: number;
  /** How many accepted the act; with `dryRun`, would accept it. */
  readonly accepted: number;
  /** Executions that refused the act, the newest first. */
  readonly refused: readonly Refused[];
  /**
   * Executions whose request is stored, and on which no launcher has decided within some seconds, or until this one stopped: their
   * pivot runs, or no running launcher knows their workflow.
   */
  readonly undecided: readonly string[];
  /** The signal was aborted, or the launcher stopped, before all were looked at. */
  readonly aborted: boolean;
}

/** How many executions there are. */
export interface ExecutionCount {
  readonly count: number;
  /** There are more: they were not counted. */
  readonly more: boolean;
}

/** Up to how many executions are counted. Where there are more, only that is told. */
const countedTo = 10_000;

/** How many executions are read at a time. */
const pageSize = 500;

/** How many acts are under way at the same time: they share commits. */
const lanes = 64;

/** For how long the decision of a launcher is waited for, in milliseconds: the request keeps a lane meanwhile. */
const patience = 5_000;

type ActResult = "accepted" | "undecided" | Omit<Refused, "id">;

/**
 * Acts on the executions that fit a filter when an act is called. Holds nothing but the filter.
 *
 * @example
 * const chosen = launcher.select({ workflow: "fulfil-order", status: "completed", createdFrom: new Date("2026-03-01") });
 * console.log(await chosen.count());
 * console.log(await chosen.rollback("recalled", { by: "ada", dryRun: true }));
 * console.log(await chosen.rollback("recalled", { by: "ada" }));
 */
export class BulkActs {
  readonly #conditions: StoredConditions;
  readonly #store: Store;
  readonly #host: ClientHost;
  readonly #rollbacks: RollbackRequests;
  readonly #acts: OperatorActs;

  /** @internal Made by `Launcher.select`. */
  constructor(options: SelectOptions, store: Store, host: ClientHost, registry: ReadonlyMap<string, Registered>) {
    this.#conditions = selected(options);
    this.#store = store;
    this.#host = host;
    this.#rollbacks = new RollbackRequests(store, host, registry, Math.min(patience, host.patience));
    this.#acts = new OperatorActs(store, host, registry);
  }

  /**
   * How many executions fit now: exactly up to 10,000, else that there are more.
   *
   * @throws STEPWELL_FILTER_TOO_WIDE, STEPWELL_INVALID_ARGUMENT where `root` is a child
   */
  async count(): Promise<ExecutionCount> {
    await this.#host.ready("count");
    await checkRoot(this.#store, this.#conditions, "select");
    const found = await this.#store.count(this.#conditions, countedTo);
    if (found === null) throw tooWide("count", this.#conditions);
    return { count: Math.min(found, countedTo), more: found > countedTo };
  }

  /**
   * Undoes each of the executions, as `Launcher.rollback` does. Executions that are launched meanwhile are left alone. A second call
   * finishes a first one that was interrupted: executions that have turned already are refused.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION before the first one; whatever the store fails with
   */
  async rollback(reason: string, options: BulkRollbackOptions = {}): Promise<BulkAnswer> {
    refuseUnknownOptions(options, ["by", "details", "ifCompleted", "dryRun", "signal"], "rollback");
    const { dryRun, signal, ...asked } = options;
    const request = this.#rollbacks.check(reason, asked);
    await this.#host.ready("rollback");
    return this.#each({ dryRun, signal }, async (record) => {
      const answer = dryRun
        ? await this.#rollbacks.judge(record, request)
        : await this.#rollbacks.request(record.id, reason, asked);
      return resultOf(answer);
    });
  }

  /**
   * Sets each stuck execution going again, as `Launcher.retry` does; the others are refused.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION before the first one; whatever the store fails with
   */
  async retry(options: BulkRetryOptions = {}): Promise<BulkAnswer> {
    refuseUnknownOptions(options, ["by", "reason", "dryRun", "signal"], "retry");
    const { dryRun, signal, ...asked } = options;
    await this.#host.ready("retry");
    checkRetry(asked, ["by", "reason"]);
    return this.#each({ dryRun, signal }, async (record) => {
      if (dryRun) await this.#acts.judgeRetry(record);
      else await this.#acts.retry(record.id, asked);
      return "accepted";
    });
  }

  async #each(
    { dryRun, signal }: { dryRun: unknown; signal: AbortSignal | undefined },
    act: (record: ListedExecution) => Promise<ActResult>,
  ): Promise<BulkAnswer> {
    if (dryRun !== undefined && typeof dryRun !== "boolean") {
      throw invalidArgument(`select: "dryRun" must be true or false, not ${shown(dryRun)}`);
    }
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw invalidArgument(`select: "signal" must be an AbortSignal, not ${shown(signal)}`);
    }
    const refused: Refused[] = [];
    const undecided: string[] = [];
    let accepted = 0;
    let matched = 0;
    let after: string | undefined;
    const isOver = (): boolean => signal?.aborted === true || !this.#host.isRunning;
    do {
      const page = await this.#page(after);
      if (page === undefined) return { matched, accepted, refused, undecided, aborted: true };
      const results = await inLanes(page.records, isOver, act);
      for (const [index, result] of results.entries()) {
        const { id } = page.records[index]!;
        matched += 1;
        if (result === "accepted") accepted += 1;
        else if (result === "undecided") undecided.push(id);
        else refused.push({ id, ...result });
      }
      if (results.length < page.records.length) return { matched, accepted, refused, undecided, aborted: true };
      after = page.cursor ?? undefined;
    } while (after !== undefined);
    return { matched, accepted, refused, undecided, aborted: false };
  }

  /** Undefined: the launcher has stopped, and may have closed the store. */
  async #page(after: string | undefined): Promise<ListPage | undefined> {
    try {
      if (!this.#host.isRunning) return undefined;
      if (after === undefined) await checkRoot(this.#store, this.#conditions, "select");
      return await this.#store.list({ ...this.#conditions, limit: pageSize, after });
    } catch (error) {
      if (!this.#host.isRunning) return undefined;
      throw error;
    }
  }
}

/** The results of the acts, in the order of the records; fewer than records where `isOver` ended it. */
async function inLanes(
  records: readonly ListedExecution[],
  isOver: () => boolean,
  act: (record: ListedExecution) => Promise<ActResult>,
): Promise<ActResult[]> {
  const results: ActResult[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < records.length; index = next++) {
      if (isOver()) return;
      results[index] = await settled(act(records[index]!));
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, records.length) }, lane));
  return results;
}

/** Codes of requests that are stored and not decided on: no act is begun in a launcher that does not run. */
const undecidedCodes: readonly ErrorCode[] = [
  "STEPWELL_UNDECIDED",
  "STEPWELL_LAUNCHER_NOT_RUNNING",
  "STEPWELL_CLIENT_STOPPED",
];

/** A failure of one act must not keep the others from their turn. */
async function settled(act: Promise<ActResult>): Promise<ActResult> {
  try {
    return await act;
  } catch (error) {
    if (!(error instanceof StepwellError)) return { code: "STEPWELL_STORE_FAILED", message: String(error) };
    return undecidedCodes.includes(error.code) ? "undecided" : { code: error.code, message: error.message };
  }
}

function resultOf(answer: RollbackAnswer): ActResult {
  return answer.accepted ? "accepted" : { code: answer.error.code, message: answer.error.message };
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
function selected(options: SelectOptions): StoredConditions {
  const names = ["workflow", "status", "tags", "createdFrom", "createdBefore", "root"] as const;
  refuseUnknownOptions(options, [...names, "children", "all"], "select");
  const { all, ...conditions } = options as { readonly all?: unknown } & ListConditions;
  const found = conditionsOf(conditions, "select");
  const isEmpty = names.every((name) => found[name] === undefined || (name === "tags" && found.tags?.length === 0));
  if (all !== undefined && all !== true)
    throw invalidArgument(`select: "all" must be true or left out, not ${shown(all)}`);
  if (all === true && !isEmpty)
    throw invalidArgument(`select: "all" means every execution; give it, or conditions, and not both`);
  if (all !== true && isEmpty) {
    throw invalidArgument(
      `select: there is no condition. To choose every execution in the store say so: { all: true }`,
    );
  }
  return found;
}
