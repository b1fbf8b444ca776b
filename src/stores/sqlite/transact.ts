import { StepwellError } from "../../errors.js";
import type { CommitResult } from "../batch.js";
import type { Transition } from "../../execution/records.js";
import type { Hint } from "../contract.js";
import type { Database } from "./database.js";
import type { Connection } from "./driver.js";
import { commit } from "./write.js";

/** Takes everything back; what it carries is the answer all the same. */
class RolledBack extends Error {
  readonly answer: CommitResult | null;

  constructor(answer: CommitResult | null) {
    super("rolled back");
    this.answer = answer;
  }
}

/** The user's work and the transition that it leads to, in one transaction. */
export function transact(
  database: Database,
  work: (connection: Connection) => Transition | null,
  at: number,
  hints: Hint[],
): CommitResult | null {
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
      const answer = transition === null ? null : commit(database, transition, at, hints);
      if (answer !== "taken") throw new RolledBack(answer);
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
