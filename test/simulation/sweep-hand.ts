/** The connections of one process to PostgreSQL, held in the hand: each query has a number, and what becomes of its answer is decided here. */
import type pg from "pg";
import type { PooledClient, PostgresPool } from "../../src/stores/postgres/driver.js";
import { never } from "../../src/testing/faults/never.js";
import { VirtualClock } from "../../src/testing/virtual-clock.js";

/**
 * What happens to a query.
 *
 * - `cut before`: the connection breaks, and it never arrives
 * - `answer lost`: it is done, and the connection breaks before the answer comes
 * - `sent late`, `answer late`: the process hears nothing of the server, on all its connections, until others have taken over. Then
 *   the query arrives; or it was done at once, and its answer comes
 * - `answers swapped`: its answer comes after that of a later query on another connection
 */
export const linkFaults = ["cut before", "answer lost", "sent late", "answer late", "answers swapped"] as const;
export type LinkFault = (typeof linkFaults)[number];

/** A fault at the query of that number, from 0, of all queries that all processes make. */
export interface PlannedLink {
  readonly at: number;
  readonly fault: LinkFault;
}

/** A virtual clock that stands still while a query is under way, and not while an answer is held back. */
export class WaitingClock extends VirtualClock {
  #underWay = 0;
  #asked = 0;
  #arrived: (() => void)[] = [];

  /** At rest is what has asked nothing for as long as others take to settle. */
  override async settle(): Promise<void> {
    let before: number;
    do {
      while (this.#underWay > 0) await new Promise<void>((resolve) => void this.#arrived.push(resolve));
      before = this.#asked;
      await super.settle();
    } while (this.#asked !== before);
  }

  async during<Answer>(answer: Promise<Answer>): Promise<Answer> {
    this.#underWay++;
    this.#asked++;
    try {
      return await answer;
    } finally {
      this.#underWay--;
      for (const arrived of this.#arrived.splice(0)) arrived();
    }
  }
}

/** Numbers the queries of all processes. */
export class Hand {
  /** The text of each, as far as it tells them apart. */
  readonly made: string[] = [];
  readonly sprung: { readonly name: string; readonly fault: LinkFault }[] = [];
  readonly #planned: Map<number, LinkFault>;
  readonly #happened: () => void;

  constructor(planned: readonly PlannedLink[], happened: () => void) {
    this.#planned = new Map(planned.map(({ at, fault }) => [at, fault]));
    this.#happened = happened;
  }

  next(name: string): LinkFault | undefined {
    const fault = this.#planned.get(this.made.length);
    this.made.push(name);
    if (fault === undefined) return undefined;
    this.sprung.push({ name, fault });
    this.#happened();
    return fault;
  }
}

/** How long after its burial a process hears of the server again, and when it does where nobody buries it, in milliseconds. */
const soon = 150;
const unburied = 8_000;

/** So long an answer waits for a later one. */
const longestSwap = 200;

const broken = (): Error => new Error("Connection terminated unexpectedly");

type Raw = pg.PoolClient & { readonly connection?: { readonly stream: { destroy(): void } } };

export class Link implements PostgresPool {
  readonly options = { max: 3 };
  readonly #pool: pg.Pool;
  readonly #hand: Hand;
  readonly #clock: WaitingClock;
  readonly #wrapped = new Map<Raw, PooledClient>();
  #isGone = false;
  /** While nothing is heard. */
  #silence: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  /** Who waits for an answer on another connection. */
  readonly #swapping = new Set<{ readonly client: Raw; readonly go: () => void }>();

  constructor(pool: pg.Pool, hand: Hand, clock: WaitingClock) {
    this.#pool = pool;
    this.#hand = hand;
    this.#clock = clock;
    pool.on("error", () => undefined);
  }

  on(): void {}

  async connect(): Promise<PooledClient> {
    await this.#audible();
    const client: Raw = await this.#clock.during(this.#pool.connect());
    let wrapped = this.#wrapped.get(client);
    if (wrapped === undefined) this.#wrapped.set(client, (wrapped = this.#wrap(client)));
    return wrapped;
  }

  /** Others have taken it for dead. */
  wasBuried(): void {
    if (this.#silence !== undefined) this.#clock.after(soon, this.#silence.end);
  }

  /** Its process is gone, and its connections with it. */
  die(): void {
    this.#isGone = true;
    for (const client of this.#wrapped.keys()) cut(client);
  }

  close(): void {
    this.die();
    // What is waited for in a process that is gone is never given back.
    this.#pool.end().catch(() => undefined);
  }

  #wrap(client: Raw): PooledClient {
    client.on("error", () => undefined);
    return {
      on: (event: string, listener: () => void) => client.on(event as "error", listener),
      release: (destroy) => client.release(destroy),
      query: (...given: unknown[]) => this.#query(client, given) as never,
    };
  }

  async #query(client: Raw, given: readonly unknown[]): Promise<unknown> {
    await this.#audible();
    const ask = (): Promise<unknown> => {
      const query = client.query.bind(client) as (...given: readonly unknown[]) => Promise<unknown>;
      return this.#clock.during(query(...given));
    };
    const fault = this.#hand.next(nameOf(given[0]));
    switch (fault) {
      case "cut before":
        cut(client);
        throw broken();
      case "answer lost":
        await ask();
        cut(client);
        throw broken();
      case "sent late":
        await this.#fallSilent();
        break;
      case "answer late":
        return this.#later(ask(), this.#fallSilent());
      case "answers swapped":
        return this.#later(ask(), this.#afterAnother(client));
      case undefined:
    }
    return this.#heard(client, await ask());
  }

  async #heard(client: Raw, answer: unknown): Promise<unknown> {
    await this.#audible();
    for (const other of this.#swapping) if (other.client !== client) other.go();
    return answer;
  }

  async #later(answer: Promise<unknown>, until: Promise<void>): Promise<unknown> {
    const [told] = await Promise.allSettled([answer, until]);
    await this.#audible();
    if (told.status === "rejected") throw told.reason;
    return told.value;
  }

  #afterAnother(client: Raw): Promise<void> {
    return new Promise((resolve) => {
      const waiting = { client, go: () => (this.#swapping.delete(waiting), resolve()) };
      this.#swapping.add(waiting);
      this.#clock.after(longestSwap, waiting.go);
    });
  }

  #fallSilent(): Promise<void> {
    if (this.#silence !== undefined) return this.#silence.over;
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      end = () => {
        this.#silence = undefined;
        resolve();
      };
    });
    this.#silence = { over, end };
    this.#clock.after(unburied, end);
    return over;
  }

  async #audible(): Promise<void> {
    while (this.#silence !== undefined) await this.#silence.over;
    if (this.#isGone) await never();
  }
}

function cut(client: Raw): void {
  client.connection?.stream.destroy();
}

/** `BEGIN`, `COMMIT`, or the first table that a statement writes, or else reads. */
function nameOf(query: unknown): string {
  const text = typeof query === "string" ? query : ((query as { readonly text?: string }).text ?? "");
  const written = /\b(INSERT INTO|UPDATE|DELETE FROM)\s+"?\w+"?\."?(stepwell_\w+|entries)/.exec(text);
  if (written !== null) return `${written[1]} ${written[2]}`;
  const read = /\bstepwell_(?!sequence)\w+/.exec(text);
  return read === null ? (/^\w+/.exec(text)?.[0] ?? "") : `SELECT ${read[0]}`;
}
