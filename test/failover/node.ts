/** One machine of the cluster: a PostgreSQL server, and the Patroni that looks after it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  closeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Tools } from "./tools.js";

/** PostgreSQL refuses to run as root. */
const nobody = 65_534;
const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

export function give(path: string): void {
  if (identity.uid !== undefined) chownSync(path, identity.uid, identity.gid);
}

/** In a group of its own, so that Ctrl-C ends the trial first, and the trial ends this. What it says goes to the file. */
export function start(program: string, args: readonly string[], folder: string, log: string): ChildProcess {
  const file = openSync(log, "a");
  const env = { PATH: process.env["PATH"], HOME: folder, LC_ALL: "C.UTF-8", PYTHONUNBUFFERED: "1" };
  const child = spawn(program, args, { ...identity, env, cwd: folder, detached: true, stdio: ["ignore", file, file] });
  closeSync(file);
  return child;
}

export interface NodePorts {
  readonly postgres: number;
  readonly rest: number;
}

/** What Patroni says of one member of the cluster. */
export interface Member {
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly timeline?: number;
  readonly lag?: number | string;
}

export class Node {
  readonly name: string;
  readonly folder: string;
  readonly ports: NodePorts;
  readonly log: string;
  readonly #tools: Tools;
  #patroni: ChildProcess | undefined;

  constructor(name: string, folder: string, ports: NodePorts, tools: Tools, configuration: object) {
    this.name = name;
    this.folder = folder;
    this.ports = ports;
    this.#tools = tools;
    this.log = join(folder, "log");
    mkdirSync(folder, { mode: 0o700 });
    give(folder);
    // What is JSON is YAML.
    writeFileSync(join(folder, "patroni.yml"), JSON.stringify(configuration, null, 2));
    give(join(folder, "patroni.yml"));
  }

  get isStarted(): boolean {
    return this.#patroni !== undefined && this.#patroni.exitCode === null && this.#patroni.signalCode === null;
  }

  start(): void {
    this.#patroni = start(this.#tools.patroni, [join(this.folder, "patroni.yml")], this.folder, this.log);
    this.#patroni.on("error", () => undefined);
  }

  /** All members, as this one sees them. */
  async members(): Promise<readonly Member[]> {
    const url = `http://127.0.0.1:${this.ports.rest}/cluster`;
    const answer = await fetch(url, { headers: { connection: "close" }, signal: AbortSignal.timeout(2_000) });
    return ((await answer.json()) as { readonly members: readonly Member[] }).members;
  }

  /** The machine is lost: nothing that ran on it does another thing. */
  async loseMachine(): Promise<void> {
    const patroni = this.#patroni!;
    const ended = this.isStarted ? once(patroni, "exit") : undefined;
    signal([...tree(patroni.pid!), ...this.#server], "SIGKILL");
    await ended;
  }

  /** The server is gone, and Patroni is still there. */
  losePostgres(): void {
    signal(this.#server, "SIGKILL");
  }

  /** As a machine that hangs, or that no packet reaches: connections stay open, and nothing is ever answered. */
  freeze(): void {
    signal([...tree(this.#patroni!.pid!), ...this.#server], "SIGSTOP");
  }

  /** The standbys hear nothing more, and what waits for them waits. */
  cutFromStandbys(): void {
    signal(
      this.#server.filter((pid) => readCommand(pid).includes("walsender")),
      "SIGSTOP",
    );
  }

  /** At the end, whatever state it is in. */
  destroy(): void {
    const all = [...(this.#patroni?.pid === undefined ? [] : tree(this.#patroni.pid)), ...this.#server];
    signal(all, "SIGKILL");
  }

  /** Where its log ends now. */
  get end(): number {
    return existsSync(this.log) ? statSync(this.log).size : 0;
  }

  /** When its server has first said it, behind a place in its log; undefined: it has not. */
  saidAt(behind: number, what: string): number | undefined {
    if (!existsSync(this.log)) return undefined;
    const lines = readFileSync(this.log).subarray(behind).toString().split("\n");
    const line = lines.find((it) => it.includes(what));
    return line === undefined ? undefined : Number(/^(\d+\.\d+) /.exec(line)?.[1]) * 1000;
  }

  /** The postmaster comes last. */
  get #server(): readonly number[] {
    try {
      const postmaster = Number(readFileSync(join(this.folder, "data", "postmaster.pid"), "utf8").split("\n")[0]);
      // Process numbers come again: only what runs in this folder is meant.
      return readCommand(postmaster).includes(this.folder) ? tree(postmaster) : [];
    } catch {
      return [];
    }
  }
}

/** A process after all that it has begun. */
export function tree(pid: number): readonly number[] {
  return [...childrenOf(pid).flatMap(tree), pid];
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** All whose command names the folder. */
export function runningIn(folder: string): readonly number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => pid !== process.pid && readCommand(pid).includes(folder));
}

function readCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended by itself.
    }
  }
}

/** Asks until it is so. */
export async function until(what: () => string, patience: number, is: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + patience;
  while (!(await is())) {
    if (Date.now() > deadline) throw new Error(`After ${patience / 1000} s not yet: ${what()}`);
    await setTimeout(50);
  }
}
