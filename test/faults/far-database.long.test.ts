/** A real database that is a second and a half away, and whose clock is, too: nothing that is timed is early. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/clock.js";
import { Client, Launcher, pause, workflow, type Outcome } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { setWrong } from "../support/far-store.js";
import { freshSchema, postgresUrl } from "../support/postgres.js";
import { TcpProxy } from "../support/tcp-proxy.js";

const roundTrip = 1500;
const length = 8000;
const input = z.object({});

/** The server is on this machine: its time is that of the clock which the tests read. */
type Noted = Record<string, number[]>;

function timed(noted: Noted) {
  const note = (name: string) => void (noted[name] ??= []).push(Date.now());
  const waiting = workflow("timeout", { input }).step("wait", {
    messages: { never: z.null() },
    run: () => (note("timeout"), pause(undefined, { timeout: length })),
    onTimeout: () => note("timeout"),
    onMessage: () => undefined,
  });
  const again = workflow("retry", { input }).step("try", {
    retry: { attempts: 2, delay: length, jitter: false },
    run: () => {
      note("retry");
      if (noted["retry"]!.length === 2) throw new Error("once more");
    },
  });
  const late = workflow("deadline", { input, deadline: length }).step("wait", {
    messages: { never: z.null() },
    run: () => pause(),
    onMessage: () => undefined,
    rollback: () => note("deadline"),
  });
  return { note, waiting, again, late };
}

test.each([-roundTrip, roundTrip])(
  "timeouts, retries, delays and deadlines hold where the launcher's clock is wrong by %i ms, each answer takes that long, and then none",
  async (wrong) => {
    const proxy = await TcpProxy.before(postgresUrl());
    onTestFinished(() => proxy.close());
    proxy.lag = roundTrip / 2;
    const noted: Noted = {};
    const { note, waiting, again, late } = timed(noted);
    const schema = freshSchema();
    // Somebody near, since to make the tables from afar takes a minute; and for what wakes executions before their time.
    const near = new Client({ store: postgresStore(postgresUrl(), { schema }) });
    await near.list();
    onTestFinished(() => near.stop());
    const launcher = new Launcher({
      store: postgresStore(proxy.url, { schema }),
      workflows: [waiting, again, late],
      clock: setWrong(systemClock, wrong),
      startTimeout: "1m",
      pollInterval: "200ms",
      heartbeat: { interval: "5s", timeout: "1m" },
    });
    await launcher.start();
    onTestFinished(() => launcher.stop());
    note("retry");
    const executions = await Promise.all([
      launcher.launch(waiting, {}),
      launcher.launch(again, {}, { delay: length }),
      launcher.launch(late, {}),
    ]);
    while (noted["timeout"] === undefined || (await executions[2].flow()).stepFunc !== "runContinue") await sleep(100);
    // What was set from afar is looked at from near.
    proxy.lag = 0;
    const waking = setInterval(() => {
      for (const { id } of executions) near.send(id, "nobody waits for it", null).catch(() => undefined);
    }, 50);
    onTestFinished(() => clearInterval(waking));
    const outcomes: Outcome[] = await Promise.all(executions.map((it) => it.outcome()));
    expect(outcomes.map(({ status, reason }) => `${status} ${reason}`)).toEqual([
      "completed normal",
      "completed normal",
      "rolledBack deadline",
    ]);
    noted["deadline"]!.unshift((await executions[2].summary()).createdAt.getTime());
    expect(Object.values(noted).map((times) => times.length)).toEqual([3, 2, 2]);
    for (const [name, times] of Object.entries(noted)) {
      for (const [index, time] of times.slice(1).entries()) {
        const took = time - times[index]!;
        expect(took, name).toBeGreaterThanOrEqual(length);
        // A question and its answer, the commit and the next look: late, but by no more than that.
        expect(took, name).toBeLessThan(length + 8 * roundTrip);
      }
    }
  },
  120_000,
);
