/** New versions of trips: machines that start later have them, and executions of either version go on while both kinds of machines live. */
import fc from "fast-check";
import type { AnyWorkflow } from "../../src/index.js";
import type { HistoryRecord } from "../../src/execution/records.js";
import type { Books } from "./books.js";
import { hasGroups } from "./families.js";
import type { Deed, Leg, Plan, Trip } from "./plan.js";

export interface Deployment {
  /** Another leg comes behind the others. */
  readonly adds: boolean;
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
  moves: fc.boolean(),
  throws: fc.constantFrom(0, 0, 1, 2),
  keepsOld: fc.constantFrom(false, false, true),
});

export const deployAct: fc.Arbitrary<DeployAct> = fc.record({
  act: fc.constant("deploy" as const),
  launcher: fc.nat(4),
});

export const deploymentSights = [
  ...(["migrated: up", "migrated: up, begun", "migrated: down, begun"] as const),
  ...(["completed", "rolledBack"] as const).map((status) => `migrated, then ${status}`),
  "launched in version 2",
  "could not be migrated",
];

/** Of a trip that has a new version; those of children have none. */
export function deploymentOf(trip: Trip): Deployment | null {
  return hasGroups(trip) ? null : trip.deployment;
}

const plainDeed: Deed = { gives: "ok", how: "sync", milliseconds: 1, throws: 0 };

const added: Leg = {
  ...{ when: null, hasOtherwise: false, recover: null, deadline: null, pause: null, retry: null, timeout: null },
  ...{ run: plainDeed, onMessage: plainDeed, onTimeout: null, undo: plainDeed, onUndoMessage: plainDeed },
  ...{ undoPause: null, undoRetry: null, probe: null, inDoubt: null, listens: null, shares: false },
  ...{ isIrreversible: false, value: "added", group: null },
};

/** With all legs that any version has. */
export function withAll(trip: Trip): Trip {
  return deploymentOf(trip)?.adds === true ? { ...trip, legs: [...trip.legs, added] } : trip;
}

interface Moving {
  readonly state: Readonly<Record<string, unknown>>;
  readonly execution: { readonly id: string };
}

/** The new version, which takes up executions of the older one. */
export function migrating(
  newer: AnyWorkflow,
  older: AnyWorkflow,
  { moves, throws }: Deployment,
  books: Books,
): AnyWorkflow {
  const move = ({ state, execution: { id } }: Moving): object => {
    if (books.count(`${id} moves`) <= throws && !books.isHealed) throw new Error("not to this version");
    return moves ? { state: { ...state, moved: true } } : {};
  };
  type Migrating = { migrate(older: AnyWorkflow, options: object): AnyWorkflow };
  return (newer as unknown as Migrating).migrate(older, { move });
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
