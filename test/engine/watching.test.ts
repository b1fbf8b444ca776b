/** What watchers hear of the engine's own work: bursts, commits, errors, and what is carried along. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, observer, pause, workflow, type Observer, type StepwellError } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { deaf, onEveryStore } from "../support/rig.js";

const input = z.object({});

const everyCallback = [
  ...(["init", "beforeStep", "afterStep", "startRollback", "success", "failure"] as const),
  ...(["wake", "commit", "rest", "error", "carry"] as const),
];

onEveryStore("a watcher of the engine's work", (start) => {
  function waiting(watcher: Observer) {
    return workflow("waiting", { input })
      .step("1", { run: () => ({ a: 1 }) })
      .step("2", {
        messages: { go: z.number() },
        run: () => pause({ b: 2 }),
        onMessage: ({ message }) => ({ c: message.payload }),
      })
      .observe(watcher);
  }

  test("hears of each burst: how late it began, and why and how it ended", async () => {
    const lines: string[] = [];
    const bursts = observer({
      name: "bursts",
      wake: ({ status, lateMs, claims }) => void lines.push(`wake ${status} ${lateMs} ${claims}`),
      rest: ({ status, lost, pending }) => void lines.push(`rest ${status} ${lost} ${pending}`),
    });
    const steps = waiting(bursts);
    const { launcher, clock, store } = await start([steps], { concurrency: 1 });
    const execution = await launcher.launch(steps, {}, { id: "e" });
    await clock.settle();
    await execution.send("go", 5);
    expect((await execution.outcome()).status).toBe("completed");
    expect(lines).toEqual(["wake running 0 1", "rest waiting false 0", "wake waiting 0 1", "rest completed false 0"]);
    lines.length = 0;
    await launcher.launch(steps, {}, { id: "late", delay: "1m" });
    await launcher.stop();
    await clock.advance("90s");
    expect(store.isOpen).toBe(true);
    expect(lines).toEqual([]);
  });

  test("hears of a burst by one object that stands for it, which its steps see too, and at the store's time", async () => {
    const bursts = new Map<unknown, string[]>();
    const note = (execution: unknown, what: string): void => {
      bursts.set(execution, [...(bursts.get(execution) ?? []), what]);
    };
    const steps = workflow("known", { input })
      .step("1", {
        messages: { go: z.null() },
        run: ({ execution }) => (note(execution, "run"), pause()),
        onMessage: ({ execution }) => note(execution, "onMessage"),
      })
      .observe(
        observer({
          name: "bursts",
          wake: ({ execution, at }) => note(execution, `wake ${at.getTime() - began}`),
          beforeStep: ({ execution }) => note(execution, "beforeStep"),
          carry: (event) => void (event.what === "burst" && note(event.execution, "carry")),
          commit: ({ execution }) => note(execution, "commit"),
          rest: ({ execution, at }) => note(execution, `rest ${at.getTime() - began}`),
        }),
      );
    const { clock, another, launcher: idle } = await start([steps]);
    await idle.stop();
    const own = new VirtualClock({ start: clock.now() + 3_600_000 });
    const launcher = await another([steps], { clock: own });
    const began = clock.now();
    const execution = await launcher.launch(steps, {});
    await clock.settle();
    await execution.send("go", null);
    expect((await execution.outcome()).status).toBe("completed");
    expect([...bursts.values()]).toEqual([
      ["wake 0", "beforeStep", "run", "carry", "commit", "rest 0"],
      ["wake 0", "onMessage", "carry", "commit", "rest 0"],
    ]);
  });

  test("hears how long an execution had been due when it was taken up", async () => {
    const late: number[] = [];
    const steps = waiting(observer({ name: "late", wake: ({ lateMs }) => void late.push(lateMs) }));
    const { launcher, clock, another } = await start([steps]);
    await launcher.launch(steps, {}, { delay: "1m" });
    await launcher.stop();
    await clock.advance("90s");
    await another();
    await clock.settle();
    expect(late).toEqual([30_000]);
  });

  test("hears of every commit, with the states before and after it and the row of the history", async () => {
    const commits: unknown[] = [];
    const steps = waiting(
      observer({
        name: "commits",
        commit: ({ before, state, status, revision, transition, message }) => {
          commits.push([before, state, status, message?.name]);
          expect(transition.revision).toBe(revision);
          expect(transition.at).toEqual(new Date(rig.clock.now()));
        },
      }),
    );
    const rig = await start([steps]);
    const execution = await rig.launcher.launch(steps, {});
    await rig.clock.settle();
    await execution.send("go", 5);
    await execution.outcome();
    expect(commits).toEqual([
      [{}, { a: 1 }, "running", undefined],
      [{ a: 1 }, { a: 1, b: 2 }, "waiting", undefined],
      [{ a: 1, b: 2 }, { a: 1, b: 2, c: 5 }, "completed", "go"],
    ]);
  });

  test("hears whether a function of a step was called for a commit", async () => {
    const commits: string[] = [];
    const listener = observer({
      name: "listener",
      commit: ({ transition: { func, step, result }, called }) =>
        void commits.push(`${func} ${step}: ${result}${called ? "" : ", not called"}`),
    });
    const steps = workflow("called", { input })
      .step("1", { run: () => undefined })
      .step("2", {
        messages: { go: z.null() },
        run: () => pause(undefined, { timeout: "1m" }),
        onMessage: () => undefined,
        rollback: () => pause(undefined, { timeout: "1m" }),
        rollbackMessages: { undone: z.null() },
        onRollbackMessage: () => undefined,
        rollbackRetry: { attempts: 1 },
      })
      .observe(listener);
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, {});
    await clock.advance("3m");
    expect((await execution.outcome()).status).toBe("stuck");
    await execution.skip("done by hand");
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(commits).toEqual([
      ...["run 1: ok", "run 2: continue", "runContinue 2: timeout, not called"],
      ...["rollback 2: continue", "rollbackContinue 2: timeout, not called", "rollback 2: skipped, not called"],
      // It has no rollback.
      "rollback 1: ok, not called",
    ]);
  });

  test("hears how long an attempt ran that was cut off", async () => {
    const commits: unknown[] = [];
    const listener = observer({
      name: "listener",
      commit: ({ transition: { result }, called, durationMs }) => void commits.push([result, called, durationMs]),
    });
    const steps = workflow("cut", { input })
      .step("1", {
        run: ({ signal }) =>
          new Promise<void>((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason as Error));
          }),
      })
      .observe(listener);
    const { launcher, clock } = await start([steps], { drainTimeout: "5s" });
    await launcher.launch(steps, {});
    const stopped = launcher.stop();
    await clock.advance("6s");
    await stopped;
    expect(commits).toEqual([["cut-off", true, 5000]]);
  });

  test("gets a copy of its own of what can't be frozen, of the state before a commit too", async () => {
    const seen: unknown[] = [];
    const careless = observer<{ at?: unknown }>({
      name: "careless",
      commit: ({ before }) => void (before.at instanceof Date && before.at.setTime(0)),
    });
    const careful = observer<{ at?: unknown }>({ name: "careful", commit: ({ before }) => void seen.push(before.at) });
    const steps = workflow("steps", { input })
      .step("1", { run: () => ({ at: new Date(5) as Date | string }) })
      .step("2", { run: () => ({ at: "text" as Date | string }) })
      .observe(careless, careful);
    const { launcher } = await start([steps]);
    await (await launcher.launch(steps, {})).outcome();
    expect(seen).toEqual([undefined, new Date(5)]);
  });

  test("hears of errors that nobody else hears of, and its own mistake there is told to no watcher", async () => {
    const heard: string[] = [];
    const steps = workflow("stuck", { input })
      .step("1", { run: () => fail("no"), rollback: () => fail("can't") })
      .observe(
        observer({
          name: "listener",
          error: ({ error, execution }) => {
            heard.push(`${error.code} ${execution}`);
            throw new Error("and again");
          },
        }),
      );
    const { launcher, errors } = await start([steps]);
    const execution = await launcher.launch(steps, {}, { id: "e" });
    expect((await execution.outcome()).status).toBe("stuck");
    expect(heard).toEqual(["STEPWELL_EXECUTION_STUCK e"]);
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_OBSERVER_FAILED", "STEPWELL_EXECUTION_STUCK"]);
  });

  test("gives texts to be carried: from the launch, from burst to burst, and with each message", async () => {
    const seen: string[] = [];
    let count = 0;
    const carrier = observer({
      name: "carrier",
      carry: (event) => ({ trace: `${event.what} ${event.execution?.id ?? event.topic} ${++count}` }),
      wake: ({ carried }) => void seen.push(`wake: ${carried["trace"]}`),
      commit: ({ message }) => void (message !== undefined && seen.push(`message: ${message.carried["trace"]}`)),
    });
    const steps = waiting(carrier);
    const { launcher, clock, another } = await start([steps]);
    await launcher.launch(steps, {}, { id: "e" });
    await clock.settle();
    await launcher.stop();
    const second = await another();
    await second.send("e", "go", 5);
    expect((await second.execution("e").outcome()).status).toBe("completed");
    expect(seen).toEqual(["wake: launch e 1", "wake: burst e 2", "message: message e 3"]);
  });

  test("gives texts to be carried with what is published, to whoever subscribes", async () => {
    const seen: string[] = [];
    const carrier = observer({
      name: "carrier",
      carry: (event) => ({ trace: `${event.what} ${event.execution?.id ?? event.topic}` }),
      commit: ({ message }) => void (message !== undefined && seen.push(`${message.id}: ${message.carried["trace"]}`)),
    });
    const steps = workflow("subscribing", { input })
      .step("1", {
        messages: { go: z.null() },
        run: async ({ subscribe }) => {
          await subscribe("t");
          return pause();
        },
        onMessage: () => pause(),
      })
      .observe(carrier);
    const { launcher, clock } = await start([steps]);
    await launcher.publish("t", "go", null, { messageId: "early" });
    await launcher.launch(steps, {});
    await clock.settle();
    await launcher.publish("t", "go", null, { messageId: "late" });
    await clock.settle();
    expect(seen).toEqual(["early: publication t", "late: publication t"]);
  });

  test("has what it gave stored, though the store refuses the first try since something has arrived", async () => {
    const seen: unknown[] = [];
    const asked: string[] = [];
    const steps = workflow("signalled", { input })
      .step("1", {
        messages: { go: z.null() },
        run: async () => {
          await rig.launcher.send("e", "later", null);
          return pause();
        },
        onMessage: () => undefined,
      })
      .step("2", { messages: { later: z.null() }, run: () => pause(), onMessage: () => undefined })
      .observe(
        observer({
          name: "carrier",
          carry: ({ what }) => (asked.push(what), { what }),
          wake: ({ carried }) => void seen.push(carried["what"]),
        }),
      );
    const rig = await start([steps]);
    const unhearing = await rig.another([steps], { store: deaf(rig.store) });
    await unhearing.launch(steps, {}, { id: "e" });
    await rig.clock.settle();
    await unhearing.stop();
    await rig.launcher.send("e", "go", null);
    expect((await rig.launcher.execution("e").outcome()).status).toBe("completed");
    expect(seen).toEqual(["launch", "burst"]);
    expect(asked).toEqual(["launch", "message", "burst", "message", "burst"]);
  });

  test("may carry little: what is too much is reported and left out", async () => {
    const carried: object[] = [];
    const steps = waiting(
      observer({
        name: "heavy",
        carry: () => ({ text: "x".repeat(5000) }),
        wake: (event) => void carried.push(event.carried),
      }),
    );
    const { launcher, errors } = await start([steps]);
    await launcher.launch(steps, {});
    expect(carried).toEqual([{}]);
    expect(errors.every(({ code }) => code === "STEPWELL_OBSERVER_FAILED")).toBe(true);
  });

  test("a guard can't hear of it: it would be asked where nothing can be vetoed", () => {
    // @ts-expect-error -- not for guards
    expect(() => observer({ name: "g", guard: true, commit: () => undefined })).toThrow(
      expect.objectContaining({ code: "STEPWELL_UNKNOWN_OPTION" }),
    );
  });
});

onEveryStore("a watcher that misbehaves", (start) => {
  const ordered = (lines: string[], watcher: Observer) =>
    workflow("ordered", { input })
      .step("1", { run: () => (lines.push("run 1"), { a: 1 }), rollback: () => void lines.push("rollback 1") })
      .step("2", {
        messages: { go: z.null() },
        run: () => (lines.push("run 2"), pause()),
        onMessage: () => (lines.push("message 2"), fail("no")),
        rollback: () => void lines.push("rollback 2"),
      })
      .observe(watcher);

  const effects = ["run 1", "run 2", "message 2", "rollback 2", "rollback 1"];
  const outcome = { status: "rolledBack", reason: "no", state: { a: 1 } };
  const heardOf = everyCallback.filter((callback) => callback !== "success" && callback !== "error");

  test.each(heardOf)(
    "by throwing in %s, changes neither the outcome nor the effects, and is reported once a minute",
    async (callback) => {
      const lines: string[] = [];
      const thrower = observer({
        name: "thrower",
        [callback]: () => {
          throw new Error("watcher");
        },
      });
      const steps = ordered(lines, thrower);
      const { launcher, clock, errors } = await start([steps]);
      for (const round of [1, 2]) {
        const execution = await launcher.launch(steps, {});
        await clock.settle();
        await execution.send("go", null);
        expect(await execution.outcome()).toEqual({ ...outcome, error: expect.anything() as unknown });
        expect(lines.splice(0)).toEqual(effects);
        expect(errors).toHaveLength(round);
        await clock.advance("1m");
      }
      expect(errors[1]!.message).toMatch(/^Observer "thrower" of workflow "ordered" threw in /);
    },
  );

  test.each(heardOf)("by being slow in %s, changes nothing, and is reported once a minute", async (callback) => {
    const lines: string[] = [];
    const slow = observer({ name: "slow", [callback]: () => later.skip(80) });
    const steps = ordered(lines, slow);
    const rig = await start([steps], {});
    const later = rig.clock;
    const execution = await rig.launcher.launch(steps, {});
    await rig.clock.settle();
    await execution.send("go", null);
    expect(await execution.outcome()).toMatchObject(outcome);
    expect(lines).toEqual(effects);
    expect(rig.errors.map(({ message }) => message)).toEqual([
      expect.stringContaining(`took 80 ms, while every execution waited in ${callback}`),
    ]);
  });

  test("a flood of failures is counted, not repeated", async () => {
    const steps = workflow("flood", { input })
      .step("1", { run: () => undefined })
      .observe(
        observer({
          name: "flooder",
          beforeStep: () => {
            throw new Error("again");
          },
        }),
      );
    const { launcher, clock, errors } = await start([steps]);
    const many = async (): Promise<void> => {
      const executions = await launcher.launchMany(
        steps,
        Array.from({ length: 100 }, () => ({ input: {} })),
      );
      for (const execution of executions) expect((await execution.outcome()).status).toBe("completed");
    };
    await many();
    await clock.advance("1m");
    await many();
    expect(errors.map(({ message }) => /did so (\d+) more/.exec(message)?.[1])).toEqual([undefined, "99"]);
  });

  test("one that throws when it hears of a success or of an error harms neither", async () => {
    const thrower = observer({
      name: "thrower",
      success: () => {
        throw new Error("watcher");
      },
      error: () => {
        throw new Error("watcher");
      },
    });
    const steps = workflow("fine", { input })
      .step("1", { run: () => ({ a: 1 }) })
      .observe(thrower);
    const { launcher, errors } = await start([steps]);
    expect(await (await launcher.launch(steps, {})).outcome()).toMatchObject({ status: "completed", state: { a: 1 } });
    expect(errors.map(({ code }: StepwellError) => code)).toEqual([
      "STEPWELL_OBSERVER_FAILED",
      "STEPWELL_OBSERVER_FAILED",
    ]);
  });
});
