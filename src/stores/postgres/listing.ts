/** Lists and counts: each is a few walks along an index, none of which reads much more than a page, or a count, is long. */
import type { ListConditions, ListFilter, ListPage, Store } from "../contract.js";
import { cursorOf, placeOf, type ListPlace } from "../cursor.js";
import { reachable } from "../sql/pruning.js";
import { listedColumns, listedOf, type ListedRow } from "../sql/rows.js";
import { isFoundInOrder, pageIn, passedOver, shelvesOf, type LookedAt } from "../sql/shelves.js";
import type { Database } from "./database.js";
import { known } from "./due.js";
import { at, moment } from "./moment.js";
import { errorsOf } from "./read.js";
import type { Server, Terms } from "./shared.js";
import { inHand } from "./work.js";

export function listing(server: Server): Pick<Store, "list" | "count"> {
  return {
    list: (filter) => server.ask((database) => list(database, filter, server.terms)),
    count: (conditions, upTo) => server.ask((database) => count(database, conditions, upTo, server.terms)),
  };
}

/** A page that lost rows, since trees are being pruned, is filled up from windows that grow to this size. */
const largestWindow = 1_000;

/** @throws STEPWELL_INVALID_ARGUMENT for a cursor that no page gave */
async function list(database: Database, { limit, ...asked }: ListFilter, terms: Terms): Promise<ListPage> {
  const taken: ListedRow[] = [];
  let { after } = asked;
  let inOrder = isFoundInOrder(asked);
  let size = limit;
  let last: LookedAt | undefined;
  for (;;) {
    const rows = await rowsOf(database, { ...asked, after }, { limit: size, inOrder }, terms);
    // Where the looking ended there may be more, also where the last row fits.
    const looked = rows.flatMap((row) => (row.ends && row.fits ? [row, { ...row, fits: false }] : [row]));
    const { page, last: next } = pageIn(looked, size);
    const found = page.filter((row) => row.found);
    const left = limit - taken.length;
    taken.push(...found.slice(0, left));
    last = found.length > left ? found[left - 1] : next;
    if (last === undefined || taken.length === limit) break;
    // It has looked at enough: in order of creation, or at all.
    const isTired = page.length < size;
    if (isTired && !inOrder) break;
    inOrder &&= !isTired;
    if (!isTired) size = Math.max(limit, Math.min(2 * size, largestWindow));
    after = cursorOf(placeIn(last));
  }
  const errors = await errorsOf(database, taken);
  return {
    records: taken.map((row) => listedOf(row, errors)),
    cursor: last === undefined ? null : cursorOf(placeIn(last)),
  };
}

function placeIn({ created_at: createdAt, sequence }: LookedAt): ListPlace {
  return { createdAt, sequence };
}

interface Looked extends LookedAt, ListedRow {
  readonly ends: boolean;
  /** Nobody is pruning its tree. */
  readonly found: boolean;
}

async function rowsOf(database: Database, asked: Asked, way: Way, terms: Terms): Promise<Looked[]> {
  const query = await queryOf(database, asked, way, terms);
  const columns = listedColumns.replaceAll(/\w+/g, "e.$&");
  const text =
    `${query.text} SELECT ${columns}, l.fits, l.ends, ${reachable("e")} AS found FROM looked AS l CROSS JOIN LATERAL (` +
    "SELECT * FROM stepwell_executions AS x WHERE x.created_at = l.created_at AND x.sequence = l.sequence OFFSET 0" +
    `) AS e ORDER BY ${orderOf(asked, "e.")}`;
  return database.unprepared<Looked>(text, query.values);
}

async function count(
  database: Database,
  conditions: ListConditions,
  upTo: number,
  terms: Terms,
): Promise<number | null> {
  const query = await queryOf(database, conditions, { limit: upTo, counts: true }, terms);
  // As a number with a point: the driver gives whole ones of this size as texts.
  const text = `${query.text} SELECT count(*) FILTER (WHERE fits)::float8 AS found, bool_or(ends) AS ended FROM looked`;
  const [row] = await database.unprepared<{ readonly found: number; readonly ended: boolean | null }>(
    text,
    query.values,
  );
  const { found, ended } = row!;
  return ended === true && found <= upTo ? null : found;
}

/** How a query looks. */
interface Way {
  readonly limit: number;
  /** In order of creation, whatever the workflow. */
  readonly inOrder?: boolean;
  /** In no order, so that it ends with the row that is one too many. */
  readonly counts?: boolean;
}

interface Query {
  /** Ends with `looked`: where one row more than asked for is, in order; and where the looking ended. */
  readonly text: string;
  readonly values: unknown[];
}

async function queryOf(database: Database, asked: Asked, way: Way, terms: Terms): Promise<Query> {
  const text = new QueryText(asked, way, terms);
  const { workflow, status, tags = [], isFree, root } = asked;
  if (tags.length > 0) return text.of([text.byTag(tags)]);
  if (way.inOrder === true) return text.of([text.inOrder()]);
  if (status === undefined) {
    const isAny = workflow === undefined && isFree === undefined && root === undefined;
    return text.of([isAny ? text.walk("true") : text.onAnyShelf()]);
  }
  const { names, only } = shelvesOf(status);
  if (only === undefined) return text.of([text.onShelves(names)]);
  const others = text.onShelves(names.filter((name) => name !== ""));
  if (only === "running" && (await hasFewInWork(database, terms))) return text.of([others, text.inWork()], true);
  return text.of([others, text.onShelves([""], `e.status = '${only}'`)]);
}

/** What is running is either in work, or due by now: it was let go of when its launcher stopped, or died. */
const inWork = ({ format }: Terms): string => `${known},
working AS MATERIALIZED (
  (SELECT id FROM ${format === "compact" ? inHand() : "stepwell_executions"} AS w WHERE owner IS NOT NULL LIMIT ${passedOver + 1})
  UNION
  SELECT d.id FROM known AS k CROSS JOIN LATERAL (
    SELECT e.id FROM stepwell_executions AS e
    WHERE e.workflow = k.workflow AND e.version = k.version AND e.due_at <= ${at} ORDER BY e.due_at LIMIT ${passedOver + 1}
  ) AS d
)`;

async function hasFewInWork(database: Database, terms: Terms): Promise<boolean> {
  const text = `WITH RECURSIVE ${moment}, ${inWork(terms)} SELECT count(*) <= ${passedOver} AS few FROM working`;
  const [row] = await database.unprepared<{ readonly few: boolean }>(text, [terms.now]);
  return row!.few;
}

/** Where shelves stand: those of what is free, and those of what is a line. */
const sides = { free: "line IS NULL", lines: "line IS NOT NULL" };

/** The next name on either side; null: there is none. */
const nextName = (where: string): string => {
  const next = Object.values(sides).map(
    (side) => `(SELECT e.workflow FROM stepwell_executions AS e WHERE e.${side}${where} ORDER BY e.workflow LIMIT 1)`,
  );
  return `least(${next.join(", ")})`;
};

const allNames = `
names (workflow) AS (
  SELECT ${nextName("")}
  UNION ALL
  SELECT ${nextName(" AND e.workflow > n.workflow")} FROM names AS n WHERE n.workflow IS NOT NULL
)`;

const shelvesIn = (rack: string): string => `
WITH RECURSIVE shelves (shelf) AS (
  (SELECT e.shelf FROM stepwell_executions AS e WHERE ${rack} ORDER BY e.shelf LIMIT 1)
  UNION ALL
  SELECT (SELECT e.shelf FROM stepwell_executions AS e WHERE ${rack} AND e.shelf > k.shelf ORDER BY e.shelf LIMIT 1)
  FROM shelves AS k WHERE k.shelf IS NOT NULL
)
SELECT shelf FROM shelves`;

type Asked = ListConditions & Pick<ListFilter, "after" | "oldestFirst">;

function orderOf({ oldestFirst }: Asked, of = ""): string {
  const way = oldestFirst === true ? "ASC" : "DESC";
  return `${of}created_at ${way}, ${of}sequence ${way}`;
}

/** Puts the text of one query together. */
class QueryText {
  readonly #asked: Asked;
  readonly #order: string;
  readonly #terms: Terms;
  readonly #values: unknown[];
  readonly #limit: number;
  readonly #counts: boolean;

  constructor(asked: Asked, { limit, counts = false }: Way, terms: Terms) {
    this.#asked = asked;
    this.#counts = counts;
    this.#order = `ORDER BY ${orderOf(asked)}`;
    this.#terms = terms;
    // The moment takes the first one.
    this.#values = [terms.now];
    this.#limit = limit;
  }

  of(sources: readonly string[], works = false): Query {
    const { workflow } = this.#asked;
    const names = workflow === undefined ? allNames : `names (workflow) AS (VALUES (${this.#bound(workflow)}::text))`;
    const from = sources.filter((source) => source !== "").map((source) => `(${source})`);
    const all =
      from.length === 0
        ? "SELECT 0 AS created_at, 0 AS sequence, true AS fits, false AS ends WHERE false"
        : from.join(" UNION ALL ");
    const looked = `looked AS (SELECT * FROM (${all}) AS l${this.#counts ? "" : ` ${this.#order}`} LIMIT ${this.#limit + 1})`;
    const work = works ? `${inWork(this.#terms)}, ` : "";
    return { text: `WITH RECURSIVE ${moment}, ${names}, ${work}${looked}`, values: this.#values };
  }

  /** One walk along each of these shelves: of each workflow, or of the root. */
  onShelves(shelves: readonly string[], fits?: string): string {
    if (shelves.length === 0) return "";
    return this.#along(() => `unnest(${this.#bound(shelves)}::text[]) AS s (shelf)`, fits);
  }

  /** Also what was damaged stands on a shelf. */
  onAnyShelf(): string {
    return this.#along((rack) => `LATERAL (${shelvesIn(rack)}) AS s`);
  }

  #along(shelvesOf: (rack: string) => string, fits?: string): string {
    const { root, isFree, workflow } = this.#asked;
    const walks = (rack: string, conditions?: string): string => {
      const all = [fits, conditions].filter((it) => it !== undefined && it !== "").join(" AND ");
      const walk = this.walk(`${rack} AND e.shelf = s.shelf`, all === "" ? undefined : all);
      return `${shelvesOf(rack)} CROSS JOIN LATERAL (${walk}) AS w`;
    };
    if (root !== undefined) {
      const conditions = this.#conditions("e", { workflow, isFree }).join(" AND ");
      return `SELECT w.* FROM ${walks(`e.root = ${this.#bound(root)}::text`, conditions)}`;
    }
    const racks = isFree === true ? [sides.free] : [sides.free, sides.lines];
    return racks
      .map((side) => `(SELECT w.* FROM names AS n CROSS JOIN ${walks(`e.${side} AND e.workflow = n.workflow`)})`)
      .join(" UNION ALL ");
  }

  #conditions(of: string, { workflow, isFree, root }: Pick<ListConditions, "workflow" | "isFree" | "root">): string[] {
    const conditions: string[] = [];
    if (workflow !== undefined) conditions.push(`${of}.workflow = ${this.#bound(workflow)}::text`);
    if (isFree === true) conditions.push(`${of}.line IS NULL`);
    if (root !== undefined) conditions.push(`${of}.root = ${this.#bound(root)}::text`);
    return conditions;
  }

  /** What a launcher has in work, or could take up. */
  inWork(): string {
    const own = this.#conditions("e", this.#asked).map((condition) => ` AND ${condition}`);
    // Apart, so that each is found by its id, and no walk along a shelf takes its place.
    return (
      "SELECT e.created_at, e.sequence, true AS fits, false AS ends FROM working AS w CROSS JOIN LATERAL (" +
      "SELECT created_at, sequence, status, workflow, line, root FROM stepwell_executions AS x WHERE x.id = w.id OFFSET 0" +
      `) AS e WHERE e.status = 'running'${own.join("")}${this.#within("e.created_at", "e.sequence")}`
    );
  }

  inOrder(): string {
    const { status } = this.#asked;
    const fits = this.#conditions("e", this.#asked);
    if (status !== undefined) fits.push(`e.status = ANY (${this.#bound(status)}::text[])`);
    return this.walk("true", fits.join(" AND "));
  }

  /** Along the rows of one tag, so that a rare tag costs little. */
  byTag([tag, ...others]: readonly string[]): string {
    const { status } = this.#asked;
    const fits = others.map(
      (other) =>
        `EXISTS (SELECT 1 FROM stepwell_tags AS other WHERE other.tag = ${this.#bound(other)} ` +
        "AND other.created_at = e.created_at AND other.execution = e.sequence)",
    );
    const own = this.#conditions("x", this.#asked);
    if (status !== undefined) own.push(`x.status = ANY (${this.#bound(status)}::text[])`);
    if (own.length > 0) {
      fits.push(
        `(SELECT ${own.join(" AND ")} FROM stepwell_executions AS x WHERE x.created_at = e.created_at AND x.sequence = e.sequence)`,
      );
    }
    const rows = "(SELECT tag, created_at, execution AS sequence FROM stepwell_tags) AS e";
    // Each is looked up in another table, so a count looks at fewer of them.
    const look = Math.min(this.#limit, passedOver) + passedOver;
    return this.walk(`e.tag = ${this.#bound(tag)}`, fits.length === 0 ? undefined : fits.join(" AND "), rows, look);
  }

  /** @param fits left out: all do. Else it ends where it has looked at enough, with the row at which it ended */
  walk(where: string, fits?: string, rows = "stepwell_executions AS e", look = this.#limit + passedOver): string {
    const from = `FROM ${rows} WHERE ${where}${this.#within("e.created_at", "e.sequence")}`;
    if (fits === undefined)
      return `SELECT e.created_at, e.sequence, true AS fits, false AS ends ${from} ${this.#order} LIMIT ${this.#limit + 1}`;
    const looked =
      `SELECT e.created_at, e.sequence, ${fits} AS fits, row_number() OVER (ORDER BY ${orderOf(this.#asked, "e.")}) AS n ` +
      `${from} ${this.#order} LIMIT ${look}`;
    return (
      `SELECT w.created_at, w.sequence, w.fits, w.n = ${look} AS ends FROM (${looked}) AS w WHERE w.fits OR w.n = ${look} ` +
      `${this.#order} LIMIT ${this.#limit + 1}`
    );
  }

  #within(createdAt: string, sequence: string): string {
    const { createdFrom, createdBefore, after, oldestFirst } = this.#asked;
    const conditions: string[] = [];
    if (createdFrom !== undefined) conditions.push(`${createdAt} >= ${this.#bound(createdFrom)}::float8`);
    if (createdBefore !== undefined) conditions.push(`${createdAt} < ${this.#bound(createdBefore)}::float8`);
    if (after !== undefined) {
      const place = placeOf(after);
      const [createdIn, sequenceOf] = [this.#bound(place.createdAt), this.#bound(place.sequence)];
      conditions.push(
        `(${createdAt}, ${sequence}) ${oldestFirst === true ? ">" : "<"} (${createdIn}::float8, ${sequenceOf}::bigint)`,
      );
    }
    return conditions.map((condition) => ` AND ${condition}`).join("");
  }

  #bound(value: unknown): string {
    return `$${this.#values.push(value)}`;
  }
}
