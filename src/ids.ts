/** Identifiers: how they are made, checked and put together. */
import { createHash } from "node:crypto";
import { v7 } from "uuid";
import { fillRandom, systemClock } from "./clock.js";
import type { StepFunc } from "./definition/flow.js";
import { StepwellError } from "./errors.js";
import { hasControlCharacter } from "./values/text.js";

/** Random bytes for many ids: to ask the system for a few costs as much as to ask for many. */
const pool = new Uint8Array(4096);
let poolUsed = pool.length;

function randomByte(): number {
  if (poolUsed === pool.length) {
    fillRandom(pool);
    poolUsed = 0;
  }
  return pool[poolUsed++]!;
}

/** One object for all ids, since each launch makes one. `v7` takes the last six bytes, where it is given a count. */
const parts = { random: new Uint8Array(16), msecs: 0, seq: 0 };

/**
 * A UUID of version 7: later ids sort after earlier ones, which keeps indexes small. Those of one millisecond are counted from a
 * random number of 31 bits, so that two processes seldom have the same count (RFC 9562, 6.2, method 1).
 */
export function newId(): string {
  for (let at = 10; at < 16; at++) parts.random[at] = randomByte();
  const now = systemClock.now();
  if (now > parts.msecs) {
    parts.msecs = now;
    parts.seq = ((randomByte() & 0x7f) << 24) | (randomByte() << 16) | (randomByte() << 8) | randomByte();
  } else parts.seq++;
  return textOf(v7(parts, bytes));
}

const bytes = new Uint8Array(16);
const text = Buffer.alloc(36, "-");
/** Where the two digits of each byte stand. */
const places = Uint8Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34);
const digits = new TextEncoder().encode("0123456789abcdef");

/** In one piece: a text that is put together from pieces is joined when it is looked up first, which takes longer than all else of an id. */
function textOf(id: Uint8Array): string {
  for (let index = 0; index < places.length; index++) {
    const at = places[index]!;
    const byte = id[index]!;
    text[at] = digits[byte >> 4]!;
    text[at + 1] = digits[byte & 15]!;
  }
  return text.toString("latin1");
}

const longestId = 255;

/** @throws STEPWELL_INVALID_ARGUMENT for anything but 1 to 255 well-formed characters, none of them a control character */
export function checkExecutionId(id: unknown): asserts id is string {
  if (
    typeof id === "string" &&
    id.length > 0 &&
    id.length <= longestId &&
    id.isWellFormed() &&
    !hasControlCharacter(id)
  ) {
    return;
  }
  const given = typeof id === "string" ? `${JSON.stringify(id.slice(0, 100))} (${id.length} characters)` : kindOf(id);
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `The id of an execution must be a text of 1 to ${longestId} characters without control characters, not ${given}.`,
  );
}

function kindOf(value: unknown): string {
  return value === undefined || value === null ? String(value) : `a value of type ${typeof value}`;
}

/** The longest idempotency key: many APIs cut or refuse longer ones. */
const longestKey = 255;

/** What a handler answers: a message, by its id, or a timeout, by the time when it was due. */
export type Cause = { readonly message: string } | { readonly timeout: number };

/**
 * The key that a step function hands to other systems, so that an effect happens once however often the
 * function is tried: `order-17/charge-card/run`; after a rewind `order-17/charge-card/run@1`. The same for all attempts, and
 * different for functions that are to have an effect each. At most 255 characters of ASCII, which fit into an HTTP header;
 * where the parts are longer, the end is a hash of them all.
 */
export function idempotencyKey(execution: string, step: string, func: StepFunc, cause?: Cause, round = 0): string {
  const suffix =
    cause === undefined ? "" : "message" in cause ? `/${escaped(cause.message)}` : `/timeout/${cause.timeout}`;
  const key = `${escaped(execution)}/${escaped(step)}/${func}${round > 0 ? `@${round}` : ""}${suffix}`;
  if (key.length <= longestKey) return key;
  // "#" is in no key that is short enough, so the two kinds can't meet.
  const end = `#${createHash("sha256").update(key).digest("base64url")}`;
  return key.slice(0, longestKey - end.length) + end;
}

/**
 * The id of a list of children: `order-17/items`; of the second one of a step, `order-17/items~2`; after a rewind,
 * `order-17/items~r1`. At most 255 characters: where the parts are longer, the end is a hash of them all.
 */
export function listId(parent: string, list: WhichList): string {
  return shortened(`${parent}/${partOfList(list)}`);
}

/** The id of a child: `order-17/items/A-1`. */
export function childId(parent: string, list: WhichList, key: string): string {
  return shortened(`${parent}/${partOfList(list)}/${partOfId(key)}`);
}

/** A list of a step's, by the name under which others know what the step does. */
export interface WhichList {
  readonly step: string;
  readonly round: number;
  /** In its round, from 1. */
  readonly number: number;
}

function partOfList({ step, round, number }: WhichList): string {
  return `${partOfId(step)}${round > 0 ? `~r${round}` : ""}${number > 1 ? `~${number}` : ""}`;
}

const reserved = /[%/~]/g;

/** The part without "/" and "~"; different for different parts. */
function partOfId(part: string): string {
  return part.toWellFormed().replace(reserved, (it) => encodeURIComponent(it).replace("~", "%7E"));
}

function shortened(id: string): string {
  if (id.length <= longestId) return id;
  const end = `~${createHash("sha256").update(id).digest("base64url")}`;
  return id.slice(0, longestId - end.length).toWellFormed() + end;
}

/**
 * The id of what a function of a step asks for, under its idempotency key: `order-17/bill/run/invoice` for a launch of the workflow
 * `invoice`, or a message `invoice`; `order-17/bill/run/payments/paid` for a message `paid` to the topic `payments`; of the second one
 * that is alike, `order-17/bill/run/invoice~2`. At most 255 characters, as above.
 */
export function askedId(key: string, names: readonly string[], number: number): string {
  return shortened([key, ...names.map(escaped)].join("/") + (number > 1 ? `~${number}` : ""));
}

/** The fingerprint of a list of steps, by its text: 16 characters that tell it from other lists. */
export function fingerprintOf(text: string): string {
  return sha256(text).slice(0, 16);
}

/** In hexadecimal. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const plainPart = /^[\w.~-]*$/;

/** The part without "/" and "#"; different for different parts. */
function escaped(part: string): string {
  if (plainPart.test(part)) return part;
  // "@" begins no part that is well formed.
  return part.isWellFormed() ? encodeURIComponent(part) : `@${encodeURIComponent(JSON.stringify(part))}`;
}
