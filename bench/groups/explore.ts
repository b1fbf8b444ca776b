/** How many histories of a workflow are explored in a second, and how that grows with its steps. */
import { workflow, type AnyWorkflow } from "stepwell";
import { explore, Participant } from "stepwell/testing";
import { z } from "zod";
import { median, type Figure } from "../figures.js";

const input = z.object({ sku: z.string() });

/** A step for each number, each with an effect and its undo. */
function workflowOf(steps: number): (bank: Participant) => AnyWorkflow {
  return (bank) => {
    let made = workflow("explored", { input }) as unknown as {
      step(name: string, options: object): typeof made;
    };
    for (let index = 0; index < steps; index++) {
      const name = `step-${index}`;
      made = made.step(name, {
        run: async ({ idempotencyKey }: { readonly idempotencyKey: string }) => ({
          [name]: bank.do(name, idempotencyKey, index),
        }),
        rollback: async ({ runKey }: { readonly runKey: string }) => bank.undo(name, runKey),
      });
    }
    return made as unknown as AnyWorkflow;
  };
}

async function explored(
  steps: number,
  depth = 1,
): Promise<{ readonly perSecond: number; readonly of: number; readonly ms: number }> {
  const report = await explore(workflowOf(steps), { input: { sku: "book" }, world: () => new Participant(), depth });
  return { perSecond: (report.histories / report.milliseconds) * 1000, of: report.of, ms: report.milliseconds };
}

export async function exploring(): Promise<Figure[]> {
  // Once, so that the code is warm.
  await explored(3);
  const rates: number[] = [];
  for (let round = 0; round < 5; round++) rates.push((await explored(8)).perSecond);
  const [three, eight, sixteen] = [await explored(3), await explored(8), await explored(16)];
  const pairs = await explored(8, 2);
  const extra = {
    "of 3 steps": three.of,
    "of 8": eight.of,
    "of 16": sixteen.of,
    "pairs of 8": pairs.of,
    "seconds for all pairs of 8": Math.round(pairs.ms / 1000),
  };
  return [{ name: "explore", value: median(rates), unit: "histories/s (8 steps)", extra }];
}
