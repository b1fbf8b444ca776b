/** Steps of children in a simulation: how they are drawn, and made from the plan. */
import fc from "fast-check";
import { isDeepStrictEqual } from "node:util";
import { fail, type AnyWorkflow } from "../../src/index.js";
import type { Line } from "../../src/execution/records.js";
import { childId } from "../../src/ids.js";
import type { Books } from "./books.js";
import type { Leg, Trip } from "./plan.js";

/** The children that a step is made of. */
export interface Group {
  readonly kind: "child" | "parallel" | "forEach";
  /** One, or of a parallel step one for each key. */
  readonly trips: readonly Trip[];
  /** Of a step for each item: how many there are. Of the others: 0 leaves all out. */
  readonly count: number;
  /** What its functions do at first, before they ask for what may begin. */
  readonly asks: "fine" | "refused" | "throws" | "promises" | "same keys" | "no keys";
  readonly join: "patch" | "fail" | "throws" | "nonsense" | null;
  readonly onFailure: "turn" | "settle";
  readonly concurrency: number | null;
  readonly oneByOne: boolean;
}

/** @param tripBelow of a child */
export function groups(tripBelow: fc.Arbitrary<Trip>): fc.Arbitrary<Group> {
  const of = (kind: Group["kind"], most: number): fc.Arbitrary<Group> =>
    fc.record({
      kind: fc.constant(kind),
      trips: fc.array(tripBelow, { minLength: 1, maxLength: most, size: "max" }),
      count: fc.constantFrom(2, 3, 1, 4, 0),
      asks: fc.constantFrom(
        "fine",
        "fine",
        "fine",
        "fine",
        "fine",
        "fine",
        "refused",
        "throws",
        "promises",
        ...keys[kind],
      ),
      join: fc.constantFrom("patch", "patch", "patch", null, "fail", "throws", "nonsense"),
      onFailure: fc.constantFrom("turn", "turn", "settle"),
      concurrency: fc.constantFrom(null, null, 1, 2),
      oneByOne: fc.constantFrom(false, false, true),
    });
  return fc.oneof({ withCrossShrink: true }, of("child", 1), of("parallel", 2), of("forEach", 1), of("forEach", 1));
}

const keys: Readonly<Record<Group["kind"], readonly Group["asks"][]>> = {
  child: [],
  parallel: [],
  forEach: ["same keys", "no keys"],
};

/** Without the pivots that may not stand below it, where what is done must be undone. */
export function lawful(trip: Trip): Trip {
  if (!trip.legs.some(({ group }) => group !== null)) return trip;
  return { ...trip, legs: trip.legs.map((leg, index) => lawfulLeg(leg, index, trip)) };
}

function lawfulLeg(leg: Leg, index: number, { pivot }: Trip): Leg {
  const { group, isIrreversible } = leg;
  if (group === null) return leg;
  const isAllowed =
    isIrreversible || (pivot !== null && (pivot < index || (pivot === index && group.kind === "child")));
  const trips = group.trips.map((below) => lawful(isAllowed ? below : { ...below, pivot: null }));
  return { ...leg, group: { ...group, trips } };
}

/** Nothing undoes what it has done: it says so, or its children have pivots of their own. */
export function isKept({ isIrreversible, group }: Leg): boolean {
  return isIrreversible || group?.trips.some((trip) => pivotOf(trip) >= 0) === true;
}

/** Which leg is the pivot; -1: none. A plan may name a leg that its trip does not have. */
export function pivotOf({ legs, pivot }: Pick<Trip, "legs" | "pivot">): number {
  return pivot !== null && pivot < legs.length ? pivot : -1;
}

export function hasGroups({ legs }: Trip): boolean {
  return legs.some(({ group }) => group !== null);
}

/** The name of the workflow below a step, and of all workflows below that. */
export const nameBelow = (name: string, leg: number, place: number): string => `${name}-${leg}.${place}`;

/** All workflows of a plan, by their names. */
export function familiesOf(name: string, trip: Trip): (readonly [string, Trip])[] {
  const below = trip.legs.flatMap(({ group }, leg) =>
    (group?.trips ?? []).flatMap((it, place) => familiesOf(nameBelow(name, leg, place), it)),
  );
  return [[name, trip], ...below];
}

/** The id that the first child of an execution will have. Undefined: its trip has none. */
export function firstChildId(parent: string, { legs }: Trip): string | undefined {
  const leg = legs.findIndex(({ group }) => group !== null);
  if (leg < 0) return undefined;
  const key = legs[leg]!.group!.kind === "parallel" ? keyOf(0) : "0";
  return childId(parent, { step: `leg-${leg}`, round: 0, number: 1 }, key);
}

const keyOf = (place: number): string => `k${place}`;

interface Joining {
  readonly state: unknown;
  readonly children: readonly {
    readonly id: string;
    readonly key: string;
    readonly status: string;
    readonly reason: string;
    readonly state: unknown;
  }[];
}

/** A workflow to which steps are added in a loop: their types are the plan's business. */
type Adding = Readonly<Record<Group["kind"], (name: string, workflows: unknown, options: object) => unknown>>;

/**
 * Adds the step of children to its workflow.
 *
 * @param name of that workflow
 * @param conditions what every step may have
 */
export function withGroup<W>(
  to: W,
  name: string,
  index: number,
  leg: Leg,
  below: readonly AnyWorkflow[],
  conditions: object,
  books: Books,
): W {
  const group = leg.group!;
  const { kind, count, onFailure, concurrency, oneByOne } = group;
  const join = group.join ?? (onFailure === "settle" ? "patch" : null);
  /** Whether what is asked for may begin. */
  const isFine = (): boolean =>
    group.asks === "fine" || books.isHealed || books.count(`asks ${name} ${index}`) > mostRefused;
  const inputFor =
    (number: number) =>
    ({ state }: { readonly state: unknown }) => {
      if (isFine()) return { value: (state as { readonly value?: unknown }).value, number, lane: number % 2 };
      if (group.asks === "throws") throw new Error("not these children");
      if (group.asks === "promises") return Promise.resolve({ number });
      return 7;
    };
  const options = {
    ...conditions,
    ...(join !== null && { join: (it: Joining) => joined(it, join, name, index, leg, books) }),
    onFailure,
    ...(kind !== "child" && oneByOne && { undo: "one-by-one" }),
  };
  const stepName = `leg-${index}`;
  const add = to as unknown as Adding;
  if (kind === "child")
    return add.child(stepName, below[0], {
      ...options,
      input: (it: Joining) => (count === 0 ? undefined : inputFor(0)(it)),
    }) as W;
  if (kind === "parallel") {
    const workflows = Object.fromEntries(below.map((it, place) => [keyOf(place), it]));
    const input = (it: Joining): unknown =>
      Object.fromEntries(below.map((_, place) => [keyOf(place), count === 0 ? undefined : inputFor(place)(it)]));
    return add.parallel(stepName, workflows, { ...options, input }) as W;
  }
  const hasKeys = group.asks === "same keys" || group.asks === "no keys";
  return add.forEach(stepName, below[0], {
    ...options,
    items: () => Array.from({ length: count }, (_, at) => at),
    input: ({ item, ...it }: Joining & { readonly item: number }) => (hasKeys ? { item, lane: 0 } : inputFor(item)(it)),
    ...(hasKeys && {
      key: ({ index: at }: { readonly index: number }) =>
        isFine() ? String(at) : group.asks === "no keys" ? "\n" : "0",
    }),
    ...(concurrency !== null && { concurrency }),
  }) as W;
}

/** So often the functions of a step of children ask for what is refused. */
const mostRefused = 2;

function joined(
  { children }: Joining,
  does: NonNullable<Group["join"]>,
  name: string,
  index: number,
  { group, value }: Leg,
  books: Books,
): unknown {
  for (const what of wrongJoin(children, group!, books)) books.wrong(`join of ${name}, leg-${index}: ${what}`);
  if (!books.isHealed && books.count(`joins ${name} ${index}`) < 3) {
    if (does === "throws") throw new Error("not with this join");
    if (does === "nonsense") return [1];
    if (does === "fail" && children.length > 0)
      return fail(`not-joined-${index}`, { patch: { joined: children.length } });
  }
  return { [`leg-${index}`]: value, [`joined-${index}`]: children.map(({ key, status }) => `${key} ${status}`) };
}

/** What is not as the children gave it. */
function wrongJoin(children: Joining["children"], group: Group, books: Books): string[] {
  if (children.length === 0) return group.count === 0 ? [] : ["is not given what has begun"];
  const found: string[] = [];
  const expected =
    group.kind === "child"
      ? ["0"]
      : Array.from(group.kind === "parallel" ? group.trips : { length: group.count }, (_, at) =>
          group.kind === "parallel" ? keyOf(at) : String(at),
        );
  if (
    !isDeepStrictEqual(
      children.map(({ key }) => key),
      expected,
    )
  )
    found.push("is not given all children in their order");
  for (const child of children) {
    const record = books.record(child.id);
    if (child.reason === "child-id-taken") continue;
    if (record?.line === undefined || record.line === null) found.push(`is given ${child.id}, which is no child`);
    else if (hasMovedOn(record.line, books)) continue;
    else if (record.status !== child.status)
      found.push(`is given ${child.id} as ${child.status}, and it is ${record.status}`);
    else if (record.position.reason !== child.reason) found.push(`is given another reason of ${child.id}`);
    else if (!isDeepStrictEqual(record.state.value, child.state)) found.push(`is given another state of ${child.id}`);
  }
  return found;
}

/** Another launcher has the parent, and has turned it: nothing comes of what is joined. */
function hasMovedOn({ list, parent }: Line, books: Books): boolean {
  const { direction, round = 0 } = books.record(parent)!.position;
  return direction === "down" || (round > 0 && !list.includes(`~r${round}`));
}
