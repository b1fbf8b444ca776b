/** The client: launches executions, sends to them, reads them and acts on them, without driving any. */
import type { LaunchOptions, Published, PublishOptions, Sent } from "../definition/asking.js";
import type { AnyWorkflow, InputOf } from "../definition/bag.js";
import type { Frozen } from "../definition/frozen.js";
import { definitionOf } from "../definition/definition-of.js";
import { checkExecutionId } from "../ids.js";
import type { Store } from "../stores/contract.js";
import { OperatorActs, type OperatorOptions, type RetryOptions, type SkipOptions } from "./operator.js";
import type { ClientHost } from "../session/client-host.js";
import { compatibilityOf, type CompatibilityGroup } from "./deployment-check.js";
import { Execution, type HandleParts } from "./execution-handle.js";
import type { ExecutionSummary } from "./execution-summary.js";
import { Fleet } from "./fleet.js";
import { Certificates, type Certificate, type CertificateCheck } from "./certificate.js";
import { endable } from "./follow.js";
import { chosenBy, followMany, type FollowFilter } from "./follow-many.js";
import type { Registered } from "../session/registry.js";
import type { LaunchItem } from "../runtime/launch.js";
import { asked } from "../session/caller-transaction.js";
import { andThen } from "../session/maybe-promise.js";
import { Launches } from "./launches.js";
import { checkRoot, filterOf, pageOf, type ExecutionPage, type ListOptions } from "./listing.js";
import {
  Letters,
  type LetterAddress,
  type LetterConditions,
  type LetterCount,
  type LetterTotal,
  type LetterOptions,
  type LetterPage,
  type ResendOptions,
} from "./dead-letters.js";
import { MessageSender, type SendOptions } from "./messages.js";
import { RewindRequests } from "./rewind.js";
import { RollbackRequests, type RollbackAnswer, type RollbackOptions } from "./rollback.js";
import { publish } from "./publishing.js";
import {
  agesOf,
  checkedPruneOptions,
  prune,
  type PruneCounts,
  type PruneOptions,
  type RetentionPolicy,
} from "../session/retention.js";
import { BulkActs, type SelectOptions } from "./bulk.js";
import { Recalls, type Recall } from "./recall.js";
import type { RecallOptions } from "./recall-options.js";
import { Schedules } from "./schedules.js";
import { clientSettingsOf, type ClientOptions } from "../session/options.js";
import { StoreSession } from "../session/store-session.js";

/** What a client is made of. */
interface ClientParts {
  readonly store: Store;
  readonly host: ClientHost;
  readonly registry: ReadonlyMap<string, Registered>;
}

/**
 * Launches, sends, reads, acts and waits for outcomes, and never drives an execution. No step runs here; launchers, in this
 * process or elsewhere, do the work. A client needs no workflows, and no start: the first call opens the store.
 *
 * Some requests only the code of a workflow can decide, such as whether a patch fits the schema of the input. The launcher that takes
 * the execution up decides these, and the call waits for its decision.
 *
 * @example
 * await using client = new Client({ store: postgresStore(process.env.DATABASE_URL) });
 * for (const { id, error } of (await client.list({ status: "stuck", children: true })).executions) {
 *   console.log(id, error?.message);
 *   await client.retry(id, { by: "ada", reason: "the bank is back" });
 * }
 */
export class Client {
  readonly #store: Store;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #host: ClientHost;
  readonly #launches: Launches;
  readonly #messages: MessageSender;
  readonly #rollbacks: RollbackRequests;
  readonly #handleParts: HandleParts;
  readonly #letters: Letters;
  readonly #acts: OperatorActs;
  /** Launches at times to come. */
  readonly schedules: Schedules;
  /** Recalls that were asked for. */
  readonly recalls: Recalls;
  /** What is around the executions: launchers, workflows, limits. */
  readonly fleet: Fleet;

  constructor(options: ClientOptions);
  /** @internal A launcher brings its own. */
  constructor(options: ClientOptions, parts: ClientParts);
  constructor(options: ClientOptions, { store, host, registry }: ClientParts = sessionOf(options)) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
    this.#launches = new Launches(store, host);
    this.#messages = new MessageSender(store, host, registry);
    this.#rollbacks = new RollbackRequests(store, host, registry);
    this.#letters = new Letters(store, host, registry);
    this.#acts = new OperatorActs(store, host, registry);
    this.#handleParts = {
      store,
      host,
      registry,
      messages: this.#messages,
      rollbacks: this.#rollbacks,
      rewinds: new RewindRequests(store, host, registry),
      acts: this.#acts,
    };
    this.recalls = new Recalls(store, host, this);
    this.fleet = new Fleet(store, host, registry);
    this.schedules = new Schedules(store, host, registry, async (registered, input, launch) =>
      this.#handle(await this.#launches.launchOf(registered, input, launch)),
    );
  }

  /**
   * Ends this client: calls that still wait for an outcome reject, and the store is closed if the client has opened it and nobody
   * else uses it. Executions are not changed. A second call is the same stop.
   */
  stop(): Promise<void> {
    return this.#host.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Starts an execution. When this resolves, the execution is stored and will be worked on after any crash.
   *
   * @throws STEPWELL_INVALID_INPUT, STEPWELL_LAUNCH_CONFLICT, STEPWELL_UNKNOWN_WORKFLOW, STEPWELL_INVALID_ARGUMENT
   */
  launch<W extends AnyWorkflow>(
    workflow: W,
    input: InputOf<W> | Frozen<InputOf<W>>,
    options: LaunchOptions<W> = {},
  ): Promise<Execution<W>> {
    return asked(this.#store, options, "launch", () => {
      const id = this.#launches.launch(workflow, input, options);
      return id instanceof Promise ? id.then((it) => this.#handle<W>(it)) : this.#handle<W>(id);
    });
  }

  /**
   * Starts many executions of one workflow; they share commits. All inputs are checked before the first execution is stored. A
   * conflict of one does not keep the others from being launched; then the call rejects.
   */
  async launchMany<W extends AnyWorkflow>(workflow: W, items: readonly LaunchItem<W>[]): Promise<Execution<W>[]> {
    const launched = await this.#launches.launchMany(workflow, items);
    return launched.map((it) => {
      if (it.status === "rejected") throw it.reason;
      return this.#handle(it.value);
    });
  }

  /**
   * Puts a message into an execution's mailbox. When this resolves, the message is stored.
   *
   * @throws STEPWELL_EXECUTION_NOT_FOUND, STEPWELL_EXECUTION_ENDED, STEPWELL_UNKNOWN_MESSAGE, STEPWELL_INVALID_MESSAGE,
   * STEPWELL_INVALID_ARGUMENT
   */
  send(id: string, name: string, payload: unknown, options: SendOptions = {}): Promise<Sent> {
    return this.#messages.send(id, name, payload, options);
  }

  /**
   * Puts a message into the mailbox of every execution that is subscribed to the topic, and of executions that subscribe while the
   * message is kept. When this resolves, the message is stored. Names and payloads are checked at delivery.
   *
   * @param topic 1 to 255 characters, without control characters
   * @param payload anything that can be stored, up to the launcher's `sizeLimit`
   * @example
   * await launcher.publish("payment:p-77", "settled", { at: new Date() }, { messageId: "evt-9" });
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION, STEPWELL_NOT_ENCODABLE,
   * STEPWELL_TOO_LARGE, STEPWELL_LAUNCHER_NOT_RUNNING
   */
  publish(topic: string, name: string, payload: unknown, options: PublishOptions = {}): Promise<Published> {
    return asked(this.#store, options, "publish", () =>
      andThen(this.#host.ready("publish"), () =>
        publish(this.#store, this.#host, this.#registry, topic, name, payload, options),
      ),
    );
  }

  /**
   * Messages that no step took: their execution ended before a step wanted them, or the schema of a step refused them. The last
   * received first, a page at a time.
   *
   * @example
   * const { letters } = await launcher.deadLetters({ workflow: "fulfil-order" });
   * for (const { execution, id, name } of letters) console.log(execution, id, name);
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_LAUNCHER_NOT_RUNNING
   */
  async deadLetters(options: LetterOptions = {}): Promise<LetterPage> {
    return this.#letters.list(options);
  }

  /**
   * How many dead letters there are: exactly where there are no more than 10,000 in all, or of the execution that is named; else how
   * many of the last 10,000.
   *
   * @throws as `deadLetters`
   */
  async countDeadLetters(conditions: LetterConditions = {}): Promise<LetterTotal> {
    return this.#letters.count(conditions);
  }

  /**
   * How many dead letters the executions of each workflow have; workflows that have any, by name. One query: for a metric. Counted as
   * `countDeadLetters` does.
   *
   * @example
   * for (const { workflow, count } of await launcher.countDeadLettersByWorkflow()) console.log(workflow, count);
   *
   * @throws STEPWELL_LAUNCHER_NOT_RUNNING
   */
  async countDeadLettersByWorkflow(): Promise<LetterCount[]> {
    return this.#letters.countByWorkflow();
  }

  /**
   * Sends a dead letter again, to the same execution or to another one. The message is checked as `send` checks it. The letter becomes
   * `resent` in the commit that stores the new message; where the call rejects, the letter stays dead. The same call again is a
   * duplicate, and no second message. `mailbox()` of the letter's execution says where the message went, when, and who sent it.
   *
   * @example
   * await launcher.resend({ execution: "order-1001", id: "evt-9" }, { to: "order-1002", by: "ada" });
   *
   * @throws STEPWELL_NOT_DEAD; as `send` for the execution that gets it
   */
  async resend(letter: LetterAddress, options: ResendOptions = {}): Promise<Sent> {
    return this.#letters.resend(letter, options);
  }

  /**
   * Undoes an execution, also a completed one: it turns, and its steps are undone in reverse. A step that is running is aborted and
   * waited for; what it gives back is kept, so that its undo knows of it.
   *
   * @param reason becomes the execution's reason: a short text of one line, and neither `normal` nor `ok`
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION; STEPWELL_LAUNCHER_NOT_RUNNING: where this
   * launcher has stopped meanwhile, the request may be stored and be followed later
   */
  async rollback(id: string, reason: string, options: RollbackOptions = {}): Promise<RollbackAnswer> {
    checkExecutionId(id);
    return this.#rollbacks.request(id, reason, options);
  }

  /**
   * Runs the function of a stuck execution's step again, from its beginning and with fresh attempts.
   *
   * @throws STEPWELL_EXECUTION_NOT_FOUND, STEPWELL_EXECUTION_NOT_STUCK, STEPWELL_INVALID_ARGUMENT, STEPWELL_INVALID_PATCH,
   * STEPWELL_UNKNOWN_OPTION: nothing was changed
   */
  async retry(id: string, options: RetryOptions = {}): Promise<void> {
    checkExecutionId(id);
    return this.#acts.retry(id, options);
  }

  /**
   * Takes the step of a stuck execution as done, for a reason that the history keeps.
   *
   * @throws as `retry`
   */
  async skip(id: string, reason: string, options: SkipOptions = {}): Promise<void> {
    checkExecutionId(id);
    return this.#acts.skip(id, reason, options);
  }

  /**
   * Merges a patch into the state of a stuck execution, for a reason that the history keeps. It stays stuck: a later
   * `retry` or `skip` goes on with the patched state. Resolves once it is committed.
   *
   * Fields that came from the launch's input are checked by the workflow's schema for the input, and kept as its output: here, if
   * the workflow is known here, else by the launcher that takes the execution up.
   *
   * @throws as `retry`; STEPWELL_UNDECIDED, and STEPWELL_LAUNCHER_NOT_RUNNING or STEPWELL_CLIENT_STOPPED where the launcher or
   * client stops meanwhile: then the patch is stored, and may be merged later
   * @example
   * await launcher.patchState("order-1001", { iban: "DE02 1203 0000 0000 2020 51" }, "the customer mistyped it", { by: "ada" });
   * await launcher.retry("order-1001", { by: "ada" });
   */
  async patchState(id: string, patch: object, reason: string, options: OperatorOptions = {}): Promise<void> {
    checkExecutionId(id);
    return this.#acts.patchState(id, patch, reason, options);
  }

  /**
   * A handle on an execution, typed by its workflow where that is given. Reads nothing.
   *
   * @throws STEPWELL_INVALID_ARGUMENT at once, for what can't be an id
   */
  execution(id: string): Execution;
  execution<W extends AnyWorkflow>(workflow: W, id: string): Execution<W>;
  execution(...given: readonly [id: string] | readonly [workflow: AnyWorkflow, id: string]): Execution {
    if (given.length > 1) definitionOf(given[0] as AnyWorkflow);
    const id: unknown = given.at(-1);
    checkExecutionId(id);
    return this.#handle(id);
  }

  /**
   * Deletes executions that came to rest long enough ago, with their history, messages and tags. In batches, so that other work
   * goes on meanwhile. To prune regularly, use the launcher's option `retention`.
   *
   * @example
   * await launcher.prune({ completed: "30d", rolledBack: "90d" }, { dryRun: true }); // { completed: 1204, … }
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION; STEPWELL_LAUNCHER_NOT_RUNNING
   * also where the launcher stops between two batches: executions that were deleted by then stay deleted
   */
  async prune(policy: RetentionPolicy, options: PruneOptions = {}): Promise<PruneCounts> {
    await this.#host.ready("prune");
    const goesOn = (): boolean => (this.#host.mustRun("prune"), true);
    return prune(this.#store, this.#host.clock, agesOf(policy, "prune"), checkedPruneOptions(options), goesOn);
  }

  /**
   * What the workflows of this launcher would do to every live execution in the store, going on and rolling back: for a check before
   * the workflows are deployed. The launcher need not run; a store that is not open is opened for the check, which brings its tables
   * up to date. No execution is taken up.
   *
   * @example
   * const parked = (await launcher.compatibility()).filter(({ forward, back }) => forward === "parks" || back === "parks");
   */
  async compatibility(): Promise<CompatibilityGroup[]> {
    return compatibilityOf(this.#store, this.#registry, this.#host.sizeLimit);
  }

  /**
   * Executions by workflow, status, time and tags, newest first, a page at a time.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_FILTER_TOO_WIDE
   */
  async list(options: ListOptions = {}): Promise<ExecutionPage> {
    await this.#host.ready("list");
    const filter = filterOf(options);
    // Of a page after the first it was checked.
    if (filter.after === undefined) await checkRoot(this.#store, filter, "list");
    const page = await this.#store.list(filter);
    return pageOf(page, filter, this.#host.storeNow());
  }

  /**
   * Executions that a filter chooses, as they move: first each that has not ended, then each that is found to have moved, or was
   * launched since. In whatever process they are driven. It goes on until it is given up, or the signal is aborted.
   *
   * The latest of each is given, and not each transition: `execution.follow()` gives these. However slow the caller is, the last state
   * of an execution is not left out, and all that is kept is where each of at most 10,000 executions stood. One that has ended is
   * followed on, since it may be undone, until a thousand others have ended after it.
   *
   * @example
   * for await (const { id, status, flow } of client.follow({ workflow: "fulfil-order" })) console.log(id, status, flow.step);
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION at once; while iterating STEPWELL_FILTER_TOO_WIDE,
   * STEPWELL_INVALID_ARGUMENT where `root` is a child, and
   * STEPWELL_LAUNCHER_NOT_RUNNING or STEPWELL_CLIENT_STOPPED where the launcher or client stops
   */
  follow(filter: FollowFilter = {}): AsyncIterableIterator<ExecutionSummary> {
    const chosen = chosenBy(filter);
    return endable(chosen.signal, (signal) => followMany(chosen, { store: this.#store, host: this.#host }, signal));
  }

  /**
   * Chooses executions by a filter, for acts on all of them. Reads nothing yet; an empty filter is refused unless it says
   * `{ all: true }`.
   *
   * @example
   * const chosen = launcher.select({ status: "stuck", tags: ["bank-a"] });
   * console.log(await chosen.count());
   * console.log(await chosen.retry({ by: "ada", reason: "the bank is back" }));
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION at once
   */
  select(options: SelectOptions): BulkActs {
    return new BulkActs(options, this.#store, this.#host, this.#registry);
  }

  /**
   * Undoes many completed executions: those that fit a filter, or those that are named. Each that has completed by now is asked once, at
   * a rate; the first ones as a canary. It pauses where too many are stuck or struggling, and ends when all that were asked are at rest.
   * It is an execution by itself, of the workflow `stepwell:recall`, which launchers drive: the caller may end. Nothing rolls it back.
   *
   * @example
   * const recall = await client.recall({
   *   filter: { workflow: "fulfil-order", tags: ["price-list-7"] }, reason: "wrong-price", by: "ada", rate: "10/s", canary: 5,
   * });
   * console.log(await recall.outcome()); // { status: "done", counted: 500, rolledBack: 500, stuck: 0, … }
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_TOO_LARGE, STEPWELL_LAUNCH_CONFLICT: nothing was stored
   */
  recall(options: RecallOptions): Promise<Recall> {
    return this.recalls.start(options);
  }

  /**
   * Makes a certificate again from what is stored, and says whether it is the same. That an execution has gone on since changes nothing
   * of what was certified; once it is pruned nobody can say.
   *
   * @throws STEPWELL_INVALID_ARGUMENT for what is no certificate; STEPWELL_NOT_DECODABLE where what is stored is damaged
   */
  async verifyCertificate(certificate: Certificate): Promise<CertificateCheck> {
    await this.#host.opened();
    return new Certificates(this.#store, this.#host, this.#registry).check(certificate);
  }

  #handle<W extends AnyWorkflow>(id: string): Execution<W> {
    return new Execution(id, this.#handleParts);
  }
}

function sessionOf(options: ClientOptions): ClientParts {
  const settings = clientSettingsOf(options);
  const host = new StoreSession(settings);
  return { store: settings.store, host, registry: host.registry };
}
