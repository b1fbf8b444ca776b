/** The workflows of a trial: one for each number of steps. What each step does stands in the execution's plan. */
import { setTimeout } from "node:timers/promises";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";
import { fail, pause, step, workflow, type AnyWorkflow, type RetryPolicy } from "../../src/index.js";
import type { Effects } from "./effects.js";
import { sizes, type Plan } from "./plan.js";

const patient: RetryPolicy = { attempts: Infinity, delay: 20, factor: 1.5, maxDelay: 500 };

type State = { readonly plan: Plan };

export function tripName(size: number): string {
  return `trip-${size}`;
}

/** Where what a leg waits for is published, rather than sent to the execution: every second one that waits. */
export function topicOf(plan: Plan, id: string, index: number): string | undefined {
  return plan.legs[index]!.kind === "waits" && index % 2 === 1 ? `${id} leg ${index}` : undefined;
}

export function trips(effects: Effects): readonly AnyWorkflow[] {
  return sizes.map((size) => {
    const input: StandardSchemaV1<State, State> = z.object({ plan: z.custom<Plan>() });
    let trip = workflow(tripName(size), { input }) as unknown as Untyped;
    for (let index = 0; index < size; index++) trip = trip.step(leg(index, effects));
    return trip;
  });
}

/** A step added in a loop: its types are the plan's business. */
type Untyped = AnyWorkflow & { step(step: unknown): Untyped };

function leg(index: number, effects: Effects) {
  const name = `leg-${index}`;
  const message = z.object({ at: z.number() });
  return step<State>()(name, {
    retry: patient,
    rollbackRetry: patient,
    messages: { [`go-${index}`]: message },
    run: async ({ state: { plan }, execution, idempotencyKey: key, subscribe }) => {
      const { kind } = plan.legs[index]!;
      const topic = topicOf(plan, execution.id, index);
      effects.do(key, execution.id, name);
      if (kind === "long") await setTimeout(1_200);
      if (kind === "slow") await setTimeout(30 + ((index * 37) % 120));
      if (kind === "flaky" && effects.tries(key) < 2) throw new Error("not now");
      if (topic !== undefined) await subscribe(topic);
      if (kind === "waits") return pause({ asked: index });
      if (kind === "naps") return pause({ asked: index }, { timeout: 150 + index * 100 });
      return plan.failsAt === index ? fail(`broken-${index}`) : { done: key };
    },
    onMessage: async ({ state: { plan }, execution, idempotencyKey: key }) => {
      effects.do(key, execution.id, name);
      await setTimeout(5);
      return plan.failsAt === index ? fail(`broken-${index}`) : { done: key };
    },
    // Its key says when the wait was to end: the history keeps it, to be held against the time of the commit.
    onTimeout: ({ state: { plan }, idempotencyKey: woke }) =>
      plan.failsAt === index ? fail(`broken-${index}`, { patch: { woke } }) : { done: woke, woke },
    rollbackMessages: { [`back-${index}`]: message },
    rollback: async ({ state: { plan }, execution, runKey, idempotencyKey: key }) => {
      const { undo } = plan.legs[index]!;
      if (undo === "flaky" && effects.tries(key) < 2) throw new Error("not now");
      if (undo === "waits") return pause();
      effects.cancel(runKey, execution.id, name);
      return undefined;
    },
    onRollbackMessage: ({ execution, runKey }) => effects.cancel(runKey, execution.id, name),
  });
}
