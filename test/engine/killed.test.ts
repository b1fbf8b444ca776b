/** Real processes that an execution kills, one after the other. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { killer, launcherOn } from "../support/killer.js";

const program = fileURLToPath(new URL("../support/killer.ts", import.meta.url));

test("ten processes that die in a row while a function of one execution runs park that one, and no eleventh dies", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "killed.db");
  const launcher = launcherOn(path);
  await launcher.start();
  await launcher.launch(killer, { kills: true }, { id: "bad", delay: "1s" });
  await launcher.stop();
  for (let death = 1; death <= 10; death++) {
    const child = spawn(process.execPath, ["--import", "tsx", program, path], { stdio: "inherit" });
    onTestFinished(() => void child.kill("SIGKILL"));
    const [, signal] = (await once(child, "exit")) as [unknown, string];
    expect(signal, `death ${death}`).toBe("SIGKILL");
  }
  const last = launcherOn(path);
  await last.start();
  onTestFinished(() => last.stop());
  expect(await last.execution("bad").outcome({ timeout: "20s" })).toMatchObject({
    status: "stuck",
    error: { code: "STEPWELL_CRASHES_LAUNCHER", message: expect.stringContaining("10 times in a row") },
  });
  expect((await (await last.launch(killer, { kills: false })).outcome()).status).toBe("completed");
}, 120_000);
