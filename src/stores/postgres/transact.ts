/** The user's work and the transition that it leads to, in one transaction; and the store within a transaction of the user's. */
import type { CommitResult, Transition } from "../batch.js";
import type { Hint, MaybePromise } from "../store.js";
import { Database } from "./database.js";
import type { Doubts } from "./doubts.js";
import type { PooledClient, PostgresClient } from "./driver.js";
import { kindOf, storeError } from "./failure.js";
import { Committing } from "./transitions.js";

export interface Transacted {
  readonly answer: CommitResult | null;
  readonly hints: readonly Hint[];
}

/** Takes everything back; what it carries is the answer all the same. */
class RolledBack extends Error {
  readonly answer: CommitResult | null;

  constructor(answer: CommitResult | null) {
    super("rolled back");
    this.answer = answer;
  }
}

export async function transact(
  database: Database,
  work: (connection: unknown) => MaybePromise<Transition | null>,
  doubts: Doubts,
  now: number | null,
): Promise<Transacted> {
  // What the work throws is the user's, not an error of the store.
  let thrown: { readonly error: unknown } | undefined;
  try {
    return await database.transaction(async (transaction, client) => {
      let transition: Transition | null;
      try {
        transition = await work(client);
      } catch (error) {
        thrown = { error };
        throw error;
      }
      if (transition === null) throw new RolledBack(null);
      const committing = new Committing([0], [transition], doubts, now);
      await committing.run(transaction);
      await committing.explain(transaction);
      const [answer] = committing.answers;
      if (answer !== "taken") throw new RolledBack(answer!);
      return { answer, hints: committing.hints };
    });
  } catch (error) {
    // A connection that broke under the work is the store's affair: nothing of it was committed.
    if (thrown !== undefined)
      throw kindOf(thrown.error) === "unreachable" ? storeError(thrown.error, database.place) : thrown.error;
    const { cause } = error as Error;
    if (cause instanceof RolledBack) return { answer: cause.answer, hints: [] };
    throw error;
  }
}

/** The store on one connection that is somebody else's: nothing of it is kept, begun or ended here. */
export function databaseOn(database: Database, connection: PostgresClient): Database {
  const borrowed: PooledClient = {
    query: (query) => connection.query(query),
    on: () => undefined,
    release: () => undefined,
  };
  const pool = { connect: () => Promise.resolve(borrowed), on: () => undefined };
  return new Database(pool, { schema: database.schema, place: database.place, ownSessions: false, joins: true });
}
