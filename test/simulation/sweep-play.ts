/** Plays a scenario with faults at given calls: each fault brings one more launcher, all comes to rest, and is judged. */
import { isRetryable, type StepwellError } from "../../src/errors.js";
import { silentLogger } from "../../src/definition/logger.js";
import { Client, Launcher, memoryStore, observer, type AnyWorkflow, type Observer } from "../../src/index.js";
import type { Store } from "../../src/stores/contract.js";
import { transaction } from "../../src/stores/sqlite/index.js";
import type { Connection } from "../../src/stores/sqlite/driver.js";
import { QuickClock } from "../../src/testing/faults/quick-clock.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import { sqliteInMemory } from "./kept-tables.js";
import { Callers, type Counter } from "./sweep-callers.js";
import { fenced, isAtRest, violationsOf } from "./sweep-checks.js";
import { Outside, type Asker } from "./sweep-outside.js";
import { Conductor, Process, type Fault, type Made, type Planned, type Reach } from "./sweep-process.js";
import type { Entries, Scenario } from "./sweep-scenarios.js";

/** Where it is played. */
export interface Ground {
  readonly world: VirtualClock;
  /** As who judges sees it. */
  readonly store: Store;
  readonly entries: Entries | undefined;
  /** As the next process reaches it, when all is well. */
  reach(): Reach;
  /** What the store itself has seen that should not have been. */
  wrongs?(): Promise<readonly string[]>;
  close(): unknown;
}

/** @param happened something happened on the way to the store, so that another launcher comes */
export type Opens = (wrong: (what: string) => void, happened: () => void) => Promise<Ground>;

export interface Played {
  readonly violations: readonly string[];
  readonly made: readonly Made[];
  readonly sprung: readonly { readonly name: string; readonly fault: Fault }[];
  /** How many processes were taken for dead by others, and lived. */
  readonly takenOver: number;
}

const often = {
  pollInterval: 1000,
  heartbeat: { interval: 1000, timeout: 2500 },
  abortGrace: 500,
  drainTimeout: 1000,
} as const;

/** How long it may take, in rounds of a second. */
const rounds = 400;

export async function play(scenario: Scenario, opens: Opens, planned: readonly Planned[]): Promise<Played> {
  const violations: string[] = [];
  let one: Play | undefined;
  const ground = await opens(
    (what) => void violations.push(what),
    () => one?.somebodyComes(),
  );
  try {
    one = new Play(scenario, ground, planned, violations);
    return await one.played();
  } finally {
    await ground.close();
  }
}

/** A process with a launcher in it. */
interface Machine extends Counter {
  readonly process: Process;
  readonly launcher: Launcher;
}

/** What all workflows can do, whatever their types. */
type Observed = AnyWorkflow & { observe(observer: Observer): AnyWorkflow };

class Play {
  readonly #scenario: Scenario;
  readonly #ground: Ground;
  readonly #violations: string[];
  readonly #planned: readonly Planned[];
  readonly #outside = new Outside();
  readonly #machines: Machine[] = [];
  readonly #conductor: Conductor;
  /** Ends that an observer has heard of. */
  readonly #told = new Set<string>();
  #isStopping = false;

  constructor(scenario: Scenario, ground: Ground, planned: readonly Planned[], violations: string[]) {
    this.#scenario = scenario;
    this.#ground = ground;
    this.#planned = planned;
    this.#violations = violations;
    this.#conductor = new Conductor(planned, () => this.somebodyComes());
  }

  /** Another launcher. Not within a call: that process is in the middle of something. */
  somebodyComes(): void {
    this.#ground.world.after(0, () => this.#isStopping || this.#add());
  }

  async played(): Promise<Played> {
    const { world, store } = this.#ground;
    this.#add();
    const client = new Client({ store, onError: () => undefined });
    const callers = new Callers(this.#scenario.asks, {
      ...{ world, store, wrong: (what) => this.#wrong(what) },
      first: () => this.#machines.find(({ process }) => process.clock.life === "goes"),
      quiet: { client, workflows: this.#machines[0]!.workflows },
    });
    await this.#comeToRest(callers);
    await this.#judge(callers);
    await client.stop();
    await this.#stopAll();
    const { made, sprung, takenOver } = this.#conductor;
    if (sprung.length !== this.#planned.length)
      this.#wrong(`${this.#planned.length - sprung.length} faults did not spring`);
    return { violations: this.#violations, made, sprung, takenOver };
  }

  #wrong(what: string): void {
    this.#violations.push(what);
  }

  #add(): void {
    const { world, entries, store } = this.#ground;
    const process = new Process({
      ...{ conductor: this.#conductor, world, reach: this.#ground.reach() },
      bury: (owner) => store.removeLaunchers([owner], "silent"),
    });
    const stage = { outside: this.#outside, clock: process.clock, entries };
    const workflows = this.#scenario
      .workflows({ ...stage, called: (by) => this.#called(by, process) })
      .map((it) => (it as Observed).observe(this.#watcher(process)));
    const launcher = new Launcher({
      ...{ store: process.store, clock: process.clock, workflows, ...often },
      ...{ logger: silentLogger, onError: (error) => this.#heard(error) },
    });
    const onDeath = process.onDeath.bind(process);
    this.#machines.push({ process, workflows, launcher, client: launcher, onDeath });
    void this.#start(launcher, process);
  }

  #watcher(process: Process): Observer {
    const tell =
      (status: string) =>
      ({ execution }: { readonly execution: { readonly id: string } }): void =>
        void (process.isAlive && this.#told.add(`${execution.id} ${status}`));
    return observer({ name: "watcher", success: tell("completed"), failure: tell("rolledBack") });
  }

  /** Its owner calls what the last commit says is due: what is committed is not done again. */
  #called({ execution: { id }, step, direction }: Asker, { owner }: Process): void {
    const records = this.#ground.store.load([id]);
    // Elsewhere it may have gone on by the time of the answer.
    if (records instanceof Promise) return void records.catch(() => undefined);
    const [record] = records;
    if (record === undefined || record.owner === null || record.owner !== owner) return;
    const { position } = record;
    if (position.step !== step.name || position.direction !== direction)
      this.#wrong(`${id} is called ${direction} at ${step.name}, and ${position.direction} ${position.step} is due`);
  }

  async #start(launcher: Launcher, process: Process): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await launcher.start();
      } catch (error) {
        if (!isRetryable(error) || tries > 20) return this.#wrong(`does not start: ${String(error)}`);
        await new Promise<void>((resolve) => void process.clock.after(300, resolve));
      }
    }
  }

  #heard(error: StepwellError): void {
    const isMistake =
      error.code === "STEPWELL_INVARIANT_VIOLATED" || (error.code === "STEPWELL_STORE_FAILED" && !error.retryable);
    if (isMistake) this.#wrong(`${error.code}: ${error.message}`);
  }

  async #comeToRest(callers: Callers): Promise<void> {
    const { world, store } = this.#ground;
    for (let round = 0; round < rounds; round++) {
      await world.advance(1000);
      const areBack = this.#machines.every(({ process }) => !process.isFrozen);
      if (callers.areDone && areBack && (await isAtRest(this.#scenario, store))) return;
    }
    this.#wrong("does not come to rest");
  }

  async #judge(callers: Callers): Promise<void> {
    // What came back may still try to write.
    await this.#ground.world.advance(600);
    const { store, entries } = this.#ground;
    const found = await violationsOf({
      ...{ scenario: this.#scenario, store, outside: this.#outside, accepted: callers.accepted, told: this.#told },
      entries: await entries?.all(),
    });
    for (const what of [...found, ...((await this.#ground.wrongs?.()) ?? [])]) this.#wrong(what);
  }

  /** Nothing is left of a launcher that was stopped. */
  async #stopAll(): Promise<void> {
    const { world } = this.#ground;
    this.#isStopping = true;
    const alive = this.#machines.filter(({ process }) => process.isAlive);
    const running = new Set(alive);
    for (const machine of alive) void machine.launcher.stop().then(() => running.delete(machine));
    const areLeft = (): boolean => [...running].some(({ process }) => process.isAlive);
    for (let tries = 0; areLeft() && tries < 30; tries++) await world.advance(2000);
    if (areLeft()) this.#wrong("a launcher does not stop");
    for (const { process } of this.#machines) {
      if (process.isAlive && process.clock.pending > 0)
        this.#wrong(`${process.clock.pending} timers are left after the stop of ${process.owner}`);
    }
  }
}

export type LocalStore = "memory" | "sqlite";

const bases: Readonly<Record<LocalStore, (clock: VirtualClock) => Store>> = {
  memory: (clock) => memoryStore({ clock }),
  sqlite: sqliteInMemory,
};

/** In this process, on virtual time alone. */
export function locally(kind: LocalStore): Opens {
  return async (wrong) => {
    const world = new QuickClock();
    const base = bases[kind](world);
    await base.open();
    const store = fenced(base, wrong);
    return {
      ...{ world, store, reach: () => ({ store }), close: () => base.close() },
      entries: base.transactions === undefined ? undefined : entriesIn(base),
    };
  };
}

function entriesIn(store: Store): Entries {
  const open = "CREATE TABLE IF NOT EXISTS entries (key TEXT NOT NULL)";
  const does = (sql: string, key: string, patch: object) =>
    transaction((connection) => {
      connection.exec(open);
      connection.prepare(sql).run(key);
      return patch;
    });
  return {
    enter: (key, patch) => does("INSERT INTO entries (key) VALUES (?)", key, patch),
    remove: (key, patch) => does("DELETE FROM entries WHERE key = ?", key, patch),
    async all() {
      let rows: readonly { readonly key: string }[] = [];
      await store.transactions!.run((connection) => {
        const database = connection as Connection;
        database.exec(open);
        rows = database.prepare("SELECT key FROM entries").all() as { key: string }[];
        return null;
      });
      return rows.map(({ key }) => key);
    },
  };
}
