/** The JSON of values, as text for people. */

/** A value, printed on the server: bigint, Date, Map and Set as they are. Never to be parsed. */
export interface ShownValue {
  /** The whole text; of a folded value its beginning. */
  readonly text: string;
  /** How long the whole text is, in bytes. */
  readonly bytes: number;
  /** The value is larger than 16 KiB: here is the whole, as `text/plain`. */
  readonly whole?: string;
}

/** One operation of a JSON Patch, its value as text. */
export interface ShownChange {
  readonly op: "add" | "replace" | "remove";
  readonly path: string;
  readonly value?: ShownValue;
}

export interface ShownError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly details?: ShownValue;
  readonly cause?: ShownError;
}
