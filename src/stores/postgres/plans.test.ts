/** With a million rows a scan takes a second, and a small test would not notice. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { postgresUrl, query } from "../../../test/support/postgres.js";
import { storeContract } from "../../testing/store-contract/index.js";
import { prepareSession } from "./database.js";
import { migratePostgres, postgresStore } from "./index.js";

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly "Recheck Cond"?: string;
  readonly Plans?: readonly Plan[];
}

/** All of a plan. */
function* nodes(plan: Plan): Generator<Plan> {
  yield plan;
  for (const inner of plan.Plans ?? []) yield* nodes(inner);
}

const inSchema = (schema: string, text: string): string => text.replaceAll(/"test_\w*"\./g, `"${schema}".`);

/** As it is kept for a prepared statement, whatever its values. */
async function planOf(client: pg.Client, name: string, text: string): Promise<readonly Plan[]> {
  await client.query(`PREPARE ${name} AS ${text}`);
  const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
  const values = count === 0 ? "" : `(${Array.from({ length: count }, () => "NULL").join(", ")})`;
  const { rows } = await client.query<{ readonly "QUERY PLAN": readonly { readonly Plan: Plan }[] }>(
    `EXPLAIN (FORMAT JSON) EXECUTE ${name}${values}`,
  );
  return [...nodes(rows[0]!["QUERY PLAN"][0]!.Plan)];
}

/** Every prepared statement that the store has, as its conformance suite uses it, and every query for dead letters, for a list or a count. */
async function statements(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const letters = new Set<string>();
  const lists = new Set<string>();
  const spy = vi.spyOn(pg.Client.prototype, "query");
  for (const { run } of storeContract) {
    const schema = `test_${randomUUID().replaceAll("-", "")}`;
    await run((clock) => postgresStore(postgresUrl(), { schema, clock, notifications: false }));
    await query(postgresUrl(), `DROP SCHEMA "${schema}" CASCADE`);
  }
  for (const [asked] of spy.mock.calls as unknown as (readonly unknown[])[]) {
    const { name, text } = asked as { readonly name?: string; readonly text?: string };
    if (text === undefined) continue;
    if (name !== undefined) found.set(name, text);
    // Texts differ by schema.
    else if (text.includes("m.addressee")) letters.add(text.replaceAll(/"test_\w+"\./g, '"test_".'));
    else if (text.includes("looked AS (")) lists.add(text.replaceAll(/"test_\w+"\./g, '"test_".'));
  }
  for (const [index, text] of [...lists].entries()) found.set(`list_${index}`, text);
  for (const [index, text] of [...letters].entries()) found.set(`letters_${index}`, text);
  spy.mockRestore();
  return found;
}

const fill = (schema: string): string => `
  INSERT INTO "${schema}".stepwell_executions (sequence, created_at, id, workflow, version, tags, input, revision, signals,
    seen, claims, owner, ticket, due_at, updated_at, status, position, state)
  SELECT n, n, 'id-' || n, 'sell', '1', '[]', '{}', 0, 0, 0, 0, CASE WHEN n % 10 = 0 THEN 1 END, n,
    CASE WHEN n % 10 = 1 THEN n END, n, 'running', '{}', '{}' FROM generate_series(1, 50000) AS n;
  INSERT INTO "${schema}".stepwell_work (owner, number, ids) SELECT n % 5, n, ARRAY['id-' || n] FROM generate_series(1, 20000) AS n;
  INSERT INTO "${schema}".stepwell_signalled (owner, id) SELECT n % 5, 'id-' || n FROM generate_series(1, 20000) AS n;
  INSERT INTO "${schema}".stepwell_mailbox (execution, received_at, id, kind, name, payload, status)
  SELECT n, n, 'mail-' || n, 'message', 'paid', '{}', 'pending' FROM generate_series(1, 20000) AS n;
  INSERT INTO "${schema}".stepwell_history (execution, revision, owner, at, entry)
  SELECT n, 1, 1, n, '{}' FROM generate_series(1, 50000) AS n;
  INSERT INTO "${schema}".stepwell_subscriptions (execution, until, topic, id)
  SELECT n, 1, 'topic-' || n % 10000, 'id-' || n FROM generate_series(1, 20000) AS n;
  INSERT INTO "${schema}".stepwell_lists (id, parent, root, status, revision, begun, data, marked)
  SELECT 'list-' || n, 'id-' || n, 'id-' || n, 'open', 1, 20, '', CASE WHEN n % 10 = 0 THEN 1 END FROM generate_series(1, 20000) AS n;
  INSERT INTO "${schema}".stepwell_lines (list, first, keys, executions)
  SELECT 1 + n / 20, n % 20, ARRAY[n], ARRAY['id-' || n] FROM generate_series(1, 20000) AS n;
  INSERT INTO "${schema}".stepwell_marks (list, position, mark)
  SELECT 1 + n / 20, n % 20, 'asked' FROM generate_series(1, 10000) AS n;
  INSERT INTO "${schema}".stepwell_news (list, was, phase, positions)
  SELECT 1 + n / 20, 'begun', 'completed', ARRAY[n % 20] FROM generate_series(1, 10000) AS n;
  INSERT INTO "${schema}".stepwell_publications (expires_at, delivered, topic, message_id, id, name, payload)
  SELECT n, 1, 'topic-' || n % 10000, n, n, 'paid', '{}' FROM generate_series(1, 20000) AS n`;

let texts: Map<string, string>;
// Some hundred schemas are made for it.
beforeAll(async () => void (texts = await statements()), 240_000);

/** Plans are made while the tables are empty, as in a new database, and are kept: so both must be good for large ones. */
describe.each([
  ["on empty tables", undefined],
  ["on large tables of which nothing is known", fill],
])("the statements of the PostgreSQL store, planned %s,", (_, fill) => {
  const plans = new Map<string, readonly Plan[]>();

  beforeAll(async () => {
    const schema = `plans_${Math.floor(Math.random() * 1e9)}`;
    const client = new pg.Client(postgresUrl());
    await client.connect();
    await prepareSession(client);
    try {
      await migratePostgres(postgresUrl(), { schema });
      for (const table of [
        "executions",
        "work",
        "signalled",
        "mailbox",
        "history",
        "subscriptions",
        "publications",
        "lists",
        "lines",
        "marks",
        "news",
      ]) {
        await client.query(`ALTER TABLE "${schema}".stepwell_${table} SET (autovacuum_enabled = off)`);
      }
      if (fill !== undefined) await client.query(fill(schema));
      for (const [name, text] of texts) plans.set(name, await planOf(client, name, inSchema(schema, text)));
    } finally {
      await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      await client.end();
    }
  });

  test("are many", () => {
    expect(plans.size).toBeGreaterThan(20);
  });

  test("never read a whole table, nor an index from end to end, but what is small", () => {
    const wide = [...plans].flatMap(([name, plan]) =>
      plan
        .filter(
          (node) =>
            // Other tests say how dead letters and lists are read.
            !/^(letters|list)_/.test(name) &&
            /^(Seq|Index|Index Only|Bitmap Heap|Bitmap Index) Scan$/.test(node["Node Type"]) &&
            node["Index Cond"] === undefined &&
            node["Recheck Cond"] === undefined,
        )
        .map((node) => `${name}: ${node["Node Type"]} on ${node["Index Name"] ?? node["Relation Name"]}`),
    );
    expect(wide.toSorted()).toEqual([
      // A list of them all.
      "stepwell_all_definitions: Index Scan on stepwell_definitions_pkey",
      // All other launchers; the first owner, gate and workflow of an index, from where it jumps to the next.
      "stepwell_beat: Index Only Scan on stepwell_migrations_pkey",
      "stepwell_beat: Index Only Scan on stepwell_work_pkey",
      "stepwell_beat: Seq Scan on stepwell_launchers",
      // The first lists that are marked; the first one with news, from where it jumps to the next.
      "stepwell_due_lists: Index Only Scan on stepwell_lists_marked",
      "stepwell_due_lists: Index Only Scan on stepwell_news_pkey",
      "stepwell_gates: Index Only Scan on stepwell_queue_ready",
      "stepwell_launchers_older: Seq Scan on stepwell_launchers",
      "stepwell_migrated: Seq Scan on stepwell_migrations",
      "stepwell_overdue: Index Only Scan on stepwell_executions_due",
      "stepwell_overdue: Index Only Scan on stepwell_schedules_due",
      // Trees that are being pruned.
      "stepwell_pruning: Index Only Scan on stepwell_pruning_pkey",
      // A list of them all.
      "stepwell_schedules: Index Scan on stepwell_schedules_pkey",
    ]);
  });

  test("find executions of a batch one by one, by their ids", () => {
    const names = [...plans.keys()].filter((name) =>
      /^stepwell_(commit|release|deliver|reason|subscribe|publish|stage)/.test(name),
    );
    expect(names).toEqual(
      expect.arrayContaining(["stepwell_commit", "stepwell_commit_one", "stepwell_commit_one_mail"]),
    );
    for (const name of names) {
      const used = plans.get(name)!.filter((node) => node["Relation Name"] === "stepwell_executions");
      const scans = used.filter((node) => node["Node Type"].endsWith("Scan"));
      expect(scans.length, name).toBeGreaterThan(0);
      for (const scan of scans) {
        expect(scan, name).toMatchObject({ "Node Type": "Index Scan", "Index Name": "stepwell_executions_id" });
      }
    }
  });

  test("find the list that an execution tells by its id, and no line of it", () => {
    const names = [...plans.keys()].filter((name) => /^stepwell_(commit|release).*_lined$/.test(name));
    expect(names).toEqual(expect.arrayContaining(["stepwell_commit_lined", "stepwell_commit_one_lined"]));
    expect(names).toContain("stepwell_release_lined");
    for (const name of names) {
      const scans = plans
        .get(name)!
        .filter(
          (node) => /^stepwell_(lists|lines)$/.test(node["Relation Name"] ?? "") && node["Node Type"].endsWith("Scan"),
        );
      const used = scans.map((node) => `${node["Node Type"]} on ${node["Index Name"]}`);
      expect(used, name).toEqual(["Index Scan on stepwell_lists_id_key"]);
    }
  });

  test("find dead letters by an index that has no others, and each one's execution by its id", () => {
    const ofLetters = [...plans].filter(([name]) => /^letters_\d+$/.test(name));
    expect(ofLetters.length).toBeGreaterThan(5);
    for (const [name, plan] of ofLetters) {
      // What an older process gave up is looked for among all executions, and no more is left of it one day.
      const used = plan
        .flatMap((node) => node["Index Name"] ?? [])
        .filter((it) => !/^stepwell_(executions_(created|listed|lined)|pruning_pkey)$/.test(it));
      const ofOne = texts.get(name)!.includes("m.execution = (SELECT");
      expect(used.toSorted(), texts.get(name)).toEqual(
        ofOne
          ? ["stepwell_executions_id", "stepwell_executions_id", "stepwell_mailbox_dead_in"]
          : ["stepwell_executions_id", "stepwell_mailbox_dead"],
      );
    }
  });

  // They are planned each time, for the tables as they are.
  test.runIf(fill !== undefined)("find what is listed or counted by an index that says where it is", () => {
    const ofLists = [...plans].filter(([name]) => name.startsWith("list_"));
    expect(ofLists.length).toBeGreaterThan(50);
    for (const [name, plan] of ofLists) {
      const text = texts.get(name)!;
      const scans = plan.filter((node) => node["Relation Name"] === "stepwell_executions");
      for (const { "Index Name": index, "Index Cond": found, "Recheck Cond": checked } of scans) {
        // The first name, from where it jumps to the next.
        if (/^stepwell_executions_(listed|lined|due)$/.test(index ?? "")) continue;
        // The order of creation, as far as the page is long.
        if (index === "stepwell_executions_created" && text.includes("AS e WHERE true")) continue;
        expect(found ?? checked, text).toBeDefined();
      }
    }
  });

  test.runIf(fill !== undefined)(
    "list in order of creation where no workflow is asked for, whatever workflows there are",
    () => {
      const inOrder = [...plans].filter(([name]) => texts.get(name)!.includes("AS e WHERE true"));
      for (const part of ["e.line IS NULL AS fits", "e.status = ANY ($2::text[]) AS fits", "true AS fits"]) {
        expect(
          inOrder.some(([name]) => texts.get(name)!.includes(part)),
          part,
        ).toBe(true);
      }
      for (const [name, plan] of inOrder) {
        const used = new Set(plan.flatMap((node) => node["Index Name"] ?? []));
        used.delete("stepwell_pruning_pkey");
        expect([...used], texts.get(name)).toEqual(["stepwell_executions_created"]);
      }
    },
  );

  test("use the small indexes for what is due, owned or signalled", () => {
    const used = (name: string): string[] => plans.get(`stepwell_${name}`)!.flatMap((node) => node["Index Name"] ?? []);
    expect(used("claim")).toEqual(expect.arrayContaining(["stepwell_executions_due", "stepwell_signalled_pkey"]));
    expect(used("bury")).toContain("stepwell_work_pkey");
  });
});
