/**
 * A database that fails over stands on several hosts, of which one takes writes. `pg` knows one host only: so each new connection goes to
 * where the last one was good, and to the next host after one that was not.
 */
import { eachHost, escaped, wantsPrimary } from "./address.js";
import type { PostgresClient } from "./driver.js";

/** A connection, and to which of the hosts. */
export interface HostClient extends PostgresClient {
  readonly numberOfHost: number;
  cut(): void;
}

export class Hosts {
  readonly #urls: readonly string[];
  readonly #wantsPrimary: boolean;
  #at = 0;
  /** What is connected, or about to be. */
  readonly #open = new Set<HostClient>();
  /** What a host has refused a connection by, or has not answered. */
  readonly #refusals = new WeakSet<object>();

  constructor(url: string) {
    this.#urls = eachHost(url).map(escaped);
    this.#wantsPrimary = wantsPrimary(url);
  }

  get count(): number {
    return this.#urls.length;
  }

  /** Which of them is the next one to connect to. */
  get at(): number {
    return this.#at;
  }

  get url(): string {
    return this.#urls[this.#at]!;
  }

  /**
   * Cuts the connections to all other hosts: this one leads now, so they are of no use any more. A machine that is gone does not close
   * its connections, and a query on one of them would be waited for until the driver gives up.
   */
  #cutAllBut(host: number): void {
    for (const client of this.#open) if (client.numberOfHost !== host) client.cut();
  }

  /** Many connections find out at the same time: only the first of them moves on. */
  leave(host: number, error: object): void {
    this.#refusals.add(error);
    if (this.#at === host) this.#at = (this.#at + 1) % this.count;
  }

  /** Tries each host at most once. */
  async connect<Client>(connect: () => Promise<Client>): Promise<Client> {
    for (let left = this.count; ; left--) {
      try {
        return await connect();
      } catch (error) {
        // Whoever has only waited for a connection that others keep has asked no host, and has no time left for another one.
        if (left === 1 || !this.#refusals.has(error as object)) throw error;
      }
    }
  }

  opened(client: HostClient): void {
    this.#open.add(client);
  }

  closed(client: HostClient): void {
    this.#open.delete(client);
  }

  /** To be asked of each new connection. */
  async check(client: HostClient): Promise<void> {
    if (!this.#wantsPrimary) return;
    if (!(await this.#isReadOnly(client))) return this.#cutAllBut(client.numberOfHost);
    const refusal = Object.assign(new Error("this server takes no writes: it is a standby"), { code: readOnlyCode });
    this.leave(client.numberOfHost, refusal);
    throw refusal;
  }

  async #isReadOnly(client: HostClient): Promise<boolean> {
    try {
      const { rows } = await client.query({ text: "SHOW transaction_read_only", query_timeout: checkPatience });
      return (rows as [{ readonly transaction_read_only: string }])[0].transaction_read_only === "on";
    } catch (error) {
      // It has not answered; perhaps it was cut, since another connection has found out meanwhile which host leads.
      this.leave(client.numberOfHost, error as object);
      throw error;
    }
  }
}

/** How long a server may take to say what it is, in milliseconds. */
const checkPatience = 5_000;

/** PostgreSQL's own for a write that is sent to a standby. */
const readOnlyCode = "25006";
