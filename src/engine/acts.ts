/** What an operator may do with a stuck execution: retry its step, skip it, or patch its state. */
import { encode, isolate, merge } from "../codec.js";
import { refuseUnknownOptions } from "../definition/options.js";
import { patchProblem } from "../definition/outcome.js";
import { StepwellError } from "../errors.js";
import type { ExecutionRecord } from "../stores/records.js";
import type { Store } from "../stores/store.js";
import { requestTo } from "./arrival.js";
import type { ClientHost } from "./client-host.js";
import type { Registered } from "./host.js";
import type { OperatorAct } from "./inbox.js";
import { checkedByInput } from "./input-fields.js";
import { notFound } from "./not-found.js";
import { checkBy, checkText } from "./reasons.js";
import { registryKey } from "./settings.js";
import { stateOf } from "./unreadable.js";
import { verdictOn } from "./verdict.js";

export interface OperatorOptions {
  /** Who acts; for the history. One line of 1 to 255 characters. */
  readonly by?: string;
}

export interface RetryOptions extends OperatorOptions {
  /** Why; for the history. A text of 1 to 1000 characters. */
  readonly reason?: string;
  /** Merged into the state before the step is tried again. Checked as that of `patchState` where the workflow is known. */
  readonly patch?: object;
}

export interface SkipOptions extends OperatorOptions {
  /** Merged into the state, where later steps need what this one did not give. Checked as that of `patchState` where the workflow is known. */
  readonly patch?: object;
}

type Kind = "retry" | "skip" | "patch";

/** The method that a user calls, for messages. */
const methods: Readonly<Record<Kind, string>> = { retry: "retry", skip: "skip", patch: "patchState" };

export class Acts {
  readonly #store: Store;
  readonly #host: ClientHost;
  readonly #registry: ReadonlyMap<string, Registered>;

  constructor(store: Store, host: ClientHost, registry: ReadonlyMap<string, Registered>) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
  }

  async retry(id: string, options: RetryOptions): Promise<void> {
    checkRetry(options);
    await this.#act(id, "retry", options);
  }

  async skip(id: string, reason: string, options: SkipOptions): Promise<void> {
    checkText(reason, "skip: the reason");
    refuseUnknownOptions(options, ["by", "patch"], "skip");
    await this.#act(id, "skip", { reason, ...options });
  }

  async patchState(id: string, patch: object, reason: string, options: OperatorOptions): Promise<void> {
    checkText(reason, "patchState: the reason");
    refuseUnknownOptions(options, ["by"], "patchState");
    const problem = problemWith(patch) ?? (Object.keys(patch).length === 0 ? "empty" : undefined);
    if (problem !== undefined) throw invalidPatch(id, "patchState: the patch", problem);
    const arrival = await this.#act(id, "patch", { reason, patch, ...options });
    const became = await verdictOn(arrival, id, this.#store, this.#host, "patchState");
    if (became === "consumed") return;
    const record = await this.#existing(id);
    if (record.status !== "stuck") throw notStuck(record, "patchState", record.status);
    throw new StepwellError(
      "STEPWELL_EXECUTION_STUCK",
      `The state of execution "${id}" was not patched: no launcher could follow that, so it is stuck as before.`,
      { execution: id, workflow: record.workflow, step: record.position.step },
    );
  }

  /** @throws STEPWELL_EXECUTION_NOT_STUCK where a retry would be refused as things stand */
  async judgeRetry(record: ExecutionRecord): Promise<void> {
    await this.#mustBeStuck(record, "retry");
  }

  async #mustBeStuck(record: ExecutionRecord, method: string): Promise<void> {
    if (record.status !== "stuck") throw notStuck(record, method, record.status);
    const requests = await this.#store.mailbox(record.id, { pending: true, limit: 0 });
    if (requests.length > 0) throw notStuck(record, method, "being taken up again");
  }

  /** Gives back the id of the stored request. */
  async #act(id: string, kind: Kind, act: OperatorAct): Promise<string> {
    const method = methods[kind];
    await this.#host.ready(method);
    checkBy(act.by, `${method}: by`);
    const problem = act.patch === undefined ? undefined : problemWith(act.patch);
    if (problem !== undefined) throw invalidPatch(id, `${method}: "patch"`, problem);
    for (;;) {
      const record = await this.#existing(id);
      await this.#mustBeStuck(record, method);
      const patch = act.patch === undefined ? undefined : await this.#checkedPatch(record, act.patch, kind);
      const asked: OperatorAct = patch === undefined ? act : { ...act, patch };
      const arrival = requestTo(id, kind, asked, {
        method,
        sizeLimit: this.#host.sizeLimit,
        acceptedIn: ["stuck"],
        wakes: ["stuck"],
        only: { revision: record.revision, signals: record.signals },
      });
      const { result } = await this.#host.committer.deliver(arrival);
      if (result === "stored") return arrival.id;
    }
  }

  /** The patch as it will be merged. The state with it must be one that can be stored. */
  async #checkedPatch(record: ExecutionRecord, patch: object, kind: Kind): Promise<object> {
    const { id, workflow, version } = record;
    const registered = this.#registry.get(registryKey(workflow, version));
    if (registered === undefined && kind === "patch") {
      throw new StepwellError(
        "STEPWELL_UNKNOWN_WORKFLOW",
        `The state of execution "${id}" was not patched: workflow "${workflow}" version "${version}" is not registered with ` +
          `this launcher, which can't check the patch. Ask one that has it in its "workflows".`,
        { execution: id, workflow },
      );
    }
    const isolated = isolate(patch);
    // Only what came from the input is checked, so what the steps have given since must be known.
    const checked =
      registered === undefined
        ? isolated
        : await checkedByInput(isolated, record, await this.#store.history(id), registered);
    encode(merge(stateOf(record), isolate(checked)), {
      what: "The state",
      limit: this.#host.sizeLimit,
    });
    return checked;
  }

  async #existing(id: string): Promise<ExecutionRecord> {
    const [record] = await this.#store.load([id]);
    if (record !== undefined) return record;
    throw notFound(id);
  }
}

/** @throws STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_ARGUMENT */
export function checkRetry(options: RetryOptions, names: readonly string[] = ["by", "reason", "patch"]): void {
  refuseUnknownOptions(options, names, "retry");
  if (options.reason !== undefined) checkText(options.reason, "retry: the reason");
  checkBy(options.by, "retry: by");
}

/** A value that can't even be looked at, such as a revoked proxy, is no patch either. */
function problemWith(patch: unknown): string | undefined {
  try {
    return patchProblem(patch);
  } catch {
    return "something that can't be read";
  }
}

function notStuck({ id, workflow }: ExecutionRecord, method: string, is: string): StepwellError {
  return new StepwellError(
    "STEPWELL_EXECUTION_NOT_STUCK",
    `Execution "${id}" is not stuck but ${is}; there is nothing to ${method === "patchState" ? "patch" : method}.`,
    { execution: id, workflow },
  );
}

function invalidPatch(execution: string, what: string, problem: string): StepwellError {
  return new StepwellError("STEPWELL_INVALID_ARGUMENT", `${what} is ${problem}; give a plain object of fields.`, {
    execution,
  });
}
