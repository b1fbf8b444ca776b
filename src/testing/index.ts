export { EffectsLedger, type LedgerEntry } from "./effects-ledger.js";
export { storeContract, type MakeStore, type StoreContractCase } from "./store-contract/index.js";
export { VirtualClock, type VirtualClockOptions } from "./virtual-clock.js";
