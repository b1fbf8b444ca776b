/** How times and lists are written for people. */
import type { Time } from "./facts.js";

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** A length of time in the largest unit that fits, and the next one where the first is small: "2 h", "1 h 30 min", "340 ms". */
export function span(ms: number): string {
  const length = Math.max(0, Math.round(ms));
  const index = units.findIndex(([, size]) => length >= size);
  if (index === -1) return `${length} ms`;
  const [unit, size] = units[index]!;
  const whole = Math.floor(length / size);
  const next = units[index + 1];
  const rest = next === undefined ? 0 : Math.floor((length - whole * size) / next[1]);
  return whole < 3 && rest > 0 ? `${whole} ${unit} ${rest} ${next![0]}` : `${whole} ${unit}`;
}

export function milliseconds(time: Time): number {
  return typeof time === "string" ? Date.parse(time) : time.getTime();
}

export function isoOf(time: Time): string {
  return typeof time === "string" ? time : time.toISOString();
}

/** The name of something, so that it can be told from the sentence around it. */
export function quoted(name: string): string {
  return JSON.stringify(name);
}

/** `"a"`, `"a" and "b"`, `"a", "b" and 3 more`. */
export function listed(names: readonly string[], join: "and" | "or" = "and", most = 5): string {
  const shown = names.slice(0, most).map(quoted);
  const more = names.length - shown.length;
  const parts = more > 0 ? [...shown, `${more} more`] : shown;
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} ${join} ${parts.at(-1)}`;
}

/** A text on one line, cut where it is long. */
export function oneLine(text: string, longest = 200): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}
