/** A transaction of the caller's, as it is handed over: by a client of `pg` that has one, or by what Drizzle or Kysely make of it. */
import { StepwellError } from "../../errors.js";
import type { Database } from "./database.js";
import type { PostgresClient, PostgresResult, Query } from "./driver.js";
import { sqlState } from "./failure.js";

type Client = Pick<PostgresClient, "query">;

/** Drizzle's, made by the driver node-postgres: it keeps the client in its session. */
interface DrizzleTransaction {
  readonly _: { readonly session: { readonly client: Client } };
}

/** As `CompiledQuery` of Kysely. */
interface CompiledQuery {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly query: object;
  readonly queryId: { readonly queryId: string };
}

/** Kysely's, over its `PostgresDialect`: that gives what stands in `sql` to the client as it is. */
interface KyselyTransaction {
  getExecutor(): {
    provideConnection<Result>(
      use: (connection: { executeQuery(query: CompiledQuery): Promise<PostgresResult> }) => Promise<Result>,
    ): Promise<Result>;
  };
}

/** Whoever logs queries sees a text; `pg` sees how its answer is to be read, whatever the program has changed there. */
class QueryText extends String {
  readonly text: string;
  readonly types: Query["types"];

  constructor({ text, types }: Query) {
    super(text);
    this.text = text;
    this.types = types;
  }
}

/** @throws STEPWELL_NOT_IN_TRANSACTION for what can't have one */
export function clientOf(tx: object): Client {
  const { _: drizzle, getExecutor } = tx as Partial<DrizzleTransaction & KyselyTransaction>;
  if (typeof getExecutor === "function") return kyselys(tx as KyselyTransaction);
  const client = (drizzle?.session?.client ?? tx) as Partial<Client> & { readonly totalCount?: unknown };
  if (typeof client.query !== "function") {
    throw refusal("what was given is no client of pg, and no transaction object of Drizzle or Kysely on one");
  }
  // Each query of a pool may go to another client.
  if (typeof client.totalCount === "number")
    throw refusal("what was given is a pool, and a transaction is on one client");
  return client as Client;
}

/** Past its plugins, which may rename what comes back. */
function kyselys(tx: KyselyTransaction): Client {
  return {
    query: (query) =>
      tx.getExecutor().provideConnection((connection) =>
        connection.executeQuery({
          sql: new QueryText(query) as unknown as string,
          parameters: query.values ?? [],
          query: { kind: "RawNode", sqlFragments: [query.text], parameters: [] },
          queryId: { queryId: "stepwell" },
        }),
      ),
  };
}

/**
 * Asks the server itself, in line with what the caller has sent: it refuses this statement outside of a transaction, and
 * all that it does within is what each read of the table does too.
 *
 * @throws STEPWELL_NOT_IN_TRANSACTION
 */
export async function mustBeInTransaction(database: Database): Promise<void> {
  try {
    await database.unprepared("LOCK TABLE stepwell_executions IN ACCESS SHARE MODE");
  } catch (error) {
    const { cause } = error as StepwellError;
    const state = sqlState(cause);
    if (state === "25P01") throw refusal("its client has not begun a transaction, or it is no single client", cause);
    if (state === "25P02") throw refusal("its transaction has failed, and can only be rolled back", cause);
    throw error;
  }
}

function refusal(problem: string, cause?: unknown): StepwellError {
  return new StepwellError(
    "STEPWELL_NOT_IN_TRANSACTION",
    `"tx" can't be used: ${problem}. Nothing was changed. Give the client of pg between BEGIN and COMMIT, or the "tx" that ` +
      `Drizzle's or Kysely's transaction hands out.`,
    { cause },
  );
}
