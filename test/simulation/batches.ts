/** Cases that are launched together, some of which are there already, or stand in each other's way. */
import fc from "fast-check";
import { isRetryable, StepwellError } from "../../src/errors.js";
import type { ExecutionRecord } from "../../src/execution/records.js";
import type { LaunchItem } from "../../src/runtime/launch.js";
import { mayConflict, type Callers, type Case, type Place } from "./callers.js";

export interface LaunchManyAct {
  readonly act: "launchMany";
  readonly by: number;
  readonly cases: readonly number[];
  /** The last item has the id of one that is there, and another input. */
  readonly conflicts: boolean;
}

export const launchManyAct: fc.Arbitrary<LaunchManyAct> = fc.record({
  act: fc.constant("launchMany" as const),
  by: fc.nat(5),
  cases: fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
  conflicts: fc.boolean(),
});

export const batchSights = [
  "many are launched",
  "many are launched, some of them again",
  "many are launched, and one conflicts",
  "many are launched after a failure",
];

export function launchMany({ by, cases, conflicts }: LaunchManyAct, callers: Callers): void {
  const place = callers.able(by);
  if (place === undefined) return;
  const chosen = cases.map((it) => callers.caseOf(it));
  const together = chosen.filter(({ plan }) => callers.tripOf(plan) === callers.tripOf(chosen[0]!.plan));
  const isThere = (it: Case): boolean => callers.scene.store.load([it.id])[0 as never] !== undefined;
  // The id of one that is pruned is free, also for another input.
  const inTheWay = conflicts && callers.isKept ? together.find(isThere) : undefined;
  const ids = together.map(({ id }) => id).join(", ");
  const allowed = inTheWay === undefined && !together.some(mayConflict) ? [] : ["STEPWELL_LAUNCH_CONFLICT"];
  callers.call(place, `launchMany ${ids}`, () => launched(place, together, inTheWay, callers), allowed);
}

/** A program that is refused by the store tries again. */
async function launched(
  place: Place,
  together: readonly Case[],
  inTheWay: Case | undefined,
  callers: Callers,
): Promise<void> {
  const { seen, books, store } = callers.scene;
  const { workflow } = callers.launchOf(together[0]!, place);
  const items: LaunchItem[] = together.map((it) => {
    const { input, options } = callers.launchOf(it, place);
    return { input, ...options };
  });
  if (inTheWay !== undefined) items.push({ input: { conflicts: true }, id: inTheWay.id });
  const areThere = (): (string | undefined)[] =>
    (store.load(together.map(({ id }) => id)) as (ExecutionRecord | undefined)[]).map((it) => it?.id);
  const isSome = areThere().some((id) => id !== undefined);
  const check = (): void => {
    const lacking = together.filter(({ id }, index) => areThere()[index] !== id && !callers.isGone(id));
    for (const { id } of lacking) books.wrong(`${id} was launched with others, and is not there`);
  };
  for (let tries = 1; ; tries++) {
    try {
      const handles = await place.client.launchMany(workflow, items);
      if (inTheWay !== undefined) books.wrong(`${inTheWay.id} was launched with two inputs`);
      if (handles.some(({ id }, index) => id !== together[index]!.id)) books.wrong("launchMany gives other ids");
      check();
      seen.note("sight", isSome ? "many are launched, some of them again" : "many are launched");
      if (tries > 1) seen.note("sight", "many are launched after a failure");
      return;
    } catch (error) {
      if (error instanceof StepwellError && error.code === "STEPWELL_LAUNCH_CONFLICT" && inTheWay !== undefined) {
        // The first failure is told of, and this is the last item: the others did not fail.
        check();
        seen.note("sight", "many are launched, and one conflicts");
      }
      if (!isRetryable(error) || tries === 4) throw error;
      await new Promise<void>((resolve) => place.line.clock.after(600, resolve));
    }
  }
}
