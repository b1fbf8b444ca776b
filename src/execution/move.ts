/**
 * Where an execution stands in another version's list of steps. Pure: two lists, a place and the names of
 * what became of the steps come in; the new place goes out, or what stands in the way.
 *
 * The rule: what was done lies behind it, what can be undone finds its undo, and nothing that was done is
 * done again.
 */
import { namesInTheWay, namesOf, successorOf, type Successors } from "../definition/migration.js";
import { childrenChange, isUndone, type StepOutline } from "../definition/outline.js";
import { firstToUndo, pivotMoved, shapeOf, waitBroken } from "./definition-change.js";
import type { Doubt } from "./doubt.js";
import { keyNameOf, type Position, type Round } from "./position.js";
import { isPastPivot } from "./router.js";

/** The two lists, and what became of the older one's steps. */
export interface Lists {
  readonly before: readonly StepOutline[];
  readonly after: readonly StepOutline[];
  readonly steps: Successors;
}

/** Where an execution goes on, in the newer list. */
export interface Place {
  readonly stepIndex: number;
  /** It stays in the step where it stood, with its wait and its attempts. False: it goes on with the beginning of a step. */
  readonly stays: boolean;
  /** As `Position.keys`. */
  readonly keys: Readonly<Record<string, string>>;
  /** As `Position.gone`. */
  readonly gone: readonly string[];
  /** As `Position.passed`. */
  readonly passed: readonly number[];
  /** As `Position.doubtful`. */
  readonly doubtful: readonly number[];
  /** As `Position.doubts`. */
  readonly doubts: readonly Doubt[];
  /** As `Position.until`; undefined: it does not go up again. */
  readonly until: number | undefined;
  /** As `Position.rounds`. */
  readonly rounds: readonly Round[];
}

/** A place, or what is in the way of one. */
export type Placed = Place | { readonly problem: string };

/**
 * @param begun whether anything of it may have been done
 * @param at the step at whose beginning it goes on; undefined: where it stands
 */
export function placeIn(
  lists: Lists,
  position: Position & { readonly begun: boolean },
  at: string | undefined,
): Placed {
  const { before, after } = lists;
  const known = [...Object.values(position.keys ?? {}), ...(position.gone ?? [])];
  const problem = namesInTheWay(namesOf(before), namesOf(after), lists.steps, known);
  if (problem !== undefined) return { problem };
  const found = at === undefined ? standsAt(lists, position) : stepNamed(at, after);
  if (typeof found === "string") return { problem: found };
  const until = position.until === undefined ? undefined : indexNow(lists, position.until);
  if (until === -1)
    return { problem: `it is being rewound to step "${before[position.until!]!.name}", which is not there any more` };
  const stays = at === undefined;
  const place = {
    stepIndex: found,
    stays,
    keys: keysIn(lists, position.keys),
    gone: goneIn(lists, position),
    passed: behindIn(lists, position.passed, position, found, stays),
    doubtful: behindIn(lists, doubtfulIn(position, stays), position, found, stays),
    doubts: (position.doubts ?? []).flatMap((doubt) =>
      behindIn(lists, [doubt.index], position, found, stays).map((index) => ({ ...doubt, index })),
    ),
    until,
    rounds: roundsIn(lists, position.rounds),
  };
  if (!position.begun) return place;
  const wasPast = isPastPivot(position, shapeOf(before));
  const there = { ...position, stepIndex: found, passed: place.passed, ...(until !== undefined && { until }) };
  if (wasPast !== isPastPivot(there, shapeOf(after))) return { problem: pivotMoved(before, after, wasPast) };
  const inTheWay =
    behind(lists, position, found, wasPast) ??
    (at === undefined ? waitBroken(before[position.stepIndex]!, after[found]!, position) : undefined);
  return inTheWay === undefined ? place : { problem: inTheWay };
}

/** What has not begun begins with the first step, whatever that is. */
function standsAt(lists: Lists, { begun, step }: Position & { readonly begun: boolean }): number | string {
  if (!begun) return 0;
  const successor = successorOf(step, namesOf(lists.after), lists.steps);
  if (typeof successor === "string") return stepNamed(successor, lists.after);
  return `step "${step}", where it stands, is not there any more; say in "steps" what became of it, or in "move" where it goes on`;
}

function stepNamed(name: string, after: readonly StepOutline[]): number | string {
  const index = after.findIndex((step) => step.name === name);
  return index >= 0 ? index : `it is to go on at "${name}", which is no step of the newer list`;
}

/** What was done, or may have been, is behind the new place too, with its undo. */
function behind(lists: Lists, position: Position, stepIndex: number, isPast: boolean): string | undefined {
  const { before, after, steps } = lists;
  const names = namesOf(after);
  const from = firstToUndo(position, isPast);
  const climbs = position.direction === "up" && position.lifecycle !== "success";
  for (const [index, step] of before.slice(0, position.stepIndex + 1).entries()) {
    const { name, rollback, children } = step;
    const successor = successorOf(name, names, steps);
    if (position.passed?.includes(index) === true) continue;
    const isAt = typeof successor === "string" ? names.indexOf(successor) : -1;
    if (children !== undefined && isAt !== stepIndex && mayBeLive(index, position))
      return `step "${name}" waits for its children, which would be nobody's; let it be done first`;
    if (successor === null) continue;
    if (isAt >= 0 && (index >= from || index === position.stepIndex)) {
      const change = childrenChange(name, children, after[isAt]!.children);
      if (change !== undefined) return change;
    }
    if (isUndone(step) && index >= from) {
      if (successor === undefined)
        return `step "${name}" may have to be undone and is not there any more; say in "steps" what became of it, or null`;
      if (isAt > stepIndex) return `step "${successor}" may have to be undone, and would come after where it goes on`;
      if (rollback === true && after[isAt]!.rollback !== true)
        return `step "${successor}" may have to be undone, and has no rollback`;
    }
    if (climbs && index < position.stepIndex && isAt >= stepIndex)
      return `step "${successor}" is done, and would be done again`;
  }
  return position.direction === "down" ? undoneAgain(lists, position, stepIndex) : undefined;
}

/** The children of a step that is left are settled. */
function mayBeLive(index: number, { stepIndex, stepFunc, lifecycle }: Position): boolean {
  return index === stepIndex && stepFunc !== "run" && lifecycle !== "success";
}

/** On the way down: what comes after where it stood may be undone already. */
function undoneAgain({ before, after, steps }: Lists, position: Position, stepIndex: number): string | undefined {
  const ahead = after.slice(0, stepIndex + 1).flatMap((step) => (isUndone(step) ? [step.name] : []));
  const names = namesOf(after);
  for (const step of before.slice(position.stepIndex + 1)) {
    const successor = successorOf(step.name, names, steps);
    if (isUndone(step) && typeof successor === "string" && ahead.includes(successor))
      return `step "${successor}" may have been undone, and would be undone again`;
  }
  return undefined;
}

/** Where the step of that index is now; -1: it is gone. */
function indexNow({ before, after, steps }: Lists, index: number): number {
  const names = namesOf(after);
  const successor = successorOf(before[index]!.name, names, steps);
  return typeof successor === "string" ? names.indexOf(successor) : -1;
}

/** Where the step is gone from which a round counts, it counts from the next one. */
function roundsIn(lists: Lists, rounds: readonly Round[] = []): Round[] {
  return rounds.flatMap(({ round, from }) => {
    const indices = lists.before.slice(from).map((_, offset) => indexNow(lists, from + offset));
    const first = indices.find((index) => index >= 0);
    return first === undefined ? [] : { round, from: first };
  });
}

/** Where it goes on elsewhere, the step where it stood is left in the doubt that it is in. */
function doubtfulIn({ doubtful = [], inDoubt, stepIndex }: Position, stays: boolean): readonly number[] {
  return inDoubt === true && !stays ? [...doubtful, stepIndex] : doubtful;
}

/** Steps that have something to remember, where they are now; one that comes again is none of them any more. */
function behindIn(
  lists: Lists,
  indices: readonly number[] = [],
  { direction, lifecycle }: Position,
  stepIndex: number,
  stays: boolean,
): number[] {
  const names = namesOf(lists.after);
  const comesAgain = direction === "up" && lifecycle !== "success" && !stays;
  const last = comesAgain ? stepIndex - 1 : stepIndex;
  return indices.flatMap((index) => {
    const successor = successorOf(lists.before[index]!.name, names, lists.steps);
    const isAt = typeof successor === "string" ? names.indexOf(successor) : -1;
    return isAt >= 0 && isAt <= last ? isAt : [];
  });
}

/** Names by which others know what was done, where steps have other names by now. */
function keysIn(lists: Lists, keys: Position["keys"]): Record<string, string> {
  const names = namesOf(lists.after);
  const known = lists.before.flatMap(({ name }): [string, string][] => {
    const successor = successorOf(name, names, lists.steps);
    const key = keyNameOf(name, keys);
    return typeof successor === "string" && successor !== key ? [[successor, key]] : [];
  });
  return Object.fromEntries(known);
}

/** Names by which others may know what was done in steps that are not there any more. On the way up nothing lies ahead. */
function goneIn(
  lists: Lists,
  { begun, direction, stepIndex, keys, gone = [] }: Parameters<typeof placeIn>[1],
): string[] {
  const names = namesOf(lists.after);
  const reached = begun ? lists.before.slice(0, direction === "up" ? stepIndex + 1 : undefined) : [];
  const lost = reached.filter(({ name }) => typeof successorOf(name, names, lists.steps) !== "string");
  return [...gone, ...lost.map(({ name }) => keyNameOf(name, keys))];
}

/** Why an execution can't be moved to another version. */
export interface MigrationRefusal {
  readonly problem: string;
  readonly from: string;
  readonly to: string;
  readonly cause: unknown;
}
