import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { silentLogger } from "../definition/logger.js";
import type { ObserverEvent } from "../definition/observer.js";
import { complete, fail, Launcher, memoryStore, workflow } from "../index.js";
import { logger } from "./logger.js";

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The real pino, writing to memory. */
function recorder(): {
  readonly log: ReturnType<typeof pino>;
  readonly text: () => string;
  readonly lines: () => Line[];
} {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString());
      done();
    },
  });
  const text = (): string => chunks.join("");
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

const event: ObserverEvent = {
  execution: { id: "e", workflow: "w", version: "1" },
  flow: { direction: "up", reason: "normal", stepIndex: 0, stepFunc: "run", lifecycle: "step", lastResult: "no" },
  state: {},
  revision: 0,
};

/** The fields of the one call that a target gets for an event. */
function fieldsFor(given: Partial<ObserverEvent>): Record<string, unknown> {
  const warn = vi.fn<(fields: object, message: string) => void>();
  logger({ ...silentLogger, warn }).afterStep!({ ...event, ...given });
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
