import type { Clock } from "../../clock.js";
import { StepwellError } from "../../errors.js";
import type { Hint, Wanted } from "../contract.js";
import { Hints } from "../hints.js";
import { Moves } from "../moves.js";
import type { RowFormat } from "../sql/json-columns.js";
import type { Database } from "./database.js";
import { InDoubt } from "./in-doubt.js";
import { Notifications, type Line } from "./notifications.js";
import { WorkInHand } from "./work.js";
import { openDatabase, type Opened, type OpenOptions, type Source } from "./open.js";

export interface Settings extends OpenOptions {
  readonly clock: Clock | undefined;
}

/** For whom a hint is, where that is known. */
export type Told = Hint & { readonly owner?: number };

/** On which terms a batch is written. */
export interface Terms {
  /** Null: time is the server's. */
  readonly now: number | null;
  readonly format: RowFormat;
  readonly doubts: InDoubt;
  readonly work: WorkInHand;
}

/** What the parts of one PostgreSQL store share: its connections, once it is open, its time, and who hears of what is due. */
export class Server {
  readonly hints = new Hints();
  readonly moves = new Moves();
  readonly doubts = new InDoubt();
  readonly work = new WorkInHand();
  /** Launchers of this process. */
  readonly owners = new Set<number>();
  /** Until it is known that no process of an older version is at work, rows are written as that one reads them. */
  format: RowFormat = "full";
  readonly #source: Source;
  readonly #settings: Settings;
  #life: "closed" | "opening" | "open" = "closed";
  #opened: Opened | undefined;
  #notifications: Notifications | undefined;

  constructor(source: Source, settings: Settings) {
    this.#source = source;
    this.#settings = settings;
  }

  get isOpen(): boolean {
    return this.#life === "open";
  }

  async open(): Promise<void> {
    if (this.#life !== "closed") {
      throw new StepwellError("STEPWELL_INVALID_ARGUMENT", "The PostgreSQL store is open already.");
    }
    this.#life = "opening";
    try {
      this.#opened = await openDatabase(this.#source, this.#settings);
      this.format = this.#opened.format;
      this.#life = "open";
    } catch (error) {
      this.#life = "closed";
      throw error;
    }
    if (!this.#settings.notifications) return;
    this.#notifications = new Notifications(this.#settings.schema, this.#line, {
      due: (hints) => this.hints.tell(hints),
      moved: (ids) => this.moves.tell(ids),
      wanted: () => this.moves.wanted,
    });
    await this.#notifications.open();
  }

  async close(): Promise<void> {
    if (this.#life !== "open") return;
    this.#life = "closed";
    const opened = this.#opened;
    this.#opened = undefined;
    this.#notifications?.close();
    this.#notifications = undefined;
    await opened?.close();
  }

  /** @throws STEPWELL_STORE_CLOSED */
  get database(): Database {
    if (this.#life === "open") return this.#opened!.database;
    throw new StepwellError(
      "STEPWELL_STORE_CLOSED",
      "The PostgreSQL store is not open. Call open(), or start a launcher on it.",
    );
  }

  /** Null: time is the server's. */
  get now(): number | null {
    return this.#settings.clock?.now() ?? null;
  }

  get terms(): Terms {
    return { now: this.now, format: this.format, doubts: this.doubts, work: this.work };
  }

  async ask<Result>(work: (database: Database, now: number | null) => Promise<Result>): Promise<Result> {
    return work(this.database, this.now);
  }

  /** Here at once. Elsewhere only what is wanted now: for a later time each process sees to it by itself. */
  tell(told: readonly Told[]): void {
    if (told.length === 0) return;
    const abroad: Hint[] = [];
    const hints = told.map(({ owner, ...hint }): Hint => {
      const isElsewhere = hint.type === "due" ? hint.inMs === 0 : owner === undefined || !this.owners.has(owner);
      if (isElsewhere) abroad.push(hint);
      return hint;
    });
    this.hints.tell(hints);
    this.#notifications?.send(abroad);
  }

  follow(wanted: Wanted, listener: (moved: readonly string[]) => void): () => void {
    const unfollow = this.moves.follow(wanted, listener);
    this.#notifications?.announce();
    return unfollow;
  }

  /** Whether anybody wants to know what is committed here. */
  get isFollowed(): boolean {
    return this.moves.isWatched || this.#notifications?.isFollowed === true;
  }

  /** To be called after the commit, while `isFollowed`. */
  moved(ids: readonly string[]): void {
    if (this.moves.isWatched) this.moves.tell(ids);
    this.#notifications?.moved(ids);
  }

  readonly #line = async (): Promise<Line> => {
    const { driver, database } = this.#opened!;
    if (typeof this.#source !== "string" || driver === undefined) {
      const client = await database.checkOut();
      return Object.assign(client, { close: () => client.release(true) });
    }
    const client = await driver.client();
    return Object.assign(client, { close: () => void client.end().catch(() => undefined) });
  };
}
