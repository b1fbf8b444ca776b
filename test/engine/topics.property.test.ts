/** Whatever comes first, and whenever a launcher dies: who subscribes has each message once, and goes on by one of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { Launcher, memoryStore, pause, workflow, type Store } from "../../src/index.js";
import { drivers } from "../../src/stores/sqlite/driver.js";
import { sqliteStoreOn } from "../../src/stores/sqlite/sqlite-store.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { dying } from "../support/dying.js";

const topics = ["a", "b"];
const payment = workflow("payment", { input: z.object({ topic: z.string(), until: z.enum(["step", "end"]) }) })
  .step("pay", {
    messages: { paid: z.null() },
    run: async ({ state, subscribe }) => {
      await subscribe(state.topic, { until: state.until });
      return pause({ subscribed: true });
    },
    onMessage: ({ message }) => ({ paidBy: message.id }),
  })
  .step("thank", { run: () => undefined });

const topic = fc.constantFrom(...topics);
const act = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("launch" as const),
      topic,
      until: fc.constantFrom("step" as const, "end" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant("publish" as const), topic, message: fc.constantFrom("m1", "m2") }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant("wait" as const), milliseconds: fc.constantFrom(0, 1, 3_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("die" as const),
      with: fc.constantFrom("creates", "transitions", "subscriptions", "publications"),
      when: fc.constantFrom("before" as const, "after" as const),
    }),
  },
);
type Act = typeof act extends fc.Arbitrary<infer Value> ? Value : never;

class World {
  readonly clock: VirtualClock;
  readonly store: Store;
  /** Calls that nobody has answered yet, by name: made again in the next life. */
  readonly open = new Map<string, (launcher: Launcher) => Promise<unknown>>();
  readonly launched: { readonly id: string; readonly topic: string }[] = [];
  readonly published = new Map<string, Set<string>>(topics.map((it) => [it, new Set()]));
  readonly errors: string[] = [];
  #launcher: Launcher | undefined;
  #isDead = false;

  constructor(clock: VirtualClock, store: Store) {
    this.clock = clock;
    this.store = store;
  }

  async begin(store: Store): Promise<Launcher> {
    const launcher: Launcher = new Launcher({
      store,
      workflows: [payment],
      heartbeat: { interval: "1s", timeout: "5s" },
      // What the process of one that is dead would say nobody hears.
      onError: ({ code }) => void (this.#lives(launcher) && this.errors.push(code)),
    });
    // It may die while it starts.
    this.#isDead = false;
    await launcher.start();
    this.#launcher = launcher;
    for (const name of this.open.keys()) this.call(name);
    return launcher;
  }

  call(name: string, call = this.open.get(name)!): void {
    this.open.set(name, call);
    const launcher = this.#launcher!;
    call(launcher).then(
      () => this.open.delete(name),
      (error: unknown) => {
        if (this.#lives(launcher)) throw error;
      },
    );
  }

  #lives(launcher: Launcher): boolean {
    return launcher === this.#launcher && !this.#isDead;
  }

  /** The launcher dies as soon as it writes such a thing; the next one begins once that is so, or at once. */
  async die({ with: kind, when }: Extract<Act, { readonly act: "die" }>): Promise<void> {
    const before = this.#launcher!;
    if (!this.#isDead) void before.stop();
    await this.clock.advance("1s");
    await this.begin(
      dying(this.store, when, (batch) => {
        const rows = (batch as unknown as Record<string, readonly unknown[] | undefined>)[kind];
        return (this.#isDead ||= rows !== undefined && rows.length > 0);
      }),
    );
  }

  async perform(it: Act): Promise<void> {
    switch (it.act) {
      case "launch": {
        const id = `e-${this.launched.length}`;
        this.launched.push({ id, topic: it.topic });
        return this.call(id, (launcher) => launcher.launch(payment, { topic: it.topic, until: it.until }, { id }));
      }
      case "publish": {
        const messageId = `${it.topic} ${it.message}`;
        this.published.get(it.topic)!.add(messageId);
        return this.call(`publish ${messageId}`, (launcher) => launcher.publish(it.topic, "paid", null, { messageId }));
      }
      case "wait":
        return this.clock.advance(it.milliseconds);
      case "die":
        return this.die(it);
    }
  }

  async check(): Promise<void> {
    const launcher = this.#launcher!;
    for (const { id, topic } of this.launched) {
      const execution = launcher.execution(payment, id);
      const { status } = await execution.summary();
      const mailbox = await execution.mailbox();
      const ids = mailbox.map((row) => row.id);
      assert.equal(new Set(ids).size, ids.length, `${id} has a message twice`);
      const published = this.published.get(topic)!;
      assert.ok(
        ids.every((it) => published.has(it)),
        `${id} has a message of another topic`,
      );
      assert.equal(status, published.size === 0 ? "waiting" : "completed", id);
      if (published.size === 0) continue;
      const consumed = mailbox.filter((row) => row.status === "consumed").map((row) => row.id);
      assert.deepEqual(consumed, [(await execution.state()).paidBy]);
      assert.ok(mailbox.every((row) => row.status !== "pending"));
    }
    // Nobody who has ended is subscribed any more.
    for (const topic of topics) {
      const waiting = this.published.get(topic)!.size === 0 ? this.launched.filter((it) => it.topic === topic) : [];
      assert.equal((await launcher.publish(topic, "other", null)).delivered, waiting.length);
    }
  }
}

const [driver] = [...drivers()];

test.each<[string, (clock: VirtualClock) => Store, number]>([
  ["memory", (clock) => memoryStore({ clock }), 300],
  ["SQLite", (clock) => sqliteStoreOn(":memory:", clock, "full", () => driver!), 100],
])("on the %s store, whoever dies and whatever comes first", async (_, makeStore, numRuns) => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 3, maxLength: 15 }), async (acts) => {
      const clock = new VirtualClock();
      const store = makeStore(clock);
      await store.open();
      const world = new World(clock, store);
      await world.begin(store);
      for (const it of acts) await world.perform(it);
      await clock.advance("10s");
      await world.begin(store);
      await clock.advance("20s");
      expect([...world.open.keys()]).toEqual([]);
      await world.check();
      // Executions that were begun again when their launcher died have been lost by it; nothing else goes wrong.
      expect(world.errors.filter((code) => code !== "STEPWELL_OWNERSHIP_LOST")).toEqual([]);
    }),
    { numRuns },
  );
});
