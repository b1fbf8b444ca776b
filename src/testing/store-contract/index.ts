import { advancing } from "./advancing.js";
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
import { lists } from "./lists.js";
import { listing } from "./listing.js";
import { releasing } from "./releasing.js";
import { mailboxes } from "./mailboxes.js";
import { pruning } from "./pruning.js";
import { schedules } from "./schedules.js";
import { topics } from "./topics.js";
import { transacting } from "./transacting.js";
import { trees } from "./trees.js";
import { values } from "./values.js";

export type { Capability, MakeStore, StoreContractCase } from "./bench.js";

/**
 * What a store must do, as plain cases for any test runner. Each makes a store of its own, on a clock of its own. A case that needs
 * a capability which the store does not have says so by `skip`.
 *
 * @example
 * const store = myStore(…); // never opened: only asked what it has
 * for (const it of storeContract)
 *   test(it.name, { skip: it.skip(store) }, () => it.run((clock) => myStore({ clock })));
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
  ...lists,
  ...advancing,
  ...pruning,
  ...trees,
  ...schedules,
  ...topics,
  ...transacting,
  ...values,
];
