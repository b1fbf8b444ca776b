/** What a crash or a shutdown in the middle of a function leaves as it was: its message, its timeout, its retry policy. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { onEveryStore, told, type Start } from "../support/rig.js";

const input = z.object({});
const messages = { go: z.number() };

/** Settles when its attempt is aborted, and fails with that. */
function untilAborted({ signal }: { readonly signal: AbortSignal }): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
}

/** The function that works on the message, in one direction. */
type Handler = (context: {
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly message: { readonly payload: number; readonly id: string };
}) => unknown;

/** Waits for a message on the way up, or on the way down, for a minute. */
function waiting(direction: "up" | "down", handler: Handler) {
  const wait = () => pause({}, { timeout: "1m" });
  const handle = handler as () => undefined;
  if (direction === "up") return workflow("waits", { input }).step("1", { messages, run: wait, onMessage: handle });
  return workflow("waits", { input })
    .step("1", {
      run: () => undefined,
      rollbackMessages: messages,
      rollback: wait,
      onRollbackMessage: handle,
      rollbackRetry: { attempts: 1 },
    })
    .step("2", { run: () => fail("no") });
}

/** How the launcher that calls a function ends while that runs, and another one has taken its place. */
const endings = {
  "a crash": async (start: Start, flow: ReturnType<typeof waiting>) => {
    // Its time stands still, so it is silent.
    const own = new VirtualClock();
    const rig = await start([flow], { clock: own, abortGrace: 1 });
    const next = async () => {
      const second = await rig.another([flow], { clock: rig.clock });
      await rig.clock.advance("20s");
      return second;
    };
    return { ...rig, next, end: () => own.advance("1m") };
  },
  "a shutdown": async (start: Start, flow: ReturnType<typeof waiting>) => {
    const rig = await start([flow], { drainTimeout: "1s" });
    const next = async () => {
      const stopped = rig.launcher.stop();
      await rig.clock.advance("20s");
      await stopped;
      return rig.another([flow]);
    };
    return { ...rig, next, end: () => Promise.resolve() };
  },
};

onEveryStore("a launcher that ends in a message handler", (start) => {
  test.each([
    ["a crash", "up"],
    ["a crash", "down"],
    ["a shutdown", "up"],
    ["a shutdown", "down"],
  ] as const)("%s on the way %s loses no message: the next launcher delivers it again", async (ending, direction) => {
    const seen: [number, number][] = [];
    const ids = new Set<string>();
    const flow = waiting(direction, ({ signal, attempt, message }) => {
      seen.push([attempt, message.payload]);
      ids.add(message.id);
      return seen.length === 1 ? untilAborted({ signal }) : { got: message.payload };
    });
    const { launcher, clock, next, end } = await endings[ending](start, flow);
    const execution = await launcher.launch(flow, {}, { id: "e" });
    await clock.settle();
    await execution.send("go", 7);
    await clock.settle();
    expect(seen).toEqual([[1, 7]]);
    const second = await next();
    await clock.advance("1s");
    expect(await second.execution("e").outcome()).toMatchObject({
      status: direction === "up" ? "completed" : "rolledBack",
      state: { got: 7 },
    });
    expect(seen).toEqual([
      [1, 7],
      [2, 7],
    ]);
    expect(ids.size).toBe(1);
    expect(await second.execution("e").mailbox()).toMatchObject([{ status: "consumed" }]);
    await end();
  });

  test.each([
    ["a crash", "up"],
    ["a crash", "down"],
    ["a shutdown", "up"],
    ["a shutdown", "down"],
  ] as const)("%s on the way %s leaves the timeout of the pause as it was", async (ending, direction) => {
    let calls = 0;
    const flow = waiting(direction, ({ signal }) => (++calls === 1 ? untilAborted({ signal }) : pause()));
    const { launcher, clock, next, end } = await endings[ending](start, flow);
    const execution = await launcher.launch(flow, {}, { id: "e" });
    await clock.settle();
    const began = clock.now();
    await execution.send("go", 7);
    await clock.settle();
    const second = await next();
    await clock.advance("1s");
    const again = second.execution("e");
    expect(calls).toBe(2);
    await clock.advance(began + 59_999 - clock.now());
    expect(await again.summary()).toMatchObject({ status: "waiting" });
    await clock.advance(1);
    expect(await again.outcome()).toMatchObject({ status: direction === "up" ? "rolledBack" : "stuck" });
    expect((await again.history()).at(direction === "up" ? -2 : -1)).toMatchObject({ result: "timeout" });
    await end();
  });
});

onEveryStore("a crash", (start) => {
  const policies = {
    attempts: { attempts: 3, delay: "1s", factor: 1, jitter: false },
    within: { attempts: 100, delay: "50s", factor: 1, jitter: false, within: "100s" },
  } as const;

  test.each([
    ["run", "attempts"],
    ["run", "within"],
    ["onMessage", "attempts"],
    ["onMessage", "within"],
    ["rollback", "attempts"],
    ["rollback", "within"],
  ] as const)("in %s does not refill the retry policy: %s", async (func, limit) => {
    const calls: number[] = [];
    const fails = ({ attempt }: { readonly attempt: number }) => {
      calls.push(attempt);
      if (calls.length === 2) return new Promise<never>(() => undefined);
      throw Object.assign(new Error("no"), { reason: "no" });
    };
    const policy = policies[limit];
    const flow =
      func === "rollback"
        ? workflow("fails", { input }).step("1", {
            run: () => fail("turned"),
            rollback: fails,
            rollbackRetry: policy,
          })
        : workflow("fails", { input }).step("1", {
            messages,
            run: func === "run" ? fails : ((() => pause()) as never),
            onMessage: fails,
            retry: policy,
          });
    const own = new VirtualClock();
    const { launcher, clock, another } = await start([flow], { clock: own, abortGrace: 1 });
    await launcher.launch(flow as never, {} as never, { id: "e" });
    if (func === "onMessage") await launcher.send("e", "go", 1);
    await clock.settle();
    expect(calls).toEqual([1]);
    // The first launcher begins the second attempt, and is silent from then on.
    const pauseMs = limit === "attempts" ? 1000 : 50_000;
    for (let passed = 0; passed < pauseMs; passed += 1000) await Promise.all([clock.advance(1000), own.advance(1000)]);
    expect(calls).toEqual([1, 2]);
    const second = await another([flow], { clock });
    await clock.advance("10m");
    expect(await second.execution("e").outcome()).toMatchObject(
      func === "rollback" ? { status: "stuck" } : { status: "rolledBack", reason: "no" },
    );
    // Of three attempts the one that was cut off counts for nothing; after the hundred seconds none begins.
    expect(calls).toEqual(limit === "attempts" ? [1, 2, 3, 4] : [1, 2, 3]);
    const rows = (await told(second.execution("e"))).filter((row) => row.endsWith(": no"));
    expect(rows).toHaveLength(limit === "attempts" ? 3 : 2);
    await own.advance("1m");
  });

  test.each(["retry", "skip"] as const)("after an operator's %s loses nothing of its patch", async (act) => {
    const seen: unknown[] = [];
    const flow = workflow("flow", { input: z.object({ n: z.number() }) })
      .step("1", {
        pivot: true,
        run: () => undefined,
      })
      .step("2", { run: ({ attempt }) => (attempt === 1 ? fail("no") : hangs(2)) })
      .step("3", {
        run: ({ state, attempt }) => {
          seen.push({ ...state });
          return attempt === 1 ? hangs(3) : undefined;
        },
      });
    let isFirst = true;
    /** Until its launcher dies: as long as it is the first one. */
    const hangs = (step: number): Promise<never> | undefined =>
      isFirst && (act === "retry" ? step === 2 : step === 3) ? new Promise<never>(() => undefined) : undefined;
    const own = new VirtualClock();
    const { launcher, clock, another } = await start([flow], { clock: own, abortGrace: 1 });
    const execution = await launcher.launch(flow, { n: 1 }, { id: "e" });
    expect((await execution.outcome()).status).toBe("stuck");
    const asked =
      act === "retry" ? execution.retry({ patch: { n: 2 } }) : execution.skip("by hand", { patch: { n: 2 } });
    await clock.settle();
    await asked;
    isFirst = false;
    const second = await another([flow], { clock });
    await clock.advance("20s");
    expect((await second.execution("e").outcome()).status).toBe("completed");
    expect(seen.at(-1)).toEqual({ n: 2 });
    expect(await second.execution("e").state()).toEqual({ n: 2 });
    await own.advance("1m");
  });
});
