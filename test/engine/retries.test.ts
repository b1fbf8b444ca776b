import { expect, test } from "vitest";
import { z } from "zod";
import { pause, workflow, type StepwellError } from "../../src/index.js";
import { onEveryStore, patient, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("retries and timeouts", (start) => {
  /** Fails on its way up once, and on its way down until the bank is open. */
  function flaky(calls: { runs: number; undos: number[]; isOpen: boolean }, now: () => number) {
    return workflow("flaky", { input }).step("1", {
      run: () => {
        calls.runs++;
        throw new Error("no");
      },
      rollback: () => {
        calls.undos.push(now());
        if (!calls.isOpen) throw new Error("closed");
      },
    });
  }

  test("a step is tried once by default, its rollback with growing waits until the other side is there", async () => {
    const calls = { runs: 0, undos: [] as number[], isOpen: false };
    const it = flaky(calls, () => rig.clock.now());
    const rig = await start([it], patient);
    const execution = await rig.launcher.launch(it, {});
    await rig.clock.advance("6h");
    expect(await execution.summary()).toMatchObject({ status: "scheduled", struggling: true });
    calls.isOpen = true;
    await rig.clock.advance("5m");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "Error" });
    expect(calls.runs).toBe(1);
    const waits = calls.undos.slice(1).map((at, index) => at - calls.undos[index]!);
    for (const [index, wait] of waits.entries()) {
      const longest = Math.min(200 * 2 ** index, 300_000);
      expect(wait).toBeGreaterThanOrEqual(longest / 2);
      expect(wait).toBeLessThanOrEqual(longest);
    }
  });

  test("a rollback that fails for a day parks the execution", async () => {
    const calls = { runs: 0, undos: [] as number[], isOpen: false };
    const it = flaky(calls, () => rig.clock.now());
    const rig = await start([it], patient);
    const execution = await rig.launcher.launch(it, {});
    await rig.clock.advance("25h");
    expect(await execution.summary()).toMatchObject({ status: "stuck", struggling: false });
    const [first, last] = [calls.undos[0]!, calls.undos.at(-1)!];
    expect(last - first).toBeLessThanOrEqual(24 * 3_600_000);
    expect(last - first).toBeGreaterThan(24 * 3_600_000 - 300_001);
  });

  test("one that goes on failing is told of once, at its fifth failure, and shown as struggling until it goes on", async () => {
    let isOpen = false;
    const it = workflow("struggling", { input })
      .step("1", {
        retry: { attempts: 10, delay: "1m", factor: 1, jitter: false },
        run: () => {
          if (!isOpen) throw new Error("closed");
        },
      })
      .step("2", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock, errors } = await start([it]);
    const execution = await launcher.launch(it, {});
    await clock.advance("210s");
    expect((await execution.summary()).struggling).toBe(false);
    expect(errors).toEqual([]);
    await clock.advance("3m");
    expect((await launcher.list({})).executions).toMatchObject([{ id: execution.id, struggling: true }]);
    expect(errors).toMatchObject([
      { code: "STEPWELL_EXECUTION_STRUGGLING", step: "1", message: expect.stringContaining("closed") as string },
    ]);
    isOpen = true;
    await clock.advance("1m");
    expect(await execution.summary()).toMatchObject({ status: "waiting", struggling: false });
    expect(errors).toHaveLength(1);
  });

  test("waits grow by the factor up to the maximum, and are durable: nothing runs in between", async () => {
    const at: number[] = [];
    const { launcher, clock } = await start([backingOff(at, () => clock.now())]);
    const execution = await launcher.launch(
      backingOff(at, () => clock.now()),
      {},
    );
    await clock.settle();
    expect((await execution.summary()).status).toBe("scheduled");
    await clock.advance("1h");
    expect(at.map((time) => time - at[0]!)).toEqual([0, 1000, 3000, 7000, 12_000, 17_000]);
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "BUSY" });
    expect((await execution.history()).map(({ attempt, func }) => [func, attempt])).toEqual([
      ...[1, 2, 3, 4, 5, 6].map((attempt) => ["run", attempt]),
      ["rollback", 1],
    ]);
  });

  function backingOff(at: number[], now: () => number) {
    return workflow("backing-off", { input }).step("1", {
      retry: { attempts: 6, delay: "1s", factor: 2, maxDelay: "5s", jitter: false },
      run: () => {
        at.push(now());
        throw Object.assign(new Error("busy"), { code: "BUSY" });
      },
      rollback: () => undefined,
    });
  }

  test("jitter keeps each wait between half and all of its length", async () => {
    const at: number[] = [];
    const jittered = workflow("jittered", { input }).step("1", {
      retry: { attempts: 20, delay: "1s", factor: 1 },
      run: () => {
        at.push(rig.clock.now());
        throw new Error("no");
      },
    });
    const rig = await start([jittered]);
    await rig.launcher.launch(jittered, {});
    await rig.clock.advance("1m");
    const waits = at.slice(1).map((time, index) => time - at[index]!);
    expect(waits).toHaveLength(19);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...waits)).toBeLessThanOrEqual(1000);
    expect(new Set(waits).size).toBeGreaterThan(5);
  });

  test("`within` limits all attempts together", async () => {
    let tries = 0;
    const limited = workflow("limited", { input }).step("1", {
      retry: { attempts: Infinity, delay: "10s", factor: 1, jitter: false, within: "35s" },
      run: () => {
        tries++;
        throw new Error("no");
      },
    });
    const { launcher, clock } = await start([limited]);
    const execution = await launcher.launch(limited, {});
    await clock.advance("5m");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });
    expect(tries).toBe(4);
  });

  test("no try begins later than `within`, also where no launcher was there when it was due", async () => {
    let tries = 0;
    const limited = workflow("limited", { input }).step("1", {
      retry: { attempts: 5, delay: "500ms", factor: 1, jitter: false, within: "1s" },
      run: () => {
        tries++;
        throw Object.assign(new Error("no answer"), { code: "AWAY" });
      },
    });
    const { launcher, clock, another } = await start([limited]);
    const execution = await launcher.launch(limited, {});
    await clock.settle();
    const stopped = launcher.stop();
    await clock.advance("3s");
    await stopped;
    const other = await another();
    await clock.advance("5s");
    expect(await other.execution(execution.id).outcome()).toMatchObject({
      status: "rolledBack",
      reason: "AWAY",
      error: { message: "no answer" },
    });
    expect(tries).toBe(1);
    expect(await told(other.execution(execution.id))).toEqual(["run 1: AWAY", "run 1: AWAY", "rollback 1: ok"]);
  });

  test("a message that comes after `within` is no try of what failed before the pause", async () => {
    const limited = workflow("limited", { input }).step("1", {
      retry: { attempts: 5, delay: 0, within: "1s" },
      messages: { go: z.null() },
      run: ({ attempt }) => {
        if (attempt === 1) throw new Error("no");
        return pause();
      },
      onMessage: () => ({ done: true }),
    });
    const { launcher, clock } = await start([limited]);
    const execution = await launcher.launch(limited, {});
    await clock.advance("1h");
    await execution.send("go", null);
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { done: true } });
  });

  test("a pause does not refill the attempts", async () => {
    let handled = 0;
    const paused = workflow("paused", { input }).step("1", {
      retry: { attempts: 3, delay: 0 },
      messages: { go: z.null() },
      run: ({ attempt }) => {
        if (attempt < 3) throw new Error("run");
        return pause();
      },
      onMessage: () => {
        handled++;
        throw new Error("handler");
      },
    });
    const { launcher, clock } = await start([paused]);
    const execution = await launcher.launch(paused, {});
    await clock.settle();
    await execution.send("go", null);
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });
    expect(handled).toBe(1);
  });

  test("all attempts see one idempotency key; those of run and rollback differ", async () => {
    const keys: string[] = [];
    const undoKeys: string[] = [];
    const keyed = workflow("keyed", { input }).step("1", {
      retry: { attempts: 3, delay: 0 },
      run: ({ idempotencyKey }) => {
        keys.push(idempotencyKey);
        throw new Error("no");
      },
      rollback: ({ idempotencyKey, runKey, attempt }) => {
        undoKeys.push(idempotencyKey);
        expect(runKey).toBe(keys[0]);
        if (attempt < 3) throw new Error("no");
      },
    });
    const { launcher, clock } = await start([keyed]);
    const execution = await launcher.launch(keyed, {});
    await clock.advance("1m");
    await execution.outcome();
    expect([keys.length, undoKeys.length]).toEqual([3, 3]);
    expect([new Set(keys).size, new Set(undoKeys).size, new Set([...keys, ...undoKeys]).size]).toEqual([1, 1, 2]);
  });

  test("an attempt past its timeout is aborted with a typed reason, and the next starts when it has settled", async () => {
    const reasons: unknown[] = [];
    const slow = workflow("slow", { input }).step("1", {
      timeout: "10s",
      retry: { attempts: 2, delay: 0 },
      run: async ({ signal, attempt }) => {
        if (attempt === 2) return { second: true };
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        reasons.push(signal.reason);
        return { first: true };
      },
    });
    const { launcher, clock, errors } = await start([slow]);
    const execution = await launcher.launch(slow, {});
    await clock.advance("9s");
    expect(reasons).toEqual([]);
    await clock.advance("1s");
    expect((reasons[0] as StepwellError).code).toBe("STEPWELL_ATTEMPT_TIMEOUT");
    expect(await execution.outcome()).toEqual({ status: "completed", reason: "normal", state: { second: true } });
    expect(await told(execution)).toEqual(["run 1: timeout", "run 1: ok"]);
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_LATE_RESULT"]);
  });

  test("an attempt that ignores its signal is given up after the grace time; its late result is reported", async () => {
    let settle: (value: { late: boolean }) => void = () => undefined;
    const deaf = workflow("deaf", { input }).step("1", {
      timeout: "10s",
      run: () => new Promise<{ late: boolean }>((resolve) => (settle = resolve)),
      rollback: () => ({ undone: true }),
    });
    const { launcher, clock, errors } = await start([deaf], { abortGrace: "5s" });
    const execution = await launcher.launch(deaf, {});
    await clock.advance("14s");
    expect((await execution.summary()).status).toBe("running");
    await clock.advance("1s");
    expect(await execution.outcome()).toEqual({
      status: "rolledBack",
      reason: "timeout",
      state: { undone: true },
      error: expect.objectContaining({ code: "STEPWELL_ATTEMPT_TIMEOUT" }),
    });
    settle({ late: true });
    await clock.settle();
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_LATE_RESULT"]);
    expect(await execution.state()).toEqual({ undone: true });
  });

  test("the workflow's deadline turns it with reason deadline, while it waits and while it runs; not on the way down", async () => {
    const seen: unknown[] = [];
    const waiting = workflow("waiting", { input, deadline: "1h" }).step("1", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
      rollback: () => pause({}, { timeout: "3h" }),
      rollbackMessages: { ok: z.null() },
      onRollbackMessage: () => undefined,
    });
    const running = workflow("running", { input, deadline: "1h" }).step("1", {
      run: ({ signal }) =>
        new Promise<{ gave: boolean }>((resolve) =>
          signal.addEventListener("abort", () => {
            seen.push((signal.reason as StepwellError).code);
            resolve({ gave: true });
          }),
        ),
      rollback: ({ given }) => void seen.push(given),
    });
    const { launcher, clock } = await start([waiting, running]);
    const first = await launcher.launch(waiting, {});
    const second = await launcher.launch(running, {});
    await clock.advance("59m");
    expect((await first.flow()).direction).toBe("up");
    await clock.advance("1m");
    expect(await first.flow()).toMatchObject({ direction: "down", reason: "deadline" });
    expect(await second.outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
    expect(seen).toEqual(["STEPWELL_DEADLINE_EXCEEDED", { gave: true }]);
    await clock.advance("1h");
    expect((await first.summary()).status).toBe("waiting");
    await first.send("ok", null);
    expect(await first.outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
  });
});

onEveryStore("what counts and what does not", (start) => {
  test("`within` counts from the first failure: a wait for a message is no attempt", async () => {
    let tries = 0;
    const patient = workflow("patient", { input }).step("1", {
      retry: { attempts: 3, delay: "1s", within: "1m", jitter: false },
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => {
        if (++tries < 2) throw new Error("not yet");
      },
    });
    const { launcher, clock } = await start([patient]);
    const execution = await launcher.launch(patient, {});
    await clock.advance("10m");
    await execution.send("go", null);
    await clock.advance("2s");
    expect((await execution.outcome()).status).toBe("completed");
    expect(tries).toBe(2);
  });

  test("each timeout that `onTimeout` answers has its own key, the same over its attempts", async () => {
    const keys: string[] = [];
    const reminders = workflow("reminders", { input }).step("1", {
      retry: { attempts: 2, delay: 0 },
      messages: { go: z.null() },
      run: () => pause({}, { timeout: "1m" }),
      onMessage: () => undefined,
      onTimeout: ({ idempotencyKey, attempt }) => {
        keys.push(idempotencyKey);
        if (keys.length === 1 && attempt === 1) throw new Error("once more");
        return keys.length < 4 ? pause({}, { timeout: "1m" }) : undefined;
      },
    });
    const { launcher, clock } = await start([reminders]);
    const execution = await launcher.launch(reminders, {}, { id: "e" });
    await clock.advance("5m");
    expect((await execution.outcome()).status).toBe("completed");
    expect(keys).toHaveLength(4);
    expect(keys[0]).toBe(keys[1]);
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key).toMatch(/^e\/1\/runContinue\/timeout\/\d+$/);
  });

  test("a deadline that passes while the pivot runs waits for its end, and is too late if it succeeds", async () => {
    const settle: ((value: object | Error) => void)[] = [];
    const aborted: boolean[] = [];
    const capture = workflow("capture", { input, deadline: "1m" }).step("1", {
      pivot: true,
      run: ({ signal }) =>
        new Promise<object>((resolve, reject) => {
          settle.push((value) => {
            aborted.push(signal.aborted);
            if (value instanceof Error) reject(value);
            else resolve(value);
          });
        }),
    });
    const { launcher, clock } = await start([capture]);
    const [done, broken] = [await launcher.launch(capture, {}), await launcher.launch(capture, {})];
    await clock.advance("2m");
    settle[0]!({ captured: true });
    settle[1]!(new Error("declined"));
    await clock.settle();
    expect((await done.outcome()).status).toBe("completed");
    expect(await broken.outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
    expect(aborted).toEqual([false, false]);
  });
});
