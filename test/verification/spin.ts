/**
 * Spin, the model checker: Debian's own, and a C compiler for the program that it writes. Where they are not there, they are
 * installed, if this process may.
 */
import { execFile, spawnSync } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const model = join(import.meta.dirname, "../../verification/lease.pml");
/** Of the checker and of its output. */
const memoryMiB = 6_000;
const mostOutput = 2 ** 26;

const isThere = (program: string): boolean =>
  spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;

/** Undefined: all is there. Otherwise what is missing, and how to get it. */
export function missing(): string | undefined {
  const absent = (): string[] => ["spin", "gcc"].filter((program) => !isThere(program));
  const wanted = absent();
  if (wanted.length > 0 && process.getuid?.() === 0) install(wanted);
  const still = wanted.length === 0 ? wanted : absent();
  return still.length === 0 ? undefined : `${still.join(" and ")} missing: apt-get install ${still.join(" ")}`;
}

function install(packages: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: string[]): boolean => spawnSync("apt-get", args, { env, stdio: "ignore" }).status === 0;
  const get = (): boolean => apt("install", "-y", "--no-install-recommends", ...packages);
  // The list of packages may be old, or not there.
  if (!get()) {
    apt("update");
    get();
  }
}

/** Macros of the model. A number is a bound; true: it is defined. */
export type Macros = Readonly<Record<string, number | true>>;

export interface Verdict {
  /** What the checker says of the first violation. Null: there is none. */
  readonly violation: string | null;
  readonly states: number;
  readonly seconds: number;
  /** The steps that lead to the violation. */
  readonly trail: string;
}

/** @param cycles looks for histories without an end, and not for anything else */
export async function check(macros: Macros, cycles = false): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-spin-"));
  const given = Object.entries(macros).map(([name, value]) => (value === true ? `-D${name}` : `-D${name}=${value}`));
  const at = { cwd: folder, maxBuffer: mostOutput };
  try {
    await copyFile(model, join(folder, "lease.pml"));
    await run("spin", ["-a", ...given, "lease.pml"], at);
    const kind = cycles ? "-DNP" : "-DSAFETY";
    await run("gcc", ["-O1", "-w", kind, "-DCOLLAPSE", `-DMEMLIM=${memoryMiB}`, "-o", "pan", "pan.c"], at);
    const began = performance.now();
    const { stdout } = await run("./pan", ["-m1000000", ...(cycles ? ["-l"] : [])], at);
    const seconds = (performance.now() - began) / 1000;
    const violation = violationIn(stdout);
    const trail = violation === null ? "" : (await run("spin", ["-t", "-p", "-g", ...given, "lease.pml"], at)).stdout;
    return { violation, states: Number(/(\d+) states, stored/.exec(stdout)![1]), seconds, trail };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws where the search was not finished */
function violationIn(output: string): string | null {
  const said = /^pan:1: (.*)$/m.exec(output)?.[1];
  if (said !== undefined) return said;
  if (/errors: 0$/m.test(output) && !/max search depth too small|out of memory|reached -DMEMLIM/.test(output))
    return null;
  throw new Error(`The search was not finished:\n${output}`);
}
