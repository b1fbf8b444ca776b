import { readFileSync } from "node:fs";
import { register, Registry, type OpenMetricsContentType } from "prom-client";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { deaf, onEveryStore, type Rig } from "../../test/support/rig.js";
import { fail, observer, pause, workflow, type ListOptions } from "../index.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { metrics } from "./metrics.js";

const input = z.object({});

/** What Prometheus would read: the value of each series, but for the buckets. */
async function scraped(registry: Registry): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const series = lines.map((line) => /^(.+) (\S+)$/.exec(line)!);
  return Object.fromEntries(series.map(([, name = "", value]) => [name.replaceAll('"', ""), Number(value)]));
}

/** Those of one metric. */
async function of(metric: string, registry: Registry): Promise<Record<string, number>> {
  const all = Object.entries(await scraped(registry)).filter(([name]) => name.startsWith(metric));
  return Object.fromEntries(all.map(([name, value]) => [name.slice(metric.length), value]));
}

const bank = { isClosed: false };

/** Waits for an answer; with `"no"` it goes back, and is stuck while the bank is closed. */
const paying = (registry: Registry, options: Parameters<typeof metrics>[0] = {}) =>
  workflow("paying", { input })
    .step("pay", {
      messages: { answer: z.string() },
      run: () => pause(),
      onMessage: ({ message }) => (message.payload === "no" ? fail("declined by 4111-1111") : undefined),
      rollback: () => (bank.isClosed ? fail("bank-closed") : undefined),
    })
    .observe(metrics({ registry, ...options }));

async function paid({ launcher, clock }: Rig, steps: ReturnType<typeof paying>, answer: string) {
  const execution = await launcher.launch(steps, {});
  await clock.settle();
  await execution.send("answer", answer);
  await execution.outcome();
  return execution;
}

onEveryStore("metrics", (start) => {
  test("counts executions by what became of them, and how long their steps took, by direction and result", async () => {
    const registry = new Registry();
    const steps = paying(registry);
    const rig = await start([steps]);
    await paid(rig, steps, "yes");
    await paid(rig, steps, "yes");
    await paid(rig, steps, "no");
    expect(await of("stepwell_executions_started_total", registry)).toEqual({ "{workflow=paying}": 3 });
    expect(await of("stepwell_executions_total", registry)).toEqual({
      "{workflow=paying,status=completed}": 2,
      "{workflow=paying,status=rolledBack}": 1,
    });
    expect(await of("stepwell_step_duration_seconds_count", registry)).toEqual({
      "{workflow=paying,step=pay,direction=up,result=ok}": 2,
      "{workflow=paying,step=pay,direction=up,result=failed}": 1,
      "{workflow=paying,step=pay,direction=down,result=ok}": 1,
    });
    const labels = await registry.metrics();
    expect(labels).not.toContain("4111");
    expect(labels).not.toContain("declined");
  });

  test("counts children under the name of their own workflow, each with the steps that it has", async () => {
    const registry = new Registry();
    const child = workflow("child", { input: z.object({ isBad: z.boolean() }) })
      .step("work", { run: ({ state }) => (state.isBad ? fail("bad") : undefined) })
      .observe(metrics({ registry }));
    const parent = workflow("parent", { input })
      .parallel(
        "both",
        { good: child, bad: child },
        {
          input: () => ({ good: { isBad: false }, bad: { isBad: true } }),
          onFailure: "settle",
          join: () => undefined,
        },
      )
      .observe(metrics({ registry }));
    const { launcher } = await start([parent]);
    expect(await (await launcher.launch(parent, {})).outcome()).toMatchObject({ status: "completed" });
    expect(await of("stepwell_executions_started_total", registry)).toEqual({
      "{workflow=parent}": 1,
      "{workflow=child}": 2,
    });
    expect(await of("stepwell_executions_total", registry)).toEqual({
      "{workflow=parent,status=completed}": 1,
      "{workflow=child,status=completed}": 1,
      "{workflow=child,status=rolledBack}": 1,
    });
    expect(await of("stepwell_step_duration_seconds_count", registry)).toEqual({
      "{workflow=parent,step=both,direction=up,result=ok}": 1,
      "{workflow=child,step=work,direction=up,result=ok}": 1,
      "{workflow=child,step=work,direction=up,result=failed}": 1,
      "{workflow=child,step=work,direction=down,result=ok}": 1,
    });
  });

  test("measures steps and delays in seconds", async () => {
    const registry = new Registry();
    const slow = workflow("slow", { input })
      .step("1", { run: () => rig.clock.skip(1500) })
      .observe(metrics({ registry }));
    const rig = await start([slow]);
    await rig.launcher.launch(slow, {}, { delay: "1m" });
    await rig.launcher.stop();
    await rig.clock.advance("90s");
    await rig.another();
    await rig.clock.settle();
    expect(await of("stepwell_step_duration_seconds_sum", registry)).toEqual({
      "{workflow=slow,step=1,direction=up,result=ok}": 1.5,
    });
    expect(await of("stepwell_claim_delay_seconds_sum", registry)).toEqual({ "{workflow=slow}": 30 });
    expect(await of("stepwell_executions_started_total", registry)).toEqual({ "{workflow=slow}": 1 });
  });

  test("measures how full mailboxes are when executions are let go", async () => {
    const registry = new Registry();
    const hoarding = workflow("hoarding", { input })
      .step("1", { messages: { now: z.null(), later: z.null() }, run: () => pause(), onMessage: () => undefined })
      .step("2", { messages: { never: z.null() }, run: () => pause(), onMessage: () => undefined })
      .observe(metrics({ registry }));
    const { launcher, clock } = await start([hoarding]);
    const execution = await launcher.launch(hoarding, {});
    await clock.settle();
    for (const name of ["now", "later"] as const) await execution.send(name, null);
    await clock.settle();
    const depths = await of("stepwell_mailbox_depth", registry);
    expect(depths["_bucket{le=0,workflow=hoarding}"]).toBeGreaterThan(0);
    expect(depths["_sum{workflow=hoarding}"]).toBe(1);
  });

  test("shows how many executions this process has seen getting stuck and not going on", async () => {
    const registry = new Registry();
    const steps = paying(registry);
    const rig = await start([steps]);
    bank.isClosed = true;
    const one = await paid(rig, steps, "no");
    await paid(rig, steps, "no");
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=paying}": 2 });
    await one.retry();
    await one.outcome();
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=paying}": 2 });
    bank.isClosed = false;
    await one.retry();
    await one.outcome();
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=paying}": 1 });
    expect((await of("stepwell_errors_total", registry))["{workflow=paying,code=STEPWELL_EXECUTION_STUCK}"]).toBe(3);
  });

  test("shows how many this process has seen failing again and again and not going on", async () => {
    const registry = new Registry();
    let isAway = true;
    const steps = workflow("patient", { input })
      .step("1", {
        retry: { attempts: Infinity, delay: "1s", factor: 1 },
        run: () => {
          if (isAway) throw new Error("away");
        },
      })
      .observe(metrics({ registry }));
    const { launcher, clock } = await start([steps]);
    await launcher.launch(steps, {});
    await clock.advance("10s");
    expect(await of("stepwell_executions_struggling", registry)).toEqual({ "{workflow=patient}": 1 });
    isAway = false;
    await clock.advance("5s");
    expect(await of("stepwell_executions_struggling", registry)).toEqual({ "{workflow=patient}": 0 });
  });

  test("asks the store how many are stuck, where it is told how: also after a restart", async () => {
    const before = paying(new Registry());
    const rig = await start([before]);
    bank.isClosed = true;
    const one = await paid(rig, before, "no");
    bank.isClosed = false;
    const registry = new Registry();
    const stuck = () => rig.launcher.list({ status: "stuck", children: true, limit: 1000 });
    metrics({ registry, stuck });
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=paying}": 1 });
    await one.retry();
    await one.outcome();
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=paying}": 0 });
  });

  test.each(["deploying", "observers"])("counts children that are stuck, asked as docs/%s.md says", async (page) => {
    const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), "utf8");
    const [, options] = /stuck: \(\) => launcher(?:\(\))?\.list\((\{[^}]*\})\)/.exec(text)!;
    const asked = JSON.parse(options!.replace(/(\w+):/g, '"$1":')) as ListOptions;
    const parent = workflow("buying", { input }).child("pay", paying(new Registry()), { input: () => ({}) });
    const { launcher, clock } = await start([parent]);
    bank.isClosed = true;
    await launcher.launch(parent, {}, { id: "b" });
    await clock.settle();
    await launcher.send("b/pay/0", "answer", "no");
    await clock.settle();
    bank.isClosed = false;
    const registry = new Registry();
    metrics({ registry, stuck: () => launcher.list(asked) });
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=paying}": 1 });
  });

  test("asks the store how many dead letters each workflow has, where it is told how; an outage leaves the last count", async () => {
    const registry = new Registry();
    const waits = (name: string) =>
      workflow(name, { input })
        .step("1", { messages: { a: z.null(), b: z.null() }, run: () => pause(), onMessage: () => undefined })
        .step("2", { run: () => undefined });
    const [two, other] = [waits("two"), waits("other")];
    const { launcher } = await start([two, other]);
    let isAway = false;
    const deadLetters = async () => {
      if (isAway) throw new Error("away");
      return launcher.countDeadLettersByWorkflow();
    };
    metrics({ registry });
    expect(registry.getSingleMetric("stepwell_dead_letters")).toBeUndefined();
    for (const _ of ["once", "again"]) metrics({ registry, deadLetters });
    expect(await of("stepwell_dead_letters", registry)).toEqual({});
    for (const { steps, letters } of [
      { steps: two, letters: 1 },
      { steps: other, letters: 2 },
    ]) {
      const ended = await launcher.launch(steps, {}, { delay: "1s" });
      for (let i = 0; i < letters; i++) await ended.send("b", null);
      await ended.rollback("never-mind");
      expect(await ended.outcome()).toMatchObject({ status: "rolledBack" });
    }
    await launcher.launch(two, {}, { id: "waiting" });
    const both = { "{workflow=two}": 1, "{workflow=other}": 2 };
    expect(await of("stepwell_dead_letters", registry)).toEqual(both);
    isAway = true;
    expect(await of("stepwell_dead_letters", registry)).toEqual(both);
    isAway = false;
    const [letter] = (await launcher.deadLetters({ workflow: "two" })).letters;
    await launcher.resend({ execution: letter!.execution, id: letter!.id }, { to: "waiting" });
    expect(await of("stepwell_dead_letters", registry)).toEqual({ ...both, "{workflow=two}": 0 });
    expect(() => metrics({ deadLetters: 1 as never })).toThrow(/"deadLetters" must be a function/);
  });

  test("counts the commits that a launcher was refused since another one had the execution", async () => {
    let finish: () => void = () => undefined;
    const slow = (registry: Registry) =>
      workflow("slow", { input })
        .step("1", {
          run: ({ attempt }) => (attempt > 1 ? {} : new Promise<object>((done) => (finish = () => done({})))),
        })
        .observe(metrics({ registry }));
    const [ofZombie, ofHeir] = [new Registry(), new Registry()];
    const { clock, another, launcher: heir, store } = await start([slow(ofHeir)]);
    const steps = slow(ofZombie);
    const own = new VirtualClock();
    const zombie = await another([steps], { clock: own, store: deaf(store) });
    await zombie.launch(steps, {}, { id: "e" });
    await clock.advance("20s");
    await heir.execution("e").outcome();
    finish();
    await clock.settle();
    expect(await of("stepwell_refused_commits_total", ofZombie)).toEqual({ "{workflow=slow}": 1 });
    expect(await of("stepwell_refused_commits_total", ofHeir)).toEqual({});
    for (const metric of ["stepwell_executions_total", "stepwell_mailbox_depth"]) {
      expect(await of(metric, ofZombie)).toEqual({});
    }
    await own.advance("1m");
  });

  test("counts observers that failed, and every error by its code", async () => {
    const registry = new Registry();
    const broken = observer({
      name: "broken",
      beforeStep: () => {
        throw new Error("again");
      },
    });
    const steps = workflow("steps", { input })
      .step("1", { run: () => undefined })
      .observe(broken, metrics({ registry }));
    const { launcher } = await start([steps]);
    await (await launcher.launch(steps, {})).outcome();
    expect(await of("stepwell_observer_errors_total", registry)).toEqual({ "{workflow=steps}": 1 });
    expect(await of("stepwell_errors_total", registry)).toEqual({
      "{workflow=steps,code=STEPWELL_OBSERVER_FAILED}": 1,
    });
  });
});

describe("metrics(…)", () => {
  afterEach(() => {
    register.clear();
    vi.doUnmock("node:module");
    vi.resetModules();
  });

  test("registers with the global registry by default, and as often as you like", async () => {
    const watchers = [metrics(), metrics(), metrics({ registry: register })];
    for (const { wake } of watchers)
      wake!({ execution: { workflow: "w" }, revision: 0, claims: 1, lateMs: 0 } as never);
    expect(await of("stepwell_executions_started_total", register)).toEqual({ "{workflow=w}": 3 });
  });

  test("registers anew with a registry that was cleared", async () => {
    const registry = new Registry();
    metrics({ registry });
    registry.clear();
    metrics({ registry });
    expect(await registry.metrics()).toContain("# TYPE stepwell_executions_total counter");
  });

  test("writes OpenMetrics where the registry does", async () => {
    const registry = new Registry<OpenMetricsContentType>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    for (const round of [1, 2]) {
      metrics({ registry }).wake!({ execution: { workflow: "w" }, revision: 0, claims: 1, lateMs: 0 } as never);
      expect(await registry.metrics()).toContain(`stepwell_executions_started_total{workflow="w"} ${round}`);
    }
  });

  test("keeps the last count where the store does not answer, and the other metrics with it", async () => {
    const registry = new Registry();
    let isDown = false;
    const stuck = () =>
      isDown ? Promise.reject(new Error("down")) : Promise.resolve({ executions: [{ workflow: "w" }] });
    metrics({ registry, stuck });
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=w}": 1 });
    isDown = true;
    expect(await of("stepwell_executions_stuck", registry)).toEqual({ "{workflow=w}": 1 });
  });

  test("checks what it is given", () => {
    expect(() => metrics({ registry: {} as never })).toThrow('"registry" must be a registry of prom-client');
    expect(() => metrics({ stuck: 5 as never })).toThrow('"stuck" must be a function, not 5');
    expect(() => metrics({ register } as never)).toThrow('Did you mean "registry"?');
  });

  test("says what to install where prom-client is missing", async () => {
    vi.resetModules();
    vi.doMock("node:module", () => ({
      createRequire: () => () => {
        throw new Error("Cannot find module 'prom-client'");
      },
    }));
    const { metrics: without } = await import("./metrics.js");
    expect(() => without()).toThrow('metrics(…) needs the package "prom-client"');
  });
});
