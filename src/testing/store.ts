/** For who writes a store: what it must do, the rows that it is given, and the suite that says whether it does. */
export { Encoded, type EncodedParts } from "../values/encode.js";
export { bitsKept, requestKinds, untilBits } from "../execution/records.js";
export { newRecord } from "../stores/batch.js";
export { cursorOf, placeOf, type ListPlace } from "../stores/cursor.js";
export {
  countDeadMail,
  countOf,
  countPending,
  deadMail,
  inTurn,
  isDeadLetter,
  listPage,
  mailOf,
  prune,
  type HeldExecution,
} from "../stores/held.js";
export { Hints } from "../stores/hints.js";
export { storeContract, type Capability, type MakeStore, type StoreContractCase } from "./store-contract/index.js";
export type { Doubt } from "../execution/doubt.js";
export type { Clock, Look } from "../clock.js";
export type * from "../execution/records.js";
export type { TurnRequest, Failing, Position, Round } from "../execution/position.js";
export type * from "../stores/batch.js";
export type * from "../stores/contract.js";
export type * from "../stores/lists.js";
export type * from "../stores/records.js";
