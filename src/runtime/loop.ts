/**
 * Drives one execution, from its last commit to its next rest. Every turn of the loop is the same:
 * look at what arrived, do what is due, ask the router, commit, go on. What is due follows from the
 * committed flow alone, so a recovered execution and one that was never interrupted are one case.
 *
 * Nothing here awaits: a step, a store or a schema that answers at once costs no promise. Where one
 * does not, the loop stops and its answer starts it again.
 */
import { decode } from "../values/encode.js";
import type { StepDefinition } from "../definition/definition.js";
import { validate } from "../definition/schema.js";
import { isRetryable, StepwellError } from "../errors.js";
import { isPolling, strugglingFrom } from "../execution/position.js";
import { due, type Action } from "../execution/router.js";
import { serializeError } from "../values/serialize-error.js";
import type { CommitResult } from "../stores/batch.js";
import type { Transition, ExecutionRecord, MailboxRecord } from "../execution/records.js";
import type { MaybePromise } from "../stores/contract.js";
import type { CommitListener } from "../session/batch-entries.js";
import { beginning, recovered } from "./beginning.js";
import {
  attemptOf,
  activeExecution,
  happened,
  hasBegun,
  takeBack,
  tookOver,
  type ActiveExecution,
  type Happening,
} from "../execution/execution.js";
import { exitReason } from "./exiting.js";
import { checkDefinition, type DefinitionMismatch } from "./definition-check.js";
import { givenIn } from "../execution/history.js";
import type { Host, PendingMail } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { awaitedMessage, type Request } from "../execution/pending-mail.js";
import { Inbox } from "./inbox.js";
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
import { Runner } from "./runner.js";
import { Within } from "./store-transaction.js";
import { isTooLate, noteGuard, observe, type Delivery } from "./step-result.js";
import { carriedBy, tellCommit, tellRest, tellWake } from "./engine-events.js";
import { brokenInvariant, conclude, dueIn, dueWhileQueued, type Conclusion } from "../execution/transition.js";

/** So many processes died in a row with a function of it running: it is taken for what kills them. */
const mostDeaths = 10;

/** A launcher that was buried and has not come back for so long is taken for dead, in milliseconds. */
const longAbsence = 60 * 60 * 1000;

/** How long an execution is left alone that may have killed so many, while some of them may still come back, in milliseconds. */
const suspicionPause = 60_000;

/** After so many turns without a wait the drive lets others have theirs. */
const mostTurns = 256;

/** So many messages that are refused are given up together, and the execution is taken up anew. */
const mostDead = 64;

/** How long a drive waits before it tries again what the store could not do, in milliseconds, on the average. */
const outagePause = 500;

/** How long an execution is left alone that could not even be parked, in milliseconds. */
const brokenPause = 60_000;

/** What the launcher hears when an execution leaves its hands. */
export interface LoopOwner {
  /** It came to rest, or was let go of. */
  left(drive: ExecutionLoop): void;
}

export class ExecutionLoop implements CommitListener<CommitResult> {
  readonly id: string;
  readonly course: ActiveExecution;
  readonly #registered: Registered;
  readonly #host: Host;
  readonly #owner: LoopOwner;
  readonly #runner: Runner;
  /** What is to be committed. */
  #happening: Happening | undefined;
  /** What is being committed. */
  #conclusion: Conclusion | undefined;
  readonly #outside: Inbox;
  /** That it came to rest is committed, and those who want to know may not have heard of it. */
  #restUntold: boolean;
  readonly #lateMs: number;
  /** It knows another list of steps than the registered one, or is of another version, and was not looked at yet. */
  #misfit: DefinitionMismatch | undefined;
  /** The list that the next transition takes over. */
  #definition: Transition["definition"];
  #looping = false;
  #awake = false;
  /** What observers gave this burst of work to carry, until it is committed; undefined: they were not asked yet. */
  #toCarry: string | null | undefined;
  /** An answer is outstanding; it will start the loop again. */
  #waiting = false;
  /** The last turn was a look. What arrived in it refuses the next commit; to look again first might never end on a slow store. */
  #hasLooked = false;
  #initialised = false;
  /** It is not what killed processes. */
  #isCleared = false;
  /** That a function of it is called is in the store. */
  #isNoted = false;
  #stopping = false;
  #over = false;
  #rested = false;
  #isLost = false;
  /** How often something failed that should not. */
  #failures = 0;

  constructor(
    record: ExecutionRecord,
    state: object,
    owner: number,
    registered: Registered,
    host: Host,
    launcher: LoopOwner,
    lateMs = 0,
    misfit?: DefinitionMismatch,
    inbox?: PendingMail,
  ) {
    this.id = record.id;
    this.course = activeExecution(record, state, owner);
    this.#runner = new Runner(this.course, registered, host, {
      ran: (happen) => this.#ran(happen),
      conclude: (happening) => this.#concluded(happening),
    });
    this.#outside = new Inbox(this.course, registered.shape, host, inbox);
    // Taken up again when it had come to rest: a launcher died before it had told anyone.
    this.#restUntold = record.claims > 1;
    this.#registered = registered;
    this.#host = host;
    this.#owner = launcher;
    this.#lateMs = lateMs;
    this.#misfit = misfit;
  }

  /** Whether it left because there is nothing to do, rather than because it was dropped. */
  get isAtRest(): boolean {
    return this.#rested;
  }

  /** Goes on as far as it can without waiting. Never throws. */
  go(): void {
    if (this.#looping || this.#waiting) return;
    this.#looping = true;
    this.#wake();
    for (let turns = 0; !this.#over && !this.#waiting; turns++) {
      if (turns === mostTurns) this.#breathe();
      else this.#safeTurn();
    }
    this.#looping = false;
  }

  #wake(): void {
    if (this.#awake || this.#over) return;
    this.#awake = true;
    tellWake(this.course, this.#registered, this.#host, this.#lateMs);
  }

  /** Lets others have their turn: work that never waits must not keep the process to itself. */
  #breathe(): void {
    this.#waiting = true;
    this.#host.clock.soon(() => {
      this.#waiting = false;
      this.go();
    });
  }

  /** As `#safely`, without a closure: it is what is done most often. */
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

  /** Something arrived for this execution. A running step is aborted if it must turn. */
  notice(): void {
    this.#outside.isUnseen = true;
    if (!this.#runner.isRunning) return this.go();
    // The attempt is what the loop waits for; this look must not set it going.
    this.#safely(() => {
      const looked = this.#outside.look(this.#awaited());
      if (!(looked instanceof Promise)) return this.#interrupt();
      looked.then(
        () => this.#safely(() => this.#interrupt()),
        (error: unknown) => this.#broken(error),
      );
    });
  }

  /** Comes to rest at the next commit; what waits for nothing is let go of at once. */
  stop(): void {
    this.#stopping = true;
    this.#runner.isStopping = true;
    this.go();
  }

  /** Aborts what runs: the launcher's drain time is over. */
  abort(): void {
    this.#runner.abort("STEPWELL_LAUNCHER_STOPPING", "The launcher is stopping and its drain time is over.");
  }

  /**
   * Parks the execution where it stands, whatever direction it has; `go` commits it.
   *
   * @param untouched before anything of it was called
   */
  park(error: StepwellError, untouched = false): void {
    const event = { type: "parked", reason: error.code, untouched } as const;
    // What a step gave and was not committed is in the state, so it belongs into the history too.
    const patch = this.#happening?.patch;
    this.#happening = { ...happened(this.course, event, error.code, { error: serializeError(error) }), patch };
  }

  /** Another launcher has it: nothing more is committed here. */
  drop(): void {
    if (this.#over) return;
    this.#runner.abort("STEPWELL_OWNERSHIP_LOST", "Another launcher has taken the execution over.");
    this.#runner.abandon();
    this.#leave();
  }

  /** One thing at a time. */
  #turn(): void {
    const isUnseen = this.#outside.isUnseen && !(this.#hasLooked && this.#outside.hasTaken);
    this.#hasLooked = isUnseen;
    if (isUnseen || (this.#outside.isPartial && this.#outside.lacks(this.#awaited())))
      return this.#then(this.#outside.look(this.#awaited()));
    if (this.#happening !== undefined) return this.#commit(this.#happening);
    return this.#next();
  }

  /** What its step, if this list has it, waits for in its direction. */
  #awaited(): readonly string[] {
    const { stepIndex, direction } = this.course.position;
    const step = this.#registered.definition.steps[stepIndex];
    return Object.keys((direction === "up" ? step?.messages : step?.rollbackMessages) ?? {});
  }

  /** Goes on with a value that may come later. */
  #then<T>(value: MaybePromise<T>, use: (value: T) => void = () => undefined): void {
    if (!(value instanceof Promise)) return use(value);
    this.#waiting = true;
    const goOn = (act: () => void): void => {
      this.#waiting = false;
      if (this.#over) return;
      this.#safely(act);
      this.go();
    };
    value.then(
      (it) => goOn(() => use(it)),
      (error: unknown) => goOn(() => this.#broken(error)),
    );
  }

  /** What the checkpoint says is due. */
  #next(): void {
    const { course } = this;
    const action = due(course.position);
    if (this.#restUntold && (action === "none" || course.status === "stuck")) return this.#reportRest();
    if (this.#misfit !== undefined && this.#isAsked(action)) return this.#fit(this.#misfit);
    const { unreadable } = this.#outside;
    if (unreadable !== undefined) {
      this.#outside.unreadable = undefined;
      return this.#turnAway(unreadable);
    }
    const request = this.#outside.request();
    if (request !== undefined) return this.#follow(request);
    if (course.status === "stuck" || action === "none") return this.#letGo(null);
    if (this.#stopping) return this.#giveBack();
    if (this.#isSuspect()) return this.#judge((error) => this.park(error));
    if (this.#outside.deadlinePassed) return this.#follow("deadline");
    if (course.admission === "queued") return this.#letGo(dueWhileQueued(course, this.#host.storeNow()));
    const { resumeAt } = course.position;
    if (this.#isOverdue(action)) return void (this.#happening = this.#runner.overdue());
    if (resumeAt !== null && resumeAt > this.#host.storeNow()) return this.#letGo(this.#dueIn());
    if (action !== "wait" && this.#mustNote()) return this.#note();
    if (course.position.direction === "down" && course.given === undefined) return this.#then(this.#recall());
    if (action === "wait") return this.#deliver();
    if (action === "init" && !this.#init()) return;
    if (action === "startRollback") this.#startRollback();
    const step = this.#step()!;
    const first = beginning(course, step, this.#host);
    if (first !== undefined) return void (this.#happening = first);
    if (isTooLate(course, step, this.#registered, this.#host)) return this.#giveUp();
    return this.#execute();
  }

  /** One that is parked may stand where its list has none. */
  #step(): StepDefinition | undefined {
    return this.#registered.definition.steps[this.course.position.stepIndex];
  }

  /** The step's own deadline has passed. */
  #isOverdue(action: Action): boolean {
    const { stepDeadlineAt } = this.course.position;
    if (stepDeadlineAt === undefined || this.#step()?.deadline === undefined) return false;
    return (action === "execute" || action === "wait") && stepDeadlineAt <= this.#host.storeNow();
  }

  /** The time for tries is over before this one has begun: the step fails with what the last one failed with. */
  #giveUp(): void {
    const { course } = this;
    const { lastResult: reason } = course.position;
    const take = (rows: Awaited<ReturnType<Host["history"]>>): void => {
      const error = rows.findLast((row) => row.error !== undefined)?.error ?? null;
      const cause = awaitedMessage(course.pending, this.#step()!, course.position);
      const handled = course.position.stepFunc === "run" || course.position.stepFunc === "rollback" ? undefined : cause;
      this.#happening = happened(course, { type: "stepFailed", reason }, reason, {
        error,
        cause: handled,
        failedItself: true,
      });
    };
    this.#then(this.#host.history(this.id), take);
  }

  /** Whether there is anything to do for which the list of steps matters. */
  #isAsked(action: Action): boolean {
    const { status, pending } = this.course;
    return pending.some(({ kind }) => kind !== "message") || (action !== "none" && status !== "stuck");
  }

  /** Before anything of the execution runs with a list of steps that it does not know. */
  #fit(misfit: DefinitionMismatch): void {
    if (this.#stopping) return this.#letGo(0);
    if (this.#isSuspect()) return this.#judge((error) => this.#turnAway(error));
    if (this.#mustNote()) return this.#note();
    this.#then(checkDefinition(this.course, misfit, this.#host), (fit) => {
      if (fit instanceof StepwellError) return this.#turnAway(fit);
      this.#misfit = undefined;
      this.#definition = fit.definition;
      this.#happening = fit.happening;
    });
  }

  /** Only what was taken up more often can have so many deaths: the others need not be asked for. */
  #isSuspect(): boolean {
    return this.course.claims > mostDeaths && !this.#isCleared;
  }

  /** A launcher that was cut off, frozen or starved comes back and says so: it is no death, and delays at most. */
  #judge(condemn: (error: StepwellError) => void): void {
    this.#then(this.#host.deaths(this.id), (deaths) => {
      const certain = deaths.filter(({ fate, sinceMs }) => fate === "died" || sinceMs >= longAbsence).length;
      if (certain >= mostDeaths) return condemn(killerError(this.course, certain));
      if (deaths.length >= mostDeaths) return this.#letGo(suspicionPause);
      this.#isCleared = true;
    });
  }

  /** Whether it was taken up before without a commit: then it is noted before anything of it is called. */
  #mustNote(): boolean {
    return this.course.claims > 1 && !this.#isNoted;
  }

  #note(): void {
    this.#then(this.#host.begin(this.id, this.course.owner), (isOwned) => {
      this.#isNoted = true;
      if (!isOwned) this.#lost();
    });
  }

  /** What has completed stays so: only the request for which it was taken up can't be followed. */
  #turnAway(problem: StepwellError): void {
    if (this.course.status !== "completed") return this.park(problem, true);
    this.#outside.buryRequests();
    this.#host.report(problem);
  }

  /** For the next launcher, which must know of an attempt that was begun. */
  #giveBack(): void {
    const { course } = this;
    if (course.takenBack === 0) return this.#letGo(0);
    course.takenBack -= 1;
    this.#happening = happened(course, { type: "cutOff" }, "cut-off");
  }

  #dueIn(): number | null {
    return dueIn(this.course, this.course.position, this.#registered.shape, this.#host.storeNow());
  }

  #follow(request: Request | "deadline"): void {
    if (request === "deadline" || request.type === "rollback" || request.act.unchecked !== true) {
      this.#happening = this.#outside.follow(request);
      return;
    }
    this.#then(this.#outside.checked(request, this.#registered), (checked) => {
      if (checked !== undefined) this.#happening = this.#outside.follow(checked);
    });
  }

  /** False: a guard said no. */
  #init(): boolean {
    if (this.#initialised) return true;
    this.#initialised = true;
    const veto = observe("init", this.course, this.#registered, this.#host, { flow: this.course.position });
    if (veto === undefined) return true;
    const event = { type: "initVetoed", reason: veto.reason, begun: hasBegun(this.course) } as const;
    this.#happening = happened(this.course, event, veto.reason, { error: serializeError(veto.error) });
    return false;
  }

  #startRollback(): void {
    const { course } = this;
    const { position } = course;
    const veto = observe("startRollback", course, this.#registered, this.#host, {
      flow: position,
      step: { name: position.step, index: position.stepIndex },
      reason: position.reason,
      ...(position.error !== null && { error: position.error }),
    });
    if (veto !== undefined) noteGuard("startRollback", veto.error, course, this.#host);
    course.position = { ...position, lifecycle: "startRollback" };
  }

  /** Reads back what each step gave on the way up. */
  #recall(): MaybePromise<void> {
    const take = (rows: Awaited<ReturnType<Host["history"]>>): void => {
      this.course.given = givenIn(rows);
    };
    const rows = this.#host.history(this.id);
    return rows instanceof Promise ? rows.then(take) : take(rows);
  }

  /** A step waits: for a message that is there, for its timeout, or on. */
  #deliver(): void {
    const { course } = this;
    const { position } = course;
    const step = this.#registered.definition.steps[position.stepIndex]!;
    // Each look would have to read past them.
    if (course.dead.length >= mostDead) return this.#letGo(0);
    const arrival = awaitedMessage(course.pending, step, position);
    if (arrival !== undefined) {
      const schema = (position.direction === "up" ? step.messages : step.rollbackMessages)[arrival.name]!;
      let payload: unknown;
      try {
        payload = decode(arrival.payload.text);
      } catch (error) {
        return this.#refuseMessage(arrival, messageOf(error));
      }
      return this.#then(validate(schema, payload), (checked) => {
        if (checked.ok) {
          const delivered = { name: arrival.name, payload: checked.value, id: arrival.messageId ?? arrival.id };
          this.#execute({ arrival, delivered });
        } else this.#refuseMessage(arrival, checked.problem);
      });
    }
    if (position.waitUntil === null || position.waitUntil > this.#host.storeNow()) return this.#letGo(this.#dueIn());
    if (position.direction === "up" && step.onTimeout !== undefined) return this.#execute();
    this.#happening = this.#runner.timedOut();
  }

  #refuseMessage(arrival: MailboxRecord, problem: string): void {
    this.#outside.bury([arrival.id]);
    this.#host.report(refusedMessageError(this.course, arrival, problem));
  }

  /** Calls the function that is due. */
  #execute(message?: Delivery): void {
    if (this.#mustNote()) return this.#note();
    this.#happening = this.#runner.run(message);
    this.#waiting = this.#happening === undefined;
  }

  /** A function that did not answer at once has answered. */
  #ran(happen: () => Happening | Within): void {
    this.#waiting = false;
    if (this.#over) return;
    this.#safely(() => {
      const came = happen();
      if (came instanceof Within) this.#ranWithin(came);
      else this.#happening = came;
    });
    this.go();
  }

  /** The step's work and its transition were one transaction, which the store has answered already. */
  #ranWithin({ answer, happening, conclusion, isOutage }: Within): void {
    if (answer === undefined) this.#happening = happening;
    else if (answer === "signalled") {
      // All of it was rolled back, and the step runs again, knowing what came. What it did elsewhere has been done.
      this.#outside.isUnseen = true;
      this.course.takenBack += 1;
      if (isOutage) this.#waitOut();
    } else {
      this.#happening = happening;
      this.#conclusion = conclusion;
      // It was no batch of the committer's.
      this.#answered(answer, this.#host.storeNow());
    }
  }

  /** A step is running and something arrived: abort it if the execution is to turn. */
  #interrupt(): void {
    if (!this.#runner.isRunning) return this.go();
    const { position } = this.course;
    // What comes while the pivot runs is held: if the pivot succeeds, it is too late.
    if (position.direction === "down" || position.stepIndex === this.#registered.shape.pivot) return;
    const request = this.#outside.request();
    if (request?.type !== "rollback") return;
    this.#runner.abort("STEPWELL_ROLLBACK_REQUESTED", `A rollback was requested: ${request.request.reason}.`);
  }

  /** @throws STEPWELL_INVARIANT_VIOLATED, which parks the execution */
  #concluded(happening: Happening): Conclusion {
    const conclusion = conclude(this.course, happening, this.#circumstances());
    const broken = brokenInvariant(this.course, happening, conclusion.transition);
    if (broken !== undefined) throw invariantError(this.course, broken);
    // What is parked keeps the list that it knows: a later launcher looks again.
    if (this.#definition === undefined || happening.event.type === "parked") return conclusion;
    return { ...conclusion, transition: { ...conclusion.transition, definition: this.#definition } };
  }

  #commit(happened: Happening): void {
    if (this.#isQuiet(happened)) return this.#waitOn(happened.event.wait);
    // Not for a request or the workflow's deadline: those turn it whatever the step has given.
    const asks = happened.failedItself === true && this.#outside.turn() === undefined;
    const happening = asks ? recovered(happened, this.course, this.#step(), this.#host) : happened;
    this.#happening = happening;
    this.#conclusion = this.#concluded(happening);
    this.#waiting = true;
    const result = this.#host.committer.commit(this.#conclusion.transition, this);
    if (result !== undefined) this.#answered(result);
  }

  /** Again, right after another one, and nothing to commit but how long it waits. */
  #isQuiet(happening: Happening): happening is Happening & { readonly event: { readonly type: "again" } } {
    const { course } = this;
    if (happening.event.type !== "again" || !isPolling(course.position) || happening.patch !== undefined) return false;
    const isNews = course.unsaved !== null || course.guardErrors.length > 0 || this.#definition !== undefined;
    return !isNews && this.#outside.turn() === undefined;
  }

  /** Waits on without a transition: whatever comes next commits the position as it is now. */
  #waitOn(wait: number): void {
    const { course } = this;
    const { position } = course;
    this.#happening = undefined;
    course.position = {
      ...position,
      uncounted: attemptOf(course),
      polls: (position.polls ?? 0) + 1,
      resumeAt: this.#host.storeNowAtMost() + wait,
    };
    course.isUnsaved = true;
    course.claims = 1;
    course.takenBack = 0;
    this.#letGo(this.#dueIn());
  }

  #circumstances(): Parameters<typeof conclude>[2] {
    const { course } = this;
    const { definition, shape, observing } = this.#registered;
    const step = definition.steps[course.position.stepIndex];
    return {
      definition,
      shape,
      clock: this.#host,
      // Until it is one of this version, this list can't say whether anything turns it.
      turn: this.#happening?.event.type === "migrated" ? undefined : this.#outside.turn(),
      // A parked one may stand where this list has no step.
      messageWaits: step !== undefined && awaitedMessage(course.pending, step, course.position) !== undefined,
      observing,
      stopping: this.#stopping,
      carried: this.#carries(),
      onExit: (reason) => exitReason(reason, course, this.#registered, this.#host),
    };
  }

  /** Once in a burst, with its first commit. */
  #carries(): string | null {
    if (this.#toCarry === undefined)
      this.#toCarry = carriedBy("burst", this.course.identity, this.#registered, this.#host);
    return this.#toCarry;
  }

  committed(result: CommitResult): void {
    if (this.#over) {
      // It heard that it was lost before its last commit was answered: that it was refused is told all the same.
      if (result === "lost" && this.#conclusion !== undefined) this.#host.report(lostError(this.course));
      return;
    }
    this.#safely(() => this.#answered(result));
    this.go();
  }

  refused(error: unknown): void {
    this.#waiting = false;
    this.#conclusion = undefined;
    if (this.#over) return;
    // What the store can't take must not be asked of it again.
    if (!isRetryable(error)) this.#forget();
    this.#broken(error);
    this.go();
  }

  /** The state is again as it was at the last commit. */
  #forget(): void {
    takeBack(this.course);
    if (this.#happening?.patch !== undefined) this.#happening = { ...this.#happening, patch: undefined };
  }

  /** The store's answer to a commit, or to a release where nothing was being committed. */
  #answered(result: CommitResult, at = this.#host.committer.at): void {
    this.#waiting = false;
    const conclusion = this.#conclusion;
    this.#conclusion = undefined;
    if (result === "signalled") this.#outside.isUnseen = true;
    else if (result === "lost") this.#lost();
    else if (conclusion === undefined) this.#released();
    else this.#taken(conclusion, at);
  }

  #released(): void {
    const { dead } = this.course;
    if (dead.length > 0) this.#host.settled(dead);
    this.#rest();
  }

  #taken({ transition, action }: Conclusion, at: number): void {
    const { course } = this;
    const happening = this.#happening;
    this.#happening = undefined;
    const before = course.saved;
    const stood = { identity: course.identity, position: course.position };
    tookOver(course, transition);
    if (transition.definition !== undefined) this.#definition = undefined;
    this.#toCarry = null;
    if (transition.settled.length > 0) this.#host.settled(transition.settled.map(({ arrival }) => arrival));
    tellCommit(course, this.#registered, this.#host, before, transition, happening, at);
    this.#restUntold = transition.ends || action === "park";
    if (action === "park") this.#host.report(stuckError(course));
    else if (transition.position.warned === true && stood.position.warned === undefined) this.#warn(stood, transition);
    if (happening?.event.type === "retry" && course.position.attempts === strugglingFrom)
      this.#host.report(strugglingError(course, happening.error));
    if (transition.rests) this.#rest();
  }

  /** Once for each execution, and not where an observer logs every failure. */
  #warn(stood: Pick<ActiveExecution, "identity" | "position">, transition: Transition): void {
    if (this.#registered.observing.logs) return;
    const { fields, message } = failureWarning(stood, transition);
    this.#host.warn(fields, message);
  }

  /** It has come to rest, and that is committed: tell those who want to know. */
  #reportRest(): void {
    const { course } = this;
    const { position, status } = course;
    const isStuck = status === "stuck";
    const reason = isStuck && position.direction === "up" ? position.lastResult : position.reason;
    const error = isStuck ? position.stuckBy : position.error;
    // It is committed: what a guard gives back now is not stored, so nobody may see it either.
    const callback = isStuck ? "stuck" : status === "completed" ? "success" : "failure";
    const veto = observe(callback, course, this.#registered, this.#host, {
      flow: position,
      reason,
      ...(isStuck && { step: { name: position.step, index: position.stepIndex } }),
      ...(error !== null && { error }),
    });
    if (veto !== undefined) noteGuard(callback, veto.error, course, this.#host);
    this.#forget();
    this.#restUntold = false;
  }

  /** Lets go without a transition. Refused if something arrived meanwhile; then the loop looks again. */
  #letGo(dueInMs: number | null): void {
    const { course } = this;
    const release = {
      id: this.id,
      owner: course.owner,
      // Due at once, it is looked at again whatever has come.
      signals: dueInMs === 0 ? null : course.signals,
      dueInMs,
      dead: course.dead,
      ...(course.isUnsaved && { position: course.position }),
    };
    this.#waiting = true;
    const result = this.#host.committer.release(release, this);
    if (result !== undefined) this.#answered(result);
  }

  /** Another launcher has it; or, if a commit of this one was not heard of, it is given back to be taken up anew. */
  #lost(): void {
    if (this.#isLost) return this.#leave();
    this.#isLost = true;
    this.#host.report(lostError(this.course));
    this.#letGo(0);
  }

  /**
   * Something that should not fail has failed. An outage of the store is waited out. Anything else must
   * not hurt the others, nor leave this one stranded: it is parked, and if even that fails, put aside.
   */
  #broken(error: unknown): void {
    if (this.#over) return;
    if (isRetryable(error)) return this.#waitOut();
    // A step still runs: its end will be the moment to look again.
    if (this.#runner.isRunning) {
      this.#outside.isUnseen = true;
      return;
    }
    const told = brokenError(this.course, error);
    this.#failures += 1;
    if (this.#failures === 1) return this.park(told);
    this.#host.report(told);
    if (this.#failures === 2) return this.#letGo(brokenPause);
    this.#leave();
  }

  #waitOut(): void {
    this.#outside.isUnseen = true;
    if (this.#waiting) return;
    this.#waiting = true;
    const { clock } = this.#host;
    // Each after another time: a thousand that wait must not come back in one moment.
    clock.after(outagePause * (0.5 + clock.random()), () => {
      this.#waiting = false;
      this.go();
    });
  }

  #rest(): void {
    this.#rested = !this.#isLost;
    this.#leave();
  }

  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#awake) tellRest(this.course, this.#registered, this.#host, !this.#rested);
    this.#owner.left(this);
  }
}
