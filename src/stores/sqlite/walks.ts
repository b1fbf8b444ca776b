/** Walks along indexes, the newest first or the oldest: what lists and counts are made of. Each is read bit by bit. */
import type { ListConditions, ListFilter } from "../contract.js";
import { placeOf, type ListPlace } from "../cursor.js";
import { passedOver, type LookedAt } from "../sql/shelves.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";

export type Asked = ListConditions & Pick<ListFilter, "after" | "oldestFirst">;

/** So many rows are read at once; where only some of them count, so many are looked at. Either takes a few milliseconds. */
const readAtOnce = 500;
const lookedAtAtOnce = 2_000;

export interface Route {
  /** `FROM … WHERE …` */
  readonly from: string;
  readonly values: readonly Value[];
  /** The names of what the order is by. */
  readonly createdAt: string;
  readonly sequence: string;
  /** Which rows count. Left out: all do, and the index alone says so. */
  readonly fits?: { readonly text: string; readonly values: readonly Value[] };
}

interface Row {
  readonly created_at: number;
  readonly sequence: number;
  /** Which one it was of those that were looked at. */
  readonly number: number;
  readonly fits: number;
}

interface Way {
  readonly order: "ASC" | "DESC";
  readonly beyond: ">" | "<";
  /** Not beyond. */
  readonly within: "<=" | ">=";
}

const ways: Readonly<Record<"newest" | "oldest", Way>> = {
  newest: { order: "DESC", beyond: "<", within: ">=" },
  oldest: { order: "ASC", beyond: ">", within: "<=" },
};

/** One route, from the newest row on, or from the oldest. */
export class Walk {
  readonly #database: Database;
  readonly #route: Route;
  readonly #within: { readonly text: string; readonly values: readonly Value[] };
  /** How many rows are wanted of it. */
  readonly #limit: number;
  readonly #way: Way;
  #place: ListPlace | undefined;
  #found: LookedAt[] = [];
  #next = 0;
  #looked = 0;
  /** So many more are read at once. */
  #forgotten = 0;
  #sum = 0;
  #isRead = false;

  constructor(database: Database, route: Route, asked: Asked, limit: number) {
    this.#database = database;
    this.#route = route;
    this.#limit = limit;
    this.#within = withinOf(route, asked);
    this.#way = asked.oldestFirst === true ? ways.oldest : ways.newest;
    this.#place = asked.after === undefined ? undefined : placeOf(asked.after);
  }

  /** Whether it has to be read further to say which row is the next one. */
  get isHungry(): boolean {
    return this.#next === this.#found.length && !this.#isRead;
  }

  /** Whether there are no more rows. */
  get isOver(): boolean {
    return this.#next === this.#found.length && this.#isRead;
  }

  /** The next row. One that does not fit is where the looking ended. Undefined: there is none. */
  get head(): LookedAt | undefined {
    return this.#found[this.#next];
  }

  pass(): void {
    this.#next += 1;
  }

  /** The row that was passed last is not to be found: to have looked at it tires nobody, and another one is wanted for it. */
  forget(): void {
    this.#looked -= 1;
    this.#forgotten += 1;
  }

  /** Reads some more rows. */
  read(): void {
    this.#next = 0;
    if (this.#route.fits === undefined) this.#readAll();
    else this.#readFitting();
  }

  #readAll(): void {
    const size = Math.min(readAtOnce, this.#limit + 1 + this.#forgotten);
    const text = `SELECT ${this.#columns} ${this.#from} ${this.#order} LIMIT ? + 0`;
    const rows = this.#database.rows<Row>(text, ...this.#values, size);
    this.#isRead = rows.length < size;
    this.#found = rows.map((row) => ({ ...row, fits: true }));
    const last = rows.at(-1);
    if (last !== undefined) this.#place = { createdAt: last.created_at, sequence: last.sequence };
  }

  /** What does not fit is left out by SQLite, which is many times as fast. */
  #readFitting(): void {
    const fits = this.#route.fits!;
    const size = Math.max(1, Math.min(lookedAtAtOnce, this.#limit + passedOver - this.#looked));
    const most = this.#limit + 1 + this.#forgotten;
    const looked = `SELECT ${this.#columns}, ${fits.text} AS fits ${this.#from} ${this.#order} LIMIT ? + 0`;
    const rows = this.#database.rows<Row>(
      `SELECT * FROM (SELECT *, row_number() OVER () AS number FROM (${looked})) WHERE fits OR number = ? LIMIT ? + 0`,
      ...[...fits.values, ...this.#values, size, size, most],
    );
    const last = rows.at(-1);
    const isAtEnd = last === undefined || (rows.length < most && last.number !== size);
    this.#looked += last?.number ?? 0;
    this.#found = rows.filter((row) => row.fits === 1).map((row) => ({ ...row, fits: true }));
    if (last !== undefined) this.#place = { createdAt: last.created_at, sequence: last.sequence };
    const isTired = !isAtEnd && last.fits !== 1 && this.#isTired;
    if (isTired) this.#found.push({ ...last, fits: false });
    this.#isRead = isAtEnd || isTired;
  }

  /** Counts some more rows; true: no more are to be counted. */
  count(): boolean {
    const { fits } = this.#route;
    if (fits === undefined) {
      this.#sum = this.#counted("1", [], "", [], this.#limit + 1);
      return true;
    }
    const size = Math.min(lookedAtAtOnce, this.#limit + passedOver - this.#looked);
    const [last] = this.#database.rows<Omit<Row, "fits" | "number">>(
      `SELECT ${this.#columns} ${this.#from} ${this.#order} LIMIT 1 OFFSET ? + 0`,
      ...[...this.#values, size - 1],
    );
    const { createdAt, sequence } = this.#route;
    const to = last === undefined ? "" : ` AND (${createdAt}, ${sequence}) ${this.#way.within} (?, ?)`;
    const place = last === undefined ? [] : [last.created_at, last.sequence];
    this.#sum += this.#counted(fits.text, fits.values, to, place, size);
    if (last === undefined) return true;
    this.#looked += size;
    this.#place = { createdAt: last.created_at, sequence: last.sequence };
    return this.#sum > this.#limit || this.#isTired;
  }

  #counted(fits: string, values: readonly Value[], to: string, place: readonly Value[], most: number): number {
    const [row] = this.#database.rows<{ readonly sum: number }>(
      `SELECT count(*) FILTER (WHERE fits) AS sum FROM (SELECT ${fits} AS fits ${this.#from}${to} LIMIT ? + 0)`,
      ...[...values, ...this.#values, ...place, most],
    );
    return row!.sum;
  }

  /** What was counted: up to one more than is wanted, or a few. Undefined: it has looked at enough, and does not know. */
  get sum(): number | undefined {
    return this.#isTired && this.#sum <= this.#limit ? undefined : this.#sum;
  }

  get #isTired(): boolean {
    return this.#route.fits !== undefined && this.#looked >= this.#limit + passedOver;
  }

  get #columns(): string {
    const { createdAt, sequence } = this.#route;
    return `${createdAt} AS created_at, ${sequence} AS sequence`;
  }

  get #order(): string {
    const { createdAt, sequence } = this.#route;
    return `ORDER BY ${createdAt} ${this.#way.order}, ${sequence} ${this.#way.order}`;
  }

  get #from(): string {
    const { from, createdAt, sequence } = this.#route;
    const beyond = this.#place === undefined ? "" : ` AND (${createdAt}, ${sequence}) ${this.#way.beyond} (?, ?)`;
    return `${from}${this.#within.text}${beyond}`;
  }

  get #values(): Value[] {
    const place = this.#place;
    return [
      ...this.#route.values,
      ...this.#within.values,
      ...(place === undefined ? [] : [place.createdAt, place.sequence]),
    ];
  }
}

function withinOf({ createdAt }: Route, { createdFrom, createdBefore }: Asked) {
  const conditions: [string, Value][] = [];
  if (createdFrom !== undefined) conditions.push([` AND ${createdAt} >= ?`, createdFrom]);
  if (createdBefore !== undefined) conditions.push([` AND ${createdAt} < ?`, createdBefore]);
  return { text: conditions.map(([text]) => text).join(""), values: conditions.map(([, value]) => value) };
}

/** The walk whose next row comes first; it takes its walks for read as far as that asks for. */
export function firstOf(walks: readonly Walk[], { oldestFirst }: Asked): Walk | undefined {
  let first: Walk | undefined;
  for (const walk of walks) {
    if (walk.head === undefined) continue;
    if (first === undefined || isNewer(walk.head, first.head!) !== (oldestFirst === true)) first = walk;
  }
  return first;
}

function isNewer(one: LookedAt, other: LookedAt): boolean {
  return one.created_at > other.created_at || (one.created_at === other.created_at && one.sequence > other.sequence);
}
