/** The processes that play: see player.ts. */
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import type { Report, Share } from "./share.js";

const root = join(import.meta.dirname, "../..");

/**
 * A history is over before the young generation is full: little of it has to be copied. Each process has a processor to itself: threads
 * of the collector would only take from the other.
 */
const flags = [
  ...["--min-semi-space-size=16", "--max-semi-space-size=32", "--single-threaded-gc"],
  // Many errors are a part of the game, and their stacks are looked at only where a seed is traced.
  "--stack-trace-limit=1",
];

export interface Player {
  play(share: Share): Promise<Report>;
  end(): void;
}

/**
 * What it gives begins a process. All that such a process runs is built into one file, without types: read by tsx, each function would be
 * given its name anew whenever it is made, which takes a fifth of the time.
 */
export async function withPlayers<Result>(use: (begin: () => Player) => Promise<Result>): Promise<Result> {
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp/simulation-"));
  try {
    const ssr = join(import.meta.dirname, "player.ts");
    await build({ root, configFile: false, logLevel: "warn", build: { ssr, outDir: folder, target: "node20" } });
    return await use(() => begun(join(folder, "player.js")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function begun(file: string): Player {
  const child = fork(file, { execArgv: flags });
  return {
    play: (share) =>
      new Promise((resolve, reject) => {
        const died = (code: number | null): void =>
          reject(new Error(`A process of the simulation ended with ${code}.`));
        child.once("exit", died);
        child.once("message", (report) => {
          child.off("exit", died);
          resolve(report as Report);
        });
        child.send(share);
      }),
    end: () => child.disconnect(),
  };
}
