/** What happened to an execution and is committed of it, and what is told once that is taken. */
import { isRetryable, type StepwellError } from "../errors.js";
import { decide, dueIn, type Decision, type Facts } from "../execution/decide.js";
import { eventAt, isBeforehand, type Event } from "../execution/events.js";
import { attemptOf, type ActiveExecution, executionWith } from "../execution/execution.js";
import { brokenInvariant } from "../execution/invariants.js";
import { sift, turnOf } from "../execution/mail.js";
import { doubtAt, isPolling, strugglingFrom, type Position, positionOf } from "../execution/position.js";
import type { Transition } from "../execution/records.js";
import type { CommitResult } from "../stores/batch.js";
import type { CommitListener } from "../session/batch-entries.js";
import { listId } from "../ids.js";
import { serializeError } from "../values/serialize-error.js";
import { recovered } from "./beginning.js";
import { carriedBy, tellCommit } from "./engine-events.js";
import { exitReason } from "./exiting.js";
import { failureWarning, invariantError, lostError, strugglingError, stuckError } from "./reports.js";
import { rewindBaseOf } from "./rewinding.js";
import type { Proposal } from "./store-transaction.js";
import type { Work } from "./work.js";

/** An attempt has failed, of the step or of its probe, and another one follows. */
function isFifthFailure({ what: { type }, answered }: Event, { attempts, doubts, stepIndex }: Position): boolean {
  if (type === "retry") return attempts === strugglingFrom;
  const asked = doubtAt(doubts, stepIndex)?.attempts;
  return type === "probed" && answered === "failed" && asked === strugglingFrom;
}

/** One object for all decisions on an execution: most of the facts stay as they are. */
class FactsOfWork implements Facts {
  /** The one that is decided on. */
  work: Work;
  readonly definition: Facts["definition"];
  readonly shape: Facts["shape"];
  readonly observing: Facts["observing"];
  readonly time: Facts["time"];
  readonly limit: number;
  mail: Facts["mail"];
  rewindBase: Facts["rewindBase"] = undefined;
  stopping = false;
  list: Facts["list"] = undefined;
  carried: string | null = null;

  constructor(work: Work) {
    const { definition, shape, observing } = work.registered;
    this.work = work;
    this.definition = definition;
    this.shape = shape;
    this.observing = observing;
    this.time = work.host;
    this.limit = work.host.sizeLimit;
    this.mail = work.mail;
  }

  onExit(reason: string): string {
    return exitReason(this.work, reason);
  }

  firstListOf(step: string, round: number): string {
    return listId(this.work.id, { step, round, number: 1 });
  }
}

type AskedAgain = Event & { readonly what: { readonly type: "again" } };

export class Commits {
  /** What happened and is to be committed. */
  event: Event | undefined;
  /** The list of steps that the next transition takes over. */
  list: Transition["definition"];
  readonly #work: Work;
  readonly #listener: CommitListener<CommitResult>;
  /** What is being committed. Undefined: nothing, or it is let go of without a transition. */
  #decision: Decision | undefined;
  /** What observers gave this activation to carry, until it is committed; undefined: they were not asked yet. */
  #toCarry: string | null | undefined;
  readonly #facts: FactsOfWork;

  constructor(work: Work, listener: CommitListener<CommitResult>) {
    this.#work = work;
    this.#listener = listener;
    this.#facts = new FactsOfWork(work);
  }

  /** Decides what is committed of an event. @throws STEPWELL_INVARIANT_VIOLATED, which parks the execution */
  decide(happened: Event): Decision {
    this.event = this.#settled(happened);
    this.#decision = this.#decide(this.#work, this.event);
    return this.#decision;
  }

  /** What may be committed in the store's own transaction. @param copy the work, with what came of the call */
  propose(copy: Work, event: Event): Proposal {
    const decision = event.what.type === "stepFailed" ? undefined : this.#decide(copy, event);
    return { event, execution: copy.execution, decision };
  }

  /** Takes a proposal for what happened. @param isAnswered the store has judged it already */
  adopt({ event, execution, decision }: Proposal, isAnswered: boolean): void {
    this.#work.execution = execution;
    this.event = event;
    if (isAnswered) this.#decision = decision;
  }

  /** Parks the execution where it stands, whatever direction it has. @param untouched before anything of it was called */
  park(error: StepwellError, untouched = false): void {
    const what = { type: "parked", reason: error.code, untouched } as const;
    // What a step gave and was not committed is in the state, so it belongs into the history too.
    const patch = this.event?.patch;
    this.event = eventAt(this.#work.execution, what, error.code, { error: serializeError(error), patch });
  }

  #decide(work: Work, event: Event): Decision {
    const facts = this.#facts;
    facts.work = work;
    facts.mail = work.mail;
    facts.rewindBase = rewindBaseOf(work);
    facts.stopping = this.#work.isStopping;
    facts.list = this.list;
    facts.carried = this.#carries();
    const decision = decide(work.execution, event, facts);
    const broken = brokenInvariant(work.execution, event.what, decision.transition);
    if (broken !== undefined) throw invariantError(work.execution, broken);
    return decision;
  }

  /** Once in an activation, with its first commit. */
  #carries(): string | null {
    const { execution, registered, host } = this.#work;
    if (this.#toCarry === undefined) this.#toCarry = carriedBy("burst", execution.identity, registered, host);
    return this.#toCarry;
  }

  /** The event as it is committed: a step that has failed by itself may recover. */
  #settled(event: Event): Event {
    // Not against a request or the workflow's deadline: those turn the execution whatever the step has given.
    return event.failedItself && !this.#isTurned() ? recovered(this.#work, event, this.#work.step) : event;
  }

  #isTurned(): boolean {
    const { execution, mail, registered, host } = this.#work;
    const sifted = sift(mail, execution, registered.shape);
    return turnOf(execution, sifted?.request, registered.shape, host) !== undefined;
  }

  /** Hands the transition to the store. Undefined: it has not answered yet. */
  commit(transition: Transition): CommitResult | undefined {
    return this.#work.host.committer.commit(transition, this.#listener);
  }

  /** Lets go without a transition. Refused if something arrived meanwhile. Undefined: the store has not answered yet. */
  release(dueInMs: number | null): CommitResult | undefined {
    const { id, execution, mail, host } = this.#work;
    const release = {
      id,
      owner: execution.owner,
      // Due at once, it is looked at again whatever has come.
      signals: dueInMs === 0 ? null : mail.signals,
      dueInMs,
      dead: mail.dead,
      ...(execution.isAhead && { position: execution.position }),
    };
    return host.committer.release(release, this.#listener);
  }

  /** A function asked to be called again, right after another time, and there is nothing to commit but how long it waits. */
  isQuiet(event: Event): event is AskedAgain {
    const { position, unsaved, guardErrors } = this.#work.execution;
    if (event.what.type !== "again" || !isPolling(position) || event.patch !== undefined) return false;
    return unsaved === null && guardErrors.length === 0 && this.list === undefined && !this.#isTurned();
  }

  /** Waits on without a transition: whatever comes next commits the position as it is now. Gives back when that is due. */
  waitOn({ what }: AskedAgain): number | null {
    this.event = undefined;
    const work = this.#work;
    const { position } = work.execution;
    const waiting = positionOf({
      ...position,
      uncounted: attemptOf(work.execution),
      polls: (position.polls ?? 0) + 1,
      resumeAt: work.host.storeNowAtMost() + what.wait,
    });
    work.execution = executionWith(work.execution, {
      position: waiting,
      isAhead: true,
      claims: 1,
      uncommittedAttempts: 0,
    });
    return dueIn(work.execution, waiting, work.registered.shape, work.host);
  }

  /** The store's answer. True: it was taken, and the execution is let go of. */
  answered(result: CommitResult, at: number): boolean {
    const decision = this.#decision;
    this.#decision = undefined;
    if (result === "signalled") {
      // Nothing of the step has been done: what came meanwhile finds it as it stood.
      if (this.event !== undefined && isBeforehand(this.event)) this.event = undefined;
      return false;
    }
    if (result === "lost") return false;
    if (decision !== undefined) {
      this.#taken(decision, at);
      return decision.transition.rests;
    }
    const { mail, host } = this.#work;
    if (mail.dead.length > 0) host.settled(mail.dead);
    return true;
  }

  /** The loop heard that the execution was lost before its last commit was answered: that it was refused is told all the same. */
  answeredLate(result: CommitResult): void {
    const { host, execution } = this.#work;
    if (result === "lost" && this.#decision !== undefined) host.report(lostError(execution));
  }

  /** The store has refused a transition, so it is not asked again to take the same one. */
  refused(error: unknown): void {
    this.#decision = undefined;
    if (isRetryable(error)) return;
    this.#work.dropPatches();
    if (this.event !== undefined) this.event = { ...this.event, patch: undefined };
  }

  #taken(decision: Decision, at: number): void {
    const { event } = this;
    this.event = undefined;
    const work = this.#work;
    const { transition, action } = decision;
    const { committed: before, execution: stood, host } = work;
    work.committedWith(decision);
    if (transition.definition !== undefined) this.list = undefined;
    this.#toCarry = null;
    if (transition.line !== undefined) host.listMoved(transition.line.list);
    const { list } = transition;
    if (list !== undefined)
      host.listMoved(list.list, "opens" in list ? { of: transition.id, ...list.opens } : undefined);
    if (transition.settled.length > 0) host.settled(transition.settled.map(({ arrival }) => arrival));
    tellCommit(work, before, transition, event, at);
    if (action === "park") host.report(stuckError(work.execution));
    else if (transition.position.warned === true && stood.position.warned === undefined) this.#warn(stood, transition);
    if (event !== undefined && isFifthFailure(event, work.execution.position))
      host.report(strugglingError(work.execution, event.error));
    work.isRestUntold = transition.ends || action === "park";
  }

  /** Warns of a failed attempt, once for each execution, and not where an observer logs every failure. */
  #warn(stood: ActiveExecution, transition: Transition): void {
    const { registered, host } = this.#work;
    if (registered.observing.logs) return;
    const { fields, message } = failureWarning(stood, transition);
    host.warn(fields, message);
  }
}
