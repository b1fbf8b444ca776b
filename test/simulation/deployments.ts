/** New versions of trips: machines that start later have them, and executions of either version go on while both kinds of machines live. */
import fc from "fast-check";
import type { AnyWorkflow } from "../../src/index.js";
import type { HistoryRecord } from "../../src/execution/records.js";
import type { Books } from "./books.js";
import { hasGroups } from "./families.js";
import type { Deed, Leg, Plan, Trip } from "./plan.js";
import { nameIn, numberOf, plainName, type Changes } from "./versions.js";

export interface Deployment {
  /** Another leg comes behind the others. */
  readonly adds: boolean;
  /** Another leg comes before the others, and what it is like; null: none does. */
  readonly prepends: "plain" | "irreversible" | "its undo waits" | null;
  /** A leg has another name; null: none has. */
  readonly renames: number | null;
  /** A leg is gone, where whatever stands in it finds another place; null: none is. */
  readonly drops: number | null;
  /** The step where an execution stands begins again. */
  readonly restarts: boolean;
  /** The state is changed on the way. */
  readonly moves: boolean;
  /** How often that throws at first. */
  readonly throws: number;
  /** The older version stays registered beside the new one. */
  readonly keepsOld: boolean;
}

export interface DeployAct {
  readonly act: "deploy";
  readonly launcher: number;
}

export const deployment: fc.Arbitrary<Deployment> = fc.record({
  adds: fc.boolean(),
  prepends: fc.constantFrom(null, null, "plain", "plain", "irreversible", "its undo waits"),
  renames: fc.option(fc.nat(4), { nil: null, freq: 2 }),
  drops: fc.option(fc.nat(4), { nil: null, freq: 2 }),
  restarts: fc.constantFrom(false, false, true),
  moves: fc.boolean(),
  throws: fc.constantFrom(0, 0, 1, 2),
  keepsOld: fc.constantFrom(false, false, true),
});

export const deployAct: fc.Arbitrary<DeployAct> = fc.record({
  act: fc.constant("deploy" as const),
  launcher: fc.nat(4),
});

/** Of a trip that has a new version; those of children have none. */
export function deploymentOf(trip: Trip): Deployment | null {
  return hasGroups(trip) ? null : trip.deployment;
}

const plainDeed: Deed = { gives: "ok", how: "sync", milliseconds: 1, throws: 0 };

const plainLeg: Leg = {
  ...{ when: null, hasOtherwise: false, recover: null, deadline: null, pause: null, retry: null, timeout: null },
  ...{ run: plainDeed, onMessage: plainDeed, onTimeout: null, undo: plainDeed, onUndoMessage: plainDeed },
  ...{ undoPause: null, undoRetry: null, probe: null, inDoubt: null, listens: null, shares: false },
  ...{ isIrreversible: false, value: "", group: null },
};

function prepended(prepends: Deployment["prepends"]): Leg[] {
  if (prepends === null) return [];
  const leg: Leg = { ...plainLeg, value: "prepended" };
  if (prepends === "irreversible") return [{ ...leg, isIrreversible: true }];
  return [prepends === "plain" ? leg : { ...leg, undo: { ...plainDeed, gives: "pause" } }];
}

/** With all legs that any version has. */
export function withAll(trip: Trip): Trip {
  const deployed = deploymentOf(trip);
  if (deployed === null) return trip;
  const { adds, prepends } = deployed;
  const legs = [...prepended(prepends), ...trip.legs, ...(adds ? [{ ...plainLeg, value: "added" }] : [])];
  const pivot = trip.pivot === null ? null : trip.pivot + (prepends === null ? 0 : 1);
  const all: Trip = { ...trip, legs, pivot };
  return { ...all, changes: changesOf(all, deployed, trip.legs.length) };
}

function changesOf({ legs, pivot }: Trip, { adds, prepends, renames, drops }: Deployment, count: number): Changes {
  const first = prepends === null ? 0 : 1;
  const dropped = drops === null ? null : first + (drops % count);
  const isGone = dropped !== null && mayDrop(dropped, legs.length, pivot);
  const renamed = renames === null ? null : first + (renames % count);
  return {
    prepended: prepends === null ? null : 0,
    added: adds ? legs.length - 1 : null,
    dropped: isGone ? dropped : null,
    renamed: isGone && renamed === dropped ? null : renamed,
  };
}

/**
 * What goes down, or has completed, and stands in it goes on at the leg before it; what goes up, at the one that follows, since what comes
 * before is done. So there must be both. What is done of a pivot can't be dropped.
 */
function mayDrop(number: number, count: number, pivot: number | null): boolean {
  return number !== pivot && number > 0 && number < count - 1;
}

interface Stood {
  readonly number: number;
  readonly direction: "up" | "down";
  readonly isCompleted: boolean;
}

/** Where an execution goes on that stands in a leg: by the numbers of the legs. */
export function placeFrom({ changes }: Trip, { number, direction, isCompleted }: Stood): number {
  if (number !== changes!.dropped) return number;
  return direction === "down" || isCompleted ? number - 1 : number + 1;
}

interface Moving {
  readonly state: Readonly<Record<string, unknown>>;
  readonly execution: { readonly id: string };
  readonly step: string;
  readonly direction: "up" | "down";
  readonly status: string;
  readonly begun: boolean;
}

/** The new version, which takes up executions of the older one. */
export function migrating(newer: AnyWorkflow, older: AnyWorkflow, trip: Trip, books: Books): AnyWorkflow {
  const { moves, throws, restarts } = deploymentOf(trip)!;
  const { renamed, dropped } = trip.changes!;
  const move = ({ state, execution: { id }, step, direction, status, begun }: Moving): object => {
    if (books.count(`${id} moves`) <= throws && !books.isHealed) throw new Error("not to this version");
    const number = numberOf(step);
    const place = placeFrom(trip, { number, direction, isCompleted: status === "completed" });
    return {
      ...(moves && { state: { ...state, moved: true } }),
      // What has not begun begins with the first step.
      ...(begun && (restarts || place !== number) && { step: nameIn("2", place, trip) }),
    };
  };
  const steps = {
    ...(renamed !== null && { [plainName(renamed)]: nameIn("2", renamed, trip) }),
    ...(dropped !== null && { [plainName(dropped)]: null }),
  };
  type Migrating = { migrate(older: AnyWorkflow, options: object): AnyWorkflow };
  return (newer as unknown as Migrating).migrate(older, { steps, move });
}

export function isDeployed({ acts }: Plan): boolean {
  return acts.some(({ it }) => it.act === "deploy");
}

/** At most one migration, forward; what could not be migrated was parked with its code, and not before it was tried. */
export function wrongMigrations(rows: readonly HistoryRecord[], version: string, trip: Trip): string[] {
  const moved = rows.filter(({ migration }) => migration !== undefined);
  const found: string[] = [];
  if (moved.length > 1) found.push(`is migrated ${moved.length} times`);
  for (const { migration } of moved)
    if (migration!.from !== "1" || migration!.to !== "2" || version !== "2")
      found.push(`is migrated from ${migration!.from} to ${migration!.to}, and is ${version}`);
  const failed = rows.filter(({ result }) => result === "STEPWELL_MIGRATION_FAILED");
  if (failed.length > (deploymentOf(trip)?.throws ?? 0)) found.push(`could not be migrated ${failed.length} times`);
  return found;
}
