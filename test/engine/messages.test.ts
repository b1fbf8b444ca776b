import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow } from "../../src/index.js";
import { onEveryStore, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("messages", (start) => {
  function gathering(seen: unknown[]) {
    return workflow("gathering", { input }).step("gather", {
      messages: { part: z.object({ n: z.coerce.number().int() }), end: z.null() },
      run: () => pause({ sum: 0 }),
      onMessage: ({ state, message }) => {
        seen.push(message);
        return message.name === "end" ? { done: true } : pause({ sum: state.sum + message.payload.n });
      },
    });
  }

  test("are consumed in the order in which they were accepted", async () => {
    const seen: unknown[] = [];
    const gather = gathering(seen);
    const { launcher } = await start([gather]);
    const execution = await launcher.launch(gather, {});
    for (const n of [1, 2, 3]) await execution.send("part", { n }, { messageId: `m${n}` });
    await execution.send("end", null, { messageId: "e" });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { sum: 6, done: true } });
    expect(seen).toMatchObject([{ id: "m1" }, { id: "m2" }, { id: "m3" }, { id: "e", name: "end", payload: null }]);
  });

  test("the handler sees what the schema makes of the payload; the mailbox keeps it as it was sent", async () => {
    const seen: { payload?: unknown }[] = [];
    const gather = gathering(seen);
    const { launcher, clock } = await start([gather]);
    const execution = await launcher.launch(gather, {});
    await execution.send("part", { n: "41" });
    await clock.settle();
    expect(seen[0]!.payload).toEqual({ n: 41 });
    expect(await execution.mailbox()).toMatchObject([
      { name: "part", payload: { n: "41" }, status: "consumed", step: "gather" },
    ]);
  });

  test("the same messageId twice is one message, also after the execution has ended", async () => {
    const seen: unknown[] = [];
    const gather = gathering(seen);
    const { launcher } = await start([gather]);
    const execution = await launcher.launch(gather, {});
    expect(await execution.send("end", null, { messageId: "evt_1" })).toEqual({ id: "evt_1", duplicate: false });
    await execution.outcome();
    expect(await execution.send("end", null, { messageId: "evt_1" })).toEqual({ id: "evt_1", duplicate: true });
    expect(await launcher.send(execution.id, "nonsense", 5, { messageId: "evt_1" })).toEqual({
      id: "evt_1",
      duplicate: true,
    });
    expect(seen).toHaveLength(1);
  });

  test("to an ended execution, with an unknown name or a payload that no step accepts, are refused and not stored", async () => {
    const gather = gathering([]);
    const { launcher } = await start([gather]);
    const execution = await launcher.launch(gather, {});
    await expect(launcher.send(execution.id, "parts", { n: 1 })).rejects.toMatchObject({
      code: "STEPWELL_UNKNOWN_MESSAGE",
      message: expect.stringContaining("part, end"),
    });
    await expect(execution.send("part", { n: "many" })).rejects.toMatchObject({ code: "STEPWELL_INVALID_MESSAGE" });
    await expect(launcher.send(execution.id, "part", { n: 1, f: () => 1 })).rejects.toMatchObject({
      code: "STEPWELL_NOT_ENCODABLE",
    });
    await execution.send("end", null);
    await execution.outcome();
    await expect(execution.send("part", { n: 1 })).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_ENDED" });
    await expect(launcher.send("nobody", "part", {})).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
    expect(await execution.mailbox()).toHaveLength(1);
  });

  test("what nobody has taken when the execution ends is a dead letter", async () => {
    const two = workflow("two", { input })
      .step("1", { messages: { a: z.null() }, run: () => pause(), onMessage: () => undefined })
      .step("2", { messages: { b: z.null() }, run: () => undefined, onMessage: () => undefined });
    const { launcher } = await start([two]);
    const execution = await launcher.launch(two, {});
    await execution.send("b", null);
    await execution.send("a", null);
    await execution.outcome();
    expect((await execution.mailbox()).map(({ name, status }) => [name, status])).toEqual([
      ["b", "dead"],
      ["a", "consumed"],
    ]);
  });

  test("a stored message that its step's schema refuses becomes a dead letter, and the wait goes on", async () => {
    const strict = workflow("strict", { input })
      .step("lenient", { messages: { m: z.string() }, run: () => undefined, onMessage: () => undefined })
      .step("strict", {
        messages: { m: z.literal("yes") },
        run: () => pause(),
        onMessage: ({ message }) => ({ got: message.payload }),
      });
    const { launcher, clock, errors } = await start([strict]);
    const execution = await launcher.launch(strict, {});
    await execution.send("m", "no");
    await clock.settle();
    expect((await execution.summary()).status).toBe("waiting");
    expect((await execution.mailbox())[0]).toMatchObject({ status: "dead" });
    expect(errors).toMatchObject([{ code: "STEPWELL_INVALID_MESSAGE" }]);
    await execution.send("m", "yes");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { got: "yes" } });
  });

  test("a handler that throws leaves its message until a commit succeeds", async () => {
    let tries = 0;
    const flaky = workflow("flaky", { input }).step("1", {
      retry: { attempts: 3, delay: "1s", jitter: false },
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: ({ attempt }) => {
        tries++;
        if (attempt < 3) throw new Error("not yet");
        return { tries };
      },
    });
    const { launcher, clock } = await start([flaky]);
    const execution = await launcher.launch(flaky, {});
    await execution.send("go", null);
    await clock.settle();
    expect((await execution.mailbox())[0]).toMatchObject({ status: "pending" });
    await clock.advance("3s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { tries: 3 } });
    expect((await execution.mailbox())[0]).toMatchObject({ status: "consumed" });
  });

  test("the key of a handler is made of the message: stable over attempts, different for each message", async () => {
    const keys: string[] = [];
    const keyed = workflow("keyed", { input }).step("1", {
      retry: { attempts: 2, delay: 0 },
      messages: { m: z.number() },
      run: ({ idempotencyKey }) => {
        keys.push(idempotencyKey);
        return pause();
      },
      onMessage: ({ idempotencyKey, attempt, message }) => {
        keys.push(idempotencyKey);
        if (attempt === 1) throw new Error("again");
        return message.payload === 2 ? undefined : pause();
      },
      rollback: ({ runKey, idempotencyKey }) => void keys.push(runKey, idempotencyKey),
    });
    const { launcher } = await start([keyed]);
    const execution = await launcher.launch(keyed, {});
    await execution.send("m", 1);
    await execution.send("m", 2);
    await execution.outcome();
    await execution.rollback("back");
    await execution.outcome();
    const [run, first, firstAgain, second, runKey, rollback] = keys;
    expect(first).toBe(firstAgain);
    expect(runKey).toBe(run);
    expect(new Set([run, first, second, rollback]).size).toBe(4);
  });

  test("an undo waits for messages of its own, and takes those for the way up only if it declares them too", async () => {
    const booked = workflow("booked", { input }).step("book", {
      messages: { settled: z.string(), other: z.string() },
      rollbackMessages: { settled: z.string() },
      run: () => pause(),
      onMessage: () => fail("unused"),
      rollback: () => pause({ cancelling: true }),
      onRollbackMessage: ({ message }) => ({ undoneWith: message.payload }),
    });
    const { launcher, clock } = await start([booked]);
    const execution = await launcher.launch(booked, {}, { delay: "1m" });
    await execution.rollback("never-mind");
    await clock.advance("1m");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack" });

    const second = await launcher.launch(booked, {});
    await clock.settle();
    await second.rollback("changed");
    await clock.settle();
    expect((await second.summary()).status).toBe("waiting");
    await second.send("other", "for the way up");
    await clock.settle();
    expect((await second.summary()).status).toBe("waiting");
    await second.send("settled", "late");
    expect(await second.outcome()).toMatchObject({ status: "rolledBack", state: { undoneWith: "late" } });
    expect((await second.mailbox()).map(({ status }) => status)).toEqual(["dead", "consumed"]);
  });

  test("a pause times out on the way up: the step fails with reason timeout", async () => {
    const slow = workflow("slow", { input }).step("1", {
      messages: { go: z.null() },
      run: () => pause({}, { timeout: "30m" }),
      onMessage: () => undefined,
      rollback: () => ({ undone: true }),
    });
    const { launcher, clock } = await start([slow]);
    const execution = await launcher.launch(slow, {});
    await clock.advance("29m");
    expect((await execution.summary()).status).toBe("waiting");
    await clock.advance("1m");
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "timeout",
      state: { undone: true },
    });
  });

  test("onTimeout decides what a timeout means; without messages a pause is a durable sleep", async () => {
    const slow = workflow("slow", { input })
      .step("nap", { run: () => pause({}, { timeout: "1h" }), onTimeout: () => ({ rested: true }) })
      .step("ask", {
        messages: { answer: z.string() },
        run: () => pause({ asked: 1 }, { timeout: "1m" }),
        onMessage: ({ message }) => ({ answer: message.payload }),
        onTimeout: ({ state }) =>
          state.asked < 3 ? pause({ asked: state.asked + 1 }, { timeout: "1m" }) : { answer: "none" },
      });
    const { launcher, clock } = await start([slow]);
    const execution = await launcher.launch(slow, {});
    await clock.advance("1h");
    expect((await execution.flow()).step).toBe("ask");
    await clock.advance("3m");
    expect(await execution.outcome()).toMatchObject({
      status: "completed",
      state: { rested: true, asked: 3, answer: "none" },
    });
  });

  test("a pause in a handler keeps the timeout that runs; a new value restarts it, null clears it", async () => {
    const tick = workflow("tick", { input }).step("1", {
      messages: { keep: z.null(), restart: z.null(), clear: z.null() },
      run: () => pause({}, { timeout: "10m" }),
      onMessage: ({ message }) => {
        if (message.name === "keep") return pause();
        return pause({}, { timeout: message.name === "restart" ? "10m" : null });
      },
    });
    const { launcher, clock } = await start([tick]);
    const launch = async (name: "keep" | "restart" | "clear") => {
      const execution = await launcher.launch(tick, {});
      await clock.advance("8m");
      await execution.send(name, null);
      return execution;
    };
    const kept = await launch("keep");
    await clock.advance("3m");
    expect(await kept.outcome()).toMatchObject({ reason: "timeout" });
    const restarted = await launch("restart");
    await clock.advance("3m");
    expect((await restarted.summary()).status).toBe("waiting");
    await clock.advance("8m");
    expect(await restarted.outcome()).toMatchObject({ reason: "timeout" });
    const cleared = await launch("clear");
    await clock.advance("1h");
    expect((await cleared.summary()).status).toBe("waiting");
  });

  test("a timed-out wait on the way down runs the rollback again with the same key, within its policy", async () => {
    const keys: string[] = [];
    const down = workflow("down", { input }).step("1", {
      run: () => fail("no"),
      rollback: ({ idempotencyKey }) => {
        keys.push(idempotencyKey);
        return pause({}, { timeout: "1m" });
      },
      rollbackMessages: { ok: z.null() },
      onRollbackMessage: () => undefined,
      rollbackRetry: { attempts: 3, delay: "1s", jitter: false },
    });
    const { launcher, clock } = await start([down]);
    const execution = await launcher.launch(down, {});
    await clock.advance("10m");
    expect(await execution.outcome()).toMatchObject({ status: "stuck", step: "1", direction: "down" });
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(await told(execution)).toEqual([
      "run 1: no",
      "rollback 1: continue",
      "rollbackContinue 1: timeout",
      "rollback 1: continue",
      "rollbackContinue 1: timeout",
      "rollback 1: continue",
      "rollbackContinue 1: timeout",
    ]);
  });
});
