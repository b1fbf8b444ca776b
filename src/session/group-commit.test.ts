import { describe, expect, test } from "vitest";
import { Encoded } from "../values/encode.js";
import { StepwellError } from "../errors.js";
import type { Arrival, Batch, BatchResult, Publication, Release, Subscription } from "../stores/batch.js";
import type { Store } from "../stores/contract.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { Committer } from "./group-commit.js";

/** A store whose batches are taken when the test says so. */
class Hall {
  readonly batches: Batch[] = [];
  readonly #doors: ((result: BatchResult) => void)[] = [];
  readonly store: Store;

  constructor(lanes: number | undefined, topicLanes?: number) {
    const write = (batch: Batch): Promise<BatchResult> => {
      this.batches.push(batch);
      return new Promise((resolve) => this.#doors.push(resolve));
    };
    this.store = {
      name: "hall",
      topics: {},
      gathers: true,
      ...(lanes !== undefined && { lanes, topicLanes }),
      write,
    } as unknown as Store;
  }

  take(index: number): void {
    const { releases, arrivals, subscriptions = [], publications = [] } = this.batches[index]!;
    this.#doors[index]!({
      at: 1,
      creates: [],
      transitions: [],
      releases: releases.map(() => "taken"),
      arrivals: arrivals.map(({ id }) => ({ result: "stored", id })),
      subscriptions: subscriptions.map(() => "taken"),
      publications: publications.map(({ id }) => ({ result: "stored", id, delivered: 0 })),
    });
  }
}

const release = (id: string): Release => ({ id, owner: 1, signals: 0, dueInMs: null, dead: [] });
const arrival = (id: string): Arrival => ({
  id,
  execution: "e",
  kind: "message",
  name: "n",
  payload: Encoded.ofText("1"),
  messageId: null,
  acceptedIn: [],
  wakes: [],
  carried: null,
});
const publication = (id: string, topic = "t"): Publication => ({
  ...{ id, topic, name: "n", payload: Encoded.ofText("1"), messageId: null },
  ...{ keepForMs: 0, wakes: [], carried: null },
});
const subscription = (topic: string): Subscription => ({
  ...{ execution: "e", owner: 1, revision: 0, topic, until: "step", step: "first" },
});
const sink = { committed: () => undefined, refused: () => undefined };
const clock = new VirtualClock();
const turn = (): Promise<void> => clock.settle();
const idsOf = ({ releases, arrivals, subscriptions = [], publications = [] }: Batch): string[] => [
  ...[...releases, ...arrivals, ...publications].map(({ id }) => id),
  ...subscriptions.map(({ topic }) => topic),
];

describe("group commit on a store with several lanes", () => {
  test("writes as many batches at once, and what comes meanwhile with the next one", async () => {
    const hall = new Hall(2);
    const committer = new Committer(hall.store, clock);
    for (const id of ["a", "b", "c"]) {
      committer.release(release(id), sink);
      await turn();
    }
    committer.release(release("d"), sink);
    await turn();
    expect(hall.batches.map(idsOf)).toEqual([["a"], ["b"]]);
    hall.take(1);
    await turn();
    expect(hall.batches.map(idsOf)).toEqual([["a"], ["b"], ["c", "d"]]);
  });

  test("shares a great deal between the lanes, and keeps a little together", async () => {
    const hall = new Hall(2);
    const committer = new Committer(hall.store, clock);
    for (let n = 0; n < 20; n++) committer.release(release(`${n}`), sink);
    await turn();
    hall.take(0);
    await turn();
    for (let n = 0; n < 200; n++) committer.release(release(`${n}`), sink);
    await turn();
    expect(hall.batches.map((batch) => batch.releases.length)).toEqual([20, 100, 100]);
  });

  test("writes arrivals one batch after the other, so that they keep their order, and apart from the rest", async () => {
    const hall = new Hall(3);
    const committer = new Committer(hall.store, clock);
    const sent = ["1", "2", "3"].map(async (id) => {
      const answer = committer.deliver(arrival(id));
      return answer;
    });
    committer.release(release("a"), sink);
    await turn();
    sent.push(committer.deliver(arrival("4")), committer.deliver(arrival("5")));
    await turn();
    expect(hall.batches.map(idsOf)).toEqual([["1", "2", "3"], ["a"]]);
    hall.take(0);
    await turn();
    expect(hall.batches.map(idsOf)).toEqual([["1", "2", "3"], ["a"], ["4", "5"]]);
    hall.take(2);
    expect(await Promise.all(sent)).toEqual(["1", "2", "3", "4", "5"].map((id) => ({ result: "stored", id })));
  });

  test("writes subscriptions and publications apart from all else, which so never waits for the lock of a topic", async () => {
    const hall = new Hall(2);
    const committer = new Committer(hall.store, clock);
    const answers = [committer.subscribe(subscription("t")), committer.publish(publication("p"))];
    await turn();
    const later = committer.publish(publication("q"));
    committer.release(release("a"), sink);
    await turn();
    hall.take(1);
    await turn();
    committer.release(release("b"), sink);
    await turn();
    expect(hall.batches.map(idsOf)).toEqual([["p", "t"], ["a"], ["b"]]);
    hall.take(0);
    hall.take(2);
    expect(await Promise.all(answers)).toEqual(["taken", { result: "stored", id: "p", delivered: 0 }]);
    await turn();
    expect(hall.batches.map(idsOf).at(-1)).toEqual(["q"]);
    hall.take(3);
    expect(await later).toMatchObject({ id: "q" });
    await committer.drained();
  });

  test("writes what is about other topics while a batch waits for a topic, and what is about that one in its order", async () => {
    const hall = new Hall(2, 2);
    const committer = new Committer(hall.store, clock);
    const answers: Promise<unknown>[] = [];
    const publish = async (id: string, topic: string): Promise<void> => {
      answers.push(committer.publish(publication(id, topic)));
      await turn();
    };
    await publish("a1", "a");
    await publish("a2", "a");
    await publish("b1", "b");
    await publish("a3", "a");
    await publish("b2", "b");
    await publish("c1", "c");
    for (const id of ["1", "2"]) {
      committer.release(release(id), sink);
      await turn();
    }
    const written = [["a1"], ["b1"], ["1"], ["2"]];
    expect(hall.batches.map(idsOf)).toEqual(written);
    hall.take(2);
    hall.take(1);
    await turn();
    expect(hall.batches.map(idsOf)).toEqual([...written, ["b2", "c1"]]);
    hall.take(0);
    await turn();
    expect(hall.batches.map(idsOf)).toEqual([...written, ["b2", "c1"], ["a2", "a3"]]);
    hall.take(3);
    let isDrained = false;
    const draining = committer.drained().then(() => (isDrained = true));
    hall.take(4);
    await turn();
    expect(isDrained).toBe(false);
    hall.take(5);
    await draining;
    expect(await Promise.all(answers)).toHaveLength(6);
  });

  test("is drained when the last batch of all lanes has been taken", async () => {
    const hall = new Hall(2);
    const committer = new Committer(hall.store, clock);
    committer.release(release("a"), sink);
    await turn();
    const sent = committer.deliver(arrival("1"));
    let drained = false;
    const draining = committer.drained().then(() => (drained = true));
    await turn();
    hall.take(0);
    await turn();
    expect(drained).toBe(false);
    hall.take(1);
    await draining;
    expect(await sent).toEqual({ result: "stored", id: "1" });
  });
});

test("while the store is away a subscription waits, as a commit does; a publication is given back", async () => {
  const busy = new StepwellError("STEPWELL_STORE_BUSY", "away", { retryable: true });
  const clock = new VirtualClock();
  let isAway = true;
  const write = async (batch: Batch): Promise<unknown> => {
    if (isAway) throw busy;
    return { subscriptions: batch.subscriptions?.map(() => "taken") };
  };
  const committer = new Committer({ name: "away", gathers: true, write, topics: {} } as unknown as Store, clock);
  const heard: unknown[] = [];
  const subscribing = committer.subscribe(subscription("t")).then((answer) => heard.push(answer));
  const publishing = committer.publish(publication("p")).catch((error: unknown) => heard.push(error));
  await clock.advance("30s");
  expect(heard).toEqual([busy]);
  isAway = false;
  await clock.advance("1s");
  await Promise.all([subscribing, publishing]);
  expect(heard).toEqual([busy, "taken"]);
});

test("a store with one lane gets one batch at a time, of everything", async () => {
  const hall = new Hall(undefined);
  const committer = new Committer(hall.store, clock);
  void committer.deliver(arrival("1"));
  committer.release(release("a"), sink);
  await turn();
  committer.release(release("b"), sink);
  await turn();
  expect(hall.batches.map(idsOf)).toEqual([["a", "1"]]);
  hall.take(0);
  await turn();
  expect(hall.batches.map(idsOf)).toEqual([["a", "1"], ["b"]]);
});
