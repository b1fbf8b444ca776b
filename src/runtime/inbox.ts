/**
 * What comes to an execution in work from outside: its mailbox as it was last looked at, the request that is to be
 * followed, and the workflow's deadline, which asks for the same as a rollback request.
 */
import { isolate } from "../values/isolate.js";
import { isRetryable, StepwellError } from "../errors.js";
import { isPastPivot, type Shape } from "../execution/router.js";
import type { MailboxRecord } from "../execution/records.js";
import type { MaybePromise } from "../stores/contract.js";
import { acted, happened, hasBegun, type ActiveExecution, type Happening } from "../execution/execution.js";
import type { Host, PendingMail } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { requestProblem, triage, type ActRequest, type Request } from "../execution/pending-mail.js";
import { checkedByInput } from "./input-fields.js";
import { andThen } from "../session/maybe-promise.js";
import { brokenError, brokenRequestError } from "./reports.js";
import { adoptOthers } from "./step-result.js";
import type { Turn } from "../execution/transition.js";

export class Inbox {
  /** Something arrived that has not been looked at. */
  isUnseen: boolean;
  /** A request could not be read back: what was asked for nobody knows. */
  unreadable: StepwellError | undefined;
  /** The last look was answered, and what it showed was taken over: all that `signals` counts is known. */
  hasTaken = false;
  readonly #course: ActiveExecution;
  readonly #shape: Shape;
  readonly #host: Host;

  /** As in an inbox: where there is more than was read. */
  #names: PendingMail["names"];

  /** @param inbox as it was read with the claim */
  constructor(course: ActiveExecution, shape: Shape, host: Host, inbox?: PendingMail) {
    this.isUnseen = course.signals > 0 && inbox === undefined;
    this.#course = course;
    this.#shape = shape;
    this.#host = host;
    if (inbox !== undefined) course.pending = this.#read(inbox.pending);
  }

  /** @param names what the execution's step waits for */
  look(names: readonly string[]): MaybePromise<void> {
    this.isUnseen = false;
    this.hasTaken = false;
    const course = this.#course;
    const { revision } = course;
    return andThen(this.#host.inbox(course.identity.id, names, course.dead.length), (it) => {
      // An answer from before the last commit may show what that commit consumed.
      if (course.revision !== revision || it.signals < course.signals) this.isUnseen = true;
      else {
        this.hasTaken = true;
        course.signals = it.signals;
        course.pending = this.#read(it.pending.filter(({ id }) => !course.dead.includes(id)));
        this.#names = it.names;
      }
    });
  }

  /** Whether messages may be there that were not read. */
  get isPartial(): boolean {
    return this.#names !== undefined;
  }

  /** The same of messages with one of these names. */
  lacks(names: readonly string[]): boolean {
    const known = this.#names;
    if (known === undefined) return false;
    const { pending } = this.#course;
    return names.some((name) => {
      const hasMore = known.get(name);
      return hasMore === undefined || (hasMore && !pending.some((it) => it.kind === "message" && it.name === name));
    });
  }

  /** Without requests that can't be read back: those are dead. */
  #read(pending: readonly MailboxRecord[]): readonly MailboxRecord[] {
    return pending.filter((row) => {
      if (row.kind === "message") return true;
      const problem = requestProblem(row);
      if (problem === undefined) return true;
      this.#course.dead.push(row.id);
      this.unreadable ??= brokenRequestError(this.#course, row, problem);
      return false;
    });
  }

  /** The oldest request that applies; those that came too late become dead with the next commit. */
  request(): Request | undefined {
    const { pending, status, position } = this.#course;
    if (pending.length === 0) return undefined;
    const { request, dead } = triage(pending, status, position, this.#shape);
    if (dead.length > 0) this.bury(dead);
    return request;
  }

  /** All requests, where none of them can be followed. */
  buryRequests(): void {
    this.bury(this.#course.pending.flatMap(({ id, kind }) => (kind === "message" ? [] : id)));
  }

  bury(dead: readonly string[]): void {
    this.#course.dead.push(...dead);
    this.#course.pending = this.#course.pending.filter(({ id }) => !dead.includes(id));
  }

  get deadlinePassed(): boolean {
    const { deadlineAt, position } = this.#course;
    if (deadlineAt === null || this.#host.storeNow() < deadlineAt || position.direction === "down") return false;
    return position.lifecycle !== "success" && !isPastPivot(position, this.#shape);
  }

  /** What turns the execution, whatever its step has given meanwhile. */
  turn(): Turn | undefined {
    const request = this.request();
    if (request?.type === "rollback") {
      const { reason, by } = request.request;
      return { reason, by, why: reason, arrival: request.arrival.id };
    }
    return this.deadlinePassed ? { reason: "deadline", by: undefined, why: undefined, arrival: undefined } : undefined;
  }

  /** The act with its patch as it will be merged. Undefined: the patch is refused, and the request is dead. */
  async checked(request: ActRequest, registered: Registered): Promise<ActRequest | undefined> {
    const { act, arrival } = request;
    const { id } = this.#course.identity;
    try {
      const [record, history] = await Promise.all([this.#host.load(id), this.#host.history(id)]);
      const patch = await checkedByInput(isolate(act.patch!), record!, history, registered);
      return { ...request, act: { ...act, patch } };
    } catch (error) {
      // A store that is away has said nothing of the patch.
      if (isRetryable(error)) throw error;
      this.#host.report(error instanceof StepwellError ? error : brokenError(this.#course, error));
      this.bury([arrival.id]);
      return undefined;
    }
  }

  /** Undefined: it can't be followed any more, and is dead. */
  follow(request: Request | "deadline"): Happening | undefined {
    const course = this.#course;
    if (request === "deadline") return this.#turned("deadline", {});
    const { arrival: cause } = request;
    if (request.type === "rollback") {
      const { reason, by } = request.request;
      return this.#turned(reason, { cause, by, why: reason });
    }
    const { act } = request;
    try {
      if (act.patch !== undefined) adoptOthers(course, act.patch, this.#host);
    } catch (error) {
      // It was checked when it was sent, but the state may have grown since.
      this.#host.report(brokenError(course, error));
      this.bury([cause.id]);
      return undefined;
    }
    return acted(course, request.type, { cause, by: act.by, why: act.reason });
  }

  #turned(reason: string, asked: Partial<Pick<Happening, "cause" | "by" | "why">>): Happening {
    const begun = hasBegun(this.#course);
    return happened(this.#course, { type: "rollbackRequested", reason, begun }, reason, asked);
  }
}
