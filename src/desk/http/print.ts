/** Values as text, for people: what the codec keeps is printed as what it is, and nothing of it is parsed again. */
import { inspect } from "node:util";
import slowRedact from "@pinojs/redact";
import type { ChangedHistoryRow, SerializedError } from "../../index.js";
import type { ShownChange, ShownError, ShownValue } from "./value-shapes.js";

/** A larger value is folded, in bytes. */
const largest = 16 * 1024;

/** So much is shown of a folded value, in characters. */
const shownOfFolded = 1024;

const hidden = "[hidden]";

export class Printer {
  readonly #redact: ((value: object) => unknown) | undefined;

  /** @throws Error for a text that is no path */
  constructor(paths: readonly string[]) {
    if (paths.length === 0) return;
    // One level deeper, for the library puts a function of its own beside the fields of what it gives.
    const deeper = paths.map((path) => (path.startsWith("[") ? `value${path}` : `value.${path}`));
    const redact = slowRedact({ paths: deeper, censor: hidden, serialize: false }) as (it: object) => {
      value: unknown;
    };
    this.#redact = (value) => redact({ value: opened(value) }).value;
  }

  text(value: unknown): string {
    const redact = this.#redact;
    const printed = redact === undefined || typeof value !== "object" || value === null ? value : redact(value);
    return inspect(printed, {
      depth: Infinity,
      maxArrayLength: Infinity,
      maxStringLength: Infinity,
      breakLength: 100,
      compact: 3,
    });
  }

  /** @param whole where the whole of it is to be had, where it is folded */
  value(value: unknown, whole: string): ShownValue {
    const text = this.text(value);
    const bytes = Buffer.byteLength(text);
    return bytes <= largest ? { text, bytes } : { text: `${text.slice(0, shownOfFolded)}…`, bytes, whole };
  }

  error({ name, message, code, stack, details, cause }: SerializedError): ShownError {
    return {
      name,
      message,
      ...(code !== undefined && { code }),
      ...(stack !== undefined && { stack }),
      ...(details !== undefined && { details: this.cut(details) }),
      ...(cause !== undefined && { cause: this.error(cause) }),
    };
  }

  /** A value that is nowhere to be had whole. Errors and changes hold at most what a state holds, details of a request little. */
  cut(value: unknown): ShownValue {
    const text = this.text(value);
    return { text, bytes: Buffer.byteLength(text) };
  }

  /** Hidden already, by the same paths. */
  changes(changes: ChangedHistoryRow["changes"]): ShownChange[] {
    return changes.map((it) => {
      if (it.op === "remove") return { op: it.op, path: it.path };
      const text = inspect(it.value, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity });
      const cut = text.length > largest ? `${text.slice(0, shownOfFolded)}…` : text;
      return { op: it.op, path: it.path, value: { text: cut, bytes: Buffer.byteLength(text) } };
    });
  }
}

/** A copy in which paths lead into a Map, by `[*][1]`, and into a Set. What holds nothing that a path could name stays as it is. */
function opened(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Map) return [...value].map(([key, held]) => [opened(key), opened(held)]);
  if (value instanceof Set) return [...value].map(opened);
  if (Array.isArray(value)) return value.map(opened);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, opened(held)]));
}
