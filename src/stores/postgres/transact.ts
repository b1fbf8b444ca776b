/** The user's work and the transition that it leads to, in one transaction; and the store within a transaction of the user's. */
import { StepwellError } from "../../errors.js";
import type { CommitResult } from "../batch.js";
import type { Transition } from "../../execution/records.js";
import type { Hint, MaybePromise, TransactionStore } from "../contract.js";
import { clientOf, mustBeInTransaction } from "./callers.js";
import { Database, type Transaction } from "./database.js";
import type { PooledClient, PostgresClient } from "./driver.js";
import { connectionError, isInDoubt, sqlState, storeError } from "./failure.js";
import { readMail } from "./mail.js";
import { load } from "./read.js";
import { Semaphore } from "./semaphore.js";
import type { Server, Terms } from "./shared.js";
import { committing } from "./transitions.js";
import { write } from "./write.js";

/** @param mostOpen how many steps may have a transaction open at the same time */
export function transactions(server: Server, mostOpen: number): TransactionStore {
  const line = new Semaphore(mostOpen);
  return {
    async run(work) {
      const { answer, hints, moved } = await line.run(() => transact(server.database, work, server.terms));
      server.tell(hints);
      if (server.isFollowed) server.moved(moved);
      return answer;
    },
    /** When the caller commits, nobody here hears of it: what becomes due is found by polling. */
    within(connection) {
      const database = databaseOn(server.database, clientOf(connection as object));
      let checked: Promise<void> | undefined;
      const inside = async <Result>(work: () => Promise<Result>): Promise<Result> => {
        await (checked ??= mustBeInTransaction(database));
        return work();
      };
      return {
        load: (ids, only) => inside(() => load(database, ids, only)),
        mail: (filter) => inside(() => readMail(database, filter)),
        write: (batch) =>
          inside(() => {
            const tickets = batch.creates.map(() => server.doubts.newTicket());
            return write(database, batch, tickets, server.terms);
          }),
      };
    },
  };
}

interface Transacted {
  readonly answer: CommitResult | null;
  readonly hints: readonly Hint[];
  readonly moved: readonly string[];
}

const nothing: Transacted = { answer: null, hints: [], moved: [] };

type Work = (connection: unknown) => MaybePromise<Transition | null>;

async function transact(database: Database, work: Work, terms: Terms): Promise<Transacted> {
  const client = await database.checkOut();
  let isUsable = false;
  try {
    const transaction = database.begin(client, true);
    await begun(transaction, database);
    let transition: Transition | null;
    try {
      transition = await work(client);
    } catch (error) {
      isUsable = await transaction.rollback();
      // What the work throws is the user's, whatever it looks like: only the connection says that the store is away.
      throw isUsable ? error : lossOf(client, database, error);
    }
    let transacted = nothing;
    if (transition !== null) {
      try {
        transacted = await commit(transaction, transition, terms);
      } catch (error) {
        const told = storeError(error, database.place);
        isUsable = (await transaction.rollback()) && !isInDoubt(told);
        throw (isUsable ? undefined : timeoutOf(client, database, error)) ?? told;
      }
    }
    isUsable = transacted.answer === "taken" || (await transaction.rollback());
    return transacted;
  } finally {
    client.release(!isUsable);
  }
}

/** Waited for, so that no work writes outside of a transaction, and none is begun on a connection that is gone. */
async function begun(transaction: Transaction, { place }: Database): Promise<void> {
  try {
    await transaction.begun;
  } catch (error) {
    throw connectionError(error, place);
  }
}

async function commit(transaction: Transaction, transition: Transition, terms: Terms): Promise<Transacted> {
  const committed = committing([0], [transition], terms);
  await committed.run(transaction);
  await committed.explain(transaction);
  const answer = committed.answers[0]!;
  if (answer !== "taken") return { ...nothing, answer };
  await transaction.commit();
  return { answer, hints: committed.hints, moved: [transition.id] };
}

/** Why the connection is gone under the work: then nothing was committed. */
function lossOf(client: PooledClient, database: Database, error: unknown): StepwellError {
  const lost = new Error("it broke while the work of a step had a transaction on it", { cause: error });
  return timeoutOf(client, database, error) ?? connectionError(lost, database.place);
}

/** The server ends a transaction that waits, or lasts, for longer than it allows. */
const endedByServer = new Set(["25P03", "25P04"]);

/** That is no outage, and would happen again and again: the attempt has failed. */
function timeoutOf(client: PooledClient, database: Database, error: unknown): StepwellError | undefined {
  const cause = [database.lossOf(client), error].find((it) => endedByServer.has(sqlState(it) ?? ""));
  if (cause === undefined) return undefined;
  return new StepwellError(
    "STEPWELL_TRANSACTION_TIMEOUT",
    `PostgreSQL ended the transaction of a step: ${(cause as Error).message}. Nothing of it was committed. ` +
      `The work of a transaction must not wait for other things than the database: do what takes time in a step before it.`,
    { cause },
  );
}

/** The store on one connection that is somebody else's: nothing of it is kept, begun or ended here. */
function databaseOn(database: Database, connection: Pick<PostgresClient, "query">): Database {
  const borrowed: PooledClient = {
    query: (query) => connection.query(query),
    on: () => undefined,
    release: () => undefined,
  };
  const pool = { connect: () => Promise.resolve(borrowed), on: () => undefined };
  return new Database(pool, { schema: database.schema, place: database.place, ownSessions: false, joins: true });
}
