/** Starts the processes of the order desk, and ends them. */
import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSync, closeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export interface Process {
  readonly name: string;
  readonly url: string;
  /** How it ended, where nobody asked it to. */
  readonly crash: Promise<string>;
  /** SIGKILL: the process gets no chance to do anything. */
  kill(): Promise<void>;
  /** SIGTERM: the process may finish what it does. */
  stop(): Promise<void>;
}

export type Settings = Readonly<Record<string, string>>;

/** A token for this run: the processes answer nobody else on this machine. */
export const token = randomBytes(24).toString("hex");

const announcement = z.object({ url: z.url() });
const startTimeout = 20_000;

/** Starts `<name>.ts` of this folder and waits until it has told where it listens. Its output goes to `<name>.log`. */
export async function startProcess(name: string, folder: string, settings: Settings): Promise<Process> {
  const log = openSync(join(folder, `${name}.log`), "a");
  const child = fork(fileURLToPath(new URL(`${name}.ts`, import.meta.url)), [], {
    execArgv: ["--import", import.meta.resolve("tsx")],
    env: { ...process.env, ORDER_DESK_TOKEN: token, ...settings },
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  let ending = false;
  const exited = once(child, "exit").then(([code, signal]) => `${name} ended (${signal ?? `exit code ${code}`})`);
  const crash = new Promise<string>((resolve) => void exited.then((how) => ending || resolve(how)));
  const end = async (signal: NodeJS.Signals) => {
    ending = true;
    child.kill(signal);
    await exited;
  };
  try {
    return {
      name,
      url: await firstWords(child, exited),
      crash,
      kill: () => end("SIGKILL"),
      stop: () => end("SIGTERM"),
    };
  } catch (error) {
    await end("SIGKILL");
    throw error;
  }
}

async function firstWords(child: ChildProcess, exited: Promise<string>): Promise<string> {
  const signal = AbortSignal.timeout(startTimeout);
  const failed = exited.then((how) => Promise.reject(new Error(`${how} before it was ready; see its log`)));
  const [message] = await Promise.race([once(child, "message", { signal }), failed]);
  return announcement.parse(message).url;
}

export interface Participants {
  readonly warehouse: Process;
  readonly bank: Process;
  readonly carrier: Process;
}

/** Starts the three, each with its ledger in `folder`. The bank's outage begins with the given request. */
export async function startParticipants(folder: string, bankOutageAt: number): Promise<Participants> {
  const [warehouse, bank, carrier] = await Promise.all([
    startProcess("warehouse", folder, { WAREHOUSE_LEDGER: ledgerFile(folder, "warehouse") }),
    startProcess("bank", folder, { BANK_LEDGER: ledgerFile(folder, "bank"), BANK_OUTAGE_AT: String(bankOutageAt) }),
    startProcess("carrier", folder, { CARRIER_LEDGER: ledgerFile(folder, "carrier") }),
  ]);
  return { warehouse, bank, carrier };
}

export function ledgerFile(folder: string, participant: keyof Participants): string {
  return join(folder, `${participant}.ledger`);
}
