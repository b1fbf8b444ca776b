/**
 * For tests: lives through every life that an execution of a small workflow can have, decision by decision.
 *
 * It plays the engine (asks what is next, decides what happened) and the world: functions that answer in every way, guards,
 * messages, requests, operators, crashes, shutdowns, time. It keeps books of its own on what the steps may have done, and
 * holds each decision against them. Each thing that the world does is bounded, so that lives come to an end.
 */
import { again, complete, didNotHappen, fail, happened, pause, unknown } from "../../src/index.js";
import type { StepDefinition, WorkflowDefinition } from "../../src/definition/definition.js";
import { outlineOf } from "../../src/definition/outline.js";
import { decide } from "../../src/execution/decide.js";
import { shapeOf } from "../../src/execution/definition-change.js";
import { openDoubt, withDoubtRecorded } from "../../src/execution/doubt.js";
import { answerOf, inDoubtReason, resolved } from "../../src/execution/probe-answer.js";
import { eventAt, operatorEvent, type Event, type Happened } from "../../src/execution/events.js";
import { attemptOf, committedAs, hasBegun, leftNothing, type ActiveExecution } from "../../src/execution/execution.js";
import { brokenInvariant } from "../../src/execution/invariants.js";
import { mailAfter, sift, turnOf, type Mail } from "../../src/execution/mail.js";
import { nextTask, type Task } from "../../src/execution/next.js";
import { initialFlow, type Position } from "../../src/execution/position.js";
import type { MailboxRecord, Transition } from "../../src/execution/records.js";
import type { RoutedEvent, Shape } from "../../src/execution/router.js";
import {
  resultOf,
  waitTimedOut,
  type Settled,
  type SettledCall,
  type CallFacts,
} from "../../src/execution/step-result.js";
import { StepwellError } from "../../src/errors.js";
import { encode } from "../../src/values/encode.js";

/** What is lived through; a test of the checks hands in a faulty one. */
export interface Machine {
  readonly decide: typeof decide;
  readonly nextTask: typeof nextTask;
}

/** What the world may still do. */
interface Budget {
  readonly crashes: number;
  readonly messages: number;
  readonly requests: number;
  readonly rewinds: number;
  readonly acts: number;
  readonly shutdowns: number;
  readonly vetoes: number;
  readonly parkings: number;
  readonly migrations: number;
  readonly odd: number;
}

/** What the world knows of what the steps did. */
interface Books {
  /** Steps whose effects may stand, in the order in which they came to be. */
  readonly standing: readonly number[];
  /** Steps that were done or passed over on the way up. */
  readonly done: readonly number[];
  readonly pivotDone: boolean;
  /** Why it turned; undefined: it goes up. */
  readonly reason: string | undefined;
  /** The last attempt at a step's own function, by step and direction: its number never comes twice. */
  readonly attempt: { readonly of: string; readonly number: number };
}

interface Life {
  readonly execution: ActiveExecution;
  readonly mail: Mail;
  readonly now: number;
  readonly stopping: boolean;
  readonly budget: Budget;
  readonly books: Books;
}

export interface Lived {
  /** How many different moments there were. */
  readonly moments: number;
  readonly ends: Readonly<Record<string, number>>;
  /** Which events were decided. */
  readonly events: ReadonlySet<RoutedEvent["type"]>;
  readonly tasks: ReadonlySet<Task["type"]>;
  /** All that was wrong, each with what led there. */
  readonly problems: readonly string[];
}

export function live(
  definition: WorkflowDefinition,
  budget: Partial<Budget>,
  machine: Machine = { decide, nextTask },
  deadlineAt: number | null = null,
): Lived {
  const walker = new Walker(definition, machine);
  walker.begin({ ...nothing, ...budget }, deadlineAt);
  return walker.lived;
}

const nothing: Budget = {
  crashes: 0,
  messages: 0,
  requests: 0,
  rewinds: 0,
  acts: 0,
  shutdowns: 0,
  vetoes: 0,
  parkings: 0,
  migrations: 0,
  odd: 0,
};

class Walker {
  readonly #definition: WorkflowDefinition;
  readonly #machine: Machine;
  readonly #shape: Shape;
  readonly #seen = new Set<string>();
  readonly #ends: Record<string, number> = {};
  readonly #events = new Set<RoutedEvent["type"]>();
  readonly #tasks = new Set<Task["type"]>();
  readonly #problems = new Map<string, string>();
  /** Moments that are still to be lived through, with what led there. */
  readonly #open: [life: Life, path: readonly string[]][] = [];

  constructor(definition: WorkflowDefinition, machine: Machine) {
    this.#definition = definition;
    this.#machine = machine;
    this.#shape = shapeOf(outlineOf(definition.steps));
  }

  get lived(): Lived {
    const problems = Array.from(this.#problems, ([problem, path]) => `${problem}: ${path}`);
    return { moments: this.#seen.size, ends: this.#ends, events: this.#events, tasks: this.#tasks, problems };
  }

  begin(budget: Budget, deadlineAt: number | null): void {
    const books = { standing: [], done: [], pivotDone: false, reason: undefined, attempt: { of: "", number: 0 } };
    const mail = { signals: 0, pending: [], dead: [] };
    const execution = newExecution(this.#definition.steps[0]!.name, deadlineAt);
    this.#meet({ execution, mail, now: 0, stopping: false, budget, books }, []);
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) this.#go(...next);
  }

  #meet(life: Life, path: readonly string[]): void {
    const key = keyOf(life);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#open.push([life, path]);
  }

  #wrong(problem: string, path: readonly string[]): void {
    if (!this.#problems.has(problem)) this.#problems.set(problem, path.join(", "));
  }

  #step({ execution }: Life) {
    return this.#definition.steps[execution.position.stepIndex]!;
  }

  /** One turn of the engine, and all that the world may do meanwhile. */
  #go(life: Life, path: readonly string[]): void {
    const found = sift(life.mail, life.execution, this.#shape);
    const mail = found?.mail ?? life.mail;
    const sifted = { ...life, mail };
    const task = this.#machine.nextTask(life.execution, {
      step: this.#step(life),
      shape: this.#shape,
      time: timeOf(life),
      mail,
      request: found?.request,
      unreadable: undefined,
      isRestUntold: false,
      isMismatched: false,
      stopping: life.stopping,
      isCleared: true,
      isNoted: true,
      isRecalled: true,
    });
    this.#tasks.add(task.type);
    if (!life.stopping && life.budget.shutdowns > 0)
      this.#meet({ ...spend(sifted, "shutdowns"), stopping: true }, [...path, "stop"]);
    // What has completed stays so: only its request is given up.
    if (life.budget.parkings > 0 && task.type !== "release" && life.execution.status !== "completed")
      for (const untouched of [true, false])
        this.#commit(spend(sifted, "parkings"), this.#park(sifted, untouched), path);
    if (life.budget.migrations > 0 && task.type !== "release")
      this.#commit(spend(sifted, "migrations"), migrate(sifted, this.#step(life)), path);
    this.#act(task, sifted, path);
  }

  #act(task: Task, life: Life, path: readonly string[]): void {
    switch (task.type) {
      case "release":
        // It counts as if it had not been taken up.
        return this.#rest(life, task.dueInMs, path, life.execution.claims);
      case "follow":
        return this.#follow(task.request, life, path);
      case "cutOff": {
        const execution = { ...life.execution, uncommittedAttempts: life.execution.uncommittedAttempts - 1 };
        return this.#commit({ ...life, execution }, eventAt(execution, { type: "cutOff" }, "cut-off"), path);
      }
      case "stepOverdue":
        return this.#settle(life, { kind: "timedOut", error: late, isFinal: true }, false, undefined, path);
      case "waitTimedOut": {
        const { execution, event } = waitTimedOut(life.execution, late, this.#callOf(life, false), this.#facts(life));
        return this.#commit({ ...life, execution }, event, path);
      }
      case "handle":
        return this.#call(life, task.message, path);
      case "probe":
        return this.#probe(life, path);
      case "parkInDoubt": {
        const what = { type: "probed", reason: inDoubtReason, wait: null, parks: true } as const;
        return this.#commit(life, eventAt(life.execution, what, inDoubtReason), path);
      }
      case "fail": {
        const failed = { type: "stepFailed", reason: task.reason } as const;
        return this.#commit(life, eventAt(life.execution, failed, task.reason, { failedItself: true }), path);
      }
      case "call":
        return task.action === "wait" ? this.#call(life, undefined, path) : this.#begin(life, path);
      case "tellRest":
      case "checkDefinition":
      case "turnAway":
      case "countDeaths":
      case "noteCall":
      case "recall":
      case "children":
        return this.#wrong(`${task.type} where nothing asks for it`, path);
    }
  }

  #park({ execution }: Life, untouched: boolean): Event {
    const error = { name: "Error", message: "broken" };
    return eventAt(execution, { type: "parked", reason: "broken", untouched }, "broken", { error });
  }

  #follow(request: Extract<Task, { type: "follow" }>["request"], life: Life, path: readonly string[]): void {
    const { execution } = life;
    if (request !== "deadline" && request.type !== "rollback" && request.type !== "rewind") {
      if (request.type === "resolve") {
        for (const what of ["happened", "did-not-happen"] as const) {
          const call = { ...this.#callOf(life, false), cause: request.arrival };
          const said = resolved(execution, { resolved: what }, call, this.#facts(life));
          this.#commit({ ...life, execution: said.execution }, said.event, path);
        }
        return;
      }
      const asked = { cause: request.arrival, by: undefined, why: "by hand" };
      return this.#commit(life, operatorEvent(execution, request.type, asked), path);
    }
    if (request !== "deadline" && request.type === "rewind") {
      const { arrival, to } = request;
      const { reason, by, to: backTo } = request.request;
      const asked = { cause: arrival, by, why: reason, backTo };
      return this.#commit(life, eventAt(execution, { type: "rewindRequested", reason, to }, reason, asked), path);
    }
    const reason = request === "deadline" ? "deadline" : request.request.reason;
    const cause = request === "deadline" ? undefined : request.arrival;
    const what = { type: "rollbackRequested", reason, begun: hasBegun(execution) } as const;
    this.#commit(life, eventAt(execution, what, reason, { cause }), path);
  }

  /** Guards, and what is committed before a step begins. */
  #begin(life: Life, path: readonly string[]): void {
    const { execution, budget } = life;
    const { position } = execution;
    const step = this.#step(life);
    if (position.direction === "down") {
      const lifecycle = position.lifecycle === "rollback" ? position.lifecycle : "startRollback";
      const there = { ...life, execution: { ...execution, position: { ...position, lifecycle } as Position } };
      if (position.passed?.includes(position.stepIndex) === true)
        return this.#commit(there, eventAt(there.execution, { type: "stepPassedOver" }, "passed-over"), path);
      return this.#call(there, undefined, path);
    }
    if (budget.vetoes > 0) {
      const init = position.lifecycle === "init";
      const begun = init ? hasBegun(execution) : attemptOf(execution) > 1;
      const what = { type: init ? "initVetoed" : "beforeStepVetoed", reason: "veto", begun } as const;
      this.#commit(spend(life, "vetoes"), eventAt(execution, what, "veto"), path);
    }
    if (position.stepFunc === "run" && step.when !== undefined && position.begins !== true) {
      this.#commit(life, eventAt(execution, { type: "stepPassedOver" }, "passed-over"), path);
      return this.#commit(life, eventAt(execution, { type: "begins" }, "begins"), path);
    }
    const mayPark = step.inDoubt === "park" && position.begins !== true;
    if (
      position.stepFunc === "run" &&
      ((step.deadline !== undefined && position.stepDeadlineAt === undefined) || mayPark)
    )
      return this.#commit(life, eventAt(execution, { type: "begins" }, "begins"), path);
    this.#call(life, undefined, path);
  }

  /** A function of the step is called, and answers in every way. */
  #call(before: Life, cause: MailboxRecord | undefined, path: readonly string[]): void {
    const life = this.#called(before, path);
    const { budget, execution } = life;
    const { direction, stepFunc } = execution.position;
    if (budget.crashes > 0) {
      const crashed = { ...before.execution, claims: before.execution.claims + 1, uncommittedAttempts: 0 };
      this.#meet({ ...spend(life, "crashes"), execution: crashed, stopping: false }, [...path, "crash"]);
    }
    for (const given of [undefined, fail("no")])
      this.#settle(life, { kind: "returned", value: given }, true, cause, path);
    this.#settle(life, { kind: "threw", error: new Error("away") }, true, cause, path);
    if (life.stopping) this.#settle(life, { kind: "cutOff" }, true, cause, path);
    if (budget.odd === 0) return;
    const once = spend(life, "odd");
    const odd = [pause({}, { timeout: "5s" }), ...(direction === "up" ? [complete()] : []), again({}, { after: "1s" })];
    for (const value of odd) {
      if (!(stepFunc.endsWith("Continue") && value === odd.at(-1)))
        this.#settle(once, { kind: "returned", value }, true, cause, path);
    }
    this.#settle(once, { kind: "timedOut", error: late, isFinal: false }, true, cause, path);
    if (this.#step(life).transactional && stepFunc === "run") {
      // Something came while the work ran, and the store took it back.
      const undone = { ...execution, uncommittedAttempts: execution.uncommittedAttempts + 1 };
      this.#meet({ ...once, execution: undone, books: before.books }, [...path, "taken back"]);
    }
  }

  /** The probe of the step answers in every way. */
  #probe(life: Life, path: readonly string[]): void {
    const { execution, budget } = life;
    const { position } = execution;
    const isDown = position.direction === "down" && position.lifecycle !== "rollback";
    const there = isDown
      ? { ...life, execution: { ...execution, position: { ...position, lifecycle: "startRollback" } as Position } }
      : life;
    if (budget.crashes > 0) {
      const crashed = { ...execution, claims: execution.claims + 1, uncommittedAttempts: 0 };
      this.#meet({ ...spend(life, "crashes"), execution: crashed, stopping: false }, [...path, "crash"]);
    }
    for (const value of [happened(), happened(fail("no")), didNotHappen(), unknown()])
      this.#answered(there, { kind: "returned", value }, path);
    if (life.stopping) this.#answered(there, { kind: "cutOff" }, path);
    if (budget.odd === 0) return;
    const once = spend(there, "odd");
    this.#answered(once, { kind: "returned", value: happened(pause({}, { timeout: "5s" })) }, path);
    this.#answered(once, { kind: "returned", value: again({ after: "1s" }) }, path);
    this.#answered(once, { kind: "threw", error: new Error("away") }, path);
  }

  #answered(life: Life, settled: Settled, path: readonly string[]): void {
    const call = this.#callOf(life, true);
    const facts = { ...this.#facts(life), stillRuns: false, inDoubtError: () => late };
    const { execution, event } = answerOf(life.execution, settled, call, facts);
    this.#commit({ ...life, execution }, event, path);
    if (life.budget.requests > 0)
      this.#commit(arrive(spend({ ...life, execution }, "requests"), "rollback"), event, path);
  }

  /** The books of a function that is called. */
  #called(life: Life, path: readonly string[]): Life {
    const { execution, books } = life;
    const { stepIndex, stepFunc, direction } = execution.position;
    if (stepFunc !== "run" && stepFunc !== "rollback") return life;
    if (openDoubt(execution, this.#step(life)) !== undefined) this.#wrong("a step in doubt is called", path);
    const of = `${direction} ${stepIndex} in round ${execution.position.round ?? 0}`;
    const number = attemptOf(execution);
    // Of work that was rolled back nothing is left but its number, and that dies with the launcher.
    const counts = stepFunc === "rollback" || !this.#step(life).transactional;
    if (counts && books.attempt.of === of && books.attempt.number >= number)
      this.#wrong(`attempt ${number} comes twice`, path);
    const stands = stepFunc === "run" && !this.#step(life).transactional && !books.standing.includes(stepIndex);
    const standing = stands ? [...books.standing, stepIndex] : books.standing;
    return { ...life, books: { ...books, standing, attempt: { of, number } } };
  }

  #callOf(life: Life, called: boolean, cause?: MailboxRecord): SettledCall {
    return { step: this.#step(life), called, attempt: attemptOf(life.execution), cause, elapsed: 0 };
  }

  #facts(life: Life): CallFacts {
    return { shape: this.#shape, time: timeOf(life), clock: { random: () => 0.5 }, limit: Infinity };
  }

  #settle(
    life: Life,
    settled: Settled,
    called: boolean,
    cause: MailboxRecord | undefined,
    path: readonly string[],
  ): void {
    const call = this.#callOf(life, called, cause);
    const happened: Happened = resultOf(life.execution, settled, call, this.#facts(life));
    const there = { ...life, execution: happened.execution };
    this.#commit(there, happened.event, path);
    // Something comes while it runs.
    if (called && life.budget.requests > 0)
      this.#commit(arrive(spend(there, "requests"), "rollback"), happened.event, path);
    if (called && life.budget.rewinds > 0)
      for (const to of this.#reached(there))
        this.#commit(arrive(spend(there, "rewinds"), "rewind", { to }), happened.event, path);
    const recovers = this.#step(life).recover !== undefined && happened.event.failedItself && settled.kind !== "cutOff";
    if (recovers && life.execution.position.direction === "up" && !this.#isTurned(there)) {
      const type = leftNothing(there.execution, this.#step(life)) ? "stepPassedOver" : "stepOk";
      this.#commit(there, { ...happened.event, what: { type }, result: "recovered", failedItself: false }, path);
    }
  }

  /** Steps to which a rewind may go back. */
  #reached({ execution }: Life): readonly string[] {
    return this.#definition.steps.slice(0, execution.position.stepIndex + 1).map(({ name }) => name);
  }

  #isTurned(life: Life): boolean {
    const sifted = sift(life.mail, life.execution, this.#shape);
    return turnOf(life.execution, sifted?.request, this.#shape, timeOf(life)) !== undefined;
  }

  /** Decides, holds that against the books, and goes on from it. */
  #commit(life: Life, event: Event, before: readonly string[]): void {
    const { execution, mail } = life;
    const path = [...before, `${execution.position.stepFunc} ${execution.position.stepIndex} ${event.what.type}`];
    this.#events.add(event.what.type);
    const { transition } = this.#machine.decide(execution, event, {
      definition: this.#definition,
      shape: this.#shape,
      time: timeOf(life),
      mail,
      observing: { hears: () => false },
      rewindBase: { state: execution.state, patch: undefined, undone: [] },
      limit: Infinity,
      stopping: life.stopping,
      list: undefined,
      carried: null,
      onExit: (reason) => reason,
      firstListOf: (step) => step,
    });
    const broken = brokenInvariant(execution, event.what, transition);
    if (broken !== undefined) return this.#wrong(broken, path);
    const books = this.#balance(life, event, transition, path);
    const after = committedAs(execution, transition);
    const rested = { ...life, execution: after, mail: mailAfter(mail, transition), books };
    if (path.length > 60) return this.#wrong("the life does not end", path);
    if (transition.rests) this.#rest(rested, transition.dueInMs, path);
    else this.#meet(rested, path);
  }

  #balance(
    life: Life,
    event: Event,
    { position: after, status, settled, ends, history }: Transition,
    path: readonly string[],
  ): Books {
    const { books, mail } = life;
    const { position: before } = life.execution;
    const wrong = (problem: string): void => this.#wrong(problem, path);
    const turned = before.direction === "up" && after.direction === "down";
    const rises = after.round !== before.round;
    if (turned && books.pivotDone && !(after.until! > this.#shape.pivot)) wrong("it turns after its pivot");
    const isTakenOver = before.until !== undefined && after.until === undefined;
    const isAskedAgain = history.backTo !== undefined;
    if (
      !turned &&
      !ends &&
      !rises &&
      !isTakenOver &&
      !isAskedAgain &&
      before.direction === "down" &&
      after.reason !== books.reason
    )
      wrong("its reason changes on the way down");
    for (const { arrival } of settled)
      if (![...mail.dead, ...mail.pending.map(({ id }) => id)].includes(arrival))
        wrong("mail is settled that is not there");
    const unwatched =
      after.lifecycle === "success"
        ? status === "completed"
        : after.lifecycle === "failure"
          ? status === "rolledBack"
          : true;
    if (event.what.type !== "parked" && !unwatched) wrong(`status ${status} at its end`);
    if ((status === "completed") !== (after.lifecycle === "success") && status !== "stuck")
      wrong(`status ${status} in its middle`);
    const next = this.#moved(books, event, before, after, wrong);
    if (status === "rolledBack" && next.standing.length > 0) wrong("rolled back, although something may stand");
    if (status === "completed" && event.what.type !== "stepCompleted" && next.done.length < this.#shape.count)
      wrong("completed, although a step was not done");
    if (rises) return rewoundBooks(next, after.stepIndex, wrong);
    return { ...next, reason: turned || isTakenOver || isAskedAgain ? after.reason : books.reason };
  }

  /** What the books say after a step is done or undone. */
  #moved(
    books: Books,
    { what, called, result, answered }: Event,
    before: Position,
    after: Position,
    wrong: (problem: string) => void,
  ): Books {
    const { stepIndex, direction } = before;
    const isDone = what.type === "stepOk" || what.type === "stepCompleted" || what.type === "stepPassedOver";
    const { transactional } = this.#definition.steps[stepIndex]!;
    const standing = new Set(books.standing);
    if (answered === "did-not-happen") standing.delete(stepIndex);
    if (direction === "up") {
      // What a transaction wrote stands once it is committed.
      const commits =
        called && (isDone || what.type === "stepPaused" || what.type === "again") && result !== "recovered";
      if (transactional && commits) standing.add(stepIndex);
      // While its transition turned it: what it gave is kept, and so are its effects.
      const done = isDone && after.direction === "up" ? [...new Set([...books.done, stepIndex])] : books.done;
      const pivotDone =
        books.pivotDone ||
        (isDone && what.type !== "stepPassedOver" && after.direction === "up" && stepIndex === this.#shape.pivot);
      return { ...books, standing: [...standing], done, pivotDone };
    }
    if (!isDone) return { ...books, standing: [...standing] };
    if (what.type === "stepPassedOver" && standing.has(stepIndex))
      wrong("a step is passed over on the way down that may stand");
    if (Math.max(-1, ...standing) > stepIndex) wrong(`step ${stepIndex} is undone before a later one`);
    standing.delete(stepIndex);
    return { ...books, standing: [...standing] };
  }

  /** The launcher has let go of it: time passes, somebody sends something, or that was its life. */
  #rest(life: Life, dueInMs: number | null, path: readonly string[], claims = 1): void {
    const { execution, budget } = life;
    const { status, position } = execution;
    const isAtRest = status === "completed" || status === "rolledBack" || status === "stuck";
    this.#ends[status] = (this.#ends[status] ?? 0) + 1;
    if (isAtRest !== (dueInMs === null) && (isAtRest || position.waitUntil !== null || position.resumeAt !== null))
      this.#wrong(`let go of as ${status}, due in ${dueInMs} ms`, path);
    const taken = { ...life, stopping: false, execution: { ...execution, claims, uncommittedAttempts: 0 } };
    if (dueInMs !== null) this.#meet({ ...taken, now: life.now + dueInMs }, [...path, `after ${dueInMs} ms`]);
    if (budget.messages > 0 && !isAtRest) this.#meet(arrive(spend(taken, "messages"), "message"), [...path, "message"]);
    if (budget.requests > 0 && status !== "rolledBack")
      this.#meet(arrive(spend(taken, "requests"), "rollback"), [...path, "request"]);
    if (budget.rewinds > 0 && status !== "rolledBack")
      for (const to of this.#reached(taken))
        this.#meet(arrive(spend(taken, "rewinds"), "rewind", { to }), [...path, `rewind to ${to}`]);
    if (budget.acts > 0 && status === "stuck")
      for (const act of ["retry", "skip", "patch", "resolve"] as const) {
        // Who skips has seen to it by hand.
        const { stepIndex, direction } = position;
        const standing = life.books.standing.filter((it) => it !== stepIndex);
        const books = act === "skip" && direction === "down" ? { ...life.books, standing } : life.books;
        this.#meet(arrive(spend({ ...taken, books }, "acts"), act), [...path, act]);
      }
  }
}

/** It goes up again: of the steps from there on nothing may stand, and they are to be done again. */
function rewoundBooks(books: Books, to: number, wrong: (problem: string) => void): Books {
  if (books.standing.some((index) => index >= to)) wrong("it goes up again, although something may stand");
  return { ...books, done: books.done.filter((index) => index < to), reason: undefined };
}

function spend(life: Life, what: keyof Budget): Life {
  return { ...life, budget: { ...life.budget, [what]: life.budget[what] - 1 } };
}

function timeOf({ now }: Life) {
  return { storeNow: () => now, storeNowAtMost: () => now };
}

const late = new StepwellError("STEPWELL_ATTEMPT_TIMEOUT", "too late");

function migrate({ execution }: Life, step: StepDefinition): Event {
  const { status } = execution;
  const position = {
    ...withDoubtRecorded(execution, step),
    uncounted: attemptOf(execution) - execution.position.attempts - 1,
  };
  const migration = { from: "1", to: "1" };
  return eventAt(execution, { type: "migrated", status, position, migration, stays: true }, "migrated");
}

function newExecution(step: string, deadlineAt: number | null): ActiveExecution {
  const counts = { attempts: 0, firstAttemptAt: null, uncounted: 0, waitUntil: null, resumeAt: null };
  return {
    identity: { id: "1", workflow: "flow", version: "1" },
    owner: 1,
    deadlineAt,
    revision: 0,
    claims: 1,
    status: "running",
    position: { ...initialFlow, step, ...counts, error: null, stuckBy: null },
    state: {},
    sizeAtMost: 0,
    admission: null,
    line: null,
    root: null,
    carried: null,
    subscribed: 0,
    uncommittedAttempts: 0,
    initial: undefined,
    changedAt: 0,
    wholeLength: 2,
    changed: null,
    unsaved: null,
    outsideFields: undefined,
    guardErrors: [],
    isAhead: false,
  };
}

const payloads = {
  rewind: { reason: "again", by: "ada" },
  rollback: { reason: "asked", ifCompleted: "undo" },
  retry: {},
  skip: {},
  patch: {},
  resolve: {},
  message: {},
};

function arrive(life: Life, kind: keyof typeof payloads, more: object = {}): Life {
  const { signals, pending, dead } = life.mail;
  const id = `${kind} ${signals}`;
  const row: MailboxRecord = {
    id,
    execution: "1",
    sequence: signals,
    kind,
    name: kind,
    payload: encode({ ...payloads[kind], ...more }, { what: "A payload" }),
    messageId: null,
    status: "pending",
    receivedAt: 0,
    step: null,
    carried: null,
    topic: null,
  };
  return { ...life, mail: { signals: signals + 1, pending: [...pending, row], dead } };
}

/** Two lives with the same key go on alike. */
function keyOf({ execution, mail, now, stopping, budget, books }: Life): string {
  const { position, deadlineAt, claims, uncommittedAttempts, status } = execution;
  const since = (at: number | null | undefined): number | null | undefined =>
    at === null || at === undefined ? at : at - now;
  const { firstAttemptAt: _, error: _error, stuckBy: _stuckBy, ...rest } = position;
  const { waitUntil, resumeAt, stepDeadlineAt } = position;
  const times = [since(waitUntil), since(resumeAt), since(stepDeadlineAt), since(deadlineAt)];
  const kinds = mail.pending.map(({ kind }) => kind);
  return JSON.stringify([
    { ...rest, waitUntil: 0, resumeAt: 0, stepDeadlineAt: 0 },
    times,
    claims,
    uncommittedAttempts,
    status,
    kinds,
    mail.dead.length,
    stopping,
    budget,
    books,
  ]);
}
