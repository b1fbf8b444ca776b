/** What comes between two things that the engine does: an arrival before it lets go, an answer after a commit. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Launcher, observer, pause, workflow, type Store } from "../../src/index.js";
import { Encoded } from "../../src/values/encode.js";
import type { Batch } from "../../src/stores/batch.js";
import { dying } from "../support/dying.js";
import type { MailRecord } from "../../src/stores/contract.js";
import { deaf, onEveryStore } from "../support/rig.js";

const input = z.object({});
const messages = { go: z.number() };

/** The store, with something that happens in the moment before it releases an execution. */
function before(store: Store, isNow: (batch: Batch) => boolean, happen: () => Promise<unknown>): Store {
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "write") return value.bind(target) as unknown;
      return (batch: Batch) => (isNow(batch) ? happen().then(() => target.write(batch)) : target.write(batch));
    },
  });
}

onEveryStore("an execution that is let go of", (start) => {
  test("is not let go of with a message that came just before", async () => {
    const flow = workflow("flow", { input })
      .step("1", { messages, run: () => pause(), onMessage: ({ message }) => ({ got: message.payload }) })
      .step("2", { messages: { later: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { store, clock, launcher, another } = await start([flow]);
    await launcher.launch(flow, {}, { id: "e" });
    await clock.settle();
    await launcher.stop();
    let slips = 0;
    const slipping = before(
      store,
      ({ releases }) => releases.some(({ id }) => id === "e") && slips++ === 0,
      async () =>
        store.write({
          ...{ creates: [], transitions: [], releases: [] },
          arrivals: [
            {
              ...{ id: "slipped", execution: "e", kind: "message", name: "go", messageId: null, carried: null },
              payload: Encoded.ofText("7"),
              ...{ acceptedIn: ["running", "waiting"], wakes: ["waiting"] },
            },
          ],
        }),
    );
    // It hears of nothing: all that it has is the answer of the store.
    const second = await another([flow], { store: deaf(slipping) });
    await second.send("e", "later", null);
    await clock.advance("10s");
    expect(slips).toBeGreaterThan(0);
    expect(await second.execution("e").mailbox()).toMatchObject([{ status: "consumed" }, { status: "consumed" }]);
    expect(await second.execution("e").outcome()).toMatchObject({ status: "completed", state: { got: 7 } });
  });
});

onEveryStore("a look into the mailbox", (start) => {
  test("that is answered after a commit delivers nothing twice that the commit consumed", async () => {
    const handled: number[] = [];
    let goOn: () => void = () => undefined;
    const flow = workflow("flow", { input }).step("1", {
      messages,
      run: () => pause(),
      onMessage: async ({ message }) => {
        handled.push(message.payload);
        await new Promise<void>((resolve) => (goOn = resolve));
        return pause();
      },
    });
    const { store, clock, launcher, another } = await start([flow]);
    await launcher.stop();
    let isHeld = false;
    let answer: (() => void) | undefined;
    const slow = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        if (key !== "mail") return value.bind(target) as unknown;
        return (...asked: Parameters<Store["mail"]>) => {
          const rows = target.mail(...asked);
          if (!isHeld || !("status" in asked[0])) return rows;
          isHeld = false;
          // What it says is from now, and is heard later.
          return Promise.resolve(rows).then(
            (it) => new Promise<readonly MailRecord[]>((resolve) => (answer = () => resolve(it))),
          );
        };
      },
    });
    const second = await another([flow], { store: slow });
    const execution = await second.launch(flow, {});
    await clock.settle();
    await execution.send("go", 1);
    await clock.settle();
    expect(handled).toEqual([1]);
    isHeld = true;
    await execution.send("go", 2);
    await clock.settle();
    expect(answer).toBeDefined();
    goOn();
    await clock.settle();
    // The first one is consumed, and the second one is being handled, when the answer comes in which both were pending.
    expect(handled).toEqual([1, 2]);
    answer!();
    await clock.settle();
    goOn();
    await clock.advance("5s");
    expect(handled).toEqual([1, 2]);
    expect((await execution.mailbox()).map(({ status }) => status)).toEqual(["consumed", "consumed"]);
    expect((await execution.history()).map(({ func }) => func)).toEqual(["run", "runContinue", "runContinue"]);
  });
});

onEveryStore("a deadline", (start) => {
  test("that passes before the end could be told turns nothing that has completed", async () => {
    const told: string[] = [];
    const flow = workflow("flow", { input, deadline: "5s" })
      .step("1", { run: () => undefined, rollback: () => void told.push("undone") })
      .observe(observer({ name: "ends", success: () => void told.push("success") }));
    const { store, clock, another, launcher } = await start([flow]);
    await launcher.stop();
    const dies = dying(store, "after", ({ transitions }) => transitions.some(({ ends }) => ends));
    const first = new Launcher({ store: dies, workflows: [flow] });
    await first.start();
    await first.launch(flow, {}, { id: "e" });
    await clock.settle();
    expect(told).toEqual([]);
    const second = await another();
    await clock.advance("1m");
    expect(await second.execution("e").outcome()).toMatchObject({ status: "completed", reason: "normal" });
    expect(told).toEqual(["success"]);
  });

  test("wakes nobody once it turns nothing any more", async () => {
    let wakes = 0;
    const flow = workflow("flow", { input, deadline: "5s" })
      .step("1", { pivot: true, run: () => undefined })
      .step("2", { messages, run: () => pause(), onMessage: () => undefined })
      .observe(observer({ name: "wakes", wake: () => void wakes++ }));
    const { launcher, clock } = await start([flow]);
    const execution = await launcher.launch(flow, {});
    await clock.settle();
    expect(wakes).toBe(1);
    await clock.advance("1m");
    expect(wakes).toBe(1);
    expect(await execution.summary()).toMatchObject({ status: "waiting" });
  });
});
