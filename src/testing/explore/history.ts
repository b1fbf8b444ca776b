/** Plays one history of a workflow: processes on one store and on virtual time, and what the course has for them. */
import { systemClock } from "../../clock.js";
import { Client } from "../../client/client.js";
import { Launcher } from "../../client/launcher.js";
import { silentLogger } from "../../definition/logger.js";
import { built } from "../../definition/workflow.js";
import type { WorkflowDefinition } from "../../definition/definition.js";
import { Transacted } from "../../definition/outcome.js";
import { isRetryable, type StepwellError } from "../../errors.js";
import type { ExecutionRecord } from "../../execution/records.js";
import { memoryStore } from "../../stores/memory/memory-store.js";
import type { Store } from "../../stores/contract.js";
import { faultyStore, type AfterCall, type BeforeCall, type StoreCall } from "../faults/faulty-store.js";
import { ProcessClock } from "../faults/process-clock.js";
import { WatchedClock } from "./watched-clock.js";
import { callWith, exploredId, faultsOfCall, nameOfCall, type Stage } from "./calls.js";
import { commitOf, type Commit } from "./commits.js";
import type { Course, Fault } from "./course.js";
import { unplayable } from "./explore-error.js";
import { HeldBack } from "./held-back.js";
import { instrumented, type Called } from "./instrumented.js";
import type { LogRow } from "./log.js";
import { Operator } from "./operator.js";
import { Others } from "./others.js";
import { Reached } from "./reached.js";
import { Running } from "./running.js";
import { Script } from "./script.js";
import type { Setting } from "./setting.js";
import { stateKey } from "./state-key.js";
import { never } from "../faults/never.js";

export interface Process {
  readonly number: number;
  readonly clock: ProcessClock;
  readonly launcher: Launcher;
  readonly definition: WorkflowDefinition;
}

/** Whether this state, with so many faults left, was seen before. */
export type Seen = (key: string) => boolean;

/** After so long a process is taken for dead, in milliseconds. */
const silence = 40_000;
/** For so long a function that was aborted may go on. */
const grace = 5000;
const minute = 60_000;

const options = { pollInterval: 10_000, heartbeat: { interval: 10_000, timeout: silence }, abortGrace: grace } as const;

export class History<World> {
  readonly setting: Setting<World>;
  readonly world: World;
  readonly clock = new WatchedClock();
  readonly store: Store;
  readonly script: Script;
  readonly reached = new Reached();
  readonly processes: Process[] = [];
  readonly log: LogRow[] = [];
  readonly violations: string[] = [];
  /** The executions of the tree. */
  readonly ids = new Set<string>();
  readonly operator: Operator;
  readonly others = new Others((id) => this.ids.has(id));
  /** It has come to a state that another history has been in. */
  isCut = false;
  /** What made it impossible to play. */
  failed: unknown;
  /** Grows with all that happens. */
  happened = 0;
  /** So many requests from outside are not answered yet. */
  asking = 0;
  readonly #seen: Seen;
  readonly #always = new Map<string, "fails" | "answer lost">();
  readonly #heldBack = new HeldBack(this.clock);
  readonly #running = new Running();
  readonly #fates = new WeakMap<StoreCall, Fault>();
  #definition: WorkflowDefinition;
  #isNext = false;
  readonly #stopped = new Set<Process>();
  #isPreviewSure = false;

  constructor(setting: Setting<World>, course: Course, seen: Seen) {
    this.setting = setting;
    this.world = setting.world();
    this.store = memoryStore({ clock: this.clock });
    // No process closes what it has not opened.
    void this.store.open();
    this.script = new Script(course, setting.isLeftOut);
    this.#seen = seen;
    this.#definition = setting.definition(this.world);
    this.operator = new Operator(
      new Client({ store: this.store, workflows: [built(this.#definition)], onError: () => undefined, patience: "5m" }),
    );
  }

  get definition(): WorkflowDefinition {
    return this.#definition;
  }

  /** The rollback that was asked for last came between two calls, and nothing was asked for after it. */
  get isPreviewSure(): boolean {
    return this.#isPreviewSure && this.#definition.steps.every(({ children }) => children === undefined);
  }

  /** Something is still to come that no state of the store tells of. */
  get isHanging(): boolean {
    return !this.#heldBack.isEmpty || this.asking > 0;
  }

  record(id = exploredId): ExecutionRecord | undefined {
    return (this.store.load([id]) as readonly (ExecutionRecord | undefined)[])[0];
  }

  note(what: string, outcome: string, isFault: boolean, process = 0): void {
    this.log.push({ process, what, outcome, isFault, revision: this.record()?.revision ?? 0 });
  }

  /** A process that can take executions up. */
  get living(): Process | undefined {
    return this.processes.findLast((process) => process.clock.life === "goes" && !this.#stopped.has(process));
  }

  /** Makes a living process, and asks it for the execution where there is none yet. */
  ensureProcess(): void {
    if (this.living === undefined) this.#start();
  }

  #start(): void {
    const clock = new ProcessClock(this.clock);
    const number = this.processes.length + 1;
    const store = faultyStore(this.store, {
      clock,
      // One that gathers may fail, and is asked again.
      gathers: true,
      faults: {
        before: (call) => this.#before(call, process),
        after: (call) => this.#after(call, process),
        dies: () => clock.die(),
      },
    });
    // Made anew: what a process keeps in its memory is gone with it.
    const made = (this.#isNext ? this.setting.next! : this.setting.definition)(this.world);
    const definition = instrumented(made, (called, go) => this.#call(called, go, process));
    const workflow = built(definition);
    const launcher = new Launcher({
      ...{ store, clock, workflows: [workflow], ...options, logger: silentLogger },
      onError: (error) => this.#heard(error),
    });
    const process: Process = { number, clock, launcher, definition };
    this.processes.push(process);
    const launch = async (): Promise<void> => {
      await launcher.start();
      if (this.record() === undefined) await launcher.launch(workflow, this.setting.input, { id: exploredId });
    };
    launch().catch((error: unknown) => {
      if (clock.life === "goes" && !isRetryable(error)) this.failed ??= error;
    });
  }

  #heard(error: StepwellError): void {
    if (error.code === "STEPWELL_INVARIANT_VIOLATED") this.violations.push(error.message);
  }

  // Calls of step functions.

  #call(called: Called, go: () => unknown, process: Process): unknown {
    if (process.clock.life === "gone" || this.isCut) return never();
    this.happened++;
    const name = nameOfCall(called);
    const { id } = called.context.execution;
    const key = `${id} ${name}`;
    this.reached.begins(called);
    this.others.listenTo(called.context);
    const doIt = (): unknown => this.#running.call(() => this.reached.took(called, this.#playable(called, go())));
    const always = this.#always.get(key);
    const offered =
      always === undefined
        ? faultsOfCall(called, id === exploredId && this.#mayTurn, this.setting.mayHang(called.step))
        : [];
    const fault = this.script.at(name, offered) ?? (always === "fails" ? "fails" : always);
    const stage = this.#stage(key, name, process, called.step.timeout ?? 0);
    const given = fault === undefined ? doIt() : callWith(fault, doIt, stage);
    return this.#noted(name, fault, process, given);
  }

  /** A transaction that a function gives back could only fail here, in each history. */
  #playable(called: Called, given: unknown): unknown {
    if (given instanceof Promise) return given.then((value: unknown) => this.#playable(called, value));
    if (given instanceof Transacted) this.failed ??= unplayable(called, given);
    return given;
  }

  get #mayTurn(): boolean {
    return this.record()?.position.direction !== "down";
  }

  #noted(name: string, fault: Fault | undefined, process: Process, given: unknown): unknown {
    const row = { process: process.number, what: name, isFault: fault !== undefined };
    const revision = this.record()?.revision ?? 0;
    const note = (outcome: string): number => this.log.push({ ...row, outcome, revision });
    if (!(given instanceof Promise)) {
      note(fault ?? "done");
      return given;
    }
    if (fault !== undefined) note(fault);
    return given.then(
      (value: unknown) => {
        if (fault === undefined) note("done");
        // Nothing more happens in a process that is gone.
        return process.clock.life === "gone" ? never() : value;
      },
      (error: unknown) => {
        if (fault === undefined) note(`throws: ${error instanceof Error ? error.message : String(error)}`);
        if (process.clock.life === "gone") return never();
        throw error;
      },
    );
  }

  #stage(key: string, what: string, process: Process, timeout: number): Stage {
    return {
      die: () => {
        process.clock.die();
        return never();
      },
      freeze: (effect) => {
        process.clock.stand();
        return new Promise((resolve, reject) => {
          const thaw = (): void => {
            this.note(what, "its effect comes now", true, process.number);
            process.clock.goOn();
            Promise.resolve().then(effect).then(resolve, reject);
          };
          this.#heldBack.add(thaw, silence + minute);
        });
      },
      later: (when, effect) => {
        const after = when === "a-minute" ? timeout + grace + minute : undefined;
        this.#heldBack.add(() => this.#land(what, effect), after);
      },
      always: (fault) => void this.#always.set(key, fault),
      requestRollback: () => this.ask("rollback requested"),
    };
  }

  #land(what: string, effect: () => unknown): void {
    this.happened++;
    this.note(what, "its effect comes now", true);
    const failed = (error: unknown): void => this.note(what, `was refused: ${String(error)}`, true);
    try {
      const given = this.#running.call(effect);
      if (given instanceof Promise) given.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  // Commits.

  #before(call: StoreCall, process: Process): BeforeCall {
    if (this.isCut) return new Promise(() => undefined);
    const commit = commitOf(call);
    if (commit === undefined) return "goes";
    this.happened++;
    for (const id of commit.ids) this.ids.add(id);
    const fault = this.script.at(commit.name, this.#faultsOf(commit));
    if (fault === undefined) return "goes";
    this.note(commit.name, fault, true, process.number);
    this.#fates.set(call, fault);
    if (fault !== "commit held") return "goes";
    process.clock.stand();
    return new Promise((resolve) => {
      const thaw = (): void => {
        process.clock.goOn();
        resolve();
      };
      this.#heldBack.add(thaw, silence + minute);
    });
  }

  #faultsOf({ isUp, step }: Commit): readonly Fault[] {
    const faults: Fault[] = ["dies", "commit answer lost", "commit held"];
    if (this.setting.next !== undefined && this.processes.length === 1) faults.push("deployed");
    if (isUp) faults.push("rollback requested", ...this.rewinds(step));
    return faults;
  }

  /** To the steps that are behind this one, and to itself. */
  rewinds(step: string | undefined): readonly Fault[] {
    const at = this.#definition.steps.findIndex(({ name }) => name === step);
    return this.#definition.steps.slice(0, at + 1).map(({ name }): Fault => `rewind ${name}`);
  }

  #after(call: StoreCall, process: Process): AfterCall | Promise<AfterCall> {
    const commit = commitOf(call);
    if (commit === undefined) return "answers";
    const fault = this.#fates.get(call);
    if (fault === undefined) {
      if (!this.#cutIfSeen()) return "answers";
      for (const { clock } of this.processes) clock.die();
      return "dies";
    }
    switch (fault) {
      case "dies":
        return "dies";
      case "commit answer lost":
        return "lost";
      case "commit held":
        return "answers";
      case "deployed":
        this.#deploy(process);
        return "answers";
      default:
        return this.ask(fault).then(() => "answers" as const);
    }
  }

  #deploy(process: Process): void {
    this.#isNext = true;
    this.#definition = this.setting.next!(this.world);
    this.#stopped.add(process);
    process.launcher.stop().catch(() => undefined);
  }

  // From outside.

  /** A rollback or a rewind, as a fault says. */
  async ask(fault: Fault): Promise<void> {
    this.happened++;
    this.#isPreviewSure = this.#running.count === 0;
    const row = this.log.push({ process: 0, what: fault, outcome: "asked", isFault: true, revision: 0 }) - 1;
    this.asking++;
    const answered = this.operator.ask(fault).then((outcome) => {
      this.asking--;
      this.happened++;
      this.log[row] = { ...this.log[row]!, outcome };
    });
    // A launcher may have to decide on it, and that may be the one whose call waits for this.
    await Promise.race([answered, this.#turns()]);
  }

  async #turns(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => systemClock.soon(resolve));
  }

  /** The last of what was held back comes: effects, and processes that stood still. False: nothing was. */
  release(): boolean {
    return this.#heldBack.release();
  }

  /** From now on every function does what it should. */
  heal(): void {
    this.#always.clear();
  }

  // Time.

  /** Lets everything come to rest that needs no time. */
  async settle(): Promise<void> {
    await this.clock.settle();
    while (this.#running.hasSome && !this.isCut) {
      await this.#running.wait();
      await this.clock.settle();
    }
  }

  /** Whether this history can be left, since another one has been where it is. */
  #cutIfSeen(): boolean {
    if (!this.script.isOver || this.isHanging || this.#running.hasSome || this.ids.size > 1) return false;
    return this.cutIfSeen();
  }

  cutIfSeen(): boolean {
    // What a rollback does is held against its preview, whoever has been here before.
    const isHeld = this.isPreviewSure && this.operator.preview !== undefined;
    if (!this.script.isOver || this.isHanging || isHeld) return false;
    const snapshot = this.setting.snapshot(this.world);
    if (snapshot === undefined) return false;
    const key = stateKey(this.store, this.ids, this.clock.now(), [
      snapshot,
      this.others.snapshot,
      ...this.#always.entries(),
    ]);
    if (key !== undefined && this.#seen(key)) this.isCut = true;
    return this.isCut;
  }

  end(): void {
    for (const { clock } of this.processes) clock.die();
  }
}
