/**
 * The binding that Stepwell works with: `pg`, an optional peer. Nothing of it is used but what stands
 * here, so its types are not needed where Stepwell is installed without it.
 */
import { StepwellError } from "../../errors.js";
import { explained } from "./address.js";
import { Hosts, type HostClient } from "./hosts.js";

export interface Query {
  readonly text: string;
  readonly values?: unknown[];
  /** Prepared under this name, once for each connection. */
  readonly name?: string;
  readonly types?: Types;
  readonly query_timeout?: number;
}

export interface Types {
  getTypeParser(type: number): (text: string) => unknown;
}

export interface PostgresResult {
  readonly rows: unknown[];
}

type Listener = (...given: never[]) => void;

/** One connection. */
export interface PostgresClient {
  query(query: Query): Promise<PostgresResult>;
  on(event: "error" | "end" | "notification", listener: Listener): unknown;
}

export interface PooledClient extends PostgresClient {
  /** Back to the pool; with `true` it is closed instead. */
  release(destroy?: boolean): void;
}

/** A pool of `pg`, or what behaves like one. */
export interface PostgresPool {
  readonly options?: { readonly max?: number };
  connect(): Promise<PooledClient>;
  on(event: "error", listener: Listener): unknown;
}

/** One that is Stepwell's own. */
export interface OwnPool extends PostgresPool {
  end(): Promise<void>;
}

export interface SingleClient extends PostgresClient {
  end(): Promise<void>;
}

type Connected = (error: unknown, ...rest: readonly unknown[]) => void;

interface BoundClient extends SingleClient {
  readonly connection: { readonly stream: { destroy(): void } };
  connect(connected: Connected): void;
}

interface Binding {
  readonly Pool: new (config: object) => OwnPool;
  readonly Client: new (config: object) => BoundClient;
}

/** @throws STEPWELL_POSTGRES_MISSING */
export async function loadDriver(url: string, load: () => Promise<unknown> = () => import("pg")): Promise<Driver> {
  let found: unknown;
  try {
    found = await load();
  } catch (cause) {
    throw new StepwellError(
      "STEPWELL_POSTGRES_MISSING",
      "The PostgreSQL store needs the package pg, which is not installed. Run: npm install pg",
      { cause },
    );
  }
  // It is CommonJS: what it exports stands below `default` too, and only there in some bundles.
  const binding = found as { readonly default?: Binding } & Binding;
  return new Driver(binding.default ?? binding, url);
}

/**
 * How long a connection may take, or be waited for, in milliseconds: as long as a caller waits. Who has given up must not keep a place in
 * the queue, or after an outage of which many callers try again, all that is served would be for nobody.
 */
const connectionPatience = 5_000;

/** Longer than the server lets a statement run: who hears nothing for so long will never hear a thing. */
const answerPatience = 40_000;

/** To the hosts of one connection string. */
export class Driver {
  readonly #binding: Binding;
  readonly #hosts: Hosts;
  readonly #Client: new (config: object) => BoundClient & HostClient;

  constructor(binding: Binding, url: string) {
    this.#binding = binding;
    this.#hosts = new Hosts(url);
    this.#Client = clientTo(this.#hosts, binding.Client);
  }

  pool(max: number, onConnect: ((client: PostgresClient) => Promise<unknown>) | undefined): OwnPool {
    const hosts = this.#hosts;
    const pool = new this.#binding.Pool({
      ...settings,
      Client: this.#Client,
      max,
      query_timeout: answerPatience,
      onConnect: async (client: HostClient) => {
        // In line, where the driver can do that.
        await Promise.all([hosts.check(client), onConnect?.(client)]);
      },
    });
    return {
      connect: () => hosts.connect(() => pool.connect()),
      on: pool.on.bind(pool),
      end: () => pool.end(),
    };
  }

  /** A connection that belongs to no pool. */
  client(): Promise<SingleClient> {
    return this.#hosts.connect(async () => {
      const client = this.#made();
      client.on("error", () => undefined);
      try {
        await new Promise<void>((resolve, reject) => {
          client.connect((error) => (error === null || error === undefined ? resolve() : reject(error)));
        });
        await this.#hosts.check(client);
        return client;
      } catch (error) {
        client.end().catch(() => undefined);
        throw error;
      }
    });
  }

  /** What is wrong with a connection string may be told with the string in it, password included. */
  #made(): BoundClient & HostClient {
    try {
      return new this.#Client(settings);
    } catch (error) {
      throw new StepwellError(
        "STEPWELL_INVALID_ARGUMENT",
        `postgresStore: the connection string is not usable: ${explained(error)}. It looks like postgres://user:password@host:5432/database.`,
      );
    }
  }
}

const settings = {
  connectionTimeoutMillis: connectionPatience,
  fallback_application_name: "stepwell",
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
  pipeline: true,
};

/** Each goes to the host that was good last, and tells where it was not. */
function clientTo(hosts: Hosts, Client: Binding["Client"]): new (config: object) => BoundClient & HostClient {
  return class extends Client {
    readonly numberOfHost: number;

    constructor(config: object) {
      super({ ...config, connectionString: hosts.url, connectionTimeoutMillis: connectionPatience / hosts.count });
      this.numberOfHost = hosts.at;
      hosts.opened(this);
      this.on("end", () => hosts.closed(this));
    }

    cut(): void {
      this.connection.stream.destroy();
    }

    override connect(connected: Connected): void {
      super.connect((error, ...rest) => {
        if (typeof error === "object" && error !== null) hosts.leave(this.numberOfHost, error);
        connected(error, ...rest);
      });
    }
  };
}
