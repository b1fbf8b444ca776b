/** The launcher: a client that also works. */
import { Client } from "./client.js";
import { settingsOf, type LauncherOptions } from "../session/options.js";
import { ofLauncher, registryOf } from "../session/registration.js";
import { stepClients } from "./step-client.js";
import { RecallEngine } from "./recall-workflow.js";
import { Worker } from "../worker/worker.js";
import { checkCapabilities } from "../session/capabilities.js";
import { checkStores } from "../runtime/store-transaction.js";

/**
 * Starts, drives, recovers and supervises executions.
 *
 * @example
 * await using launcher = new Launcher({ store: sqliteStore("orders.db"), workflows: [fulfilOrder] });
 * await launcher.start();
 * const execution = await launcher.launch(fulfilOrder, { sku: "A-1", quantity: 2, cents: 1999 }, { id: "order-1001" });
 * const outcome = await execution.outcome();
 */
export class Launcher extends Client {
  readonly #worker: Worker;

  /** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_WRONG_STORE, STEPWELL_CAPABILITY_MISSING */
  constructor(options: LauncherOptions) {
    const settings = settingsOf(options);
    const recalls = new RecallEngine();
    const registry = registryOf(options.workflows, settings.clock, ofLauncher, [recalls.workflow]);
    for (const { definition } of registry.values()) {
      checkStores(definition, settings.store);
      checkCapabilities(definition, settings.store);
    }
    const worker = new Worker(settings, registry, (host) => stepClients(settings.store, host, registry));
    super(options, { store: settings.store, host: worker, registry });
    recalls.bind(settings.store, worker, registry);
    this.#worker = worker;
  }

  /**
   * Opens the store if it is not open, waiting `startTimeout` for a store that can't be reached yet, and takes up executions that an
   * earlier process left unfinished. A second call is the same start; after a start that failed it may be called again.
   *
   * @throws STEPWELL_LAUNCHER_NOT_RUNNING after `stop`: make a new launcher
   */
  async start(): Promise<void> {
    await this.#worker.start();
  }

  /**
   * Takes no more work, lets running steps finish within `drainTimeout`, then aborts them; gives its executions back, so that another
   * launcher goes on at once; closes the store if `start` opened it. A second call is the same stop. Calls that still wait for an
   * outcome here reject.
   */
  override async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
