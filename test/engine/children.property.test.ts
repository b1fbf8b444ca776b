/** Whatever fails, is asked for or dies in a tree of executions: it ends whole or without trace, and nothing is undone twice. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Launcher, memoryStore, type RollbackAnswer, type Store } from "../../src/index.js";
import type { ListedExecution } from "../../src/stores/contract.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { Family, type Plan } from "../support/family.js";

const generations = 3;

function planOf(left: number): fc.Arbitrary<Plan> {
  return fc.record(
    {
      fails: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, "first" as const, "last" as const),
      undoThrows: fc.constantFrom(0, 0, 1, 3, 99),
      below: left === 0 ? fc.constant([]) : fc.array(planOf(left - 1), { maxLength: 3 }),
    },
    { requiredKeys: ["below"] },
  ) as fc.Arbitrary<Plan>;
}

const which = fc.nat(20);

const act = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("pass" as const), time: fc.constantFrom(0, 1, 50, 2_000) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("rollback" as const), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("retry" as const), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("skip" as const), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("bury" as const), which }) },
);

type Act = typeof act extends fc.Arbitrary<infer It> ? It : never;

const rarely = { pollInterval: "1m", heartbeat: { interval: "1m", timeout: "5m" }, onError: () => undefined } as const;

/** A tree that two launchers work on, while somebody acts on it. */
class Run {
  readonly #clock: VirtualClock;
  readonly #store: Store;
  readonly #family: Family;
  readonly #launchers: readonly Launcher[];
  readonly #accepted: Map<string, number>;

  constructor(store: Store, clock: VirtualClock, step: object, accepted: Map<string, number>) {
    this.#store = store;
    this.#clock = clock;
    this.#accepted = accepted;
    this.#family = new Family(() => store, generations, step);
    this.#launchers = [1, 2].map(() => new Launcher({ store, workflows: [this.#family.top], ...rarely }));
  }

  async begin(plan: Plan): Promise<void> {
    await this.#store.open();
    for (const launcher of this.#launchers) await launcher.start();
    await this.#operator.launch(this.#family.top, { plan }, { id: "o" });
  }

  get #operator(): Launcher {
    return this.#launchers[0]!;
  }

  /** An operator acts on what is stuck, if anything is; every second rollback is asked of the top. */
  async do(act: Act): Promise<void> {
    if (act.type === "pass") return this.#clock.advance(act.time);
    const { records } = await this.#store.list({ limit: 100 });
    const stuck = records.filter(({ status }) => status === "stuck");
    const among = records.filter(({ status, line }) => {
      if (act.type === "rollback") return line === null || act.which % 2 === 0;
      return act.type === "bury" || stuck.length === 0 || status === "stuck";
    });
    const target = among[act.which % among.length]!;
    if (await this.#does(act.type, target)) this.#accepted.set(act.type, (this.#accepted.get(act.type) ?? 0) + 1);
  }

  /** False: it was refused, or there was nothing to do. */
  async #does(type: Exclude<Act["type"], "pass">, { id, owner, position }: ListedExecution): Promise<boolean> {
    const execution = this.#operator.execution(id);
    switch (type) {
      case "rollback":
        return this.#accepts(execution.rollback("asked"));
      case "retry":
        return this.#accepts(execution.retry());
      case "skip": {
        const isAccepted = await this.#accepts(execution.skip("let it be"));
        if (isAccepted) this.#family.letBe(id, position.step);
        return isAccepted;
      }
      case "bury":
        if (owner !== null) await this.#store.removeLaunchers([owner]);
        return owner !== null;
    }
  }

  async #accepts(call: Promise<RollbackAnswer | void>): Promise<boolean> {
    const settled = call.then(
      (answer) => answer?.accepted !== false,
      () => false,
    );
    await this.#clock.advance("1m");
    return settled;
  }

  /** The operator mends what undos throw for, and has all that is stuck tried again. */
  async mended(): Promise<readonly string[]> {
    this.#family.mend();
    for (;;) {
      await this.#clock.advance("30m");
      const { records } = await this.#store.list({ limit: 100, status: ["stuck"] });
      if (records.length === 0) return this.#family.problems("o");
      for (const { id } of records) await this.#accepts(this.#operator.retry(id));
    }
  }

  async end(): Promise<void> {
    const stopped = Promise.all(this.#launchers.map((launcher) => launcher.stop()));
    await this.#clock.advance("1m");
    await stopped;
  }
}

test.each([
  ["memory", (clock: VirtualClock) => memoryStore({ clock })],
  ["SQLite", (clock: VirtualClock) => sqliteStore(":memory:", { clock })],
] as const)(
  "a tree ends whole or without trace, whatever fails, is asked for, gets stuck or dies, on the %s store",
  async (_, storeOn) => {
    const accepted = new Map<string, number>();
    const options = fc.constantFrom({}, { concurrency: 1 }, { concurrency: 2, undo: "one-by-one" });
    await fc.assert(
      fc.asyncProperty(planOf(generations - 1), options, fc.array(act, { maxLength: 16 }), async (plan, step, acts) => {
        const clock = new VirtualClock();
        const run = new Run(storeOn(clock), clock, step, accepted);
        await run.begin(plan);
        for (const it of acts) await run.do(it);
        expect(await run.mended()).toEqual([]);
        await run.end();
      }),
      { numRuns: 200, interruptAfterTimeLimit: 60_000 },
    );
    // An operator whose every act is refused has shown nothing.
    for (const type of ["rollback", "retry", "skip", "bury"]) expect(accepted.get(type) ?? 0, type).toBeGreaterThan(0);
  },
  90_000,
);
