import assert from "node:assert/strict";
import { contractCase, needing, type StoreContractCase } from "./bench.js";

const limitsCase = needing("limits");

export const releasing: readonly StoreContractCase[] = [
  contractCase("a release lets go without a transition", async (bench) => {
    await bench.create("one", { status: "waiting" });
    const before = await bench.load("one");
    await bench.clock.advance(5);
    assert.equal(await bench.release("one", { dueInMs: 30 }), "taken");
    assert.deepEqual(await bench.load("one"), { ...before, owner: null, claims: 0, dueAt: bench.now + 30 });
    assert.deepEqual(await bench.history("one"), []);
  }),

  contractCase("a release does not count: the crashes before it stay counted", async (bench) => {
    await bench.create("one");
    await bench.store.removeLaunchers([bench.owner]);
    const other = await bench.register();
    await bench.claim(other);
    assert.equal((await bench.load("one")).claims, 2);
    assert.equal(await bench.release("one", { owner: other, dueInMs: 0 }), "taken");
    assert.equal((await bench.load("one")).claims, 1);
  }),

  contractCase("a release with a position keeps it without a transition, and counts anew", async (bench) => {
    await bench.create("one", { status: "scheduled" });
    await bench.store.removeLaunchers([bench.owner]);
    const other = await bench.register();
    await bench.claim(other);
    const before = await bench.load("one");
    const position = { ...before.position, polls: 2, resumeAt: bench.now + 30 };
    assert.equal(await bench.release("one", { owner: other, dueInMs: 30, position }), "taken");
    assert.deepEqual(await bench.load("one"), { ...before, position, owner: null, claims: 0, dueAt: bench.now + 30 });
    assert.deepEqual(await bench.history("one"), []);
  }),

  contractCase("a release that is refused leaves the position as it was", async (bench) => {
    await bench.create("one");
    const { position } = await bench.load("one");
    await bench.send("one");
    assert.equal(await bench.release("one", { position: { ...position, polls: 2 } }), "signalled");
    assert.deepEqual((await bench.load("one")).position, position);
  }),

  contractCase("a release without a time is not due by itself", async (bench) => {
    await bench.create("one");
    await bench.release("one");
    assert.equal((await bench.load("one")).dueAt, null);
    assert.deepEqual(await bench.claimedIds(), []);
  }),

  contractCase("an arrival that the engine has not seen refuses the release", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    const before = await bench.load("one");
    assert.equal(await bench.release("one", { dead: ["arrival-1"] }), "signalled");
    assert.deepEqual(await bench.load("one"), before);
    assert.deepEqual(await bench.mailbox("one"), ["arrival-1 pending"]);
    assert.equal(await bench.release("one", { signals: 1 }), "taken");
  }),

  contractCase("a release that does not ask about arrivals is taken whatever came", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    assert.equal(await bench.release("one", { signals: null, dueInMs: 0 }), "taken");
    assert.deepEqual(await bench.claimedIds(), ["one"]);
  }),

  contractCase("only the owner can release", async (bench) => {
    await bench.create("one");
    assert.equal(await bench.release("one", { owner: await bench.register() }), "lost");
    assert.equal(await bench.release("none"), "lost");
    assert.equal(await bench.release("one"), "taken");
    assert.equal(await bench.release("one"), "lost");
  }),

  limitsCase("a release can park what can't be read: it is stuck as it is, and leaves its queue", async (bench) => {
    await bench.create("one", { status: "waiting" });
    await bench.create("two", {
      queue: { gate: "g", key: null, rateKey: null, leadMs: 0 },
      owner: null,
      deadlineInMs: 1,
    });
    const before = await bench.load("one");
    await bench.clock.advance(5);
    assert.deepEqual(await bench.claimedIds(), ["two"]);
    const { releases } = await bench.write({
      releases: ["one", "two"].map((id) => ({
        id,
        owner: bench.owner,
        signals: 0,
        dueInMs: null,
        dead: [],
        parks: true,
      })),
    });
    assert.deepEqual(releases, ["taken", "taken"]);
    const parked = { status: "stuck", owner: null, claims: 0, updatedAt: bench.now };
    assert.deepEqual(await bench.load("one"), { ...before, ...parked });
    assert.deepEqual((await bench.load("two")).admission, null);
    assert.deepEqual((await bench.waiting(0)).gates, []);
    assert.deepEqual(await bench.history("one"), []);
    const page = await bench.store.list({ status: ["stuck"], limit: 10 });
    assert.deepEqual(page.records.map(({ id }) => id).toSorted(), ["one", "two"]);
  }),

  contractCase("a release can make pending arrivals dead letters", async (bench) => {
    await bench.create("one");
    await bench.send("one");
    await bench.send("one");
    assert.equal(await bench.release("one", { signals: 2, dead: ["arrival-1"] }), "taken");
    assert.deepEqual(await bench.mailbox("one"), ["arrival-1 dead", "arrival-2 pending"]);
  }),
];
