/** Requests to go back to a step and up again from there: checked and judged before they are stored, decided where they are followed. */
import { encode } from "../values/encode.js";
import { isolate, merge } from "../values/isolate.js";
import type { AnyWorkflow, StatePatch, StepsOf } from "../definition/bag.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import { doneForGood, isLasting, judgeRewind, type RefusedRewind, type RewindRequest } from "../execution/mail.js";
import { recallName } from "../execution/recall.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { Shape } from "../execution/router.js";
import { checkedByInput } from "../runtime/input-fields.js";
import type { ClientHost } from "../session/client-host.js";
import { stateOf } from "../session/damaged-rows.js";
import { alive, requestTo } from "../session/mailbox-entry.js";
import { checkBy, checkRollbackReason } from "../session/reasons.js";
import { type Registered, registryKey } from "../session/registry.js";
import type { Store } from "../stores/contract.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { awaitRequest } from "./await-request.js";
import { absent, judgedTries, requestsOnly, shapeFor, unknownShape } from "./judging.js";
import { patchProblemOf } from "./operator.js";
import { changedSince, checkStillAt, type StillAt } from "./still-at.js";

export interface RewindOptions<W extends AnyWorkflow = AnyWorkflow> extends StillAt {
  /** The step to go back to: it and all that was done after it is undone, and it is the first to be done again. */
  readonly to: StepsOf<W>;
  /** Why; for the history, and for the undos. A text of 1 to 255 characters. */
  readonly reason: string;
  /** Who acts; for the history, and for the undos. One line of 1 to 255 characters. */
  readonly by: string;
  /** Merged into the state where the execution goes up again. Checked as a patch of `patchState` is. */
  readonly patch?: StatePatch<W>;
  /** Steps marked `irreversible` that may be done a second time: all that have begun, from `to` on, must be named. Default: none. */
  readonly repeat?: readonly StepsOf<W>[];
}

/** `parked-again`: no launcher could go on with the execution, so that it is stuck or completed as before. */
type WhyRefused = Exclude<RefusedRewind, "step-not-found"> | "parked-again";

/** `moved-on`: the execution has gone on from `ifRevision`. `error` says the same with a code, for a caller that throws it. */
export type RewindAnswer =
  | { readonly accepted: true }
  | {
      readonly accepted: false;
      readonly why: WhyRefused | "recall" | "not-found" | "not-begun" | "moved-on";
      readonly error: StepwellError;
    };

export class RewindRequests {
  readonly #store: Store;
  readonly #host: ClientHost;
  readonly #registry: ReadonlyMap<string, Registered>;

  constructor(store: Store, host: ClientHost, registry: ReadonlyMap<string, Registered>) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
  }

  /** The launcher that takes the execution up decides, and this waits for its word. */
  async request(id: string, options: RewindOptions): Promise<RewindAnswer> {
    const asked = checked(options);
    await this.#host.ready("rewind");
    for (let tries = 1; ; tries++) {
      const [record] = await this.#store.load([id]);
      if (record === undefined) return absent(this.#store, id);
      const moved = changedSince(record, options.ifRevision, "rewind");
      if (moved !== undefined) return { accepted: false, why: "moved-on", error: moved };
      const shape = await shapeFor(record, this.#registry, this.#host);
      if (record.workflow === recallName) return recalling(record);
      const why = shape === undefined ? undefined : judgeRewind(record, shape, asked, this.#host.storeNow());
      if (typeof why === "string") return refusedRewind(record, why, asked, shape);
      const earlier = await this.#pending(id);
      if (earlier !== undefined) {
        // Nobody could follow it yet, and it waits.
        if (record.status === "stuck" && isLasting(earlier))
          return refusedRewind(record, "already-rolling-back", asked, shape);
        if (!(await this.#isFollowed(id, earlier.id))) continue;
        const by = earlier.kind === "rollback" ? "already-rolling-back" : "already-rewinding";
        return refusedRewind(record, by, asked, shape);
      }
      const row = requestTo(id, "rewind", await this.#withPatch(record, asked), {
        method: "rewind",
        sizeLimit: this.#host.sizeLimit,
        acceptedIn: [...alive, "completed"],
        wakes: ["scheduled", "running", "waiting", "stuck", "completed"],
        ...((tries <= judgedTries || options.ifRevision !== undefined) && {
          only: { revision: record.revision, signals: record.signals },
        }),
      });
      const { result } = await this.#host.committer.deliver(row);
      if (result === "stored") return this.#decision(id, row.id, asked);
    }
  }

  async #pending(id: string) {
    const pending = await this.#store.mail({ executions: [id], ...requestsOnly });
    return pending.find(({ kind }) => kind === "rollback" || kind === "rewind");
  }

  async #isFollowed(id: string, arrival: string): Promise<boolean> {
    return (await awaitRequest(arrival, id, this.#store, this.#host, "rewind", this.#host.patience)) === "consumed";
  }

  async #decision(id: string, arrival: string, asked: RewindRequest): Promise<RewindAnswer> {
    if (await this.#isFollowed(id, arrival)) return { accepted: true };
    const [record] = await this.#store.load([id]);
    if (record === undefined) return absent(this.#store, id);
    const shape = await shapeFor(record, this.#registry, this.#host);
    const why = judgeRewind(record, shape ?? unknownShape, asked, this.#host.storeNow());
    return refusedRewind(record, typeof why === "string" && shape !== undefined ? why : "parked-again", asked, shape);
  }

  /** Only fields that came from the input are checked, so fields that steps have given since must be known. */
  async #withPatch(record: ExecutionRecord, asked: RewindRequest): Promise<RewindRequest> {
    if (asked.patch === undefined) return asked;
    const registered = this.#registry.get(registryKey(record.workflow, record.version));
    const patch =
      registered === undefined
        ? asked.patch
        : await checkedByInput(asked.patch, record, await this.#store.history(record.id), registered);
    encode(merge(stateOf(record), isolate(patch)), { what: "The state", limit: this.#host.sizeLimit });
    return { ...asked, patch, ...(registered === undefined && { unchecked: true as const }) };
  }
}

function recalling({ id: execution, workflow }: ExecutionRecord): RewindAnswer {
  const message = `Execution "${execution}" is a recall, which is not rewound: what it has asked for stays asked. Stop it, or pause it.`;
  return {
    accepted: false,
    why: "recall",
    error: new StepwellError("STEPWELL_REWIND_REFUSED", message, { execution, workflow }),
  };
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
function checked(options: RewindOptions): RewindRequest {
  if (typeof options !== "object" || options === null)
    throw invalidArgument(`rewind takes { to, reason, by }, not ${shown(options)}`);
  refuseUnknownOptions(options, ["to", "reason", "by", "patch", "repeat", "ifRevision"], "rewind");
  const { to, reason, by, patch, repeat, ifRevision } = options;
  if (typeof to !== "string") throw invalidArgument(`rewind: "to" must be the name of a step, not ${shown(to)}`);
  checkRollbackReason(reason, "rewind: the reason");
  if (by === undefined) throw invalidArgument(`rewind: "by" is missing. Say who asks: it stands in the history`);
  checkBy(by, "rewind: by");
  checkStillAt(ifRevision, "rewind");
  const problem = patch === undefined ? undefined : patchProblemOf(patch);
  if (problem !== undefined) throw invalidArgument(`rewind: "patch" is ${problem}; give a plain object of fields`);
  if (repeat !== undefined && !(Array.isArray(repeat) && repeat.every((name) => typeof name === "string")))
    throw invalidArgument(`rewind: "repeat" must be names of steps, not ${shown(repeat)}`);
  return {
    ...{ to, reason, by },
    ...(patch !== undefined && { patch: isolate(patch) }),
    ...(repeat !== undefined && { repeat: [...repeat] }),
  };
}

/** @throws STEPWELL_INVALID_ARGUMENT for a step that its workflow does not have */
export function refusedRewind(
  record: ExecutionRecord,
  why: WhyRefused | "step-not-found",
  asked: RewindRequest,
  shape: Shape | undefined,
): RewindAnswer {
  const { id: execution, workflow, position } = record;
  if (why === "step-not-found") {
    const names = (shape?.steps ?? []).map(({ name }) => `"${name}"`).join(", ");
    throw invalidArgument(`rewind: workflow "${workflow}" has no step "${asked.to}". Its steps are ${names}`);
  }
  const { code, says } = explanationOf(record, why, asked, shape);
  const about = { execution, workflow, step: position.step };
  const message = `Execution "${execution}" is not rewound to step "${asked.to}": ${says}`;
  return { accepted: false, why, error: new StepwellError(code, message, about) };
}

interface Explanation {
  readonly code: ErrorCode;
  readonly says: string;
}

function explanationOf(
  record: ExecutionRecord,
  why: WhyRefused,
  { to }: RewindRequest,
  { pivot, steps = [] }: Shape = unknownShape,
): Explanation {
  const { position, line, root, status } = record;
  switch (why) {
    case "past-pivot":
      return {
        code: "STEPWELL_PAST_PIVOT",
        says: `its pivot, step "${steps[pivot]?.name ?? ""}", is done, and nothing goes back over that. Go back to a step behind it.`,
      };
    case "step-not-begun": {
      const isUndone = position.direction === "down";
      const where = `it ${status === "stuck" ? "is stuck" : "stands"} at step "${position.step}"`;
      return {
        code: "STEPWELL_STEP_NOT_BEGUN",
        says: `${where}, and that step ${isUndone ? "is undone already" : "has not begun"}. Name a step that it has reached.`,
      };
    }
    case "would-repeat":
      return repeating(to, record, steps);
    case "belongs-to-parent":
      return {
        code: "STEPWELL_BELONGS_TO_PARENT",
        says: `it is a child, and its parent has gone on with what it did. Rewind "${line?.parent ?? ""}", or "${root ?? ""}" at the top.`,
      };
    case "already-rewinding":
      return {
        code: "STEPWELL_REWIND_REFUSED",
        says: "it is being rewound already. Wait until it has gone up again, or roll it back.",
      };
    case "already-rolling-back":
      return {
        code: "STEPWELL_REWIND_REFUSED",
        says: "it is rolling back, and who asked for that was told that it will. Launch it anew once it is rolled back.",
      };
    case "sealed":
      return {
        code: "STEPWELL_SEALED",
        says:
          `it has completed, and could go back until ${new Date(position.sealedAt ?? 0).toISOString()}, as its workflow says ` +
          `with "undoFor". Make good what it did in a workflow of its own.`,
      };
    case "already-rolled-back":
      return { code: "STEPWELL_REWIND_REFUSED", says: "it is rolled back, and all of it undone. Launch it anew." };
    case "parked-again":
      return {
        code: "STEPWELL_EXECUTION_STUCK",
        says:
          `no launcher could follow that, so it stays at step "${position.step}" as it was. ` +
          `The onError of the launcher that took it up was told why.`,
      };
  }
}

function repeating(to: string, record: ExecutionRecord, steps: NonNullable<Shape["steps"]>): Explanation {
  const from = steps.findIndex(({ name }) => name === to);
  const marked = doneForGood(record, steps, from, Infinity).map((name) => `"${name}"`);
  return {
    code: "STEPWELL_WOULD_REPEAT",
    says:
      `${marked.join(", ")} can't be undone, and would be done a second time. ` +
      `Name in "repeat" what may be, or go back to a step behind it.`,
  };
}
