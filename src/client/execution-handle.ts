/** A handle on one execution. It holds nothing but the id: every method that reads asks the store. */
import type { Sent } from "../definition/asking.js";
import type { AnyWorkflow, HalfDoneOf, MessageName, PayloadOf, StatePatch, StepsOf } from "../definition/bag.js";
import { milliseconds, type Duration } from "../definition/duration.js";
import type { Flow } from "../definition/flow.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError } from "../errors.js";
import { stateDifference, type Difference } from "../values/state-changes.js";
import type { ExecutionRecord, Standing } from "../execution/records.js";
import type { HistoryRange as StoredRange, Store } from "../stores/contract.js";
import type {
  OperatorActs,
  OperatorOptions,
  Resolution,
  ResolveOptions,
  RetryOptions,
  SkipOptions,
} from "./operator.js";
import {
  checkRevision,
  rowsOf,
  stateAtRevision,
  withChanges,
  type ChangedHistoryRow,
  type HistoryRow,
} from "../execution/history.js";
import { childGroupsOf, childLinesOf, type ChildGroup, type ChildLine, type ChildLinesOptions } from "./children.js";
import { checkedFrom, endable, followOne, followOptionsOf, type FollowOptions } from "./follow.js";
import type { ClientHost } from "../session/client-host.js";
import { andThen } from "../session/maybe-promise.js";
import { mailboxRowsOf, mailFilterOf, type MailboxOptions, type MailboxRow } from "./mailbox.js";
import type { MessageSender, SendOptions } from "./messages.js";
import type { RewindAnswer, RewindOptions, RewindRequests } from "./rewind.js";
import type { RollbackAnswer, RollbackOptions, RollbackRequests } from "./rollback.js";
import { Certificates, type Certificate } from "./certificate.js";
import { rollbackPreview, type RollbackPreview } from "./preview.js";
import { notFound } from "../session/not-found.js";
import { outcomeIn, type Outcome } from "../session/outcome-waiters.js";
import { named, stateOf } from "../session/damaged-rows.js";
import type { Registered } from "../session/registry.js";
import { detailsOf, type ExecutionDetails } from "./execution-details.js";
import { placeOf, summaryOf, type ExecutionSummary } from "./execution-summary.js";

/** Which part of a history. */
export interface HistoryRange {
  /** Only what was committed after this revision. Default: 0, from the first transition on. */
  readonly from?: number;
  /** At most so many transitions, those that come first. Default: all. */
  readonly limit?: number;
}

export interface HistoryOptions extends HistoryRange {
  /** Each row also says what the transition changed in the state, as JSON Patch (RFC 6902). */
  readonly changes: true;
  /**
   * Paths whose values are not shown in `changes`, only that they changed: `card.number`, `items[*].price`. Default: none.
   */
  readonly redact?: readonly string[];
}

/** Undefined: no differences are asked for. */
function differenceOf({ changes, redact }: Partial<HistoryOptions>): Difference | undefined {
  if (changes === true) return stateDifference(redact, "history");
  if (changes === undefined && redact === undefined) return undefined;
  const message = `history: "changes" is true or left out, and then "redact" is too; not ${shown(changes)}.`;
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message);
}

/** Undefined: all of the history. @throws STEPWELL_INVALID_ARGUMENT */
function rangeOf({ from, limit }: HistoryRange): StoredRange | undefined {
  if (from === undefined && limit === undefined) return undefined;
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1)) {
    throw invalidArgument(`history: "limit" must be a whole number from 1 on, not ${shown(limit)}`);
  }
  return { after: checkedFrom(from ?? 0, "history"), limit: limit ?? allRows };
}

/** So many messages are counted. */
const countedTo = 10_000;

/** More than any history has. */
const allRows = 2 ** 31;

/** What a handle asks with: the parts of its client. */
export interface HandleParts {
  readonly store: Store;
  readonly host: ClientHost;
  readonly registry: ReadonlyMap<string, Registered>;
  readonly messages: MessageSender;
  readonly rollbacks: RollbackRequests;
  readonly rewinds: RewindRequests;
  readonly acts: OperatorActs;
}

/**
 * One execution, by its id. Its methods reject with `STEPWELL_EXECUTION_NOT_FOUND` if there is none.
 *
 * @example
 * const execution = launcher.execution("order-1001");
 * const outcome = await execution.outcome({ timeout: "1m" });
 */
export class Execution<W extends AnyWorkflow = AnyWorkflow> {
  readonly id: string;
  readonly #parts: HandleParts;

  /** @internal Made by `Client.execution` and by launches. */
  constructor(id: string, parts: HandleParts) {
    this.id = id;
    this.#parts = parts;
  }

  /**
   * Resolves when the execution next comes to rest (completed, rolled back or stuck), after all requests that were accepted before
   * this call. Resolves at once if it is at rest.
   *
   * @throws STEPWELL_OUTCOME_TIMEOUT with `timeout`, when that time has passed; STEPWELL_LAUNCHER_NOT_RUNNING
   * where the launcher stops, or has stopped, before the execution is at rest
   */
  async outcome(options: { readonly timeout?: Duration } = {}): Promise<Outcome<W>> {
    refuseUnknownOptions(options, ["timeout"], "outcome");
    const limit = options.timeout === undefined ? undefined : milliseconds(options.timeout, "outcome: timeout");
    const opened = this.#parts.host.opened();
    if (opened instanceof Promise) await opened;
    let asked: Promise<Outcome | undefined> | undefined;
    if (this.#parts.host.places?.isDriving(this.id) !== true) {
      const found = andThen(outcomeIn(this.#parts.store, this.id), (outcome) => {
        if (outcome === undefined) this.#parts.host.mustRun("outcome");
        return outcome;
      });
      if (found instanceof Promise) asked = found;
      else if (found !== undefined) return found as Outcome<W>;
    }
    return new Promise((resolve, reject) => {
      // Waits before the store has answered: an execution that comes to rest in between must find the waiter.
      const forget = this.#parts.host.whenAtRest(this.id, {
        resolve(outcome) {
          timer?.cancel();
          resolve(outcome as Outcome<W>);
        },
        reject(error) {
          timer?.cancel();
          reject(error);
        },
      });
      const timer =
        limit === undefined
          ? undefined
          : this.#parts.host.clock.after(limit, () => {
              forget();
              const message = `Execution "${this.id}" did not come to rest within ${limit} ms; it goes on.`;
              reject(new StepwellError("STEPWELL_OUTCOME_TIMEOUT", message, { execution: this.id }));
            });
      asked?.then(
        (outcome) => {
          if (outcome === undefined) return;
          forget();
          timer?.cancel();
          resolve(outcome as Outcome<W>);
        },
        (error: unknown) => {
          forget();
          timer?.cancel();
          reject(error);
        },
      );
    });
  }

  /** The state as of the last commit. */
  async state(): Promise<HalfDoneOf<W>> {
    return stateOf(await this.#record()) as HalfDoneOf<W>;
  }

  /** Where the execution is and which way it goes, as of the last commit. */
  async flow(): Promise<Flow & { readonly step: string }> {
    return placeOf(await this.#record());
  }

  /** Status, tags, times and flow in one. */
  async summary(): Promise<ExecutionSummary> {
    return summaryOf(await this.#record(), this.#parts.host.storeNow());
  }

  /** The summary, with the steps and what is known of them: all that is shown of where an execution stands. */
  async details(): Promise<ExecutionDetails> {
    return detailsOf(await this.#record(), this.#parts.store, this.#parts.host, this.#parts.registry);
  }

  /** The children of each step that has begun any, counted; in the order in which the steps began them. */
  async children(): Promise<readonly ChildGroup[]> {
    await this.#standing();
    return childGroupsOf(this.#parts.store, this.id);
  }

  /**
   * The children of one step, in the order of its list. None: it has begun none.
   *
   * @example
   * for (const { key, id, status } of await execution.childrenOf("items")) console.log(key, id, status);
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_CAPABILITY_MISSING
   */
  async childrenOf(step: StepsOf<W>, options: ChildLinesOptions = {}): Promise<readonly ChildLine[]> {
    await this.#standing();
    return childLinesOf(this.#parts.store, this.id, step, options);
  }

  /**
   * Every committed transition, in order; or a part of them, which is read without the rest. With `changes` all that came before is
   * read too.
   *
   * @example
   * for (const { step, result, changes } of await execution.history({ changes: true, redact: ["card"] }))
   *   console.log(step, result, changes); // charge ok [{ op: "add", path: "/paymentId", value: "pay-1" }]
   *
   * @throws with `changes`: STEPWELL_INVALID_ARGUMENT for a text that is no path; STEPWELL_NOT_DECODABLE
   */
  async history(options?: HistoryRange): Promise<HistoryRow[]>;
  async history(options: HistoryOptions): Promise<ChangedHistoryRow[]>;
  async history(options: Partial<HistoryOptions> = {}): Promise<HistoryRow[] | ChangedHistoryRow[]> {
    refuseUnknownOptions(options, ["changes", "redact", "from", "limit"], "history");
    const difference = differenceOf(options);
    const range = rangeOf(options);
    if (difference === undefined) {
      const record = await this.#standing();
      const rows = await this.#parts.store.history(this.id, range);
      return named(record, "history", () => rowsOf(rows));
    }
    const record = await this.#record();
    const { after, limit } = range ?? { after: 0, limit: allRows };
    const rows = await this.#parts.store.history(this.id, { after: 0, limit: after + limit });
    return named(record, "history", () => withChanges(record, rows, difference).slice(after));
  }

  /**
   * Every committed transition, those that are there and those to come, in order and each once, in whatever process the execution is
   * driven. It ends after the transition with which the execution completed or rolled back; it goes on where the execution is stuck.
   * A caller that is slow holds nothing up, and nothing is kept for it.
   *
   * @example
   * for await (const { step, func, result } of execution.follow()) console.log(func, step, result);
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION at once; while iterating STEPWELL_EXECUTION_NOT_FOUND, and
   * STEPWELL_LAUNCHER_NOT_RUNNING or STEPWELL_CLIENT_STOPPED where the launcher or client stops
   */
  follow(options: FollowOptions = {}): AsyncIterableIterator<HistoryRow> {
    const { from, signal: given } = followOptionsOf(options);
    const { store, host } = this.#parts;
    return endable(given, (signal) => followOne(this.id, from, { store, host }, signal));
  }

  /**
   * The state as it was after so many transitions, deep-equal to what it was then; 0: as it began. Made from the stored history, in
   * any process.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_REVISION_NOT_FOUND; STEPWELL_NOT_DECODABLE where what is stored is damaged
   */
  async stateAt(revision: number): Promise<HalfDoneOf<W>> {
    checkRevision(revision);
    const record = await this.#record();
    // The first transition knows how the state began.
    const rows = await this.#parts.store.history(this.id, { after: 0, limit: Math.max(revision, 1) });
    return named(record, "history", () => stateAtRevision(record, rows, revision)) as HalfDoneOf<W>;
  }

  /**
   * Messages that were accepted, in the order of acceptance. Default: all. What a part costs does not grow with the rest.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
   */
  async mailbox(options: MailboxOptions = {}): Promise<MailboxRow[]> {
    const filter = mailFilterOf(options);
    const record = await this.#record();
    const rows = await this.#parts.store.mail({ executions: [this.id], ...filter });
    return named(record, "mailbox", () => mailboxRowsOf(rows));
  }

  /** How many messages no step has taken yet: exactly up to 10,000, else that there are more. */
  async countPending(): Promise<{ readonly count: number; readonly more: boolean }> {
    await this.#parts.host.opened();
    const [standing] = await this.#parts.store.load([this.id], "standing");
    if (standing === undefined) throw notFound(this.id);
    const found = await this.#parts.store.countPending(this.id, countedTo);
    return { count: Math.min(found, countedTo), more: found > countedTo };
  }

  /** As `Launcher.send`. */
  send<Name extends MessageName<W>>(name: Name, payload: PayloadOf<W, Name>, options: SendOptions = {}): Promise<Sent> {
    return this.#parts.messages.send(this.id, name, payload, options);
  }

  /** As `Launcher.rollback`. */
  rollback(reason: string, options: RollbackOptions = {}): Promise<RollbackAnswer> {
    return this.#parts.rollbacks.request(this.id, reason, options);
  }

  /**
   * What a rollback would do as things stand, step by step, and why it would be refused; with `to`, what a rewind to that step would. Reads committed rows and calls no code of a
   * workflow: what is then asked with `ifRevision: preview.revision` does what was shown, or is refused.
   *
   * @example
   * const preview = await execution.previewRollback();
   * console.log(previewText(preview));
   * await execution.rollback("returned", { ifRevision: preview.revision });
   *
   * @throws STEPWELL_UNKNOWN_WORKFLOW where nobody has kept its list of steps in this store; STEPWELL_NOT_DECODABLE
   */
  async previewRollback(options: { readonly to?: StepsOf<W> } = {}): Promise<RollbackPreview> {
    refuseUnknownOptions(options, ["to"], "previewRollback");
    const { store, host, registry } = this.#parts;
    return rollbackPreview(await this.#record(), store, host, registry, options);
  }

  /**
   * Goes back to a step, undoing it and all that was done after it, and then up again from there: for an execution that goes up, has
   * completed or is stuck. What those steps had given is gone from the state, and the patch is merged. What is done again has other
   * idempotency keys than the first time. Resolves with the word of the launcher that follows it.
   *
   * @example
   * await execution.rewind({ to: "ship", reason: "wrong-address", by: "ada", patch: { address: "Elm Street 4" } });
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_PATCH, STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE;
   * STEPWELL_UNDECIDED; STEPWELL_LAUNCHER_NOT_RUNNING as for a rollback
   */
  rewind(options: RewindOptions<W>): Promise<RewindAnswer> {
    return this.#parts.rewinds.request(this.id, options);
  }

  /**
   * What an execution at rest did, when and by which key, what undid it or why nothing did, and what is left in the world; its
   * children too. It holds no value of the state. `certificateText` and `certificateMarkdown` make it readable,
   * `Client.verifyCertificate` holds it against the store.
   *
   * @throws STEPWELL_NOT_AT_REST, STEPWELL_NOT_DECODABLE
   */
  async certificate(): Promise<Certificate> {
    const { store, host, registry } = this.#parts;
    return new Certificates(store, host, registry).of(await this.#record());
  }

  /** As `Launcher.retry`. */
  retry(options: RetryOptions<W> = {}): Promise<void> {
    return this.#parts.acts.retry(this.id, options);
  }

  /** As `Launcher.skip`. */
  skip(reason: string, options: SkipOptions<W> = {}): Promise<void> {
    return this.#parts.acts.skip(this.id, reason, options);
  }

  /**
   * Says what became of an attempt of a stuck execution's step that gave nothing back, in the place of its probe: it happened, and the
   * step gave this patch; or it did not happen. The execution goes on from there, up or down.
   *
   * @throws as `Launcher.retry`; STEPWELL_NOT_IN_DOUBT
   * @example await execution.resolve({ happened: { transferId: "t-77" } }, "on the statement of 3 May", { by: "ada" });
   */
  resolve(what: Resolution<W>, reason: string, options: ResolveOptions): Promise<void> {
    return this.#parts.acts.resolve(this.id, what, reason, options);
  }

  /** As `Launcher.patchState`. */
  patchState(patch: StatePatch<W>, reason: string, options: OperatorOptions = {}): Promise<void> {
    return this.#parts.acts.patchState(this.id, patch, reason, options);
  }

  async #standing(): Promise<Standing> {
    await this.#parts.host.opened();
    const [record] = await this.#parts.store.load([this.id], "standing");
    if (record === undefined) throw notFound(this.id);
    return record;
  }

  async #record(): Promise<ExecutionRecord> {
    await this.#parts.host.opened();
    const [record] = await this.#parts.store.load([this.id]);
    if (record === undefined) throw notFound(this.id);
    return record;
  }
}
