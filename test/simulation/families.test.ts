import fc from "fast-check";
import { expect, test } from "vitest";
import { definitionOf } from "../../src/definition/definition-of.js";
import type { Books } from "./books.js";
import { isKept, pivotOf } from "./families.js";
import type { Line } from "./machine.js";
import { plans } from "./plan.js";
import { tripsOn } from "./trips.js";

test("nothing undoes a leg exactly where the workflow that is built from it says so of the step, or has a pivot in its pivot", () => {
  let kept = 0;
  let beyond = 0;
  for (const { trips } of fc.sample(plans({ transactions: false }), { seed: 1, numRuns: 1500 })) {
    // They are only built: none of their functions is called.
    const built = tripsOn({} as Line, trips, {} as Books, "1");
    for (const [number, { legs }] of trips.entries()) {
      if (legs.every(({ group }) => group === null)) continue;
      const stays = definitionOf(built[number]!).steps.map(({ irreversible, pivot, children }) => {
        const below = Object.values(children?.workflows ?? {});
        return irreversible !== undefined || (pivot && below.some((it) => it.pivot >= 0));
      });
      expect(legs.map(isKept)).toEqual(stays);
      const ofChildren = legs.filter(({ group, isIrreversible }) => group !== null && !isIrreversible);
      kept += ofChildren.filter(isKept).length;
      beyond += ofChildren.filter(({ group }) =>
        group!.trips.every((it) => it.pivot !== null && pivotOf(it) < 0),
      ).length;
    }
  }
  // Both kinds are among them.
  expect(kept).toBeGreaterThan(0);
  expect(beyond).toBeGreaterThan(0);
});
