/** Launches one execution or many: checked, stored, and driven here where there is room. */
import { encode } from "../values/encode.js";
import type { LaunchOptions } from "../definition/asking.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { StepwellError } from "../errors.js";
import { checkItems, launchPrepared, prepareLaunch, type LaunchItem, type PreparedLaunch } from "../runtime/launch.js";
import type { ClientHost } from "../session/client-host.js";
import { andThen } from "../session/maybe-promise.js";
import type { Registered } from "../session/registry.js";
import type { MaybePromise, Store } from "../stores/contract.js";

/** Codes of inputs that a version of a workflow refuses, and that another version may have accepted. */
const refusalsOfInput: ReadonlySet<string> = new Set(["STEPWELL_INVALID_INPUT", "STEPWELL_INVALID_LIMIT_KEY"]);

/** A closure that is made on the way costs every launch, so what waits for a promise has methods of its own. */
export class Launches {
  readonly #store: Pick<Store, "load">;
  readonly #host: ClientHost;

  constructor(store: Pick<Store, "load">, host: ClientHost) {
    this.#store = store;
    this.#host = host;
  }

  /** Gives back the id. */
  launch(workflow: AnyWorkflow, input: unknown, options: LaunchOptions): MaybePromise<string> {
    const ready = this.#host.ready("launch");
    if (ready instanceof Promise) return this.#launchWhen(ready, workflow, input, options);
    const registered = this.#host.registered(workflow);
    return registered instanceof Promise
      ? this.#launchLater(registered, input, options)
      : this.launchOf(registered, input, options);
  }

  launchOf(registered: Registered, input: unknown, options: LaunchOptions): MaybePromise<string> {
    try {
      const prepared = prepareLaunch(registered, input, options, this.#host);
      if (prepared instanceof Promise) return this.#writeLater(prepared, input, options);
      const id = launchPrepared(prepared, this.#host);
      return id instanceof Promise ? this.#written(id, input, options) : id;
    } catch (error) {
      return this.#judged(error, input, options);
    }
  }

  async launchMany<W extends AnyWorkflow>(
    workflow: W,
    items: readonly LaunchItem<W>[],
  ): Promise<readonly PromiseSettledResult<string>[]> {
    await this.#host.ready("launchMany");
    const registered = await this.#host.registered(workflow);
    checkItems(items, registered);
    const prepared = await Promise.all(
      items.map(async ({ input, ...options }) => prepareLaunch(registered, input, options, this.#host)),
    );
    return Promise.allSettled(prepared.map(async (it) => launchPrepared(it, this.#host)));
  }

  async #launchWhen(
    ready: Promise<void>,
    workflow: AnyWorkflow,
    input: unknown,
    options: LaunchOptions,
  ): Promise<string> {
    await ready;
    return this.launchOf(await this.#host.registered(workflow), input, options);
  }

  async #launchLater(registered: Promise<Registered>, input: unknown, options: LaunchOptions): Promise<string> {
    return this.launchOf(await registered, input, options);
  }

  async #writeLater(prepared: Promise<PreparedLaunch>, input: unknown, options: LaunchOptions): Promise<string> {
    return this.#written(
      prepared.then((it) => launchPrepared(it, this.#host)),
      input,
      options,
    );
  }

  async #written(id: Promise<string>, input: unknown, options: LaunchOptions): Promise<string> {
    try {
      return await id;
    } catch (error) {
      return this.#judged(error, input, options);
    }
  }

  /** An input that this version refuses may be one that an older version has accepted: then that execution is the answer. */
  #judged(error: unknown, input: unknown, { id, rollback }: LaunchOptions): MaybePromise<string> {
    // A launch in rollback wants more than that the execution exists.
    const isRefusal = error instanceof StepwellError && refusalsOfInput.has(error.code);
    if (!isRefusal || id === undefined || rollback !== undefined) throw error;
    return andThen(this.#store.load([id]), ([existing]) => {
      const isIt =
        existing?.workflow === error.workflow && existing?.input.equals(encode(input, { what: "The input" }));
      if (isIt !== true) throw error;
      return id;
    });
  }
}
