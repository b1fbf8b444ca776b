/** What an undo is told of the way up of its step: whether its last function may have begun and gave nothing back. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, observer, pause, workflow, type AnyWorkflow } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({ n: z.number() });

type Steps = ReturnType<typeof typed>;

const typed = () => workflow("steps", { input }).step("1", { run: () => undefined });

/** Undone by a step that fails after it, or by itself; `heard` is what its undo was told. */
function undone(heard: boolean[], options: object): Steps {
  return workflow("steps", { input }).step("1", {
    ...options,
    rollback: ({ halfDone }: { halfDone: boolean }) => void heard.push(halfDone),
  } as never);
}

const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

onEveryStore("an undo", (start) => {
  const told = async (options: object, meanwhile?: (rig: Awaited<ReturnType<typeof start>>, id: string) => unknown) => {
    const heard: boolean[] = [];
    const steps: AnyWorkflow = undone(heard, options);
    const rig = await start([steps]);
    const execution = await rig.launcher.launch(steps as Steps, { n: 1 });
    await meanwhile?.(rig, execution.id);
    await rig.clock.advance("1m");
    expect((await execution.outcome()).status).toBe("rolledBack");
    return heard;
  };

  test("is told that its step is half done where its last attempt threw or timed out", async () => {
    expect(
      await told({
        run: () => {
          throw new Error("no answer");
        },
      }),
    ).toEqual([true]);
    expect(await told({ timeout: "1s", run: ({ signal }: { signal: AbortSignal }) => forever(signal) })).toEqual([
      true,
    ]);
  });

  test("is told so where what its step gave back is lost", async () => {
    expect(await told({ run: () => ({ socket: Symbol("not storable") }) })).toEqual([true]);
    expect(await told({ run: () => 7 })).toEqual([true]);
  });

  test("is told that it is not where its step gave something back, whatever that was", async () => {
    expect(await told({ run: () => fail("declined", { patch: { tried: true } }) })).toEqual([false]);
    let calls = 0;
    const retried = {
      retry: { attempts: 2, delay: 0 },
      run: () => {
        if (++calls === 1) throw new Error("no answer");
        return fail("declined");
      },
    };
    expect(await told(retried)).toEqual([false]);
  });

  test("is told of a handler that threw, and not of a wait that nobody ended", async () => {
    const waits = { messages: { go: z.null() }, run: () => pause({}, { timeout: "10s" }) };
    const throws = {
      ...waits,
      onMessage: () => {
        throw new Error("no answer");
      },
    };
    expect(await told(throws, ({ launcher }, id) => launcher.send(id, "go", null))).toEqual([true]);
    expect(await told({ ...waits, onMessage: () => undefined })).toEqual([false]);
    // An attempt that failed before the wait began says nothing of what it waits for.
    let calls = 0;
    const late = {
      ...{ ...waits, onMessage: () => undefined, retry: { attempts: 2, delay: 0 } },
      run: () => {
        if (++calls === 1) throw new Error("no answer");
        return pause({}, { timeout: "10s" });
      },
    };
    expect(await told(late)).toEqual([false]);
  });

  test("is told of an attempt that a request aborted, and of one whose next try is not due yet", async () => {
    const runs = { run: ({ signal }: { signal: AbortSignal }) => forever(signal) };
    expect(await told(runs, ({ launcher }, id) => launcher.rollback(id, "changed-my-mind"))).toEqual([true]);
    const waits = {
      retry: { attempts: 2, delay: "1h", jitter: false },
      run: () => {
        throw new Error("no answer");
      },
    };
    const asks = async ({ launcher, clock }: Awaited<ReturnType<typeof start>>, id: string): Promise<void> => {
      await clock.advance("1s");
      await launcher.rollback(id, "changed-my-mind");
    };
    expect(await told(waits, asks)).toEqual([true]);
  });

  test("is told the same by each of its own attempts, also after a restart, and the step before it of none", async () => {
    const heard: string[] = [];
    let tries = 0;
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ one: 1 }), rollback: ({ halfDone }) => void heard.push(`1 ${halfDone}`) })
      .step("2", {
        rollbackRetry: { attempts: 3, delay: "10s", jitter: false },
        run: () => {
          throw new Error("no answer");
        },
        rollback: ({ halfDone }) => {
          heard.push(`2 ${halfDone}`);
          if (++tries < 3) throw new Error("not yet");
        },
      });
    const { launcher, clock, another } = await start([steps]);
    const { id } = await launcher.launch(steps, { n: 1 });
    await clock.advance("5s");
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    const second = await another();
    await clock.advance("1m");
    expect((await second.execution(id).outcome()).status).toBe("rolledBack");
    expect(heard).toEqual(["2 true", "2 true", "2 true", "1 false"]);
  });

  test("is told of an attempt whose launcher was lost before it gave anything back", async () => {
    const heard: boolean[] = [];
    let calls = 0;
    const steps = undone(heard, {
      run: ({ signal }: { signal: AbortSignal }) => (++calls === 1 ? new Promise(() => signal) : undefined),
    });
    const guarded = steps.observe(
      observer({
        name: "guard",
        guard: true,
        beforeStep: ({ attempt = 1 }) => (attempt > 1 ? fail("closed") : undefined),
      }),
    );
    const { launcher, store, clock, another } = await start([guarded]);
    const { id } = await launcher.launch(guarded, { n: 1 });
    await clock.settle();
    const owner = await store.register({ host: "undertaker", pid: 1 });
    const { others } = await store.beat(owner);
    await store.removeLaunchers([...others.map((it) => it.owner), owner]);
    const second = await another();
    await clock.advance("1m");
    expect(await second.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "closed" });
    expect(heard).toEqual([true]);
  });

  test("is told of an attempt that a stop cut off", async () => {
    const heard: boolean[] = [];
    const steps = undone(heard, { run: ({ signal }: { signal: AbortSignal }) => forever(signal) });
    const { launcher, clock, another } = await start([steps]);
    const { id } = await launcher.launch(steps, { n: 1 });
    await clock.settle();
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    const held = undone(heard, { retry: { attempts: 2 }, run: () => fail("never") });
    const guarded = held.observe(
      observer({
        name: "guard",
        guard: true,
        beforeStep: ({ attempt = 1 }) => (attempt > 1 ? fail("closed") : undefined),
      }),
    );
    const second = await another([guarded]);
    await clock.advance("1m");
    expect(await second.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "closed" });
    expect(heard).toEqual([true]);
  });

  test("is told of an attempt whose launcher was lost where a request turns the execution before another one", async () => {
    const heard: boolean[] = [];
    let calls = 0;
    const steps = undone(heard, { run: () => (++calls === 1 ? new Promise(() => undefined) : undefined) });
    const { launcher, store, clock, another } = await start([steps]);
    const { id } = await launcher.launch(steps, { n: 1 });
    await clock.settle();
    const owner = await store.register({ host: "undertaker", pid: 1 });
    const { others } = await store.beat(owner);
    await launcher.rollback(id, "changed-my-mind");
    await store.removeLaunchers([...others.map((it) => it.owner), owner]);
    const second = await another();
    await clock.advance("1m");
    expect(await second.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect([heard, calls]).toEqual([[true], 1]);
  });

  const silent = (): never => {
    throw new Error("no answer");
  };

  /** The second of its steps fails, and the execution goes on all the same. Its undo waits for a message. */
  const goneOn = (heard: string[], run: () => undefined) =>
    workflow("steps", { input })
      .step("1", { run: () => undefined, rollback: ({ halfDone }) => void heard.push(`1 ${halfDone}`) })
      .step("2", {
        run,
        recover: () => ({ recovered: true }),
        rollbackMessages: { go: z.null() },
        rollback: ({ halfDone }) => {
          heard.push(`2 ${halfDone}`);
          return pause();
        },
        onRollbackMessage: ({ halfDone }) => void heard.push(`2 goes on, ${halfDone}`),
      });

  test("is told of an attempt that gave nothing back though its step recovered, also after a restart on the way down", async () => {
    const heard: string[] = [];
    const steps = goneOn(heard, silent).step("3", { run: () => fail("no") });
    const { launcher, clock, another } = await start([steps]);
    const { id } = await launcher.launch(steps, { n: 1 });
    await clock.settle();
    expect(heard).toEqual(["2 true"]);
    await launcher.stop();
    const second = await another();
    await second.execution(id).send("go", null);
    expect(await second.execution(id).outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
    expect(heard).toEqual(["2 true", "2 goes on, true", "1 false"]);
  });

  test("is told so, too, where the execution had completed with that step", async () => {
    const heard: string[] = [];
    const steps = goneOn(heard, silent);
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { recovered: true } });
    await execution.rollback("back");
    await execution.send("go", null);
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(heard).toEqual(["2 true", "2 goes on, true", "1 false"]);
  });

  test("is told of none where its step recovered from `fail`, which is an answer", async () => {
    const heard: string[] = [];
    const steps = goneOn(heard, () => fail("declined") as never).step("3", { run: () => fail("no") });
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    await execution.send("go", null);
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
    expect(heard).toEqual(["2 false", "2 goes on, false", "1 false"]);
  });

  test("is told of an attempt that gave nothing back where a migration has put the execution after its step", async () => {
    const heard: string[] = [];
    const older = goneOn(heard, silent).step("3", {
      messages: { end: z.null() },
      run: () => pause(),
      onMessage: () => fail("no"),
    });
    const newer = workflow("steps", { input, version: "2" })
      .step("0", { rollback: ({ halfDone }) => void heard.push(`0 ${halfDone}`) })
      .step("1", { rollback: ({ halfDone }) => void heard.push(`1 ${halfDone}`) })
      .step("renamed", { rollback: ({ halfDone }) => void heard.push(`2 ${halfDone}`) })
      .step("3", { messages: { end: z.null() }, run: () => pause(), onMessage: () => fail("no") })
      .migrate(older, { steps: { "2": "renamed" } });
    const { launcher, clock, another } = await start([older]);
    const { id } = await launcher.launch(older, { n: 1 });
    await clock.settle();
    await launcher.stop();
    const second = await another([newer]);
    await second.send(id, "end", null);
    expect((await second.execution(id).outcome()).status).toBe("rolledBack");
    expect(heard).toEqual(["2 true", "1 false", "0 false"]);
  });

  test("of an execution that had completed is told that nothing is in doubt", async () => {
    const heard: boolean[] = [];
    let calls = 0;
    const steps = undone(heard, {
      retry: { attempts: 2, delay: 0 },
      run: () => {
        if (++calls === 1) throw new Error("no answer");
      },
    });
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { n: 1 });
    await execution.outcome();
    await execution.rollback("back");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(heard).toEqual([false]);
  });
});
