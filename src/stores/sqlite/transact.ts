import { StepwellError } from "../../errors.js";
import type { CommitResult } from "../batch.js";
import type { Transition } from "../../execution/records.js";
import type { Hint, TransactionStore } from "../contract.js";
import { connectionOf, inTransaction } from "./callers.js";
import { Database } from "./database.js";
import type { Connection } from "./driver.js";
import { readMail } from "./mail.js";
import { load } from "./read.js";
import type { SqliteFile } from "./shared.js";
import { commitAll, writeWithin } from "./write.js";

export function transactions(file: SqliteFile): TransactionStore {
  return {
    run(work) {
      const moved: string[] = [];
      const answer = file.telling((database, at, hints) => transact(database, work as Work, at, { hints, moved }));
      if (file.moves.isWatched) file.moves.tell(moved);
      return answer;
    },
    /** Nobody tells when the caller commits: what becomes due is found by polling. */
    within(connection) {
      const database = new Database(file.path, connectionOf(connection, file.path));
      return {
        load: (ids, only) => load(database, ids, only),
        mail: (filter) => readMail(database, filter),
        // Whoever has waited meanwhile may have committed.
        write: (batch) => writeWithin(inTransaction(database), batch, file.clock.now()),
      };
    },
    waitsForNothing: (connection) => file.isOpen && file.database.connection === connection,
  };
}

type Work = (connection: Connection) => Transition | null;

/** Takes everything back; what it carries is the answer all the same. */
class RolledBack extends Error {
  readonly answer: CommitResult | null;

  constructor(answer: CommitResult | null) {
    super("rolled back");
    this.answer = answer;
  }
}

interface ToTell {
  readonly hints: Hint[];
  /** Executions. */
  readonly moved: string[];
}

/** The user's work and the transition that it leads to, in one transaction. */
function transact(database: Database, work: Work, at: number, { hints, moved }: ToTell): CommitResult | null {
  // What the work throws is the user's, not an error of the store.
  let thrown: { readonly error: unknown } | undefined;
  try {
    return database.transaction(() => {
      let transition: Transition | null;
      try {
        transition = synchronous(work(database.connection));
      } catch (error) {
        thrown = { error };
        throw error;
      }
      const answer = transition === null ? null : commitAll(database, [transition], at, hints)[0]!;
      if (answer !== "taken") throw new RolledBack(answer);
      moved.push(transition!.id);
      return answer;
    });
  } catch (error) {
    if (thrown !== undefined) throw thrown.error;
    const { cause } = error as StepwellError;
    if (cause instanceof RolledBack) return cause.answer;
    throw error;
  }
}

function synchronous(given: Transition | null): Transition | null {
  if (!(given instanceof Promise)) return given;
  // Nobody waits for it: the transaction is over when this returns.
  given.catch(() => undefined);
  throw new StepwellError(
    "STEPWELL_INVALID_RETURN_VALUE",
    "The work of a transaction on SQLite must be synchronous, but it gave back a promise. Do what takes time before it.",
  );
}
