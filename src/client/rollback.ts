/**
 * Rollback requests: checked and judged before they are stored. Why one is refused is said as a word for programs to decide by,
 * and as an error to throw or to show.
 */
import type { Status } from "../definition/flow.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import { refuseRollback, type RefusedRollback, type RollbackRequest } from "../execution/mail.js";
import type { Shape } from "../execution/router.js";
import { recallName } from "../execution/recall.js";
import type { ClientHost } from "../session/client-host.js";
import { alive, requestTo } from "../session/mailbox-entry.js";
import { checkBy, checkRollbackReason } from "../session/reasons.js";
import { type Registered, registryKey } from "../session/registry.js";
import type { ListedExecution, Store } from "../stores/contract.js";
import { encode } from "../values/encode.js";
import { isolate } from "../values/isolate.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { awaitRequest } from "./await-request.js";
import { absent, judgedTries, requestsOnly, shapeFor, unknownShape } from "./judging.js";
import { changedSince, checkStillAt, type StillAt } from "./still-at.js";

export interface RollbackOptions extends StillAt {
  /** What to do with an execution that has completed. Default: "undo". */
  readonly ifCompleted?: "undo" | "refuse";
  /** Who asks; for the history, and for the undos. One line of 1 to 255 characters. */
  readonly by?: string;
  /**
   * What the undos have to know, such as how much is to be paid back: they see it as `request.details`, children's undos too. Any
   * value that can be stored, up to 16 KiB; it stands in the history.
   */
  readonly details?: unknown;
}

/** `parked-again`: no launcher could go on with the execution, so that it is stuck where it was. `recall`: nothing rolls a recall back. */
export type WhyRefused = RefusedRollback | "parked-again" | "recall";

export interface RefusedAnswer {
  readonly accepted: false;
  readonly why: WhyRefused | "not-found" | "not-begun" | "moved-on";
  /** The same as an error with a code, for a caller that throws it: nothing was changed. */
  readonly error: StepwellError;
}

/**
 * `moved-on`: the execution has gone on from `ifRevision`. `already-rolling-back` also says that a request like this one is on its
 * way; `parked-again`, that no launcher could go on with the execution, so that it is stuck or completed as before. `error` says the
 * same with a code.
 */
export type RollbackAnswer = { readonly accepted: true } | RefusedAnswer;

/** Details are small: they are a part of the execution's position, which is written with each of its undos. */
const detailsOptions = { what: "rollback: details", limit: 16 * 1024 };

/** The details as a request carries them. @throws STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE */
export function detailsIn(details: unknown): Pick<RollbackRequest, "details"> {
  return details === undefined ? {} : { details: encode(isolate(details), detailsOptions).text };
}

/** Every status but `rolledBack`: no launcher would take a request up there. */
const askable: readonly Status[] = [...alive, "completed"];

export class RollbackRequests {
  readonly #store: Store;
  readonly #host: ClientHost;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #patience: number;

  /** @param patience for how long the decision of a launcher is waited for, in milliseconds */
  constructor(
    store: Store,
    host: ClientHost,
    registry: ReadonlyMap<string, Registered>,
    patience: number = host.patience,
  ) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
    this.#patience = patience;
  }

  /** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION, STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE */
  check(reason: string, options: RollbackOptions): RollbackRequest {
    checkRollbackReason(reason, "rollback: the reason");
    refuseUnknownOptions(options, ["ifCompleted", "by", "details", "ifRevision"], "rollback");
    const { ifCompleted = "undo", by, details, ifRevision } = options;
    checkStillAt(ifRevision, "rollback");
    if (ifCompleted !== "undo" && ifCompleted !== "refuse") {
      throw invalidArgument(`rollback: ifCompleted must be "undo" or "refuse", not ${shown(ifCompleted)}`);
    }
    checkBy(by, "rollback: by");
    return {
      reason,
      ifCompleted,
      ...(by !== undefined && { by }),
      ...detailsIn(details),
    };
  }

  /** What the answer to the request would be as things stand. Nothing is stored. */
  async judge(record: ListedExecution, request: RollbackRequest): Promise<RollbackAnswer> {
    const shape = (await shapeFor(record, this.#registry, this.#host)) ?? unknownShape;
    const why = refusal(record, shape, request, this.#host.storeNow());
    if (why !== undefined) return this.#refused(record, why);
    // Most executions never got a message or a request.
    const pending = record.signals === 0 ? [] : await this.#store.mail({ executions: [record.id], ...requestsOnly });
    const asked = pending.some(({ kind }) => kind === "rollback");
    return asked ? this.#refused(record, "already-rolling-back") : { accepted: true };
  }

  async request(id: string, reason: string, options: RollbackOptions): Promise<RollbackAnswer> {
    const request = this.check(reason, options);
    await this.#host.ready("rollback");
    const terms = {
      method: "rollback",
      sizeLimit: this.#host.sizeLimit,
      acceptedIn: askable,
      wakes: ["scheduled", "running", "waiting", "stuck", "completed"],
    } as const;
    const row = requestTo(id, "rollback", request, terms);
    const promised = { ...requestTo(id, "rollback", { ...request, isPromised: true }, terms), id: row.id };
    // The execution may have moved on before the request is written; then the request is judged anew. An execution that moves on all
    // the time takes the request unjudged, and its launcher judges.
    for (let tries = 1; ; tries++) {
      const movesOn = tries > judgedTries && options.ifRevision === undefined;
      const [record] = await this.#store.load([id]);
      if (record === undefined) return absent(this.#store, id);
      const changed = changedSince(record, options.ifRevision, "rollback");
      if (changed !== undefined) return { accepted: false, why: "moved-on", error: changed };
      const shape = await shapeFor(record, this.#registry, this.#host);
      const why = refusal(record, shape ?? unknownShape, request, this.#host.storeNow());
      if (why !== undefined) return this.#refused(record, why);
      // While the pivot runs the request is held: only the end of the pivot says whether the request came in time. Where this process
      // does not know the pivot, or the execution could not go on, the launcher that takes it up decides. And an execution that has
      // completed takes messages again only once it has turned.
      const isOpen = shape === undefined || record.position.stepIndex === shape.pivot || isAtRest(record);
      const pending = await this.#store.mail({ executions: [id], ...requestsOnly });
      const earlier = pending.find(({ kind }) => kind === "rollback");
      // One that is stuck may keep a request that nobody could follow: this one has it taken up again.
      if (earlier !== undefined && record.status !== "stuck") {
        if (isOpen && !(await this.#decision(id, earlier.id, request)).accepted) continue;
        return this.#refused(record, "already-rolling-back");
      }
      const isAwaited = movesOn || isOpen;
      const { result } = await this.#host.committer.deliver({
        ...(isAwaited ? row : promised),
        ...(!movesOn && { only: { revision: record.revision, signals: record.signals } }),
      });
      if (result !== "stored") continue;
      return isAwaited ? this.#decision(id, row.id, request) : { accepted: true };
    }
  }

  /** The decision on a request that only the launcher that takes the execution up can make. */
  async #decision(id: string, arrival: string, request: RollbackRequest): Promise<RollbackAnswer> {
    if ((await awaitRequest(arrival, id, this.#store, this.#host, "rollback", this.#patience)) === "consumed") {
      return { accepted: true };
    }
    const [record] = await this.#store.load([id]);
    if (record === undefined) return absent(this.#store, id);
    const shape = await shapeFor(record, this.#registry, this.#host);
    const why = refusal(record, shape ?? unknownShape, request, this.#host.storeNow());
    if (why !== undefined) return this.#refused(record, why);
    // It could be undone, but for what parked it, or for a list of steps that has changed.
    return this.#refused(record, record.status === "stuck" || shape !== undefined ? "parked-again" : "past-pivot");
  }

  #refused(record: ListedExecution, why: WhyRefused): RollbackAnswer {
    return refusedAnswer(record, why, this.#registered(record));
  }

  #registered(record: ListedExecution): Registered | undefined {
    return this.#registry.get(registryKey(record.workflow, record.version));
  }
}

function refusal(record: ListedExecution, shape: Shape, request: RollbackRequest, now: number): WhyRefused | undefined {
  return record.workflow === recallName ? "recall" : refuseRollback(record, shape, request, now);
}

function isAtRest({ status }: ListedExecution): boolean {
  return status === "stuck" || status === "completed";
}

export function refusedAnswer(
  record: ListedExecution,
  why: WhyRefused,
  registered: Registered | undefined,
): RefusedAnswer {
  const { code, says } = explanationOf(record, why, registered);
  const { id: execution, workflow, position } = record;
  const message = `Execution "${execution}" is not rolled back: ${says}`;
  return {
    accepted: false,
    why,
    error: new StepwellError(code, message, { execution, workflow, step: position.step }),
  };
}

function explanationOf(
  { position, line, root }: ListedExecution,
  why: WhyRefused,
  registered: Registered | undefined,
): { readonly code: ErrorCode; readonly says: string } {
  switch (why) {
    case "past-pivot": {
      const pivot = registered?.definition.steps[registered.shape.pivot]?.name;
      const which = pivot === undefined ? "its pivot" : `its pivot, step "${pivot}",`;
      return {
        code: "STEPWELL_PAST_PIVOT",
        says: `${which} is done, and nothing turns it after that. Make good what it did in a workflow of its own.`,
      };
    }
    case "already-rolling-back":
      return refusing(
        "it is rolling back already, or is about to; a second reason would disguise the first one. Follow it; where it gets stuck, " +
          "retry its step, or skip it.",
      );
    case "already-rolled-back":
      return refusing(
        `it was rolled back already, for the reason ${JSON.stringify(position.reason)}. What is left of it in the world, its ` +
          `certificate says.`,
      );
    case "completed":
      return refusing(
        `it has completed, and the request said ifCompleted: "refuse". To undo it all the same, ask without that.`,
      );
    case "belongs-to-parent":
      return {
        code: "STEPWELL_BELONGS_TO_PARENT",
        says:
          `it has completed, and what it did is part of execution "${line?.parent ?? ""}", which alone may undo it. ` +
          `Roll that back, or "${root ?? ""}", at the top.`,
      };
    case "recall":
      return refusing("it is a recall, which nothing rolls back. To ask no more executions, stop it.");
    case "sealed":
      return {
        code: "STEPWELL_SEALED",
        says:
          `it has completed, and could be undone until ${new Date(position.sealedAt ?? 0).toISOString()}, as its workflow says ` +
          `("undoFor"). Make good what it did in a workflow of its own.`,
      };
    case "parked-again":
      return {
        code: "STEPWELL_EXECUTION_STUCK",
        says:
          `no launcher could go on with it, so it stays at step "${position.step}" as it was. Its error says why: mend that, or deploy what ` +
          `it needs, and ask again.`,
      };
  }
}

function refusing(says: string): { readonly code: ErrorCode; readonly says: string } {
  return { code: "STEPWELL_ROLLBACK_REFUSED", says };
}
