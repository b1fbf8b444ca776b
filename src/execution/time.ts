/** The store's time, in milliseconds since 1970. Asked for only where it matters: most transitions need none. */
export interface StoreTime {
  /** The earliest that the time may be: for times that are compared and shown. */
  storeNow(): number;
  /** The latest that the time may be: for times that are set, so that nothing is early. */
  storeNowAtMost(): number;
}
