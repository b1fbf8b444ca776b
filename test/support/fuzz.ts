/** Random attempts to break something: new ones in each run. A failure prints its seed, and the smallest attempt that does it. */
import fc from "fast-check";

/** How many times as long as in CI. */
const times = Number(process.env["STEPWELL_FUZZ"] ?? 1);

/** How long a test may take, in milliseconds. */
export const fuzzTime = 60_000 * Math.max(1, times);

export function fuzzRuns(inCi: number): { readonly numRuns: number } {
  return { numRuns: Math.ceil(inCi * times) };
}

/** Texts that people, files and attackers write: anything, what parsers trip over, and both mixed. */
const awkward = fc.constantFrom(
  ...[
    "",
    " ",
    "\0",
    "\n",
    "\r\n",
    "..",
    "../..",
    "%00",
    "%",
    "%zz",
    "__proto__",
    "constructor",
    "toString",
    "null",
    "-1",
    "NaN",
  ],
  ...[
    "1e999",
    "9".repeat(30),
    "0x10",
    "'",
    '"',
    "`",
    ";",
    "--",
    "-",
    "--x=",
    "$(x)",
    "<b>",
    "\\",
    "\u202e",
    "\ud800",
    "\uffff",
    "~",
    "~[",
    "{",
    "[]",
  ],
  "a".repeat(5_000),
);

export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  awkward,
  fc.tuple(awkward, fc.string({ maxLength: 10 }), awkward).map((parts) => parts.join("")),
);
