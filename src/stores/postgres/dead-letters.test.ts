/** Whose a dead letter is stands in its row, so that nobody looks for it among all executions. */
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl, query } from "../../../test/support/postgres.js";
import { Encoded } from "../../values/encode.js";
import { storeContract } from "../../testing/store-contract/index.js";
import type { Arrival } from "../batch.js";
import { qualified } from "./database.js";
import { postgresStore } from "./index.js";
import { migrations } from "./migrations.js";

/** What a case of the contract leaves behind, and how to ask for it. */
async function left(name: string) {
  const schema = freshSchema();
  const { run } = storeContract.find((one) => one.name === name)!;
  await run((clock) => postgresStore(postgresUrl(), { schema, clock, notifications: false }));
  const sql = async (text: string): Promise<unknown[]> => query(postgresUrl(), qualified(text, schema));
  const store = postgresStore(postgresUrl(), { schema, notifications: false });
  await store.open();
  onTestFinished(async () => store.close());
  return { store, sql };
}

const mail =
  "SELECT m.status, m.addressee, e.id FROM stepwell_mailbox AS m JOIN stepwell_executions AS e ON e.sequence = m.execution " +
  "ORDER BY m.sequence";

test.each([
  ["a release makes dead letters too", [{ status: "dead", addressee: "one", id: "one" }]],
  [
    "dead letters are messages that are dead, the last received first",
    [
      { status: "dead", addressee: "one", id: "one" },
      { status: "consumed", addressee: null, id: "one" },
      { status: "pending", addressee: null, id: "one" },
      { status: "dead", addressee: "one", id: "one" },
      { status: "dead", addressee: "two", id: "two" },
    ],
  ],
])("what dies says whose it is, and nothing else does: %s", async (name, rows) => {
  const { sql } = await left(name);
  expect(await sql(mail)).toEqual(rows);
});

test("what a process gave up that does not say whose it is, is found all the same; the migration makes up for it", async () => {
  const { store, sql } = await left("dead letters are found by workflow, execution and name");
  const before = await sql(mail);
  const all = await store.deadMail({ status: "dead", limit: 10, lookAt: 10 });
  expect(all.records.map(({ execution }) => execution)).toEqual(["three", "two", "one", "one"]);
  await sql("UPDATE stepwell_mailbox SET addressee = NULL");
  expect(await store.deadMail({ status: "dead", limit: 10, lookAt: 10 })).toEqual(all);
  const counted = async (conditions: object) =>
    (await store.countDeadMail({ status: "dead", ...conditions }, 10)).counts;
  expect(await counted({ workflow: "sell" })).toEqual([{ workflow: "sell", count: 3 }]);
  expect(await counted({ execution: "one" })).toEqual([{ workflow: "sell", count: 2 }]);
  expect(await counted({})).toHaveLength(2);
  await sql("ALTER TABLE stepwell_mailbox DROP COLUMN addressee");
  await sql(migrations.find(({ name }) => name === "addressees of dead letters")!.sql);
  expect(await sql(mail)).toEqual(before);
});

test("a letter that is sent again after its answer was lost has one note", async () => {
  const { store, sql } = await left("dead letters are found by workflow, execution and name");
  await sql("UPDATE stepwell_executions SET status = 'waiting' WHERE id = 'two'");
  const arrival: Arrival = {
    ...{ id: "again", execution: "two", kind: "message", name: "paid", payload: Encoded.ofText("null"), carried: null },
    ...{ messageId: "resent", acceptedIn: ["waiting"], wakes: [] },
    resends: { execution: "one", arrival: "arrival-1", note: { id: "note", payload: Encoded.ofText("{}") } },
  };
  for (const _ of ["answered", "and asked again"]) {
    const { arrivals } = await store.write({ creates: [], transitions: [], releases: [], arrivals: [arrival] });
    expect(arrivals).toEqual([{ result: "stored", id: "again" }]);
  }
  expect((await store.mail({ executions: ["one"] })).map(({ id, kind, status }) => [id, kind, status])).toEqual([
    ["arrival-1", "message", "resent"],
    ["arrival-2", "message", "dead"],
    ["note", "resend", "consumed"],
  ]);
});
