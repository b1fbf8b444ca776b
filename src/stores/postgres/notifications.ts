/**
 * Hints between processes, by LISTEN and NOTIFY, on a connection that does nothing else. A hint may get
 * lost: the engine polls behind it. So nothing waits for one to be sent, the many of a moment go as one, and none is
 * sent in the transaction that it tells of, where it would make commits wait for each other.
 */
import { sleep, systemClock, type Clock, type Timer } from "../../clock.js";
import { newId } from "../../ids.js";
import type { Hint, Wanted } from "../contract.js";
import type { PostgresClient } from "./driver.js";
import { Gathering } from "./gathering.js";
import { Announcement, Followers, saidEvery } from "./followers.js";

/** One connection that is kept. */
export interface Line extends PostgresClient {
  close(): void;
}

/** What comes in this time after a notification goes as one, in milliseconds. */
const gathering = 2;

/** The same for executions that have moved: some hundredths of a second more are not seen. */
const gatheringMoves = 10;

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
  /** What the sender follows from now on. */
  readonly follows?: Wanted;
  /** What somebody follows, and the sender has committed something of. */
  readonly moved?: readonly string[];
}

/** What hints are for. */
export interface Listener {
  due(hints: readonly Hint[]): void;
  moved(ids: readonly string[]): void;
  /** What is followed in this process. */
  wanted(): Wanted;
}

export class Notifications {
  readonly #channel: string;
  readonly #connect: () => Promise<Line>;
  readonly #listener: Listener;
  readonly #clock: Clock;
  readonly #self = newId();
  #line: Line | undefined;
  #closed = false;
  #due = false;
  #signalled = new Set<string>();
  readonly #sending: Gathering;
  /** What others follow, what of it has moved, and what is followed here. */
  readonly #followers: Followers;
  #moved = new Set<string>();
  readonly #sendingMoved: Gathering;
  readonly #announcement: Announcement;
  #announcing: Timer | undefined;
  #ping: Timer | undefined;
  #failures = 0;

  constructor(schema: string, connect: () => Promise<Line>, listener: Listener, clock: Clock = systemClock) {
    this.#channel = `stepwell_${schema}`;
    this.#clock = clock;
    this.#connect = connect;
    this.#listener = listener;
    this.#followers = new Followers(clock);
    this.#announcement = new Announcement(clock);
    this.#sending = new Gathering(clock, gathering, () => this.#tellHints());
    this.#sendingMoved = new Gathering(clock, gatheringMoves, () => this.#tellMoved());
  }

  /** Whether another process follows anything. */
  get isFollowed(): boolean {
    return !this.#followers.isEmpty;
  }

  /** Resolves after the first try; it goes on in the background where that failed. */
  async open(): Promise<void> {
    await this.#listen();
  }

  close(): void {
    this.#closed = true;
    this.#sending.close();
    this.#sendingMoved.close();
    this.#announcing?.cancel();
    this.#hangUp();
  }

  /** Tells other processes. */
  send(hints: readonly Hint[]): void {
    if (this.#closed || hints.length === 0) return;
    for (const hint of hints) {
      if (hint.type === "due") this.#due = true;
      else this.#signalled.add(hint.execution);
    }
    this.#sending.add();
  }

  /** Tells those who follow them. */
  moved(ids: readonly string[]): void {
    if (this.#closed) return;
    for (const id of this.#followers.wantedOf(ids)) this.#moved.add(id);
    if (this.#moved.size > 0) this.#sendingMoved.add();
  }

  /** To be called when something is followed here: others are told, and again until it is no longer followed. */
  announce(): void {
    if (this.#closed) return;
    const wanted = this.#listener.wanted();
    if (this.#announcement.covers(wanted)) return;
    const [first = [], ...others] = wanted === "all" ? [] : inPayloads(wanted);
    const follows = wanted === "all" || others.length > 0 ? "all" : first;
    this.#announcement.says(follows);
    this.#notify({ from: this.#self, follows });
    this.#announcing?.cancel();
    if (follows.length > 0) this.#announcing = this.#clock.after(saidEvery, () => this.announce());
  }

  #tellHints(): void {
    const base: Payload = { from: this.#self, ...(this.#due && { due: true }) };
    const signalled = [...this.#signalled];
    this.#due = false;
    this.#signalled = new Set();
    // Who claims is told which of its executions have mail.
    this.#notify(sizeOf(signalled) > largestPayload ? { ...base, due: true } : { ...base, signalled });
  }

  #tellMoved(): void {
    const moved = [...this.#moved];
    this.#moved = new Set();
    for (const part of inPayloads(moved).slice(0, mostPayloads)) this.#notify({ from: this.#self, moved: part });
  }

  #notify(payload: Payload): void {
    const line = this.#line;
    // Without a connection it is lost: who listens looks by itself.
    if (line === undefined) return;
    const values = [this.#channel, JSON.stringify(payload)];
    line.query({ text: "SELECT pg_notify($1::text, $2::text)", values }).catch(() => undefined);
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
      // What may get lost is not worth waiting for the disk.
      await line.query({ text: "SET synchronous_commit TO off" });
      await line.query({ text: `LISTEN "${this.#channel}"` });
      if (this.#line !== line) return;
      // What was sent while nobody listened is not sent again.
      if (this.#failures > 0) this.#listener.due([{ type: "due", inMs: 0 }]);
      this.#announcement.forget();
      if (this.#listener.wanted().length > 0) this.announce();
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
    if (hints.length > 0) this.#listener.due(hints);
    if (payload.moved !== undefined) this.#listener.moved(payload.moved);
    if (payload.follows !== undefined) this.#followers.heard(payload.from, payload.follows);
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

/** Of executions that have moved at most so many at once: who follows very many finds the others by looking. */
const mostPayloads = 8;

function sizeOf(ids: readonly string[]): number {
  return Buffer.byteLength(JSON.stringify(ids));
}

/** As few parts as fit. */
function inPayloads(ids: readonly string[]): string[][] {
  const parts: string[][] = [];
  let size = largestPayload;
  for (const id of ids) {
    const more = sizeOf([id]);
    if (size + more > largestPayload) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)!.push(id);
    size += more;
  }
  return parts;
}

/** Anybody may notify a channel. */
function parsed(text: string | undefined): Payload | undefined {
  try {
    const payload = JSON.parse(text ?? "") as Payload;
    if (typeof payload !== "object" || payload === null || typeof payload.from !== "string") return undefined;
    const { signalled = [], moved = [], follows = [] } = payload;
    const all: readonly unknown[] = [signalled, moved, follows === "all" ? [] : follows];
    return all.every((it) => Array.isArray(it) && it.every((id) => typeof id === "string")) ? payload : undefined;
  } catch {
    return undefined;
  }
}
