/**
 * Arrays as PostgreSQL sends them itself: lengths and bytes. A batch is a handful of them; as texts they
 * would have to be escaped here, value by value, and taken apart again on the server.
 */
const header = 20;

/** Texts that are shorter are not measured: a character takes three bytes at most. */
const short = 1024;

/** Larger ones are not kept. */
const kept = 4 * 1024 * 1024;

/** Grows to what is needed; what is in it is copied out before the next array is written. */
let scratch = Buffer.allocUnsafe(64 * 1024);

export function textArray(values: readonly (string | null)[]): Buffer {
  let at = header;
  let nulls = 0;
  for (const value of values) {
    if (value === null) {
      nulls = 1;
      room(at + 4);
      at = scratch.writeInt32BE(-1, at);
      continue;
    }
    room(at + 4 + (value.length < short ? value.length * 3 : Buffer.byteLength(value)));
    const length = scratch.write(value, at + 4);
    scratch.writeInt32BE(length, at);
    at += 4 + length;
  }
  return finished(oids.text, values.length, nulls, at);
}

export function integerArray(values: readonly (number | null)[]): Buffer {
  return fixed(oids.integer, 4, values, (value, at) => scratch.writeInt32BE(value, at));
}

export function doubleArray(values: readonly (number | null)[]): Buffer {
  return fixed(oids.double, 8, values, (value, at) => scratch.writeDoubleBE(value, at));
}

export type ColumnType = "text" | "integer" | "float8";

export function arrayOf(type: ColumnType, values: readonly (string | number | null)[]): Buffer {
  if (type === "text") return textArray(values as readonly (string | null)[]);
  return (type === "integer" ? integerArray : doubleArray)(values as readonly (number | null)[]);
}

const oids = { text: 25, integer: 23, double: 701 } as const;

function fixed(
  oid: number,
  size: number,
  values: readonly (number | null)[],
  write: (value: number, at: number) => number,
): Buffer {
  room(header + values.length * (size + 4));
  let at = header;
  let nulls = 0;
  for (const value of values) {
    if (value === null) {
      nulls = 1;
      at = scratch.writeInt32BE(-1, at);
    } else at = write(value, scratch.writeInt32BE(size, at));
  }
  return finished(oid, values.length, nulls, at);
}

function finished(oid: number, count: number, nulls: number, end: number): Buffer {
  scratch.writeInt32BE(count === 0 ? 0 : 1, 0);
  scratch.writeInt32BE(nulls, 4);
  scratch.writeInt32BE(oid, 8);
  if (count === 0) return Buffer.from(scratch.subarray(0, 12));
  scratch.writeInt32BE(count, 12);
  scratch.writeInt32BE(1, 16);
  const array = Buffer.from(scratch.subarray(0, end));
  if (scratch.length > kept) scratch = Buffer.allocUnsafe(kept);
  return array;
}

function room(size: number): void {
  if (size <= scratch.length) return;
  const larger = Buffer.allocUnsafe(Math.max(size, scratch.length * 2));
  scratch.copy(larger);
  scratch = larger;
}
