/** A launcher on a virtual clock, for the tests of behaviour; each behaviour is shown on every store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, onTestFinished } from "vitest";
import {
  Launcher,
  memoryStore,
  observer,
  type AnyWorkflow,
  type Execution,
  type LauncherOptions,
  type Observer,
  type Store,
  type StepwellError,
} from "../../src/index.js";
import { qualified } from "../../src/stores/postgres/database.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { drivers } from "../../src/stores/sqlite/driver.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { freshSchema, postgresUrl, query } from "./postgres.js";
import { through } from "../../src/testing/faults/through.js";

export interface Rig {
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly launcher: Launcher;
  /** What nobody else heard. */
  readonly errors: StepwellError[];
  /** What somebody does to the tables by hand. */
  readonly sql: (text: string) => Promise<readonly unknown[]>;
  /** Another launcher on the same store, as a second process would be. */
  readonly another: (workflows?: readonly AnyWorkflow[], options?: Partial<LauncherOptions>) => Promise<Launcher>;
}

export type Start = (workflows: readonly AnyWorkflow[], options?: Partial<LauncherOptions>) => Promise<Rig>;

interface Made extends Pick<Rig, "sql"> {
  readonly store: Store;
}

const makers: Record<string, (clock: SettlingClock) => Made> = {
  memory: (clock) => ({
    store: memoryStore({ clock }),
    sql: () => Promise.reject(new Error("The memory store has no tables.")),
  }),
  sqlite: (clock) => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "test.db");
    const sql: Rig["sql"] = async (text) => {
      const connection = [...drivers()][0]!.connect(path);
      const rows = connection.prepare(text).all();
      connection.close();
      return rows;
    };
    return { store: sqliteStore(path, { clock, durability: "normal" }), sql };
  },
  // As one process: its own hints need no notifications.
  postgres: (clock) => {
    const schema = freshSchema();
    const store = postgresStore(postgresUrl(), { schema, clock, notifications: false, connections: 3 });
    return { store: clock.watching(store), sql: async (text) => query(postgresUrl(), qualified(text, schema)) };
  },
};

/** A virtual clock that also waits for a store whose answers come over a network: time stands still until they are there. */
export class SettlingClock extends VirtualClock {
  #asked = 0;
  #questions = 0;
  #answered: (() => void)[] = [];

  /** At rest is what has asked nothing for as long as others take to settle: an answer may have come in between. */
  override async settle(): Promise<void> {
    let before: number;
    do {
      while (this.#asked > 0) await new Promise<void>((resolve) => this.#answered.push(resolve));
      before = this.#questions;
      await super.settle();
    } while (this.#questions !== before);
  }

  watching(store: Store): Store {
    return through(store, (call) => (...given) => {
      const result = call(...given);
      return result instanceof Promise ? this.#awaited(result) : result;
    });
  }

  async #awaited<Answer>(answer: Promise<Answer>): Promise<Answer> {
    this.#asked++;
    this.#questions++;
    try {
      return await answer;
    } finally {
      this.#asked--;
      const answered = this.#answered;
      this.#answered = [];
      for (const resolve of answered) resolve();
    }
  }
}

/** Runs the same tests on each store. */
export function onEveryStore(name: string, tests: (start: Start) => void, kinds = Object.keys(makers)): void {
  describe.each(kinds)(`${name}, on the %s store`, (kind) => {
    tests(async (workflows, options = {}) => {
      const clock = new SettlingClock();
      const { store, sql } = makers[kind]!(clock);
      await store.open();
      const errors: StepwellError[] = [];
      const another: Rig["another"] = async (others = workflows, more = {}) => {
        const launcher = new Launcher({ store, workflows: others, onError: (error) => errors.push(error), ...more });
        await launcher.start();
        onTestFinished(async () => {
          const stopped = launcher.stop();
          await clock.advance("1m");
          await stopped;
        });
        return launcher;
      };
      onTestFinished(() => void (store.isOpen && store.close()));
      return { clock, store, sql, errors, another, launcher: await another(workflows, options) };
    });
  });
}

/** For tests over days: a launcher that looks rarely, since each look of it is a call of the store. */
export const patient: Partial<LauncherOptions> = {
  pollInterval: "1h",
  heartbeat: { interval: "1h", timeout: "1d" },
};
/** Runs the same tests on each store that has tables, which somebody may damage. */
export function onEverySqlStore(name: string, tests: (start: Start) => void): void {
  onEveryStore(name, tests, ["sqlite", "postgres"]);
}

/** What an execution did, as `direction step func result` lines of its history. */
export async function told(execution: Execution): Promise<string[]> {
  const rows = await execution.history();
  return rows.map(({ step, func, result }) => `${func} ${step}: ${result}`);
}

/** Writes down every callback that it hears. */
export function scribe(lines: string[], options: { guard?: true } = {}): Observer {
  const write =
    (callback: string) =>
    ({ step }: { step?: { name: string } }): undefined =>
      void lines.push(step === undefined ? callback : `${callback} ${step.name}`);
  return observer({
    name: "scribe",
    ...options,
    init: write("init"),
    beforeStep: write("beforeStep"),
    afterStep: write("afterStep"),
    startRollback: write("startRollback"),
    success: () => void lines.push("success"),
    failure: () => void lines.push("failure"),
  });
}

/** The store without its hints: as for a launcher whose process is paused, or whose notifications are lost. */
export function deaf(store: Store): Store {
  return through(store, (call) => call, { watch: () => () => undefined, follow: () => () => undefined });
}

/** What it rejects with, listened for from now on. */
export function errorOf(promise: Promise<unknown> | undefined): Promise<unknown> {
  return Promise.resolve(promise).then(
    (value) => new Error(`It did not reject, but gave ${JSON.stringify(value)}.`),
    (error: unknown) => error,
  );
}

export interface Reads {
  /** How often each of the store's methods was called. */
  calls: Record<string, number>;
  /** How many rows each of them gave. */
  rows: Record<string, number>;
}

/** The store, and what was read from it. */
export function reading(store: Store): { readonly store: Store; readonly reads: Reads } {
  const reads: Reads = { calls: {}, rows: {} };
  const count = (key: string, answer: unknown): void => {
    reads.calls[key] = (reads.calls[key] ?? 0) + 1;
    if (Array.isArray(answer)) reads.rows[key] = (reads.rows[key] ?? 0) + answer.length;
  };
  const counting = through(store, (call, name) => (...given) => {
    const answer = call(...given);
    if (answer instanceof Promise) void answer.then((it) => count(name, it));
    else count(name, answer);
    return answer;
  });
  return { store: counting, reads };
}
