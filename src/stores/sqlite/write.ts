import { positionText, transitionTexts } from "../sql/json-columns.js";
import { prunedMeanwhile, reachable } from "../sql/pruning.js";
import { lineText } from "../sql/rows.js";
import { shelfOf } from "../sql/shelves.js";
import type { Batch, BatchResult, CommitResult, CreateResult, NewExecution, Release } from "../batch.js";
import { phaseOf, type Transition } from "../../execution/records.js";
import type { Hint } from "../contract.js";
import { movedBy } from "../moves.js";
import { deliver } from "./arrivals.js";
import { inRow, putFirst, putState, storedColumns } from "./beside.js";
import type { Database } from "./database.js";
import type { Value } from "./driver.js";
import { Entries } from "./history.js";
import { changeList, tellLines } from "./lines.js";
import { findPlace, type Place } from "./places.js";
import { recordOf, type StoredRow } from "./read.js";
import type { SqliteFile } from "./shared.js";
import { forget, publish, subscribe, unsubscribe } from "./topics.js";
import { leave, queue } from "./gates.js";

const owned: CreateResult = { created: true, owned: true };
const unowned: CreateResult = { created: true, owned: false };

/** One transaction for the whole batch. */
export function writing(file: SqliteFile): { write(batch: Batch): BatchResult } {
  return {
    write(batch) {
      const result = file.telling((database, at, hints) =>
        database.transaction(() => apply(database, batch, at, hints)),
      );
      if (file.moves.isWatched) file.moves.tell(movedBy(batch));
      return result;
    },
  };
}

/** In a transaction that the caller has begun: all of the batch is part of it, or nothing. */
export function writeWithin(database: Database, batch: Batch, at: number): BatchResult {
  return database.part(() => apply(database, batch, at, []));
}

function apply(database: Database, batch: Batch, at: number, hints: Hint[]): BatchResult {
  return {
    at,
    creates: applyCreates(database, batch.creates, at, hints),
    transitions: commitAll(database, batch.transitions, at, hints),
    releases: batch.releases.map((it) => release(database, it, at, hints)),
    arrivals: batch.arrivals.map((it) => deliver(database, it, at, hints)),
    subscriptions: batch.subscriptions?.map((it) => subscribe(database, it, at, hints)) ?? [],
    publications: batch.publications?.map((it) => publish(database, it, at, hints)) ?? [],
  };
}

/** Within a transaction. */
export function applyCreates(
  database: Database,
  creates: readonly NewExecution[],
  at: number,
  hints: Hint[],
): CreateResult[] {
  const launchers = new Launchers(database);
  return creates.map((it) => create(database, it, at, launchers, hints));
}

/** Which launchers are alive, asked once in a transaction. */
class Launchers {
  readonly #database: Database;
  readonly #alive = new Map<number, boolean>();

  constructor(database: Database) {
    this.#database = database;
  }

  isAlive(owner: number): boolean {
    let alive = this.#alive.get(owner);
    if (alive === undefined) {
      alive = this.#database.statement("SELECT 1 FROM stepwell_launchers WHERE owner = ?").get(owner) !== undefined;
      this.#alive.set(owner, alive);
    }
    return alive;
  }
}

const insertExecution =
  "INSERT INTO stepwell_executions (id, workflow, version, fingerprint, status, revision, signals, seen, owner, claims, due_at, " +
  "deadline_at, created_at, updated_at, tags, position, state, input, carried, shelf, line, root) " +
  "VALUES (?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";

const selectExisting = `SELECT ${storedColumns} FROM stepwell_executions WHERE id = ? AND ${reachable()}`;

/** Rare enough to be a statement of its own. Until it is admitted only its deadline wakes it. */
const updateQueued = "UPDATE stepwell_executions SET admission = 'queued', due_at = deadline_at WHERE sequence = ?";

function create(database: Database, it: NewExecution, at: number, launchers: Launchers, hints: Hint[]): CreateResult {
  // What a buried launcher creates is for another one to take up: nobody would free it again.
  const isOwned = it.owner !== null && launchers.isAlive(it.owner);
  const dueInMs = it.owner === null ? it.dueInMs : 0;
  const { changes, lastInsertRowid } = database
    .statement(insertExecution)
    .run(
      it.id,
      it.workflow,
      it.version,
      it.fingerprint,
      it.status,
      isOwned ? it.owner : null,
      isOwned ? 1 : 0,
      isOwned ? null : at + dueInMs,
      it.deadlineInMs === null ? null : at + it.deadlineInMs,
      at,
      at,
      JSON.stringify(it.tags),
      positionText(it.position, it.id, "compact"),
      inRow(it.state),
      inRow(it.input),
      it.carried,
      shelfOf(it.status),
      lineText(it.line),
      it.root ?? null,
    );
  if (Number(changes) === 0) {
    const row = database.statement(selectExisting).get(it.id) as StoredRow | undefined;
    return { created: false, existing: recordOf(database, row ?? prunedMeanwhile(it.id)) };
  }
  const sequence = Number(lastInsertRowid);
  putFirst(database, sequence, it.state, it.input);
  for (const tag of new Set(it.tags)) {
    database
      .statement("INSERT INTO stepwell_tags (tag, created_at, execution) VALUES (?, ?, ?)")
      .run(tag, at, sequence);
  }
  if (it.queue !== undefined) {
    database.statement(updateQueued).run(sequence);
    queue(database, sequence, it.version, it.queue, at + it.dueInMs);
  }
  if (isOwned) database.places.set(it.id, { sequence, revision: 0, latest: null, shelf: shelfOf(it.status) });
  else hints.push({ type: "due", inMs: dueInMs });
  return isOwned ? owned : unowned;
}

const updateExecution =
  "UPDATE stepwell_executions SET status = ?1, position = ?2, state = coalesce(?3, state), changes = iif(?3 IS NULL, coalesce(?4, changes), NULL), revision = ?5, updated_at = ?6, seen = signals, latest = ?7";
const fenced =
  "WHERE sequence = ?8 AND id = ?9 AND owner = ?10 AND revision = ?5 - 1 AND signals = ?11 AND latest IS ?12";

// Indexed columns stay out of it while the owner stays: an index is written for each that is named.
const updateKept = `${updateExecution}, claims = 1 ${fenced}`;
/** Rare enough to be a statement of its own: the others need not name the column. */
const updateCarried = "UPDATE stepwell_executions SET carried = ? WHERE sequence = ?";
/** Names what an index names, so it is kept apart too. */
const updateDefinition = "UPDATE stepwell_executions SET version = ?, fingerprint = ? WHERE sequence = ?";
const updateResting = `${updateExecution}, claims = 0, owner = NULL, due_at = ?13 ${fenced}`;
const updateShelf = "UPDATE stepwell_executions SET shelf = ? WHERE sequence = ?";

export function commitAll(
  database: Database,
  transitions: readonly Transition[],
  at: number,
  hints: Hint[],
): CommitResult[] {
  const entries = new Entries(database, at);
  const results = transitions.map((it) => commit(database, entries, it, at, hints));
  entries.finish();
  const told = transitions.flatMap(({ line }, index) => (line !== undefined && results[index] === "taken" ? line : []));
  if (told.length > 0) tellLines(database, told);
  return results;
}

function commit(database: Database, entries: Entries, it: Transition, at: number, hints: Hint[]): CommitResult {
  const { id, owner, revision, signals } = it;
  const known = database.places.get(id, revision - 1);
  const texts = transitionTexts(it, "compact");
  let place = known;
  if (place === undefined || !update(database, it, texts.position, place, entries.next, at)) {
    place = findPlace(database, id, owner, revision - 1);
    if (place === undefined) return "lost";
    if (!update(database, it, texts.position, place, entries.next, at)) return "signalled";
  }
  const { sequence, latest } = place;
  if (it.rests) database.places.forget(id);
  else database.places.set(id, { sequence, revision, latest: entries.next, shelf: shelfOf(it.status) });
  const { error, patch, step } = it.history;
  entries.add({
    execution: sequence,
    revision,
    entry: texts.entry,
    patch: patch?.text ?? null,
    previous: latest,
    failed: error !== undefined,
  });
  if (place.shelf !== shelfOf(it.status)) database.statement(updateShelf).run(shelfOf(it.status), sequence);
  if (it.state !== null && it.changes === undefined) putState(database, sequence, it.state);
  for (const { arrival, as } of it.settled) settle(database, sequence, arrival, as, step);
  if (it.definition !== undefined) {
    database.statement(updateDefinition).run(it.definition.version, it.definition.fingerprint, sequence);
  }
  if (it.carried !== null) database.statement(updateCarried).run(it.carried, sequence);
  if (it.unsubscribes !== undefined) unsubscribe(database, sequence, it.unsubscribes);
  if (it.forgets !== undefined) forget(database, sequence, it.forgets);
  if (it.list !== undefined) changeList(database, it.list, id);
  if (it.leaves === true) {
    leave(database, sequence);
    hints.push({ type: "due", inMs: 0 });
  }
  if (it.ends && signals > 0) {
    database
      .statement("UPDATE stepwell_mailbox SET status = 'dead' WHERE execution = ? AND status = 'pending'")
      .run(sequence);
  }
  if (it.rests && it.dueInMs !== null) hints.push({ type: "due", inMs: it.dueInMs });
  return "taken";
}

/** False: the row is not as the transition and its place have it. */
function update(
  database: Database,
  it: Transition,
  position: string,
  { sequence, latest }: Place,
  entry: number,
  at: number,
): boolean {
  const changes = it.changes?.text ?? null;
  const state = changes === null && it.state !== null ? inRow(it.state) : null;
  const values: Value[] = [it.status, position, state, changes, it.revision, at, entry];
  values.push(sequence, it.id, it.owner, it.signals, latest);
  const done = it.rests
    ? database.statement(updateResting).run(...values, dueAt(at, it.dueInMs))
    : database.statement(updateKept).run(...values);
  return Number(done.changes) > 0;
}

const updateReleased =
  "UPDATE stepwell_executions SET claims = iif(?5 IS NULL, claims - 1, 0), owner = NULL, due_at = ?1, " +
  "seen = iif(?4 IS NULL, seen, signals), position = coalesce(?5, position) " +
  "WHERE id = ?2 AND owner = ?3 AND signals = coalesce(?4, signals) RETURNING sequence, status";

/** Names what an index names, so it is kept apart. */
const updateParked =
  "UPDATE stepwell_executions SET status = 'stuck', shelf = 'stuck', updated_at = ? WHERE sequence = ?";

function release(database: Database, it: Release, at: number, hints: Hint[]): CommitResult {
  const position = it.position === undefined ? null : positionText(it.position, it.id, "compact");
  const row = database.statement(updateReleased).get(dueAt(at, it.dueInMs), it.id, it.owner, it.signals, position);
  if (row === undefined) return isOwner(database, it.id, it.owner) ? "signalled" : "lost";
  const { sequence, status } = row as { readonly sequence: number; readonly status: string };
  database.places.forget(it.id);
  for (const arrival of it.dead) settle(database, sequence, arrival, "dead", null);
  if (it.parks === true) {
    const was = phaseOf(status);
    if (it.line !== undefined && was !== "stuck") tellLines(database, [{ ...it.line, was, phase: "stuck" }]);
    database.statement(updateParked).run(at, sequence);
    leave(database, sequence);
    hints.push({ type: "due", inMs: 0 });
  }
  if (it.dueInMs !== null) hints.push({ type: "due", inMs: it.dueInMs });
  return "taken";
}

function isOwner(database: Database, id: string, owner: number): boolean {
  return (
    database.statement("SELECT 1 FROM stepwell_executions WHERE id = ? AND owner = ?").get(id, owner) !== undefined
  );
}

function settle(database: Database, execution: number, id: string, as: "consumed" | "dead", step: string | null): void {
  database
    .statement("UPDATE stepwell_mailbox SET status = ?, step = ? WHERE execution = ? AND id = ? AND status = 'pending'")
    .run(as, step, execution, id);
}

function dueAt(at: number, dueInMs: number | null): number | null {
  return dueInMs === null ? null : at + dueInMs;
}
