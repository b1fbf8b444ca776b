/** What comes to an execution in work from outside: its mailbox as it was last looked at, and requests as events. */
import { encode } from "../values/encode.js";
import { isolate } from "../values/isolate.js";
import { isRetryable, StepwellError } from "../errors.js";
import { eventWith, eventAt, operatorEvent, type Event } from "../execution/events.js";
import { attemptOf, hasBegun, withOutsidePatch } from "../execution/execution.js";
import {
  askedIn,
  requestProblem,
  type ActRequest,
  type Request,
  type RewindArrival,
  type RewindRequest,
} from "../execution/mail.js";
import { isRequest, type MailboxRecord } from "../execution/records.js";
import { resolved } from "../execution/probe-answer.js";
import type { PendingMail } from "../session/host.js";
import { andThen } from "../session/maybe-promise.js";
import type { MaybePromise } from "../stores/contract.js";
import { checkedByInput } from "./input-fields.js";
import { letGo, refuseLiveChildren } from "./let-go.js";
import { readInbox } from "./mailroom.js";
import { brokenError, brokenRequestError, patchLostError } from "./reports.js";
import type { Work } from "./work.js";

export class Inbox {
  /** Something arrived that has not been looked at. */
  isUnseen: boolean;
  /** A request could not be read back: what was asked for nobody knows. */
  unreadable: StepwellError | undefined;
  /** The last look was answered, and what it showed was taken over: all that `signals` counts is known. */
  hasTaken = false;
  /** There are rewinds whose patch nobody has checked, of which the rest of the execution knows nothing until that is done. */
  isUnchecked = false;
  readonly #work: Work;
  /** The names of which there may be more messages than were read. */
  #names: PendingMail["names"];
  #looks = 0;

  /** @param mail as it was read with the claim */
  constructor(work: Work, mail?: PendingMail) {
    this.isUnseen = work.mail.signals > 0 && mail === undefined;
    this.#work = work;
    if (mail !== undefined) this.#take(work.mail.signals, this.#checked(mail.pending));
  }

  /** Reads the mailbox. */
  look(): MaybePromise<void> {
    this.isUnseen = false;
    this.hasTaken = false;
    const work = this.#work;
    const { revision } = work.committed;
    const number = ++this.#looks;
    return andThen(readInbox(work.host.store, work.id, this.#awaited(), work.mail.dead.length), (it) => {
      const { signals, dead } = work.mail;
      // An answer from before the last commit may show what that commit consumed.
      if (work.committed.revision !== revision || it.signals < signals) {
        this.isUnseen = true;
        return undefined;
      }
      this.#names = it.names;
      const pending = it.pending.filter(({ id }) => !dead.includes(id));
      const checked = this.#checked(pending);
      this.hasTaken = !this.isUnchecked;
      // Until all is checked nothing is committed: more has come than `signals` says.
      this.#take(this.isUnchecked ? signals : it.signals, checked);
      if (!this.isUnchecked) return undefined;
      return this.#checkRewinds(pending).then((all) => {
        if (this.#looks !== number || work.committed.revision !== revision) this.isUnseen = true;
        else {
          this.isUnchecked = false;
          this.hasTaken = true;
          this.#take(it.signals, all.pending);
          work.markDead(all.refused);
        }
      });
    });
  }

  /** The pending rows without rewinds that are still to be checked. */
  #checked(pending: readonly MailboxRecord[]): readonly MailboxRecord[] {
    const checked = pending.filter((row) => !isUncheckedRewind(row));
    this.isUnchecked = checked.length < pending.length;
    return this.isUnchecked ? checked : pending;
  }

  /** Checks rewinds whose caller did not know the workflow. Where the patch is refused, nothing of the rewind is done. */
  async #checkRewinds(
    all: readonly MailboxRecord[],
  ): Promise<{ readonly pending: readonly MailboxRecord[]; readonly refused: readonly string[] }> {
    const refused: string[] = [];
    const pending: MailboxRecord[] = [];
    for (const row of all) {
      if (!isUncheckedRewind(row)) pending.push(row);
      else {
        const { unchecked: _unchecked, ...request } = row.payload.value as RewindRequest;
        const patch = await this.#checkedPatch(request.patch!);
        if (patch === undefined) refused.push(row.id);
        else pending.push({ ...row, payload: encode({ ...request, patch }, { what: "A request", limit: Infinity }) });
      }
    }
    return { pending, refused };
  }

  /** Whether messages that the step waits for may be there and were not read. */
  get lacks(): boolean {
    if (this.#names === undefined) return false;
    const { pending } = this.#work.mail;
    return this.#awaited().some((name) => {
      const hasMore = this.#names!.get(name);
      return hasMore === undefined || (hasMore && !pending.some((it) => it.kind === "message" && it.name === name));
    });
  }

  /** What the step, if this list has it, waits for in its direction. */
  #awaited(): readonly string[] {
    const { execution, registered } = this.#work;
    const { stepIndex, direction } = execution.position;
    const step = registered.definition.steps[stepIndex];
    return Object.keys((direction === "up" ? step?.messages : step?.rollbackMessages) ?? {});
  }

  /** Requests that can't be read back are dead. */
  #take(signals: number, pending: readonly MailboxRecord[]): void {
    const broken: string[] = [];
    for (const row of pending) {
      if (!isRequest(row.kind)) continue;
      const problem = requestProblem(row);
      if (problem === undefined) continue;
      broken.push(row.id);
      this.unreadable ??= brokenRequestError(this.#work.execution, row, problem);
    }
    this.#work.mail = { ...this.#work.mail, signals, pending };
    this.#work.markDead(broken);
  }

  /** None of the requests can be followed. */
  buryRequests(): void {
    this.#work.markDead(this.#work.mail.pending.flatMap(({ id, kind }) => (isRequest(kind) ? id : [])));
  }

  /** The request as an event. Undefined: it can't be followed any more, and is dead. */
  follow(request: Request | "deadline"): MaybePromise<Event | undefined> {
    if (request === "deadline") return this.#turned("deadline", {});
    const { arrival: cause } = request;
    if (request.type === "rollback") {
      const { reason } = request.request;
      const asked = askedIn(request.request);
      return this.#turned(reason, { cause, by: asked?.by, why: reason, ...(asked !== undefined && { asked }) });
    }
    if (request.type === "rewind") return this.#rewound(request);
    if (request.type === "skip" && this.#work.step?.children !== undefined) return this.#skippedChildren(request);
    return this.#acted(request);
  }

  #acted(request: ActRequest): MaybePromise<Event | undefined> {
    return request.act.unchecked === true ? this.#checkedAct(request) : this.#act(request, request.act.patch);
  }

  async #skippedChildren(request: ActRequest): Promise<Event | undefined> {
    const { id, host, execution } = this.#work;
    const parent = { id, workflow: execution.identity.workflow, position: execution.position };
    try {
      if (execution.position.direction === "down") await letGo(host.lists, parent);
      else await refuseLiveChildren(host, parent);
    } catch (error) {
      if (!(error instanceof StepwellError) || error.code !== "STEPWELL_CHILDREN_LIVE") throw error;
      host.report(error);
      this.#work.markDead([request.arrival.id]);
      return undefined;
    }
    return this.#acted(request);
  }

  #turned(reason: string, asked: Partial<Pick<Event, "cause" | "by" | "why" | "asked">>): Event {
    const { execution } = this.#work;
    return eventAt(execution, { type: "rollbackRequested", reason, begun: hasBegun(execution) }, reason, asked);
  }

  #rewound({ arrival: cause, request, to }: RewindArrival): Event {
    const { reason, by, patch } = request;
    const asked = { cause, by, why: reason, asked: { reason, by, to: request.to } };
    return eventAt(this.#work.execution, { type: "rewindRequested", reason, to }, reason, {
      ...asked,
      backTo: request.to,
      patchThen: patch,
    });
  }

  /** Follows an act whose caller did not know the workflow, once its patch is checked. */
  async #checkedAct(request: ActRequest): Promise<Event | undefined> {
    const patch = await this.#checkedPatch(request.act.patch!);
    if (patch !== undefined) return this.#act(request, patch);
    this.#work.markDead([request.arrival.id]);
    return undefined;
  }

  /** Undefined: the patch is refused, which was reported. */
  async #checkedPatch(given: object): Promise<object | undefined> {
    const { id, host, registered, execution } = this.#work;
    try {
      const [[record], history] = await Promise.all([host.store.load([id]), host.store.history(id)]);
      return await checkedByInput(isolate(given), record!, history, registered);
    } catch (error) {
      // A store that is away has said nothing of the patch.
      if (isRetryable(error)) throw error;
      host.report(error instanceof StepwellError ? error : brokenError(execution, error));
      return undefined;
    }
  }

  #act(request: ActRequest, patch: object | undefined): Event | undefined {
    const { type, arrival: cause, act } = request;
    const work = this.#work;
    if (type === "resolve") return this.#resolved(request);
    try {
      if (patch !== undefined) work.execution = withOutsidePatch(work.execution, patch, work.host.sizeLimit);
    } catch (error) {
      // It was checked when it was sent, but the state may have grown since.
      work.host.report(brokenError(work.execution, error));
      work.markDead([cause.id]);
      return undefined;
    }
    return operatorEvent(work.execution, type, { cause, by: act.by, why: act.reason });
  }

  #resolved({ arrival: cause, act }: ActRequest): Event | undefined {
    const work = this.#work;
    const call = { step: work.step!, called: false, attempt: attemptOf(work.execution), cause, elapsed: 0 };
    const { execution, event } = resolved(work.execution, act, call, work.callFacts);
    if (!event.gave) {
      // It was checked when it was sent, but the state may have grown since.
      work.host.report(patchLostError(execution, event.error));
      work.markDead([cause.id]);
      return undefined;
    }
    work.execution = execution;
    return eventWith(event, { by: act.by, why: act.reason });
  }
}

function isUncheckedRewind({ kind, payload }: MailboxRecord): boolean {
  return kind === "rewind" && (payload.value as RewindRequest).unchecked === true;
}
