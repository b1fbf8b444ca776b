import { Writable } from "node:stream";
import { configure, getLogger, jsonLinesFormatter, reset } from "@logtape/logtape";
import { type } from "arktype";
import { pino } from "pino";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createLogger, format, transports } from "winston";
import { z } from "zod";
import { silentLogger } from "../definition/logger.js";
import type { ObserverEvent } from "../definition/observer.js";
import { complete, fail, Launcher, memoryStore, pause, StepwellError, workflow, type AnyWorkflow } from "../index.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { logger, type LoggerOptions } from "./logger.js";

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A stream to memory. */
function memory(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString());
      done();
    },
  });
  return { stream, text: () => chunks.join("") };
}

/** The real pino, writing to memory. */
function recorder(): {
  readonly log: ReturnType<typeof pino>;
  readonly text: () => string;
  readonly lines: () => Line[];
} {
  const { stream, text } = memory();
  const lines = (): Line[] =>
    text()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  return { log: pino({ level: "debug", base: null, timestamp: false }, stream), text, lines };
}

const canary = "canary-4f1c";
const input = z.object({ secret: z.string() });

/** Runs an execution of two steps, the second as given, and gives back what was logged. */
async function logged(second: () => unknown): Promise<{ readonly lines: readonly Line[]; readonly text: string }> {
  const { log, lines, text } = recorder();
  const order = workflow("order", { input })
    .step("reserve", { run: () => ({ reservation: canary }), rollback: () => ({ released: canary }) })
    .step("charge", { run: () => second() as { charged: string } })
    .observe(logger(log));
  const launcher = new Launcher({ store: memoryStore(), workflows: [order] });
  await launcher.start();
  await (await launcher.launch(order, { secret: canary }, { id: "order-1" })).outcome();
  await launcher.stop();
  return { lines: lines(), text: text() };
}

const told = ({ level, msg, step, direction }: Line): string =>
  `${pino.levels.labels[level]}: ${msg}${typeof step === "string" ? ` ${step}` : ""} ${String(direction)}`;

describe("with the real pino and the engine", () => {
  test("logs a completed execution from its start to its end, never its state", async () => {
    const { lines, text } = await logged(() => ({ charged: canary }));
    expect(lines.map(told)).toEqual([
      "info: execution started up",
      "debug: step started reserve up",
      "debug: step done reserve up",
      "debug: step started charge up",
      "debug: step done charge up",
      expect.stringMatching(/^info: execution completed/),
    ]);
    for (const line of lines) expect(line).toMatchObject({ execution: "order-1", workflow: "order" });
    expect(lines[2]).toMatchObject({ attempt: 1, durationMs: expect.any(Number) as number });
    expect(text).not.toContain(canary);
  });

  test("warns of a failure, of the turn and of the rolled-back end, with the reason", async () => {
    const { lines, text } = await logged(() =>
      fail("declined", { details: { card: canary }, patch: { half: canary } }),
    );
    expect(lines.filter(({ level }) => level === 40).map(told)).toEqual([
      "warn: step failed charge up",
      expect.stringMatching(/^warn: rollback started.* down$/),
      expect.stringMatching(/^warn: execution rolled back.* down$/),
    ]);
    expect(lines.find(({ msg }) => msg === "step failed")).toMatchObject({ reason: "declined" });
    expect(lines.at(-1)).toMatchObject({ reason: "declined" });
    expect(text).not.toContain(canary);
  });

  test("keeps the code and the message of what was thrown, without its stack", async () => {
    const error = Object.assign(new Error("connection reset"), { code: "ECONNRESET", details: canary });
    const { lines, text } = await logged(() => {
      throw error;
    });
    const failure = lines.find(({ msg }) => msg === "step failed");
    expect(failure).toMatchObject({ errorCode: "ECONNRESET", errorMessage: "connection reset", reason: "ECONNRESET" });
    expect(text).not.toContain("logger.test");
    expect(text).not.toContain(canary);
  });

  test("an early end is a success", async () => {
    const { lines } = await logged(() => complete());
    expect(lines.at(-1)).toMatchObject({ level: 30, msg: "execution completed" });
  });
});

type Target = NonNullable<Parameters<typeof logger>[0]>;

/** What the real output of each library says, one parsed object a line. */
const libraries: Record<string, (level: "debug" | "warn") => Promise<{ target: Target; output: () => Parsed[] }>> = {
  async pino(level) {
    const { log, lines } = recorder();
    const target = log.child({ service: "orders" }, { level });
    const named = (line: Line): Parsed => ({ ...line, level: pino.levels.labels[line.level], message: line.msg });
    return { target, output: () => lines().map(named) };
  },
  async winston(level) {
    const { stream, text } = memory();
    const log = createLogger({ level, format: format.json(), transports: [new transports.Stream({ stream })] });
    return { target: log.child({ service: "orders" }), output: () => parsed(text()) };
  },
  async LogTape(level) {
    const lines: string[] = [];
    await configure({
      sinks: { memory: (record) => void lines.push(jsonLinesFormatter(record)) },
      loggers: [
        { category: "orders", lowestLevel: level === "warn" ? "warning" : level, sinks: ["memory"] },
        { category: ["logtape", "meta"], sinks: [] },
      ],
    });
    onTestFinished(() => reset());
    const named = ({ level: name, properties, ...line }: Parsed): Parsed => ({
      ...line,
      ...(properties as object),
      level: String(name).toLowerCase().replace("warning", "warn"),
    });
    return {
      target: getLogger("orders").with({ service: "orders" }),
      output: () => parsed(lines.join("")).map(named),
    };
  },
};

type Parsed = Record<string, unknown>;

function parsed(text: string): Parsed[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Parsed);
}

describe.each(Object.keys(libraries))("with the real %s", (library) => {
  test("each event is one line with its level, its message and its fields, and what the logger itself adds", async () => {
    const { target, output } = await libraries[library]!("debug");
    const order = workflow("order", { input })
      .step("reserve", { run: () => undefined, rollback: () => fail("carrier-down") })
      .step("charge", { run: () => fail("declined") })
      .observe(logger(target));
    const { launcher } = await started(order);
    const execution = await launcher.launch(order, { secret: canary }, { id: "order-1" });
    expect((await execution.outcome()).status).toBe("stuck");
    const lines = output();
    expect(lines.map(({ level, message, step }) => [level, message, step])).toEqual([
      ["info", "execution started", undefined],
      ["debug", "step started", "reserve"],
      ["debug", "step done", "reserve"],
      ["debug", "step started", "charge"],
      ["warn", "step failed", "charge"],
      ["warn", "rollback started", "charge"],
      ["debug", "step started", "charge"],
      ["debug", "step done", "charge"],
      ["debug", "step started", "reserve"],
      ["warn", "step failed", "reserve"],
      ["error", "execution stuck", "reserve"],
    ]);
    for (const line of lines) {
      expect(line).toMatchObject({ service: "orders", execution: "order-1", workflow: "order" });
    }
    expect(lines.at(-2)).toMatchObject({ direction: "down", attempt: 1, reason: "carrier-down" });
    expect(lines.at(-1)).toMatchObject({ direction: "down", reason: "declined", errorMessage: "carrier-down" });
    expect(JSON.stringify(lines)).not.toContain(canary);
  });

  test("only what its level lets through is made", async () => {
    const { target, output } = await libraries[library]!("warn");
    const order = workflow("order", { input })
      .step("1", { run: () => fail("declined") })
      .observe(logger(target));
    const { launcher } = await started(order);
    await (await launcher.launch(order, { secret: canary })).outcome();
    expect(output().map(({ level }) => level)).toEqual(["warn", "warn", "warn"]);
  });

  test("no text from outside makes a second line", async () => {
    const { target, output } = await libraries[library]!("debug");
    const order = workflow("order", { input })
      .step("1", { run: () => Promise.reject(new Error('x\n{"level":"info"}\r\u2028y')) })
      .observe(logger(target, { state: true }));
    const { launcher } = await started(order);
    await (await launcher.launch(order, { secret: 'a\n{"level":"info"}' })).outcome();
    const failed = output().find(({ message }) => message === "step failed");
    expect(failed).toMatchObject({ errorMessage: 'x {"level":"info"} y', state: { secret: 'a {"level":"info"}' } });
  });
});

/** A launcher for the workflow. What is reported is heard by nobody but the observers. */
async function started(order: AnyWorkflow, store = memoryStore()) {
  const launcher = new Launcher({ store, workflows: [order], onError: () => undefined });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  return { launcher, store };
}

const event: ObserverEvent = {
  execution: { id: "e", workflow: "w", version: "1" },
  flow: { direction: "up", reason: "normal", stepIndex: 0, stepFunc: "run", lifecycle: "step", lastResult: "no" },
  state: {},
  revision: 0,
};

/** The fields of the one call that a target gets for an event. */
function fieldsFor(given: Partial<ObserverEvent>, options?: LoggerOptions): Record<string, unknown> {
  const warn = vi.fn<(fields: object, message: string) => void>();
  logger({ ...silentLogger, warn }, options).afterStep!({ ...event, ...given } as ObserverEvent<never>);
  return warn.mock.calls[0]![0] as Record<string, unknown>;
}

describe("text from outside", () => {
  const forged = 'x\n{"level":30,"msg":"execution completed"}\r\u001b[2J\u0000\u2028\u202ey';

  test("can't begin a line, clear a terminal or turn the direction of writing, whatever field it comes by", () => {
    const fields = fieldsFor({
      execution: { id: forged, workflow: forged, version: "1" },
      step: { name: forged, index: 0 },
      reason: forged,
      error: { code: forged, message: forged },
    });
    const texts = Object.entries(fields).filter(([name]) => name !== "direction");
    expect(texts.map(([name]) => name)).toEqual([
      "execution",
      "workflow",
      "step",
      "reason",
      "errorCode",
      "errorMessage",
    ]);
    for (const [, text] of texts) expect(text).toBe('x {"level":30,"msg":"execution completed"} [2J y');
  });

  test("is cut where it is long", () => {
    expect(fieldsFor({ error: new Error("m".repeat(5000)) })["errorMessage"]).toHaveLength(1000);
  });

  test("may be anything that can be thrown", () => {
    const throwing = {
      get message(): string {
        throw new Error("no");
      },
    };
    expect(fieldsFor({ error: "no stock" })).toMatchObject({ errorMessage: "no stock" });
    for (const error of [null, 17, throwing, { message: 5 }]) {
      expect(fieldsFor({ error })).toEqual({ execution: "e", workflow: "w", direction: "up" });
    }
  });
});

describe("what is secret", () => {
  test("never appears by default: not from the state, a payload, the details of an error, or what a schema says", async () => {
    const { log, text, lines } = recorder();
    const asking = workflow("asking", { input })
      .step("ask", {
        // This library quotes what it refuses.
        messages: { kind: type("'visa'"), card: type("string") },
        run: () => pause({ asked: canary }),
        onMessage: ({ message }) => {
          throw Object.assign(new Error("declined"), { details: { card: message.payload }, card: canary });
        },
        rollback: () => fail("no", { patch: { half: canary }, details: { card: canary } }),
      })
      .observe(logger(log));
    const { store, launcher } = await started(asking);
    // A process that does not know the workflow can send what its step will refuse.
    const { launcher: another } = await started(
      workflow("another", { input }).step("1", { run: () => undefined }),
      store,
    );
    const execution = await launcher.launch(asking, { secret: canary }, { id: "order-1" });
    await another.send("order-1", "kind", canary);
    await vi.waitFor(() => expect(text()).toContain("STEPWELL_INVALID_MESSAGE"));
    await execution.send("card", canary);
    expect(await execution.outcome()).toMatchObject({ status: "stuck" });
    expect(lines().map(({ level, msg }) => `${pino.levels.labels[level]}: ${msg}`)).toEqual([
      "info: execution started",
      "debug: step started",
      "warn: error reported",
      "warn: step failed",
      "warn: rollback started",
      "debug: step started",
      "warn: step failed",
      "error: execution stuck",
    ]);
    expect(text()).toContain("declined");
    expect(text()).not.toContain(canary);
  });

  test("is taken out of the state, and out of reasons and messages that quote it", async () => {
    const { log, text, lines } = recorder();
    const paying = workflow("paying", { input })
      .step("pay", {
        run: () => ({ cards: [{ number: 4111_1111, brand: "visa" }], tokens: new Map([["main", canary]]), count: 7n }),
        rollback: ({ state }) =>
          Promise.reject(new Error(`no refund to ${state.cards?.[0]?.number} of ${state.secret}`)),
        rollbackRetry: { attempts: 1 },
      })
      .step("ship", { run: ({ state }) => fail(`no parcel for ${state.secret}`) })
      .observe(logger(log, { state: true, redact: ["state.secret", "state.cards[*].number", "state.tokens.*"] }));
    const { launcher } = await started(paying);
    await (await launcher.launch(paying, { secret: canary })).outcome();
    expect(text()).not.toContain(canary);
    expect(text()).not.toContain("41111111");
    expect(lines().find(({ msg }) => msg === "rollback started")).toMatchObject({
      reason: "no parcel for [REDACTED]",
      state: {
        secret: "[REDACTED]",
        cards: [{ number: "[REDACTED]", brand: "visa" }],
        tokens: { main: "[REDACTED]" },
        count: "7",
      },
    });
    expect(lines().at(-2)).toMatchObject({
      msg: "step failed",
      errorMessage: "no refund to [REDACTED] of [REDACTED]",
    });
  });

  test("is taken out of messages where the state itself is not logged", () => {
    const fields = fieldsFor(
      { state: { a: { b: canary } }, error: new Error(`bad ${canary}`) },
      { redact: ["state.a"] },
    );
    expect(fields).toEqual({ execution: "e", workflow: "w", direction: "up", errorMessage: "bad [REDACTED]" });
  });

  test("may be a field as a whole", () => {
    const given = { reason: canary, error: { code: "E", message: canary } };
    expect(fieldsFor(given, { redact: ["errorMessage", "reason"] })).toMatchObject({
      ...{ reason: "[REDACTED]", errorCode: "E", errorMessage: "[REDACTED]" },
    });
  });

  test("is not looked for in what is too short to be one", () => {
    const given = { state: { a: "in", b: true }, error: new Error("in time, true") };
    expect(fieldsFor(given, { redact: ["state.*"] })["errorMessage"]).toBe("in time, true");
  });

  test("stays as it is in the state itself, which the next observer sees", () => {
    const state = Object.freeze({ card: Object.freeze({ number: canary }) });
    const fields = fieldsFor({ state }, { state: true, redact: ["state.*.number"] });
    expect(fields["state"]).toEqual({ card: { number: "[REDACTED]" } });
    expect(state.card.number).toBe(canary);
  });

  test.each([
    ["card.number", 'Is "state.card.number" meant?'],
    ["errorMessage.text", "errorMessage has no parts"],
    ["state..card", "a path that is none"],
    [5, "not 5"],
    ["", 'has ""'],
  ])("is not said by the path %s", (path, problem) => {
    const wrong = (): unknown => logger(silentLogger, { redact: (path === 5 ? path : [path]) as never });
    expect(wrong).toThrow(expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }));
    expect(wrong).toThrow(problem);
  });
});

describe("the state, where it is asked for", () => {
  test("is what any logger can print, whatever is in it", () => {
    const ring: Record<string, unknown> = { name: "ring" };
    ring["self"] = ring;
    const state = {
      ...{ at: new Date(0), never: new Date(Number.NaN), big: 2n ** 70n, bytes: new Uint8Array(3), none: null },
      ...{ set: new Set([1, { a: 1n }]), map: new Map<unknown, unknown>([[1, "one"]]), ring, text: "a\nb" },
    };
    const fields = fieldsFor({ state }, { state: true });
    expect(fields["state"]).toEqual({
      ...{ at: "1970-01-01T00:00:00.000Z", never: "Invalid Date", big: "1180591620717411303424", bytes: "3 bytes" },
      ...{ none: null, set: [1, { a: "1" }], map: { "1": "one" }, ring: { name: "ring", self: "…" }, text: "a b" },
    });
  });
});

describe("reported errors", () => {
  const told = (error: StepwellError, options?: LoggerOptions): unknown[] => {
    const calls: unknown[] = [];
    const note = (level: string) => (fields: object, message: string) => void calls.push([level, message, fields]);
    const target = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
    logger(target, options).error!({ error, workflow: "w", execution: "e" });
    return calls;
  };
  const about = { workflow: "w", execution: "e", step: "1" };

  test("are warnings, or errors where someone must act", () => {
    const fields = { workflow: "w", execution: "e", step: "1", errorMessage: "a b" };
    expect(told(new StepwellError("STEPWELL_LATE_RESULT", "a\nb", about))).toEqual([
      ["warn", "error reported", { ...fields, errorCode: "STEPWELL_LATE_RESULT" }],
    ]);
    expect(told(new StepwellError("STEPWELL_STEP_MISSING", "a\nb", about))).toEqual([
      ["error", "error reported", { ...fields, errorCode: "STEPWELL_STEP_MISSING" }],
    ]);
  });

  test("keep their message to themselves where something of the state is secret: it can't be found in it", () => {
    const error = new StepwellError("STEPWELL_LATE_RESULT", canary, about);
    expect(JSON.stringify(told(error, { redact: ["state.secret"] }))).not.toContain(canary);
    expect(JSON.stringify(told(error, { redact: ["errorMessage"] }))).not.toContain(canary);
    expect(JSON.stringify(told(error, { redact: ["reason"] }))).toContain(canary);
  });

  test("leave out that an execution is stuck, which is logged as such", () => {
    expect(told(new StepwellError("STEPWELL_EXECUTION_STUCK", "stuck", about))).toEqual([]);
  });
});

describe("the target", () => {
  afterEach(() => {
    vi.doUnmock("node:module");
    vi.resetModules();
  });

  test("is refused where it is no logger", () => {
    expect(() => logger({ info: (): void => undefined } as never)).toThrow(
      expect.objectContaining({
        code: "STEPWELL_INVALID_ARGUMENT",
        message: expect.stringContaining('no function "debug"') as string,
      }),
    );
    expect(() => logger(null as never)).toThrow('no function "debug"');
  });

  test("is told whether the message comes first, where its shape does not say it", () => {
    const info = vi.fn<(...parts: unknown[]) => void>();
    logger({ ...silentLogger, info }, { messageFirst: true }).init!(event as ObserverEvent<never>);
    expect(info).toHaveBeenCalledWith("execution started", { execution: "e", workflow: "w", direction: "up" });
  });

  test("is given no option that does not exist", () => {
    expect(() => logger(silentLogger, { redacted: [] } as never)).toThrow('Did you mean "redact"?');
  });

  test("is a pino logger where none is given", () => {
    expect(logger()).toMatchObject({ name: "logger", guard: false });
  });

  test("has to be given where pino is not installed", async () => {
    vi.resetModules();
    vi.doMock("node:module", () => ({
      createRequire: () => () => {
        throw new Error("Cannot find module 'pino'");
      },
    }));
    const { logger: withoutPino } = await import("./logger.js");
    expect(() => withoutPino()).toThrow('logger() needs the package "pino"');
    expect(withoutPino(silentLogger).name).toBe("logger");
  });
});

test("logs what a child's child does under its own id, with the execution at the top, reported errors too", async () => {
  const { log, lines } = recorder();
  const clock = new VirtualClock();
  const none = z.object({});
  const grandchild = workflow("grandchild", { input: none })
    .step("call", {
      retry: { attempts: 6 },
      run: ({ attempt }) => {
        if (attempt < 6) throw new Error("the line is busy");
      },
    })
    .observe(logger(log));
  const child = workflow("child", { input: none })
    .child("below", grandchild, { input: () => ({}) })
    .observe(logger(log));
  const top = workflow("top", { input: none })
    .child("one", child, { input: () => ({}) })
    .observe(logger(log));
  const launcher = new Launcher({ store: memoryStore({ clock }), workflows: [top] });
  await launcher.start();
  const execution = await launcher.launch(top, {}, { id: "t" });
  await clock.advance("1h");
  expect(await execution.summary()).toMatchObject({ status: "completed" });
  await launcher.stop();
  const rootsOf = (of: string) => [
    ...new Set(lines().flatMap((line) => (line.execution === of ? [line["root"]] : []))),
  ];
  expect(["t", "t/one/0", "t/one/0/below/0"].map(rootsOf)).toEqual([[undefined], ["t"], ["t"]]);
  const [reported, ...more] = lines().filter(({ msg }) => msg === "error reported");
  expect(reported).toMatchObject({
    ...{ execution: "t/one/0/below/0", workflow: "grandchild", root: "t", step: "call" },
    errorCode: "STEPWELL_EXECUTION_STRUGGLING",
    errorMessage: expect.stringContaining('It is part of execution "t", which waits for it.') as string,
  });
  expect(more).toEqual([]);
});

test("tells an observer of a parent nothing of its children", async () => {
  const { log, lines } = recorder();
  const none = z.object({});
  const child = workflow("child", { input: none }).step("work", { run: () => undefined });
  const parent = workflow("parent", { input: none })
    .child("one", child, { input: () => ({}) })
    .observe(logger(log));
  await using launcher = new Launcher({ store: memoryStore(), workflows: [parent] });
  await launcher.start();
  await (await launcher.launch(parent, {}, { id: "p" })).outcome();
  expect(new Set(lines().map(({ execution }) => execution))).toEqual(new Set(["p"]));
});
