/**
 * Drives one execution, from its last commit to its next rest. Every turn of the loop is the same: look at what arrived, ask
 * what is next, do that, commit what happened. What is next follows from the committed execution, so one that was recovered
 * and one that was never interrupted are one case.
 *
 * Nothing here awaits: a step, a store or a schema that answers at once costs no promise. Where one does not, the loop stops
 * and the answer starts it again.
 */
import { decode } from "../values/encode.js";
import type { StepDefinition } from "../definition/definition.js";
import { validate } from "../definition/schema.js";
import { isRetryable, StepwellError } from "../errors.js";
import { decide, dueIn, type Decision } from "../execution/decide.js";
import { eventAt, type Event } from "../execution/events.js";
import { attemptOf, hasBegun, type ActiveExecution } from "../execution/execution.js";
import { givenIn } from "../execution/history.js";
import { brokenInvariant } from "../execution/invariants.js";
import { awaitedMessage, sift, turnOf } from "../execution/mail.js";
import { mostDeaths, mustNote, nextTask, type Task } from "../execution/next.js";
import { isPolling, strugglingFrom } from "../execution/position.js";
import type { ExecutionRecord, HistoryRecord, MailboxRecord, Transition } from "../execution/records.js";
import { isTooLate } from "../execution/retry.js";
import type { Action } from "../execution/router.js";
import type { Settled } from "../execution/step-result.js";
import { serializeError } from "../values/serialize-error.js";
import type { CommitResult } from "../stores/batch.js";
import type { MaybePromise } from "../stores/contract.js";
import type { CommitListener } from "../session/batch-entries.js";
import type { Host, PendingMail } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { beginning, recovered } from "./beginning.js";
import {
  beforeStep,
  callOf,
  settledEvent,
  stepOverdueEvent,
  waitTimedOutEvent,
  type Call,
  type Delivery,
} from "./call.js";
import { checkDefinition, type DefinitionMismatch } from "./definition-check.js";
import { carriedBy, tellCommit, tellRest, tellWake } from "./engine-events.js";
import { exitReason } from "./exiting.js";
import { Inbox } from "./inbox.js";
import { noteGuard, observe, reportRest } from "./observing.js";
import {
  brokenError,
  failureWarning,
  invariantError,
  killerError,
  lostError,
  messageOf,
  refusedMessageError,
  strugglingError,
  stuckError,
} from "./reports.js";
import { startCall, StepCall, type Caller } from "./step-call.js";
import { TransactionResult } from "./store-transaction.js";
import { Work } from "./work.js";

/** A launcher that was removed and has not come back for so long is taken for dead, in milliseconds. */
const longAbsence = 60 * 60 * 1000;

/** How long an execution is left alone that may have killed so many, while some of them may still come back, in milliseconds. */
const suspicionPause = 60_000;

/** After so many turns without a wait the loop lets others have theirs. */
const mostTurns = 256;

/** How long a loop waits before it tries again what the store could not do, in milliseconds, on the average. */
const outagePause = 500;

/** How long an execution is left alone that could not even be parked, in milliseconds. */
const brokenPause = 60_000;

/** What the worker hears when an execution leaves its hands. */
export interface LoopOwner {
  /** The execution came to rest, or was let go of. */
  left(loop: ExecutionLoop): void;
}

/** How an execution was taken up. */
export interface TakenUp {
  /** For how long it had been due, in milliseconds. Default: 0. */
  readonly lateMs?: number;
  /** Set: it knows another list of steps than the registered one, or is of another version. */
  readonly mismatch?: DefinitionMismatch | undefined;
  /** Its mail, if that was read with the claim. */
  readonly mail?: PendingMail | undefined;
}

export class ExecutionLoop implements CommitListener<CommitResult>, Caller {
  readonly id: string;
  /** The launcher stops. */
  isStopping = false;
  readonly #work: Work;
  readonly #host: Host;
  readonly #registered: Registered;
  readonly #owner: LoopOwner;
  readonly #inbox: Inbox;
  readonly #lateMs: number;
  /** The call that is under way. */
  #call: StepCall | undefined;
  /** What happened and is to be committed. */
  #event: Event | undefined;
  /** What is being committed of it. */
  #decision: Decision | undefined;
  /** That the execution came to rest is committed, and those who want to know may not have heard of it. */
  #isRestUntold: boolean;
  #mismatch: DefinitionMismatch | undefined;
  /** The list of steps that the next transition takes over. */
  #list: Transition["definition"];
  /** What observers gave this activation to carry, until it is committed; undefined: they were not asked yet. */
  #toCarry: string | null | undefined;
  #isLooping = false;
  #isAwake = false;
  /** An answer is outstanding; it will start the loop again. */
  #isWaiting = false;
  /** The last turn was a look. What arrived in it refuses the next commit; to look again first might never end on a slow store. */
  #hasLooked = false;
  #isInitialised = false;
  #isCleared = false;
  #isNoted = false;
  #isOver = false;
  #isRested = false;
  #isLost = false;
  /** How often something failed that should not. */
  #failures = 0;

  constructor(
    record: ExecutionRecord,
    state: object,
    ownerId: number,
    registered: Registered,
    host: Host,
    owner: LoopOwner,
    { lateMs = 0, mismatch, mail }: TakenUp = {},
  ) {
    this.id = record.id;
    this.#work = new Work(record, state, ownerId, registered, host);
    this.#inbox = new Inbox(this.#work, mail);
    // Taken up again when it had come to rest: a launcher died before it had told anyone.
    this.#isRestUntold = record.claims > 1;
    this.#registered = registered;
    this.#host = host;
    this.#owner = owner;
    this.#lateMs = lateMs;
    this.#mismatch = mismatch;
  }

  get execution(): ActiveExecution {
    return this.#work.execution;
  }

  /** Whether the execution left because there is nothing to do, rather than because it was dropped. */
  get isAtRest(): boolean {
    return this.#isRested;
  }

  // ---- The loop ---------------------------------------------------------------------------------

  /** Goes on as far as it can without waiting. Never throws. */
  go(): void {
    if (this.#isLooping || this.#isWaiting) return;
    this.#isLooping = true;
    this.#wake();
    for (let turns = 0; !this.#isOver && !this.#isWaiting; turns++) {
      if (turns === mostTurns) this.#breathe();
      else this.#safeTurn();
    }
    this.#isLooping = false;
  }

  /** One thing at a time. */
  #turn(): void {
    const isUnseen = this.#inbox.isUnseen && !(this.#hasLooked && this.#inbox.hasTaken);
    this.#hasLooked = isUnseen;
    if (isUnseen || this.#inbox.lacks) return this.#then(this.#inbox.look());
    if (this.#event !== undefined) return this.#commit(this.#event);
    return this.#act(this.#next());
  }

  /** What is due. */
  #next(): Task {
    const work = this.#work;
    const { shape } = this.#registered;
    // Which requests come too late, another list of steps can't say.
    const sifted = this.#mismatch === undefined ? sift(work.mail, work.execution, shape) : undefined;
    if (sifted !== undefined) work.mail = sifted.mail;
    return nextTask(work.execution, {
      step: this.#step(),
      shape,
      time: this.#host,
      mail: work.mail,
      request: sifted?.request,
      unreadable: this.#inbox.unreadable,
      isRestUntold: this.#isRestUntold,
      isMismatched: this.#mismatch !== undefined,
      stopping: this.isStopping,
      isCleared: this.#isCleared,
      isNoted: this.#isNoted,
      isRecalled: work.given !== undefined,
    });
  }

  #act(task: Task): void {
    switch (task.type) {
      case "tellRest":
        this.#isRestUntold = false;
        return reportRest(this.#work);
      case "checkDefinition":
        return this.#checkDefinition(this.#mismatch!);
      case "turnAway":
        this.#inbox.unreadable = undefined;
        return this.#turnAway(task.error);
      case "follow":
        return this.#then(this.#inbox.follow(task.request), (event) => this.#happens(event));
      case "release":
        return this.#release(task.dueInMs);
      case "cutOff":
        return this.#cutOff();
      case "countDeaths":
        return this.#countDeaths();
      case "noteCall":
        return this.#noteCall();
      case "stepOverdue":
        return this.#happens(stepOverdueEvent(this.#work));
      case "recall":
        return this.#then(this.#host.history(this.id), (rows) => {
          this.#work.given = givenIn(rows);
        });
      case "handle":
        return this.#handle(task.message);
      case "waitTimedOut":
        return this.#happens(waitTimedOutEvent(this.#work));
      case "call":
        return task.action === "wait" ? this.#callStep() : this.#begin(task.action);
    }
  }

  /** The event is committed with the next turn. */
  #happens(event: Event | undefined): void {
    this.#event = event;
  }

  /** Undefined: a parked execution may stand where its list has none. */
  #step(): StepDefinition | undefined {
    return this.#registered.definition.steps[this.execution.position.stepIndex];
  }

  // ---- Acting -----------------------------------------------------------------------------------

  /** The function that is due is called, with the observers before it and what is committed before a step begins. */
  #begin(action: Action): void {
    if (action === "init" && !this.#init()) return;
    if (action === "startRollback") this.#startRollback();
    const { position } = this.execution;
    const step = this.#step()!;
    const first = beginning(this.#work, step);
    if (first !== undefined) return this.#happens(first);
    if (isTooLate(step, position, this.#registered.shape, this.#host.storeNow())) return this.#giveUp();
    return this.#callStep();
  }

  /** False: a guard said no. */
  #init(): boolean {
    if (this.#isInitialised) return true;
    this.#isInitialised = true;
    const veto = observe(this.#work, "init", { flow: this.execution.position });
    if (veto === undefined) return true;
    const what = { type: "initVetoed", reason: veto.reason, begun: hasBegun(this.execution) } as const;
    this.#happens(eventAt(this.execution, what, veto.reason, { error: serializeError(veto.error) }));
    return false;
  }

  #startRollback(): void {
    const work = this.#work;
    const { position } = work.execution;
    const veto = observe(work, "startRollback", {
      flow: position,
      step: { name: position.step, index: position.stepIndex },
      reason: position.reason,
      ...(position.error !== null && { error: position.error }),
    });
    if (veto !== undefined) noteGuard(work, "startRollback", veto.error);
    work.execution = { ...work.execution, position: { ...position, lifecycle: "startRollback" } };
  }

  /** The time for attempts is over before this one has begun: the step fails with what the last one failed with. */
  #giveUp(): void {
    const { execution, mail } = this.#work;
    const { lastResult: reason, stepFunc } = execution.position;
    const isHandler = stepFunc === "runContinue" || stepFunc === "rollbackContinue";
    const cause = isHandler ? awaitedMessage(mail.pending, this.#step()!, execution.position) : undefined;
    this.#then(this.#host.history(this.id), (rows: readonly HistoryRecord[]) => {
      const error = rows.findLast((row) => row.error !== undefined)?.error ?? null;
      this.#happens(eventAt(execution, { type: "stepFailed", reason }, reason, { error, cause, failedItself: true }));
    });
  }

  /** A message that the step waits for is checked, and handed to its handler. */
  #handle(arrival: MailboxRecord): void {
    const { messages, rollbackMessages } = this.#step()!;
    const schema = (this.execution.position.direction === "up" ? messages : rollbackMessages)[arrival.name]!;
    let payload: unknown;
    try {
      payload = decode(arrival.payload.text);
    } catch (error) {
      return this.#refuseMessage(arrival, messageOf(error));
    }
    this.#then(validate(schema, payload), (checked) => {
      if (!checked.ok) return this.#refuseMessage(arrival, checked.problem);
      if (mustNote(this.execution, { isNoted: this.#isNoted })) return this.#noteCall();
      const delivered = { name: arrival.name, payload: checked.value, id: arrival.messageId ?? arrival.id };
      return this.#callStep({ arrival, delivered });
    });
  }

  #refuseMessage(arrival: MailboxRecord, problem: string): void {
    this.#work.bury([arrival.id]);
    this.#host.report(refusedMessageError(this.execution, arrival, problem));
  }

  #callStep(message?: Delivery): void {
    const work = this.#work;
    const vetoed = message === undefined ? beforeStep(work) : undefined;
    if (vetoed !== undefined) return this.#happens(vetoed);
    const call = callOf(work, message);
    const started = startCall(work, call, this);
    if (started instanceof StepCall) {
      this.#call = started;
      this.#isWaiting = true;
    } else this.#happens(settledEvent(work, call, started));
  }

  /** A function that did not answer at once has answered. */
  settled(call: Call, settled: Settled | TransactionResult): void {
    this.#call = undefined;
    this.#isWaiting = false;
    if (this.#isOver) return;
    this.#safely(() => {
      if (settled instanceof TransactionResult) this.#transacted(settled);
      else this.#happens(settledEvent(this.#work, call, settled));
    });
    this.go();
  }

  /** The step's work and its transition were one transaction, which the store has answered already. */
  #transacted({ answer, proposal, isOutage }: TransactionResult): void {
    const work = this.#work;
    if (answer === "signalled") {
      // All of it was rolled back, and the step runs again, knowing what came. What it did elsewhere has been done.
      this.#inbox.isUnseen = true;
      work.execution = { ...work.execution, takenBack: work.execution.takenBack + 1 };
      if (isOutage) this.#waitOut();
      return;
    }
    if (proposal !== undefined) {
      work.execution = proposal.execution;
      this.#event = proposal.event;
      if (answer !== undefined) this.#decision = proposal.decision;
    }
    // It was no batch of the committer's.
    if (answer !== undefined) this.#answered(answer, this.#host.storeNow());
  }

  /** Before anything of the execution runs with a list of steps that it does not know. */
  #checkDefinition(mismatch: DefinitionMismatch): void {
    this.#then(checkDefinition(this.#work, mismatch), (check) => {
      if (check instanceof StepwellError) return this.#turnAway(check);
      this.#mismatch = undefined;
      this.#list = check.definition;
      return this.#happens(check.event);
    });
  }

  /** What has completed stays so: only the request for which it was taken up can't be followed. */
  #turnAway(problem: StepwellError): void {
    if (this.execution.status !== "completed") return this.park(problem, true);
    this.#inbox.buryRequests();
    this.#host.report(problem);
  }

  /** A launcher that was cut off, frozen or starved comes back and says so: it is no death, and delays at most. */
  #countDeaths(): void {
    this.#then(this.#host.deaths(this.id), (deaths) => {
      const certain = deaths.filter(({ fate, sinceMs }) => fate === "died" || sinceMs >= longAbsence).length;
      if (certain >= mostDeaths) {
        const error = killerError(this.execution, certain);
        return this.#mismatch === undefined ? this.park(error) : this.#turnAway(error);
      }
      if (deaths.length >= mostDeaths) return this.#release(suspicionPause);
      this.#isCleared = true;
    });
  }

  #noteCall(): void {
    this.#then(this.#host.begin(this.id, this.execution.owner), (isOwned) => {
      this.#isNoted = true;
      if (!isOwned) this.#lost();
    });
  }

  /** For the next launcher, which must know of an attempt that was begun. */
  #cutOff(): void {
    const work = this.#work;
    work.execution = { ...work.execution, takenBack: work.execution.takenBack - 1 };
    this.#happens(eventAt(work.execution, { type: "cutOff" }, "cut-off"));
  }

  // ---- Committing -------------------------------------------------------------------------------

  /** @throws STEPWELL_INVARIANT_VIOLATED, which parks the execution */
  decide(work: Work, event: Event): Decision {
    const { definition, shape, observing } = this.#registered;
    const decision = decide(work.execution, event, {
      definition,
      shape,
      time: this.#host,
      mail: work.mail,
      observing,
      stopping: this.isStopping,
      list: this.#list,
      carried: this.#carries(),
      onExit: (reason) => exitReason(work, reason),
    });
    const broken = brokenInvariant(work.execution, event.what, decision.transition);
    if (broken !== undefined) throw invariantError(work.execution, broken);
    return decision;
  }

  #commit(happened: Event): void {
    const work = this.#work;
    if (this.#isQuiet(happened)) return this.#waitOn(happened.what.wait);
    // Not for a request or the workflow's deadline: those turn it whatever the step has given.
    const asks = happened.failedItself && !this.#isTurned();
    const event = asks ? recovered(work, happened, this.#step()) : happened;
    this.#event = event;
    this.#decision = this.decide(work, event);
    this.#isWaiting = true;
    const result = this.#host.committer.commit(this.#decision.transition, this);
    if (result !== undefined) this.#answered(result);
  }

  /** A request or the workflow's deadline turns the execution, whatever its step has given. */
  #isTurned(): boolean {
    const { execution, mail } = this.#work;
    const { shape } = this.#registered;
    return turnOf(execution, sift(mail, execution, shape).request, shape, this.#host) !== undefined;
  }

  /** Asked again, right after another time, and nothing to commit but how long it waits. */
  #isQuiet(event: Event): event is Event & { readonly what: { readonly type: "again" } } {
    const { position, unsaved, guardErrors } = this.execution;
    if (event.what.type !== "again" || !isPolling(position) || event.patch !== undefined) return false;
    return unsaved === null && guardErrors.length === 0 && this.#list === undefined && !this.#isTurned();
  }

  /** Waits on without a transition: whatever comes next commits the position as it is now. */
  #waitOn(wait: number): void {
    const work = this.#work;
    const { position } = work.execution;
    this.#event = undefined;
    const waiting = {
      ...position,
      uncounted: attemptOf(work.execution),
      polls: (position.polls ?? 0) + 1,
      resumeAt: this.#host.storeNowAtMost() + wait,
    };
    work.execution = { ...work.execution, position: waiting, isAhead: true, claims: 1, takenBack: 0 };
    this.#release(dueIn(work.execution, waiting, this.#registered.shape, this.#host));
  }

  /** Once in an activation, with its first commit. */
  #carries(): string | null {
    if (this.#toCarry === undefined)
      this.#toCarry = carriedBy("burst", this.execution.identity, this.#registered, this.#host);
    return this.#toCarry;
  }

  /** Lets go without a transition. Refused if something arrived meanwhile; then the loop looks again. */
  #release(dueInMs: number | null): void {
    const { execution, mail } = this.#work;
    const release = {
      id: this.id,
      owner: execution.owner,
      // Due at once, it is looked at again whatever has come.
      signals: dueInMs === 0 ? null : mail.signals,
      dueInMs,
      dead: mail.dead,
      ...(execution.isAhead && { position: execution.position }),
    };
    this.#isWaiting = true;
    const result = this.#host.committer.release(release, this);
    if (result !== undefined) this.#answered(result);
  }

  committed(result: CommitResult): void {
    if (this.#isOver) {
      // It heard that it was lost before its last commit was answered: that it was refused is told all the same.
      if (result === "lost" && this.#decision !== undefined) this.#host.report(lostError(this.execution));
      return;
    }
    this.#safely(() => this.#answered(result));
    this.go();
  }

  refused(error: unknown): void {
    this.#isWaiting = false;
    this.#decision = undefined;
    if (this.#isOver) return;
    // What the store can't take must not be asked of it again.
    if (!isRetryable(error)) {
      this.#work.dropPatches();
      if (this.#event !== undefined) this.#event = { ...this.#event, patch: undefined };
    }
    this.#broken(error);
    this.go();
  }

  /** The store's answer to a commit, or to a release where nothing was being committed. */
  #answered(result: CommitResult, at = this.#host.committer.at): void {
    this.#isWaiting = false;
    const decision = this.#decision;
    this.#decision = undefined;
    if (result === "signalled") this.#inbox.isUnseen = true;
    else if (result === "lost") this.#lost();
    else if (decision === undefined) this.#released();
    else this.#taken(decision, at);
  }

  #released(): void {
    const { dead } = this.#work.mail;
    if (dead.length > 0) this.#host.settled(dead);
    this.#rest();
  }

  #taken({ transition, action }: Decision, at: number): void {
    const work = this.#work;
    const event = this.#event;
    const { committed: before, execution: stood } = work;
    this.#event = undefined;
    work.committedWith(transition);
    if (transition.definition !== undefined) this.#list = undefined;
    this.#toCarry = null;
    if (transition.settled.length > 0) this.#host.settled(transition.settled.map(({ arrival }) => arrival));
    tellCommit(work, before, transition, event, at);
    this.#isRestUntold = transition.ends || action === "park";
    if (action === "park") this.#host.report(stuckError(work.execution));
    else if (transition.position.warned === true && stood.position.warned === undefined) this.#warn(stood, transition);
    if (event?.what.type === "retry" && work.execution.position.attempts === strugglingFrom)
      this.#host.report(strugglingError(work.execution, event.error));
    if (transition.rests) this.#rest();
  }

  /** Once for each execution, and not where an observer logs every failure. */
  #warn(stood: ActiveExecution, transition: Transition): void {
    if (this.#registered.observing.logs) return;
    const { fields, message } = failureWarning(stood, transition);
    this.#host.warn(fields, message);
  }

  // ---- From outside -----------------------------------------------------------------------------

  /** Something arrived for this execution. A running step is aborted if it must turn. */
  notice(): void {
    this.#inbox.isUnseen = true;
    if (this.#call === undefined) return this.go();
    // The attempt is what the loop waits for; this look must not set it going.
    this.#safely(() => {
      const looked = this.#inbox.look();
      if (!(looked instanceof Promise)) return this.#interrupt();
      looked.then(
        () => this.#safely(() => this.#interrupt()),
        (error: unknown) => this.#broken(error),
      );
    });
  }

  /** A step is running and something arrived: abort it if the execution is to turn. */
  #interrupt(): void {
    if (this.#call === undefined) return this.go();
    const { execution, mail } = this.#work;
    const { position } = execution;
    const { shape } = this.#registered;
    // What comes while the pivot runs is held: if the pivot succeeds, it is too late.
    if (position.direction === "down" || position.stepIndex === shape.pivot) return;
    const { request } = sift(mail, execution, shape);
    if (request?.type === "rollback")
      this.#call.abort("STEPWELL_ROLLBACK_REQUESTED", `A rollback was requested: ${request.request.reason}.`);
  }

  /** Comes to rest at the next commit; what waits for nothing is let go of at once. */
  stop(): void {
    this.isStopping = true;
    this.go();
  }

  /** Aborts what runs: the launcher's drain time is over. */
  abort(): void {
    this.#call?.abort("STEPWELL_LAUNCHER_STOPPING", "The launcher is stopping and its drain time is over.");
  }

  /**
   * Parks the execution where it stands, whatever direction it has; `go` commits it.
   *
   * @param untouched before anything of it was called
   */
  park(error: StepwellError, untouched = false): void {
    const what = { type: "parked", reason: error.code, untouched } as const;
    // What a step gave and was not committed is in the state, so it belongs into the history too.
    const patch = this.#event?.patch;
    this.#event = eventAt(this.execution, what, error.code, { error: serializeError(error), patch });
  }

  /** Another launcher has it: nothing more is committed here. */
  drop(): void {
    if (this.#isOver) return;
    this.#call?.abort("STEPWELL_OWNERSHIP_LOST", "Another launcher has taken the execution over.");
    this.#call?.abandon();
    this.#call = undefined;
    this.#leave();
  }

  // ---- What goes wrong --------------------------------------------------------------------------

  /** As `#safely`, without a closure: this is what is done most often. */
  #safeTurn(): void {
    try {
      this.#turn();
    } catch (error) {
      this.#broken(error);
    }
  }

  #safely(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Goes on with a value that may come later. */
  #then<T>(value: MaybePromise<T>, use: (value: T) => void = () => undefined): void {
    if (!(value instanceof Promise)) return use(value);
    this.#isWaiting = true;
    const goOn = (act: () => void): void => {
      this.#isWaiting = false;
      if (this.#isOver) return;
      this.#safely(act);
      this.go();
    };
    value.then(
      (it) => goOn(() => use(it)),
      (error: unknown) => goOn(() => this.#broken(error)),
    );
  }

  /**
   * Something that should not fail has failed. An outage of the store is waited out. Anything else must not hurt the others,
   * nor leave this execution stranded: it is parked, and if even that fails, put aside.
   */
  #broken(error: unknown): void {
    if (this.#isOver) return;
    if (isRetryable(error)) return this.#waitOut();
    // A step still runs: its end will be the moment to look again.
    if (this.#call !== undefined) {
      this.#inbox.isUnseen = true;
      return;
    }
    const told = brokenError(this.execution, error);
    this.#failures += 1;
    if (this.#failures === 1) return this.park(told);
    this.#host.report(told);
    if (this.#failures === 2) return this.#release(brokenPause);
    this.#leave();
  }

  #waitOut(): void {
    this.#inbox.isUnseen = true;
    if (this.#isWaiting) return;
    const { clock } = this.#host;
    this.#isWaiting = true;
    // Each after another time: a thousand that wait must not come back in one moment.
    clock.after(outagePause * (0.5 + clock.random()), () => {
      this.#isWaiting = false;
      this.go();
    });
  }

  /** Lets others have their turn: work that never waits must not keep the process to itself. */
  #breathe(): void {
    this.#isWaiting = true;
    this.#host.clock.soon(() => {
      this.#isWaiting = false;
      this.go();
    });
  }

  /** Another launcher has it; or, if a commit of this one was not heard of, it is given back to be taken up anew. */
  #lost(): void {
    if (this.#isLost) return this.#leave();
    this.#isLost = true;
    this.#host.report(lostError(this.execution));
    this.#release(0);
  }

  // ---- Waking and leaving -----------------------------------------------------------------------

  #wake(): void {
    if (this.#isAwake || this.#isOver) return;
    this.#isAwake = true;
    tellWake(this.#work, this.#lateMs);
  }

  #rest(): void {
    this.#isRested = !this.#isLost;
    this.#leave();
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isAwake) tellRest(this.#work, !this.#isRested);
    this.#owner.left(this);
  }
}
