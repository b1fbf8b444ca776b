/**
 * Drives one execution, from its last commit to its next rest. Every turn of the loop is the same: look at what arrived, ask
 * what is next, do that, commit what happened. What is next follows from the committed execution, so one that was recovered
 * and one that was never interrupted are one case.
 *
 * Nothing here awaits: a step, a store or a schema that answers at once costs no promise. Where one does not, the loop stops
 * and the answer starts it again.
 */
import { isRetryable, StepwellError } from "../errors.js";
import { dueIn } from "../execution/decide.js";
import type { Event } from "../execution/events.js";
import { type ActiveExecution, executionWith } from "../execution/execution.js";
import { isParents, turns } from "../execution/mail.js";
import { mustNote, type Task } from "../execution/next.js";
import type { ExecutionRecord, MailboxRecord } from "../execution/records.js";
import type { Settled } from "../execution/step-result.js";
import type { CommitResult } from "../stores/batch.js";
import type { CommitListener } from "../session/batch-entries.js";
import type { Host, PendingMail } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { begunChildren, isPutToChild, lookedAt, overdueChildren, putToChild } from "./children.js";
import { stepOverdueEvent, type Call } from "./call.js";
import { Commits } from "./commits.js";
import { CurrentMoment } from "./current-moment.js";
import { checkDefinition, type DefinitionMismatch } from "./definition-check.js";
import { tellRest, tellWake } from "./engine-events.js";
import { Inbox } from "./inbox.js";
import { reportRest } from "./observing.js";
import { brokenError, lostError } from "./reports.js";
import { lacksRewindBase, recall } from "./rewinding.js";
import { eventOf, StepRunner, type RunnerOwner } from "./step-runner.js";
import { TransactionResult, type Proposal } from "./store-transaction.js";
import { suspicion } from "./suspicion.js";
import { Turns } from "./turns.js";
import { Work } from "./work.js";

/** How long an execution is left alone that could not even be parked, in milliseconds. */
const brokenPause = 60_000;

/** What the worker hears when an execution leaves its hands. */
export interface LoopOwner {
  /** @param isAtRest there is nothing to do now, rather than that it was dropped or lost */
  left(loop: ExecutionLoop, isAtRest: boolean): void;
}

/** How an execution was taken up. */
export interface TakenUp {
  /** For how long it had been due, in milliseconds. Default: 0. */
  readonly lateMs?: number;
  /** Set: it knows another list of steps than the registered one, or is of another version. */
  readonly mismatch?: DefinitionMismatch | undefined;
  /** Its mail, if that was read with the claim. */
  readonly mail?: PendingMail | undefined;
  /** Set: its state can't be read, so it is parked. */
  readonly problem?: StepwellError | undefined;
}

export class ExecutionLoop extends Turns implements CommitListener<CommitResult>, RunnerOwner {
  readonly id: string;
  readonly #work: Work;
  readonly #host: Host;
  readonly #owner: LoopOwner;
  readonly #inbox: Inbox;
  readonly #lateMs: number;
  readonly #runner: StepRunner;
  readonly #commits: Commits;
  readonly #moment: CurrentMoment;
  #isAwake = false;
  /** The last turn was a look. What arrived in it refuses the next commit; to look again first might never end on a slow store. */
  #hasLooked = false;
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
    { lateMs = 0, mismatch, mail, problem }: TakenUp = {},
  ) {
    super(host.clock);
    this.id = record.id;
    this.#work = new Work(record, state, ownerId, registered, host);
    this.#inbox = new Inbox(this.#work, mail);
    this.#runner = new StepRunner(this.#work, this);
    this.#commits = new Commits(this.#work, this);
    this.#host = host;
    this.#owner = owner;
    this.#lateMs = lateMs;
    this.#moment = new CurrentMoment(this.#work, this.#inbox, mismatch);
    if (problem !== undefined) this.#commits.park(problem, true);
  }

  get execution(): ActiveExecution {
    return this.#work.execution;
  }

  // ---- The loop ---------------------------------------------------------------------------------

  /** One thing at a time. */
  protected turn(): void {
    const { isUnseen: isNew, isUnchecked, hasTaken } = this.#inbox;
    const isUnseen = (isNew || isUnchecked) && !(this.#hasLooked && hasTaken);
    this.#hasLooked = isUnseen;
    if (isUnseen || this.#inbox.lacks) return this.goOnWith(this.#inbox.look());
    const { event } = this.#commits;
    return event === undefined ? this.#act(this.#moment.next()) : this.#commit(event);
  }

  #act(task: Task): void {
    switch (task.type) {
      case "tellRest":
        return reportRest(this.#work);
      case "checkDefinition":
        return this.#checkDefinition(this.#moment.mismatch!);
      case "turnAway":
        this.#inbox.unreadable = undefined;
        return this.#turnAway(task.error);
      case "follow":
        return this.#follow(task.request);
      case "release":
        return this.#release(task.dueInMs);
      case "countDeaths":
        return this.#countDeaths();
      case "noteCall":
        return this.#noteCall();
      case "stepOverdue":
        return this.#overdue();
      case "recall":
        return this.goOnWith(recall(this.#work));
      case "children":
        return this.goOnWith(lookedAt(this.#work), this.#seen);
      case "handle":
        return this.#handle(task.message);
      case "probe":
      case "parkInDoubt":
      case "cutOff":
      case "fail":
      case "waitTimedOut":
      case "call":
        return this.goOnWith(this.#runner.act(task), this.#called);
    }
  }

  #follow(request: Extract<Task, { type: "follow" }>["request"]): void {
    if ((request === "deadline" || turns(request)) && isPutToChild(this.#work)) return this.#putToChild();
    this.goOnWith(this.#inbox.follow(request), (event) => this.#happens(event));
  }

  /** Only the end of the child wakes the execution: what has asked for it has come. */
  #putToChild(): void {
    this.goOnWith(putToChild(this.#work), (event) =>
      event === undefined ? this.#release(null) : this.#happens(event),
    );
  }

  #overdue(): void {
    if (isPutToChild(this.#work)) return this.#putToChild();
    if (this.#work.step?.children === undefined) return this.#happens(stepOverdueEvent(this.#work));
    this.goOnWith(overdueChildren(this.#work), (event) => this.#happens(event ?? stepOverdueEvent(this.#work)));
  }

  /** Undefined: the children are not settled, and what becomes of them wakes the execution. */
  readonly #seen = (event: Event | undefined): void => {
    if (event !== undefined) return this.#happens(event);
    const { execution, registered } = this.#work;
    this.#release(dueIn(execution, execution.position, registered.shape, this.#host));
  };

  /** The event is committed with the next turn. */
  #happens(event: Event | undefined): void {
    this.#commits.event = event;
  }

  // ---- Acting -----------------------------------------------------------------------------------

  /** A message that the step waits for is checked, and handed to its handler. */
  #handle(arrival: MailboxRecord): void {
    this.goOnWith(this.#runner.checked(arrival), (message) => {
      if (message === undefined) return;
      if (mustNote(this.execution, this.#moment)) return this.#noteCall();
      return this.goOnWith(this.#runner.call(message), this.#called);
    });
  }

  /** Opens a list of them, or looks at the one that the step has. */
  beginChildren(): Promise<Event> {
    return begunChildren(this.#work);
  }

  /** A function that does not answer at once is waited for. */
  readonly #called = (event: Event | undefined): void => {
    this.#commits.event = event;
    this.isWaiting = this.#runner.isRunning;
  };

  /** A function that did not answer at once has answered. */
  settled(call: Call, settled: Settled | TransactionResult): void {
    this.#runner.ended();
    this.isWaiting = false;
    if (this.isOver) return;
    this.safely(() => {
      if (settled instanceof TransactionResult) this.#transacted(settled);
      else this.#happens(eventOf(this.#work, call, settled));
    });
    this.go();
  }

  /** The step's work and its transition were one transaction, which the store has answered already. */
  #transacted({ answer, proposal, isOutage }: TransactionResult): void {
    const work = this.#work;
    if (answer === "signalled") {
      // All of it was rolled back, and the step runs again, knowing what came. What it did elsewhere has been done.
      this.#inbox.isUnseen = true;
      work.execution = executionWith(work.execution, { uncommittedAttempts: work.execution.uncommittedAttempts + 1 });
      if (isOutage) this.#waitOut();
      return;
    }
    if (proposal !== undefined) this.#commits.adopt(proposal, answer !== undefined);
    // It was no batch of the committer's.
    if (answer !== undefined) this.#answered(answer, this.#host.storeNow());
  }

  /** Before anything of the execution runs with a list of steps that it does not know. */
  #checkDefinition(mismatch: DefinitionMismatch): void {
    this.goOnWith(checkDefinition(this.#work, mismatch), (check) => {
      if (check instanceof StepwellError) return this.#turnAway(check);
      this.#moment.mismatch = undefined;
      this.#commits.list = check.definition;
      return this.#happens(check.event);
    });
  }

  /** What has completed stays so: only the request for which it was taken up can't be followed. */
  #turnAway(problem: StepwellError, untouched = true): void {
    if (this.execution.status !== "completed" || this.#work.mail.pending.some(isParents))
      return this.#commits.park(problem, untouched);
    this.#inbox.buryRequests();
    this.#host.report(problem);
  }

  #countDeaths(): void {
    this.goOnWith(this.#host.store.deaths(this.id), (deaths) => {
      const found = suspicion(this.execution, deaths);
      if (found === undefined) this.#moment.isCleared = true;
      else if (typeof found === "number") this.#release(found);
      else if (this.#moment.mismatch === undefined) this.#commits.park(found);
      else this.#turnAway(found);
    });
  }

  #noteCall(): void {
    this.goOnWith(this.#host.store.begin(this.id, this.execution.owner), (isOwned) => {
      this.#moment.isNoted = true;
      if (!isOwned) this.#lost();
    });
  }

  // ---- Committing -------------------------------------------------------------------------------

  propose(copy: Work, call: Call, value: unknown): Proposal {
    return this.#commits.propose(copy, eventOf(copy, call, { kind: "returned", value }));
  }

  #commit(happened: Event): void {
    if (this.#commits.isQuiet(happened)) return this.#release(this.#commits.waitOn(happened));
    if (lacksRewindBase(this.#work)) return this.goOnWith(recall(this.#work, true));
    const { transition } = this.#commits.decide(happened);
    this.isWaiting = true;
    const result = this.#commits.commit(transition);
    if (result !== undefined) this.#answered(result);
  }

  /** Lets go without a transition; refused if something arrived meanwhile, and then the loop looks again. */
  #release(dueInMs: number | null): void {
    this.isWaiting = true;
    const result = this.#commits.release(dueInMs);
    if (result !== undefined) this.#answered(result);
  }

  committed(result: CommitResult): void {
    if (this.isOver) return this.#commits.answeredLate(result);
    this.safely(() => this.#answered(result));
    this.go();
  }

  refused(error: unknown): void {
    this.isWaiting = false;
    if (this.isOver) return;
    this.#commits.refused(error);
    this.broken(error);
    this.go();
  }

  /** The store's answer to a commit, or to a release where nothing was being committed. */
  #answered(result: CommitResult, at = this.#host.committer.at): void {
    this.isWaiting = false;
    const rests = this.#commits.answered(result, at);
    if (result === "signalled") this.#inbox.isUnseen = true;
    else if (result === "lost") this.#lost();
    else if (rests) this.#leave(!this.#isLost);
  }

  // ---- From outside -----------------------------------------------------------------------------

  /** Something arrived for this execution. A running step is aborted if it must turn. */
  notice(): void {
    this.#inbox.isUnseen = true;
    if (!this.#runner.isRunning) return this.go();
    // The attempt is what the loop waits for; this look must not set it going.
    this.safely(() => {
      const looked = this.#inbox.look();
      if (!(looked instanceof Promise)) return this.#interrupt();
      looked.then(
        () => this.safely(() => this.#interrupt()),
        (error: unknown) => this.broken(error),
      );
    });
  }

  /** A step is running and something arrived: abort it if the execution is to turn. */
  #interrupt(): void {
    if (!this.#runner.isRunning) return this.go();
    const request = this.#moment.interruption;
    if (request !== undefined)
      this.#runner.abort("STEPWELL_ROLLBACK_REQUESTED", `A ${request.type} was requested: ${request.request.reason}.`);
  }

  /** Comes to rest at the next commit; what waits for nothing is let go of at once. */
  stop(): void {
    this.#work.isStopping = true;
    this.go();
  }

  /** Aborts what runs: the launcher's drain time is over. */
  abort(): void {
    this.#runner.abort("STEPWELL_LAUNCHER_STOPPING", "The launcher is stopping and its drain time is over.");
  }

  /** Another launcher has it: nothing more is committed here. */
  drop(): void {
    if (this.isOver) return;
    this.#runner.abort("STEPWELL_OWNERSHIP_LOST", "Another launcher has taken the execution over.");
    this.#runner.abandon();
    this.#leave();
  }

  // ---- What goes wrong --------------------------------------------------------------------------

  /**
   * Something that should not fail has failed. An outage of the store is waited out. Anything else must not hurt the others,
   * nor leave this execution stranded: it is parked, and if even that fails, put aside.
   */
  protected broken(error: unknown): void {
    if (this.isOver) return;
    if (isRetryable(error)) return this.#waitOut();
    // A step still runs: its end will be the moment to look again.
    if (this.#runner.isRunning) {
      this.#inbox.isUnseen = true;
      return;
    }
    const told = brokenError(this.execution, error);
    this.#failures += 1;
    if (this.#failures === 1) return this.#turnAway(told, false);
    this.#host.report(told);
    if (this.#failures === 2) return this.#release(brokenPause);
    this.#leave();
  }

  #waitOut(): void {
    this.#inbox.isUnseen = true;
    this.waitOut();
  }

  /** Another launcher has it; or, if a commit of this one was not heard of, it is given back to be taken up anew. */
  #lost(): void {
    if (this.#isLost) return this.#leave();
    this.#isLost = true;
    this.#host.report(lostError(this.execution));
    this.#release(0);
  }

  // ---- Waking and leaving -----------------------------------------------------------------------

  protected woken(): void {
    if (this.#isAwake || this.isOver) return;
    this.#isAwake = true;
    tellWake(this.#work, this.#lateMs);
  }

  #leave(isAtRest = false): void {
    if (this.isOver) return;
    this.isOver = this.#work.isLeft = true;
    if (this.#isAwake) tellRest(this.#work, !isAtRest);
    this.#owner.left(this, isAtRest);
  }
}
