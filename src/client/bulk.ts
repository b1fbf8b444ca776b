/** Acts on many executions at once, chosen by a filter: counted first, then each by itself. */
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { ListConditions as StoredConditions, ListPage, Store } from "../stores/contract.js";
import { OperatorActs, checkRetry, type RetryOptions } from "./operator.js";
import type { ClientHost } from "../session/client-host.js";
import type { Registered } from "../session/registry.js";
import { conditionsOf, type ListConditions } from "./listing.js";
import { RollbackRequests, type RollbackAnswer, type RollbackOptions } from "./rollback.js";

export interface SelectOptions extends ListConditions {
  /** Every execution in the store. Has to be said, so that nobody undoes everything by leaving out a condition. */
  readonly all?: true;
}

export interface BulkOptions {
  /** Only say what would become of each; nothing is stored. Default: false. */
  readonly dryRun?: boolean;
  /** Aborted: no further ones are begun. Those that were begun are waited for, and the answer tells of them. */
  readonly signal?: AbortSignal;
}

export interface BulkRollbackOptions extends BulkOptions, RollbackOptions {}

export interface BulkRetryOptions extends BulkOptions, Omit<RetryOptions, "patch"> {}

/** One that the act was not done to, and why. */
export interface Refused {
  readonly id: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface BulkAnswer {
  /** How many were looked at. */
  readonly matched: number;
  /** How many the act was accepted for; with `dryRun`, would be. */
  readonly accepted: number;
  /** All others, the newest first. */
  readonly refused: readonly Refused[];
  /**
   * Requests that are stored, and that no launcher has decided on within some seconds, or until this one stopped: a pivot
   * runs, or nobody knows the workflow.
   */
  readonly undecided: readonly string[];
  /** The signal was aborted, or the launcher stopped, before all were looked at. */
  readonly aborted: boolean;
}

/** How many are asked for at a time. */
const pageSize = 500;

/** How many are acted on at the same time: they share commits. */
const lanes = 64;

/** For how long a request that only a launcher's commit decides keeps a lane, in milliseconds. */
const patience = 5_000;

type Verdict = "accepted" | "undecided" | Omit<Refused, "id">;

/**
 * The executions that fit a filter, whenever it is asked. Holds nothing but the filter.
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

  /** How many fit now. */
  async count(): Promise<number> {
    await this.#host.ready("count");
    return this.#store.count(this.#conditions);
  }

  /**
   * Asks each of them to roll back, as `Launcher.rollback` does. What is launched meanwhile is left alone. A
   * second call finishes what was interrupted: those that turn already are refused.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION before the first one; whatever the store fails with
   */
  async rollback(reason: string, options: BulkRollbackOptions = {}): Promise<BulkAnswer> {
    refuseUnknownOptions(options, ["by", "ifCompleted", "dryRun", "signal"], "rollback");
    const { dryRun, signal, ...asked } = options;
    const request = this.#rollbacks.check(reason, asked);
    await this.#host.ready("rollback");
    return this.#each({ dryRun, signal }, async (record) => {
      const answer = dryRun
        ? await this.#rollbacks.judge(record, request)
        : await this.#rollbacks.request(record.id, reason, asked);
      return verdictOf(answer);
    });
  }

  /**
   * Sets each of them going again that is stuck, as `Launcher.retry` does; the others are refused.
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
    act: (record: ExecutionRecord) => Promise<Verdict>,
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
      const verdicts = await inLanes(page.records, isOver, act);
      for (const [index, verdict] of verdicts.entries()) {
        const { id } = page.records[index]!;
        matched += 1;
        if (verdict === "accepted") accepted += 1;
        else if (verdict === "undecided") undecided.push(id);
        else refused.push({ id, ...verdict });
      }
      if (verdicts.length < page.records.length) return { matched, accepted, refused, undecided, aborted: true };
      after = page.cursor ?? undefined;
    } while (after !== undefined);
    return { matched, accepted, refused, undecided, aborted: false };
  }

  /** Undefined: the launcher has stopped, and may have closed the store. */
  async #page(after: string | undefined): Promise<ListPage | undefined> {
    try {
      if (!this.#host.isRunning) return undefined;
      return await this.#store.list({ ...this.#conditions, limit: pageSize, after });
    } catch (error) {
      if (!this.#host.isRunning) return undefined;
      throw error;
    }
  }
}

/** What became of the first ones, in their order; fewer than there are where it was over before. */
async function inLanes(
  records: readonly ExecutionRecord[],
  isOver: () => boolean,
  act: (record: ExecutionRecord) => Promise<Verdict>,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < records.length; index = next++) {
      if (isOver()) return;
      verdicts[index] = await settled(act(records[index]!));
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, records.length) }, lane));
  return verdicts;
}

/** Of a request that is stored and not decided on: nothing is begun in a launcher that does not run. */
const undecidedCodes: readonly ErrorCode[] = [
  "STEPWELL_UNDECIDED",
  "STEPWELL_LAUNCHER_NOT_RUNNING",
  "STEPWELL_CLIENT_STOPPED",
];

/** What goes wrong with one of them must not keep the others from their turn. */
async function settled(act: Promise<Verdict>): Promise<Verdict> {
  try {
    return await act;
  } catch (error) {
    if (!(error instanceof StepwellError)) return { code: "STEPWELL_STORE_FAILED", message: String(error) };
    return undecidedCodes.includes(error.code) ? "undecided" : { code: error.code, message: error.message };
  }
}

function verdictOf(answer: RollbackAnswer): Verdict {
  return answer.accepted ? "accepted" : { code: answer.error.code, message: answer.error.message };
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
function selected(options: SelectOptions): StoredConditions {
  const names = ["workflow", "status", "tags", "createdFrom", "createdBefore"] as const;
  refuseUnknownOptions(options, [...names, "all"], "select");
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
