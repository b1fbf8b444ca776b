/** What a family has to keep: the sentences of P17, held against its lists, lines and executions. */
import type { Status } from "../../src/definition/flow.js";
import { childId } from "../../src/ids.js";
import type { ExecutionRecord, HistoryRecord, LinePhase, Transition } from "../../src/execution/records.js";
import type { CreateResult } from "../../src/stores/batch.js";
import type { Advance, LineRecord, ListRecord, NewsRecord } from "../../src/stores/lists.js";
import type { Store } from "../../src/stores/contract.js";
import { tallyOf, type Tally } from "../../src/execution/children.js";
import { workflowOf } from "../../src/runtime/child-launches.js";
import type { Books } from "./books.js";
import { hasGroups, isKept, type Group } from "./families.js";
import type { Leg, Trip } from "./plan.js";
import type { Seen } from "./seen.js";

/** An execution below another one, or the line that will be one. */
export interface Kin {
  readonly id: string;
  readonly workflow: string;
  readonly hasBegun: boolean;
}

/** All below an execution, level by level. Those that were let go are of the family as well. */
export function kinOf(id: string, store: Store): Kin[] {
  const found: Kin[] = [];
  for (const list of store.lists!.of(id) as readonly ListRecord[]) {
    if (list.status === "staged") continue;
    const lines = linesOf(list, store);
    const records = store.load(lines.map(({ execution }) => execution)) as readonly (ExecutionRecord | undefined)[];
    for (const [index, { execution, phase, position }] of lines.entries()) {
      const record = records[index];
      if (phase === "staged") {
        const [staged] = store.lists!.launches(list.id, position, 1) as Parameters<typeof workflowOf>[0][];
        found.push({ id: execution, workflow: workflowOf(staged!, tallyOf(list)).name, hasBegun: false });
      } else if (record !== undefined && isBelow(record.workflow))
        found.push({ id: execution, workflow: record.workflow, hasBegun: true }, ...kinOf(execution, store));
    }
  }
  return found;
}

/** A stranger that has the id of a child was launched by itself. */
function isBelow(workflow: string): boolean {
  return workflow.includes(".");
}

function newsOf(list: string, store: Store): readonly NewsRecord[] {
  return store.lists!.news(list, 1000) as readonly NewsRecord[];
}

function linesOf(list: ListRecord, store: Store): readonly LineRecord[] {
  return store.lists!.lines(list.id, 0, 1000) as readonly LineRecord[];
}

/** So long after its commit every launcher has looked for news, in milliseconds. */
const heardBy = 10_000;

export class FamilyWatch {
  readonly #store: Store;
  readonly #trips: ReadonlyMap<string, Trip>;
  readonly #books: Books;
  readonly #seen: Seen;
  readonly #isNeeded: boolean;

  constructor(store: Store, trips: ReadonlyMap<string, Trip>, books: Books, seen: Seen) {
    this.#isNeeded = [...trips.values()].some(hasGroups);
    this.#store = store;
    this.#trips = trips;
    this.#books = books;
    this.#seen = seen;
  }

  /** Something is committed. @param before the status until then */
  took(transition: Transition, before: Status | undefined): void {
    if (!this.#isNeeded) return;
    const { id, line, list, history } = transition;
    if (list !== undefined)
      this.#seen.note("sight", "opens" in list ? "a list is opened" : `a list is closed ${history.direction}`);
    const record = this.#books.record(id)!;
    if (record.line !== null) this.#childTook(record, before, line !== undefined);
    const trip = this.#trips.get(record.workflow);
    const leg = trip?.legs[history.stepIndex];
    if (leg !== undefined && leg.group !== null) this.#parentTook(record, transition, leg, leg.group, trip!.pivot);
    if (list !== undefined && "opens" in list && tallyOf({ ...list.opens, id: list.list, of: id }).number > 1)
      this.#seen.note("sight", "those that failed begin anew");
  }

  #wrong(id: string, what: string): void {
    this.#books.wrong(`${id} ${what}`);
  }

  /** It says in its own line what it is, and turns after its end for its parent alone. */
  #childTook({ id, status, position, line: at }: ExecutionRecord, before: Status | undefined, hasTold: boolean): void {
    const { list, position: place, parent } = at!;
    const [line] = this.#store.lists!.lines(list, place, 1) as readonly LineRecord[];
    if (line === undefined || line.execution !== id) return this.#wrong(id, "has no line");
    if (line.phase !== phaseOf(status)) this.#wrong(id, `is ${status}, and its line says ${line.phase}`);
    if (hasTold) this.#seen.note("sight", `a child tells: ${line.phase}`);
    if (before !== "completed" || status === "completed") return;
    this.#seen.note("sight", "a completed child goes back");
    const above = this.#books.record(parent);
    // A rollback may have taken over from the rewind for which it was asked.
    const rows = this.#store.history(parent) as readonly HistoryRecord[];
    const isOfParent = position.reason === above!.position.reason || rows.some((row) => row.why === position.reason);
    const isParents = position.reason === "recovering" || (above!.position.direction === "down" && isOfParent);
    if (!line.isAsked || !isParents)
      this.#wrong(id, `had completed, and turned for ${position.reason} without its parent`);
  }

  /** A parent goes on only when all its children are settled, and down past a step only when each is rolled back or never began. */
  #parentTook(
    { id, position: { passed } }: ExecutionRecord,
    transition: Transition,
    leg: Leg,
    group: Group,
    pivot: number | null,
  ): void {
    const { history, position, status } = transition;
    const { direction, stepIndex, step, result, round = 0 } = history;
    const leavesUp =
      direction === "up" && position.direction === "up" && (position.stepIndex > stepIndex || status === "completed");
    const leavesDown =
      direction === "down" &&
      (history.upInto !== undefined || position.stepIndex < stepIndex || status === "rolledBack");
    if (!leavesUp && !leavesDown) return;
    this.#seen.note(
      "sight",
      `${group.kind} ${direction} ${result === "ok" || result === "recovered" ? result : "otherwise"}`,
    );
    const lists = listsAt(id, step, round, this.#store);
    // Past the pivot nothing turns: what has completed stays also where the step recovers.
    const isPast = pivot !== null && pivot < stepIndex && passed?.includes(pivot) !== true;
    const mustBeBack = (leavesDown || (result === "recovered" && !isPast)) && result !== "skipped" && !isKept(leg);
    for (const list of lists) {
      for (const { execution, phase } of linesOf(list, this.#store)) {
        if (phase === "begun" || phase === "stuck")
          this.#wrong(id, `went on from ${step}, and ${execution} is ${phase}`);
        if (phase === "completed" && mustBeBack) this.#wrong(id, `went back over ${step}, and ${execution} stands`);
        if (phase === "staged" && leavesUp && list.status !== "closed" && result !== "skipped")
          this.#wrong(id, `went on from ${step}, and ${execution} has not begun`);
      }
    }
    if (passed?.includes(stepIndex) === true && lists.length > 0)
      this.#wrong(id, `passed ${step} over, and it has children`);
  }

  advanced(advances: readonly Advance[], answers: readonly (readonly CreateResult[] | null)[]): void {
    for (const [index, { list: id, begins, asks, arrivals }] of advances.entries()) {
      const answer = answers[index];
      if (answer === null) this.#seen.note("sight", "a list is advanced too late");
      if (answer === null || answer === undefined) continue;
      if (begins.length > 0) this.#seen.note("sight", "children begin");
      if (asks.length > 0) this.#seen.note("sight", "children are asked to go back");
      if (arrivals.length > asks.length) this.#seen.note("sight", "a parent is told");
      if (answer.some(({ created }) => !created)) this.#seen.note("sight", "the id of a child is taken");
      const [list] = this.#store.lists!.find([id]) as readonly (ListRecord | undefined)[];
      if (list !== undefined) this.#held(list, begins.length > 0);
    }
  }

  /** At most so many are unsettled at a time, and what is closed begins nothing. */
  #held(list: ListRecord, begins: boolean): void {
    const { width } = tallyOf(list);
    if (begins && list.status !== "open") this.#wrong(list.id, "is closed, and children begin");
    if (!begins || width === null) return;
    const unsettled = linesOf(list, this.#store).filter(({ phase }) => phase === "begun" || phase === "stuck").length;
    if (unsettled > width) this.#wrong(list.id, `has ${unsettled} unsettled children, and may have ${width}`);
  }

  /** Whether the list of one that is parked has counted it: it must within a while, once no answer of the store gets lost. */
  isHeard({ id, line: at, updatedAt }: ExecutionRecord): boolean {
    if (at === null) return true;
    const news = newsOf(at.list, this.#store).find(({ positions }) => positions.includes(at.position));
    if (news === undefined) {
      this.#seen.note("sight", "a stuck child is counted");
      return true;
    }
    const since = this.#books.now() - Math.max(updatedAt, this.#books.healedAt);
    if (!this.#books.isHealed || since < heardBy) return false;
    this.#wrong(id, `is stuck since ${since} ms, and its list counts it as ${news.was}`);
    return true;
  }

  /** Of one that rests: what its lists say. */
  judge(record: ExecutionRecord, trip: Trip, rows: readonly HistoryRecord[]): string[] {
    const lists = this.#store.lists!.of(record.id) as readonly ListRecord[];
    return lists.flatMap((list) => {
      this.#books.note(() => `${list.id} is ${list.status}${list.isMarked ? ", marked" : ""}: ${list.data}`);
      if (list.status === "staged") return [];
      const tally = tallyOf(list);
      const leg = trip.legs.findIndex((_, index) => `leg-${index}` === tally.step);
      return [
        ...this.#lineage(record, list, trip.legs[leg]!, rows),
        ...counts(list, tally, linesOf(list, this.#store), newsOf(list.id, this.#store)),
        ...opening(tally, rows),
      ];
    });
  }

  #lineage(record: ExecutionRecord, list: ListRecord, leg: Leg, rows: readonly HistoryRecord[]): string[] {
    const found: string[] = [];
    const { step, round, number } = tallyOf(list);
    for (const { key, execution, phase, position } of linesOf(list, this.#store)) {
      if (execution !== childId(record.id, { step, round, number }, key))
        found.push(`has ${execution} under ${key} of ${step}`);
      const child = this.#books.record(execution);
      if (phase === "staged") {
        if (child?.line?.list === list.id) found.push(`has ${execution}, which has not begun`);
        continue;
      }
      if (phase !== "completed" && phase !== "rolledBack") found.push(`rests, and ${execution} is ${phase}`);
      if (child === undefined) {
        // A stranger had its id, and was pruned.
        if (!this.#books.isGone(execution)) found.push(`has lost ${execution}`);
      } else if (child.line === null) {
        const isLetGo = rows.some((row) => row.step === step && row.result === "skipped" && row.direction === "down");
        const isTaken = phase === "rolledBack" && child.root === null;
        if (!isLetGo && !isTaken) found.push(`has let ${execution} go`);
      } else if (child.line.list !== list.id || child.line.position !== position || child.line.parent !== record.id)
        found.push(`has ${execution}, which is of ${child.line.list}`);
      else if (phase !== phaseOf(child.status)) found.push(`has ${execution} as ${phase}, and it is ${child.status}`);
      else if (record.status === "rolledBack" && phase === "completed" && !isKept(leg))
        found.push(`is rolled back, and ${execution} stands`);
    }
    return found;
  }
}

/** The lists of a step in a round. */
function listsAt(id: string, step: string, round: number, store: Store): readonly ListRecord[] {
  const lists = store.lists!.of(id) as readonly ListRecord[];
  return lists.filter((list) => {
    if (list.status === "staged") return false;
    const tally = tallyOf(list);
    return tally.step === step && tally.round === round;
  });
}

/** The list has counted all, and nothing is left to be done with it. */
function counts(
  { id, isMarked }: ListRecord,
  tally: Tally,
  lines: readonly LineRecord[],
  news: readonly NewsRecord[],
): string[] {
  const found: string[] = [];
  if (isMarked) found.push(`rests, and ${id} is to be advanced`);
  for (const { was, phase, positions } of news)
    found.push(`rests, and ${id} has not counted that ${positions.join()} went from ${was} to ${phase}`);
  for (const phase of ["begun", "stuck", "rolledBack"] as const) {
    const number = lines.filter((line) => line.phase === phase).length;
    if (number !== tally[phase]) found.push(`has ${number} children that are ${phase}, and counts ${tally[phase]}`);
  }
  if (lines.length !== tally.count) found.push(`has ${lines.length} lines of ${tally.count}`);
  return found;
}

/** A child exists only if its parent's commit does: there is a row for each list, and a second one only where an operator retried the step, or it is known that it had not happened. */
function opening({ step, round, number }: Tally, rows: readonly HistoryRecord[]): string[] {
  const own = rows.filter((row) => row.step === step && (row.round ?? 0) === round && row.direction === "up");
  const opened = own.filter(({ func, result }) => func === "run" && result === "continue").length;
  const isAgain = ({ func, result }: HistoryRecord): boolean =>
    result === "retried" || (func === "probe" && result === "did-not-happen");
  const again = own.filter(isAgain).length;
  if (opened < number) return [`has list ${number} of ${step} without a commit`];
  return again < number - 1 ? [`has list ${number} of ${step}, which nobody asked for`] : [];
}

function phaseOf(status: Status): LinePhase {
  return status === "stuck" || status === "completed" || status === "rolledBack" ? status : "begun";
}
