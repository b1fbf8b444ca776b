/** The dead letters of a store, for those who run no launcher. */
import { systemClock } from "../clock.js";
import { missingFunction, refuseUnknownOptions, shown } from "../values/options.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { StepwellError } from "../errors.js";
import type { Store } from "../stores/contract.js";
import { Committer } from "../session/group-commit.js";
import { Letters, type Sender } from "./dead-letters.js";
import { registryOf } from "../session/registry.js";

/** As the methods of a launcher: `deadLetters`, `countDeadLetters`, `countDeadLettersByWorkflow`, `resend`. */
export type DeadLetters = Pick<Letters, "list" | "count" | "countByWorkflow" | "resend">;

export interface DeadLettersOptions {
  /** What is sent again to their executions is checked as `send` checks it. Default: nothing is checked. */
  readonly workflows?: readonly AnyWorkflow[];
}

/**
 * The dead letters of a store, without a launcher: nothing is taken up, no step runs. For tools of operators; whoever
 * drives the execution that gets a letter finds it there.
 *
 * @param store an open one: call its `open` before, and its `close` after
 * @example
 * const store = sqliteStore("orders.db");
 * await store.open();
 * await deadLettersIn(store).resend({ execution: "order-1001", id: "evt-9" }, { to: "order-1002", by: "ada" });
 * await store.close();
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 */
export function deadLettersIn(store: Store, options: DeadLettersOptions = {}): DeadLetters {
  const where = "deadLettersIn";
  if (missingFunction(store, ["write"]) !== undefined) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `${where} takes a store, not ${shown(store)}.`);
  }
  refuseUnknownOptions(options, ["workflows"], where);
  const { workflows } = options;
  const clock = store.clock ?? systemClock;
  const post: Sender = {
    committer: new Committer(store, clock),
    ready: () => undefined,
    report: (error) => console.error(error),
    storeNow: () => clock.now(),
  };
  return new Letters(store, post, workflows === undefined ? new Map() : registryOf(workflows, clock, where));
}
