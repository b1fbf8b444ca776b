/** Without any observer, somebody hears that a step fails: once for each execution. */
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, workflow, type Logger, type Pause } from "../../src/index.js";
import { logger as loggerObserver } from "../../src/observers/logger.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({});

function listening(): { logger: Logger; warned: [object, string][] } {
  const warned: [object, string][] = [];
  const nothing = (): void => undefined;
  const logger = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (...told: [object, string]) => void warned.push(told),
  };
  return { logger, warned };
}

/** Fails twice going up, and twice coming back. */
function failing() {
  let undos = 0;
  return workflow("failing", { input }).step("pay", {
    retry: { attempts: 2, delay: "1h" },
    run: () => {
      throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    },
    rollback: () => {
      if (++undos <= 2) throw new Error("still away");
    },
  });
}

afterEach(() => vi.restoreAllMocks());

onEveryStore("a step that throws", (start) => {
  test("is told at warn level by the launcher's logger, once for an execution however often it fails", async () => {
    const { logger, warned } = listening();
    const made = failing();
    const { launcher, clock, another } = await start([made], { logger });
    const execution = await launcher.launch(made, {}, { id: "one" });
    await clock.settle();
    expect(warned).toEqual([
      [
        {
          execution: "one",
          workflow: "failing",
          step: "pay",
          direction: "up",
          attempt: 1,
          error: expect.objectContaining({ message: "connect ECONNREFUSED", code: "ECONNREFUSED" }),
        },
        'Step "pay" of execution "one" (workflow "failing") failed on the way up: connect ECONNREFUSED. It is tried again. ' +
          "What else fails of it is in its history.",
      ],
    ]);
    // Neither a restart nor the way down tells it again.
    await launcher.stop();
    const next = await another([made], { logger });
    await clock.advance("2h");
    expect((await next.execution(execution.id).outcome()).status).toBe("rolledBack");
    expect(warned).toHaveLength(1);
  });

  test("is told on the console where the launcher has no logger", async () => {
    const told: unknown[] = [];
    vi.spyOn(console, "warn").mockImplementation((text: unknown) => void told.push(text));
    const made = failing();
    const { launcher, clock } = await start([made]);
    await launcher.launch(made, {}, { id: "one" });
    await launcher.launch(made, {}, { id: "two" });
    await clock.settle();
    expect(told).toEqual([
      expect.stringMatching(/^Step "pay" of execution "one" .*ECONNREFUSED.*\n.*Error: connect ECONNREFUSED\n +at /),
      expect.stringContaining('execution "two"'),
    ]);
  });

  test("is not told twice where the logger observes its workflow", async () => {
    const { logger, warned } = listening();
    const lines: string[] = [];
    const nothing = (): void => undefined;
    const seen = {
      debug: nothing,
      info: nothing,
      error: nothing,
      warn: (_: object, text: string) => void lines.push(text),
    };
    const made = failing().observe(loggerObserver(seen));
    const { launcher, clock } = await start([made], { logger });
    await launcher.launch(made, {});
    await clock.settle();
    expect(lines).toEqual(["step failed"]);
    expect(warned).toEqual([]);
  });

  test("is told that it goes back where it has no attempt left, and one that got stuck is left to onError", async () => {
    const { logger, warned } = listening();
    const thrower = (): never => {
      throw new Error("no");
    };
    const turning = workflow("turning", { input }).step("1", { run: thrower, rollback: () => undefined });
    const parked = workflow("parked", { input })
      .step("1", { run: () => undefined, pivot: true })
      .step("2", { run: thrower, retry: { attempts: 1 } });
    const { launcher, clock, errors } = await start([turning, parked], { logger });
    await launcher.launch(turning, {});
    await launcher.launch(parked, {});
    await clock.settle();
    expect(warned.map(([, text]) => text)).toEqual([expect.stringContaining("The execution goes back.")]);
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_EXECUTION_STUCK"]);
  });

  test("is told that the execution goes on without it where it is recovered", async () => {
    const { logger, warned } = listening();
    const recovering = workflow("recovering", { input }).step("score", {
      run: () => {
        throw new Error("the bureau is away");
      },
      recover: () => ({ score: null }),
    });
    const { launcher } = await start([recovering], { logger });
    const execution = await launcher.launch(recovering, {}, { id: "one" });
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { score: null } });
    expect(warned.map(([, text]) => text)).toEqual([
      'Step "score" of execution "one" (workflow "recovering") failed on the way up: the bureau is away. ' +
        "The execution goes on without it. What else fails of it is in its history.",
    ]);
  });

  test("is no failure of a step: what fails by name, and what a request interrupts", async () => {
    const { logger, warned } = listening();
    const declined = workflow("declined", { input }).step("1", {
      run: () => fail("card-declined"),
      rollback: () => undefined,
    });
    const hanging = workflow("hanging", { input }).step("1", {
      messages: { never: z.null() },
      run: ({ signal }) =>
        new Promise<Pause>((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
      onMessage: () => undefined,
      rollback: () => undefined,
    });
    const { launcher, clock } = await start([declined, hanging], { logger });
    await launcher.launch(declined, {});
    const execution = await launcher.launch(hanging, {});
    await clock.settle();
    await execution.rollback("not-wanted");
    await clock.settle();
    expect((await execution.outcome()).status).toBe("rolledBack");
    expect(warned).toEqual([]);
  });
});

test("an execution that is stuck is logged once where the launcher and an observer have the same logger", async () => {
  const lines: unknown[] = [];
  const write = (_: object, text: string): void => void lines.push(text);
  const seen = { debug: () => undefined, info: () => undefined, warn: write, error: write };
  const parked = workflow("parked", { input })
    .step("1", { run: () => fail("declined"), rollback: () => fail("no-account") })
    .observe(loggerObserver(seen));
  await using launcher = new Launcher({ store: memoryStore(), workflows: [parked], logger: seen });
  await launcher.start();
  await (await launcher.launch(parked, {})).outcome();
  expect(lines.filter((text) => String(text).includes("stuck"))).toEqual(["execution stuck"]);
});
