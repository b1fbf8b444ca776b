import { describe, expect, test } from "vitest";
import { z } from "zod";
import { dying } from "../../test/support/dying.js";
import { onEveryStore } from "../../test/support/rig.js";
import { fail, Launcher, observer, pause, workflow, type StepwellError } from "../index.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { messenger, type Messenger, type StatusMessage } from "./messenger.js";

const input = z.object({ email: z.string() });

/** Steps that wait for an answer; with `"no"` they go back. */
const asking = (watcher: Messenger<{ email: string }>) =>
  workflow("order", { input })
    .step("reserve", { run: () => ({ reserved: true }), rollback: () => undefined })
    .step("charge", {
      messages: { answer: z.string() },
      run: () => pause(),
      onMessage: ({ message }) => (message.payload === "no" ? fail("declined") : { paid: true }),
    })
    .observe(watcher);

onEveryStore("a messenger", (start) => {
  test("tells of an execution that goes well, in order, each thing once", async () => {
    const told: string[] = [];
    const emails = new Set<string>();
    const order = asking(
      messenger<{ email: string }>((message, state) => {
        told.push(`${message.what}: ${message.text}`);
        emails.add(state.email);
        expect(JSON.parse(JSON.stringify(message))).toEqual(message);
      }),
    );
    const { launcher, clock } = await start([order]);
    const execution = await launcher.launch(order, { email: "ada@example.org" });
    await clock.settle();
    await execution.send("answer", "yes");
    await execution.outcome();
    expect(told).toEqual([
      "init: order started",
      "beforeStep: reserve started",
      "afterStep: reserve done",
      "beforeStep: charge started",
      "afterStep: charge done",
      "success: order completed",
    ]);
    expect([...emails]).toEqual(["ada@example.org"]);
  });

  test("tells of one that goes back, why, and which step", async () => {
    const told: StatusMessage[] = [];
    const order = asking(messenger((message) => void told.push(message)));
    const { launcher } = await start([order]);
    const execution = await launcher.launch(order, { email: "e" }, { id: "order-1" });
    await execution.send("answer", "no");
    await execution.outcome();
    expect(told.slice(4).map(({ text }) => text)).toEqual([
      "order is being undone: declined",
      "undoing charge",
      "charge undone",
      "undoing reserve",
      "reserve undone",
      "order was undone: declined",
    ]);
    expect(told[4]).toEqual({
      ...{ id: "order-1/3/startRollback", what: "startRollback", text: "order is being undone: declined" },
      ...{ execution: "order-1", workflow: "order", version: "1", direction: "down", reason: "declined" },
    });
    expect(told[6]).toEqual({
      ...{ id: "order-1/4/afterStep", what: "afterStep", text: "charge undone", execution: "order-1" },
      ...{ workflow: "order", version: "1", direction: "down", step: "charge", attempt: 1 },
    });
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
  });

  test("tells of a child whose it is, each in the order of its own", async () => {
    const told: StatusMessage[] = [];
    const item = workflow("item", { input: z.object({ sku: z.string() }) })
      .step("pack", { run: () => ({ packed: true }), rollback: () => undefined })
      .observe(messenger((message) => void told.push(message)));
    const order = workflow("order", { input })
      .forEach("items", item, { items: () => ["A", "B"], input: ({ item: sku }) => ({ sku }) })
      .step("ship", { run: () => fail("no-carrier") });
    const { launcher } = await start([order]);
    const execution = await launcher.launch(order, { email: "e" }, { id: "o" });
    await execution.outcome();
    for (const key of ["0", "1"]) {
      const of = told.filter((message) => message.execution === `o/items/${key}`);
      expect(of.map(({ text }) => text)).toEqual([
        ...["item started", "pack started", "pack done", "item completed"],
        ...["item is being undone: no-carrier", "undoing pack", "pack undone", "item was undone: no-carrier"],
      ]);
      expect(new Set(of.map(({ id }) => id)).size).toBe(of.length);
      for (const { parent, root, workflow: name } of of) expect([parent, root, name]).toEqual(["o", "o", "item"]);
    }
    expect(told).toHaveLength(16);
  });

  test("a retry is another message", async () => {
    const told: StatusMessage[] = [];
    const retried = workflow("retried", { input })
      .step("1", { retry: { attempts: 2, delay: 0 }, run: ({ attempt }) => (attempt === 1 ? broken() : undefined) })
      .observe(messenger((message) => void told.push(message)));
    const { launcher } = await start([retried]);
    await (await launcher.launch(retried, { email: "e" })).outcome();
    expect(told.map(({ text }) => text)).toEqual([
      ...["retried started", "1 started", "1 started (attempt 2)", "1 done", "retried completed"],
    ]);
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
  });

  test("does not call done what a guard vetoes", async () => {
    const told: string[] = [];
    const strict = observer({
      name: "strict",
      guard: true,
      afterStep: ({ flow }) => (flow.direction === "up" ? fail("no") : undefined),
    });
    const vetoed = workflow("vetoed", { input })
      .step("1", { run: () => undefined, rollback: () => undefined })
      .observe(
        messenger(({ text }) => void told.push(text)),
        strict,
      );
    const { launcher } = await start([vetoed]);
    await (await launcher.launch(vetoed, { email: "e" })).outcome();
    expect(told).not.toContain("1 done");
    expect(told.at(-1)).toBe("vetoed was undone: no");
  });

  test("keeps the order of an execution where sending takes time, and does not hold it up", async () => {
    const told: string[] = [];
    const release: (() => void)[] = [];
    const watcher = messenger(async ({ text }) => {
      if (told.length === 0) await new Promise<void>((resolve) => release.push(resolve));
      told.push(text);
    });
    const order = asking(watcher);
    const { launcher } = await start([order]);
    const execution = await launcher.launch(order, { email: "e" });
    await execution.send("answer", "yes");
    expect((await execution.outcome()).status).toBe("completed");
    expect(told).toEqual([]);
    for (const go of release) go();
    await watcher.settled();
    expect(told.map((text) => text.split(" ").at(-1))).toEqual([
      "started",
      "started",
      "done",
      "started",
      "done",
      "completed",
    ]);
  });

  test("whose sending fails, at once or later, reports each message and disturbs nothing", async () => {
    const failed: StepwellError[] = [];
    let count = 0;
    const onError = (error: StepwellError): void => void failed.push(error);
    const watcher = messenger(
      ({ id }) => {
        count += 1;
        if (count % 2 === 0) throw new Error(`lost ${id}`);
        return Promise.reject(new Error(`late ${id}`));
      },
      { onError },
    );
    const order = asking(watcher);
    const { launcher, errors } = await start([order]);
    const execution = await launcher.launch(order, { email: "e" }, { id: "order-1" });
    await execution.send("answer", "yes");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { paid: true } });
    await watcher.settled();
    expect(failed).toHaveLength(6);
    expect(failed[0]).toMatchObject({ code: "STEPWELL_OBSERVER_FAILED", execution: "order-1", workflow: "order" });
    expect(failed[0]!.message).toContain('Message "order-1/0/init" was not taken: late order-1/0/init');
    expect(errors).toEqual([]);
  });
});

/** A technical failure. */
function broken(): never {
  throw new Error("again");
}

onEveryStore("a messenger, after a crash", (start) => {
  /** What two processes tell of one execution: the first dies as told, the second takes over. */
  async function toldByBoth(
    when: "before" | "after",
    fatal: Parameters<typeof dying>[2],
  ): Promise<{ first: StatusMessage[]; second: StatusMessage[] }> {
    const [first, second]: [StatusMessage[], StatusMessage[]] = [[], []];
    const steps = (told: StatusMessage[]) =>
      workflow("steps", { input })
        .step("1", { run: () => ({ one: true }) })
        .step("2", { run: () => ({ two: true }) })
        .observe(messenger((message) => void told.push(message)));
    const { store, clock, launcher } = await start([steps(second)]);
    const own = new VirtualClock();
    const order = steps(first);
    const doomed = new Launcher({ store: dying(store, when, fatal), workflows: [order], clock: own });
    await doomed.start();
    void doomed.launch(order, { email: "e" }, { id: "e" });
    await own.settle();
    await clock.advance("20s");
    expect((await launcher.execution("e").outcome()).status).toBe("completed");
    return { first, second };
  }

  test("tells the same thing again under the same id, and the rest for the first time", async () => {
    const { first, second } = await toldByBoth("before", ({ transitions }) =>
      transitions.some(({ revision }) => revision === 2),
    );
    expect(first.map(({ id }) => id)).toEqual(["e/0/init", "e/0/beforeStep", "e/1/afterStep", "e/1/beforeStep"]);
    expect(second.map(({ id }) => id)).toEqual(["e/1/beforeStep", "e/2/afterStep", "e/2/success"]);
  });

  test("tells of the end where the launcher died between its commit and the call", async () => {
    const { first, second } = await toldByBoth("after", ({ transitions }) => transitions.some(({ ends }) => ends));
    expect(first.map(({ what }) => what)).not.toContain("success");
    expect(second.map(({ id }) => id)).toEqual(["e/2/success"]);
  });

  test("tells of the end again where the launcher died right after the call", async () => {
    const { first, second } = await toldByBoth("before", ({ releases }) => releases.length > 0);
    expect(first.at(-1)!.id).toBe("e/2/success");
    expect(second.map(({ id }) => id)).toEqual(["e/2/success"]);
  });
});

describe("messenger(…)", () => {
  test("checks what it is given", () => {
    expect(() => messenger(5 as never)).toThrow("takes a function that sends a message, not 5");
    expect(() => messenger(() => undefined, { onError: "x" as never })).toThrow('"onError" must be a function');
    expect(() => messenger(() => undefined, { onErr: () => undefined } as never)).toThrow('Did you mean "onError"?');
  });
});
