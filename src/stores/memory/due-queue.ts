/**
 * Which executions of a memory store want to be looked at: those that are due, and those in work for which
 * something has arrived that no commit has seen.
 */
import type { Status } from "../../definition/flow.js";
import type { ClaimOptions, Hint } from "../contract.js";
import { DueHeap } from "./due-heap.js";
import type { Row } from "./rows.js";

export class DueQueue {
  /** Who is due, by workflow and version. */
  readonly #due = new Map<string, DueHeap<Row>>();
  /** Owned rows with an arrival that no commit has seen. */
  readonly #signalled = new Set<Row>();

  setDue(row: Row, dueAt: number | null): void {
    const { record } = row;
    const key = dueKey(record.workflow, record.version);
    let heap = this.#due.get(key);
    if (row.place >= 0) heap!.remove(row);
    record.dueAt = dueAt;
    if (dueAt === null) return;
    if (heap === undefined) this.#due.set(key, (heap = new DueHeap()));
    heap.add(row);
  }

  dueIn(row: Row, milliseconds: number | null, at: number, hints: Hint[]): void {
    this.setDue(row, milliseconds === null ? null : at + milliseconds);
    if (milliseconds !== null) hints.push({ type: "due", inMs: milliseconds });
  }

  /** Something is new in its mailbox. True: it has become due. */
  signal(row: Row, wakes: readonly Status[], at: number, hints: Hint[]): boolean {
    const { id, owner, status, dueAt } = row.record;
    if (owner !== null) {
      this.#signalled.add(row);
      hints.push({ type: "signalled", execution: id });
      return false;
    }
    if (!wakes.includes(status)) return false;
    // One that has been due for longer keeps its place.
    if (dueAt === null || dueAt > at) this.setDue(row, at);
    return true;
  }

  /** A commit has seen all that has arrived. */
  see(row: Row): void {
    row.seen = row.record.signals;
    this.#signalled.delete(row);
  }

  /** It has an owner, who is told of what arrives. */
  take(row: Row, owner: number): void {
    this.setDue(row, null);
    row.record.owner = owner;
    row.record.claims++;
    if (row.record.signals > row.seen) this.#signalled.add(row);
  }

  letGo(row: Row, dueInMs: number | null, at: number, hints: Hint[], claims = 0): void {
    row.record.owner = null;
    row.record.claims = claims;
    this.#signalled.delete(row);
    this.dueIn(row, dueInMs, at, hints);
  }

  /** Its owner is dead: it is due at once, and `claims` still tells how often it was taken up. */
  free(row: Row, at: number): void {
    row.record.owner = null;
    this.#signalled.delete(row);
    this.setDue(row, at);
  }

  signalledOf(owner: number): string[] {
    return [...this.#signalled].filter((row) => row.record.owner === owner).map(({ record }) => record.id);
  }

  /** The first that is due of each workflow in turn; who is given a row takes it before asking for the next one. */
  *inTurn(workflows: ClaimOptions["workflows"], at: number, limit: number): Generator<Row> {
    let left = limit;
    let round = this.#heapsOf(workflows);
    while (left > 0 && round.length > 0) {
      round = round.filter(({ first }) => first !== undefined && first.record.dueAt! <= at);
      for (const { first } of round.slice(0, left)) {
        yield first!;
        left--;
      }
    }
  }

  /** When the next one of these is due. Null: none is. */
  nextAt(workflows: ClaimOptions["workflows"]): number | null {
    let next: number | null = null;
    for (const { first } of this.#heapsOf(workflows)) {
      if (first !== undefined && (next === null || first.record.dueAt! < next)) next = first.record.dueAt;
    }
    return next;
  }

  /** Of each workflow and version the longest due, if it was due before that time. */
  overdue(before: number): Row[] {
    return [...this.#due.values()].flatMap(({ first }) =>
      first !== undefined && first.record.dueAt! < before ? first : [],
    );
  }

  #heapsOf(workflows: ClaimOptions["workflows"]): DueHeap<Row>[] {
    return workflows.flatMap(({ name, version }) => this.#due.get(dueKey(name, version)) ?? []);
  }
}

/** Unambiguous: a name holds no control characters. */
function dueKey(workflow: string, version: string): string {
  return `${workflow}\n${version}`;
}
