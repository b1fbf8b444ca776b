/** What executions write into an SQLite file. Bytes are no time: they are the same on every machine. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { findDriver } from "../../src/stores/sqlite/driver.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";

const input = z.object({ given: z.string() });

interface Load {
  readonly steps: number;
  readonly fields: number;
  readonly executions: number;
  /** Of the input, in characters. */
  readonly given: number;
  /** What each step gives, in characters. */
  readonly gives: number;
}

interface AnySteps {
  step(name: string, definition: { readonly run: () => object }): AnySteps;
}

/** Each step gives one field of these. */
function stepsOf({ steps, fields, gives }: Load) {
  const made = workflow("load", { input });
  let more = made as unknown as AnySteps;
  for (let n = 0; n < steps; n++) more = more.step(`s${n}`, { run: () => ({ [`f${n % fields}`]: "x".repeat(gives) }) });
  return more as unknown as typeof made;
}

/** Bytes for each transition of many executions at once, with what their launches write. */
async function written(load: Load): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bytes-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "test.db");
  const it = stepsOf(load);
  const launcher = new Launcher({ store: sqliteStore(path), workflows: [it] });
  await launcher.start();
  // While somebody reads what was there before, the log is not begun anew: it holds all that is written.
  const reader = findDriver().connect(path);
  reader.exec("BEGIN");
  reader.prepare("SELECT id FROM stepwell_executions").all();
  const size = (): number => statSync(`${path}-wal`).size;
  const before = size();
  const one = async (): Promise<void> => {
    const execution = await launcher.launch(it, { given: "x".repeat(load.given) });
    expect((await execution.outcome()).status).toBe("completed");
  };
  await Promise.all(Array.from({ length: load.executions }, one));
  const bytes = size() - before;
  reader.close();
  await launcher.stop();
  return bytes / (load.executions * load.steps);
}

test("a transition of an execution of a hundred steps writes hardly more than one of three", async () => {
  const few = await written({ steps: 3, fields: 3, executions: 200, given: 20, gives: 20 });
  const many = await written({ steps: 100, fields: 3, executions: 200, given: 20, gives: 20 });

  expect(many / few).toBeLessThan(1.3);
});

test("a transition that changes a hundred bytes of a hundred kilobytes writes no more than eight", async () => {
  expect(await written({ steps: 100, fields: 100, executions: 50, given: 100_000, gives: 100 })).toBeLessThan(8_192);
});
