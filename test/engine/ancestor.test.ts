/** The behaviour that Stepwell keeps from WorkflowEx, by name, and the faults that it does not keep. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, observer, pause, workflow } from "../../src/index.js";
import { onEveryStore, scribe, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("what the ancestor did", (start) => {
  /** Two steps that write down what they do; `second` says what the second one gives back. */
  function twoSteps(
    lines: string[],
    second: () => ReturnType<typeof fail> | { two: number } | Promise<{ two: number }> = () => ({ two: 2 }),
  ) {
    return workflow("two", { input })
      .step("1", {
        run: () => {
          lines.push("run 1");
          return { one: 1 };
        },
        rollback: () => void lines.push("rollback 1"),
      })
      .step("2", {
        run: () => {
          lines.push("run 2");
          return second();
        },
        rollback: () => void lines.push("rollback 2"),
      })
      .observe(scribe(lines));
  }

  function asyncSteps(lines: string[], retry?: { attempts: number }) {
    return workflow("async", { input })
      .step("1", { run: () => void lines.push("run 1"), rollback: () => void lines.push("rollback 1") })
      .step("2", {
        ...(retry && { retry }),
        messages: { go: z.object({ ok: z.boolean() }) },
        run: () => {
          lines.push("run 2");
          return pause({ asked: true });
        },
        onMessage: ({ message }) => {
          lines.push("runContinue 2");
          return message.payload.ok ? { answered: true } : fail("refused");
        },
        rollback: () => void lines.push("rollback 2"),
      })
      .observe(scribe(lines));
  }

  test("two sync steps ok", async () => {
    const lines: string[] = [];
    const two = twoSteps(lines);
    const { launcher } = await start([two]);
    const outcome = await (await launcher.launch(two, {})).outcome();
    expect(outcome).toEqual({ status: "completed", reason: "normal", state: { one: 1, two: 2 } });
    expect(lines).toEqual([
      "init",
      "beforeStep 1",
      "run 1",
      "afterStep 1",
      "beforeStep 2",
      "run 2",
      "afterStep 2",
      "success",
    ]);
  });

  test("the second step fails: run 1, run 2, rollback 2, rollback 1", async () => {
    const lines: string[] = [];
    const two = twoSteps(lines, () => fail("no-stock"));
    const { launcher } = await start([two]);
    const outcome = await (await launcher.launch(two, {})).outcome();
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "no-stock", state: { one: 1 } });
    expect(lines).toEqual([
      "init",
      ...["beforeStep 1", "run 1", "afterStep 1"],
      ...["beforeStep 2", "run 2", "afterStep 2"],
      "startRollback 2",
      ...["beforeStep 2", "rollback 2", "afterStep 2"],
      ...["beforeStep 1", "rollback 1", "afterStep 1"],
      "failure",
    ]);
  });

  test("an async step whose message is sent after it waits; afterStep is not called on pause", async () => {
    const lines: string[] = [];
    const waiting = asyncSteps(lines);
    const { launcher, clock } = await start([waiting]);
    const execution = await launcher.launch(waiting, {});
    await clock.settle();
    expect(lines).toEqual(["init", "beforeStep 1", "run 1", "afterStep 1", "beforeStep 2", "run 2"]);
    expect((await execution.summary()).status).toBe("waiting");
    lines.length = 0;
    await execution.send("go", { ok: true });
    expect((await execution.outcome()).status).toBe("completed");
    expect(lines).toEqual(["runContinue 2", "afterStep 2", "success"]);
  });

  test("an async step whose message is sent before it waits", async () => {
    const lines: string[] = [];
    const waiting = asyncSteps(lines);
    const { launcher, clock } = await start([waiting]);
    const execution = await launcher.launch(waiting, {}, { delay: "1m" });
    await execution.send("go", { ok: true });
    expect(lines).toEqual([]);
    await clock.advance("1m");
    expect((await execution.outcome()).status).toBe("completed");
    expect(lines).toEqual([
      "init",
      ...["beforeStep 1", "run 1", "afterStep 1"],
      ...["beforeStep 2", "run 2", "runContinue 2", "afterStep 2"],
      "success",
    ]);
  });

  test("async failure", async () => {
    const lines: string[] = [];
    const waiting = asyncSteps(lines);
    const { launcher } = await start([waiting]);
    const execution = await launcher.launch(waiting, {});
    await execution.send("go", { ok: false });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "refused" });
    expect(await told(execution)).toEqual([
      "run 1: ok",
      "run 2: continue",
      "runContinue 2: refused",
      "rollback 2: ok",
      "rollback 1: ok",
    ]);
  });

  test("external rollback while waiting", async () => {
    const lines: string[] = [];
    const waiting = asyncSteps(lines);
    const { launcher, clock } = await start([waiting]);
    const execution = await launcher.launch(waiting, {});
    await clock.settle();
    lines.length = 0;
    expect(await execution.rollback("changed-my-mind")).toEqual({ accepted: true });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "changed-my-mind" });
    expect(lines).toEqual([
      "startRollback 2",
      ...["beforeStep 2", "rollback 2", "afterStep 2"],
      ...["beforeStep 1", "rollback 1", "afterStep 1"],
      "failure",
    ]);
  });

  test("started directly in rollback at step 1", async () => {
    const lines: string[] = [];
    const two = twoSteps(lines);
    const { launcher } = await start([two]);
    const execution = await launcher.launch(two, {}, { rollback: { from: "1", reason: "by-hand", state: { one: 1 } } });
    expect(await execution.outcome()).toEqual({ status: "rolledBack", reason: "by-hand", state: { one: 1 } });
    expect(lines).toEqual(["startRollback 1", "beforeStep 1", "rollback 1", "afterStep 1", "failure"]);
  });

  test("a throwing watcher disturbs nothing", async () => {
    const lines: string[] = [];
    const broken = observer({
      name: "broken",
      init: () => {
        throw new Error("watcher");
      },
      beforeStep: () => {
        throw new Error("watcher");
      },
      afterStep: () => {
        throw new Error("watcher");
      },
      success: () => {
        throw new Error("watcher");
      },
    });
    const two = twoSteps(lines).observe(broken);
    const { launcher, errors } = await start([two]);
    expect(await (await launcher.launch(two, {})).outcome()).toMatchObject({ status: "completed" });
    // Once for each callback: what happens again and again is counted, not repeated.
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => "STEPWELL_OBSERVER_FAILED"));
    expect(errors[0]!.message).toContain('"broken"');
  });

  test.each(["normal", "ok", " ok "])(
    "onExit can't call what was rolled back %j: that is reported, and not taken",
    async (word) => {
      const lying = workflow("lying", { input, onExit: () => word }).step("1", { run: () => fail("no") });
      const { launcher, errors } = await start([lying]);
      const execution = await launcher.launch(lying, {});
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "no" });
      expect(errors).toMatchObject([{ code: "STEPWELL_OBSERVER_FAILED", execution: execution.id }]);
    },
  );

  test("onExit sees the reason and may map it", async () => {
    const seen: unknown[] = [];
    const mapped = workflow("mapped", {
      input,
      onExit: (reason, state) => {
        seen.push(reason, state);
        return reason === "normal" ? "all-done" : `undone:${reason}`;
      },
    }).step("1", { run: () => ({ a: 1 }) });
    const failing = workflow("failing", { input, onExit: (reason) => `undone:${reason}` }).step("1", {
      run: () => fail("broken"),
    });
    const { launcher } = await start([mapped, failing]);
    expect(await (await launcher.launch(mapped, {})).outcome()).toMatchObject({ reason: "all-done" });
    expect(seen).toEqual(["normal", { a: 1 }]);
    expect(await (await launcher.launch(failing, {})).outcome()).toMatchObject({ reason: "undone:broken" });
  });
});
