/** The answer to a commit is lost, or late, and meanwhile the execution is due again: what others see of it keeps its order. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Launcher, memoryStore, observer, workflow } from "../../src/index.js";
import type { Batch } from "../../src/stores/batch.js";
import { faultyStore, type AfterCall } from "../../src/testing/faults/faulty-store.js";
import { ProcessClock } from "../../src/testing/faults/process-clock.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";

test("an execution that is taken up again before its launcher knows that it let go of it rests, and then wakes", async () => {
  const world = new VirtualClock();
  const clock = new ProcessClock(world);
  const base = memoryStore({ clock: world });
  let isAway = false;
  let isLost = false;
  const hasRested = (batch: Batch): boolean =>
    batch.transitions.some(({ rests, status }) => rests && status === "scheduled");
  const store = faultyStore(base, {
    ...{ clock, gathers: true },
    faults: {
      before: ({ name }) => (name === "write" && isAway ? "refused" : "goes"),
      after: ({ name, given }): AfterCall => {
        if (name !== "write" || isLost || !hasRested(given[0] as Batch)) return "answers";
        isAway = isLost = true;
        // By then it is due again, and was claimed.
        world.after(5000, () => (isAway = false));
        return "lost";
      },
      dies: () => undefined,
    },
  });
  const heard: string[] = [];
  const hear =
    (what: string) =>
    ({ revision }: { readonly revision: number }): void =>
      void heard.push(`${what} ${revision}`);
  const watcher = observer({ name: "watcher", wake: hear("wake"), commit: hear("commit"), rest: hear("rest") });
  let calls = 0;
  const flow = workflow("flow", { input: z.object({}) })
    .observe(watcher)
    .step("first", {
      retry: { attempts: 3, delay: "1s", jitter: false },
      run: () => {
        if (++calls === 1) throw new Error("not yet");
      },
      irreversible: "A test.",
    });
  const launcher = new Launcher({ store, clock, workflows: [flow], onError: () => undefined });
  await launcher.start();
  await launcher.launch(flow, {});
  await world.advance("10s");
  expect(heard).toEqual(["wake 0", "commit 1", "rest 1", "wake 1", "commit 2", "rest 2"]);
  const stopped = launcher.stop();
  await world.advance("10s");
  await stopped;
});
