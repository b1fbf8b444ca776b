/** What 100,000 parked executions cost: a process that parks them, and a new one that starts beside them. */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Figure } from "./report.js";

const count = 100_000;

export async function parked(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  try {
    const file = join(folder, "parked.db");
    const { bytes } = await child<{ bytes: number }>("park", file, count);
    const { milliseconds } = await child<{ milliseconds: number }>("boot", file, 0);
    return [
      { name: "parked.bytes", value: bytes, unit: "bytes/execution" },
      { name: "parked.boot", value: milliseconds, unit: "ms" },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function child<Answer>(...words: readonly (string | number)[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(new URL("parked-child.ts", import.meta.url)), words.map(String), {
      execArgv: ["--expose-gc", "--import", "tsx"],
    });
    process.once("message", (answer) => resolve(answer as Answer));
    process.once("exit", (code) => reject(new Error(`The child that was to ${words[0]} left with code ${code}.`)));
  });
}
