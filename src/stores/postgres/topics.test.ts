/** What two connections do at the same time, and what a transaction of the caller's may do. */
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { Encoded } from "../../values/encode.js";
import { position, sell } from "../../testing/store-contract/bench.js";
import type { Batch, NewExecution, Publication, Subscription } from "../batch.js";
import type { Store } from "../contract.js";
import { postgresStore } from "./index.js";

const nothing: Batch = { creates: [], transitions: [], releases: [], arrivals: [] };

const create = (id: string, owner: number): NewExecution => ({
  id,
  workflow: sell.name,
  version: sell.version,
  fingerprint: null,
  tags: [],
  status: "running",
  position,
  state: Encoded.ofText("{}"),
  input: Encoded.ofText("{}"),
  owner,
  dueInMs: 0,
  deadlineInMs: null,
  carried: null,
});

const publication = (id: string, topic: string, messageId: string | null = null): Publication => ({
  id,
  topic,
  name: "paid",
  payload: Encoded.ofText("1"),
  messageId,
  keepForMs: 60_000,
  wakes: ["waiting"],
  carried: null,
});

interface Scene {
  readonly schema: string;
  readonly owner: number;
  readonly left: Store;
  readonly right: Store;
}

/** Two processes on one schema. */
async function scene(): Promise<Scene> {
  const schema = freshSchema();
  const [left, right] = [1, 2].map(() => postgresStore(postgresUrl(), { schema, notifications: false })) as [
    Store,
    Store,
  ];
  for (const store of [left, right]) {
    await store.open();
    onTestFinished(async () => store.close());
  }
  return { schema, owner: await left.register({ host: "here", pid: 1 }), left, right };
}

async function client(): Promise<pg.Client> {
  const made = new pg.Client(postgresUrl());
  await made.connect();
  onTestFinished(() => made.end());
  return made;
}

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

test("who subscribes while it is published gets it, once, whichever comes first", async () => {
  const { owner, left, right } = await scene();
  const ids = names("e", 60);
  await left.write({ ...nothing, creates: ids.map((id) => create(id, owner)) });
  for (const id of ids) {
    const subscriptions: Subscription[] = [
      { execution: id, owner, revision: 0, topic: `t-${id}`, until: "step", step: "first" },
    ];
    const publications = [publication(`p-${id}`, `t-${id}`)];
    await Promise.all([left.write({ ...nothing, subscriptions }), right.write({ ...nothing, publications })]);
  }
  for (const id of ids) expect(await left.mail({ executions: [id] }), id).toHaveLength(1);
  expect((await left.load(ids)).map((record) => record?.signals)).toEqual(ids.map(() => 1));
});

test("batches of many topics at the same time never wait for each other in turn, and lose nothing", async () => {
  const { owner, left, right } = await scene();
  const ids = names("e", 20);
  const topics = names("t", 10);
  await left.write({ ...nothing, creates: ids.map((id) => create(id, owner)) });
  const pairs = ids.flatMap((execution) => topics.map((topic) => ({ execution, topic })));
  const subscribing = async (): Promise<void> => {
    for (let part = 0; part < 10; part++) {
      const subscriptions = pairs
        .filter((_, index) => index % 10 === part)
        .map((it): Subscription => ({ ...it, owner, revision: 0, until: "end", step: "first" }));
      const written = await left.write({ ...nothing, subscriptions });
      expect(new Set(written.subscriptions)).toEqual(new Set(["taken"]));
    }
  };
  const publishing = async (store: Store, name: string, order: readonly string[]): Promise<void> => {
    for (let round = 0; round < 5; round++) {
      const publications = order.map((topic) => publication(`${name}-${round}-${topic}`, topic));
      await store.write({ ...nothing, publications });
    }
  };
  await Promise.all([subscribing(), publishing(left, "left", topics), publishing(right, "right", topics.toReversed())]);
  for (const id of ids) expect(await left.mail({ executions: [id] })).toHaveLength(2 * 5 * topics.length);
});

test("two that publish one messageId at the same time are told apart", async () => {
  const { owner, left, right } = await scene();
  await left.write({ ...nothing, creates: [create("e", owner)] });
  await left.write({
    ...nothing,
    subscriptions: [{ execution: "e", owner, revision: 0, topic: "t", until: "step", step: "first" }],
  });
  for (const messageId of names("m", 20)) {
    const answers = await Promise.all(
      [left, right].map(async (store, n) =>
        store.write({ ...nothing, publications: [publication(`${messageId}-${n}`, "t", messageId)] }),
      ),
    );
    const results = answers.map(({ publications }) => publications[0]!.result);
    expect(results.toSorted()).toEqual(["duplicate", "stored"]);
  }
  expect(await left.mail({ executions: ["e"] })).toHaveLength(20);
});

test("in a transaction of the caller's it is published with that, or not at all; who subscribes meanwhile waits and gets it", async () => {
  const { owner, left } = await scene();
  await left.write({ ...nothing, creates: [create("e", owner)] });
  const own = await client();
  const within = left.transactions!.within(own);
  await own.query("BEGIN");
  await within.write({ ...nothing, publications: [publication("gone", "t")] });
  await own.query("ROLLBACK");
  await own.query("BEGIN");
  const { publications } = await within.write({ ...nothing, publications: [publication("kept", "t")] });
  expect(publications).toEqual([{ result: "stored", id: "kept", delivered: 0 }]);
  let isSubscribed = false;
  const subscribing = Promise.resolve(
    left.write({
      ...nothing,
      subscriptions: [{ execution: "e", owner, revision: 0, topic: "t", until: "step", step: "first" }],
    }),
  ).then(() => (isSubscribed = true));
  await left.load(["e"]);
  expect(isSubscribed).toBe(false);
  await own.query("COMMIT");
  await subscribing;
  expect(await left.mail({ executions: ["e"] })).toMatchObject([{ id: "kept", topic: "t" }]);
});

test("on a connection or a pool without a transaction nothing is published", async () => {
  const { schema, left } = await scene();
  const own = await client();
  const pool = new pg.Pool({ connectionString: postgresUrl() });
  onTestFinished(() => pool.end());
  for (const tx of [own, pool]) {
    const publishing = async (): Promise<unknown> =>
      left.transactions!.within(tx).write({ ...nothing, publications: [publication("p", "t")] });
    await expect(publishing()).rejects.toMatchObject({ code: "STEPWELL_NOT_IN_TRANSACTION" });
  }
  await own.query(`BEGIN; SELECT 1`);
  await left.transactions!.within(own).write({ ...nothing, publications: [publication("p", "t")] });
  await own.query("COMMIT");
  expect((await own.query(`SELECT id FROM ${schema}.stepwell_publications`)).rows).toEqual([{ id: "p" }]);
});

test.each(["REPEATABLE READ", "SERIALIZABLE"])(
  "a transaction with the isolation level %s may publish nothing, and goes on",
  async (level) => {
    const { schema, left } = await scene();
    const own = await client();
    await own.query(`BEGIN ISOLATION LEVEL ${level}`);
    await own.query("SELECT 1");
    await expect(
      left.transactions!.within(own).write({ ...nothing, publications: [publication("p", "t")] }),
    ).rejects.toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
      message: expect.stringContaining(level.toLowerCase()) as string,
    });
    await own.query("COMMIT");
    const { rows } = await own.query(`SELECT * FROM ${schema}.stepwell_publications`);
    expect(rows).toEqual([]);
  },
);

test("a publication whose row somebody keeps locked is passed over where old ones are pruned", async () => {
  const { schema, left } = await scene();
  const publications = ["locked", "free"].map((id) => ({ ...publication(id, "t", id), keepForMs: 0 }));
  await left.write({ ...nothing, publications });
  const foreign = await client();
  await foreign.query("BEGIN");
  await foreign.query(`SELECT 1 FROM ${schema}.stepwell_publications WHERE message_id = 'locked' FOR UPDATE`);
  expect(await left.topics!.prune(0, 10)).toBe(1);
  await foreign.query("COMMIT");
  expect(await left.topics!.prune(0, 10)).toBe(1);
});
