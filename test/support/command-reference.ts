/** The part of docs/command-line.md that says each command and its options, made of the commands themselves: `tsx command-reference.ts`. */
import type { Command } from "commander";
import { commandLine } from "../../src/cli/program.js";

/** Told once for all commands. */
const shared = new Set(["--store", "--schema", "--json", "--debug"]);

export function commandReference(): string {
  return (
    commandLine(() => undefined)
      // What scripts of shells ask is not for people.
      .commands.filter((it) => it.name() !== "complete")
      .map(sectionOf)
      .join("\n")
  );
}

function sectionOf(command: Command): string {
  const words = command.registeredArguments.map((it) => (it.required ? ` <${it.name()}>` : ` [${it.name()}]`));
  const own = command.options.filter(({ long, hidden }) => !shared.has(long!) && !hidden);
  const others = command.options.filter(({ long }) => shared.has(long!)).map(({ long }) => `\`${long}\``);
  const rows = own.map(({ flags, description, mandatory, argChoices }) => {
    const choices = argChoices === undefined ? "" : `: ${argChoices.map((it) => `\`${it}\``).join(", ")}`;
    return `| \`${flags}\` | ${description}${choices}${mandatory ? "; required" : ""} |`;
  });
  return [
    `### stepwell ${command.name()}\n`,
    `\`stepwell ${command.name()}${words.join("")}\`: ${command.summary()}. ${command.description()}\n`,
    ...(rows.length > 0 ? ["| option | meaning |", "| --- | --- |", ...rows, ""] : []),
    ...(others.length > 0 ? [`And ${others.join(", ")}.\n`] : []),
  ].join("\n");
}

if (process.argv[1] === import.meta.filename) process.stdout.write(commandReference());
