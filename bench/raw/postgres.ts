/** What PostgreSQL itself can do at most: a plain batched update and insert of the bytes that the engine writes. */
import pg from "pg";
import { postgresStore } from "stepwell/postgres";
import type { Database } from "../support/places.js";
import { collectGarbage, inFlight, launcherOn, perSecond, type Measured } from "../support/load.js";
import type { Limit } from "../support/turns.js";
import { changedIn, filler, idOf, turnsOf, writesOf, type Noted, type Turn, type Writes } from "./writes.js";

const batch = 200;
const connections = 4;
const sample = 300;

/** What a row takes beside its texts: the engine's rows, counted as `pg_column_size` does, have this header. */
const header = 24;

const countingSql = (schema: string): string => `
CREATE TABLE ${schema}.bench_noted (relation text, act text, bytes bigint, changed bigint);
CREATE FUNCTION ${schema}.bench_note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE differs bigint := 0;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT coalesce(sum(octet_length(n.value)), 0) INTO differs
    FROM json_each_text(row_to_json(NEW)) AS n JOIN json_each_text(row_to_json(OLD)) AS o USING (key)
    WHERE n.value IS DISTINCT FROM o.value;
  END IF;
  INSERT INTO ${schema}.bench_noted VALUES (TG_TABLE_NAME, TG_OP, pg_column_size(NEW) - ${header}, differs);
  RETURN NULL;
END $$;
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '${schema}' AND tablename LIKE 'stepwell\\_%' LOOP
    EXECUTE format('CREATE TRIGGER bench AFTER INSERT OR UPDATE ON ${schema}.%I FOR EACH ROW EXECUTE FUNCTION ${schema}.bench_note()', name);
  END LOOP;
END $$`;

/** What the engine writes for one execution of the workflow; also warms it up. */
export async function writesOnPostgres(database: Database, workflow: Measured): Promise<Writes> {
  const schema = database.newSchema();
  await prepared(database.url, schema);
  await database.client.query(countingSql(schema));
  const launcher = await launcherOn(postgresStore(database.url, { schema }), [workflow]);
  await inFlight(launcher, workflow, sample);
  await launcher.stop();
  const { rows } = await database.client.query<Noted>(
    `SELECT relation, act, count(*)::int AS rows, sum(bytes)::float8 AS bytes, sum(changed)::float8 AS changed
     FROM ${schema}.bench_noted GROUP BY relation, act`,
  );
  return writesOf(rows, sample);
}

export async function prepared(url: string, schema: string): Promise<void> {
  const store = postgresStore(url, { schema });
  await store.open();
  await store.close();
}

/**
 * `fillfactor` leaves room for the next version of a row on its page: no update writes an index. Entries have a key, without which
 * PostgreSQL would find those of an execution by reading them all.
 */
const tables = (schema: string): string => `
CREATE SCHEMA ${schema};
CREATE TABLE ${schema}.raw_rows (id text COLLATE "C" PRIMARY KEY, kept text NOT NULL, changed text NOT NULL) WITH (fillfactor = 50);
CREATE TABLE ${schema}.raw_entries (row bigint, turn integer, entry text NOT NULL, PRIMARY KEY (row, turn))`;

/** A plan that reads the table from end to end for each batch would be no limit. */
const settings =
  "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

const insert = "INSERT INTO raw_rows (id, kept, changed) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])";
const update =
  "UPDATE raw_rows AS r SET changed = g.changed FROM unnest($1::text[], $2::text[]) AS g (id, changed) WHERE r.id = g.id";
const withEntry = (write: string, entry: number): string =>
  `WITH written AS (${write}) INSERT INTO raw_entries (row, turn, entry) SELECT row, $${entry + 2}::integer, entry ` +
  `FROM unnest($${entry}::bigint[], $${entry + 1}::text[]) AS g (row, entry)`;

const one: Readonly<Record<Turn["kind"], string>> = {
  insert: "INSERT INTO raw_rows (id, kept, changed) VALUES ($1, $2, $3)",
  update: "UPDATE raw_rows SET changed = $2 WHERE id = $1",
};
const oneWithEntry = (write: string, entry: number): string =>
  `WITH written AS (${write}) INSERT INTO raw_entries (row, turn, entry) VALUES ($${entry}, $${entry + 2}, $${entry + 1})`;

interface Query {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/** Tables of their own, and what writes the rows of executions in statements of 200 over four connections. */
export async function rawTables(
  database: Database,
  writes: Writes,
): Promise<{ readonly limit: Limit; readonly end: () => Promise<void> }> {
  const { clients, end } = await connected(database, connections);
  const turns = turnsOf(writes);
  const limit: Limit = async (first, count) => {
    const groups: Query[][] = [];
    for (let start = 0; start < count; start += batch) {
      const places = Array.from({ length: Math.min(batch, count - start) }, (_, place) => first + start + place);
      groups.push(turns.map((turn, number) => batched(places, turn, number, writes)));
    }
    // Everything is encoded beforehand.
    collectGarbage();
    const began = performance.now();
    const lane = async (client: pg.Client): Promise<void> => {
      for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
        for (const query of group) await client.query(query);
      }
    };
    await Promise.all(clients.map(lane));
    return perSecond(count, began);
  };
  return { limit, end };
}

function batched(places: readonly number[], { kind, entry }: Turn, number: number, writes: Writes): Query {
  // The texts need no quotes: the array as PostgreSQL reads it.
  const array = (text: (place: number) => string): string => `{${places.map(text).join(",")}}`;
  const values = [array(idOf), ...(kind === "insert" ? [array(() => filler(writes.kept, 0))] : [])];
  values.push(array(() => changedIn(number, writes)));
  const plain = kind === "insert" ? insert : update;
  if (!entry) return { name: kind, text: plain, values };
  const text = withEntry(plain, values.length + 1);
  values.push(
    array(String),
    array(() => filler(writes.entry, number)),
  );
  return { name: `${kind}-entry`, text, values: [...values, number] };
}

/** Writes the rows of one execution after the other, a round trip for each turn. */
export async function rawOneByOne(
  database: Database,
  writes: Writes,
): Promise<{ readonly write: (place: number) => Promise<void>; readonly end: () => Promise<void> }> {
  const { clients, end } = await connected(database, 1);
  const turns = turnsOf(writes);
  const write = async (place: number): Promise<void> => {
    const id = idOf(place);
    for (const [number, { kind, entry }] of turns.entries()) {
      const values: unknown[] = [id, ...(kind === "insert" ? [filler(writes.kept, 0)] : []), changedIn(number, writes)];
      if (entry) {
        const text = oneWithEntry(one[kind], values.length + 1);
        values.push(place, filler(writes.entry, number), number);
        await clients[0]!.query({ name: `${kind}-entry`, text, values });
      } else {
        await clients[0]!.query({ name: kind, text: one[kind], values });
      }
    }
  };
  return { write, end };
}

async function connected(
  { client: asking, url, newSchema }: Database,
  count: number,
): Promise<{ readonly clients: readonly pg.Client[]; readonly end: () => Promise<void> }> {
  const schema = newSchema();
  await asking.query(tables(schema));
  const clients = await Promise.all(
    Array.from({ length: count }, async () => {
      const client = new pg.Client(url);
      await client.connect();
      await client.query(`SET search_path TO ${schema}; ${settings}`);
      return client;
    }),
  );
  return {
    clients,
    end: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}
