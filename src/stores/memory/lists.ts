/** Lists of executions, in memory. */
import type { LineChange, LinePhase, ListChange, StagedLine, Transition } from "../../execution/records.js";
import type { Encoded } from "../../values/encode.js";
import type { Store } from "../contract.js";
import type { CreateResult } from "../batch.js";
import type { Advance, LineQuery, LineRecord, ListRecord, ListStore } from "../lists.js";
import type { MemoryData } from "./shared.js";
import type { Mutable } from "./rows.js";

interface HeldLine extends Mutable<LineRecord> {
  launch: Encoded | undefined;
}

interface HeldList {
  readonly record: Mutable<ListRecord>;
  readonly lines: HeldLine[];
  readonly news: Set<HeldLine>;
}

export class Lists {
  readonly #lists = new Map<string, HeldList>();
  readonly #byExecution = new Map<string, HeldList[]>();
  /** What `due` may find. */
  readonly #wanting = new Set<HeldList>();

  get(id: string): HeldList | undefined {
    return this.#lists.get(id);
  }

  of(execution: string): readonly HeldList[] {
    return this.#byExecution.get(execution) ?? [];
  }

  stage(id: string, of: string, lines: readonly StagedLine[]): void {
    const list = this.#staged(id, of);
    for (const { position, key, execution, launch } of lines) {
      const isAsked = false;
      list.lines[position] = { position, key, execution, phase: "staged", counted: "staged", isAsked, launch };
    }
  }

  change(change: ListChange, of: string): void {
    if ("closes" in change) {
      const { record } = this.get(change.list) ?? {};
      if (record?.status !== "open") return;
      record.status = "closed";
      record.revision++;
      record.isMarked = true;
      return this.#look(this.get(change.list)!);
    }
    const { count, data, lines } = change.opens;
    this.stage(change.list, of, lines);
    const list = this.#staged(change.list, of);
    list.lines.length = count;
    Object.assign(list.record, { status: "open", revision: 1, data, isMarked: true });
    this.#look(list);
  }

  settle({ list: id, position, phase }: LineChange): void {
    const list = this.get(id);
    const line = list?.lines[position];
    if (line === undefined) return;
    line.phase = phase;
    this.#note(list!, line);
  }

  count(list: HeldList, position: number, phase: LinePhase): void {
    const line = list.lines[position]!;
    line.counted = phase;
    this.#note(list, line);
  }

  advanced(list: HeldList, data: string, isMarked: boolean): void {
    Object.assign(list.record, { data, isMarked, revision: list.record.revision + 1 });
    this.#look(list);
  }

  due(limit: number): string[] {
    return [...this.#wanting].slice(0, limit).map(({ record }) => record.id);
  }

  /** Whether a list of that execution is still to be advanced. */
  areWanting(execution: string): boolean {
    return this.of(execution).some((list) => this.#wanting.has(list));
  }

  forget(execution: string): void {
    for (const list of this.of(execution)) {
      this.#lists.delete(list.record.id);
      this.#wanting.delete(list);
    }
    this.#byExecution.delete(execution);
  }

  #staged(id: string, of: string): HeldList {
    const there = this.#lists.get(id);
    if (there !== undefined) return there;
    const record: ListRecord = { id, of, status: "staged", revision: 0, data: "", isMarked: false };
    const list: HeldList = { record, lines: [], news: new Set() };
    this.#lists.set(id, list);
    this.#byExecution.set(of, [...this.of(of), list]);
    return list;
  }

  #note(list: HeldList, line: HeldLine): void {
    if (line.phase === line.counted) list.news.delete(line);
    else list.news.add(line);
    this.#look(list);
  }

  #look(list: HeldList): void {
    const { status, isMarked } = list.record;
    if (status !== "staged" && (isMarked || list.news.size > 0)) this.#wanting.add(list);
    else this.#wanting.delete(list);
  }
}

export function lists(data: MemoryData, write: Store["write"]): ListStore {
  const held = data.lists;
  return {
    stage({ list, of, owner, revision, lines }) {
      data.mustBeOpen();
      const record = data.rows.get(of)?.record;
      if (record?.owner !== owner || record.revision !== revision) return false;
      held.stage(list, of, lines);
      return true;
    },
    due(limit) {
      data.mustBeOpen();
      return held.due(limit);
    },
    advance(advances) {
      data.mustBeOpen();
      return advances.map((it) => advanceOne(data, it, write));
    },
    find(ids) {
      data.mustBeOpen();
      return ids.map((id) => copyOf(held.get(id)));
    },
    of(execution) {
      data.mustBeOpen();
      return held.of(execution).map((list) => copyOf(list)!);
    },
    lines(query) {
      data.mustBeOpen();
      const list = held.get(query.list);
      return list === undefined ? [] : linesOf(list, query).map(lineOf);
    },
    launches(list, from, limit) {
      data.mustBeOpen();
      const lines = (held.get(list)?.lines ?? []).slice(from, from + limit);
      return lines.flatMap(({ position, key, execution, launch }) =>
        launch === undefined ? [] : { position, key, execution, launch },
      );
    },
  };
}

function lineOf({ position, key, execution, phase, counted, isAsked }: HeldLine): LineRecord {
  return { position, key, execution, phase, counted, isAsked };
}

type Answers = Awaited<ReturnType<Store["write"]>>;

function copyOf(list: HeldList | undefined): ListRecord | undefined {
  return list === undefined ? undefined : { ...list.record };
}

function linesOf({ lines, news }: HeldList, query: LineQuery): readonly HeldLine[] {
  const { limit } = query;
  if ("news" in query) return [...news].toSorted((one, other) => one.position - other.position).slice(0, limit);
  const { from, descending, unasked } = query;
  const found = descending === true ? lines.slice(0, from + 1).toReversed() : lines.slice(from);
  return found
    .filter(({ phase, isAsked }) => unasked === undefined || (!isAsked && unasked.includes(phase)))
    .slice(0, limit);
}

/** What a transition says of lines and lists. */
export function changeLists(data: MemoryData, { line, list, id }: Transition): void {
  if (line !== undefined) data.lists.settle(line);
  if (list !== undefined) data.lists.change(list, id);
}

function advanceOne(data: MemoryData, advance: Advance, write: Store["write"]): readonly CreateResult[] | null {
  const held = data.lists;
  const list = held.get(advance.list);
  if (list?.record.revision !== advance.revision) return null;
  held.advanced(list, advance.data, advance.isMarked);
  for (const { position, phase } of advance.counts) held.count(list, position, phase);
  for (const position of advance.asks) list.lines[position]!.isAsked = true;
  const creates = advance.begins.map(({ create }) => create);
  const { arrivals, frees } = advance;
  // All of it is here: nothing is waited for.
  const answers = (write({ creates, transitions: [], releases: [], arrivals }) as Answers).creates;
  for (const [index, { position }] of advance.begins.entries()) {
    list.lines[position]!.launch = undefined;
    held.count(list, position, "begun");
    held.settle({ list: advance.list, position, phase: answers[index]!.created ? "begun" : "rolledBack" });
  }
  for (const id of frees) {
    const record = data.rows.get(id)?.record;
    if (record !== undefined) record.line = null;
  }
  return answers;
}
