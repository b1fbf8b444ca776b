import { expect, it } from "vitest";
import { asLine, escapeUnprintable, isLine, meansSuccess } from "./text.js";

it("a line is a text that is not blank, not too long, well formed and without control characters", () => {
  for (const text of ["a", "a line", "naïve 🙂"]) expect(isLine(text, 10), text).toBe(true);
  for (const text of ["", "  ", "a\nb", "\u0085", "\ud800", "12345678901", 7, undefined]) {
    expect(isLine(text, 10), String(text)).toBe(false);
  }
});

it("a text from outside becomes one line: what could begin a line or turn its direction is a blank, and the end is cut", () => {
  expect(asLine("paid\r\nERROR", 100)).toBe("paid ERROR");
  expect(asLine("a\u2028b\u202ec\u001b[31md", 100)).toBe("a b c [31md");
  expect(asLine("abcdef", 4)).toBe("abc…");
  expect(asLine("a\ud800", 100)).toBe("a\ufffd");
});

it("JSON with what could forge a line escaped is on one line and reads back the same", () => {
  const value = { text: "a\u2028\u202eb\u0085\n\u007f🙂" };
  const line = escapeUnprintable(JSON.stringify(value));
  expect(line).toBe(String.raw`{"text":"a\u2028\u202eb\u0085\n\u007f🙂"}`);
  expect(JSON.parse(line)).toEqual(value);
});

it("only the words for success mean success", () => {
  expect(["normal", " ok "].map(meansSuccess)).toEqual([true, true]);
  expect(["okay", "OK", "card-declined"].map(meansSuccess)).toEqual([false, false, false]);
});
