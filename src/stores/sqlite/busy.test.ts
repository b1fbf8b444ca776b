/** A file that another connection writes for longer than a moment. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Launcher, workflow } from "../../index.js";
import { findDriver } from "./driver.js";
import { sqliteStore } from "./index.js";

const job = workflow("job", { input: z.object({}) }).step("work", { run: () => undefined });

test("is waited for by whatever is asked, as a commit waits: to start, to set a schedule, to prune, to bury", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "busy.db");
  const store = sqliteStore(path);
  await store.open();
  onTestFinished(async () => store.close());
  const other = findDriver().connect(path);
  onTestFinished(() => other.close());
  const whileBusy = async <Result>(act: () => Promise<Result> | Result): Promise<Result> => {
    other.exec("BEGIN IMMEDIATE");
    const asked = Promise.resolve(act());
    asked.catch(() => undefined);
    await pause(400);
    other.exec("COMMIT");
    return asked;
  };
  // Without a wait of its own: what the store does not wait for is refused.
  const launcher = new Launcher({
    store,
    workflows: [job],
    startTimeout: 0,
    pollInterval: "1h",
    heartbeat: { interval: "1h", timeout: "2h" },
  });
  await whileBusy(async () => launcher.start());
  onTestFinished(() => launcher.stop());
  await whileBusy(async () => launcher.schedules.set("daily", job, {}, { cron: "0 3 * * *" }));
  await (await launcher.launch(job, {})).outcome();
  await pause(5);
  expect(await whileBusy(async () => launcher.prune({ completed: 0 }))).toMatchObject({ completed: 1 });
  const owner = await whileBusy(async () => store.register({ host: "elsewhere", pid: 1 }));
  expect(await whileBusy(async () => store.beat(owner))).toMatchObject({ alive: true });
  expect(await whileBusy(async () => store.removeLaunchers([owner], "silent"))).toBe(0);
}, 30_000);
