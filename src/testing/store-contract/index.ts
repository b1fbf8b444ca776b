import { arriving } from "./arriving.js";
import type { StoreContractCase } from "./bench.js";
import { claiming } from "./claiming.js";
import { committing } from "./committing.js";
import { creating } from "./creating.js";
import { deadLetters } from "./dead-letters.js";
import { definitions } from "./definitions.js";
import { gates } from "./gates.js";
import { hints } from "./hints.js";
import { history } from "./history.js";
import { launchers } from "./launchers.js";
import { listing } from "./listing.js";
import { releasing } from "./releasing.js";
import { mailboxes } from "./mailboxes.js";
import { pruning } from "./pruning.js";
import { schedules } from "./schedules.js";
import { topics } from "./topics.js";
import { transacting } from "./transacting.js";
import { values } from "./values.js";

export type { MakeStore, StoreContractCase } from "./bench.js";

/**
 * What every store must do, as plain cases for any test runner. Each makes a store of its own, on a
 * clock of its own.
 *
 * @example
 * for (const { name, run } of storeContract) test(name, () => run((clock) => myStore({ clock })));
 */
export const storeContract: readonly StoreContractCase[] = [
  ...creating,
  ...committing,
  ...releasing,
  ...arriving,
  ...mailboxes,
  ...claiming,
  ...deadLetters,
  ...gates,
  ...launchers,
  ...listing,
  ...history,
  ...definitions,
  ...hints,
  ...pruning,
  ...schedules,
  ...topics,
  ...transacting,
  ...values,
];
