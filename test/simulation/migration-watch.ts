/** Sees executions become those of version 2: where they go on, and what is there of legs that only one version has, or that has two names. */
import type { Position } from "../../src/execution/position.js";
import type { OperatorAct } from "../../src/execution/mail.js";
import type { ExecutionRecord, HistoryEntry, Transition } from "../../src/execution/records.js";
import type { Arrival } from "../../src/stores/batch.js";
import type { Books } from "./books.js";
import { placeFrom } from "./deployments.js";
import type { Trip } from "./plan.js";
import type { Seen } from "./seen.js";
import { legsIn, nameIn, numberOf, plainName } from "./versions.js";

export const deploymentSights = [
  ...(["migrated: up", "migrated: up, begun", "migrated: down, begun"] as const),
  ...(["completed", "rolledBack"] as const).map((status) => `migrated, then ${status}`),
  ...(["renamed", "prepended"] as const).map((leg) => `migrated: ${leg}, undone`),
  ...(["renamed", "prepended"] as const).map((leg) => `migrated: ${leg}, done`),
  ...(["up", "down", "completed"] as const).map((where) => `migrated: out of what is dropped, ${where}`),
  ...(["completed", "rolledBack"] as const).map((status) => `${status}: a dropped step stands`),
  ...(["up", "down"] as const).map((direction) => `migrated: begins its step again, ${direction}`),
  "launched in version 2",
  "could not be migrated",
];

const kept = ["stepFunc", "waitUntil", "resumeAt", "attempts", "firstAttemptAt"] as const;

export class MigrationWatch {
  readonly #trips: ReadonlyMap<string, Trip>;
  readonly #books: Books;
  readonly #seen: Seen;
  readonly #migrated = new Map<string, Trip>();
  /** By execution and who asked: the leg in which it stood when an operator said something of the step. */
  readonly #asked = new Map<string, number>();

  /** @param trips with all legs, by the names of their workflows */
  constructor(trips: ReadonlyMap<string, Trip>, books: Books, seen: Seen) {
    this.#trips = trips;
    this.#books = books;
    this.#seen = seen;
  }

  /** Something is committed. @param before as the execution was until then */
  follows({ id, revision, position, history }: Transition, before: ExecutionRecord): void {
    if (history.migration === undefined) return;
    const trip = this.#trips.get(before.workflow)!;
    const place = numberOf(position.step);
    this.#migrated.set(id, trip);
    this.#books.moved(id, place);
    if (legsIn(trip, "2")[position.stepIndex] !== place || position.step !== nameIn("2", place, trip))
      this.#books.wrong(`${id} is migrated to ${position.step}, which is not step ${position.stepIndex} of version 2`);
    const wrong = this.#wrongPlace(before, place, trip) ?? this.#wrongWait(before, position, trip);
    if (wrong !== undefined) this.#books.wrong(`${id} ${wrong} in revision ${revision}`);
  }

  /** It goes on where it stood; only what has not begun begins with the first step. */
  #wrongPlace({ id, status, position }: ExecutionRecord, place: number, trip: Trip): string | undefined {
    const { direction, step, stepIndex } = position;
    const number = numberOf(step);
    const isCompleted = status === "completed";
    const expected = placeFrom(trip, { number, direction, isCompleted });
    const mayBeFresh = direction === "up" && !isCompleted && stepIndex === 0 && !this.#books.hasBegun(id);
    if (place !== expected && !(mayBeFresh && place === legsIn(trip, "2")[0]))
      return `stood at ${step}, and goes on at leg ${place} after its migration, not at leg ${expected}`;
    if (number !== trip.changes!.dropped) return undefined;
    this.#note(`migrated: out of what is dropped, ${isCompleted ? status : direction}`);
    return undefined;
  }

  /** Where it stays in its step it has its wait and its attempts, unless that begins again. */
  #wrongWait({ status, position: before }: ExecutionRecord, after: Position, trip: Trip): string | undefined {
    if (numberOf(before.step) !== numberOf(after.step) || status === "completed") return undefined;
    if (trip.deployment!.restarts) {
      const isWaiting = before.stepFunc === "runContinue" || before.stepFunc === "rollbackContinue";
      if (isWaiting) this.#note(`migrated: begins its step again, ${before.direction}`);
      return isWaiting && before.stepFunc === after.stepFunc ? "waits, and its step begins again" : undefined;
    }
    const lost = kept.find((field) => before[field] !== after[field]);
    return lost === undefined ? undefined : `has another ${lost} since its migration`;
  }

  /** Something has come into a mailbox. What is skipped or resolved is the step where the execution stands then. */
  arrived({ execution, kind, payload }: Arrival): void {
    if (kind !== "skip" && kind !== "resolve") return;
    const { step } = this.#books.record(execution)!.position;
    this.#asked.set(`${execution} ${(payload.value as OperatorAct).by}`, numberOf(step));
  }

  took({ id, status, revision, history }: Transition): void {
    const { migration, direction, result, by, step } = history;
    const asked = by === undefined ? undefined : this.#asked.get(`${id} ${by}`);
    if (asked !== undefined && asked !== numberOf(step))
      this.#books.wrong(`${id} follows ${by} at ${step} in revision ${revision}, and it was asked of leg ${asked}`);
    if (result === "STEPWELL_MIGRATION_FAILED") this.#note("could not be migrated");
    const trip = this.#migrated.get(id);
    if (trip === undefined) return;
    if (migration !== undefined) this.#note(`migrated: ${direction}${revision > 1 ? ", begun" : ""}`);
    else {
      this.#note(`migrated, then ${status}`);
      this.#passes(history, trip);
    }
    if (status === "completed" || status === "rolledBack") this.#ended(id, status, trip);
  }

  #passes({ step, direction, result }: HistoryEntry, { changes }: Trip): void {
    const number = numberOf(step);
    if (result !== "ok") return;
    const what = direction === "up" ? "done" : "undone";
    if (number === changes!.renamed) this.#note(`migrated: renamed, ${what}`);
    if (number === changes!.prepended) this.#note(`migrated: prepended, ${what}`);
  }

  #ended(id: string, status: string, { changes }: Trip): void {
    if (changes!.dropped === null) return;
    if (this.#books.standing(id, plainName(changes!.dropped)).length > 0)
      this.#note(`${status}: a dropped step stands`);
  }

  #note(what: string): void {
    this.#seen.note("sight", what);
  }

  /** It was deleted, and its id is free. */
  forget(id: string): void {
    this.#migrated.delete(id);
  }
}
