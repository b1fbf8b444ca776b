/**
 * Plants each mistake of mutants.ts into a copy of src/ and simulates until it is found: `npm run simulate:mutants -- --json`.
 *
 * - `--seeds N`: how many histories each may take. Default: 20000.
 * - `--only I`: the one of that number.
 * - `--json`: only the last line. Else a table, in Markdown, comes before it.
 *
 * Exits with 1 where one is not found, or no longer fits the text.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { StoreName } from "./history.js";
import { fits, mutants, type Mutant } from "./mutants.js";

const root = join(import.meta.dirname, "../..");

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "20000" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

interface Result {
  readonly isFound: boolean;
  readonly what: string;
  readonly seconds: number;
}

/** A copy of what is simulated, with the mistake in it. */
function planted({ file, text, instead }: Mutant): string {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-mutant-"));
  for (const part of ["src", "test/simulation", "package.json", "tsconfig.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const path = join(folder, "src", file);
  const before = readFileSync(path, "utf8");
  if (!fits(before, text)) throw new Error(`${file} does not have this once: ${text}`);
  writeFileSync(
    path,
    before.replace(text, () => instead),
  );
  return folder;
}

/** A history that takes longer never ends, in milliseconds. */
const longest = 60_000;

/** What is thrown, or never comes to an end, is found as well. */
function look(folder: string, { file }: Mutant): Promise<{ readonly isFound: boolean; readonly said: string }> {
  const store: StoreName = /^(stores\/sql|values)/.test(file) ? "sqlite" : "memory";
  const words = ["--import", "tsx", "test/simulation/until-found.ts", values.seeds, store];
  const child = spawn(process.execPath, words, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  const end = (): void => void child.kill("SIGKILL");
  let patience = setTimeout(end, longest);
  let said = "";
  child.stdout.on("data", (part) => {
    said += String(part);
    clearTimeout(patience);
    patience = setTimeout(end, longest);
  });
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      clearTimeout(patience);
      const last = said
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("."))
        .at(-1);
      const told = signal === null ? "it threw" : "it came to no end";
      resolve({ isFound: code !== 0, said: last ?? `seed ${said.length + 1}: ${told}` });
    });
  });
}

async function plant(mutant: Mutant): Promise<Result> {
  const began = performance.now();
  const folder = planted(mutant);
  try {
    const { isFound, said } = await look(folder, mutant);
    return { isFound, what: said, seconds: (performance.now() - began) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const inCode = (text: string): string =>
  text === "" ? "nothing" : `\`${text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|")}\``;

/** As a row of a table in Markdown. */
function rowOf({ file, text, instead }: Mutant, { isFound, what, seconds }: Result): string {
  const seed = /^seed (\d+)/.exec(what)?.[1] ?? "";
  const outcome = isFound ? `${seed} | ${seconds.toFixed(0)} s` : "not found |";
  return `| ${file} | ${inCode(text)} | ${inCode(instead)} | ${outcome} |`;
}

const chosen = mutants.filter((_, index) => values.only === undefined || index === Number(values.only));
const queue = [...chosen.entries()];
const rows: string[] = [];
let found = 0;

async function work(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [index, mutant] = next;
    const result = await plant(mutant);
    if (result.isFound) found++;
    rows[index] = rowOf(mutant, result);
    if (values.json) continue;
    const { isFound, what, seconds } = result;
    console.log(`${isFound ? "found" : "MISSED"} in ${seconds.toFixed(1)} s: ${mutant.file}: ${mutant.text}`);
    console.log(`  ${what}`);
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, work));
if (!values.json) {
  console.log("\n| in | this | became | found by seed | after |\n| --- | --- | --- | --- | --- |");
  for (const row of rows) console.log(row);
}
console.log(JSON.stringify({ planted: chosen.length, found }));
process.exitCode = found === chosen.length ? 0 : 1;
