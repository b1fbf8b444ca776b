/** Lists and counts: each is a few walks along an index, none of which reads much more than a page, or a count, is long. */
import type { Status } from "../../definition/flow.js";
import type { ListConditions, ListedExecution, ListFilter, ListPage, Store } from "../contract.js";
import { cursorOf, type ListPlace } from "../cursor.js";
import { reachable } from "../sql/pruning.js";
import { listedColumns, listedOf, type ListedRow } from "../sql/rows.js";
import { isFoundInOrder, pageIn, passedOver, shelvesOf, type LookedAt } from "../sql/shelves.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";
import { known } from "./due.js";
import { errorsOf } from "./read.js";
import type { SqliteFile } from "./shared.js";
import { firstOf, Walk, type Asked, type Route } from "./walks.js";

export function listing(file: SqliteFile): Pick<Store, "list" | "count"> {
  return { list: (filter) => list(file, filter), count: (conditions, upTo) => count(file, conditions, upTo) };
}

/** Work on the thread of the caller, in bits. */
class Bits {
  /** In milliseconds. */
  static readonly longest = 5;
  readonly #file: SqliteFile;
  #began: number;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#began = file.clock.monotonic();
  }

  /** Does one bit, once others had their turn if that is due. */
  async next<Result>(work: (database: Database, at: number) => Result): Promise<Result> {
    const { clock } = this.#file;
    if (clock.monotonic() - this.#began > Bits.longest) {
      await new Promise<void>((resolve) => clock.soon(resolve));
      this.#began = clock.monotonic();
    }
    return this.#file.patiently(work);
  }
}

/** @throws STEPWELL_INVALID_ARGUMENT for a cursor that no page gave */
async function list(file: SqliteFile, { limit, ...asked }: ListFilter): Promise<ListPage> {
  const bits = new Bits(file);
  const found: Found[] = [];
  let end: LookedAt | undefined;
  if (isFoundInOrder(asked)) {
    const walk = await bits.next((database) => new Walk(database, inOrder(asked), asked, limit));
    end = await follow(bits, [walk], asked, limit, found);
  }
  // Where it was looked at enough in order of creation, the shelves go on.
  if (end !== undefined || !isFoundInOrder(asked)) {
    const rest = end === undefined ? asked : { ...asked, after: cursorOf(placeIn(end)) };
    const { routes } = await planOf(bits, asked);
    const walks = await bits.next((database) => routes.map((route) => new Walk(database, route, rest, limit)));
    end = await follow(bits, walks, asked, limit, found);
  }
  const { page, last } = pageIn<LookedAt>(end === undefined ? found : [...found, end], limit);
  return {
    records: found.slice(0, page.length).map(({ record }) => record),
    cursor: last === undefined ? null : cursorOf(placeIn(last)),
  };
}

function placeIn({ created_at: createdAt, sequence }: LookedAt): ListPlace {
  return { createdAt, sequence };
}

/** Finds one row more than the page holds, where there are so many. Gives back where the looking ended, if it did. */
async function follow(
  bits: Bits,
  walks: readonly Walk[],
  asked: Asked,
  limit: number,
  found: Found[],
): Promise<LookedAt | undefined> {
  let end: LookedAt | undefined;
  do {
    for (const walk of walks) while (walk.isHungry) await bits.next(() => walk.read());
    const most = Math.min(limit + 1, found.length + handful);
    end = await bits.next((database) => take(database, walks, asked, found, most));
  } while (end === undefined && found.length <= limit && walks.some((walk) => !walk.isOver));
  return end;
}

type Found = LookedAt & { readonly record: ListedExecution };

/** So many rows are taken at once. */
const handful = 100;

const select = `SELECT ${listedColumns} FROM stepwell_executions WHERE sequence = ? AND ${reachable()}`;

/** Takes the next rows, as far as they have been read. Gives back where the looking ended, if it did. */
function take(
  database: Database,
  walks: readonly Walk[],
  asked: Asked,
  found: Found[],
  most: number,
): LookedAt | undefined {
  return database.read(() => {
    const rows: ListedRow[] = [];
    let end: LookedAt | undefined;
    while (found.length + rows.length < most && !walks.some(({ isHungry }) => isHungry)) {
      const walk = firstOf(walks, asked);
      const head = walk?.head;
      if (head?.fits === false) end = head;
      if (walk === undefined || head === undefined || end !== undefined) break;
      walk.pass();
      const row = database.statement(select).get(head.sequence) as ListedRow | undefined;
      // It is being pruned; or its status is not that of its shelf, since it changed meanwhile, or is damaged.
      if (row !== undefined && asked.status?.includes(row.status) !== false) rows.push(row);
      else walk.forget();
    }
    const errors = errorsOf(database, rows);
    for (const row of rows) {
      found.push({ created_at: row.created_at, sequence: row.sequence, fits: true, record: listedOf(row, errors) });
    }
    return end;
  });
}

async function count(file: SqliteFile, conditions: ListConditions, upTo: number): Promise<number | null> {
  const bits = new Bits(file);
  const { routes, less } = await planOf(bits, conditions);
  const counted = async (route: Route, most: number): Promise<number | undefined> => {
    const walk = await bits.next((database) => new Walk(database, route, conditions, most));
    while (!(await bits.next(() => walk.count())));
    return walk.sum;
  };
  // No more than are in work.
  const taken = less === undefined ? 0 : (await counted(less, Number.MAX_SAFE_INTEGER - 1))!;
  let sum = 0 - taken;
  for (const route of routes) {
    const found = await counted(route, upTo + taken);
    if (found === undefined) return null;
    sum += found;
    if (sum > upTo) return upTo + 1;
  }
  return sum;
}

interface Plan {
  readonly routes: readonly Route[];
  /** What is on these routes and must not be counted. */
  readonly less?: Route;
}

const ordered = { createdAt: "created_at", sequence: "sequence" };

async function planOf(bits: Bits, asked: Asked): Promise<Plan> {
  const { workflow, status, tags = [], isFree, root } = asked;
  if (tags.length > 0) return { routes: [byTag(tags, asked)] };
  if (status === undefined && workflow === undefined && isFree === undefined && root === undefined) {
    return { routes: [{ from: "FROM stepwell_executions WHERE true", values: [], ...ordered }] };
  }
  const racks = await bits.next((database) => racksOf(database, asked));
  if (status === undefined) {
    // Also what was damaged stands on a shelf.
    const routes: Route[] = [];
    for (const rack of racks) {
      const shelves = await bits.next((database) => shelvesIn(database, rack));
      routes.push(...shelves.map((shelf) => onShelf(rack, shelf)));
    }
    return { routes };
  }
  const { names, only } = shelvesOf(status);
  const along = (shelf: string): Route[] => racks.map((rack) => onShelf(rack, shelf));
  if (only === undefined) return { routes: names.flatMap(along) };
  const others = names.filter((name) => name !== "").flatMap(along);
  const working = await bits.next(inWork);
  if (working === undefined) {
    return {
      routes: [...others, ...racks.map((rack) => onShelf(rack, "", { text: "status = ?", values: [only] }))],
    };
  }
  const running = ofThese(working, asked);
  return only === "running" ? { routes: [...others, running] } : { routes: [...others, ...along("")], less: running };
}

function inOrder({ status, isFree }: Asked): Route {
  const own = conditionsOf({ isFree });
  if (status !== undefined) own.push(oneOf(status));
  return { from: "FROM stepwell_executions WHERE true", values: [], ...ordered, fits: both(own)! };
}

function oneOf(statuses: readonly Status[]): Conditions {
  return { text: `status IN (${statuses.map(() => "?").join(", ")})`, values: statuses };
}

/** Where shelves stand: those of a workflow, apart for what is free and what is a line; or those of a root. */
interface Rack {
  /** `INDEXED BY … WHERE …` */
  readonly where: string;
  readonly values: readonly Value[];
  /** Left out: all that is there counts. */
  readonly fits?: Conditions | undefined;
}

interface Conditions {
  readonly text: string;
  readonly values: readonly Value[];
}

const ofFree = "INDEXED BY stepwell_executions_listed WHERE line IS NULL";
const ofLines = "INDEXED BY stepwell_executions_lined WHERE line IS NOT NULL";

function racksOf(database: Database, asked: Asked): Rack[] {
  const { workflow, isFree, root } = asked;
  if (root !== undefined) {
    const fits = both(conditionsOf({ workflow, isFree }));
    return [{ where: "INDEXED BY stepwell_executions_root WHERE root = ?", values: [root], fits }];
  }
  return (isFree === true ? [ofFree] : [ofFree, ofLines]).flatMap((side) => {
    const names = workflow === undefined ? namesIn(database, side) : [workflow];
    return names.map((name) => ({ where: `${side} AND workflow = ?`, values: [name] }));
  });
}

function conditionsOf({ workflow, isFree, root }: Pick<Asked, "workflow" | "isFree" | "root">): Conditions[] {
  const conditions: Conditions[] = [];
  if (workflow !== undefined) conditions.push({ text: "workflow = ?", values: [workflow] });
  if (isFree === true) conditions.push({ text: "line IS NULL", values: [] });
  if (root !== undefined) conditions.push({ text: "stepwell_executions.root = ?", values: [root] });
  return conditions;
}

function both(all: readonly Conditions[]): Conditions | undefined {
  if (all.length === 0) return undefined;
  return { text: all.map(({ text }) => text).join(" AND "), values: all.flatMap(({ values }) => values) };
}

function onShelf({ where, values, fits }: Rack, shelf: string, and?: Conditions): Route {
  const all = both([fits, and].filter((it) => it !== undefined));
  return {
    from: `FROM stepwell_executions ${where} AND shelf = ?`,
    values: [...values, shelf],
    ...ordered,
    ...(all !== undefined && { fits: all }),
  };
}

/** Along the rows of one tag, so that a rare tag costs little. */
function byTag([tag, ...others]: readonly string[], { status, ...asked }: Asked): Route {
  const conditions = others.map(
    () =>
      "EXISTS (SELECT 1 FROM stepwell_tags AS other WHERE other.tag = ? AND other.created_at = t.created_at AND other.execution = t.execution)",
  );
  const values: Value[] = [...others];
  const own = conditionsOf(asked);
  if (status !== undefined) own.push(oneOf(status));
  const ofRow = both(own);
  if (ofRow !== undefined) {
    conditions.push(`(SELECT ${ofRow.text} FROM stepwell_executions WHERE sequence = t.execution)`);
    values.push(...ofRow.values);
  }
  return {
    from: "FROM stepwell_tags AS t WHERE t.tag = ?",
    values: [tag!],
    createdAt: "t.created_at",
    sequence: "t.execution",
    ...(conditions.length > 0 && { fits: { text: conditions.join(" AND "), values } }),
  };
}

/** What a launcher has in work, or could take up. */
function ofThese(sequences: readonly number[], asked: Asked): Route {
  const own = both(conditionsOf(asked));
  return {
    from:
      "FROM json_each(?) AS w CROSS JOIN stepwell_executions ON sequence = w.value " +
      `WHERE status = 'running'${own === undefined ? "" : ` AND ${own.text}`}`,
    values: [JSON.stringify(sequences), ...(own?.values ?? [])],
    ...ordered,
  };
}

const owned =
  "SELECT sequence FROM stepwell_executions INDEXED BY stepwell_executions_owned WHERE owner IS NOT NULL LIMIT ? + 0";
const due =
  "SELECT sequence FROM stepwell_executions INDEXED BY stepwell_executions_due " +
  "WHERE workflow = ? AND version = ? AND due_at <= ? ORDER BY due_at LIMIT ? + 0";

/** What is running is either in work, or due by now: it was let go of when its launcher stopped, or died. Undefined: it is too much. */
function inWork(database: Database, at: number): number[] | undefined {
  return database.read(() => {
    const found = new Set<number>();
    const add = (rows: unknown[]): void => {
      for (const { sequence } of rows as { readonly sequence: number }[]) found.add(sequence);
    };
    add(database.statement(owned).all(passedOver + 1));
    for (const { workflow, version } of database.statement(dueKinds).all() as DueKind[]) {
      if (found.size > passedOver) return undefined;
      add(database.statement(due).all(workflow, version, at, passedOver + 1));
    }
    return found.size > passedOver ? undefined : [...found];
  });
}

interface DueKind {
  readonly workflow: string;
  readonly version: string;
}

const dueKinds = `WITH RECURSIVE ${known} SELECT workflow, version FROM known`;

const allNames = (side: string): string => `
WITH RECURSIVE names (name) AS (
  SELECT min(workflow) FROM stepwell_executions ${side}
  UNION ALL
  SELECT (SELECT min(workflow) FROM stepwell_executions ${side} AND workflow > names.name) FROM names WHERE names.name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL`;

const allShelves = (where: string): string => `
WITH RECURSIVE shelves (name) AS (
  SELECT min(shelf) FROM stepwell_executions ${where}
  UNION ALL
  SELECT (SELECT min(shelf) FROM stepwell_executions ${where} AND shelf > shelves.name)
  FROM shelves WHERE shelves.name IS NOT NULL
)
SELECT name FROM shelves WHERE name IS NOT NULL`;

interface NameRow {
  readonly name: string;
}

function namesIn(database: Database, side: string): string[] {
  return database.read(() => database.statement(allNames(side)).all() as NameRow[]).map(({ name }) => name);
}

function shelvesIn(database: Database, { where, values }: Rack): string[] {
  const rows = database.read(() => database.statement(allShelves(where)).all(...values, ...values) as NameRow[]);
  return rows.map(({ name }) => name);
}
