import { expect, test } from "vitest";
import { z } from "zod";
import {
  didNotHappen,
  fail,
  Launcher,
  pause,
  StepwellError,
  workflow,
  type CallerTransaction,
  type StepClient,
  type StepContext,
} from "../../src/index.js";
import { transaction as onPostgres } from "../../src/stores/postgres/index.js";
import { transaction as onSqlite } from "../../src/stores/sqlite/index.js";
import { through } from "../../src/testing/faults/through.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { dying, mortal } from "../support/dying.js";
import { deaf, errorOf, onEveryStore, type Rig } from "../support/rig.js";

const input = z.object({ order: z.string() });
const messages = { paid: z.object({ cents: z.number() }) };

/** Waits for as many messages as anybody sends. */
const inbox = workflow("inbox", { input }).step("listen", {
  messages,
  run: async ({ subscribe }) => (await subscribe("payments"), pause()),
  onMessage: () => pause(),
});

const invoice = workflow("invoice", { input }).step("print", { run: () => ({ printed: true }) });

/** A workflow whose only step does that with its client. */
function telling(tell: (client: StepClient, context: StepContext<{ order: string }>) => Promise<unknown>) {
  return workflow("order", { input }).step("tell", {
    run: async (context) => {
      await tell(context.client, context);
      return {};
    },
  });
}

async function mailOf(launcher: Launcher, id: string): Promise<string[]> {
  return (await launcher.execution(id).mailbox()).map((it) => it.id);
}

async function withInbox({ launcher, clock }: Rig): Promise<void> {
  await launcher.launch(inbox, { order: "0" }, { id: "inbox" });
  await clock.settle();
}

onEveryStore("the client of a step function", (start) => {
  test("what an attempt has asked for is not done again by the next one", async () => {
    const ids: unknown[] = [];
    const order = workflow("order", { input }).step("tell", {
      retry: { attempts: 3, delay: "1s" },
      run: async ({ client, attempt }) => {
        const { id } = await client.launch(invoice, { order: "1" });
        const sent = await client.send("inbox", "paid", { cents: 5 });
        const published = await client.publish("payments", "paid", { cents: 7 });
        ids.push([id, sent, { ...published, delivered: undefined }]);
        if (attempt < 3) throw new Error("not yet");
      },
    });
    const rig = await start([inbox, invoice, order]);
    await withInbox(rig);
    const { launcher, clock } = rig;
    const execution = await launcher.launch(order, { order: "1" }, { id: "o-1" });
    await clock.advance("10s");
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    const message = "o-1/tell/run/paid";
    expect(ids).toEqual(
      [false, true, true].map((duplicate) => [
        "o-1/tell/run/invoice",
        { id: message, duplicate },
        { id: "o-1/tell/run/payments/paid", duplicate, delivered: undefined },
      ]),
    );
    expect(await launcher.execution("o-1/tell/run/invoice").outcome()).toMatchObject({
      status: "completed",
      state: { order: "1", printed: true },
    });
    expect(await launcher.execution("inbox").mailbox()).toMatchObject([
      { id: message, payload: { cents: 5 } },
      { id: "o-1/tell/run/payments/paid", topic: "payments", payload: { cents: 7 } },
    ]);
  });

  test("calls that are alike are told apart by their order, and all others by what they ask for", async () => {
    const order = telling(async (client) => {
      const own = await client.send("inbox", "paid", { cents: 1 }, { messageId: "own" });
      const sent = [
        own,
        await client.send("inbox", "paid", { cents: 2 }),
        await client.send("inbox", "paid", { cents: 3 }),
      ];
      const other = await client.send("other", "paid", { cents: 4 });
      const launched = [await client.launch(invoice, { order: "1" }), await client.launch(invoice, { order: "2" })];
      launched.push(await client.launch(invoice, { order: "3" }, { id: "mine", tags: ["t"] }));
      const topics = [];
      for (const topic of ["payments", "a/b", "a/b"]) topics.push(await client.publish(topic, "paid", { cents: 5 }));
      given.push([...sent, other, ...launched, ...topics].map(({ id }) => id));
    });
    const given: string[][] = [];
    const rig = await start([inbox, invoice, order]);
    await withInbox(rig);
    const { launcher } = rig;
    await launcher.launch(inbox, { order: "0" }, { id: "other" });
    await (await launcher.launch(order, { order: "1" }, { id: "o" })).outcome();
    const sent = ["own", "o/tell/run/paid", "o/tell/run/paid~2", "o/tell/run/paid"];
    const launched = ["o/tell/run/invoice", "o/tell/run/invoice~2", "mine"];
    const topics = ["o/tell/run/payments/paid", "o/tell/run/a%2Fb/paid", "o/tell/run/a%2Fb/paid~2"];
    expect(given).toEqual([[...sent, ...launched, ...topics]]);
    expect(await mailOf(launcher, "inbox")).toEqual([...sent.slice(0, 3), topics[0]]);
    expect((await launcher.execution("mine").summary()).tags).toEqual(["t"]);
  });

  test.each(["before", "after"] as const)("a launcher that dies %s a message is stored sends it once", async (when) => {
    const order = telling((client) => client.send("inbox", "paid", { cents: 5 }));
    const rig = await start([inbox, order]);
    await withInbox(rig);
    const { launcher, clock, store } = rig;
    const isMessage = ({ arrivals }: { readonly arrivals: readonly unknown[] }): boolean => arrivals.length > 0;
    const victim = new Launcher({ store: dying(store, when, isMessage), workflows: [order] });
    await victim.start();
    await victim.launch(order, { order: "1" }, { id: "o" });
    await clock.advance("1m");
    expect(await launcher.execution("o").outcome()).toMatchObject({ status: "completed" });
    expect(await mailOf(launcher, "inbox")).toEqual(["o/tell/run/paid"]);
  });

  test("another round of a rewind, an undo and a handler have ids of their own", async () => {
    const order = workflow("order", { input })
      .step("tell", {
        messages,
        run: async ({ client }) => (await client.send("inbox", "paid", { cents: 1 }), pause()),
        onMessage: async ({ client }) => (await client.send("inbox", "paid", { cents: 2 }), undefined),
        rollback: async ({ client }) => void (await client.send("inbox", "paid", { cents: 3 })),
      })
      .step("wait", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const rig = await start([inbox, order]);
    await withInbox(rig);
    const { launcher, clock } = rig;
    const execution = await launcher.launch(order, { order: "1" }, { id: "o" });
    await execution.send("paid", { cents: 0 }, { messageId: "m" });
    await clock.settle();
    await execution.rewind({ to: "tell", reason: "again", by: "ada" });
    await clock.settle();
    expect(await mailOf(launcher, "inbox")).toEqual([
      "o/tell/run/paid",
      "o/tell/runContinue/m/paid",
      "o/tell/rollback/paid",
      "o/tell/run@1/paid",
    ]);
  });

  test("a call waits for a store that is away, and the step does not fail of it", async () => {
    let isAway = true;
    const order = telling(async (client) => {
      await client.send("inbox", "paid", { cents: 5 });
      await client.launch(invoice, { order: "1" });
    });
    const rig = await start([inbox, invoice, order]);
    await withInbox(rig);
    const { launcher, clock, store, another } = rig;
    const away = through(
      store,
      (call) =>
        (...given) =>
          call(...given),
      {
        write: (batch) => {
          const asks = batch.arrivals.length > 0 || batch.creates.some(({ workflow: name }) => name === "invoice");
          if (isAway && asks) throw new StepwellError("STEPWELL_STORE_UNREACHABLE", "Away.", { retryable: true });
          return store.write(batch);
        },
      },
    );
    const cut = await another([invoice, order], { store: away });
    const execution = await cut.launch(order, { order: "1" }, { id: "o" });
    await clock.advance("10m");
    expect(await execution.summary()).toMatchObject({ status: "running", flow: { step: "tell" } });
    expect(await mailOf(launcher, "inbox")).toEqual([]);
    isAway = false;
    await clock.advance("10s");
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    expect(await execution.history()).toMatchObject([{ attempt: 1, result: "ok" }]);
    expect(await mailOf(launcher, "inbox")).toEqual(["o/tell/run/paid"]);
  });

  test("a step that a stopping launcher lets finish still sends and launches", async () => {
    let goOn: () => void = () => undefined;
    const order = telling(async (client) => {
      await new Promise<void>((resolve) => (goOn = resolve));
      await client.send("inbox", "paid", { cents: 5 });
      await client.launch(invoice, { order: "1" });
    });
    const rig = await start([inbox, invoice, order]);
    await withInbox(rig);
    const { launcher, clock, another } = rig;
    const second = await another([order, invoice]);
    const execution = await second.launch(order, { order: "1" }, { id: "o" });
    await clock.settle();
    const stopped = second.stop();
    await clock.settle();
    goOn();
    await clock.advance("1s");
    await stopped;
    expect(await launcher.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
    expect(await mailOf(launcher, "inbox")).toEqual(["o/tell/run/paid"]);
    expect(await launcher.execution("o/tell/run/invoice").outcome()).toMatchObject({ status: "completed" });
  });

  test("what the function has not waited for is waited for, and where it is refused the step fails", async () => {
    const order = telling(async (client, { state }) => {
      void client.send(state.order, "paid", { cents: 5 });
    });
    const rig = await start([inbox, order]);
    await withInbox(rig);
    const { launcher } = rig;
    expect(await (await launcher.launch(order, { order: "inbox" }, { id: "o" })).outcome()).toMatchObject({
      status: "completed",
    });
    expect(await mailOf(launcher, "inbox")).toEqual(["o/tell/run/paid"]);
    expect(await (await launcher.launch(order, { order: "nobody" })).outcome()).toMatchObject({
      status: "rolledBack",
      error: { code: "STEPWELL_EXECUTION_NOT_FOUND" },
    });
  });

  test("once a function has settled, or was given up, its client does nothing any more", async () => {
    const kept: StepClient[] = [];
    const steps = workflow("late", { input })
      .step("1", { run: ({ client }) => void kept.push(client) })
      .step("2", { timeout: "1s", run: ({ client }) => new Promise<void>(() => void kept.push(client)) });
    const rig = await start([inbox, invoice, steps], { abortGrace: "1s" });
    await withInbox(rig);
    const { launcher, clock } = rig;
    const execution = await launcher.launch(steps, { order: "1" });
    await clock.advance("3s");
    await execution.outcome();
    expect(kept).toHaveLength(2);
    for (const client of kept) {
      const refusal = { code: "STEPWELL_CLIENT_TOO_LATE", execution: execution.id, workflow: "late" };
      expect(await errorOf(client.send("inbox", "paid", { cents: 1 }))).toMatchObject(refusal);
      expect(await errorOf(client.publish("payments", "paid", { cents: 1 }))).toMatchObject(refusal);
      expect(await errorOf(client.launch(invoice, { order: "1" }))).toMatchObject(refusal);
    }
    expect(await mailOf(launcher, "inbox")).toEqual([]);
    expect((await launcher.list({ workflow: "invoice" })).executions).toEqual([]);
  });

  test("a launcher that knows that it has lost the execution sends nothing", async () => {
    const told: unknown[] = [];
    let goOn: () => void = () => undefined;
    const slow = workflow("slow", { input }).step("1", {
      messages,
      run: async ({ client, attempt }) => {
        if (attempt > 1) return pause();
        await new Promise<void>((resolve) => (goOn = resolve));
        const error = (await errorOf(client.send("inbox", "paid", { cents: 5 }))) as StepwellError;
        told.push(error.code);
        throw error;
      },
      onMessage: () => undefined,
    });
    const own = new VirtualClock();
    const rig = await start([inbox, slow]);
    await withInbox(rig);
    const { launcher, clock, store, another } = rig;
    // Its time stands still, and it hears nothing: as if stopped by a debugger.
    const silent = await another([slow], { store: deaf(store), clock: own, abortGrace: 1 });
    await silent.launch(slow, { order: "1" }, { id: "e" });
    await clock.advance("20s");
    await own.advance("3s");
    // Its heartbeat has had the answer.
    await clock.settle();
    goOn();
    await clock.settle();
    expect(told).toEqual(["STEPWELL_OWNERSHIP_LOST"]);
    expect(await mailOf(launcher, "inbox")).toEqual([]);
    await own.advance("1m");
  });

  test("what can't be asked is refused with a code, and is no promise of the next attempt's", async () => {
    const errors: unknown[] = [];
    const order = telling(async (client) => {
      const asks = [
        client.send("inbox", "paid", { cents: "5" }),
        client.send("inbox", "unknown", {}),
        client.send("nobody", "paid", { cents: 5 }),
        client.send("inbox", 7 as never, {}),
        client.send(7 as never, "paid", {}),
        client.send("inbox", "paid", { cents: 5 }, null as never),
        client.send("inbox", "paid", { cents: 5 }, { mesageId: "m" } as never),
        client.publish("", "paid", {}),
        client.publish("payments", "two\nlines", {}),
        client.launch(invoice, {} as never),
        client.launch(stranger, { order: "1" }),
        client.launch({} as never, {} as never),
        client.launch(invoice, { order: "1" }, "now" as never),
      ];
      for (const ask of asks) errors.push(((await errorOf(ask)) as StepwellError).code);
    });
    const stranger = workflow("stranger", { input }).step("1", { run: () => undefined });
    const rig = await start([inbox, invoice, order]);
    await withInbox(rig);
    const { launcher } = rig;
    expect(await (await launcher.launch(order, { order: "1" })).outcome()).toMatchObject({ status: "completed" });
    expect(errors).toEqual([
      "STEPWELL_INVALID_MESSAGE",
      "STEPWELL_UNKNOWN_MESSAGE",
      "STEPWELL_EXECUTION_NOT_FOUND",
      "STEPWELL_INVALID_ARGUMENT",
      "STEPWELL_INVALID_ARGUMENT",
      "STEPWELL_INVALID_ARGUMENT",
      "STEPWELL_UNKNOWN_OPTION",
      "STEPWELL_INVALID_ARGUMENT",
      "STEPWELL_INVALID_ARGUMENT",
      "STEPWELL_INVALID_INPUT",
      "STEPWELL_UNKNOWN_WORKFLOW",
      "STEPWELL_INVALID_ARGUMENT",
      "STEPWELL_INVALID_ARGUMENT",
    ]);
    expect(await mailOf(launcher, "inbox")).toEqual([]);
  });

  test("a launch that the next attempt asks for with another input is a conflict", async () => {
    const order = workflow("order", { input }).step("tell", {
      retry: { attempts: 2, delay: 0 },
      run: async ({ client, attempt }) => {
        await client.launch(invoice, { order: String(attempt) });
        throw new Error("not yet");
      },
    });
    const { launcher, clock } = await start([invoice, order]);
    const execution = await launcher.launch(order, { order: "1" });
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ error: { code: "STEPWELL_LAUNCH_CONFLICT" } });
  });

  test("a probe has no client", async () => {
    const seen: unknown[] = [];
    const order = workflow("order", { input }).step("tell", {
      retry: { attempts: 1 },
      run: () => Promise.reject(new Error("no answer")),
      probe: (context) => {
        seen.push("client" in context, (context as { client?: unknown }).client);
        return didNotHappen();
      },
    });
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, { order: "1" });
    await clock.advance("1m");
    await execution.outcome();
    expect(seen).toEqual([true, undefined]);
  });
});

onEveryStore(
  "the client of a step function, within the step's own transaction",
  (start) => {
    test("what it is asked for with that transaction commits with it, or not at all", async () => {
      const answers: unknown[] = [];
      const tell = (tx: unknown, { client }: StepContext<unknown>): Promise<unknown>[] => {
        const options = { tx: tx as CallerTransaction };
        return [
          client.send("inbox", "paid", { cents: 5 }, options),
          client.launch(invoice, { order: "1" }, options),
          client.publish("payments", "paid", { cents: 7 }, options),
        ];
      };
      const ends = (attempt: number): { told: true } => {
        if (attempt === 1) throw new Error("not yet");
        return { told: true };
      };
      let isSqlite = false;
      const order = workflow("order", { input }).step("tell", {
        retry: { attempts: 2, delay: "1h" },
        run: ({ attempt }) =>
          isSqlite
            ? onSqlite((tx, context: StepContext<unknown>) => {
                answers.push(...tell(tx, context));
                return ends(attempt);
              })
            : onPostgres(async (tx, context: StepContext<unknown>) => {
                for (const asked of tell(tx, context)) answers.push(await asked);
                return ends(attempt);
              }),
      });
      const rig = await start([inbox, invoice, order]);
      isSqlite = rig.store.name === "sqlite";
      await withInbox(rig);
      const { launcher, clock } = rig;
      const execution = await launcher.launch(order, { order: "1" }, { id: "o" });
      await clock.advance("1m");
      expect(await mailOf(launcher, "inbox")).toEqual([]);
      expect((await launcher.list({ workflow: "invoice" })).executions).toEqual([]);
      await clock.advance("1h");
      expect(await execution.outcome()).toMatchObject({ status: "completed", state: { told: true } });
      expect(await mailOf(launcher, "inbox")).toEqual(["o/tell/run/paid", "o/tell/run/payments/paid"]);
      expect(await launcher.execution("o/tell/run/invoice").outcome()).toMatchObject({ status: "completed" });
      expect(await Promise.all(answers)).toHaveLength(6);
    });
  },
  ["sqlite", "postgres"],
);

const often = { pollInterval: 500, heartbeat: { interval: "1s", timeout: "3s" } } as const;

const failing = workflow("order", { input })
  .step("tell", {
    run: async ({ state, client }) => {
      const { id } = await client.launch(invoice, { order: state.order });
      await client.send("inbox", "paid", { cents: 1 });
      await client.send("inbox", "paid", { cents: 2 });
      await client.publish("payments", "paid", { cents: 3 });
      return { invoice: id };
    },
    rollback: async ({ client }) => {
      await client.send("inbox", "paid", { cents: -1 });
      void client.launch(invoice, { order: "credit" });
    },
  })
  .step("ship", { run: () => fail("no-carrier") });

/** The launcher dies at its change number `last`, and another one goes on. False: it had ended before. */
async function dies({ store, clock, launcher }: Rig, last: number, when: "before" | "after"): Promise<boolean> {
  const id = `o-${last}-${when}`;
  const workflows = [failing, invoice];
  const known = await mailOf(launcher, "inbox");
  const dead = mortal(store, last, when);
  const first = new Launcher({ store: dead.store, workflows, onError: () => undefined, ...often });
  // Who launches may die with it.
  const launched = first.start().then(async () => first.launch(failing, { order: "1" }, { id }));
  launched.catch(() => undefined);
  await clock.advance("1s");
  const second = new Launcher({ store, workflows, ...often });
  await second.start();
  const execution = await second.launch(failing, { order: "1" }, { id });
  await clock.advance("30s");
  expect(await execution.outcome(), id).toMatchObject({ status: "rolledBack", reason: "no-carrier" });
  const mail = (await mailOf(launcher, "inbox")).slice(known.length);
  const sent = ["run/paid", "run/paid~2", "run/payments/paid", "rollback/paid"].map((it) => `${id}/tell/${it}`);
  expect(mail, id).toEqual(sent);
  for (const func of ["run", "rollback"])
    expect(await launcher.execution(`${id}/tell/${func}/invoice`).outcome(), id).toMatchObject({ status: "completed" });
  const over = Promise.all([second.stop(), dead.isDead() ? undefined : first.stop()]);
  await clock.advance("5s");
  await over;
  return dead.isDead();
}

onEveryStore("a launcher that dies at any change, while its steps ask for something of others", (start) => {
  test.each(["before", "after"] as const)("is followed by one that asks for nothing twice: %s it", async (when) => {
    const rig = await start([inbox, invoice], often);
    await withInbox(rig);
    let last = 1;
    while (await dies(rig, last, when)) last++;
    expect(last).toBeGreaterThan(8);
    const { executions } = await rig.launcher.list({ workflow: "invoice" });
    expect(executions).toHaveLength(2 * last);
  });
});
