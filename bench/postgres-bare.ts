/** What PostgreSQL itself can do at most: the rows that the engine wrote, written again by a loop that does nothing else. */
import pg from "pg";
import { integerArray, textArray } from "../src/stores/postgres/arrays.js";
import type { NewExecution, Transition } from "./rows.js";

const batch = 200;
const connections = 4;

const insert = `
INSERT INTO stepwell_executions (sequence, created_at, id, workflow, version, tags, input, revision, signals, seen, claims,
  owner, ticket, updated_at, status, position, state)
SELECT nextval('stepwell_sequence'), 0, id, workflow, version, '[]', input, 0, 0, 0, 1, 1, 0, 0, status, position, state
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
  AS g (id, workflow, version, input, status, position, state)`;

const update = `
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[])
    AS g (id, status, position, state, revision, entry, patch)
), updated AS (
  UPDATE stepwell_executions AS e
  SET status = g.status, position = g.position, state = coalesce(g.state, e.state), revision = g.revision, updated_at = 1
  FROM given AS g WHERE e.id = g.id RETURNING e.sequence, e.id
)
INSERT INTO stepwell_history (execution, revision, owner, at, entry, patch)
SELECT u.sequence, g.revision, 1, 1, g.entry, g.patch FROM updated AS u JOIN given AS g USING (id)`;

/** As the store pins its plans. */
const settings =
  "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

export type Row = NewExecution | Transition;

/** Rows inserted or updated a second, in statements of 200 rows over four connections, with everything encoded beforehand. */
export async function bareRate(url: string, schema: string, rows: readonly Row[]): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = new pg.Client(url);
      await client.connect();
      await client.query(`SET search_path TO ${schema}; ${settings}`);
      return client;
    }),
  );
  const lanes = clients.map((client) => ({ client, writes: [] as Write[] }));
  writesOf(rows).forEach((writes, index) => lanes[index % connections]!.writes.push(...writes));
  const began = performance.now();
  await Promise.all(
    lanes.map(async ({ client, writes }) => {
      for (const write of writes) await client.query(write);
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(clients.map((client) => client.end()));
  return rows.length / seconds;
}

/** Milliseconds of one durable update of one row: the median of many. */
export async function bareCommit(url: string, schema: string): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`SET search_path TO ${schema}`);
  await client.query("CREATE TABLE bare (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO bare VALUES (1, 0)");
  const times: number[] = [];
  for (let index = 0; index < 500; index++) {
    const began = performance.now();
    await client.query({ name: "bare", text: "UPDATE bare SET n = n + 1 WHERE id = 1" });
    times.push(performance.now() - began);
  }
  await client.end();
  return times.toSorted((one, other) => one - other)[times.length / 2]!;
}

interface Write {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/** In groups of 200 executions: first all that creates them, then the first transition of each, and so on. */
function writesOf(rows: readonly Row[]): Write[][] {
  const byId = new Map<string, Row[]>();
  for (const row of rows) {
    const own = byId.get(row.id);
    if (own === undefined) byId.set(row.id, [row]);
    else own.push(row);
  }
  const executions = [...byId.values()];
  const groups: Write[][] = [];
  for (let start = 0; start < executions.length; start += batch) {
    const some = executions.slice(start, start + batch).toSorted(([one], [other]) => (one!.id < other!.id ? -1 : 1));
    const longest = Math.max(...some.map(({ length }) => length));
    groups.push(
      Array.from({ length: longest }, (_, place) => {
        const wave = some.flatMap((execution) => execution[place] ?? []);
        return place === 0 ? insertOf(wave as NewExecution[]) : updateOf(wave as Transition[]);
      }),
    );
  }
  return groups;
}

function insertOf(rows: readonly NewExecution[]): Write {
  const column = (value: (row: NewExecution) => string): Buffer => textArray(rows.map(value));
  return {
    name: "insert",
    text: insert,
    values: [
      column(({ id }) => id),
      column(({ workflow }) => workflow),
      column(({ version }) => version),
      column(({ input }) => input.text),
      column(({ status }) => status),
      column(({ position }) => JSON.stringify(position)),
      column(({ state }) => state.text),
    ],
  };
}

function updateOf(rows: readonly Transition[]): Write {
  const column = (value: (row: Transition) => string | null): Buffer => textArray(rows.map(value));
  return {
    name: "update",
    text: update,
    values: [
      column(({ id }) => id),
      column(({ status }) => status),
      column(({ position }) => JSON.stringify(position)),
      column(({ state }) => state?.text ?? null),
      integerArray(rows.map(({ revision }) => revision)),
      column(({ history }) => JSON.stringify({ ...history, patch: undefined })),
      column(({ history }) => history.patch?.text ?? null),
    ],
  };
}
