/**
 * The binding that Stepwell works with: `pg`, an optional peer. Nothing of it is used but what stands
 * here, so its types are not needed where Stepwell is installed without it.
 */
import { StepwellError } from "../../errors.js";
import { escaped, explained } from "./address.js";

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
  connect(): Promise<unknown>;
  end(): Promise<void>;
}

interface Binding {
  readonly Pool: new (config: object) => OwnPool;
  readonly Client: new (config: object) => SingleClient;
}

/** @throws STEPWELL_POSTGRES_MISSING */
export async function loadDriver(load: () => Promise<unknown> = () => import("pg")): Promise<Driver> {
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
  return new Driver(binding.default ?? binding);
}

/** How long a connection may take, or be waited for, in milliseconds. */
const connectionPatience = 10_000;

/** Longer than the server lets a statement run: who hears nothing for so long will never hear a thing. */
const answerPatience = 40_000;

export class Driver {
  readonly #binding: Binding;

  constructor(binding: Binding) {
    this.#binding = binding;
  }

  pool(url: string, max: number, onConnect: ((client: PostgresClient) => Promise<unknown>) | undefined): OwnPool {
    return this.#made(
      () => new this.#binding.Pool({ ...common(url), max, pipeline: true, query_timeout: answerPatience, onConnect }),
    );
  }

  client(url: string): SingleClient {
    return this.#made(() => new this.#binding.Client({ ...common(url), pipeline: true }));
  }

  /** What is wrong with a connection string may be told with the string in it, password included. */
  #made<Made>(make: () => Made): Made {
    try {
      return make();
    } catch (error) {
      throw new StepwellError(
        "STEPWELL_INVALID_ARGUMENT",
        `postgresStore: the connection string is not usable: ${explained(error)}. It looks like postgres://user:password@host:5432/database.`,
      );
    }
  }
}

function common(url: string): object {
  return {
    connectionString: escaped(url),
    connectionTimeoutMillis: connectionPatience,
    fallback_application_name: "stepwell",
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}
