export { EffectsLedger, type LedgerEntry } from "./effects-ledger.js";
export { VirtualClock, type VirtualClockOptions } from "./virtual-clock.js";
