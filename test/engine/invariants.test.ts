/** What the engine does about a mistake of its own: it parks the execution before anything of it is committed. */
import { beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { fail, workflow } from "../../src/index.js";
import type * as Router from "../../src/execution/router.js";
import type { Routed, RoutedEvent } from "../../src/execution/router.js";
import type { Flow } from "../../src/definition/flow.js";
import { onEveryStore, told } from "../support/rig.js";

/** What the router would do wrong. */
const wrong = vi.hoisted(() => ({ decide: undefined as ((decision: never, event: never) => unknown) | undefined }));

vi.mock("../../src/execution/router.js", async (original) => {
  const router = await original<typeof Router>();
  return {
    ...router,
    route(flow: Flow, event: RoutedEvent, steps: Parameters<typeof router.route>[2]): Routed {
      const decision = router.route(flow, event, steps);
      return (wrong.decide?.(decision as never, event as never) as Routed | undefined) ?? decision;
    },
  };
});

beforeEach(() => {
  wrong.decide = undefined;
});

const mistakes: Record<string, (decision: Routed, event: RoutedEvent) => Routed | undefined> = {
  "skips the undo of the step that failed": ({ flow, action }, { type }) =>
    type === "stepFailed" ? { action, flow: { ...flow, stepIndex: flow.stepIndex - 1 } } : undefined,
  "says that it is rolled back with undos before it": ({ flow }) =>
    flow.direction === "down" ? { action: "finish", flow: { ...flow, lifecycle: "failure" } } : undefined,
  "goes up again": ({ flow, action }, { type }) =>
    type === "stepOk" && flow.direction === "down" ? { action, flow: { ...flow, direction: "up" } } : undefined,
  "completes with a step that failed": ({ flow }, { type }) =>
    type === "stepFailed"
      ? { action: "succeed", flow: { ...flow, direction: "up", stepFunc: "run", lifecycle: "success" } }
      : undefined,
};

onEveryStore("a mistake of the engine's own", (start) => {
  test.each(Object.keys(mistakes))(
    "parks the execution, and nothing of it is committed: the router %s",
    async (name) => {
      const calls: string[] = [];
      const undo = (step: string) => ({ rollback: () => void calls.push(`undo ${step}`) });
      const flow = workflow("flow", { input: z.object({}) })
        .step("1", { run: () => undefined, ...undo("1") })
        .step("2", { run: () => undefined, ...undo("2") })
        .step("3", { run: () => fail("no"), ...undo("3") });
      const { launcher, errors } = await start([flow]);
      wrong.decide = mistakes[name] as never;
      const execution = await launcher.launch(flow, {});
      expect(await execution.outcome()).toMatchObject({
        status: "stuck",
        error: { code: "STEPWELL_INVARIANT_VIOLATED" },
      });
      expect(errors.map(({ code }) => code)).toContain("STEPWELL_EXECUTION_STUCK");
      expect((await told(execution)).at(-1)).toMatch(/: STEPWELL_INVARIANT_VIOLATED$/);
      // Once that is mended it goes on where it stood, and all of it is undone.
      wrong.decide = undefined;
      await execution.retry();
      expect((await execution.outcome()).status).toBe("rolledBack");
      expect(new Set(calls)).toEqual(new Set(["undo 3", "undo 2", "undo 1"]));
    },
  );
});
