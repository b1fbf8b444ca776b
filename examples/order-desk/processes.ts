/** Starts the processes of the order desk, and ends them. */
import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export interface Process {
  readonly name: string;
  readonly url: string;
  /** SIGKILL: the process gets no chance to do anything. */
  kill(): Promise<void>;
  /** SIGTERM: the process may finish what it does. */
  stop(): Promise<void>;
}

export type Settings = Readonly<Record<string, string>>;

/** A token for this run: the processes answer nobody else on this machine. */
export const token = randomBytes(24).toString("hex");

/** Ends what still runs, without waiting for it. For the very end of the demo, however it comes. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

let reportCrash: (error: Error) => void;
/** Rejects when a process ends that nobody has ended. */
export const crashed = new Promise<never>((_, reject) => (reportCrash = reject));

const running = new Set<ChildProcess>();
const announcement = z.object({ url: z.url() });
const startTimeout = 20_000;

/** Starts `<name>.ts` of this folder and waits until it has told where it listens. Its output goes to `<name>.log`. */
export async function startProcess(name: string, folder: string, settings: Settings): Promise<Process> {
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, "a");
  const child = fork(fileURLToPath(new URL(`${name}.ts`, import.meta.url)), [], {
    execArgv: ["--import", import.meta.resolve("tsx")],
    env: { ...process.env, ORDER_DESK_TOKEN: token, ...settings },
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  running.add(child);
  let ending = false;
  const exited = once(child, "exit").then(([code, signal]) => {
    running.delete(child);
    if (!ending)
      reportCrash(new Error(`${name} has ended by itself (${signal ?? `exit code ${code}`})\n${tail(logFile)}`));
  });
  const end = async (signal: NodeJS.Signals) => {
    ending = true;
    child.kill(signal);
    await exited;
  };
  const signal = AbortSignal.timeout(startTimeout);
  const [message] = await Promise.race([once(child, "message", { signal }), crashed]);
  return { name, url: announcement.parse(message).url, kill: () => end("SIGKILL"), stop: () => end("SIGTERM") };
}

function tail(file: string): string {
  return readFileSync(file, "utf8").split("\n").slice(-20).join("\n");
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

/** Where the desk keeps its executions. */
export function storeFile(folder: string): string {
  return join(folder, "desk.db");
}

/** Starts a desk on the same store as any desk before it. */
export function startDesk(folder: string, { warehouse, bank, carrier }: Participants): Promise<Process> {
  return startProcess("desk", folder, {
    DESK_STORE: storeFile(folder),
    WAREHOUSE_URL: warehouse.url,
    BANK_URL: bank.url,
    CARRIER_URL: carrier.url,
  });
}
