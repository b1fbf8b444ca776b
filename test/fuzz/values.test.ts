/** What comes out of a store, or is written by hand, may be anything: it is read, or refused in words. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { duration, StepwellError } from "../../src/index.js";
import { decode, encode, Encoded } from "../../src/values/encode.js";
import { anyText, fuzzRuns, fuzzTime } from "../support/fuzz.js";

/** Its code, where it is refused. @throws what is no refusal */
function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof StepwellError) return error.code;
    throw error;
  }
}

const token = fc.constantFrom(
  ...[
    "~",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    '"',
    "-1",
    "-2",
    "-7",
    "0",
    "1",
    "2",
    "1e9",
    "null",
    "true",
    '"Date"',
    '"Map"',
    '"Set"',
  ],
  ...[
    '"BigInt"',
    '"RegExp"',
    '"Object"',
    '"Uint8Array"',
    '"ArrayBuffer"',
    '"__proto__"',
    '"constructor"',
    '"a"',
    '"AAAA"',
    '"x"',
    "\\",
  ],
);
/** What begins like a rich value, and what is nearly one. */
const stored = fc.oneof(
  anyText,
  fc.array(token, { maxLength: 25 }).map((tokens) => tokens.join("")),
  fc.array(token, { maxLength: 25 }).map((tokens) => `~[${tokens.join(",")}]`),
  fc.json().map((text) => `~${text}`),
  fc.json(),
);

test(
  "a stored text that is read at all reads as a value that can be stored again, and touches no prototype",
  () => {
    fc.assert(
      fc.property(stored, (text) => {
        const before = Object.getOwnPropertyNames(Object.prototype).length;
        let value: unknown;
        const code = codeOf(() => (value = decode(text)));
        expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(before);
        expect([undefined, "STEPWELL_NOT_DECODABLE"]).toContain(code);
        if (code !== undefined) return;
        const again = codeOf(() => encode(value, { what: "It" }));
        expect([undefined, "STEPWELL_NOT_ENCODABLE", "STEPWELL_TOO_LARGE"]).toContain(again);
      }),
      fuzzRuns(3_000),
    );
  },
  fuzzTime,
);

test(
  "a stored text that was changed in one place is read or refused, whatever it was",
  () => {
    const rich = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true });
    fc.assert(
      fc.property(rich, fc.nat(), fc.string({ unit: "binary", maxLength: 2 }), (value, at, put) => {
        let text = "";
        if (codeOf(() => (text = encode(value, { what: "It" }).text)) !== undefined) return;
        const place = at % (text.length + 1);
        for (const changed of [text.slice(0, place), text.slice(0, place) + put + text.slice(place + 1)]) {
          const code = codeOf(() => Encoded.ofText(changed).value);
          expect([undefined, "STEPWELL_NOT_DECODABLE"]).toContain(code);
        }
      }),
      fuzzRuns(2_000),
    );
  },
  fuzzTime,
);

test(
  "a duration is a number of milliseconds that a timer can wait, or is refused as a duration",
  () => {
    const unit = fc.constantFrom("ms", "s", "m", "h", "d", "w", "y", "seconds", "days", "µs", "S", "");
    const written = fc.tuple(
      fc.oneof(fc.double().map(String), fc.bigInt().map(String), anyText),
      fc.constantFrom("", " ", "  "),
      unit,
    );
    fc.assert(
      fc.property(
        fc.oneof(
          anyText,
          written.map((parts) => parts.join("")),
        ),
        (text) => {
          let found = 0;
          const code = codeOf(() => (found = duration(text)));
          if (code === undefined) expect(Number.isFinite(found) && found >= 0).toBe(true);
          else expect(code).toBe("STEPWELL_INVALID_DURATION");
        },
      ),
      fuzzRuns(3_000),
    );
  },
  fuzzTime,
);
