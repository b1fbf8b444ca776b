/** Workflows of which executions stand in `test/fixtures`, as the first version left them. */
import { z } from "zod";
import type * as stepwell from "../../src/index.js";

/** What is used of the package: that of today, or of then. */
export type Api = Pick<typeof stepwell, "workflow" | "pause">;

export interface World {
  /** What the step of a running execution does. */
  readonly hold: () => Promise<void> | undefined;
  /** Whether what the undo of a step asks for is there. */
  readonly open: boolean;
}

/** The time at which the executions were left. */
export const left = Date.UTC(2026, 0, 2);

const input = z.object({ kind: z.string(), number: z.number(), note: z.string() });

export function workflowsOf({ workflow, pause }: Api, { hold, open }: World) {
  const undo = (): { readonly released: true } => {
    if (!open) throw new Error("the warehouse is closed");
    return { released: true };
  };
  const order = workflow("order", { input })
    .step("reserve", {
      run: ({ state }) => ({ reserved: state.number }),
      rollbackRetry: { attempts: 9, delay: "1h", factor: 1 },
      rollback: ({ state }) => (state.kind === "down" ? undo() : { released: true as const }),
    })
    .step("book", {
      run: () => ({ booked: new Date(left) }),
      rollbackRetry: { attempts: 1 },
      rollback: ({ state }) => void (state.kind === "stuck" && undo()),
    })
    .step("work", { run: async ({ state }) => void (state.kind === "running" && (await hold())) })
    .step("pay", {
      messages: { paid: z.object({ cents: z.number() }) },
      run: ({ state }) => (["waiting", "large"].includes(state.kind) ? pause({ asked: true }) : { cents: 1 }),
      onMessage: ({ message }) => ({ cents: message.payload.cents }),
    })
    .step("notes", {
      messages: { remark: z.object({ text: z.string() }) },
      run: ({ state }) => (state.kind === "waiting" ? pause() : undefined),
      onMessage: ({ message }) => ({ note: message.payload.text }),
    })
    .step("ship", {
      run: ({ state }) => {
        if (["stuck", "down", "rolledBack"].includes(state.kind)) throw new Error("no carrier");
        return { shipped: true };
      },
    });
  const limited = workflow("limited", { input, concurrency: 1 }).step("hold", {
    messages: { go: z.null() },
    run: () => pause(),
    onMessage: () => ({ gone: true }),
  });
  return { order, limited };
}
