/** What is drawn of lists of executions for random calls, and what is read back of them. */
import fc from "fast-check";
import { Encoded } from "../../src/values/encode.js";
import type { LineChange, LinePhase, ListChange, StagedLine } from "../../src/execution/records.js";
import type { Arrival, NewExecution } from "../../src/stores/batch.js";
import type { MaybePromise, Store } from "../../src/stores/contract.js";
import type { Tally } from "./equivalence-tally.js";
import type { Advance, LineRecord, ListRecord, Staging } from "../../src/stores/lists.js";

/** Each execution has one. */
const listOf = (id: string): string => `${id}/x`;

const phases: readonly LinePhase[] = ["begun", "stuck", "completed", "rolledBack"];
const position = fc.nat({ max: 2 });
const positions = fc.subarray([0, 1, 2]);
const phase = fc.constantFrom(...phases);

/** What is drawn, where the executions have these ids. */
export function drawing(ids: readonly string[], create: fc.Arbitrary<NewExecution>) {
  const id = fc.constantFrom(...ids);
  const of = fc.constantFrom(...ids);
  return {
    line: fc.option(fc.record({ of: id, position, was: phase, phase }), { nil: undefined, freq: 3 }),
    list: fc.option(fc.record({ closes: fc.boolean(), count: fc.nat({ max: 3 }), given: fc.nat({ max: 3 }) }), {
      nil: undefined,
      freq: 2,
    }),
    /** One that is born as a line, below one of the others. */
    born: fc.option(fc.record({ of, position, root: of }), { nil: undefined, freq: 3 }),
    stage: fc.record({
      act: fc.constant("stage" as const),
      of,
      late: fc.constantFrom(0, 0, 0, 1),
      count: fc.constantFrom(1, 2, 3),
      key: fc.constantFrom("k", "l"),
    }),
    advance: fc.record({
      act: fc.constant("advance" as const),
      of,
      late: fc.constantFrom(0, 0, 0, -1),
      data: fc.constantFrom("d1", "d2"),
      isMarked: fc.boolean(),
      counts: fc.boolean(),
      begins: fc.array(fc.record({ create }), { maxLength: 2 }),
      asks: positions,
      told: fc.subarray([...ids]),
      frees: fc.subarray([...ids], { maxLength: 1 }),
    }),
  };
}

type Drawing = ReturnType<typeof drawing>;
type Drawn<Name extends keyof Drawing> = Drawing[Name] extends fc.Arbitrary<infer Value> ? Value : never;

const keys = ["k", "l", "given"];

/** Of the others: they may be there already, or become what the list is told of. */
const lineOf = (position: number, key: string, others: readonly string[]): StagedLine => ({
  position,
  key: `${key} ${position}`,
  execution: others[(position + keys.indexOf(key)) % others.length]!,
  launch: Encoded.ofText(`"${key} ${position}"`),
});

const hasBegun = (line: LineRecord | undefined): boolean => line !== undefined && line.phase !== "staged";

/** What the engine could ask for, by what the reference has: everything of it is in memory, and answers at once. */
export class Lawful {
  readonly #reference: Store;
  readonly #opening = new Set<string>();

  constructor(reference: Store) {
    this.#reference = reference;
  }

  get #lists() {
    return this.#reference.lists!;
  }

  #list(of: string): ListRecord | undefined {
    return (this.#lists.find([listOf(of)]) as readonly (ListRecord | undefined)[])[0];
  }

  #lines(of: string): readonly LineRecord[] {
    return this.#lists.lines(listOf(of), 0, 10) as readonly LineRecord[];
  }

  #isBegun(of: string): boolean {
    const status = this.#list(of)?.status ?? "staged";
    return status !== "staged";
  }

  /** Of a list that is there. */
  line(drawn: Drawn<"line">): { readonly line?: LineChange } {
    if (drawn === undefined || !this.#isBegun(drawn.of)) return {};
    const { of, position, was, phase } = drawn;
    return was === phase ? {} : { line: { list: listOf(of), position, was, phase } };
  }

  /** A list is opened once, with all that was staged, or with what is given. */
  list(id: string, drawn: Drawn<"list">, ids: readonly string[]): { readonly list?: ListChange } {
    if (drawn === undefined) return {};
    const list = listOf(id);
    if (drawn.closes) return { list: { list, closes: true } };
    if (this.#isBegun(id) || this.#opening.has(id)) return {};
    this.#opening.add(id);
    const others = ids.filter((it) => it !== id);
    const lines = Array.from({ length: drawn.given }, (_, position) => lineOf(position, "given", others));
    const count = drawn.given > 0 ? drawn.given : drawn.count === 0 ? 0 : this.#lines(id).length;
    return { list: { list, opens: { count, data: "opened", lines } } };
  }

  /** Undefined: the list has been opened. */
  staging({ of: drawn, late, count, key }: Drawn<"stage">, ids: readonly string[]): Staging | undefined {
    const records = this.#reference.load(ids) as Awaited<ReturnType<Store["load"]>>;
    const owned = ids.filter((id, index) => typeof records[index]?.owner === "number" && !this.#isBegun(id));
    const of = owned[ids.indexOf(drawn)] ?? owned[0] ?? drawn;
    if (this.#isBegun(of)) return undefined;
    const record = records[ids.indexOf(of)];
    // No shorter one takes the place of a slice: what is behind its end is left out when the list is opened.
    const length = Math.max(count, this.#lines(of).length);
    const others = ids.filter((id) => id !== of);
    const lines = Array.from({ length }, (_, position) => lineOf(position, key, others));
    return { list: listOf(of), of, owner: record?.owner ?? 1, revision: (record?.revision ?? 0) + late, lines };
  }

  /** Begins the first lines that have not. What it counts has other ids in each store. */
  advance(drawn: Drawn<"advance">, ids: readonly string[], serial: () => number): Omit<Advance, "counts"> {
    const { late, data, isMarked, begins, asks, told, frees } = drawn;
    const begun = ids.filter((id) => this.#isBegun(id));
    const of = begun[ids.indexOf(drawn.of)] ?? begun[0] ?? drawn.of;
    const lines = this.#lines(of);
    const first = lines.filter(hasBegun).length;
    // Nobody advances one that is only staged.
    const revision = this.#isBegun(of) ? this.#list(of)!.revision : -1;
    return {
      ...{ list: listOf(of), revision: revision + late, data, isMarked, frees },
      asks: asks.filter((position) => hasBegun(lines[position]) && lines[position]!.phase !== "rolledBack"),
      begins: this.#isBegun(of)
        ? begins.slice(0, lines.length - first).map(({ create }, index) => ({
            ...create,
            id: lines[first + index]!.execution,
            line: { list: listOf(of), position: first + index, parent: of, depth: 1 },
            root: of,
          }))
        : [],
      arrivals: told.map((execution): Arrival => ({
        ...{ id: `told-${serial()}`, execution, kind: "told", name: "told", payload: Encoded.ofText("null") },
        ...{ messageId: null, acceptedIn: ["running", "waiting", "completed"], wakes: ["waiting"], carried: null },
      })),
    };
  }
}

/** @param drawn of a list of an execution, and of the execution at the top */
export function bornAs(id: string, drawn: Drawn<"born">): Pick<NewExecution, "line" | "root"> {
  if (drawn === undefined || drawn.root === id) return {};
  const { of, position, root } = drawn;
  return { line: { list: listOf(of), position, parent: of, depth: 2 }, root };
}

export async function readLists(store: Store, ids: readonly string[], tally: Tally): Promise<unknown> {
  const lists = store.lists!;
  const counting = async <Value>(
    operation: string,
    asked: MaybePromise<readonly Value[]>,
  ): Promise<readonly Value[]> => {
    const found = await asked;
    tally.count(
      `lists: ${operation}`,
      found.some((it) => it !== undefined),
    );
    return found;
  };
  const lines = async (list: string): Promise<unknown> =>
    Promise.all([
      counting("lines", lists.lines(list, 0, 10)),
      lists.lines(list, 1, 1),
      counting("news", newsIn(store, list)),
      counting("launches", lists.launches(list, 0, 10)),
    ]);
  return {
    found: await counting("find", lists.find(ids.map(listOf))),
    due: (await counting("due", lists.due(10))).toSorted(),
    of: await Promise.all(ids.map(async (id) => counting("of", lists.of(id)))),
    lines: await Promise.all(ids.map(async (id) => lines(listOf(id)))),
  };
}

/** Line by line: what was told together in one store was told apart in another. */
async function newsIn(store: Store, list: string): Promise<string[]> {
  const news = await store.lists!.news(list, 1_000);
  const told = news.flatMap(({ was, phase, positions, asked }) =>
    positions.map((position) => `${position} ${was} ${phase} ${asked.includes(position)}`),
  );
  return told.toSorted();
}

/** As drawn, by what this store has. */
export async function countedBy(store: Store, list: string, counts: boolean): Promise<readonly string[]> {
  return counts ? (await store.lists!.news(list, 1_000)).map(({ id }) => id) : [];
}

/** One call of each read of lists, of the list of an execution. */
export function listReads(of: string): Readonly<Record<string, (store: Store) => MaybePromise<readonly unknown[]>>> {
  const list = listOf(of);
  return {
    find: (store) => store.lists!.find([list]),
    of: (store) => store.lists!.of(of),
    news: (store) => newsIn(store, list),
    lines: (store) => store.lists!.lines(list, 0, 10),
    launches: (store) => store.lists!.launches(list, 0, 10),
  };
}
