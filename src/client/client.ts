/** What programs ask of executions: launched, addressed, read and acted on, without driving them. */
import { encode } from "../values/encode.js";
import type { AnyWorkflow, InputOf } from "../definition/bag.js";
import type { Frozen } from "../definition/frozen.js";
import { definitionOf } from "../definition/workflow.js";
import { StepwellError } from "../errors.js";
import { checkExecutionId } from "../ids.js";
import type { Store, MaybePromise } from "../stores/contract.js";
import { OperatorActs, type OperatorOptions, type RetryOptions, type SkipOptions } from "./operator.js";
import type { ClientHost } from "../session/client-host.js";
import { compatibilityOf, type CompatibilityGroup } from "./deployment-check.js";
import { Execution, type HandleParts } from "./execution-handle.js";
import type { Registered } from "../session/registry.js";
import { StoredStepLists } from "../session/step-lists.js";
import { checkItems, launchPrepared, prepareLaunch, type LaunchItem, type LaunchOptions } from "../runtime/launch.js";
import { migrationPathsOf } from "../runtime/upgrade.js";
import { asked } from "../session/caller-transaction.js";
import { andThen, orElse } from "../session/maybe-promise.js";
import { filterOf, pageOf, type ExecutionPage, type ListOptions } from "./listing.js";
import {
  Letters,
  type LetterAddress,
  type LetterConditions,
  type LetterCount,
  type LetterOptions,
  type LetterPage,
  type ResendOptions,
} from "./dead-letters.js";
import { MessageSender, type SendOptions, type Sent } from "./messages.js";
import { RollbackRequests, type RollbackAnswer, type RollbackOptions } from "./rollback.js";
import { publish, type Published, type PublishOptions } from "./publishing.js";
import {
  agesOf,
  checkedPruneOptions,
  prune,
  type PruneCounts,
  type PruneOptions,
  type RetentionPolicy,
} from "../session/retention.js";
import { BulkActs, type SelectOptions } from "./bulk.js";
import { Schedules } from "./schedules.js";
import { clientSettingsOf, type ClientOptions } from "../session/options.js";
import { StoreSession } from "../session/store-session.js";

/** By what is asked of it, an input is good or bad; another version may have asked for something else. */
const refusalsOfInput: ReadonlySet<string> = new Set(["STEPWELL_INVALID_INPUT", "STEPWELL_INVALID_LIMIT_KEY"]);

/** What a client is made of. */
interface ClientParts {
  readonly store: Store;
  readonly host: ClientHost;
  readonly registry: ReadonlyMap<string, Registered>;
}

/**
 * Asks, and never drives: launches, sends, reads, acts, waits for outcomes. No step runs here; launchers, in this
 * process or elsewhere, do what is asked. Needs no workflows, and no start: the first call opens the store.
 *
 * What only the code of a workflow can tell is decided by the launcher that follows the request, and the call waits for
 * its word: whether a patch fits the schema of the input, for one.
 *
 * @example
 * await using client = new Client({ store: postgresStore(process.env.DATABASE_URL) });
 * for (const { id, error } of (await client.list({ status: "stuck" })).executions) {
 *   console.log(id, error?.message);
 *   await client.retry(id, { by: "ada", reason: "the bank is back" });
 * }
 */
export class Client {
  readonly #store: Store;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #host: ClientHost;
  readonly #messages: MessageSender;
  readonly #rollbacks: RollbackRequests;
  readonly #handleParts: HandleParts;
  readonly #letters: Letters;
  readonly #acts: OperatorActs;
  /** Launches at times to come. */
  readonly schedules: Schedules;

  constructor(options: ClientOptions);
  /** @internal A launcher brings its own. */
  constructor(options: ClientOptions, parts: ClientParts);
  constructor(options: ClientOptions, { store, host, registry }: ClientParts = sessionOf(options)) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
    this.#messages = new MessageSender(store, host, registry);
    this.#rollbacks = new RollbackRequests(store, host, registry);
    this.#letters = new Letters(store, host, registry);
    this.#acts = new OperatorActs(store, host, registry);
    this.#handleParts = { store, host, messages: this.#messages, rollbacks: this.#rollbacks, acts: this.#acts };
    this.schedules = new Schedules(store, host, registry, async (registered, input, launch) =>
      this.#launch(registered, input, launch),
    );
  }

  /**
   * Ends what this client does: whoever still waits for an outcome is told by an error, and the store is closed if it
   * was opened here and nobody else uses it. Nothing that was stored is undone. A second call is the same stop.
   */
  stop(): Promise<void> {
    return this.#host.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Starts an execution. When this resolves, it is stored and will be worked on after any crash.
   *
   * @throws STEPWELL_INVALID_INPUT, STEPWELL_LAUNCH_CONFLICT, STEPWELL_UNKNOWN_WORKFLOW, STEPWELL_INVALID_ARGUMENT
   */
  launch<W extends AnyWorkflow>(
    workflow: W,
    input: InputOf<W> | Frozen<InputOf<W>>,
    options: LaunchOptions<W> = {},
  ): Promise<Execution<W>> {
    return asked(this.#store, options, "launch", () =>
      andThen(this.#host.ready("launch"), () =>
        andThen(this.#host.registered(workflow), (registered) => this.#launch<W>(registered, input, options)),
      ),
    );
  }

  #launch<W extends AnyWorkflow>(
    registered: Registered,
    input: unknown,
    options: LaunchOptions,
  ): MaybePromise<Execution<W>> {
    const launch = (): MaybePromise<string> =>
      andThen(prepareLaunch(registered, input, options, this.#host), (it) => launchPrepared(it, this.#host));
    const unlessLaunched = (error: unknown): MaybePromise<string> =>
      andThen(this.#wasLaunched(error, input, options), (was) => {
        if (was) return options.id!;
        throw error;
      });
    return andThen(orElse(launch, unlessLaunched), (id) => this.#handle<W>(id));
  }

  /**
   * Starts many executions of one workflow; they share commits. All inputs are checked before the
   * first one is stored. A conflict of one does not keep the others from being launched; it rejects.
   */
  async launchMany<W extends AnyWorkflow>(workflow: W, items: readonly LaunchItem<W>[]): Promise<Execution<W>[]> {
    await this.#host.ready("launchMany");
    const registered = await this.#host.registered(workflow);
    checkItems(items, registered);
    const prepared = await Promise.all(
      items.map(async ({ input, ...options }) => prepareLaunch(registered, input, options, this.#host)),
    );
    const launched = await Promise.allSettled(prepared.map(async (it) => launchPrepared(it, this.#host)));
    return launched.map((it) => {
      if (it.status === "rejected") throw it.reason;
      return this.#handle(it.value);
    });
  }

  /**
   * Puts a message into an execution's mailbox. When this resolves, it is stored.
   *
   * @throws STEPWELL_EXECUTION_NOT_FOUND, STEPWELL_EXECUTION_ENDED, STEPWELL_UNKNOWN_MESSAGE, STEPWELL_INVALID_MESSAGE,
   * STEPWELL_INVALID_ARGUMENT
   */
  send(id: string, name: string, payload: unknown, options: SendOptions = {}): Promise<Sent> {
    return this.#messages.send(id, name, payload, options);
  }

  /**
   * Puts a message into the mailbox of every execution that is subscribed to the topic, and of those that will be
   * while it is kept. When this resolves, it is stored. Names and payloads are checked at delivery.
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
      publish(this.#host, this.#registry, topic, name, payload, options),
    );
  }

  /**
   * Messages that no step took: no step of their execution wanted them before it ended, or the schema of their step
   * refused them. The last received first, a page at a time.
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
   * How many dead letters there are.
   *
   * @throws as `deadLetters`
   */
  async countDeadLetters(conditions: LetterConditions = {}): Promise<number> {
    return this.#letters.count(conditions);
  }

  /**
   * How many dead letters the executions of each workflow have; those that have any, by name. One query: for a metric.
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
   * Sends a dead letter again, to the same execution or to another one. It is checked as `send` checks it. Only once
   * it is stored there the letter counts as `resent`; whatever is thrown, it stays dead. The same call again is a
   * duplicate, and no second message. `execution.mailbox()` of the letter says where it went, when, and who sent it.
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
   * Asks an execution to turn and undo what it did, also after it has completed. A step that is running
   * is aborted and waited for; what it gives back is kept, so that its undo knows of it.
   *
   * @param reason becomes the execution's reason: a short text of one line, and neither `normal` nor `ok`
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION; STEPWELL_LAUNCHER_NOT_RUNNING, after which the request
   * may be stored and follow later where this launcher stopped meanwhile
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
   * Fields that came from the launch's input are checked by the workflow's schema for it, and kept as its output: here, if
   * the workflow is known here, else by the launcher that follows the request.
   *
   * @throws as `retry`; STEPWELL_UNDECIDED, and STEPWELL_LAUNCHER_NOT_RUNNING or STEPWELL_CLIENT_STOPPED where this stops
   * meanwhile, after which the patch is stored and may follow later
   * @example
   * await launcher.patchState("order-1001", { iban: "DE02 1203 0000 0000 2020 51" }, "the customer mistyped it", { by: "ada" });
   * await launcher.retry("order-1001", { by: "ada" });
   */
  async patchState(id: string, patch: object, reason: string, options: OperatorOptions = {}): Promise<void> {
    checkExecutionId(id);
    return this.#acts.patchState(id, patch, reason, options);
  }

  /**
   * A handle on an execution, typed by its workflow where that is given. Asks nothing of the store.
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
   * Deletes executions that came to rest long enough ago, with their history, messages and tags. In batches, so
   * that others go on meanwhile. To have it done regularly, use the launcher's option `retention`.
   *
   * @example
   * await launcher.prune({ completed: "30d", rolledBack: "90d" }, { dryRun: true }); // { completed: 1204, … }
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION; STEPWELL_LAUNCHER_NOT_RUNNING
   * also where it stops between two batches: what was deleted by then stays so
   */
  async prune(policy: RetentionPolicy, options: PruneOptions = {}): Promise<PruneCounts> {
    await this.#host.ready("prune");
    const goesOn = (): boolean => (this.#host.mustRun("prune"), true);
    return prune(this.#store, this.#host.clock, agesOf(policy, "prune"), checkedPruneOptions(options), goesOn);
  }

  /**
   * What the workflows of this launcher would do to every live execution in the store, going on and going back:
   * for a check before they are deployed. The launcher need not run; a store that is not open is opened for it,
   * which brings its tables up to date. Nothing is taken up.
   *
   * @example
   * const parked = (await launcher.compatibility()).filter(({ forward, back }) => forward === "parks" || back === "parks");
   */
  async compatibility(): Promise<CompatibilityGroup[]> {
    const wasOpen = this.#store.isOpen;
    if (!wasOpen) await this.#store.open();
    try {
      return await compatibilityOf(
        this.#store,
        migrationPathsOf(this.#registry),
        new StoredStepLists(this.#store),
        this.#host.sizeLimit,
      );
    } finally {
      if (!wasOpen) await this.#store.close();
    }
  }

  /**
   * Executions by workflow, status, time and tags, newest first, a page at a time.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
   */
  async list(options: ListOptions = {}): Promise<ExecutionPage> {
    await this.#host.ready("list");
    const page = await this.#store.list(filterOf(options));
    return pageOf(page, this.#host.storeNow());
  }

  /**
   * Chooses executions by a filter, for acts on all of them. Asks nothing of the store yet; an empty filter is
   * refused unless it says `{ all: true }`.
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

  /** What an older version took, or gave a key, is still that execution's, though this version refuses it. */
  #wasLaunched(error: unknown, input: unknown, { id, rollback }: LaunchOptions): MaybePromise<boolean> {
    if (!(error instanceof StepwellError && refusalsOfInput.has(error.code)) || id === undefined) return false;
    // Who launches in rollback asks for more than that it is there.
    if (rollback !== undefined) return false;
    return andThen(this.#store.load([id]), ([existing]) => {
      if (existing === undefined || existing.workflow !== error.workflow) return false;
      return existing.input.equals(encode(input, { what: "The input" }));
    });
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
