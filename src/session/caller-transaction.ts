/** Launches, messages and publications that are stored in a transaction of the caller's own. */
import { StepwellError } from "../errors.js";
import { needed } from "./capabilities.js";
import type { Store, StoreWithin, MaybePromise } from "../stores/contract.js";

/** @throws STEPWELL_CAPABILITY_MISSING where the store has no transactions that a caller could have; STEPWELL_INVALID_ARGUMENT */
export function callerTransaction(store: Store, tx: unknown, where: string): StoreWithin {
  const transactions = needed(store, "transactions", `${where} with "tx"`);
  if (typeof tx === "object" && tx !== null) return transactions.within(tx);
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: "tx" must be a connection of the store's database that is in a transaction; the ${store.name} store ` +
      `can't use what was given.`,
  );
}

async function promised<Answer>(ask: () => MaybePromise<Answer>): Promise<Answer> {
  return ask();
}

/**
 * Does what a call asks for. The work of a transaction on SQLite waits for nothing: within its `tx` a call is done when it returns,
 * and a refusal is thrown at once. A promise that rejects later would be too late: the work would be committed without the call.
 */
export function asked<Answer>(
  store: Pick<Store, "transactions">,
  options: { readonly tx?: unknown } | null,
  where: string,
  ask: () => MaybePromise<Answer>,
): Promise<Answer> {
  const tx = options?.tx;
  if (tx === undefined || store.transactions?.waitsForNothing?.(tx) !== true) return promised(ask);
  const given = ask();
  if (!(given instanceof Promise)) return Promise.resolve(given);
  // The call is refused when it tries to write.
  given.catch(() => undefined);
  throw new StepwellError(
    "STEPWELL_NOT_IN_TRANSACTION",
    `${where}: the work of a transaction on SQLite waits for nothing, and this can't be done at once: a schema answers later, or a ` +
      `client has asked nothing before. Nothing was changed by it. Do it in another step, or with a schema that answers at once.`,
  );
}
