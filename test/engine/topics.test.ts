import { expect, test } from "vitest";
import { z } from "zod";
import {
  fail,
  Launcher,
  pause,
  workflow,
  type Execution,
  type StepContext,
  type StepwellError,
  type CallerTransaction,
} from "../../src/index.js";
import { transaction as onPostgres } from "../../src/stores/postgres/index.js";
import { transaction as onSqlite } from "../../src/stores/sqlite/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { dying } from "../support/dying.js";
import { deaf, errorOf, onEveryStore, told } from "../support/rig.js";

const input = z.object({ order: z.string() });
const messages = { settled: z.object({ cents: z.number() }) };

/** Pays, and waits for what is published about the payment. */
function paying(beforePause: () => unknown = () => undefined) {
  return workflow("paying", { input }).step("pay", {
    messages,
    run: async ({ state, subscribe }) => {
      const paymentId = `p-${state.order}`;
      await subscribe(`payment:${paymentId}`);
      await beforePause();
      return pause({ paymentId }, { timeout: "30m" });
    },
    onMessage: ({ message }) => ({ paid: message.payload.cents, by: message.id }),
  });
}

const statusOf = async (execution: Execution): Promise<string> => (await execution.summary()).status;

onEveryStore("topics", (start) => {
  test("a webhook that knows only the payment's id reaches the right execution", async () => {
    const pay = paying();
    const { launcher, clock } = await start([pay]);
    const [one, two] = [await launcher.launch(pay, { order: "1" }), await launcher.launch(pay, { order: "2" })];
    await clock.settle();
    const published = await launcher.publish("payment:p-2", "settled", { cents: 5 }, { messageId: "evt-9" });
    expect(published).toEqual({ id: "evt-9", duplicate: false, delivered: 1 });
    expect(await two.outcome()).toMatchObject({ status: "completed", state: { paid: 5, by: "evt-9" } });
    expect(await statusOf(one)).toBe("waiting");
    expect(await two.mailbox()).toMatchObject([
      { id: "evt-9", topic: "payment:p-2", payload: { cents: 5 }, status: "consumed", step: "pay" },
    ]);
    expect(await one.mailbox()).toEqual([]);
  });

  test("a publication that comes before anyone subscribes is not lost", async () => {
    const pay = paying();
    const { launcher } = await start([pay]);
    expect(await launcher.publish("payment:p-1", "settled", { cents: 5 })).toMatchObject({ delivered: 0 });
    const execution = await launcher.launch(pay, { order: "1" });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: 5 } });
    expect(await told(execution)).toEqual(["run pay: continue", "runContinue pay: ok"]);
  });

  test("a publication that comes between subscribe and the commit of the pause is not lost", async () => {
    let publish = async (): Promise<unknown> => undefined;
    const pay = paying(() => publish());
    const { launcher } = await start([pay]);
    publish = () => launcher.publish("payment:p-1", "settled", { cents: 5 });
    const execution = await launcher.launch(pay, { order: "1" });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: 5 } });
    expect(await execution.mailbox()).toHaveLength(1);
  });

  test("the same messageId is one message for each subscriber, early or late, published or sent", async () => {
    const pay = paying();
    const { launcher, clock } = await start([pay]);
    const publish = () => launcher.publish("payment:p-1", "settled", { cents: 5 }, { messageId: "evt" });
    const early = await launcher.launch(pay, { order: "1" }, { id: "early" });
    await clock.settle();
    expect(await publish()).toEqual({ id: "evt", duplicate: false, delivered: 1 });
    expect(await publish()).toEqual({ id: "evt", duplicate: true, delivered: 1 });
    const late = await launcher.launch(pay, { order: "1" }, { id: "late" });
    await late.outcome();
    expect(await publish()).toMatchObject({ duplicate: true });
    for (const execution of [early, late]) {
      expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: 5 } });
      expect(await execution.mailbox()).toHaveLength(1);
      expect(await execution.send("settled", { cents: 5 }, { messageId: "evt" })).toMatchObject({ duplicate: true });
    }
  });

  test("all that subscribed to a topic get what is published to it, in its order", async () => {
    const seen: string[] = [];
    const listen = workflow("listening", { input }).step("listen", {
      messages: { news: z.number() },
      run: async ({ subscribe }) => {
        await Promise.all([subscribe("news"), subscribe("weather")]);
        return pause();
      },
      onMessage: ({ message, state }) => {
        seen.push(`${state.order} ${message.payload}`);
        return message.payload === 3 ? {} : pause();
      },
    });
    const { launcher, clock } = await start([listen]);
    await launcher.publish("news", "news", 1);
    const executions = await launcher.launchMany(listen, [{ input: { order: "a" } }, { input: { order: "b" } }]);
    await clock.settle();
    expect(await launcher.publish("weather", "news", 2)).toMatchObject({ delivered: 2 });
    expect(await launcher.publish("news", "news", 3)).toMatchObject({ delivered: 2 });
    for (const execution of executions) expect((await execution.outcome()).status).toBe("completed");
    for (const order of ["a", "b"]) {
      expect(seen.filter((line) => line.startsWith(order))).toEqual([`${order} 1`, `${order} 2`, `${order} 3`]);
    }
  });

  test("a subscription ends with its step, or with the execution where that is asked for", async () => {
    const steps = workflow("steps", { input })
      .step("1", {
        messages: { a: z.null() },
        run: async ({ subscribe }) => {
          await subscribe("short");
          await subscribe("long", { until: "end" });
          return pause();
        },
        onMessage: () => undefined,
      })
      .step("2", { messages: { b: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { order: "1" });
    await clock.settle();
    await launcher.publish("short", "a", null);
    await clock.settle();
    expect((await execution.flow()).step).toBe("2");
    expect(await launcher.publish("short", "b", null)).toMatchObject({ delivered: 0 });
    expect(await statusOf(execution)).toBe("waiting");
    expect(await launcher.publish("long", "b", null)).toMatchObject({ delivered: 1 });
    expect((await execution.outcome()).status).toBe("completed");
    expect(await launcher.publish("long", "b", null)).toMatchObject({ delivered: 0 });
    await execution.rollback("no-more");
    await execution.outcome();
    expect(await execution.mailbox()).toHaveLength(2);
  });

  test("a step that subscribes and does not pause leaves no subscription behind", async () => {
    const steps = workflow("passing", { input })
      .step("1", { run: ({ subscribe }) => subscribe("t") })
      .step("2", { messages, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { order: "1" });
    await clock.settle();
    expect(await statusOf(execution)).toBe("waiting");
    expect(await launcher.publish("t", "settled", { cents: 1 })).toMatchObject({ delivered: 0 });
  });

  test("a subscription of the way up is over when the execution turns; an undo may have its own", async () => {
    const steps = workflow("turning", { input }).step("1", {
      messages: { up: z.null() },
      run: async ({ subscribe }) => {
        await subscribe("up");
        return pause();
      },
      onMessage: () => undefined,
      rollbackMessages: { down: z.null() },
      rollback: async ({ subscribe }) => {
        await subscribe("down");
        return pause();
      },
      onRollbackMessage: () => ({ undone: true }),
    });
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { order: "1" });
    await clock.settle();
    await execution.rollback("changed-mind");
    await clock.settle();
    expect(await launcher.publish("up", "down", null)).toMatchObject({ delivered: 0 });
    expect(await launcher.publish("down", "down", null)).toMatchObject({ delivered: 1 });
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", state: { undone: true } });
    expect(await launcher.publish("down", "down", null)).toMatchObject({ delivered: 0 });
  });

  test("a step that is tried again subscribes once, and gets once what is kept", async () => {
    const retried = workflow("retried", { input }).step("pay", {
      retry: { attempts: 3, delay: "1s", jitter: false },
      messages,
      run: async ({ subscribe, attempt }) => {
        await subscribe("t");
        if (attempt === 1) throw new Error("not yet");
        return pause();
      },
      onMessage: ({ message }) => ({ paid: message.payload.cents }),
    });
    const { launcher, clock } = await start([retried]);
    await launcher.publish("t", "settled", { cents: 1 });
    const execution = await launcher.launch(retried, { order: "1" });
    await clock.settle();
    expect(await statusOf(execution)).toBe("scheduled");
    expect(await launcher.publish("t", "settled", { cents: 2 })).toMatchObject({ delivered: 1 });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: 1 } });
    expect(await execution.mailbox()).toMatchObject([{ status: "consumed" }, { status: "dead" }]);
  });

  test("a launcher that dies between a subscription and its pause leaves it to the next one", async () => {
    const pay = paying();
    const { clock, store, another } = await start([workflow("other", { input }).step("1", { run: () => undefined })]);
    const victim = new Launcher({
      store: dying(store, "before", ({ transitions }) => transitions.length > 0),
      workflows: [pay],
    });
    await victim.start();
    await victim.launch(pay, { order: "7" }, { id: "seven" });
    await clock.advance("1s");
    const survivor = await another([pay], { heartbeat: { interval: "1s", timeout: "5s" } });
    // It had no launcher when this came.
    expect(await survivor.publish("payment:p-7", "settled", { cents: 7 })).toMatchObject({ delivered: 1 });
    await clock.advance("30s");
    const execution = survivor.execution("seven");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: 7 } });
    expect(await told(execution)).toEqual(["run pay: continue", "runContinue pay: ok"]);
    expect(await execution.mailbox()).toMatchObject([{ status: "consumed" }]);
  });

  test("a publication is given to nobody once it was kept for long enough", async () => {
    const pay = paying();
    const calm = { pollInterval: "1d", heartbeat: { interval: "1d", timeout: "9d" } } as const;
    const { launcher, clock, another } = await start([pay], { ...calm, keepPublications: "1h" });
    const patient = await another([pay], calm);
    const publish = (of: Launcher, order: string, options = {}) =>
      of.publish(`payment:p-${order}`, "settled", { cents: 1 }, options);
    await publish(launcher, "1");
    await publish(launcher, "2", { keepFor: "2h" });
    await publish(patient, "3");
    await publish(launcher, "4", { keepFor: 0 });
    const outcomeOf = async (order: string): Promise<string> => {
      const execution = await launcher.launch(pay, { order });
      await clock.settle();
      return statusOf(execution);
    };
    expect(await outcomeOf("4")).toBe("waiting");
    await clock.advance("61m");
    expect(await outcomeOf("1")).toBe("waiting");
    expect(await outcomeOf("2")).toBe("completed");
    await clock.advance("2d");
    expect(await outcomeOf("3")).toBe("completed");
    await publish(patient, "5");
    await clock.advance("3d");
    expect(await outcomeOf("5")).toBe("waiting");
  });

  test.each([
    ["by default", 3 * 24 * 60, {}, {}],
    ["by its launcher", 60, { keepPublications: "1h" }, {}],
    ["by itself", 150, { keepPublications: "1h" }, { keepFor: "150m" }],
  ] as const)(
    "a publication is kept as long as was said %s, though launchers tidy up: %i minutes, to the millisecond",
    async (_, minutes, settings, options) => {
      const pay = paying();
      const calm = { pollInterval: "1d", heartbeat: { interval: "1d", timeout: "9d" } } as const;
      const { launcher, clock } = await start([pay], { ...calm, ...settings });
      for (const order of ["in-time", "too-late"])
        await launcher.publish(`payment:p-${order}`, "settled", { cents: 1 }, options);
      await clock.advance(minutes * 60_000 - 1);
      const inTime = await launcher.launch(pay, { order: "in-time" });
      await clock.settle();
      expect(await statusOf(inTime)).toBe("completed");
      await clock.advance(1);
      const tooLate = await launcher.launch(pay, { order: "too-late" });
      await clock.settle();
      expect(await statusOf(tooLate)).toBe("waiting");
    },
  );

  test("a payload that the step's schema refuses is a dead letter, and the wait goes on", async () => {
    const pay = paying();
    const { launcher, clock, errors } = await start([pay]);
    const execution = await launcher.launch(pay, { order: "1" });
    await clock.settle();
    await launcher.publish("payment:p-1", "settled", { cents: "many" });
    await launcher.publish("payment:p-1", "unheard-of", {});
    await clock.settle();
    expect(errors).toMatchObject([{ code: "STEPWELL_INVALID_MESSAGE" }]);
    expect(await statusOf(execution)).toBe("waiting");
    await launcher.publish("payment:p-1", "settled", { cents: 2 });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: 2 } });
    expect((await execution.mailbox()).map(({ status }) => status)).toEqual(["dead", "dead", "consumed"]);
  });

  test("an execution that is stuck keeps its subscriptions, and gets what came when it goes on", async () => {
    const steps = workflow("stuck", { input })
      .step("1", { pivot: true, run: () => undefined })
      .step("2", {
        retry: { attempts: 1 },
        messages,
        run: async ({ subscribe, attempt }) => {
          await subscribe("t");
          return attempt === 1 ? fail("not-yet") : pause();
        },
        onMessage: ({ message }) => ({ paid: message.payload.cents }),
      });
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { order: "1" });
    expect((await execution.outcome()).status).toBe("stuck");
    expect(await launcher.publish("t", "settled", { cents: 3 })).toMatchObject({ delivered: 1 });
    await execution.retry();
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: 3 } });
    expect(await execution.mailbox()).toHaveLength(1);
  });

  test("what a function subscribes to without waiting is stored before what it gives back", async () => {
    const hasty = workflow("hasty", { input }).step("1", {
      messages,
      run: ({ subscribe }) => {
        void subscribe("t");
        return pause();
      },
      onMessage: ({ message, subscribe }) => {
        void subscribe("");
        return { paid: message.payload.cents };
      },
    });
    const { launcher, clock } = await start([hasty]);
    const execution = await launcher.launch(hasty, { order: "1" });
    await clock.settle();
    expect(await launcher.publish("t", "settled", { cents: 1 })).toMatchObject({ delivered: 1 });
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      error: { code: "STEPWELL_INVALID_ARGUMENT", message: expect.stringContaining("the topic must be") as string },
    });
  });

  test("what a transaction of a step publishes to its own execution fails the step, and is not tried for ever", async () => {
    let runs = 0;
    let work: (tx: unknown) => unknown = () => undefined;
    const own = workflow("own", { input }).step("1", {
      messages,
      run: async ({ subscribe }) => {
        runs++;
        await subscribe("t");
        return store.name === "postgres"
          ? onPostgres(async (tx) => void (await work(tx)))
          : onSqlite((tx) => void work(tx));
      },
      onMessage: () => undefined,
      rollback: () => undefined,
    });
    const { launcher, clock, store } = await start([own]);
    if (store.transactions === undefined) return;
    work = (tx) =>
      runs > 5 ? undefined : launcher.publish("t", "settled", { cents: 1 }, { tx: tx as CallerTransaction });
    const execution = await launcher.launch(own, { order: "1" });
    await clock.advance("1m");
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      error: { code: "STEPWELL_INVALID_RETURN_VALUE", message: expect.stringContaining("its own execution") as string },
    });
    expect(runs).toBe(1);
    expect(await launcher.publish("t", "settled", { cents: 1 })).toMatchObject({ duplicate: false, delivered: 0 });
  });

  test("once a function has settled, or was given up, it subscribes to nothing any more", async () => {
    const kept: StepContext<unknown>[] = [];
    const steps = workflow("late", { input })
      .step("1", { run: (context) => void kept.push(context) })
      .step("2", { timeout: "1s", run: (context) => new Promise<void>(() => void kept.push(context)) });
    const { launcher, clock } = await start([steps], { abortGrace: "1s" });
    const execution = await launcher.launch(steps, { order: "1" });
    await clock.advance("3s");
    await execution.outcome();
    expect(kept).toHaveLength(2);
    for (const { subscribe } of kept) {
      expect(await errorOf(subscribe("t"))).toMatchObject({
        code: "STEPWELL_SUBSCRIBE_TOO_LATE",
        execution: execution.id,
        workflow: "late",
      });
    }
    expect(await launcher.publish("t", "settled", {})).toMatchObject({ delivered: 0 });
  });

  test.each([
    ["by then", true],
    ["only by that", false],
  ])("a launcher that has lost the execution, and knows it %s, subscribes to nothing", async (_, knows) => {
    const told: unknown[] = [];
    let goOn: () => void = () => undefined;
    const slow = workflow("slow", { input }).step("1", {
      messages,
      run: async ({ subscribe, attempt }) => {
        if (attempt > 1) return pause();
        await new Promise<void>((resolve) => (goOn = resolve));
        const error = (await errorOf(subscribe("t"))) as StepwellError;
        told.push(error.code);
        throw error;
      },
      onMessage: () => undefined,
    });
    const own = new VirtualClock();
    const { launcher, clock, store, another } = await start([slow]);
    // Its time stands still, and it hears nothing: as if stopped by a debugger.
    const silent = await another([slow], { store: deaf(store), clock: own, abortGrace: 1 });
    const execution = await silent.launch(slow, { order: "1" }, { id: "e" });
    await clock.advance("20s");
    expect(await statusOf(launcher.execution("e"))).toBe("waiting");
    if (knows) await own.advance("3s");
    goOn();
    await clock.settle();
    expect(told).toEqual(["STEPWELL_OWNERSHIP_LOST"]);
    expect(await launcher.publish("t", "settled", { cents: 1 })).toMatchObject({ delivered: 0 });
    expect(await execution.mailbox()).toEqual([]);
    await own.advance("1m");
  });

  test("the longest topic and message id are stored, and a longer id is refused, by every store alike", async () => {
    const wide = (length: number): string =>
      // Of so many different characters that no index could compress them.
      Array.from({ length }, (_, n) => String.fromCharCode(0x4e00 + ((n * 7919) % 20_000))).join("");
    const topic = wide(255);
    const listen = workflow("listen", { input }).step("1", {
      messages,
      run: async ({ subscribe }) => (await subscribe(topic), pause()),
      onMessage: () => undefined,
    });
    const { launcher, clock } = await start([listen]);
    const execution = await launcher.launch(listen, { order: "1" });
    await clock.settle();
    const id = { messageId: wide(601) };
    for (const refused of [execution.send("settled", { cents: 1 }, id), launcher.publish(topic, "settled", {}, id)]) {
      expect(await errorOf(refused)).toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    }
    const published = await launcher.publish(topic, "settled", { cents: 1 }, { messageId: wide(600) });
    expect(published).toMatchObject({ delivered: 1 });
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("what can't be a topic, a name, a message or an option is refused, and nothing is stored", async () => {
    const refused: unknown[] = [];
    const clumsy = workflow("clumsy", { input }).step("1", {
      run: async ({ subscribe }) => {
        const untyped = subscribe as (...given: unknown[]) => Promise<void>;
        for (const given of [[], [""], ["a\nb"], [7], ["x".repeat(256)], ["t", { until: "ever" }], ["t", { til: 1 }]]) {
          refused.push(((await errorOf(untyped(...given))) as StepwellError).code);
        }
      },
    });
    const { launcher, store } = await start([clumsy]);
    await (await launcher.launch(clumsy, { order: "1" })).outcome();
    expect(refused).toEqual([
      ...Array.from({ length: 6 }, () => "STEPWELL_INVALID_ARGUMENT"),
      "STEPWELL_UNKNOWN_OPTION",
    ]);
    const publish = launcher.publish.bind(launcher) as (...given: unknown[]) => Promise<unknown>;
    const codeOf = async (...given: unknown[]): Promise<string> =>
      ((await errorOf(publish(...given))) as StepwellError).code;
    expect(await codeOf("", "n", 1)).toBe("STEPWELL_INVALID_ARGUMENT");
    expect(await codeOf("t", "", 1)).toBe("STEPWELL_INVALID_ARGUMENT");
    expect(await codeOf("t", "n", () => 1)).toBe("STEPWELL_NOT_ENCODABLE");
    expect(await codeOf("t", "n", "x".repeat(2 ** 20))).toBe("STEPWELL_TOO_LARGE");
    expect(await codeOf("t", "n", 1, { messageId: "" })).toBe("STEPWELL_INVALID_ARGUMENT");
    expect(await codeOf("t", "n", 1, { keepFor: "soon" })).toBe("STEPWELL_INVALID_DURATION");
    expect(await codeOf("t", "n", 1, { keep: 1 })).toBe("STEPWELL_UNKNOWN_OPTION");
    expect(await codeOf("t", "n", 1, { tx: 5 })).toBe(
      store.transactions === undefined ? "STEPWELL_CAPABILITY_MISSING" : "STEPWELL_INVALID_ARGUMENT",
    );
    await launcher.stop();
    expect(await codeOf("t", "n", 1)).toBe("STEPWELL_LAUNCHER_NOT_RUNNING");
  });
});
