/** Lists of executions, in memory. */
import {
  phaseOf,
  type LineChange,
  type LinePhase,
  type ListChange,
  type StagedLine,
  type Transition,
} from "../../execution/records.js";
import type { Encoded } from "../../values/encode.js";
import type { Store } from "../contract.js";
import type { CreateResult } from "../batch.js";
import type { Advance, LineRecord, ListRecord, ListStore, NewsRecord } from "../lists.js";
import type { MemoryData } from "./shared.js";
import type { Mutable } from "./rows.js";

interface HeldLine {
  readonly position: number;
  readonly key: string;
  readonly execution: string;
  launch: Encoded | undefined;
  isAsked: boolean;
  /** Its id is another's. */
  isTaken: boolean;
}

interface HeldNews {
  readonly id: string;
  readonly was: LinePhase;
  readonly phase: LinePhase;
  readonly positions: number[];
}

interface HeldList {
  readonly record: Mutable<ListRecord>;
  readonly lines: HeldLine[];
  /** So many have begun, from the first on. */
  begun: number;
  readonly news: Map<string, HeldNews>;
  /** What is told next joins it, where it is alike: nobody has read it yet. */
  last: HeldNews | undefined;
}

export class Lists {
  readonly #lists = new Map<string, HeldList>();
  readonly #byExecution = new Map<string, HeldList[]>();
  /** What `due` may find. */
  readonly #wanting = new Set<HeldList>();
  #lastNews = 0;

  get(id: string): HeldList | undefined {
    return this.#lists.get(id);
  }

  of(execution: string): readonly HeldList[] {
    return this.#byExecution.get(execution) ?? [];
  }

  stage(id: string, of: string, lines: readonly StagedLine[]): void {
    const list = this.#staged(id, of);
    for (const { position, key, execution, launch } of lines)
      list.lines[position] = { position, key, execution, launch, isAsked: false, isTaken: false };
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
    const list = this.#staged(change.list, of);
    if (lines.length > 0) list.lines.length = 0;
    this.stage(change.list, of, lines);
    list.lines.length = count;
    Object.assign(list.record, { status: "open", revision: 1, data, isMarked: true });
    this.#look(list);
  }

  tell({ list: id, position, was, phase }: LineChange): void {
    const list = this.get(id);
    if (list === undefined || was === phase) return;
    if (list.last?.was === was && list.last.phase === phase) {
      list.last.positions.push(position);
      return;
    }
    list.last = { id: String(++this.#lastNews), was, phase, positions: [position] };
    list.news.set(list.last.id, list.last);
    this.#look(list);
  }

  /** @returns the position of the first that begins */
  advanced(list: HeldList, { data, isMarked, counts, begins, asks }: Advance): number {
    Object.assign(list.record, { data, isMarked, revision: list.record.revision + 1 });
    for (const id of counts) {
      list.news.delete(id);
      if (list.last?.id === id) list.last = undefined;
    }
    for (const position of asks) list.lines[position]!.isAsked = true;
    const first = list.begun;
    list.begun += begins.length;
    for (const line of list.lines.slice(first, list.begun)) line.launch = undefined;
    this.#look(list);
    return first;
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
    const list: HeldList = { record, lines: [], begun: 0, news: new Map(), last: undefined };
    this.#lists.set(id, list);
    this.#byExecution.set(of, [...this.of(of), list]);
    return list;
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
    news(list, limit) {
      data.mustBeOpen();
      return newsOf(held.get(list), limit);
    },
    lines(id, from, limit) {
      data.mustBeOpen();
      const list = held.get(id);
      return list?.lines.slice(from, from + limit).map((line) => lineOf(data, list, line)) ?? [];
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

function lineOf(data: MemoryData, list: HeldList, line: HeldLine): LineRecord {
  const { position, key, execution, isAsked } = line;
  return { position, key, execution, phase: phaseIn(data, list, line), isAsked };
}

function phaseIn(data: MemoryData, { begun }: HeldList, { position, execution, isTaken }: HeldLine): LinePhase {
  if (position >= begun) return "staged";
  if (isTaken) return "rolledBack";
  const record = data.rows.get(execution)?.record;
  return record?.line === null ? "completed" : phaseOf(record?.status ?? "running");
}

function newsOf(list: HeldList | undefined, limit: number): NewsRecord[] {
  const found: NewsRecord[] = [];
  let left = limit;
  for (const { id, was, phase, positions } of list?.news.values() ?? []) {
    if (left <= 0) break;
    left -= positions.length;
    const asked = phase === "rolledBack" ? positions.filter((position) => list!.lines[position]?.isAsked) : [];
    found.push({ id, was, phase, positions: [...positions], asked });
    if (id === list!.last?.id) list!.last = undefined;
  }
  return found;
}

type Answers = Awaited<ReturnType<Store["write"]>>;

function copyOf(list: HeldList | undefined): ListRecord | undefined {
  return list === undefined ? undefined : { ...list.record };
}

/** What a transition says of lines and lists. */
export function changeLists(data: MemoryData, { line, list, id }: Transition): void {
  if (line !== undefined) data.lists.tell(line);
  if (list !== undefined) data.lists.change(list, id);
}

function advanceOne(data: MemoryData, advance: Advance, write: Store["write"]): readonly CreateResult[] | null {
  const held = data.lists;
  const list = held.get(advance.list);
  if (list?.record.revision !== advance.revision) return null;
  const { begins: creates, arrivals, frees } = advance;
  const first = held.advanced(list, advance);
  // All of it is here: nothing is waited for.
  const answers = (write({ creates, transitions: [], releases: [], arrivals }) as Answers).creates;
  for (const [index, { created }] of answers.entries()) {
    if (created) continue;
    const position = first + index;
    list.lines[position]!.isTaken = true;
    held.tell({ list: advance.list, position, was: "begun", phase: "rolledBack" });
  }
  for (const id of frees) {
    const record = data.rows.get(id)?.record;
    if (record !== undefined) record.line = null;
  }
  return answers;
}
