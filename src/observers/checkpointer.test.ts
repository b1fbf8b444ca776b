import { describe, expect, test } from "vitest";
import { z } from "zod";
import { dying } from "../../test/support/dying.js";
import { onEveryStore } from "../../test/support/rig.js";
import { fail, Launcher, memoryStore, observer, pause, workflow, type Observer, type StepwellError } from "../index.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { checkpointer, type Checkpoint } from "./checkpointer.js";

const input = z.object({ sku: z.string() });

/** Three steps, the second of which waits; `"no"` turns it. What they do is written down. */
function order(lines: string[], ...observers: Observer[]) {
  return workflow("order", { input })
    .step("reserve", {
      run: () => (lines.push("run reserve"), { reservation: "r" }),
      rollback: ({ state }) => void lines.push(`rollback reserve ${state.reservation}`),
    })
    .step("charge", {
      messages: { answer: z.string() },
      run: () => (lines.push("run charge"), pause({ payment: "p" })),
      onMessage: ({ message }) => (message.payload === "no" ? fail("declined") : { paid: true }),
      rollback: ({ state }) => {
        lines.push(`rollback charge ${state.payment}`);
        if (bank.isClosed) return fail("bank-closed");
        return undefined;
      },
    })
    .step("ship", { run: () => void lines.push("run ship") })
    .observe(...observers);
}

const bank = { isClosed: false };

const where = ({ revision, status, func, step, reason }: Checkpoint): string =>
  `${revision} ${status}: ${func} ${step}, ${reason}`;

/** A persistence that keeps the newest checkpoint of each execution. */
function archive() {
  const kept = new Map<string, Checkpoint>();
  const lines: string[] = [];
  const watcher = checkpointer({
    save: (checkpoint) => {
      kept.set(checkpoint.execution, structuredClone(checkpoint));
      lines.push(where(checkpoint));
    },
    deleteAll: ({ id }) => {
      kept.delete(id);
      lines.push("deleted");
    },
  });
  return { kept, lines, watcher };
}

onEveryStore("a checkpointer", (start) => {
  test("saves a child as what it is, under its own id, and clears it where it ends, forward and back", async () => {
    const { kept, lines, watcher } = archive();
    const item = order([], watcher);
    const parent = workflow("parent", { input }).child("one", item, { input: ({ state }) => state });
    const { launcher, clock } = await start([parent]);
    const execution = await launcher.launch(parent, { sku: "A-1" }, { id: "p" });
    await clock.settle();
    const child = launcher.execution(item, [...kept.keys()][0]!);
    expect(kept.get(child.id)).toEqual({
      ...{ execution: child.id, workflow: "order", version: "1", parent: "p", root: "p", revision: 2 },
      ...{ status: "waiting", direction: "up", step: "charge", stepIndex: 1, func: "runContinue", reason: "normal" },
      state: { sku: "A-1", reservation: "r", payment: "p" },
    });
    await child.send("answer", "yes");
    await execution.outcome();
    await clock.settle();
    expect([kept.size, lines.at(-1)]).toEqual([0, "deleted"]);
    await execution.rollback("recalled");
    await clock.settle();
    expect((await execution.summary()).status).toBe("rolledBack");
    expect(lines.filter((line) => line === "deleted")).toHaveLength(2);
    expect(kept.size).toBe(0);
  });

  test("saves what is due before each step and after each pause, and clears it at the end", async () => {
    const { kept, lines, watcher } = archive();
    const beside = observer({ name: "beside", beforeStep: ({ step }) => void lines.push(`  ${step?.name} begins`) });
    const steps = order([], watcher, beside);
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { sku: "A-1" }, { id: "e" });
    await clock.settle();
    expect(kept.get("e")).toEqual({
      ...{ execution: "e", workflow: "order", version: "1", revision: 2, status: "waiting", direction: "up" },
      ...{ step: "charge", stepIndex: 1, func: "runContinue", reason: "normal" },
      state: { sku: "A-1", reservation: "r", payment: "p" },
    });
    await execution.send("answer", "yes");
    await execution.outcome();
    expect(lines).toEqual([
      "0 running: run reserve, normal",
      "  reserve begins",
      "1 running: run charge, normal",
      "  charge begins",
      "2 waiting: runContinue charge, normal",
      "3 running: run ship, normal",
      "  ship begins",
      "deleted",
    ]);
    expect(kept.size).toBe(0);
  });

  test("saves the undo that is due, with the reason, and clears it when it is done", async () => {
    const { lines, watcher } = archive();
    const steps = order([], watcher);
    const { launcher } = await start([steps]);
    const execution = await launcher.launch(steps, { sku: "A-1" });
    await execution.send("answer", "no");
    await execution.outcome();
    expect(lines.slice(3)).toEqual([
      "3 running: rollback charge, declined",
      "4 running: rollback reserve, declined",
      "deleted",
    ]);
  });

  test("saves a parked execution as parked, and where it goes on", async () => {
    const { kept, lines, watcher } = archive();
    const steps = order([], watcher);
    const { launcher } = await start([steps]);
    bank.isClosed = true;
    const execution = await launcher.launch(steps, { sku: "A-1" }, { id: "e" });
    await execution.send("answer", "no");
    expect((await execution.outcome()).status).toBe("stuck");
    expect(where(kept.get("e")!)).toBe("4 stuck: rollback charge, declined");
    bank.isClosed = false;
    await execution.retry();
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(lines.slice(-3)).toEqual([
      "5 running: rollback charge, declined",
      "6 running: rollback reserve, declined",
      "deleted",
    ]);
  });

  test("can be fed back: the undo that was due runs first, and nothing that was undone is undone again", async () => {
    const { kept, watcher } = archive();
    const before: string[] = [];
    const steps = order(before, watcher);
    const { launcher } = await start([steps]);
    bank.isClosed = true;
    const execution = await launcher.launch(steps, { sku: "A-1" }, { id: "e" });
    await execution.send("answer", "no");
    await execution.outcome();
    bank.isClosed = false;
    const { step: from, reason, state } = kept.get("e")!;

    const after: string[] = [];
    const again = order(after);
    await using elsewhere = new Launcher({ store: memoryStore(), workflows: [again] });
    await elsewhere.start();
    const undone = await elsewhere.launch(again, state as { sku: string }, {
      id: "e",
      rollback: { from: from as "charge", reason, state },
    });
    expect(await undone.outcome()).toMatchObject({ status: "rolledBack", reason: "declined" });
    expect(after).toEqual(["rollback charge p", "rollback reserve r"]);
  });

  test("can be fed back on the way up: what may have been begun is undone, the step after it is not", async () => {
    const { kept, watcher } = archive();
    const steps = order([], watcher);
    const { launcher, clock } = await start([steps]);
    await launcher.launch(steps, { sku: "A-1" }, { id: "e" });
    await clock.settle();
    const { step: from, state } = kept.get("e")!;
    const after: string[] = [];
    const again = order(after);
    await using elsewhere = new Launcher({ store: memoryStore(), workflows: [again] });
    await elsewhere.start();
    const rollback = { from: from as "charge", reason: "store-lost", state };
    await (await elsewhere.launch(again, state as { sku: string }, { id: "e", rollback })).outcome();
    expect(after).toEqual(["rollback charge p", "rollback reserve r"]);
  });

  test("keeps the order where saving takes time, reports what fails, and disturbs nothing", async () => {
    const lines: string[] = [];
    const failed: StepwellError[] = [];
    const watcher = checkpointer({
      save: async (checkpoint) => {
        await new Promise(setImmediate);
        if (checkpoint.revision === 1) throw new Error("disk full");
        lines.push(where(checkpoint));
      },
      deleteAll: () => Promise.resolve(lines.push("deleted")),
      onError: (error) => failed.push(error),
    });
    const steps = order([], watcher);
    const { launcher, errors } = await start([steps]);
    const execution = await launcher.launch(steps, { sku: "A-1" }, { id: "e" });
    await execution.send("answer", "yes");
    expect((await execution.outcome()).status).toBe("completed");
    await watcher.settled();
    expect(lines).toEqual([
      "0 running: run reserve, normal",
      "2 waiting: runContinue charge, normal",
      "3 running: run ship, normal",
      "deleted",
    ]);
    expect(failed.map(({ message }) => message)).toEqual([
      'Checkpoint 1 of execution "e" was not taken: disk full. It is not tried again.',
    ]);
    expect(errors).toEqual([]);
  });
});

onEveryStore("a checkpointer, after a crash", (start) => {
  test("saves again what is due, in case the dead launcher had not", async () => {
    const doomed = archive();
    const heir = archive();
    const seen: string[] = [];
    const { store, clock, launcher } = await start([order(seen, heir.watcher)]);
    const steps = order([], doomed.watcher);
    const fatal = dying(store, "after", ({ transitions }) => transitions.some(({ revision }) => revision === 1));
    const first = new Launcher({ store: fatal, workflows: [steps], clock: new VirtualClock() });
    await first.start();
    void first.launch(steps, { sku: "A-1" }, { id: "e" });
    await clock.advance("20s");
    expect(doomed.lines).toEqual(["0 running: run reserve, normal"]);
    expect(heir.lines).toEqual(["1 running: run charge, normal", "2 waiting: runContinue charge, normal"]);
    // What it said was due is what ran.
    expect(seen).toEqual(["run charge"]);
    expect((await launcher.execution("e").summary()).status).toBe("waiting");
  });
});

describe("checkpointer(…)", () => {
  const given = { save: () => undefined, deleteAll: () => undefined };

  test.each([
    [{ save: given.save }, '"deleteAll" must be a function, not undefined'],
    [{ ...given, onError: 5 }, '"onError" must be a function, not 5'],
    [{ ...given, onErorr: 5 }, 'Did you mean "onError"?'],
    [undefined, "takes an object of options"],
  ])("checks what it is given, such as %o", (options, problem) => {
    expect(() => checkpointer(options as never)).toThrow(problem);
  });
});
