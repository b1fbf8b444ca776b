/** Rules for short texts that stand in keys, logs and columns. */

// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const controlCharacters = /[\u0000-\u001f\u007f-\u009f]/;
const runsOfControlCharacters = new RegExp(`${controlCharacters.source}+`, "g");

/** Line breaks of Unicode, and marks that turn the direction of writing, forge a line of a log as well as "\n" does. */
const unprintable = new RegExp(`(?:${controlCharacters.source}|[\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069])+`, "g");

export function hasControlCharacter(text: string): boolean {
  return controlCharacters.test(text);
}

export function withoutControlCharacters(text: string): string {
  // Most texts have none, and to look for one takes a third of the time.
  return hasControlCharacter(text) ? text.replaceAll(runsOfControlCharacters, " ") : text;
}

/** Text of one line, which fits into logs and columns: not blank, at most `longest` characters, none of them a control character. */
export function isLine(text: unknown, longest: number): text is string {
  return (
    typeof text === "string" &&
    text.trim() !== "" &&
    text.length <= longest &&
    text.isWellFormed() &&
    !hasControlCharacter(text)
  );
}

/** A text from outside, cut and on one line: it can't begin a line of its own, nor speak to a terminal. */
export function asLine(text: string, longest: number): string {
  const cut = text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  return cut.replaceAll(unprintable, " ").toWellFormed();
}

/** JSON escapes line breaks and most control characters; this escapes the others too, so that the text reads back the same. */
export function escapeUnprintable(json: string): string {
  return json.replaceAll(unprintable, (run) =>
    Array.from(run, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  );
}

/** The words for success: no failure and no rollback may have one of them as its reason. */
const successWords: readonly string[] = ["normal", "ok"];

export function meansSuccess(reason: string): boolean {
  return successWords.includes(reason.trim());
}

/** The message of an error; of anything else that was thrown, its text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
