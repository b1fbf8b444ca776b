/** Lists of executions. */
import type { CreateResult } from "../batch.js";
import type { LinePhase } from "../../execution/records.js";
import type { Advance, ListRecord, ListStore, NewsRecord } from "../lists.js";
import {
  linePhase,
  lineRecordOf,
  linesInRow,
  listColumns,
  listOf,
  stagedLineOf,
  type LaunchRow,
  type LineRow,
  type ListRow,
} from "../sql/lists.js";
import { integerArray, textArray } from "./arrays.js";
import { deliveries } from "./arrivals.js";
import { creating } from "./creates.js";
import type { Database, Statement, Transaction } from "./database.js";
import { advanceLists, freeQuery, markLines, stageLines } from "./lines.js";
import type { Server, Terms, Told } from "./shared.js";
import { lockRows } from "./step.js";

export function lists(server: Server): ListStore {
  const advancing = new Advancing(server);
  return {
    stage: (staging) => server.ask((database) => stageLines(database, staging)),
    due: (limit) =>
      server.ask(async (database) =>
        (await database.rows<{ readonly id: string }>(dueQuery, [limit])).map(({ id }) => id),
      ),
    advance: (all) => advancing.advance(all),
    find: (ids) => server.ask((database) => find(database, ids)),
    of: (execution) => server.ask(async (database) => (await database.rows<ListRow>(ofQuery, [execution])).map(listOf)),
    news: (list, limit) =>
      server.ask(async (database) => (await database.rows<NewsRow>(newsQuery, [list, limit])).map(newsOf)),
    lines: (list, from, limit) =>
      server.ask(async (database) => (await database.rows<LineRow>(linesQuery, [list, from, limit])).map(lineRecordOf)),
    launches: (list, from, limit) =>
      server.ask(async (database) =>
        (await database.rows<LaunchRow>(launchesQuery, [list, from, limit])).map(stagedLineOf),
      ),
  };
}

/** Jumps from one list to the next in the index: how much news there is does not matter. */
const dueQuery: Statement = {
  name: "due_lists",
  text: `
WITH RECURSIVE news (list) AS (
  (SELECT n.list FROM stepwell_news AS n ORDER BY n.list LIMIT 1)
  UNION ALL
  SELECT n.list FROM news AS k CROSS JOIN LATERAL (
    SELECT m.list FROM stepwell_news AS m WHERE m.list > k.list ORDER BY m.list LIMIT 1
  ) AS n
),
wanting AS (
  (SELECT sequence FROM stepwell_lists WHERE marked = 1 ORDER BY sequence LIMIT $1::integer)
  UNION
  (SELECT list FROM news LIMIT $1::integer)
)
SELECT k.id FROM wanting AS w JOIN stepwell_lists AS k ON k.sequence = w.sequence LIMIT $1::integer`,
};

const findQuery: Statement = {
  name: "find_lists",
  text: `SELECT ${listColumns} FROM stepwell_lists WHERE id = ANY ($1::text[])`,
};

const ofQuery: Statement = {
  name: "lists_of",
  text: `SELECT ${listColumns} FROM stepwell_lists WHERE parent = $1::text ORDER BY sequence`,
};

async function find(database: Database, ids: readonly string[]): Promise<(ListRecord | undefined)[]> {
  const rows = await database.rows<ListRow>(findQuery, [textArray(ids)]);
  const found = new Map(rows.map((row) => [row.id, listOf(row)]));
  return ids.map((id) => found.get(id));
}

interface NewsRow {
  readonly number: number;
  readonly was: LinePhase;
  readonly phase: LinePhase;
  readonly positions: readonly number[];
  readonly asked: readonly number[] | null;
}

function newsOf({ number, was, phase, positions, asked }: NewsRow): NewsRecord {
  return { id: String(number), was, phase, positions, asked: asked ?? [] };
}

/** Rows until there are as many lines as were asked for. */
const newsQuery: Statement = {
  name: "list_news",
  text: `
SELECT n.number, n.was, n.phase, to_json(n.positions) AS positions, CASE WHEN n.phase = 'rolledBack' THEN (
  SELECT json_agg(m.position) FROM stepwell_marks AS m
  WHERE m.list = n.list AND m.position = ANY (n.positions) AND m.mark = 'asked'
) END AS asked
FROM (
  SELECT f.*, sum(cardinality(f.positions)) OVER (ORDER BY f.number) - cardinality(f.positions) AS before FROM (
    SELECT * FROM stepwell_news WHERE list = (SELECT k.sequence FROM stepwell_lists AS k WHERE k.id = $1::text)
    ORDER BY number LIMIT $2::integer
  ) AS f
) AS n WHERE n.before < $2::integer ORDER BY n.number`,
};

/** The rows in which those lines stand. */
const rowsOf = `
FROM stepwell_lists AS k CROSS JOIN LATERAL (
  SELECT * FROM stepwell_lines WHERE list = k.sequence AND first > $2::integer - ${linesInRow} AND first < $2::integer + $3::integer
  ORDER BY first OFFSET 0
) AS r`;

const linesQuery: Statement = {
  name: "lines",
  text: `
SELECT l.position, l.key, l.execution, ${linePhase} AS phase, m.mark ${rowsOf} CROSS JOIN LATERAL (
  SELECT k.begun, r.first + u.place::integer - 1 AS position, u.key, u.execution
  FROM unnest(r.keys, r.executions) WITH ORDINALITY AS u (key, execution, place)
) AS l
LEFT JOIN LATERAL (SELECT mark FROM stepwell_marks WHERE list = k.sequence AND position = l.position OFFSET 0) AS m ON true
LEFT JOIN LATERAL (
  SELECT id, line, status FROM stepwell_executions WHERE id = l.execution AND l.position < k.begun OFFSET 0
) AS e ON true
WHERE k.id = $1::text AND l.position >= $2::integer AND l.position < $2::integer + $3::integer ORDER BY l.position`,
};

const launchesQuery: Statement = {
  name: "launches",
  text: `
SELECT l.position, l.key, l.execution, l.launch ${rowsOf} CROSS JOIN LATERAL (
  SELECT r.first + u.place::integer - 1 AS position, u.key, u.execution, u.launch
  FROM unnest(r.keys, r.executions, r.launches) WITH ORDINALITY AS u (key, execution, launch, place)
) AS l
WHERE k.id = $1::text AND l.position >= greatest($2::integer, k.begun) AND l.position < $2::integer + $3::integer
ORDER BY l.position`,
};

const revisionsQuery: Statement = {
  name: "list_revisions",
  text: `
SELECT k.id FROM unnest($1::text[], $2::integer[]) AS g (id, revision) JOIN stepwell_lists AS k ON k.id = g.id AND k.revision = g.revision`,
};

type Answers = readonly (readonly CreateResult[] | null)[];

class Advancing {
  readonly #server: Server;
  /** Another launcher was faster: it may be so again, and who comes too late need not begin. */
  #isContended = false;

  constructor(server: Server) {
    this.#server = server;
  }

  async advance(all: readonly Advance[]): Promise<Answers> {
    const kept = this.#isContended ? await this.#fresh(all) : all;
    if (kept.length === 0) return all.map(() => null);
    const { database, doubts, terms } = this.#server;
    const creates = kept.flatMap(({ begins }) => begins);
    const tickets = creates.map((create) => doubts.ticketOf(create));
    const hints: Told[] = [];
    try {
      const answers = await database.transaction((transaction) =>
        advanceIn(transaction, kept, tickets, { terms, hints }),
      );
      this.#isContended = answers === null;
      if (answers === null) return all.map(() => null);
      this.#server.tell(hints);
      return all.map((it) => answers[kept.indexOf(it)] ?? null);
    } catch (error) {
      const lost = { creates, transitions: [], releases: [], arrivals: [] };
      doubts.lostWrite(lost, tickets);
      // They are not asked for again: if they are there, a claim of their owner gives them out.
      for (const create of creates) doubts.abandon(create);
      throw error;
    }
  }

  /** Those that have the revision still that was read. */
  async #fresh(all: readonly Advance[]): Promise<readonly Advance[]> {
    const values = [textArray(all.map(({ list }) => list)), integerArray(all.map(({ revision }) => revision))];
    const rows = await this.#server.database.rows<{ readonly id: string }>(revisionsQuery, values);
    const fresh = new Set(rows.map(({ id }) => id));
    return all.filter(({ list }) => fresh.has(list));
  }
}

/** Executions before the lists, and the lists before their lines, as in every batch. Null: one of the lists has moved. */
async function advanceIn(
  transaction: Transaction,
  all: readonly Advance[],
  tickets: readonly number[],
  { terms, hints }: { readonly terms: Terms; readonly hints: Told[] },
): Promise<readonly (readonly CreateResult[])[] | null> {
  const creates = all.flatMap(({ begins }) => begins);
  const arrivals = all.flatMap((it) => it.arrivals);
  const frees = all.flatMap((it) => it.frees);
  const created = creates.length === 0 ? undefined : creating(creates, tickets, terms);
  const delivering = deliveries(arrivals, terms.now);
  const touched = [...new Set([...arrivals.map(({ execution }) => execution), ...frees])];
  // Sent one behind the other, and waited for together.
  const sent: Promise<unknown>[] = [];
  if (created !== undefined) {
    sent.push(created.run(transaction));
    // What stands there instead is told as it was before anything of this has come to it.
    if (touched.length > 0) await sent[0]!.then(() => created.explain(transaction));
  }
  if (touched.length > 0) sent.push(transaction.rows(lockRows, [textArray(touched)]));
  for (const step of delivering) sent.push(step.run(transaction));
  if (frees.length > 0) sent.push(transaction.rows(freeQuery, [textArray(frees)]));
  const [lists] = await Promise.all([advanceLists(transaction, all), ...sent]);
  if (lists === undefined) {
    await transaction.rollback();
    return null;
  }
  await created?.explain(transaction);
  for (const step of [created, ...delivering]) hints.push(...(step?.hints ?? []));
  const answers = created?.answers ?? [];
  let next = 0;
  const answersOf = all.map(({ begins }) => answers.slice(next, (next += begins.length)));
  await markLines(transaction, lists, all, answersOf);
  return answersOf;
}
