import type { Status } from "../../definition/flow.js";
import { tagsProblem } from "../sql/readable.js";
import { cursorOf, firstPlace, placeOf } from "../cursor.js";
import type { Pruned, PruneOptions, Store } from "../contract.js";
import type { Database } from "./database.js";
import { removeHistory } from "./history.js";
import type { SqliteFile } from "./shared.js";

export function pruning(file: SqliteFile): Pick<Store, "prune"> {
  return {
    prune: (options) =>
      file.patiently((database, at) => {
        const { olderThanMs, after, dry } = options;
        const youngest = at - Math.min(...Object.values(olderThanMs));
        const place = after === null ? firstPlace : placeOf(after);
        const pruner = new Pruner(database, dry);
        const prune = (): Pruned => pruner.prune({ ...options, youngest, place, at });
        // To count it waits for nobody who writes.
        return dry ? database.read(prune) : database.transaction(prune);
      }),
  };
}

const columns = "sequence, id, created_at, status, revision, tags";

/** What has a root goes with it only. */
const page =
  `SELECT ${columns}, updated_at, CASE WHEN json_valid(position) THEN position ->> '$.sealedAt' END AS sealed_at, owner IS NOT NULL OR due_at IS NOT NULL OR root IS NOT NULL AS kept, ` +
  "EXISTS (SELECT 1 FROM stepwell_lists WHERE parent = stepwell_executions.id) AS hasLists " +
  "FROM stepwell_executions WHERE created_at <= ? AND (created_at, sequence) > (?, ?) ORDER BY created_at, sequence LIMIT ? + 0";

interface Row {
  readonly sequence: number;
  readonly id: string;
  readonly created_at: number;
  readonly status: Status;
  readonly revision: number;
  readonly tags: string;
}

interface PageRow extends Row {
  readonly updated_at: number;
  /** Until then it can be undone. Null: as long as it is kept. */
  readonly sealed_at: number | null;
  readonly kept: number;
  readonly hasLists: number;
}

/** So many executions are looked at, and so many rows removed, by one call: it takes some milliseconds, in which nothing else happens. */
const mostLookedAt = 500;
const mostRemoved = 3_000;

/** Of an execution itself and beside it: about so many. */
function rowsOf({ revision }: Row): number {
  return 6 + revision;
}

/** Of a root that is at rest: whether something below it is not, or a list is still to be advanced. */
const busyBelow =
  "SELECT 1 FROM stepwell_executions INDEXED BY stepwell_executions_root WHERE root = ? " +
  "AND (owner IS NOT NULL OR due_at IS NOT NULL OR status NOT IN ('completed', 'rolledBack', 'stuck')) LIMIT 1";
const wantingBelow =
  "SELECT 1 FROM stepwell_lists AS k INDEXED BY stepwell_lists_root WHERE k.root = ? AND (k.marked = 1 OR EXISTS (" +
  "SELECT 1 FROM stepwell_news AS n WHERE n.list = k.sequence)) LIMIT 1";
/** Along the shelves: of what rests, all on the shared one has completed. */
const countBelow =
  "SELECT iif(shelf = '', 'completed', shelf) AS status, count(*) AS count " +
  "FROM stepwell_executions INDEXED BY stepwell_executions_root WHERE root = ? GROUP BY shelf";

const rowsOfLists = [
  ["stepwell_lines", "first"],
  ["stepwell_marks", "position"],
] as const;

const allGoing = "SELECT root FROM stepwell_pruning ORDER BY root";
/** Those that rest; and the root itself, when nothing else is left. */
const restingBelow =
  `SELECT ${columns} FROM stepwell_executions INDEXED BY stepwell_executions_root ` +
  "WHERE root = ?1 AND id <> ?1 AND owner IS NULL AND due_at IS NULL LIMIT ?2 + 0";
const leftBelow =
  "SELECT 1 FROM stepwell_executions INDEXED BY stepwell_executions_root WHERE root = ?1 AND id <> ?1 LIMIT 1";
const theRoot = `SELECT ${columns} FROM stepwell_executions WHERE id = ?`;

/** One call. */
class Pruner {
  readonly #database: Database;
  readonly #dry: boolean;
  readonly #counts: Partial<Record<Status, number>> = {};
  /** How many rows it may still remove. */
  #left = mostRemoved;

  constructor(database: Database, dry: boolean) {
    this.#database = database;
    this.#dry = dry;
  }

  prune(
    asked: PruneOptions & { readonly youngest: number; readonly at: number; readonly place: typeof firstPlace },
  ): Pruned {
    const { olderThanMs, limit, youngest, place, at } = asked;
    const counts = this.#counts;
    if (!this.#dry) for (const root of this.#going()) this.#removeTree(root);
    if (this.#left <= 0) return { counts, cursor: cursorOf(place) };
    const most = Math.min(limit, mostLookedAt);
    const rows = this.#all<PageRow>(page, youngest, place.createdAt, place.sequence, most + 1);
    let looked = 0;
    for (const row of rows.slice(0, most)) {
      if (this.#left <= 0) break;
      looked += 1;
      const age = olderThanMs[row.status];
      if (age === undefined || row.kept !== 0 || row.updated_at > at - age) continue;
      if (typeof row.sealed_at === "number" && row.sealed_at > at) continue;
      if (row.hasLists === 0) this.#remove(row);
      else if (this.#isAtRest(row)) this.#begin(row);
    }
    // What is left of a tree goes before the next page.
    const isMore = rows.length > looked || (!this.#dry && this.#left <= 0 && this.#going().length > 0);
    const last = rows[looked - 1];
    const next = last === undefined ? place : { createdAt: last.created_at, sequence: last.sequence };
    return { counts, cursor: isMore ? cursorOf(next) : null };
  }

  #isAtRest({ id }: Row): boolean {
    return this.#all(busyBelow, id).length === 0 && this.#all(wantingBelow, id).length === 0;
  }

  /** From now on nothing of the tree is to be found. */
  #begin(row: Row): void {
    if (this.#dry) {
      this.#count(row.status, 1);
      const below = this.#all<{ readonly status: Status; readonly count: number }>(countBelow, row.id);
      for (const { status, count } of below) this.#count(status, count);
      return;
    }
    this.#run("INSERT INTO stepwell_pruning (root) VALUES (?)", row.id);
    this.#run("UPDATE stepwell_executions SET root = id WHERE id = ?", row.id);
    this.#removeTree(row.id);
  }

  /** As far as this call may; the root last. */
  #removeTree(root: string): void {
    while (this.#left > 0) {
      const rows = this.#all<Row>(restingBelow, root, 100);
      if (rows.length === 0) break;
      for (const row of rows) if (!this.#removeWithLists(row)) return;
    }
    if (this.#left <= 0 || this.#all(leftBelow, root).length > 0) return;
    const [row] = this.#all<Row>(theRoot, root);
    if (row !== undefined && !this.#removeWithLists(row)) return;
    this.#run("DELETE FROM stepwell_pruning WHERE root = ?", root);
  }

  /** False: that was enough for one call. */
  #removeWithLists(row: Row): boolean {
    if (this.#left <= 0) return false;
    const lists = this.#all<{ readonly sequence: number }>(
      "SELECT sequence FROM stepwell_lists WHERE parent = ?",
      row.id,
    );
    for (const { sequence } of lists) {
      for (const [table, key] of rowsOfLists) {
        const some = `SELECT ${key} FROM ${table} WHERE list = ?1 LIMIT ?2 + 0`;
        this.#left -= this.#run(`DELETE FROM ${table} WHERE list = ?1 AND ${key} IN (${some})`, sequence, this.#left);
        if (this.#left <= 0) return false;
      }
      this.#run("DELETE FROM stepwell_lists WHERE sequence = ?", sequence);
    }
    this.#remove(row);
    return true;
  }

  #remove(row: Row): void {
    this.#count(row.status, 1);
    if (this.#dry) return;
    this.#left -= rowsOf(row);
    const { sequence, created_at, tags } = row;
    removeHistory(this.#database, sequence);
    for (const table of owned) this.#run(`DELETE FROM ${table} WHERE execution = ?`, sequence);
    this.#removeTags(tags, created_at, sequence);
    this.#run("DELETE FROM stepwell_executions WHERE sequence = ?", sequence);
  }

  #removeTags(text: string, createdAt: number, sequence: number): void {
    const tags = tagsIn(text);
    if (tags === undefined) {
      // They are damaged, and looked for among all: that is enough for one call.
      this.#run("DELETE FROM stepwell_tags WHERE created_at = ? AND execution = ?", createdAt, sequence);
      this.#left = 0;
      return;
    }
    const one = "DELETE FROM stepwell_tags WHERE tag = ? AND created_at = ? AND execution = ?";
    for (const tag of tags) this.#run(one, tag, createdAt, sequence);
  }

  #going(): string[] {
    return this.#all<{ readonly root: string }>(allGoing).map(({ root }) => root);
  }

  #count(status: Status, count: number): void {
    this.#counts[status] = (this.#counts[status] ?? 0) + count;
  }

  #all<Found>(text: string, ...values: (string | number)[]): Found[] {
    return this.#database.statement(text).all(...values) as Found[];
  }

  /** How many rows changed. */
  #run(text: string, ...values: (string | number)[]): number {
    return Number(this.#database.statement(text).run(...values).changes);
  }
}

/** Undefined: they can't be read. */
function tagsIn(text: string): readonly string[] | undefined {
  try {
    const tags: unknown = JSON.parse(text);
    return tagsProblem(tags) === undefined ? (tags as string[]) : undefined;
  } catch {
    return undefined;
  }
}

const owned = ["stepwell_mailbox", "stepwell_subscriptions", "stepwell_states", "stepwell_inputs"];
