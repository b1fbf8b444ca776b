/** Checks of options, before a command begins. */
import { InvalidArgumentError } from "commander";

/** The command may be interrupted, and goes on from its store; so the store must outlive the process. */
export function keptPlace(place: string): string {
  if (place !== ":memory:") return place;
  throw new InvalidArgumentError("A store in memory keeps nothing after the command. Give the path of a file.");
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 10_000) return value;
  throw new InvalidArgumentError("It must be a whole number from 1 to 10000.");
}
