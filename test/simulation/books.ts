/** What happened in a simulation as the other side knows it: calls, effects, what observers were told; and what was wrong at once. */
import { isDeepStrictEqual } from "node:util";
import { merge } from "../../src/values/isolate.js";
import type { Flow, StepFunc } from "../../src/definition/flow.js";
import type { CommittedTransition } from "../../src/definition/observer.js";
import type { ExecutionRecord, HistoryRecord } from "../../src/execution/records.js";
import { roundOf } from "../../src/execution/position.js";
import type { Store } from "../../src/stores/contract.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import type { Line } from "./machine.js";
import { Timers } from "./timers.js";
import { inAllLegs, numberOf, plainName } from "./versions.js";

/** More than any plan needs. */
const mostNotes = 20_000;

interface Effect {
  readonly key: string;
  readonly execution: string;
  readonly step: string;
  cancelled: boolean;
}

interface Called {
  readonly execution: { readonly id: string };
  readonly step: { readonly name: string; readonly index: number };
  readonly idempotencyKey: string;
  readonly runKey?: string | undefined;
  readonly attempt: number;
  readonly state: unknown;
  readonly given?: unknown;
  readonly message?: { readonly id: string };
}

interface Told {
  readonly execution: { readonly id: string };
  readonly flow: Flow;
  readonly state: unknown;
  readonly revision: number;
  readonly transition?: CommittedTransition;
}

export class Books {
  /** From now on every step does what it should. */
  isHealed = false;
  /** By the store's clock. */
  healedAt = 0;
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  /** Executions whose end a watcher was told of. */
  readonly ends: string[] = [];
  readonly timers: Timers;
  readonly #store: Store;
  readonly #clock: VirtualClock;
  readonly #effects = new Map<string, Effect>();
  readonly #undone = new Set<string>();
  readonly #gone = new Set<string>();
  readonly #counts = new Map<string, number>();
  /** The latest attempt under a key, and under which number its launcher was registered. */
  readonly #attempts = new Map<string, { readonly attempt: number; readonly owner: number | null }>();
  /** By execution and leg: the name under which others know what it does. */
  readonly #names = new Map<string, string>();
  /** By execution: the leg at which it went on when it was migrated. */
  readonly #places = new Map<string, number>();
  /** By line and execution: whether it is awake there, and the last commit that it told. */
  readonly #bursts = new Map<Line, Map<string, number>>();

  readonly #denied = new Set<string>();
  #notes = 0;
  readonly #traced: boolean;

  /** @param traced whether the trace is written: to play is all that most histories are for */
  constructor(store: Store, clock: VirtualClock, traced: boolean) {
    this.#store = store;
    this.#clock = clock;
    this.#traced = traced;
    this.timers = new Timers(clock);
  }

  /** By the store's clock. */
  now(): number {
    return this.#clock.now();
  }

  /** As it stands in the store. */
  record(id: string): ExecutionRecord | undefined {
    return (this.#store.load([id]) as (ExecutionRecord | undefined)[])[0];
  }

  note(what: () => string): void {
    if (++this.#notes > mostNotes) throw new Error(`It does not come to an end:\n${this.trace.slice(-100).join("\n")}`);
    if (this.#traced) this.trace.push(`${String(this.#clock.monotonic()).padStart(7)} ${what()}`);
  }

  wrong(what: string): void {
    this.note(() => `WRONG: ${what}`);
    this.violations.push(what);
  }

  count(what: string): number {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return count;
  }

  /** A step function is called. Says how often it was, under this execution, step and function. */
  called(context: Called, func: StepFunc, line: Line, version: string): number {
    const { execution, step, attempt } = context;
    const [record] = this.#store.load([execution.id]) as (ExecutionRecord | undefined)[];
    const who = `${execution.id} ${func} ${step.name} #${attempt}`;
    this.note(() => `${who} on ${line.owners.at(-1)}${line.clock.life === "goes" ? "" : ` (${line.clock.life})`}`);
    if (line.owners.length === 0) this.wrong(`${who}: a client runs it`);
    if (record === undefined) {
      if (!this.isGone(execution.id)) this.wrong(`${who}: it is not there`);
    } else if (this.isGone(execution.id)) this.note(() => `${who} in a later life`);
    else if (record.owner !== null && record.owner === line.owners.at(-1)) {
      if (record.version !== version)
        this.wrong(`${who} is called of version ${version}, and it is of ${record.version}`);
      this.#rightly(record, context, func, who);
    }
    const name = plainName(numberOf(step.name));
    if (!this.isGone(execution.id)) this.#named(context, `${execution.id} ${name}`, who);
    return this.count(`${execution.id} ${func} ${name}`);
  }

  /** A migration changes no key. */
  #named({ idempotencyKey, runKey = idempotencyKey }: Called, leg: string, who: string): void {
    for (const key of [idempotencyKey, runKey]) {
      const name = key.split("/")[1]!;
      const known = this.#names.get(leg) ?? name;
      this.#names.set(leg, known);
      if (name !== known) this.wrong(`${who} has the key ${key}, and was known as ${known}`);
    }
  }

  /** Whether any function of a step was called. */
  hasBegun(id: string): boolean {
    return [...this.#names.keys()].some((leg) => leg.startsWith(`${id} `));
  }

  /** It is migrated, and goes on at that leg. */
  moved(id: string, number: number): void {
    this.#places.set(id, number);
  }

  placeOf(id: string): number | undefined {
    return this.#places.get(id);
  }

  /** Its owner calls what the last commit says is due, with what it says. */
  #rightly(record: ExecutionRecord, called: Called, func: StepFunc, who: string): void {
    const { step, state, given, message, attempt, idempotencyKey: key } = called;
    const before = this.#attempts.get(key);
    // What was taken back without a commit is known to that launcher alone; that there was something, to all.
    const least = before === undefined ? 1 : before.owner === record.owner ? before.attempt + 1 : 2;
    if (attempt < least) this.wrong(`${who} comes after #${before!.attempt}`);
    this.#attempts.set(key, { attempt, owner: record.owner });
    const { position } = record;
    const now = this.#clock.now();
    if (position.stepFunc !== func || position.stepIndex !== step.index || position.step !== step.name)
      this.wrong(`${who} is called, and ${position.stepFunc} ${position.step} is due`);
    if (position.lifecycle === "success" || position.lifecycle === "failure")
      this.wrong(`${who} is called after the end`);
    if (position.resumeAt !== null && position.resumeAt > now) this.wrong(`${who} is called too early`);
    if (func === "runContinue" && message === undefined && (position.waitUntil === null || position.waitUntil > now))
      this.wrong(`${who} is called before its timeout`);
    const number = numberOf(step.name);
    const rows = (this.#store.history(record.id) as readonly HistoryRecord[]).map(inAllLegs);
    const call = { ...called, func, step: { name: plainName(number) } };
    for (const what of this.timers.earlyCall(record.id, rows, call)) this.wrong(`${who} ${what}`);
    if (func === "rollback" || func === "rollbackContinue") {
      const gave = givenBy(rows, number, roundOf(position, step.index));
      if (!isDeepStrictEqual(gave, given)) this.wrong(`${who}: given is not what the step gave`);
    }
    if (!Object.isFrozen(state)) this.wrong(`${who}: the state is not frozen`);
  }

  /** It was pruned, and what was known of it is of no use any more. */
  isGone(id: string): boolean {
    return this.#gone.has(id);
  }

  forget(id: string): void {
    this.#gone.add(id);
    for (const counted of this.#counts.keys()) if (counted.split(" ").includes(id)) this.#counts.delete(counted);
    for (const done of this.#undone) if (done.startsWith(`${id} `)) this.#undone.delete(done);
    for (const leg of this.#names.keys()) if (leg.startsWith(`${id} `)) this.#names.delete(leg);
    this.#places.delete(id);
  }

  do(key: string, execution: string, step: string, line: Line): void {
    if (this.#undone.has(`${execution} ${step} ${roundOfKey(key)}`)) return;
    if (this.#denied.has(key) && this.record(execution)?.owner !== line.owners.at(-1)) return;
    if (!this.#effects.has(key)) this.#effects.set(key, { key, execution, step, cancelled: false });
  }

  /** The effect under that key came, and stands. */
  has(key: string): boolean {
    return this.#effects.get(key)?.cancelled === false;
  }

  /** A probe says that nothing came under that key, and leaves time for who was taken for dead: what such a one still does came before. */
  deny(key: string): void {
    this.#denied.add(key);
  }

  /** Nobody does it any more: what comes later is turned away. */
  close(runKey: string, execution: string, step: string): void {
    this.#undone.add(`${execution} ${step} ${roundOfKey(runKey)}`);
  }

  /** Cancels all that was asked for this step in that round, whether it came or not. */
  cancel(runKey: string, execution: string, step: string): void {
    const round = roundOfKey(runKey);
    this.close(runKey, execution, step);
    for (const it of this.#effects.values()) {
      if (it.execution === execution && it.step === step && roundOfKey(it.key) === round) it.cancelled = true;
    }
    if (!this.#effects.has(runKey)) this.#effects.set(runKey, { key: runKey, execution, step, cancelled: true });
  }

  standing(execution: string, step: string): string[] {
    return [...this.#effects.values()]
      .filter((it) => it.execution === execution && it.step === step && !it.cancelled)
      .map(({ key }) => key);
  }

  /** A watcher hears something. */
  told(what: string, { execution: { id }, revision, transition }: Told, line: Line): void {
    if (line.clock.life === "gone") return;
    if (what === "success" || what === "failure") this.ends.push(`${what} ${id}`);
    const bursts = this.#bursts.get(line) ?? new Map<string, number>();
    this.#bursts.set(line, bursts);
    if (what === "wake") {
      if (bursts.has(id)) this.wrong(`${id}: wakes twice`);
      bursts.set(id, revision);
      return;
    }
    const last = bursts.get(id);
    if (last === undefined) return this.wrong(`${id}: ${what} is told outside of a burst`);
    if (what === "rest") return void bursts.delete(id);
    if (what === "commit") {
      if (revision !== last + 1 || transition?.revision !== revision)
        this.wrong(`${id}: commit ${revision} is told after ${last}`);
      bursts.set(id, revision);
      this.note(() => `${id} committed ${revision}: ${transition?.func} ${transition?.step} ${transition?.result}`);
    } else if (revision !== last) this.wrong(`${id}: ${what} at ${revision} is told after ${last}`);
  }

  /** What is awake on a line that has stopped. */
  awake(line: Line): string[] {
    return [...(this.#bursts.get(line)?.keys() ?? [])];
  }
}

/** In which round the step began to which that key belongs. */
export function roundOfKey(key: string): number {
  return Number(/@(\d+)(\/|$)/.exec(key)?.[1] ?? 0);
}

function givenBy(rows: readonly HistoryRecord[], stepIndex: number, ofRound: number): object {
  let given = {};
  for (const { direction, result, stepIndex: index, patch, round = 0 } of rows) {
    // What a probe says on the way down is what `run` had given.
    if ((direction === "up" || result === "happened") && index === stepIndex && round === ofRound && patch !== null)
      given = merge(given, patch.value as object);
  }
  return given;
}
