/** Launchers in processes of their own: gives them orders, and kills and pauses them. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LauncherOptions } from "../../src/index.js";

export type OrderText =
  | { readonly what: "launch"; readonly id: string; readonly workflow: string; readonly input: unknown }
  | { readonly what: "send"; readonly id: string; readonly name: string; readonly messageId: string }
  | { readonly what: "publish"; readonly topic: string; readonly name: string; readonly messageId: string }
  | { readonly what: "rollback"; readonly id: string };
export type Order = OrderText & { readonly number: number };

export type Told =
  | { readonly type: "ready" }
  | { readonly type: "error"; readonly code: string; readonly message: string }
  | { readonly type: "done"; readonly number: number; readonly value: unknown }
  | { readonly type: "refused"; readonly number: number; readonly code: string };

interface Worker {
  readonly process: ChildProcess;
  readonly role: Role;
  ready: boolean;
  paused: boolean;
  readonly pending: Map<number, { resolve(answer: Answer): void }>;
}

/** A client only asks, and drives nothing. */
export type Role = "launcher" | "client";

export type LauncherSettings = Pick<LauncherOptions, "concurrency" | "pollInterval" | "heartbeat">;

/** For trials in which launchers die: they find out soon. */
const hasty: LauncherSettings = { concurrency: 64, pollInterval: 100, heartbeat: { interval: 200, timeout: 1500 } };

/** `gone`: its process ended before it answered; nobody knows whether it was done. */
export type Answer = { readonly value: unknown } | { readonly code: string } | "gone";

const script = fileURLToPath(new URL("worker.ts", import.meta.url));

export class Team {
  readonly #arguments: readonly string[];
  readonly #random: () => number;
  readonly #workers: Worker[] = [];
  #orders = 0;
  #closing = false;
  kills = 0;
  pauses = 0;
  /** How often each error was reported, by code. */
  readonly errors = new Map<string, number>();

  constructor(address: string, effects: string, random: () => number, settings: LauncherSettings = hasty) {
    this.#arguments = [address, effects, JSON.stringify(settings)];
    this.#random = random;
  }

  async start(count: number, role: Role = "launcher"): Promise<void> {
    for (let index = 0; index < count; index++) this.#hire(role);
    while (!this.#workers.every(({ ready }) => ready)) await setTimeout(20);
  }

  /** Asks one of them, a client where there are clients, until it is done or refused for good: what is not known to be done is asked again. */
  async order(text: OrderText): Promise<Exclude<Answer, "gone">> {
    for (let pause = 50; ; pause = Math.min(2 * pause, 1_000)) {
      const present = this.#workers.filter(({ ready, paused }) => ready && !paused);
      const clients = present.filter(({ role }) => role === "client");
      const able = clients.length > 0 ? clients : present;
      const worker = able[Math.floor(this.#random() * able.length)];
      const answer = worker === undefined ? "gone" : await this.#ask(worker, text);
      if (answer !== "gone" && !("code" in answer && isPassing(answer.code))) return answer;
      await setTimeout(pause * (0.5 + this.#random()));
    }
  }

  /** A new one takes its place. */
  kill(): void {
    const worker = this.#anyone();
    if (worker === undefined) return;
    this.kills++;
    worker.process.kill("SIGKILL");
  }

  /** Stands still for so long, as in a garbage collection without end; then goes on as if nothing had been. */
  async pause(milliseconds: number): Promise<void> {
    const worker = this.#anyone();
    if (worker === undefined) return;
    this.pauses++;
    worker.paused = true;
    worker.process.kill("SIGSTOP");
    await setTimeout(milliseconds);
    worker.process.kill("SIGCONT");
    worker.paused = false;
  }

  async close(): Promise<void> {
    this.#closing = true;
    const ends = this.#workers
      .filter(({ process }) => process.exitCode === null)
      .map(({ process }) => once(process, "exit"));
    for (const { process } of this.#workers) process.kill("SIGKILL");
    await Promise.all(ends);
  }

  #anyone(): Worker | undefined {
    const able = this.#workers.filter(({ ready, paused }) => ready && !paused);
    return able[Math.floor(this.#random() * able.length)];
  }

  #hire(role: Role): void {
    const process = fork(script, [...this.#arguments, role], { execArgv: ["--import", "tsx"] });
    const worker: Worker = { process, role, ready: false, paused: false, pending: new Map() };
    this.#workers.push(worker);
    process.on("message", (told: Told) => this.#heard(worker, told));
    process.on("exit", () => {
      this.#workers.splice(this.#workers.indexOf(worker), 1);
      for (const pending of worker.pending.values()) pending.resolve("gone");
      if (!this.#closing) this.#hire(role);
    });
  }

  #heard(worker: Worker, told: Told): void {
    if (told.type === "ready") worker.ready = true;
    else if (told.type === "error") this.errors.set(told.code, (this.errors.get(told.code) ?? 0) + 1);
    else {
      const pending = worker.pending.get(told.number);
      worker.pending.delete(told.number);
      pending?.resolve(told.type === "done" ? { value: told.value } : { code: told.code });
    }
  }

  #ask(worker: Worker, text: OrderText): Promise<Answer> {
    const order: Order = { ...text, number: ++this.#orders };
    return new Promise((resolve) => {
      worker.pending.set(order.number, { resolve });
      worker.process.send(order, (error) => {
        if (error !== null) resolve("gone");
      });
    });
  }
}

/** The store was away for a while, the launcher had just been buried, or none was there to decide. */
function isPassing(code: string): boolean {
  return ["STEPWELL_UNDECIDED", "STEPWELL_STORE_BUSY", "STEPWELL_STORE_FAILED", "STEPWELL_STORE_UNREACHABLE"].includes(
    code,
  );
}
