/** Launches, messages and publications that are stored in a transaction of the caller's own. */
import { StepwellError } from "../errors.js";
import type { Store, Within } from "../stores/store.js";

/** @throws STEPWELL_INVALID_ARGUMENT where the store has no transactions that a caller could have */
export function callerTransaction(store: Store, tx: unknown, where: string): Within {
  if (typeof tx === "object" && tx !== null && store.within !== undefined) return store.within(tx);
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: "tx" must be a connection of the store's database that is in a transaction; the ${store.name} store ` +
      `${store.within === undefined ? "has none" : "can't use what was given"}.`,
  );
}
