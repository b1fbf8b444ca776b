import type { PooledClient, PostgresClient, PostgresPool, Types } from "./driver.js";
import { connectionError, isInDoubt, storeError } from "./failure.js";

/** A statement with a name of its own. Its tables are written as in the SQLite store; the schema is put before them. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface Settings {
  readonly schema: string;
  /** For messages. */
  readonly place: string;
  /** Whether a connection is Stepwell's own from one transaction to the next: then it is set up, and statements are prepared. */
  readonly ownSessions: boolean;
  /** The connections are in a transaction of the caller's, which is neither begun nor ended here. Default: no. */
  readonly joins?: boolean;
}

/**
 * For connections of our own. Every statement of this store finds its rows by an index, and a batch has
 * no statistics: so the plan is made once, for good, and is always the one that walks the batch and
 * looks up each row. Left alone, PostgreSQL makes one while the tables are empty, which reads all of a
 * table, and keeps it while they grow.
 */
const session = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  // A plan that is made once would be compiled each time, since what is "off" looks costly.
  jit: "off",
  // Who waits for a row that somebody else keeps locked gives up, so that what goes with it is tried without it.
  lock_timeout: "2s",
  // Less than the driver waits for an answer.
  statement_timeout: "30s",
  // A process that is paused in a transaction must not keep its rows from those who go on: no longer than it is taken for alive.
  idle_in_transaction_session_timeout: "10s",
} as const;

export async function prepareSession(client: PostgresClient): Promise<void> {
  client.on("error", ignored);
  const settings = Object.entries(session).map(([name, value]) => `set_config('${name}', '${value}', false)`);
  await client.query({ text: `SELECT ${settings.join(", ")}` });
}

/** Tables, the sequence, and an index that goes: what is named in statements with its schema. */
const relations =
  /\bstepwell_(?:executions|sequence|history|mailbox|tags|launchers|work|signalled|schedules|migrations|subscriptions|publications|gates|queue|places|starts|definitions|burials|lists|lines|marks|news|pruning)\b|(?<=DROP INDEX )\w+/g;

export function qualified(text: string, schema: string): string {
  return text.replace(relations, `"${schema}".$&`);
}

/** The connections of one store: what the driver throws becomes an error of ours. */
export class Database {
  readonly schema: string;
  readonly place: string;
  readonly #ownSessions: boolean;
  readonly joins: boolean;
  readonly #pool: PostgresPool;
  readonly #queries = new Map<Statement, { readonly text: string; readonly name?: string }>();
  /** Connections that somebody listens to, so that none that breaks ends the process; and what they broke with. */
  readonly #guarded = new WeakMap<PooledClient, { error: unknown }>();

  constructor(pool: PostgresPool, { schema, place, ownSessions, joins = false }: Settings) {
    this.schema = schema;
    this.place = place;
    this.#pool = pool;
    this.#ownSessions = ownSessions;
    this.joins = joins;
  }

  /** The rows of one statement, in a transaction of its own. */
  rows<Row>(statement: Statement, values: unknown[] = []): Promise<Row[]> {
    return this.connected((client) => this.#send<Row>(client, statement, values));
  }

  /** The rows of a query whose text is one of many. */
  async unprepared<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    return this.connected(async (client) => {
      const { rows } = await client.query({ text: qualified(text, this.schema), values, types });
      return rows as Row[];
    });
  }

  /** All of it or nothing. */
  async transaction<Result>(
    work: (transaction: Transaction, client: PooledClient) => Promise<Result>,
  ): Promise<Result> {
    return this.connected(async (client) => {
      const transaction = this.begin(client);
      try {
        const result = await work(transaction, client);
        await transaction.commit();
        return result;
      } catch (error) {
        await transaction.rollback();
        throw error;
      }
    });
  }

  /**
   * For who sees to its end, and to the connection.
   *
   * @param isUsers its locks are waited for as the user has set it, and not as the store's own
   */
  begin(client: PooledClient, isUsers = false): Transaction {
    const send = <Row>(statement: Statement, values: unknown[]): Promise<Row[]> =>
      this.#send<Row>(client, statement, values);
    const text = isUsers && this.#ownSessions ? "BEGIN; SET LOCAL lock_timeout TO DEFAULT" : "BEGIN";
    return new Transaction(client, send, this.joins ? undefined : text);
  }

  /** A connection for as long as the work takes; one that failed is not used again. */
  async connected<Result>(work: (client: PooledClient) => Promise<Result>): Promise<Result> {
    const client = await this.checkOut();
    let destroy = false;
    try {
      return await work(client);
    } catch (error) {
      const told = storeError(error, this.place);
      destroy = isInDoubt(told) || told.code === "STEPWELL_STORE_UNREACHABLE";
      throw told;
    } finally {
      client.release(destroy);
    }
  }

  /** For who keeps it, and releases it. */
  async checkOut(): Promise<PooledClient> {
    try {
      const client = await this.#pool.connect();
      if (!this.#guarded.has(client)) {
        const loss = { error: undefined as unknown };
        this.#guarded.set(client, loss);
        client.on("error", (error: unknown) => (loss.error ??= error));
      }
      return client;
    } catch (error) {
      throw connectionError(error, this.place);
    }
  }

  /** What a connection that was checked out broke with, as far as it has said so. */
  lossOf(client: PooledClient): unknown {
    return this.#guarded.get(client)?.error;
  }

  async #send<Row>(client: PostgresClient, statement: Statement, values: unknown[]): Promise<Row[]> {
    let query = this.#queries.get(statement);
    if (query === undefined) {
      const text = qualified(statement.text, this.schema);
      // Unprepared, it is planned each time, for the tables as they are: slower, and never wrong.
      query = this.#ownSessions ? { text, name: `stepwell_${statement.name}` } : { text };
      this.#queries.set(statement, query);
    }
    const { text, name } = query;
    const { rows } = await client.query(name === undefined ? { text, values, types } : { text, name, values, types });
    return rows as Row[];
  }
}

/** Statements are sent as they come, without waiting for the answer to the one before where the driver can do that. */
export class Transaction {
  readonly #client: PooledClient;
  readonly #send: <Row>(statement: Statement, values: unknown[]) => Promise<Row[]>;
  readonly #pipelines: boolean;
  readonly #joins: boolean;
  /** It has begun; rejects where that failed. */
  readonly begun: Promise<unknown>;
  #last: Promise<unknown>;
  #committed: Promise<void> | undefined;

  /** @param begin what begins it; undefined: it is part of one that somebody else has begun */
  constructor(
    client: PooledClient,
    send: <Row>(statement: Statement, values: unknown[]) => Promise<Row[]>,
    begin: string | undefined,
  ) {
    this.#client = client;
    this.#send = send;
    this.#pipelines = (client as { readonly pipeline?: boolean }).pipeline === true;
    this.#joins = begin === undefined;
    this.begun = begin === undefined ? Promise.resolve() : client.query({ text: begin });
    this.begun.catch(ignored);
    this.#last = this.begun;
  }

  rows<Row>(statement: Statement, values: unknown[]): Promise<Row[]> {
    return this.#next(() => this.#send<Row>(statement, values));
  }

  /** Text of several statements; none has values. */
  async script(text: string): Promise<void> {
    await this.#next(() => this.#client.query({ text, query_timeout: 2 ** 31 - 1 }));
  }

  /** May be called while answers are still awaited. A second call is the same commit. */
  commit(): Promise<void> {
    this.#committed ??= this.#next(async () => {
      if (!this.#joins) await this.#client.query({ text: "COMMIT" });
    });
    return this.#committed;
  }

  /**
   * After an error, or where nothing of it is to stay: a commit after it does nothing, as it does nothing after a commit. False: its
   * connection is gone, and it with that.
   */
  async rollback(): Promise<boolean> {
    this.#committed ??= Promise.resolve();
    await this.#last.catch(ignored);
    if (this.#joins) return true;
    return this.#client.query({ text: "ROLLBACK" }).then(
      () => true,
      () => false,
    );
  }

  #next<Result>(send: () => Promise<Result>): Promise<Result> {
    const sent = this.#pipelines ? send() : this.#last.then(send);
    this.#last = sent;
    // Who awaits several answers hears of the first that failed.
    sent.catch(ignored);
    return sent;
  }
}

function ignored(): void {}

/** Whatever the user's program has changed in the driver's own. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === "t",
  20: Number,
  21: Number,
  23: Number,
  114: (text) => JSON.parse(text) as unknown,
  701: Number,
};

const asText = (text: string): string => text;

const types: Types = { getTypeParser: (type) => parsers[type] ?? asText };
