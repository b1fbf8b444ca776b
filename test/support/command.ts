/** The command line as a user starts it: a process of its own. */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs `stepwell` in that folder, to its end. */
export function stepwell(folder: string, ...args: readonly string[]): Promise<Ended> {
  return running(folder, args);
}

/** The same, interrupted once it has printed enough. */
export function interrupted(
  folder: string,
  isEnough: (output: string) => boolean,
  ...args: readonly string[]
): Promise<Ended> {
  return running(folder, args, isEnough);
}

function running(folder: string, args: readonly string[], isEnough?: (output: string) => boolean): Promise<Ended> {
  const words = ["--import", loader, join(root, "src", "cli", "main.ts"), ...args];
  return new Promise((resolve) => {
    const env = { ...process.env, DEBUG: "", NO_COLOR: undefined };
    const child = execFile(process.execPath, words, { cwd: folder, env, timeout: 50_000 }, (error, output, errors) =>
      resolve({ code: error === null ? 0 : Number(error.code), output, errors }),
    );
    if (isEnough === undefined) return;
    let output = "";
    child.stdout!.on("data", (part) => {
      output += String(part);
      if (isEnough(output)) child.kill("SIGINT");
    });
  });
}
