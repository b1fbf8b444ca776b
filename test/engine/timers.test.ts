/** Nothing that waits for a time begins before it, by the store's clock, also where something else wakes the execution just before. */
import { expect, test } from "vitest";
import { z } from "zod";
import { again, fail, pause, workflow, type AnyWorkflow, type Execution, type LaunchOptions } from "../../src/index.js";
import { onEveryStore, type Rig } from "../support/rig.js";

const input = z.object({});
/** That a step takes, and one that only a step does which never comes: it wakes whoever waits, for nothing. */
const go = { go: z.null() };
const other = { other: z.null() };

const last = { messages: other, run: () => pause(), onMessage: () => undefined } as const;
const undoneLast = {
  run: () => undefined,
  rollback: () => pause(),
  rollbackMessages: other,
  onRollbackMessage: () => undefined,
} as const;

function fails(): never {
  throw new Error("no");
}

interface Waiting {
  /** `fired` is called by what must not come too early. */
  readonly make: (fired: () => undefined) => AnyWorkflow;
  readonly options?: LaunchOptions;
  /** How the row says that it came, where no function does. */
  readonly result?: string;
  /** Past its pivot, where a caller that does not know that may request a rollback in vain. */
  readonly isPast?: true;
}

const retry = { attempts: 2, delay: "10s", jitter: false } as const;
const throwsOnce =
  (fired: () => void) =>
  ({ attempt }: { readonly attempt: number }): void =>
    attempt === 1 ? fails() : fired();

/** Each waits for ten seconds. */
const waits: Record<string, Waiting> = {
  "the timeout of a pause": {
    make: () =>
      workflow("w", { input })
        .step("1", { messages: go, run: () => pause({}, { timeout: "10s" }), onMessage: () => undefined })
        .step("2", last),
    result: "timeout",
  },
  "a timeout that onTimeout answers": {
    make: (fired) =>
      workflow("w", { input })
        .step("1", {
          messages: go,
          run: () => pause({}, { timeout: "10s" }),
          onMessage: () => undefined,
          onTimeout: () => fired(),
        })
        .step("2", last),
  },
  "the timeout of a pause on the way down": {
    make: () =>
      workflow("w", { input })
        .step("0", undoneLast)
        .step("1", {
          run: () => fail("turned"),
          rollback: () => pause({}, { timeout: "10s" }),
          rollbackMessages: go,
          onRollbackMessage: () => undefined,
          rollbackRetry: { attempts: 1 },
        }),
    result: "timeout",
  },
  "the deadline of a workflow that waits": {
    make: () =>
      workflow("w", { input, deadline: "10s" })
        .step("1", { messages: go, run: () => pause(), onMessage: () => undefined })
        .step("2", last),
    result: "deadline",
  },
  "a retry": {
    make: (fired) => workflow("w", { input }).step("1", { retry, run: throwsOnce(fired) }),
  },
  "a retry on the way down": {
    make: (fired) =>
      workflow("w", { input }).step("1", {
        run: () => fail("turned"),
        rollbackRetry: retry,
        rollback: throwsOnce(fired),
      }),
  },
  "a retry of a handler": {
    make: (fired) =>
      workflow("w", { input })
        .step("1", { retry, messages: go, run: () => pause(), onMessage: throwsOnce(fired) })
        .step("2", last),
  },
  "a retry after the pivot": {
    make: (fired) =>
      workflow("w", { input })
        .step("0", { run: () => undefined, pivot: true })
        .step("1", { retry, run: throwsOnce(fired) }),
    isPast: true,
  },
  "the deadline of a step that waits": {
    make: () =>
      workflow("w", { input })
        .step("1", { deadline: "10s", messages: go, run: () => pause(), onMessage: () => undefined })
        .step("2", last),
    result: "timeout",
  },
  "the deadline of a step that runs": {
    make: (fired) =>
      workflow("w", { input }).step("1", {
        deadline: "10s",
        run: ({ signal }) =>
          new Promise<void>((_, reject) => {
            signal.addEventListener("abort", () => reject((fired(), new Error("aborted"))));
          }),
      }),
  },
  "what asks again": {
    make: (fired) => {
      let asked = 0;
      return workflow("w", { input }).step("1", { run: () => (asked++ === 0 ? again({ after: "10s" }) : fired()) });
    },
  },
  "a sleep": {
    make: (fired) =>
      workflow("w", { input })
        .sleep("nap", "10s")
        .step("1", { run: () => fired() }),
  },
  "a delayed launch": {
    make: (fired) => workflow("w", { input }).step("1", { run: () => fired() }),
    options: { delay: "10s" },
  },
};

const quick = workflow("quick", { input }).step("1", { run: () => undefined });

/** What wakes it, or its launcher, without being what it waits for. */
async function wake(
  { launcher, clock, another }: Rig,
  { id }: Execution,
  asked: Promise<unknown>[] | undefined,
): Promise<void> {
  // Which reaches only who waits for messages.
  await launcher.send(id, "other", null).catch(() => undefined);
  await launcher.launch(quick, {});
  const stranger = await another([quick]);
  await stranger.launch(quick, {});
  asked?.push(stranger.rollback(id, "too-late"));
  await clock.settle();
}

onEveryStore("a timer", (start) => {
  test.each(Object.keys(waits))("never comes early, not by a millisecond, whatever else wakes: %s", async (wait) => {
    const { make, options = {}, result, isPast = false } = waits[wait]!;
    let fired: number | undefined;
    const asked: Promise<unknown>[] = [];
    const flow = make(() => void (fired ??= rig.clock.now()));
    const rig = await start([flow, quick]);
    const { launcher, clock } = rig;
    const execution = await launcher.launch(flow, {}, options);
    const began = clock.now();
    if (wait === "a retry of a handler") await launcher.send(execution.id, "go", null);
    await clock.settle();
    const firedAt = async (): Promise<number | undefined> => {
      if (result === undefined) return fired;
      const row = (await execution.history()).find((it) => it.result === result);
      return row?.at.getTime();
    };
    for (const at of [1, 9975, 9999]) {
      await clock.advance(began + at - clock.now());
      await wake(rig, execution, isPast ? asked : undefined);
      expect(await firedAt()).toBeUndefined();
    }
    await clock.advance(1);
    expect(await firedAt()).toBe(began + 10_000);
    await clock.advance("1s");
    for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ accepted: false });
  });
});
