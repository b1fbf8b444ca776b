/**
 * A process of its own that writes batches into an SQLite file as fast as it can: `path name size`. Says
 * `n` on a line of its own once batch n is acknowledged. Ends when its input does.
 */
import { writeSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Encoded } from "../../src/values/encode.js";
import { StepwellError } from "../../src/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import type { Batch } from "../../src/stores/batch.js";
import type { HistoryEntry } from "../../src/execution/records.js";
import { entry, fromTexts, position } from "../../src/testing/store-contract/bench.js";

/** Each batch creates its executions and commits the first transition of those of the batch before. */
function batchOf(name: string, number: number, size: number, owner: number): Batch {
  const ids = (of: number): string[] => Array.from({ length: of < 1 ? 0 : size }, (_, i) => `${name}-${of}-${i}`);
  const details = {
    workflow: "w",
    version: "1",
    fingerprint: null,
    tags: [],
    status: "running",
    position,
    dueInMs: 0,
    deadlineInMs: null,
    carried: null,
  } as const;
  return {
    creates: ids(number).map((id) => ({
      id,
      owner,
      state: Encoded.ofText("{}"),
      input: Encoded.ofText(`"${"x".repeat(200)}"`),
      ...details,
    })),
    transitions: ids(number - 1).map((id) => ({
      id,
      owner,
      revision: 1,
      signals: 0,
      status: "completed",
      position,
      state: Encoded.ofText('{"done":true}'),
      rests: true,
      dueInMs: null,
      settled: [],
      ends: true,
      carried: null,
      history: fromTexts<HistoryEntry>(entry),
    })),
    releases: [],
    arrivals: [],
  };
}

async function main(path: string, name: string, size: number): Promise<void> {
  const input = process.stdin.resume();
  const store = sqliteStore(path);
  await patiently(() => store.open());
  const owner = await patiently(() => store.register({ host: "here", pid: process.pid }));
  for (let number = 1; !input.readableEnded; number++) {
    await patiently(() => store.write(batchOf(name, number, size, owner)));
    writeSync(1, `${number}\n`);
    await setImmediate();
  }
  await store.close();
}

/** As the engine does: a pause of random length, so that no writer starves the rest. */
async function patiently<Result>(act: () => Result): Promise<Awaited<Result>> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof StepwellError && error.retryable)) throw error;
      await setTimeout((0.5 + Math.random()) * Math.min(2 ** tries, 500));
    }
  }
}

const [path, name, size] = process.argv.slice(2);
await main(path!, name!, Number(size));
