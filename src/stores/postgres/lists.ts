/** Lists of executions. */
import type { CreateResult } from "../batch.js";
import type { Advance, LineQuery, ListRecord, ListStore } from "../lists.js";
import {
  lineColumns,
  linePhase,
  lineRecordOf,
  listColumns,
  listOf,
  stagedLineOf,
  type LineRow,
  type ListRow,
} from "../sql/lists.js";
import { integerArray, textArray } from "./arrays.js";
import { deliveries } from "./arrivals.js";
import { creating } from "./creates.js";
import type { Database, Statement, Transaction } from "./database.js";
import { advanceLines, advanceLists, freeQuery, stageLines } from "./lines.js";
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
    lines: (query) => server.ask(async (database) => (await lines(database, query)).map(lineRecordOf)),
    launches: (list, from, limit) =>
      server.ask(async (database) =>
        (await database.rows<LineRow>(launchesQuery, [list, from, limit])).map(stagedLineOf),
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

const number = "(SELECT k.sequence FROM stepwell_lists AS k WHERE k.id = $1::text)";
const begun = "(SELECT k.begun FROM stepwell_lists AS k WHERE k.id = $1::text)";

const newsQuery: Statement = {
  name: "lines_news",
  text: `
SELECT ${lineColumns(begun)} FROM (
  SELECT list, position, phase FROM stepwell_news WHERE list = ${number} ORDER BY position LIMIT $2::integer
) AS n CROSS JOIN LATERAL (SELECT * FROM stepwell_lines WHERE list = n.list AND position = n.position OFFSET 0) AS l
ORDER BY n.position`,
};

const ofList = `
FROM stepwell_lines AS l LEFT JOIN LATERAL (
  SELECT phase FROM stepwell_news WHERE list = l.list AND position = l.position OFFSET 0
) AS n ON true WHERE l.list = ${number}`;

const unasked = `AND ($4::text[] IS NULL OR (l.asked = 0 AND ${linePhase(begun)} = ANY ($4::text[])))`;

const upQuery: Statement = {
  name: "lines",
  text: `SELECT ${lineColumns(begun)} ${ofList} AND l.position >= $2::integer ${unasked} ORDER BY l.position LIMIT $3::integer`,
};

const downQuery: Statement = {
  name: "lines_down",
  text: `SELECT ${lineColumns(begun)} ${ofList} AND l.position <= $2::integer ${unasked} ORDER BY l.position DESC LIMIT $3::integer`,
};

const launchesQuery: Statement = {
  name: "launches",
  text: `
SELECT l.position, l.key, l.execution, l.launch FROM stepwell_lines AS l
WHERE l.list = ${number} AND l.position >= greatest($2::integer, ${begun}) AND l.position < $2::integer + $3::integer
  AND l.launch IS NOT NULL ORDER BY l.position`,
};

function lines(database: Database, query: LineQuery): Promise<LineRow[]> {
  if ("news" in query) return database.rows(newsQuery, [query.list, query.limit]);
  const { list, from, limit, descending = false, unasked } = query;
  const phases = unasked === undefined ? null : textArray(unasked);
  return database.rows(descending ? downQuery : upQuery, [list, from, limit, phases]);
}

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
    const creates = kept.flatMap(({ begins }) => begins.map(({ create }) => create));
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
  const creates = all.flatMap(({ begins }) => begins.map(({ create }) => create));
  const arrivals = all.flatMap((it) => it.arrivals);
  const frees = all.flatMap((it) => it.frees);
  let answers: readonly CreateResult[] = [];
  if (creates.length > 0) {
    const created = creating(creates, tickets, terms);
    await created.run(transaction);
    await created.explain(transaction);
    hints.push(...created.hints);
    answers = created.answers;
  }
  const touched = [...new Set([...arrivals.map(({ execution }) => execution), ...frees])];
  if (touched.length > 0) await transaction.rows(lockRows, [textArray(touched)]);
  for (const step of deliveries(arrivals, terms.now)) {
    await step.run(transaction);
    hints.push(...step.hints);
  }
  if (frees.length > 0) await transaction.rows(freeQuery, [textArray(frees)]);
  const lists = await advanceLists(transaction, all);
  if (lists === undefined) {
    await transaction.rollback();
    return null;
  }
  let next = 0;
  const answersOf = all.map(({ begins }) => answers.slice(next, (next += begins.length)));
  await advanceLines(transaction, lists, all, answersOf);
  return answersOf;
}
