import { expect, test } from "vitest";
import { StepwellError } from "../errors.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { ErrorReporter } from "./error-reporter.js";

/** A store that fails each second for so many seconds; what is told of it. */
async function heard(seconds: number, failure: (second: number) => readonly [doing: string, error: unknown]) {
  const clock = new VirtualClock();
  const told: StepwellError[] = [];
  const alarms = new ErrorReporter((error) => told.push(error), new Map(), clock);
  for (let second = 0; second < seconds; second++) {
    alarms.storeFailed(...failure(second));
    await clock.advance("1s");
  }
  return told;
}

test("a store that fails for good is told of once a minute for each thing that it is asked for", async () => {
  const told = await heard(120, (second) => [
    second % 2 === 0 ? "take up due executions" : "beat",
    new StepwellError("STEPWELL_STORE_FAILED", `permission denied, ${second}`),
  ]);
  expect(told).toHaveLength(4);
});

test("so is a store whose errors are none of ours", async () => {
  const told = await heard(90, (second) => ["prune", new Error(`no ${second}`)]);
  expect(told).toHaveLength(2);
  expect(told[0]).toMatchObject({ code: "STEPWELL_STORE_FAILED", message: expect.stringContaining("prune") });
});

test("an outage is told of once a minute, whatever is asked for meanwhile", async () => {
  const away = new StepwellError("STEPWELL_STORE_UNREACHABLE", "away", { retryable: true });
  expect(await heard(120, (second) => [`ask ${second % 7}`, away])).toEqual([away, away]);
});
