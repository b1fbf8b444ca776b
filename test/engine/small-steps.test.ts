import { expect, test } from "vitest";
import { z } from "zod";
import { again, complete, fail, observer, pause, workflow, type Fail } from "../../src/index.js";
import { onEveryStore, patient, scribe, told } from "../support/rig.js";

const input = z.object({});

onEveryStore("a step with a condition", (start) => {
  /** Whether the second step is done is decided by the first one. */
  const conditional = (wanted: boolean, lines: string[] = [], end: () => Fail | undefined = () => undefined) =>
    workflow("conditional", { input })
      .step("1", { run: () => ({ wanted }), rollback: () => void lines.push("undo 1") })
      .step("2", {
        when: ({ state }) => state.wanted,
        otherwise: () => ({ rate: 0 }),
        run: () => ({ rate: 19 }),
        rollback: () => void lines.push("undo 2"),
      })
      .step("3", { run: end })
      .observe(scribe(lines));

  test("is done where `when` says so, which is committed before it begins", async () => {
    const it = conditional(true);
    const { launcher } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { rate: 19 } });
    expect(await told(execution)).toEqual(["run 1: ok", "run 2: begins", "run 2: ok", "run 3: ok"]);
  });

  test("is passed over where it says no: no observers of steps, what `otherwise` gives, and nothing to undo", async () => {
    const lines: string[] = [];
    const it = conditional(false, lines, () => fail("no"));
    const { launcher } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", state: { rate: 0 } });
    expect(await told(execution)).toEqual([
      "run 1: ok",
      "run 2: passed-over",
      "run 3: no",
      "rollback 3: ok",
      "rollback 2: passed-over",
      "rollback 1: ok",
    ]);
    expect(lines.filter((line) => line.includes("2"))).toEqual([]);
    expect(lines).toContain("undo 1");
  });

  test("is asked once: a launcher that dies after the answer does not ask again", async () => {
    let asked = 0;
    let runs = 0;
    const it = workflow("once", { input }).step("1", {
      when: () => ++asked === 1,
      run: () => (++runs === 1 ? new Promise<void>(() => undefined) : undefined),
    });
    const { launcher, clock, store, another } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.settle();
    const [record] = await store.load([execution.id]);
    await store.removeLaunchers([record!.owner!]);
    const other = await another([it], patient);
    await clock.advance("1m");
    expect(await other.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
    expect([asked, runs]).toEqual([1, 2]);
    expect(await told(execution)).toEqual(["run 1: begins", "run 1: ok"]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new TypeError("broken");
      },
      "TypeError",
    ],
    ["gives no boolean", () => "yes" as never, "invalid-return-value"],
    ["gives a promise", () => Promise.resolve(true) as never, "invalid-return-value"],
  ] as const)("fails where its `when` %s, and was not begun", async (_how, when, reason) => {
    const undone: string[] = [];
    const it = workflow("broken", { input })
      .step("1", { run: () => undefined, rollback: () => void undone.push("1") })
      .step("2", { when, run: () => void undone.push("run"), rollback: () => void undone.push("2") });
    const { launcher } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason });
    expect(undone).toEqual(["1"]);
  });

  test("that fails so is not tried again; its `recover` is asked, and then nothing of it is undone", async () => {
    let asked = 0;
    const undone: string[] = [];
    const it = workflow("broken", { input })
      .step("1", {
        retry: { attempts: 3, delay: 0 },
        when: () => {
          asked++;
          throw new TypeError("broken");
        },
        run: () => void undone.push("run"),
        recover: ({ reason, error }) => ({ why: `${reason}: ${error?.message}` }),
        rollback: () => void undone.push("1"),
      })
      .step("2", { run: () => fail("no"), rollback: () => void undone.push("2") });
    const { launcher } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    const outcome = await execution.outcome();
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "no", state: { why: "TypeError: broken" } });
    expect([asked, undone]).toEqual([1, ["2"]]);
    expect((await told(execution)).slice(0, 2)).toEqual(["run 1: recovered", "run 2: no"]);
  });

  test("that fails so after the pivot parks the execution, and is asked again by an operator's retry", async () => {
    let isBroken = true;
    const it = workflow("broken", { input })
      .step("1", { pivot: true, run: () => undefined })
      .step("2", {
        when: () => {
          if (isBroken) throw new TypeError("broken");
          return true;
        },
        run: () => ({ two: 2 }),
      });
    const { launcher } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    expect(await execution.outcome()).toMatchObject({
      status: "stuck",
      direction: "up",
      step: "2",
      reason: "TypeError",
    });
    isBroken = false;
    await execution.retry();
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { two: 2 } });
  });

  test("fails where its `otherwise` gives no patch", async () => {
    const it = workflow("broken", { input }).step("1", {
      when: () => false,
      otherwise: (() => [1]) as () => never,
      run: () => undefined,
    });
    const { launcher } = await start([it], patient);
    const outcome = await (await launcher.launch(it, {})).outcome();
    expect(outcome).toMatchObject({ status: "rolledBack", reason: "invalid-return-value" });
  });

  test("that is a pivot and is passed over is none: the execution can be turned, also when it has completed", async () => {
    const undone: string[] = [];
    const it = workflow("no-pivot", { input })
      .step("1", { run: () => undefined, rollback: () => void undone.push("1") })
      .step("2", { pivot: true, when: () => false, run: () => undefined })
      .step("3", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([it], patient);
    const [waiting, done] = [await launcher.launch(it, {}), await launcher.launch(it, {})];
    await clock.settle();
    await done.send("go", null);
    expect(await done.outcome()).toMatchObject({ status: "completed" });
    for (const execution of [waiting, done]) {
      expect(await execution.rollback("back")).toEqual({ accepted: true });
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "back" });
    }
    expect(undone).toEqual(["1", "1"]);
  });

  test("is not undone where the execution turns before it was asked", async () => {
    const undone: string[] = [];
    const it = workflow("early", { input })
      .step("1", {
        run: () => new Promise<void>((resolve) => void rig.clock.after(1000, resolve)),
        rollback: () => void undone.push("1"),
      })
      .step("2", { when: () => true, run: () => undefined, rollback: () => void undone.push("2") });
    const rig = await start([it], patient);
    const execution = await rig.launcher.launch(it, {});
    await rig.clock.settle();
    // It stops between the two steps, and is asked to turn before anybody goes on with it.
    const stopped = rig.launcher.stop();
    await rig.clock.advance("2s");
    await stopped;
    const idle = await rig.another([workflow("other", { input }).step("1", { run: () => undefined })]);
    const asked = idle.rollback(execution.id, "back");
    await rig.clock.settle();
    const other = await rig.another([it], patient);
    await rig.clock.advance("10s");
    expect(await asked).toEqual({ accepted: true });
    expect(await other.execution(execution.id).outcome()).toMatchObject({ status: "rolledBack", reason: "back" });
    expect(undone).toEqual(["1"]);
  });
});

onEveryStore("asking again", (start) => {
  test("calls the same function with the same key and a later attempt, and waits in between without memory", async () => {
    const calls: { key: string; attempt: number; polls: number; at: number }[] = [];
    const lines: string[] = [];
    const it = workflow("polling", { input })
      .step("1", {
        run: ({ idempotencyKey, attempt, polls }) => {
          calls.push({ key: idempotencyKey, attempt, polls, at: rig.clock.now() });
          return polls < 3 ? again({}, { after: "10m" }) : { ready: true };
        },
      })
      .observe(scribe(lines));
    const rig = await start([it], patient);
    const execution = await rig.launcher.launch(it, {});
    await rig.clock.settle();
    expect(await execution.summary()).toMatchObject({ status: "scheduled" });
    await rig.clock.advance("31m");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { ready: true } });
    expect(calls.map(({ attempt, polls }) => [attempt, polls])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
    ]);
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1);
    for (const [index, { at }] of calls.slice(1).entries())
      expect(at - calls[index]!.at).toBeGreaterThanOrEqual(600_000);
    expect(lines).toEqual(["init", "beforeStep 1", "afterStep 1", "success"]);
  });

  test("makes one row of the history however often, unless it brings a patch; revisions have no gap", async () => {
    const it = workflow("rows", { input })
      .step("1", {
        run: ({ polls }) => {
          if (polls === 5) return again({ half: true }, { after: "1m" });
          return polls < 9 ? again(undefined, { after: "1m" }) : { ready: true };
        },
      })
      .step("2", { run: () => ({ end: true }) });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("3m");
    expect(await told(execution)).toEqual(["run 1: again"]);
    await clock.advance("20m");
    const rows = await execution.history();
    expect(rows.map(({ result }) => result)).toEqual(["again", "again", "ok", "ok"]);
    expect(rows.map(({ revision }) => revision)).toEqual([1, 2, 3, 4]);
    expect(await execution.stateAt(1)).toEqual({});
    expect(await execution.stateAt(2)).toEqual({ half: true });
    expect(await execution.stateAt(4)).toEqual({ half: true, ready: true, end: true });
  });

  test("is ended by no message; by a rollback request at once", async () => {
    let calls = 0;
    const it = workflow("deaf", { input })
      .step("1", { run: () => (calls++, again(undefined, { after: "1h" })), rollback: () => undefined })
      .step("2", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("90m");
    await execution.send("go", null);
    await clock.advance("5m");
    expect(calls).toBe(2);
    await execution.rollback("enough");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "enough" });
    expect(calls).toBe(2);
  });

  test("is ended by the workflow's deadline", async () => {
    const it = workflow("late", { input, deadline: "90m" }).step("1", { run: () => again(undefined, { after: "1h" }) });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("91m");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "deadline" });
  });

  test("lets the retry policy count anew, and survives a restart", async () => {
    const attempts: number[] = [];
    const it = workflow("refilled", { input }).step("1", {
      retry: { attempts: 2, delay: "1s" },
      run: ({ attempt, polls }) => {
        attempts.push(attempt);
        if (attempt % 2 === 1) throw new Error("now and then");
        return polls < 2 ? again(undefined, { after: "1h" }) : { done: true };
      },
    });
    const { launcher, clock, another } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("5m");
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    const other = await another([it], patient);
    await clock.advance("3h");
    expect(await other.execution(execution.id).outcome()).toMatchObject({ status: "completed" });
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("works on the way down too", async () => {
    let calls = 0;
    const it = workflow("down", { input }).step("1", {
      run: () => fail("no"),
      rollback: ({ polls }) => (calls++, polls < 4 ? again(undefined, { after: "1h" }) : { undone: true }),
    });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("9h");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", state: { undone: true } });
    expect(calls).toBe(5);
    expect(await told(execution)).toEqual(["run 1: no", "rollback 1: again", "rollback 1: ok"]);
  });

  test("more than ten times in a row is no sign of an execution that kills its process", async () => {
    const it = workflow("often", { input }).step("1", {
      run: ({ polls }) => (polls < 30 ? again(undefined, { after: "1s" }) : undefined),
    });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("2m");
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
  });

  test.each([
    [
      "onMessage",
      {
        messages: { go: z.null() },
        run: () => pause(undefined, { timeout: "1m" }),
        onMessage: () => again(undefined, { after: 0 }),
      },
    ],
    ["onTimeout", { run: () => pause(undefined, { timeout: "1s" }), onTimeout: () => again(undefined, { after: 0 }) }],
  ])("is an invalid return value of %s", async (_handler, options) => {
    const it = workflow("handler", { input }).step("1", options as { run: () => void });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.settle();
    if ("messages" in options) await launcher.send(execution.id, "go", null);
    await clock.advance("5s");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "invalid-return-value" });
  });

  test("is an invalid return value of onRollbackMessage, which parks the execution", async () => {
    const it = workflow("handler", { input }).step("1", {
      run: () => fail("no"),
      rollbackMessages: { gone: z.null() },
      rollback: () => pause(),
      onRollbackMessage: (() => again(undefined, { after: 0 })) as () => never,
    });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.settle();
    await execution.send("gone", null);
    expect(await execution.outcome()).toMatchObject({
      status: "stuck",
      direction: "down",
      step: "1",
      error: { code: "STEPWELL_INVALID_RETURN_VALUE" },
    });
    expect((await told(execution)).at(-1)).toBe("rollbackContinue 1: invalid-return-value");
  });
});

onEveryStore("steps that only wait", (start) => {
  test("a sleep lasts as long as it says, asked once, and has nothing to undo", async () => {
    let asked = 0;
    const it = workflow("sleepy", { input })
      .step("1", { run: () => ({ days: 2 }) })
      .sleep("nap", "1h")
      .sleep("night", ({ state }) => (asked++, `${state.days}h`))
      .step("2", { run: () => ({ awakeAt: rig.clock.now() }) });
    const rig = await start([it], patient);
    const began = rig.clock.now();
    const execution = await rig.launcher.launch(it, {});
    await rig.clock.advance("30m");
    expect(await execution.summary()).toMatchObject({ status: "waiting", flow: { step: "nap" } });
    const other = await rig.another([it], patient);
    await rig.clock.advance("3h");
    const outcome = await other.execution(execution.id).outcome();
    expect(outcome).toMatchObject({ status: "completed" });
    const { awakeAt } = outcome.state as { awakeAt: number };
    expect(awakeAt - began).toBeGreaterThanOrEqual(3 * 3_600_000);
    expect(awakeAt - began).toBeLessThan(3 * 3_600_000 + 5000);
    expect(asked).toBe(1);
  });

  test("a sleep until a Date ends then; one that has passed ends at once; one that is none fails", async () => {
    const until = (at: Date) => workflow("until", { input }).sleep("nap", () => at);
    for (const [ms, status] of [
      [3_600_000, "waiting"],
      [-1, "completed"],
      [Number.NaN, "rolledBack"],
    ] as const) {
      const it = until(new Date((await start([until(new Date())], patient)).clock.now() + ms));
      const rig = await start([it], patient);
      const execution = await rig.launcher.launch(it, {});
      await rig.clock.advance("5s");
      expect((await execution.summary()).status).toBe(status);
      await rig.clock.advance("1h");
      const reason = Number.isNaN(ms) ? "STEPWELL_INVALID_DURATION" : "normal";
      expect(await execution.outcome()).toMatchObject({ reason });
    }
  });

  test("a sleep that is passed over gives what `otherwise` gives, and one that its deadline ends what `recover` gives", async () => {
    const it = workflow("conditional-sleep", { input: z.object({ isUrgent: z.boolean() }) })
      .sleep("nap", "1d", {
        when: ({ state }) => !state.isUrgent,
        otherwise: () => ({ slept: "not at all" }),
        recover: ({ reason }) => ({ slept: `until its ${reason}` }),
        deadline: "2h",
      })
      .step("1", { run: ({ state }) => ({ told: `slept ${state.slept}` }) });
    const { launcher, clock } = await start([it], patient);
    const [urgent, patiently] = await launcher.launchMany(it, [
      { input: { isUrgent: true } },
      { input: { isUrgent: false } },
    ]);
    await clock.advance("3h");
    expect(await urgent!.outcome()).toMatchObject({ status: "completed", state: { told: "slept not at all" } });
    expect(await patiently!.outcome()).toMatchObject({
      status: "completed",
      state: { told: "slept until its timeout" },
    });
    expect(await told(patiently!)).toEqual([
      "run nap: begins",
      "run nap: continue",
      "runContinue nap: recovered",
      "run 1: ok",
    ]);
  });

  const asking = (options: object = {}) =>
    workflow("asking", { input }).waitFor("answer", { yes: z.object({ who: z.string() }), no: z.null() }, options);

  test("a wait without `onMessage` is ended by the message", async () => {
    const it = asking();
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.settle();
    expect((await execution.summary()).status).toBe("waiting");
    await execution.send("no", null);
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: {} });
  });

  test("a wait gives what `onMessage` makes of the message, fails at its timeout, or does what `onTimeout` says", async () => {
    const it = asking({
      timeout: "1h",
      onMessage: ({ message }: { message: { payload: { who: string } } }) => ({ who: message.payload.who }),
    });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    const forgotten = await launcher.launch(it, {});
    await clock.settle();
    await execution.send("yes", { who: "Ada" });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { who: "Ada" } });
    await clock.advance("61m");
    expect(await forgotten.outcome()).toMatchObject({ status: "rolledBack", reason: "timeout" });
    const decided = asking({ timeout: "1h", onTimeout: () => complete({ nobody: true }) });
    const rig = await start([decided], patient);
    const alone = await rig.launcher.launch(decided, {});
    await rig.clock.advance("61m");
    expect(await alone.outcome()).toMatchObject({ status: "completed", state: { nobody: true } });
  });
});

onEveryStore("recovering", (start) => {
  const scoring = (
    recover: (context: { reason: string; error?: { message: string } }) => object,
    end: () => Fail | undefined = () => undefined,
  ) =>
    workflow("scoring", { input })
      .step("score", {
        retry: { attempts: 2, delay: "1s" },
        run: () => {
          throw Object.assign(new Error("no bureau"), { code: "AWAY" });
        },
        recover,
        rollback: ({ given }) => ({ undone: given }),
      })
      .step("2", { run: end });

  test("a step that has failed for good may still give a patch: the execution goes on, and the step is undone later", async () => {
    const it = scoring(
      ({ reason, error }) => ({ score: 0, because: `${reason}: ${error?.message}` }),
      () => fail("no"),
    );
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("10s");
    const given = { score: 0, because: "AWAY: no bureau" };
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "no",
      state: { ...given, undone: given },
    });
    expect(await told(execution)).toEqual([
      "run score: AWAY",
      "run score: recovered",
      "run 2: no",
      "rollback 2: ok",
      "rollback score: ok",
    ]);
    expect((await execution.history())[1]!.error).toMatchObject({ message: "no bureau" });
  });

  test("`fail` in it turns the execution with that reason", async () => {
    const it = scoring(() => fail("no-score"));
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("10s");
    expect(await execution.outcome()).toMatchObject({
      status: "rolledBack",
      reason: "no-score",
      error: { cause: { message: "no bureau" } },
    });
  });

  test("what it throws, or gives that is no patch, is reported and changes nothing", async () => {
    for (const recover of [
      () => {
        throw new Error("worse");
      },
      () => [1],
      () => Promise.resolve({}),
    ]) {
      const it = scoring(recover);
      const { launcher, clock, errors } = await start([it], patient);
      const execution = await launcher.launch(it, {});
      await clock.advance("10s");
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "AWAY" });
      expect(errors).toMatchObject([{ code: "STEPWELL_INVALID_RETURN_VALUE", step: "score" }]);
    }
  });

  test("it is asked after a wait that timed out, and before a step after the pivot would park", async () => {
    const it = workflow("forgiving", { input })
      .step("1", { pivot: true, run: () => undefined })
      .waitFor("ask", { answer: z.null() }, { timeout: "1h", deadline: "90m", recover: () => ({ silent: true }) })
      .step("2", { run: () => fail("no"), recover: ({ reason }) => ({ why: reason }) });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("2h");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { silent: true, why: "no" } });
  });

  test("it is not asked for a rollback request, nor for the workflow's deadline, nor for a guard's veto", async () => {
    let asked = 0;
    const running = workflow("running", { input, deadline: "1h" }).step("1", {
      run: ({ signal }) =>
        new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
      recover: () => void asked++,
    });
    const vetoed = workflow("vetoed", { input })
      .step("1", { run: () => undefined, recover: () => void asked++ })
      .observe(observer({ name: "guard", guard: true, afterStep: () => fail("vetoed") }));
    const { launcher, clock } = await start([running, vetoed], patient);
    const [one, other] = [await launcher.launch(running, {}), await launcher.launch(running, {})];
    const third = await launcher.launch(vetoed, {});
    await clock.settle();
    await one.rollback("back");
    await clock.advance("61m");
    expect((await one.outcome()).reason).toBe("back");
    expect((await other.outcome()).reason).toBe("deadline");
    expect((await third.outcome()).reason).toBe("vetoed");
    expect(asked).toBe(0);
  });
});

onEveryStore("a step's deadline", (start) => {
  test("limits its attempts together, from its first beginning, and aborts the one that runs", async () => {
    let aborted: unknown;
    const it = workflow("slow", { input }).step("1", {
      deadline: "1m",
      retry: { attempts: Infinity, delay: "20s", factor: 1, jitter: false },
      run: ({ attempt, signal }) => {
        if (attempt < 3) throw new Error("no");
        return new Promise<void>((_resolve, reject) =>
          signal.addEventListener("abort", () => reject((aborted = signal.reason) as Error)),
        );
      },
    });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("55s");
    expect(aborted).toBeUndefined();
    expect(await told(execution)).toEqual(["run 1: begins", "run 1: Error", "run 1: Error"]);
    await clock.advance("6s");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "timeout" });
    expect(aborted).toMatchObject({ code: "STEPWELL_ATTEMPT_TIMEOUT" });
  });

  test("limits its waits, also where a message is there, its polls and its retries that are due later", async () => {
    const waiting = workflow("waiting", { input }).waitFor("1", { go: z.null() }, { deadline: "1h" });
    const polling = workflow("polling", { input }).step("1", {
      deadline: "1h",
      run: () => again(undefined, { after: "25m" }),
    });
    const trying = workflow("trying", { input }).step("1", {
      deadline: "1h",
      retry: { attempts: 3, delay: "2h", maxDelay: "2h" },
      run: () => {
        throw new Error("no");
      },
    });
    const { launcher, clock } = await start([waiting, polling, trying], patient);
    const all = [
      await launcher.launch(waiting, {}),
      await launcher.launch(polling, {}),
      await launcher.launch(trying, {}),
    ];
    await clock.advance("59m");
    for (const execution of all) expect(await execution.summary()).toMatchObject({ flow: { direction: "up" } });
    await clock.advance("2m");
    for (const execution of all)
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "timeout" });
  });

  test("is counted from the first beginning, over a restart", async () => {
    const it = workflow("restarted", { input }).step("1", {
      deadline: "1h",
      run: () => again(undefined, { after: "10m" }),
    });
    const { launcher, clock, another } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("45m");
    const stopped = launcher.stop();
    await clock.advance("1m");
    await stopped;
    const other = await another([it], patient);
    await clock.advance("15m");
    expect(await other.execution(execution.id).outcome()).toMatchObject({ status: "rolledBack", reason: "timeout" });
  });

  test("has no effect on the way down", async () => {
    const it = workflow("down", { input }).step("1", {
      deadline: "1m",
      run: () => fail("no"),
      rollback: ({ polls }) => (polls < 2 ? again(undefined, { after: "1h" }) : { undone: true }),
    });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("3h");
    expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "no", state: { undone: true } });
  });

  test("parks the execution after the pivot, and counts anew after an operator's retry", async () => {
    let calls = 0;
    const it = workflow("past", { input })
      .step("1", { pivot: true, run: () => undefined })
      .step("2", { deadline: "1h", run: () => (++calls < 6 ? again({}, { after: "25m" }) : undefined) });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("59m");
    expect((await execution.summary()).status).toBe("scheduled");
    await clock.advance("2m");
    const parked = { status: "stuck", direction: "up", step: "2", reason: "timeout" };
    expect(await execution.outcome()).toMatchObject(parked);
    expect(calls).toBe(3);
    await clock.advance("1h");
    await execution.retry();
    await clock.advance("49m");
    expect((await execution.summary()).status).toBe("scheduled");
    expect(calls).toBe(5);
    await clock.advance("12m");
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
  });

  test.each<[string, object]>([
    [
      "between two attempts",
      {
        retry: { attempts: 3, delay: "2h", maxDelay: "2h" },
        run: () => {
          throw new Error("no");
        },
      },
    ],
    ["between two polls", { run: () => again(undefined, { after: "25m" }) }],
    [
      "in a call",
      {
        run: ({ signal }: { signal: AbortSignal }) =>
          new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
      },
    ],
    ["in a wait", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined }],
  ])("that passes %s asks `recover`", async (_where, options) => {
    const it = workflow("recovered", { input }).step("1", {
      deadline: "1h",
      ...(options as { run: () => void }),
      recover: ({ reason }) => ({ why: reason }),
    });
    const { launcher, clock } = await start([it], patient);
    const execution = await launcher.launch(it, {});
    await clock.advance("59m");
    expect((await execution.summary()).status).not.toBe("completed");
    await clock.advance("2m");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { why: "timeout" } });
  });
});
