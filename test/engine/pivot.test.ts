import { expect, test } from "vitest";
import { z } from "zod";
import { complete, fail, observer, pause, workflow, type AnyWorkflow } from "../../src/index.js";
import { onEveryStore, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("after a pivot", (start) => {
  const captured = () =>
    workflow("captured", { input })
      .step("reserve", { run: () => undefined, rollback: () => ({ undone: true }) })
      .step("capture", { pivot: true, run: () => undefined, rollback: () => ({ undone: true }) });

  /** Until nothing happens any more. */
  async function ended(it: AnyWorkflow) {
    const { launcher, clock } = await start([it]);
    const execution = await launcher.launch(it, {});
    await clock.advance("10m");
    return { execution, outcome: await execution.outcome() };
  }

  test("a step's own policy counts, where it has one", async () => {
    let tries = 0;
    const { outcome } = await ended(
      captured().step("notify", {
        retry: { attempts: 2, delay: "1s" },
        run: () => {
          tries++;
          throw new Error("no");
        },
      }),
    );
    expect(outcome).toMatchObject({ status: "stuck", direction: "up", step: "notify", reason: "Error" });
    expect(tries).toBe(2);
  });

  test("an attempt that runs out of time is retried as a thrown error is, and then parks", async () => {
    let tries = 0;
    const { outcome, execution } = await ended(
      captured().step("notify", {
        retry: { attempts: 5, delay: "1s" },
        timeout: "1s",
        run: ({ signal }) => {
          tries++;
          return new Promise<void>((_resolve, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
          );
        },
      }),
    );
    expect(outcome).toMatchObject({ status: "stuck", direction: "up", reason: "timeout" });
    expect(tries).toBe(5);
    expect(await told(execution)).not.toContainEqual(expect.stringContaining("rollback"));
  });

  test("a wait that runs out of time begins again from the step's run, and then parks", async () => {
    let tries = 0;
    const { outcome } = await ended(
      captured().step("ask", {
        retry: { attempts: 5, delay: "1s" },
        messages: { answer: z.null() },
        run: () => (tries++, pause(undefined, { timeout: "1s" })),
        onMessage: () => undefined,
      }),
    );
    expect(outcome).toMatchObject({ status: "stuck", direction: "up", step: "ask", reason: "timeout" });
    expect(tries).toBe(5);
  });

  test.each([
    ["before a step", { beforeStep: ({ step }: { step?: { name: string } }) => veto(step) }, 0],
    ["after a step", { afterStep: ({ step }: { step?: { name: string } }) => veto(step) }, 1],
  ] as const)("a guard's veto %s parks at once", async (_when, callbacks, runs) => {
    let tries = 0;
    const guarded = captured()
      .step("notify", { retry: { attempts: 5 }, run: () => void tries++ })
      .observe(observer({ name: "guard", guard: true, ...callbacks }));
    const { outcome } = await ended(guarded);
    expect(outcome).toMatchObject({ status: "stuck", direction: "up", step: "notify", reason: "vetoed" });
    expect(tries).toBe(runs);
  });

  function veto(step: { name: string } | undefined) {
    return step?.name === "notify" ? fail("vetoed") : undefined;
  }

  test("no request turns it: not while a step runs, waits or is due later, nor when it is stuck or has completed", async () => {
    const until = { stuck: true };
    let finish: (() => void) | undefined;
    const long = captured()
      .step("run", { run: () => new Promise<void>((resolve) => (finish = resolve)) })
      .step("wait", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined })
      .step("retry", {
        retry: { attempts: 2, delay: "1h", maxDelay: "1h" },
        run: () => {
          if (until.stuck) throw new Error("no");
        },
      });
    const { launcher, clock } = await start([long]);
    const execution = await launcher.launch(long, {});
    const refused = async (status: string): Promise<void> => {
      const rows = await execution.history();
      expect((await execution.summary()).status).toBe(status);
      expect(await execution.rollback("please")).toMatchObject({
        accepted: false,
        why: "past-pivot",
        error: { code: "STEPWELL_PAST_PIVOT", execution: execution.id, workflow: "captured" },
      });
      await clock.settle();
      expect(await execution.history()).toEqual(rows);
      expect((await execution.summary()).status).toBe(status);
    };
    await clock.settle();
    await refused("running");
    finish!();
    await clock.settle();
    await refused("waiting");
    await execution.send("go", null);
    await clock.settle();
    await refused("scheduled");
    await clock.advance("2h");
    await refused("stuck");
    until.stuck = false;
    await execution.retry();
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    await refused("completed");
    expect((await execution.state()) as object).not.toHaveProperty("undone");
  });

  test("a deadline turns nothing, also where a step runs or is retried when it passes", async () => {
    let tries = 0;
    const late = workflow("late", { input, deadline: "1s" })
      .step("capture", { pivot: true, run: () => undefined })
      .step("notify", {
        retry: { attempts: 3, delay: "2s", maxDelay: "2s" },
        run: ({ signal }) => {
          tries++;
          expect(signal.aborted).toBe(false);
          if (tries < 3) throw new Error("no");
          return { told: true };
        },
      });
    const { outcome } = await ended(late);
    expect(outcome).toMatchObject({ status: "completed", state: { told: true } });
  });

  test("one that ends early with its pivot can't be rolled back; one that ended before it can", async () => {
    const early = (at: "before" | "pivot") =>
      workflow(at, { input })
        .step("before", { run: () => (at === "before" ? complete() : undefined), rollback: () => ({ undone: true }) })
        .step("pivot", { pivot: true, run: () => complete(), rollback: () => ({ undone: true }) })
        .step("after", { run: () => undefined });
    const [before, pivot] = [early("before"), early("pivot")];
    const { launcher } = await start([before, pivot]);
    const done = await launcher.launch(pivot, {});
    expect(await done.outcome()).toMatchObject({ status: "completed" });
    expect(await done.rollback("back")).toMatchObject({ accepted: false, why: "past-pivot" });
    const undone = await launcher.launch(before, {});
    expect(await undone.outcome()).toMatchObject({ status: "completed" });
    expect(await undone.rollback("back")).toEqual({ accepted: true });
    expect(await undone.outcome()).toMatchObject({ status: "rolledBack", state: { undone: true } });
  });

  test("a pivot that waits is not done yet: a request turns it at once, and its own undo is called", async () => {
    const waits = workflow("waits", { input }).step("capture", {
      pivot: true,
      messages: { captured: z.null() },
      run: () => pause({ asked: true }),
      onMessage: () => undefined,
      rollback: ({ given }) => ({ cancelled: given.asked }),
    });
    const { launcher, clock } = await start([waits]);
    const execution = await launcher.launch(waits, {});
    await clock.settle();
    expect(await execution.rollback("changed-mind")).toEqual({ accepted: true });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", state: { cancelled: true } });
  });

  test("what another launcher takes up is as far past the pivot", async () => {
    const waits = captured().step("wait", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => fail("no"),
    });
    const { launcher, another, clock } = await start([waits]);
    const execution = await launcher.launch(waits, {});
    await clock.settle();
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    const next = await another();
    await next.send(execution.id, "go", null);
    expect(await next.execution(execution.id).outcome()).toMatchObject({
      status: "stuck",
      direction: "up",
      reason: "no",
    });
    expect(await next.rollback(execution.id, "back")).toMatchObject({ why: "past-pivot" });
  });
});
