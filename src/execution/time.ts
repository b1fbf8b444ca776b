/** The store's time, in milliseconds since 1970. Asked for only where it matters: most transitions need none. */
export interface StoreTime {
  /** It is not earlier than this: for what is compared and shown. */
  storeNow(): number;
  /** It is not later than this: for what is set, so that it is never early. */
  storeNowAtMost(): number;
}
