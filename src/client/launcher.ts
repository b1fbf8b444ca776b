/** The public face of the engine: a client that also works. */
import { Client } from "./client.js";
import { settingsOf, type LauncherOptions } from "../session/options.js";
import { registryOf } from "../session/registry.js";
import { Worker } from "../worker/worker.js";
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
  readonly #supervisor: Worker;

  /** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_WRONG_STORE */
  constructor(options: LauncherOptions) {
    const settings = settingsOf(options);
    const registry = registryOf(options.workflows, settings.clock);
    for (const { definition } of registry.values()) checkStores(definition, settings.store);
    const supervisor = new Worker(settings, registry);
    super(options, { store: settings.store, host: supervisor, registry });
    this.#supervisor = supervisor;
  }

  /**
   * Opens the store if it is not open, waiting `startTimeout` for one that can't be reached yet, and takes up what
   * an earlier process left unfinished. A second call is the same start; after one that failed it may be called again.
   *
   * @throws STEPWELL_LAUNCHER_NOT_RUNNING after `stop`: make a new launcher
   */
  async start(): Promise<void> {
    await this.#supervisor.start();
  }

  /**
   * Takes no more work, lets running steps finish within `drainTimeout`, then aborts them; gives back
   * what it holds, so that another launcher goes on at once; closes the store if `start` opened it. A
   * second call is the same stop. Whoever still waits for an outcome here is told by an error.
   */
  override async stop(): Promise<void> {
    await this.#supervisor.stop();
  }
}
