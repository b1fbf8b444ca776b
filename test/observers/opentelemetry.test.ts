/** Traces and metrics of the engine's work, made with the real SDK. */
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AlwaysOnSampler, ParentBasedSampler, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { fail, observer, pause, workflow, type Observer } from "../../src/index.js";
import { executionContext, opentelemetry } from "../../src/observers/opentelemetry/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { deaf, onEveryStore } from "../support/rig.js";
import { linksOf, milliseconds, register, short, telemetry, unregister, type Telemetry } from "../support/telemetry.js";

const input = z.object({});

beforeAll(register);
afterAll(unregister);

/** Waits for a message in its second step. */
const waiting = (watcher: Observer) =>
  workflow("waiting", { input })
    .step("1", { run: () => ({ a: 1 }) })
    .step("2", { messages: { go: z.unknown() }, run: () => pause(), onMessage: () => ({ b: 2 }) })
    .observe(watcher);

const origin = (id: string, name = "waiting") => trace.getSpanContext(executionContext({ workflow: name, id }))!;

const named = (told: Telemetry): string[] => told.spans().map(({ name }) => name);

test("the gauge of dead letters is there before anything happens, where a meter is given", async () => {
  const told = telemetry({ deadLetters: () => Promise.resolve([{ workflow: "waiting", count: 3 }]) });
  expect(await told.measured("stepwell.dead_letters")).toEqual([[{ "workflow.name": "waiting" }, 3]]);
});

onEveryStore("a trace", (start) => {
  test("has a span for each burst of work, and in it one for each attempt, with the times of the history", async () => {
    const told = telemetry();
    const steps = workflow("slow", { input })
      .step("1", { run: () => rig.clock.skip("250ms") })
      .step("2", { run: () => rig.clock.skip("2s") })
      .observe(told.observer);
    const rig = await start([steps]);
    const began = rig.clock.now();
    const execution = await rig.launcher.launch(steps, {}, { id: "e" });
    expect((await execution.outcome()).status).toBe("completed");
    const [one, two, burst, ...others] = told.spans();
    expect(others).toEqual([]);
    expect([one?.name, two?.name, burst?.name]).toEqual(["run 1", "run 2", "burst slow"]);
    const { traceId, spanId } = origin("e", "slow");
    expect(burst!.parentSpanContext).toMatchObject({ traceId, spanId, isRemote: true });
    for (const attempt of [one!, two!]) {
      expect(attempt.parentSpanContext).toMatchObject({ traceId, spanId: burst!.spanContext().spanId });
    }
    const times = [one!, two!, burst!].map((span) =>
      [span.startTime, span.endTime].map((at) => milliseconds(at) - began),
    );
    expect(times).toEqual([
      [0, 250],
      [250, 2250],
      [0, 2250],
    ]);
    const rows = await execution.history();
    expect(rows.map(({ at }) => at.getTime() - began)).toEqual([250, 2250]);
    expect(short(two!.attributes)).toEqual({
      ...{ "workflow.name": "slow", "workflow.version": "1", "execution.id": "e" },
      ...{ "step.name": "2", "step.index": 1, func: "run", direction: "up", attempt: 1, result: "ok", revision: 2 },
    });
    expect(short(burst!.attributes)).toEqual({
      ...{ "workflow.name": "slow", "workflow.version": "1", "execution.id": "e", claims: 1, "claim.delay": 0 },
      ...{ status: "completed", direction: "up", reason: "normal", "mailbox.depth": 0, lost: false },
    });
    expect(told.spans().map(({ status, kind }) => [status.code, kind])).toEqual(
      told.spans().map(() => [SpanStatusCode.UNSET, SpanKind.INTERNAL]),
    );
  });

  test("has the bursts of a child under the burst of its parent that began it", async () => {
    const told = telemetry();
    const child = waiting(told.observer);
    const parent = workflow("parent", { input })
      .child("one", child, { input: () => ({}) })
      .observe(told.observer);
    const { launcher, clock } = await start([parent]);
    const execution = await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    await launcher.send("p/one/0", "go", null);
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    const bursts = told.spans().filter(({ name }) => name.startsWith("burst"));
    const first = bursts.find(({ name }) => name === "burst parent")!;
    const ofChild = bursts.filter(({ name }) => name === "burst waiting");
    expect(ofChild).toHaveLength(2);
    const { traceId, spanId } = first.spanContext();
    for (const burst of ofChild) {
      expect(burst.parentSpanContext).toMatchObject({ traceId, spanId });
      expect(short(burst.attributes)).toMatchObject({ "execution.id": "p/one/0", "execution.root": "p" });
    }
  });

  test("has three generations in the trace of the one at the top, each below its own parent", async () => {
    const told = telemetry();
    const lowest = waiting(told.observer);
    const middle = workflow("middle", { input })
      .child("low", lowest, { input: () => ({}) })
      .observe(told.observer);
    const top = workflow("top", { input })
      .child("mid", middle, { input: () => ({}) })
      .observe(told.observer);
    const { launcher, clock } = await start([top]);
    const execution = await launcher.launch(top, {}, { id: "t" });
    await clock.settle();
    await launcher.send("t/mid/0/low/0", "go", null);
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    const first = (name: string) => told.named(`burst ${name}`)[0]!;
    const { traceId } = origin("t", "top");
    for (const span of told.spans()) expect(span.spanContext().traceId).toBe(traceId);
    for (const [name, above] of [
      ["middle", "top"],
      ["waiting", "middle"],
    ] as const)
      for (const burst of told.named(`burst ${name}`)) {
        expect(burst.parentSpanContext!.spanId).toBe(first(above).spanContext().spanId);
        expect(short(burst.attributes)).toMatchObject({ "execution.root": "t" });
      }
  });

  test("leaves a child whose parent is not traced in a trace of its own", async () => {
    const told = telemetry();
    const child = waiting(told.observer);
    const parent = workflow("parent", { input }).child("one", child, { input: () => ({}) });
    const { launcher, clock } = await start([parent]);
    await launcher.launch(parent, {}, { id: "p" });
    await clock.settle();
    const { traceId, spanId } = origin("p/one/0");
    expect(told.named("burst waiting")[0]!.parentSpanContext).toMatchObject({ traceId, spanId });
  });

  test("links a burst to what launched it, to the burst before, and to what sent the message", async () => {
    const told = telemetry();
    const steps = waiting(told.observer);
    const { launcher, clock } = await start([steps]);
    const tracer = told.provider.getTracer("caller");
    const within = async (name: string, act: () => Promise<unknown>): Promise<string> =>
      tracer.startActiveSpan(name, async (span) => {
        await act();
        span.end();
        return span.spanContext().spanId;
      });
    const launched = await within("POST /orders", () => launcher.launch(steps, {}, { id: "e" }));
    await clock.settle();
    const sent = await within("POST /webhook", () => launcher.send("e", "go", null, { messageId: "m-1" }));
    await launcher.execution("e").outcome();
    const [first, second] = told.named("burst waiting");
    expect(linksOf(first!)).toEqual([`launch ${launched}`]);
    expect(linksOf(second!)).toEqual([`burst ${first!.spanContext().spanId}`, `message ${sent}`]);
    const [handler] = told.named("runContinue 2");
    expect(linksOf(handler!)).toEqual([`message ${sent}`]);
    expect(handler!.kind).toBe(SpanKind.CONSUMER);
    expect(handler!.attributes).toMatchObject({
      "messaging.system": "stepwell",
      "messaging.operation.type": "process",
      "messaging.destination.name": "waiting",
      "messaging.message.id": "m-1",
      "messaging.message.conversation_id": "e",
      "stepwell.message.name": "go",
    });
    // What launched it has a trace of its own.
    expect(told.named("POST /orders")[0]!.spanContext().traceId).not.toBe(first!.spanContext().traceId);
  });

  test("goes on in another process, which knows nothing but what was stored", async () => {
    const before = telemetry();
    const { launcher, clock, another } = await start([waiting(before.observer)]);
    const first = waiting(before.observer);
    await launcher.stop();
    const one = await another([first]);
    await one.launch(first, {}, { id: "e" });
    await clock.settle();
    await one.stop();
    const after = telemetry();
    const two = await another([waiting(after.observer)]);
    await two.send("e", "go", null);
    expect((await two.execution("e").outcome()).status).toBe("completed");
    expect(named(before)).toEqual(["run 1", "run 2", "burst waiting"]);
    expect(named(after)).toEqual(["runContinue 2", "burst waiting"]);
    const ids = [...before.spans(), ...after.spans()].map((span) => span.spanContext().traceId);
    expect(new Set(ids)).toEqual(new Set([origin("e").traceId]));
    expect(linksOf(after.named("burst waiting")[0]!)).toEqual([
      `burst ${before.named("burst waiting")[0]!.spanContext().spanId}`,
    ]);
    expect(after.named("burst waiting")[0]!.parentSpanContext!.spanId).toBe(origin("e").spanId);
  });

  test("shows each attempt with the error that it failed with, over the bursts that retries take", async () => {
    const told = telemetry();
    const steps = workflow("flaky", { input })
      .step("1", {
        retry: { attempts: 3, delay: "1s", jitter: false },
        run: ({ attempt }) => {
          if (attempt < 3) throw Object.assign(new TypeError("no"), { code: attempt === 1 ? "ECONNRESET" : undefined });
        },
      })
      .observe(told.observer);
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await clock.advance("1m");
    expect((await execution.outcome()).status).toBe("completed");
    const attempts = told.named("run 1");
    expect(attempts.map(({ attributes }) => attributes["stepwell.attempt"])).toEqual([1, 2, 3]);
    expect(attempts.map(({ attributes }) => attributes["error.type"])).toEqual(["ECONNRESET", "TypeError", undefined]);
    expect(attempts.map(({ status }) => status)).toEqual([
      { code: SpanStatusCode.ERROR },
      { code: SpanStatusCode.ERROR },
      { code: SpanStatusCode.UNSET },
    ]);
    const bursts = told.named("burst flaky");
    expect(bursts.map(({ attributes }) => attributes["stepwell.status"])).toEqual([
      "scheduled",
      "scheduled",
      "completed",
    ]);
    // A retry that is due is nothing wrong with the execution.
    expect(bursts.every(({ status }) => status.code === SpanStatusCode.UNSET)).toBe(true);
  });

  test("marks the turn as an event of its burst, and the way down by its direction", async () => {
    const told = telemetry();
    const steps = workflow("undone", { input })
      .step("1", { run: () => ({ a: 1 }), rollback: () => ({ b: 2 }) })
      .step("2", { run: () => fail("declined"), rollback: () => undefined })
      .observe(told.observer);
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(told.spans().map(({ name, attributes }) => `${name} ${String(attributes["stepwell.direction"])}`)).toEqual([
      ...["run 1 up", "run 2 up", "rollback 2 down", "rollback 1 down", "burst undone down"],
    ]);
    const [burst] = told.named("burst undone");
    expect(burst!.status.code).toBe(SpanStatusCode.ERROR);
    expect(short(burst!.attributes)).toMatchObject({
      status: "rolledBack",
      reason: "declined",
      "error.type": "declined",
    });
    expect(burst!.events.map(({ name, time }) => [name, milliseconds(time)])).toEqual([["stepwell.turn", clock.now()]]);
    expect(short(burst!.events[0]!.attributes!)).toMatchObject({
      "step.name": "2",
      reason: "declined",
      "error.type": "declined",
    });
    expect(told.named("run 2")[0]!.status.code).toBe(SpanStatusCode.ERROR);
    expect(told.named("rollback 1")[0]!.status.code).toBe(SpanStatusCode.UNSET);
  });

  test("has events, not attempts, where no function of a step was called", async () => {
    const told = telemetry();
    const steps = waiting(told.observer);
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await clock.settle();
    expect(await execution.rollback("changed-my-mind", { by: "anna" })).toEqual({ accepted: true });
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(named(told)).toEqual(["run 1", "run 2", "burst waiting", "burst waiting"]);
    const second = told.named("burst waiting")[1]!;
    // It was asked to turn, which is no error; and nothing was there to be undone.
    expect(second.status.code).toBe(SpanStatusCode.UNSET);
    expect(second.events.map(({ name, attributes }) => [name, attributes!["stepwell.result"]])).toEqual([
      ["stepwell.transition", "changed-my-mind"],
      ["stepwell.turn", "changed-my-mind"],
      ["stepwell.transition", "ok"],
      ["stepwell.transition", "ok"],
    ]);
    expect(await told.measured("stepwell.step.duration")).toHaveLength(2);
  });

  test("asks the store how many dead letters each workflow has, where it is told how", async () => {
    let isAway = false;
    const told = telemetry({
      deadLetters: async () => {
        if (isAway) throw new Error("away");
        return rig.launcher.countDeadLettersByWorkflow();
      },
    });
    const steps = waiting(told.observer);
    const rig = await start([steps]);
    expect(await told.measured("stepwell.dead_letters")).toEqual([]);
    expect(await telemetry().measured("stepwell.dead_letters")).toEqual([]);
    const ended = await rig.launcher.launch(steps, {}, { delay: "1s" });
    await ended.send("go", 1);
    await ended.send("go", 2);
    await ended.rollback("never-mind");
    await ended.outcome();
    const about = { "workflow.name": "waiting" };
    expect(await told.measured("stepwell.dead_letters")).toEqual([[about, 2]]);
    isAway = true;
    expect(await told.measured("stepwell.dead_letters")).toEqual([[about, 2]]);
    expect(await told.measured("stepwell.execution.rests")).not.toEqual([]);
    isAway = false;
    for (const { execution, id } of (await rig.launcher.deadLetters()).letters) {
      const heir = await rig.launcher.launch(steps, {});
      await rig.launcher.resend({ execution, id }, { to: heir.id });
    }
    expect(await told.measured("stepwell.dead_letters")).toEqual([[about, 0]]);
  });

  test("shows what is stuck, and the operator's act that freed it", async () => {
    const told = telemetry();
    let broken = true;
    const steps = workflow("stuck", { input })
      .step("1", { run: () => fail("no"), rollback: () => (broken ? fail("can't") : undefined) })
      .observe(told.observer);
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    expect((await execution.outcome()).status).toBe("stuck");
    expect(await told.measured("stepwell.execution.stuck")).toEqual([[{ "workflow.name": "stuck" }, 1]]);
    const [parked] = told.named("burst stuck");
    expect(parked!.status.code).toBe(SpanStatusCode.ERROR);
    expect(short(parked!.attributes)).toMatchObject({ status: "stuck", "error.type": "can't" });
    broken = false;
    await execution.retry();
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(await told.measured("stepwell.execution.stuck")).toEqual([[{ "workflow.name": "stuck" }, 0]]);
    const freed = told.named("burst stuck")[1]!;
    expect(freed.events.map(({ attributes }) => attributes!["stepwell.result"])).toEqual(["retried"]);
    expect(freed.status.code).toBe(SpanStatusCode.UNSET);
    expect(told.named("rollback 1").map(({ attributes }) => attributes["stepwell.result"])).toEqual(["can't", "ok"]);
  });

  test("shows how long an attempt ran that a shutdown cut off", async () => {
    const told = telemetry();
    const steps = workflow("cut", { input })
      .step("1", {
        run: ({ signal }) =>
          new Promise<void>((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason as Error));
          }),
      })
      .observe(told.observer);
    const { launcher, clock } = await start([steps], { drainTimeout: "5s" });
    await launcher.launch(steps, {});
    const stopped = launcher.stop();
    await clock.advance("6s");
    await stopped;
    const [attempt, burst] = told.spans();
    expect(short(attempt!.attributes)).toMatchObject({ result: "cut-off" });
    expect(attempt!.status.code).toBe(SpanStatusCode.UNSET);
    expect(milliseconds(attempt!.duration)).toBe(5000);
    expect(short(burst!.attributes)).toMatchObject({ status: "running", lost: false });
  });

  test("ends the burst of a launcher that lost the execution, and never mixes it up with the one that has it", async () => {
    let finish: () => void = () => undefined;
    const told = telemetry();
    const steps = workflow("slow", { input })
      .step("1", {
        run: ({ attempt }) =>
          attempt > 1 ? { by: 2 } : new Promise<{ by: number }>((resolve) => (finish = () => resolve({ by: 1 }))),
      })
      .observe(told.observer);
    const own = new VirtualClock();
    const { clock, another, launcher: second, store } = await start([steps]);
    const zombie = await another([steps], { clock: own, store: deaf(store) });
    await zombie.launch(steps, {}, { id: "e" });
    await clock.advance("20s");
    await second.execution("e").outcome();
    expect(named(told)).toEqual(["run 1", "burst slow"]);
    finish();
    await clock.settle();
    expect(named(told)).toEqual(["run 1", "burst slow", "burst slow"]);
    const [taken, lost] = told.named("burst slow");
    expect(short(taken!.attributes)).toMatchObject({ claims: 2, lost: false, status: "completed" });
    expect(short(lost!.attributes)).toMatchObject({ lost: true, "error.type": "STEPWELL_OWNERSHIP_LOST" });
    expect(told.spans()[0]!.parentSpanContext!.spanId).toBe(taken!.spanContext().spanId);
    expect(await told.measured("stepwell.commit.refused")).toEqual([[{ "workflow.name": "slow" }, 1]]);
    expect(await told.measured("stepwell.execution.rests")).toEqual([
      [{ "workflow.name": "slow", status: "completed" }, 1],
    ]);
    await own.advance("1m");
  });

  test("has the store's times, where the clock of a process is off", async () => {
    const told = telemetry();
    const own = new VirtualClock();
    const steps = workflow("off", { input })
      .step("1", { run: () => [own, clock].forEach((one) => one.skip("300ms")) })
      .observe(told.observer);
    const { store, clock, another, launcher: idle } = await start([steps]);
    await idle.stop();
    await own.advance("1h");
    const launcher = await another([steps], { clock: own });
    const began = clock.now();
    await (await launcher.launch(steps, {})).outcome();
    expect(store.isOpen).toBe(true);
    for (const { startTime, endTime } of told.spans()) {
      expect([milliseconds(startTime) - began, milliseconds(endTime) - began]).toEqual([0, 300]);
    }
  });

  test("holds its attempts, though the clock of a process stands behind the store's, or is set back", async () => {
    const told = telemetry();
    const steps = workflow("skewed", { input })
      .step("1", { run: () => clock.skip("300ms") })
      .step("2", {
        run: () => {
          own.ahead += 400;
          clock.now = () => began - 5000;
        },
      })
      .observe(told.observer);
    const { clock, another, launcher: idle } = await start([steps]);
    await idle.stop();
    // Stands still but for what measures durations.
    const own = Object.assign(new VirtualClock(), { ahead: 0 });
    own.monotonic = () => own.ahead;
    const launcher = await another([steps], { clock: own });
    const began = clock.now();
    const execution = await launcher.launch(steps, {});
    await execution.outcome();
    const rows = await execution.history();
    expect(rows.map(({ at, durationMs }) => [at.getTime() - began, durationMs])).toEqual([[300, 0], [-5000, 400]]); // prettier-ignore
    const times = told.spans().map((span) => [span.startTime, span.endTime].map((at) => milliseconds(at) - began));
    expect(times).toEqual([[300, 300], [0, 0], [0, 300]]); // prettier-ignore
    expect((await told.measured("stepwell.step.duration"))[1]).toMatchObject([{ "step.name": "2" }, [1, 0.4]]);
  });

  test("takes in what a step does within executionContext, also the launch of another execution", async () => {
    const told = telemetry();
    const tracer = told.provider.getTracer("library");
    const child = waiting(told.observer);
    const parent = workflow("parent", { input })
      .step("1", {
        run: ({ execution }) =>
          context.with(executionContext(execution), async () => {
            tracer.startSpan("GET /stock").end();
            await rig.launcher.launch(child, {}, { id: "child" });
          }),
      })
      .observe(told.observer);
    const rig = await start([parent, child]);
    await (await rig.launcher.launch(parent, {}, { id: "e" })).outcome();
    await rig.clock.settle();
    const burst = told.named("burst parent")[0]!.spanContext();
    expect(told.named("GET /stock")[0]!.parentSpanContext).toMatchObject({
      traceId: burst.traceId,
      spanId: burst.spanId,
    });
    expect(linksOf(told.named("burst waiting")[0]!)).toEqual([`launch ${burst.spanId}`]);
    // Outside of a burst it is what the trace begins with.
    expect(origin("e", "parent")).toMatchObject({
      traceId: burst.traceId,
      spanId: expect.not.stringContaining(burst.spanId) as string,
    });
  });

  test("is left out as a whole where the sampler says so, and the execution goes on", async () => {
    const remoteParentSampled = new TraceIdRatioBasedSampler(0.5);
    const told = telemetry({ sampler: new ParentBasedSampler({ root: new AlwaysOnSampler(), remoteParentSampled }) });
    const steps = waiting(told.observer);
    const { launcher, clock } = await start([steps]);
    const ids = Array.from({ length: 40 }, (_, index) => `e-${index}`);
    for (const id of ids) await launcher.launch(steps, {}, { id });
    await clock.settle();
    for (const id of ids) await launcher.send(id, "go", null);
    for (const id of ids) expect((await launcher.execution(id).outcome()).status).toBe("completed");
    const spans = new Map<unknown, number>();
    for (const { attributes } of told.spans()) {
      const id = attributes["stepwell.execution.id"];
      spans.set(id, (spans.get(id) ?? 0) + 1);
    }
    expect(spans.size).toBeGreaterThan(5);
    expect(spans.size).toBeLessThan(35);
    expect([...spans.values()].every((count) => count === 5)).toBe(true);
  });

  test("stores the trace's context, and no baggage", async () => {
    const carried: object[] = [];
    const told = telemetry();
    const spy = observer({ name: "spy", wake: (event) => void carried.push(event.carried) });
    const steps = waiting(told.observer).observe(spy);
    const { launcher } = await start([steps]);
    const span = told.provider.getTracer("caller").startSpan("caller");
    const baggage = propagation.createBaggage({ secret: { value: "canary" } });
    const active = trace.setSpan(propagation.setBaggage(context.active(), baggage), span);
    await context.with(active, () => launcher.launch(steps, {}));
    expect(carried).toEqual([{ traceparent: expect.stringContaining(span.spanContext().spanId) as string }]);
  });
});

onEveryStore("the metrics", (start) => {
  test("count how executions came to rest, and how long attempts took, by direction", async () => {
    const told = telemetry();
    const steps = workflow("timed", { input })
      .step("1", { run: () => rig.clock.skip("200ms"), rollback: () => rig.clock.skip("50ms") })
      .step("2", {
        messages: { go: z.unknown() },
        run: () => pause(),
        onMessage: () => (rig.clock.skip("1s"), fail("declined")),
      })
      .observe(told.observer);
    const rig = await start([steps]);
    for (const id of ["a", "b"]) {
      const execution = await rig.launcher.launch(steps, {}, { id });
      await rig.clock.settle();
      await execution.send("go", null);
      expect((await execution.outcome()).status).toBe("rolledBack");
    }
    expect(await told.measured("stepwell.execution.rests")).toEqual([
      [{ "workflow.name": "timed", status: "waiting" }, 2],
      [{ "workflow.name": "timed", status: "rolledBack" }, 2],
    ]);
    const about = { "workflow.name": "timed", direction: "up" };
    expect(await told.measured("stepwell.step.duration")).toEqual([
      [{ ...about, "step.name": "1", func: "run" }, [2, 0.4]],
      [{ ...about, "step.name": "2", func: "run" }, [2, 0]],
      [{ ...about, "step.name": "2", func: "runContinue", "error.type": "declined" }, [2, 2]],
      [{ ...about, "step.name": "1", func: "rollback", direction: "down" }, [2, 0.1]],
    ]);
    expect(await told.measured("stepwell.execution.stuck")).toEqual([]);
  });

  test("tell how late executions were taken up, and how many messages wait", async () => {
    const told = telemetry();
    const steps = waiting(told.observer);
    const { launcher, clock, another } = await start([steps]);
    const step2 = workflow("early", { input })
      .step("1", { messages: { other: z.unknown(), go: z.unknown() }, run: () => pause(), onMessage: () => pause() })
      .step("2", { messages: { later: z.unknown() }, run: () => pause(), onMessage: () => undefined })
      .observe(told.observer);
    await launcher.launch(steps, {}, { id: "late", delay: "1m" });
    await launcher.stop();
    await clock.advance("90s");
    const second = await another([steps, step2]);
    await clock.settle();
    expect(await told.measured("stepwell.claim.delay")).toEqual([[{ "workflow.name": "waiting" }, [1, 30]]]);
    expect(told.named("burst waiting")[0]!.attributes["stepwell.claim.delay"]).toBe(30);
    const execution = await second.launch(step2, {});
    await clock.settle();
    for (let count = 0; count < 3; count++) await execution.send("later", count);
    await execution.send("go", null);
    await clock.settle();
    expect(await told.measured("stepwell.mailbox.depth")).toEqual([
      [{ "workflow.name": "waiting" }, [1, 0]],
      [{ "workflow.name": "early" }, [expect.any(Number), expect.any(Number)]],
    ]);
    expect(told.named("burst early").at(-1)!.attributes["stepwell.mailbox.depth"]).toBe(3);
  });

  test("count the errors that are reported, those of observers apart", async () => {
    const told = telemetry();
    const thrower = observer({
      name: "thrower",
      init: () => {
        throw new Error("watcher");
      },
    });
    const steps = workflow("errors", { input })
      .step("1", { run: () => fail("no"), rollback: () => fail("can't") })
      .observe(thrower, told.observer);
    const { launcher } = await start([steps]);
    await (await launcher.launch(steps, {})).outcome();
    expect(await told.measured("stepwell.errors")).toEqual([
      [{ "workflow.name": "errors", "error.type": "STEPWELL_OBSERVER_FAILED" }, 1],
      [{ "workflow.name": "errors", "error.type": "STEPWELL_EXECUTION_STUCK" }, 1],
    ]);
    expect(await told.measured("stepwell.observer.errors")).toEqual([[{ "workflow.name": "errors" }, 1]]);
    expect(await told.measured("stepwell.commit.refused")).toEqual([]);
  });

  test("tell the workflows of one observer apart", async () => {
    const told = telemetry();
    const [one, two] = ["one", "two"].map((name) =>
      workflow(name, { input })
        .step("1", { run: () => undefined })
        .observe(told.observer),
    );
    const { launcher, another } = await start([one!, two!]);
    const second = await another();
    for (const [where, steps] of [
      [launcher, one!],
      [second, two!],
      [second, one!],
    ] as const)
      await (await where.launch(steps, {}, {})).outcome();
    expect(await told.measured("stepwell.execution.rests")).toEqual([
      [{ "workflow.name": "one", status: "completed" }, 2],
      [{ "workflow.name": "two", status: "completed" }, 1],
    ]);
  });
});

onEveryStore("what is the user's own", (start) => {
  const canary = "canary-4f1c";

  const leaking = (watcher: Observer) =>
    workflow("leaking", { input: z.object({ secret: z.string() }) })
      .step("1", {
        retry: { attempts: 2, delay: 0, jitter: false },
        run: ({ attempt }) => {
          if (attempt > 1) return { first: canary };
          throw Object.assign(new Error(`not for ${canary}`, { cause: new Error(canary) }), { details: { canary } });
        },
        rollback: () => {
          throw new Error(`can't undo ${canary}`);
        },
        rollbackRetry: { attempts: 1 },
      })
      .step("2", {
        messages: { go: z.object({ token: z.string() }) },
        run: () => pause({ second: canary }),
        onMessage: ({ message }) => fail("declined", { details: message.payload, patch: { third: canary } }),
      })
      .observe(watcher);

  async function leaked(told: Telemetry): Promise<string> {
    const steps = leaking(told.observer);
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { secret: canary });
    await clock.advance("1m");
    await execution.send("go", { token: canary });
    expect((await execution.outcome()).status).toBe("stuck");
    await execution.skip(`since ${canary}`, { by: canary });
    expect((await execution.outcome()).status).toBe("rolledBack");
    return told.everything();
  }

  test("is in no span and in no metric: no state, no payload, nothing of an error but its kind", async () => {
    const told = telemetry();
    const text = await leaked(told);
    expect(told.spans().length).toBeGreaterThan(6);
    expect(text).toContain("declined");
    const [skipped] = told
      .spans()
      .flatMap(({ events }) => events)
      .filter(({ attributes }) => attributes!["stepwell.result"] === "skipped");
    expect(Object.keys(skipped!.attributes!)).not.toContain("error.type");
    expect(text).not.toContain(canary);
  });

  test("is there on demand as far as errors say it in their messages", async () => {
    const told = telemetry({ errorMessages: true });
    const text = await leaked(told);
    expect(told.named("run 1")[0]!.status).toEqual({ code: SpanStatusCode.ERROR, message: `not for ${canary}` });
    expect(text.replaceAll(`not for ${canary}`, "").replaceAll(`can't undo ${canary}`, "")).not.toContain(canary);
  });
});

describe("without an SDK", () => {
  onEveryStore("the observer", (start) => {
    test("does nothing, and nothing goes wrong", async () => {
      const steps = waiting(opentelemetry());
      const { launcher, clock, errors } = await start([steps]);
      const execution = await launcher.launch(steps, {});
      await clock.settle();
      await execution.send("go", null);
      expect((await execution.outcome()).status).toBe("completed");
      expect(errors).toEqual([]);
    });
  });
});
