/** An operator's acts on a stuck execution: retry its step, skip it, say what became of it, or patch the state. */
import { encode } from "../values/encode.js";
import { isolate, merge } from "../values/isolate.js";
import type { AnyWorkflow, StatePatch } from "../definition/bag.js";
import { invalidArgument, refuseUnknownOptions } from "../values/options.js";
import { patchProblem } from "../definition/outcome.js";
import { StepwellError } from "../errors.js";
import { isRequest, type ExecutionRecord, type RequestKind } from "../execution/records.js";
import type { ListedExecution, Store } from "../stores/contract.js";
import { requestTo } from "../session/mailbox-entry.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import { isDoubtful, isLasting, type OperatorAct } from "../execution/mail.js";
import { checkedByInput } from "../runtime/input-fields.js";
import { notFound } from "../session/not-found.js";
import { checkBy, checkText } from "../session/reasons.js";
import { stateOf } from "../session/damaged-rows.js";
import { awaitRequest } from "./await-request.js";
import { refuseLiveChildren } from "../runtime/let-go.js";
import { changedSince, checkStillAt, type StillAt } from "./still-at.js";

export interface OperatorOptions extends StillAt {
  /** Who acts; for the history. One line of 1 to 255 characters. */
  readonly by?: string;
}

export interface RetryOptions<W extends AnyWorkflow = AnyWorkflow> extends OperatorOptions {
  /** Why; for the history. A text of 1 to 1000 characters. */
  readonly reason?: string;
  /** Merged into the state before the step is tried again. Checked as a patch of `patchState` is. */
  readonly patch?: StatePatch<W>;
}

export interface SkipOptions<W extends AnyWorkflow = AnyWorkflow> extends OperatorOptions {
  /** Merged into the state, where later steps need what this step did not give. Checked as a patch of `patchState` is. */
  readonly patch?: StatePatch<W>;
}

/** What became of an attempt of `run` that gave nothing back: it happened, and the step gave this; or it did not happen. */
export type Resolution<W extends AnyWorkflow = AnyWorkflow> =
  | { readonly happened: StatePatch<W>; readonly didNotHappen?: undefined }
  | { readonly didNotHappen: true; readonly happened?: undefined };

export interface ResolveOptions extends StillAt {
  /** Who says so; for the history. One line of 1 to 255 characters. */
  readonly by: string;
}

type ActKind = Exclude<RequestKind, "rollback" | "rewind">;

/** The method that a user calls, for the texts of errors. */
const methods: Readonly<Record<ActKind, string>> = {
  retry: "retry",
  skip: "skip",
  patch: "patchState",
  resolve: "resolve",
};

/** A request as it was stored. */
interface StoredRequest {
  /** The id of its arrival. */
  readonly arrival: string;
  /** The revision and the version of the execution when the request was stored. */
  readonly revision: number;
  readonly version: string;
  /** The request has a patch, and this process does not know the workflow: the launcher that takes the execution up checks it. */
  readonly isUnchecked: boolean;
}

export class OperatorActs {
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
    const { ifRevision, ...act } = options;
    const asked = await this.#act(id, "retry", act, ifRevision);
    if (asked.isUnchecked) await this.#followed(asked, id, "retry");
  }

  async skip(id: string, reason: string, options: SkipOptions): Promise<void> {
    checkText(reason, "skip: the reason");
    refuseUnknownOptions(options, ["by", "patch", "ifRevision"], "skip");
    const { ifRevision, ...act } = options;
    const asked = await this.#act(id, "skip", { reason, ...act }, ifRevision);
    if (asked.isUnchecked) await this.#followed(asked, id, "skip");
  }

  async resolve(id: string, what: Resolution, reason: string, options: ResolveOptions): Promise<void> {
    refuseUnknownOptions(what, ["happened", "didNotHappen"], "resolve");
    const { happened, didNotHappen } = what as { happened?: object; didNotHappen?: unknown };
    if (
      (happened === undefined) === (didNotHappen === undefined) ||
      (happened === undefined && didNotHappen !== true)
    ) {
      throw invalidArgument("resolve takes { happened: patch }, or { didNotHappen: true }");
    }
    checkText(reason, "resolve: the reason");
    refuseUnknownOptions(options, ["by", "ifRevision"], "resolve");
    const { ifRevision, by } = options;
    if (by === undefined) throw invalidArgument("resolve: by must say who says so");
    const said =
      happened === undefined
        ? ({ resolved: "did-not-happen" } as const)
        : ({ resolved: "happened", patch: happened } as const);
    await this.#act(id, "resolve", { reason, by, ...said }, ifRevision);
  }

  async patchState(id: string, patch: object, reason: string, options: OperatorOptions): Promise<void> {
    checkText(reason, "patchState: the reason");
    refuseUnknownOptions(options, ["by", "ifRevision"], "patchState");
    const { ifRevision, ...given } = options;
    const problem = patchProblemOf(patch) ?? (Object.keys(patch).length === 0 ? "empty" : undefined);
    if (problem !== undefined) throw invalidPatch(id, "patchState: the patch", problem);
    await this.#followed(await this.#act(id, "patch", { reason, patch, ...given }, ifRevision), id, "patch");
  }

  /** Waits for the decision of the launcher that takes the execution up. */
  async #followed(
    { arrival, revision, version, isUnchecked }: StoredRequest,
    id: string,
    kind: ActKind,
  ): Promise<void> {
    const method = methods[kind];
    if ((await awaitRequest(arrival, id, this.#store, this.#host, method, this.#host.patience)) === "consumed") return;
    const record = await this.#existing(id);
    if (record.status !== "stuck") throw notStuck(record, method, record.status);
    const about = { execution: id, workflow: record.workflow, step: record.position.step };
    // Where the execution could not be taken up at all, a new row of its history says why.
    if (isUnchecked && record.revision === revision) {
      throw new StepwellError(
        "STEPWELL_INVALID_PATCH",
        `${method} of execution "${id}" was refused by the launcher that took it up, and nothing was changed: the schema of ` +
          `the input does not accept the patch, or the state is too large with it. That launcher's onError was told which.`,
        about,
      );
    }
    const { stuckBy } = record.position;
    if (stuckBy?.code === "STEPWELL_MIGRATION_FAILED") {
      throw new StepwellError(
        "STEPWELL_MIGRATION_FAILED",
        `${method}: execution "${id}" is as it was. A launcher has tried to migrate it first, and could not: ${stuckBy.message} ` +
          `Deploy a migration that can, and ask again; or start a launcher that has version "${record.version}", which needs none.`,
        about,
      );
    }
    if (kind === "skip" && record.version !== version) {
      throw new StepwellError(
        "STEPWELL_EXECUTION_STUCK",
        `${method}: execution "${id}" was migrated to version "${record.version}" first, and stands at another step since, ` +
          `"${record.position.step}". Nothing was skipped there: look at it, and ask again.`,
        about,
      );
    }
    throw new StepwellError(
      "STEPWELL_EXECUTION_STUCK",
      `${method}: the state of execution "${id}" was not patched: no launcher could follow that, so it is stuck as before.`,
      about,
    );
  }

  /** @throws STEPWELL_EXECUTION_NOT_STUCK where a retry would be refused as things stand */
  async judgeRetry(record: ListedExecution): Promise<void> {
    await this.#mustBeStuck(record, "retry");
  }

  async #mustBeStuck(record: ListedExecution, method: string): Promise<void> {
    if (record.status !== "stuck") throw notStuck(record, method, record.status);
    const requests = await this.#store.mail({ executions: [record.id], status: "pending", limit: 0 });
    // What its parent has asked, and a rollback that was promised, wait for this.
    if (requests.some((it) => isRequest(it.kind) && !isLasting(it)))
      throw notStuck(record, method, "being taken up again");
  }

  async #act(id: string, kind: ActKind, act: OperatorAct, ifRevision: number | undefined): Promise<StoredRequest> {
    const method = methods[kind];
    checkStillAt(ifRevision, method);
    await this.#host.ready(method);
    checkBy(act.by, `${method}: by`);
    const problem = act.patch === undefined ? undefined : patchProblemOf(act.patch);
    if (problem !== undefined) throw invalidPatch(id, `${method}: "patch"`, problem);
    for (;;) {
      const record = await this.#existing(id);
      const changed = changedSince(record, ifRevision, method);
      if (changed !== undefined) throw changed;
      await this.#mustBeStuck(record, method);
      if (kind === "skip") await refuseLiveChildren(this.#store, record);
      if (kind === "resolve" && !isDoubtful(record.position)) throw notInDoubt(record);
      const registered = this.#registry.get(registryKey(record.workflow, record.version));
      // What a step gives is not what came with the input.
      const isOthers = kind !== "resolve";
      const checkedBy = isOthers ? registered : undefined;
      const patch = act.patch === undefined ? undefined : await this.#checkedPatch(record, act.patch, checkedBy);
      const isUnchecked = isOthers && patch !== undefined && registered === undefined;
      const asked: OperatorAct =
        patch === undefined ? act : { ...act, patch, ...(isUnchecked && { unchecked: true as const }) };
      const arrival = requestTo(id, kind, asked, {
        method,
        sizeLimit: this.#host.sizeLimit,
        acceptedIn: ["stuck"],
        wakes: ["stuck"],
        only: { revision: record.revision, signals: record.signals },
      });
      const { result } = await this.#host.committer.deliver(arrival);
      const { revision, version } = record;
      if (result === "stored") return { arrival: arrival.id, revision, version, isUnchecked };
    }
  }

  /** The patch as it will be merged. The state with it must be one that can be stored. */
  async #checkedPatch(record: ExecutionRecord, patch: object, registered: Registered | undefined): Promise<object> {
    const isolated = isolate(patch);
    // Only fields that came from the input are checked, so fields that steps have given since must be known.
    const checked =
      registered === undefined
        ? isolated
        : await checkedByInput(isolated, record, await this.#store.history(record.id), registered);
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
export function checkRetry(
  options: RetryOptions,
  names: readonly string[] = ["by", "reason", "patch", "ifRevision"],
): void {
  refuseUnknownOptions(options, names, "retry");
  if (options.reason !== undefined) checkText(options.reason, "retry: the reason");
  checkBy(options.by, "retry: by");
}

/** A value that can't even be looked at, such as a revoked proxy, is no patch either. */
export function patchProblemOf(patch: unknown): string | undefined {
  try {
    return patchProblem(patch);
  } catch {
    return "something that can't be read";
  }
}

function notStuck({ id, workflow }: ListedExecution, method: string, is: string): StepwellError {
  return new StepwellError(
    "STEPWELL_EXECUTION_NOT_STUCK",
    `Execution "${id}" is not stuck but ${is}; there is nothing to ${method === "patchState" ? "patch" : method}.`,
    { execution: id, workflow },
  );
}

function notInDoubt({ id, workflow, position }: ListedExecution): StepwellError {
  return new StepwellError(
    "STEPWELL_NOT_IN_DOUBT",
    `Execution "${id}" is stuck at step "${position.step}", and it is known what that did: there is nothing to resolve. Retry or skip it.`,
    { execution: id, workflow, step: position.step },
  );
}

function invalidPatch(execution: string, what: string, problem: string): StepwellError {
  return new StepwellError("STEPWELL_INVALID_ARGUMENT", `${what} is ${problem}; give a plain object of fields.`, {
    execution,
  });
}
