import { afterEach, describe, expect, test, vi } from "vitest";
import type { StepwellError } from "../errors.js";
import { Outbox } from "./outbox.js";
import { VirtualClock } from "../testing/virtual-clock.js";

afterEach(() => vi.restoreAllMocks());

const posted = (execution: string, what = "It") => ({ what, execution, workflow: "w" });

/** A promise, and what settles it. */
function open(): { promise: Promise<void>; done: () => void; failed: (error: unknown) => void } {
  let done = (): void => undefined;
  let failed = (_error: unknown): void => undefined;
  const promise = new Promise<void>((resolve, reject) => ([done, failed] = [resolve, reject]));
  return { promise, done, failed };
}

describe("an outbox", () => {
  test("delivers at once what nothing of its execution is before, and remembers nothing of it", async () => {
    const lines: string[] = [];
    const outbox = new Outbox();
    outbox.post(posted("a"), () => lines.push("1"));
    outbox.post(posted("a"), () => lines.push("2"));
    expect(lines).toEqual(["1", "2"]);
    await outbox.settled();
  });

  test("keeps the order of an execution; others do not wait for it", async () => {
    const lines: string[] = [];
    const first = open();
    const outbox = new Outbox();
    outbox.post(posted("a"), () => first.promise.then(() => lines.push("a1")));
    outbox.post(posted("a"), () => lines.push("a2"));
    outbox.post(posted("b"), () => lines.push("b1"));
    const settled = outbox.settled().then(() => lines.push("settled"));
    await new Promise(setImmediate);
    expect(lines).toEqual(["b1"]);
    first.done();
    await settled;
    expect(lines).toEqual(["b1", "a1", "a2", "settled"]);
  });

  test("waits a minute for what never settles, reports it, and goes on with the next one of its execution", async () => {
    const clock = new VirtualClock();
    const errors: StepwellError[] = [];
    const lines: string[] = [];
    const outbox = new Outbox((error) => errors.push(error), clock);
    outbox.post(posted("a", "Message 1"), () => new Promise(() => undefined));
    outbox.post(posted("a", "Message 2"), () => new Promise(() => undefined));
    outbox.post(posted("a"), () => lines.push("a3"));
    const settled = outbox.settled().then(() => lines.push("settled"));
    await clock.advance("59s");
    expect(errors).toEqual([]);
    await clock.advance("61s");
    expect(errors.map(({ message }) => message)).toEqual([
      "Message 1 was not taken: it has not been settled for 60 seconds. It is not tried again.",
      "Message 2 was not taken: it has not been settled for 60 seconds. It is not tried again.",
    ]);
    await settled;
    expect(lines).toEqual(["a3", "settled"]);
    expect(clock.pending).toBe(0);
  });

  test("reports what throws and what is rejected, with its execution and cause, and goes on", async () => {
    const errors: StepwellError[] = [];
    const lines: string[] = [];
    const outbox = new Outbox((error) => errors.push(error));
    const cause = new Error("no route");
    outbox.post(posted("a", "Message 1"), () => {
      throw cause;
    });
    const second = open();
    outbox.post(posted("a", "Message 2"), () => second.promise);
    outbox.post(posted("a"), () => lines.push("a3"));
    second.failed("gone");
    await outbox.settled();
    expect(errors).toMatchObject([
      { code: "STEPWELL_OBSERVER_FAILED", execution: "a", workflow: "w", cause },
      { code: "STEPWELL_OBSERVER_FAILED", execution: "a", workflow: "w", cause: "gone" },
    ]);
    expect(errors.map(({ message }) => message)).toEqual([
      "Message 1 was not taken: no route. It is not tried again.",
      "Message 2 was not taken: gone. It is not tried again.",
    ]);
    expect(lines).toEqual(["a3"]);
  });

  test("survives a listener that throws or gives back a promise that is rejected", async () => {
    const throwing = new Outbox(() => {
      throw new Error("again");
    });
    const rejecting = new Outbox(() => Promise.reject(new Error("again")));
    for (const outbox of [throwing, rejecting]) {
      outbox.post(posted("a"), () => Promise.reject(new Error("first")));
      outbox.post(posted("a"), () => {
        throw new Error("second");
      });
      await expect(outbox.settled()).resolves.toBeUndefined();
    }
  });

  test("without a listener writes the 1st, the 10th and the 100th failure to the console", () => {
    const written = vi.spyOn(console, "error").mockReturnValue(undefined);
    const outbox = new Outbox();
    for (let i = 0; i < 150; i++) {
      outbox.post(posted("a"), () => {
        throw new Error("down");
      });
    }
    const told = written.mock.calls.map(([error]) => (error instanceof Error ? error.message : String(error)));
    expect(told).toEqual([
      "It was not taken: down. It is not tried again.",
      "It was not taken: down. It is not tried again. (the 10th failure)",
      "It was not taken: down. It is not tried again. (the 100th failure)",
    ]);
  });
});
