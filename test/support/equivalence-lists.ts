/** What is drawn of lists of executions for random calls, and what is read back of them. */
import fc from "fast-check";
import { Encoded } from "../../src/values/encode.js";
import type { LineChange, LinePhase, ListChange, StagedLine } from "../../src/execution/records.js";
import type { Arrival, NewExecution } from "../../src/stores/batch.js";
import type { Store } from "../../src/stores/contract.js";
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
    line: fc.option(fc.record({ of: id, position, phase }), { nil: undefined, freq: 2 }),
    list: fc.option(fc.record({ closes: fc.boolean(), count: fc.nat({ max: 3 }), given: fc.nat({ max: 3 }) }), {
      nil: undefined,
      freq: 1,
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
      counts: fc.uniqueArray(fc.record({ position, phase }), { maxLength: 2, selector: (it) => it.position }),
      begins: fc.uniqueArray(fc.record({ position, create }), { maxLength: 2, selector: (it) => it.position }),
      asks: positions,
      told: fc.subarray([...ids]),
      frees: fc.subarray([...ids], { maxLength: 1 }),
    }),
  };
}

type Drawing = ReturnType<typeof drawing>;
type Drawn<Name extends keyof Drawing> = Drawing[Name] extends fc.Arbitrary<infer Value> ? Value : never;

const lineOf = (position: number, key: string): StagedLine => ({
  position,
  key: `${key} ${position}`,
  execution: `${key}-${position}`,
  launch: Encoded.ofText(`"${key} ${position}"`),
});

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
    return this.#lists.lines({ list: listOf(of), from: 0, limit: 10 }) as readonly LineRecord[];
  }

  #isBegun(of: string): boolean {
    const status = this.#list(of)?.status ?? "staged";
    return status !== "staged";
  }

  /** Of a list that is there, and of a line that it has. */
  line(drawn: Drawn<"line">): { readonly line?: LineChange } {
    if (drawn === undefined) return {};
    const { of, position, phase } = drawn;
    if (!this.#isBegun(of) || this.#lines(of)[position] === undefined) return {};
    return { line: { list: listOf(of), position, phase } };
  }

  /** A list is opened once. */
  list(id: string, drawn: Drawn<"list">): { readonly list?: ListChange } {
    if (drawn === undefined) return {};
    const list = listOf(id);
    if (drawn.closes) return { list: { list, closes: true } };
    if (this.#isBegun(id) || this.#opening.has(id)) return {};
    this.#opening.add(id);
    const lines = Array.from({ length: drawn.given }, (_, position) => lineOf(position, "given"));
    const count = Math.min(drawn.count, Math.max(drawn.given, this.#lines(id).length));
    return { list: { list, opens: { count, data: "opened", lines } } };
  }

  /** Undefined: the list has been opened. */
  staging({ of, late, count, key }: Drawn<"stage">): Staging | undefined {
    if (this.#isBegun(of)) return undefined;
    const [record] = this.#reference.load([of]) as Awaited<ReturnType<Store["load"]>>;
    const lines = Array.from({ length: count }, (_, position) => lineOf(position, key));
    return { list: listOf(of), of, owner: record?.owner ?? 1, revision: (record?.revision ?? 0) + late, lines };
  }

  /** Of lines that are there; those begin that have not. */
  advance(drawn: Drawn<"advance">, serial: () => number): Advance {
    const { of, late, data, isMarked, counts, begins, asks, told, frees } = drawn;
    const lines = this.#lines(of);
    // Nobody advances one that is only staged.
    const revision = this.#isBegun(of) ? this.#list(of)!.revision : -1;
    return {
      ...{ list: listOf(of), revision: revision + late, data, isMarked, frees },
      counts: counts.filter(({ position }) => lines[position] !== undefined),
      asks: asks.filter((position) => lines[position] !== undefined),
      begins: begins
        .filter(({ position }) => lines[position]?.phase === "staged" && this.#isBegun(of))
        .map(({ position, create }) => ({
          position,
          create: { ...create, line: { list: listOf(of), position, parent: of, depth: 1 }, root: of },
        })),
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

export async function readLists(store: Store, ids: readonly string[]): Promise<unknown> {
  const lists = store.lists!;
  const lines = async (list: string): Promise<unknown> =>
    Promise.all([
      lists.lines({ list, from: 0, limit: 10 }),
      lists.lines({ list, from: 1, descending: true, unasked: ["completed", "staged"], limit: 10 }),
      lists.lines({ list, news: true, limit: 2 }),
      lists.launches(list, 0, 10),
    ]);
  return {
    found: await lists.find(ids.map(listOf)),
    due: (await lists.due(10)).toSorted(),
    of: await lists.of(ids[0]!),
    lines: await Promise.all(ids.map(async (id) => lines(listOf(id)))),
  };
}
