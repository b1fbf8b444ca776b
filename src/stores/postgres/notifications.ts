/**
 * Hints between processes, by LISTEN and NOTIFY, on a connection that does nothing else. A hint may get
 * lost: the engine polls behind it. So nothing waits for one to be sent, the many of a moment go as one, and none is
 * sent in the transaction that it tells of, where it would make commits wait for each other.
 */
import { sleep, systemClock, type Clock, type Timer } from "../../clock.js";
import { newId } from "../../ids.js";
import type { Hint } from "../contract.js";
import type { PostgresClient } from "./driver.js";

/** One connection that is kept. */
export interface Line extends PostgresClient {
  close(): void;
}

/** Notifications of this time go as one, in milliseconds. */
const gathering = 2;

/** How often the connection is asked whether it lives, and how long it may take to answer, in milliseconds. */
const pingEvery = 10_000;
const pingPatience = 5_000;

/** The first and the longest pause before a new connection, in milliseconds. */
const firstPause = 50;
const longestPause = 5_000;

/** PostgreSQL takes less than 8000 bytes; an id is at most 255 characters. */
const largestPayload = 7_000;

interface Payload {
  /** Who sends it. */
  readonly from: string;
  readonly due?: true;
  readonly signalled?: readonly string[];
}

export class Notifications {
  readonly #channel: string;
  readonly #connect: () => Promise<Line>;
  readonly #tell: (hints: readonly Hint[]) => void;
  readonly #clock: Clock;
  readonly #self = newId();
  #line: Line | undefined;
  #closed = false;
  #due = false;
  #signalled = new Set<string>();
  #sending: Timer | undefined;
  #ping: Timer | undefined;
  #failures = 0;

  constructor(
    schema: string,
    connect: () => Promise<Line>,
    tell: (hints: readonly Hint[]) => void,
    clock: Clock = systemClock,
  ) {
    this.#channel = `stepwell_${schema}`;
    this.#clock = clock;
    this.#connect = connect;
    this.#tell = tell;
  }

  /** Resolves after the first try; it goes on in the background where that failed. */
  async open(): Promise<void> {
    await this.#listen();
  }

  close(): void {
    this.#closed = true;
    this.#sending?.cancel();
    this.#hangUp();
  }

  /** Tells other processes, soon. */
  send(hints: readonly Hint[]): void {
    if (this.#closed || hints.length === 0) return;
    for (const hint of hints) {
      if (hint.type === "due") this.#due = true;
      else this.#signalled.add(hint.execution);
    }
    this.#sending ??= this.#clock.after(gathering, () => {
      this.#sending = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const line = this.#line;
    const payload = this.#payload();
    // Without a connection it is lost: who listens looks by itself.
    if (line === undefined) return;
    line
      .query({ text: "SELECT pg_notify($1::text, $2::text)", values: [this.#channel, payload] })
      .catch(() => undefined);
  }

  #payload(): string {
    const base: Payload = { from: this.#self, ...(this.#due && { due: true }) };
    const all = JSON.stringify({ ...base, signalled: [...this.#signalled] } satisfies Payload);
    this.#due = false;
    this.#signalled = new Set();
    // Who claims is told which of its executions have mail.
    return Buffer.byteLength(all) > largestPayload ? JSON.stringify({ ...base, due: true } satisfies Payload) : all;
  }

  async #listen(): Promise<void> {
    try {
      const line = await this.#connect();
      if (this.#closed) return line.close();
      const lost = (): void => this.#lost(line);
      line.on("error", lost);
      line.on("end", lost);
      line.on("notification", ({ payload }: { readonly payload?: string }) => this.#heard(payload));
      this.#line = line;
      await line.query({ text: `LISTEN "${this.#channel}"` });
      if (this.#line !== line) return;
      // What was sent while nobody listened is not sent again.
      if (this.#failures > 0) this.#tell([{ type: "due", inMs: 0 }]);
      this.#failures = 0;
      this.#pingLater(line);
    } catch {
      if (this.#line !== undefined) this.#lost(this.#line);
      else void this.#again();
    }
  }

  #heard(text: string | undefined): void {
    const payload = parsed(text);
    if (payload === undefined || payload.from === this.#self || this.#closed) return;
    const hints: Hint[] = (payload.signalled ?? []).map((execution) => ({ type: "signalled", execution }));
    if (payload.due === true) hints.push({ type: "due", inMs: 0 });
    this.#tell(hints);
  }

  #lost(line: Line): void {
    if (this.#line !== line) return;
    this.#hangUp();
    if (!this.#closed) void this.#again();
  }

  #hangUp(): void {
    const line = this.#line;
    this.#line = undefined;
    this.#ping?.cancel();
    line?.close();
  }

  async #again(): Promise<void> {
    // Of random length: not all who listened come back at once.
    await sleep(this.#clock, (0.5 + this.#clock.random()) * Math.min(firstPause * 2 ** this.#failures, longestPause));
    this.#failures++;
    if (!this.#closed) await this.#listen();
  }

  /** A connection that is cut in the middle says nothing for ever; so it is asked. */
  #pingLater(line: Line): void {
    this.#ping = this.#clock.after(pingEvery, () => {
      this.#ping = this.#clock.after(pingPatience, () => this.#lost(line));
      line.query({ text: "SELECT 1" }).then(
        () => {
          if (this.#line !== line) return;
          this.#ping?.cancel();
          this.#pingLater(line);
        },
        () => this.#lost(line),
      );
    });
  }
}

/** Anybody may notify a channel. */
function parsed(text: string | undefined): Payload | undefined {
  try {
    const payload = JSON.parse(text ?? "") as Payload;
    if (typeof payload !== "object" || payload === null) return undefined;
    const { signalled = [] } = payload;
    return Array.isArray(signalled) && signalled.every((it) => typeof it === "string") ? payload : undefined;
  } catch {
    return undefined;
  }
}
