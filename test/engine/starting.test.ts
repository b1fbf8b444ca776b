/** Launchers that share a store, or start before it is there. */
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Launcher, memoryStore, StepwellError, workflow, type Store } from "../../src/index.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";
import { errorOf, onEveryStore } from "../support/rig.js";

const job = workflow("job", { input: z.object({}) }).step("work", { run: () => undefined });

onEveryStore("launchers of one store object", (start) => {
  test("have it until the last of them stops, whichever opened it", async () => {
    const { store, launcher } = await start([job]);
    await launcher.stop();
    await store.close();
    const first = new Launcher({ store, workflows: [job] });
    const second = new Launcher({ store, workflows: [job] });
    await Promise.all([first.start(), second.start()]);
    await first.stop();
    expect((await (await second.launch(job, {})).outcome()).status).toBe("completed");
    expect(store.isOpen).toBe(true);
    await second.stop();
    expect(store.isOpen).toBe(false);
    const third = new Launcher({ store, workflows: [job] });
    await third.start();
    await third.stop();
    expect(store.isOpen).toBe(false);
  });

  test("leave it open where none of them has opened it", async () => {
    const { store, another } = await start([job]);
    await (await another()).stop();
    expect(store.isOpen).toBe(true);
  });
});

/** It can be opened, and asked, from that time on. */
function comingAt(time: number, clock: VirtualClock, error: StepwellError): Store {
  const store = memoryStore({ clock });
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        if (clock.now() < time) throw error;
        return Reflect.apply(value, target, given);
      };
    },
  });
}

const away = new StepwellError("STEPWELL_STORE_UNREACHABLE", "It is away.", { retryable: true });

/** Two seconds before its store comes. */
function early(error: StepwellError, options: { startTimeout?: "1s" | 0 } = {}) {
  const clock = new VirtualClock();
  const store = comingAt(clock.now() + 2000, clock, error);
  const launcher = new Launcher({ store, workflows: [job], clock, ...options });
  onTestFinished(() => launcher.stop());
  return { clock, launcher, began: clock.now() };
}

test("a start waits for a store that comes two seconds later", async () => {
  const { clock, launcher } = early(away);
  const starting = launcher.start();
  await clock.advance("3s");
  await starting;
  expect((await (await launcher.launch(job, {})).outcome()).status).toBe("completed");
});

test("a start waits for as long as it was told, and may be made again", async () => {
  const { clock, launcher } = early(away, { startTimeout: "1s" });
  const failing = errorOf(launcher.start());
  await clock.advance("1s");
  expect(await failing).toBe(away);
  await clock.advance("1s");
  await launcher.start();
});

test("a start that may not wait fails at once, and so does one whose store will never come", async () => {
  const impatient = early(away, { startTimeout: 0 });
  expect(await errorOf(impatient.launcher.start())).toBe(away);
  const wrong = new StepwellError("STEPWELL_STORE_FAILED", "The password is wrong.");
  expect(await errorOf(early(wrong).launcher.start())).toBe(wrong);
});

test("a launcher that is stopped while it waits for its store starts no more", async () => {
  const { clock, launcher, began } = early(away);
  const failing = errorOf(launcher.start());
  await clock.advance("100ms");
  const stopping = launcher.stop();
  await clock.advance("1s");
  await stopping;
  expect(await failing).toBe(away);
  expect(clock.now() - began).toBeLessThan(2000);
  expect(clock.pending).toBe(0);
});
