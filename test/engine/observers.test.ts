import { expect, test } from "vitest";
import { z } from "zod";
import { fail, observer, pause, workflow, type Observer } from "../../src/index.js";
import { encode } from "../../src/values/encode.js";
import { onEveryStore, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("observers", (start) => {
  function watched(observers: readonly Observer[], lines: string[] = []) {
    return workflow("watched", { input })
      .step("1", { run: () => (lines.push("run 1"), { a: 1 }), rollback: () => void lines.push("rollback 1") })
      .step("2", { run: () => (lines.push("run 2"), { b: 2 }), rollback: () => void lines.push("rollback 2") })
      .observe(...observers);
  }

  test("a guard's veto before the first step ends it with nothing to undo; before a later one, that step is not undone", async () => {
    for (const [step, expected] of [
      ["1", []],
      ["2", ["run 1", "rollback 1"]],
    ] as const) {
      const lines: string[] = [];
      const guard = observer({
        name: "limit",
        guard: true,
        beforeStep: (event) =>
          event.step?.name === step && event.flow.direction === "up" ? fail("too-much") : undefined,
      });
      const guarded = watched([guard], lines);
      const { launcher } = await start([guarded]);
      const outcome = await (await launcher.launch(guarded, {})).outcome();
      expect(outcome).toMatchObject({ status: "rolledBack", reason: "too-much" });
      expect(lines).toEqual(expected);
    }
  });

  test("an init guard's veto ends the execution before anything began; a throw counts as a veto", async () => {
    const lines: string[] = [];
    const guarded = watched(
      [
        observer({
          name: "closed",
          guard: true,
          init: () => {
            throw Object.assign(new Error("x"), { reason: "closed" });
          },
        }),
      ],
      lines,
    );
    const { launcher } = await start([guarded]);
    const execution = await launcher.launch(guarded, {});
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "closed" });
    expect(lines).toEqual([]);
    expect(await told(execution)).toEqual(["run 1: closed"]);
  });

  test("an after-step guard's veto turns at that step; the step's own reason wins if both fail", async () => {
    const guard = observer({
      name: "check",
      guard: true,
      afterStep: ({ step, flow }) => (step?.name === "2" && flow.direction === "up" ? fail("suspicious") : undefined),
    });
    const lines: string[] = [];
    const guarded = watched([guard], lines);
    const both = workflow("both", { input })
      .step("2", { run: () => fail("own") })
      .observe(guard);
    const { launcher } = await start([guarded, both]);
    expect(await (await launcher.launch(guarded, {})).outcome()).toMatchObject({
      reason: "suspicious",
      state: { a: 1, b: 2 },
    });
    expect(lines).toEqual(["run 1", "run 2", "rollback 2", "rollback 1"]);
    expect(await (await launcher.launch(both, {})).outcome()).toMatchObject({ reason: "own" });
  });

  test("on the way down a guard's failure stops no undo; it is reported", async () => {
    const lines: string[] = [];
    const guard = observer({
      name: "stubborn",
      guard: true,
      startRollback: () => fail("no"),
      beforeStep: ({ flow }) => (flow.direction === "down" ? fail("no") : undefined),
      afterStep: ({ flow }) => (flow.direction === "down" ? fail("no") : undefined),
    });
    const guarded = workflow("down", { input })
      .step("1", { run: () => undefined, rollback: () => void lines.push("rollback 1") })
      .step("2", { run: () => fail("first"), rollback: () => void lines.push("rollback 2") })
      .observe(guard);
    const { launcher, errors } = await start([guarded]);
    expect(await (await launcher.launch(guarded, {})).outcome()).toMatchObject({
      status: "rolledBack",
      reason: "first",
    });
    expect(lines).toEqual(["rollback 2", "rollback 1"]);
    expect(errors.length).toBeGreaterThan(0);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["STEPWELL_OBSERVER_FAILED"]));
  });

  test("a guard's patch is seen by the step and committed with its transition; guards run before watchers", async () => {
    const seen: unknown[] = [];
    const watcher = observer({ name: "watch", beforeStep: ({ state }) => seen.push({ ...(state as object) }) });
    const guard = observer({
      name: "four-eyes",
      guard: true,
      beforeStep: ({ step }) => (step?.name === "1" ? { approvedBy: "ann" } : undefined),
    });
    const guarded = workflow("patched", { input })
      .step("1", { run: ({ state }) => ({ saw: (state as { approvedBy?: string }).approvedBy ?? "" }) })
      .observe(watcher, guard);
    const { launcher } = await start([guarded]);
    const outcome = await (await launcher.launch(guarded, {})).outcome();
    expect(outcome).toMatchObject({ status: "completed", state: { approvedBy: "ann", saw: "ann" } });
    expect(seen).toEqual([{ approvedBy: "ann" }]);
  });

  test("callbacks see the state as it is at that moment, the flow, the attempt and the error", async () => {
    const events: unknown[] = [];
    const note = (callback: string) => (event: Parameters<NonNullable<Observer["init"]>>[0]) =>
      events.push([
        callback,
        event.step?.name,
        { ...(event.state as object) },
        event.flow.lastResult,
        event.attempt,
        event.reason,
      ]);
    const failing = workflow("failing", { input })
      .step("1", {
        run: () => fail("why", { patch: { half: 1 } }),
        rollback: () => ({ undone: 1 }),
      })
      .observe(
        observer({
          name: "notes",
          init: note("init"),
          beforeStep: note("beforeStep"),
          afterStep: note("afterStep"),
          startRollback: note("startRollback"),
          failure: note("failure"),
        }),
      );
    const { launcher } = await start([failing]);
    await (await launcher.launch(failing, {})).outcome();
    expect(events).toEqual([
      ["init", undefined, {}, "ok", undefined, undefined],
      ["beforeStep", "1", {}, "ok", 1, undefined],
      ["afterStep", "1", { half: 1 }, "why", 1, "why"],
      ["startRollback", "1", { half: 1 }, "why", undefined, "why"],
      ["beforeStep", "1", { half: 1 }, "why", 1, undefined],
      ["afterStep", "1", { half: 1, undone: 1 }, "ok", 1, undefined],
      ["failure", undefined, { half: 1, undone: 1 }, "ok", undefined, "why"],
    ]);
  });

  test("each attempt has its beforeStep and afterStep; a pause has none after it", async () => {
    const lines: string[] = [];
    const retried = workflow("retried", { input })
      .step("1", {
        retry: { attempts: 2, delay: 0 },
        messages: { go: z.null() },
        run: ({ attempt }) => {
          if (attempt === 1) throw new Error("again");
          return pause();
        },
        onMessage: () => undefined,
      })
      .observe(
        observer({
          name: "lines",
          beforeStep: ({ attempt }) => lines.push(`before ${attempt}`),
          afterStep: ({ attempt }) => lines.push(`after ${attempt}`),
        }),
      );
    const { launcher } = await start([retried]);
    const execution = await launcher.launch(retried, {});
    await execution.send("go", null);
    await execution.outcome();
    expect(lines).toEqual(["before 1", "after 1", "before 2", "after 2"]);
  });

  test("what a guard gives back after the end is not stored, and nobody sees it", async () => {
    const guarded = workflow("late", { input })
      .step("1", { run: () => ({ a: 1 }) })
      .observe(observer({ name: "late", guard: true, success: () => ({ sneaked: true }) }));
    const { launcher } = await start([guarded]);
    const execution = await launcher.launch(guarded, {});
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { a: 1 } });
    expect(Object.keys(await execution.state())).toEqual(["a"]);
    expect(Object.keys((await execution.outcome()).state)).toEqual(["a"]);
  });

  test("success and failure come after the end is committed", async () => {
    const statuses: Promise<unknown>[] = [];
    const ended = workflow("ended", { input })
      .step("1", { run: () => undefined })
      .observe(
        observer({
          name: "end",
          success: ({ execution }) => statuses.push(rig.launcher.execution(execution.id).summary()),
        }),
      );
    const rig = await start([ended]);
    await (await rig.launcher.launch(ended, {})).outcome();
    expect(await Promise.all(statuses)).toMatchObject([{ status: "completed" }]);
  });
});

onEveryStore("a guard that fails where nothing may stop the execution", (start) => {
  test("is reported each time, and the history keeps what it said", async () => {
    const says = (callback: string) => (): never => {
      throw new Error(`no in ${callback}`);
    };
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ a: 1 }), rollback: () => undefined })
      .step("2", { run: () => fail("broken"), rollback: () => undefined })
      .observe(
        observer({
          name: "grumpy",
          guard: true,
          beforeStep: ({ flow }) => (flow.direction === "down" ? says("beforeStep")() : undefined),
          afterStep: ({ flow }) => (flow.lastResult === "broken" ? says("afterStep")() : undefined),
          startRollback: says("startRollback"),
          failure: says("failure"),
        }),
      );
    const { launcher, errors } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "broken" });
    expect(errors.map(({ message }) => /no in \w+/.exec(message)?.[0])).toEqual([
      "no in afterStep",
      "no in startRollback",
      "no in beforeStep",
      "no in beforeStep",
      "no in failure",
    ]);
    const kept = (await execution.history()).map(
      ({ func, step, guardErrors = [] }) => `${func} ${step}: ${guardErrors.map(({ message }) => message).join(", ")}`,
    );
    expect(kept).toEqual([
      "run 1: ",
      "run 2: no in afterStep",
      "rollback 2: no in startRollback, no in beforeStep",
      "rollback 1: no in beforeStep",
    ]);
  });

  test("those who want to hear of one that is stuck hear of it, each time, also where a launcher died before it told them", async () => {
    const heard: string[] = [];
    const steps = workflow("parks", { input })
      .step("1", { run: () => fail("no"), rollback: () => fail("no-way-back", { details: { why: 1 } }) })
      .observe(
        observer({
          name: "listener",
          stuck: ({ step, reason, error, flow, state }) =>
            void heard.push(
              `${step?.name} ${flow.direction} ${reason} ${(error as { message: string }).message} ${JSON.stringify(state)}`,
            ),
          failure: () => void heard.push("failure"),
        }),
      );
    const { launcher, store, another, clock } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    expect(await execution.outcome()).toMatchObject({ status: "stuck" });
    expect(heard).toEqual(["1 down no no-way-back {}"]);
    await execution.retry();
    await execution.outcome();
    expect(heard).toHaveLength(2);
    await launcher.stop();
    // A launcher has it when it dies, and nobody knows whether it has told.
    const owner = await store.register({ host: "elsewhere", pid: 1 });
    await store.write({
      ...{ creates: [], transitions: [], releases: [] },
      arrivals: [
        {
          ...{ id: "m", execution: execution.id, kind: "message", name: "note", messageId: null, carried: null },
          ...{ payload: encode(null, { what: "It" }), acceptedIn: ["stuck"], wakes: ["stuck"] },
        },
      ],
    });
    const claimed = await store.claim({ owner, limit: 1, workflows: [{ name: "parks", version: "1" }] });
    expect(claimed.records).toHaveLength(1);
    await store.removeLaunchers([owner]);
    await another();
    await clock.settle();
    expect(heard).toHaveLength(3);
    expect(heard).not.toContain("failure");
  });

  test("those who want to hear of an end hear of it, though a rollback was asked for before they could be told", async () => {
    const lines: string[] = [];
    const told = workflow("told", { input })
      .step("1", { run: () => ({ a: 1 }), rollback: () => undefined })
      .observe(
        observer({
          name: "listener",
          success: () => void lines.push("success"),
          failure: () => void lines.push("failure"),
        }),
      );
    const { launcher, store, another, clock } = await start([told]);
    await launcher.launch(told, {}, { id: "e" });
    await launcher.execution("e").outcome();
    lines.length = 0;
    // A launcher dies between the commit of the end and its callbacks, and someone asks for a rollback.
    await launcher.stop();
    const owner = await store.register({ host: "elsewhere", pid: 1 });
    await store.write({
      ...{ creates: [], transitions: [], releases: [] },
      arrivals: [
        {
          ...{ id: "r", execution: "e", kind: "rollback", name: "rollback", messageId: null, carried: null },
          ...{ payload: encode({ reason: "back", ifCompleted: "undo" }, { what: "It" }) },
          ...{ acceptedIn: ["completed"], wakes: ["completed"] },
        },
      ],
    });
    expect((await store.claim({ owner, limit: 1, workflows: [{ name: "told", version: "1" }] })).records).toHaveLength(
      1,
    );
    await store.removeLaunchers([owner]);
    const second = await another();
    await clock.settle();
    expect(await second.execution("e").outcome()).toMatchObject({ status: "rolledBack", reason: "back" });
    expect(lines).toEqual(["success", "failure"]);
  });
});

onEveryStore("a guard's veto that overtakes an accepted rollback request", (start) => {
  test("keeps its reason, and the request counts as followed: the execution turns, as it asked", async () => {
    let stored: unknown;
    const steps = workflow("steps", { input })
      .step("1", { run: () => undefined, rollback: () => undefined })
      .step("2", { run: () => undefined })
      .observe(
        observer({
          name: "closing-time",
          guard: true,
          beforeStep: ({ step, flow, execution }) => {
            if (step?.name !== "2" || flow.direction === "down") return undefined;
            // Accepted between the engine's last look and the commit of the veto.
            stored = store.write({
              ...{ creates: [], transitions: [], releases: [] },
              arrivals: [
                {
                  ...{ id: "r", execution: execution.id, kind: "rollback", name: "rollback", messageId: null },
                  ...{ carried: null, payload: encode({ reason: "mine", ifCompleted: "undo" }, { what: "It" }) },
                  ...{ acceptedIn: ["running"], wakes: [] },
                },
              ],
            });
            return fail("closed");
          },
        }),
      );
    const { launcher, store, clock } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await clock.advance("1s");
    const [request] = await store.mail({ executions: [execution.id] });
    // Where the store answers later, the veto may have been committed first: then the request came too late.
    const isSure = !(stored instanceof Promise);
    expect(request?.status).toEqual(isSure ? "consumed" : expect.stringMatching(/consumed|dead/));
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "closed" });
  });
});
