/** JSON in the one form that RFC 8785 gives it: the same data is always the same text. */
import canonicalize from "canonicalize";

/** @param value what JSON can hold */
export function canonical(value: object): string {
  return canonicalize(value)!;
}
