/** The options that commands have in common, and checks of them before a command begins. */
import { InvalidArgumentError, Option, type Command } from "commander";

/** The command may be interrupted, and goes on from its store; so the store must outlive the process. */
function keptPlace(place: string): string {
  if (place !== ":memory:") return place;
  throw new InvalidArgumentError("A store in memory keeps nothing after the command. Give the path of a file.");
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 10_000) return value;
  throw new InvalidArgumentError("It must be a whole number from 1 to 10000.");
}

export function portIn(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("It must be a port: a whole number from 0 to 65535.");
}

export function revision(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && text.trim() !== "") return value;
  throw new InvalidArgumentError("It must be a whole number from 0 on.");
}

export function time(text: string): Date {
  const at = new Date(text);
  if (/^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(at.getTime())) return at;
  throw new InvalidArgumentError("It must be a time such as 2026-03-01 or 2026-03-01T08:00:00Z.");
}

/** Which store, by an option or by the environment. */
export function onPlace(
  command: Command,
  description = "an SQLite file, or the connection string of a PostgreSQL database",
): Command {
  return command
    .addOption(
      new Option("--store <place>", description).env("STEPWELL_STORE").makeOptionMandatory().argParser(keptPlace),
    )
    .option("--schema <name>", "the schema of the PostgreSQL database (default: stepwell)");
}

/** How a command answers. */
function answering(command: Command): Command {
  return command
    .option("--json", "print one object of JSON a line")
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG");
}

/** The options of a command on a store. */
export function onStore(command: Command): Command {
  return answering(onPlace(command));
}

/** Those of an act too. */
export function asOperator(command: Command): Command {
  return onStore(command)
    .option("--yes", "do not ask before what can't be taken back; needed where nobody can be asked")
    .option("--by <who>", "who acts; kept in the history (default: the user of this machine)")
    .option(
      "--patience <duration>",
      "for how long a launcher is waited for, where only a launcher can decide (default: 10s)",
      duration,
    );
}

export function patchOption(): Option {
  return new Option(
    "--patch <json>",
    "fields to merge into the state first: JSON, or @ and the path of a file with it",
  );
}

export function duration(text: string): string {
  if (/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a number with a unit, such as 500ms, 10s or 5m.");
}

/** The end of the help of an operator's command. */
export function example(command: string): string {
  return `
Exit codes:
  0  done: the answer is printed, or the request is stored
  1  refused, or the answer to the question was no: nothing was changed
  2  an error in the usage or of the store, printed on standard error
  3  the request is stored, and no launcher has decided on it yet

Example:
  ${command}`;
}
