/** The commands of operators, their options and their help. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { history, list, retry, rollback, send, show, skip } from "./operate.js";
import { keptPlace, wholeNumber } from "./arguments.js";
import { screen, type Screen } from "./screen.js";

/** Hears the exit code of a command that runs. */
type Finish = (code: Promise<number>) => Promise<void>;

/** @param done hears the exit code of the command that was run */
export function addOperateCommands(program: Command, done: (exitCode: number) => void): void {
  const out = screen(process.stdout, process.stderr);
  const finish: Finish = async (code) => done(await code);
  addLooks(program, out, finish);
  addActs(program, out, finish);
}

function addLooks(program: Command, out: Screen, finish: Finish): void {
  onStore(program.command("list"))
    .summary("list executions, the newest first")
    .description("Lists the executions of a store, the newest first. All conditions that are given must hold.")
    .option("--workflow <name>", "only of this workflow")
    .option("--status <status...>", "only in one of these: scheduled, running, waiting, stuck, completed, rolledBack")
    .option("--tag <tag...>", "only executions that have all of these")
    .option("--limit <number>", "at most so many, up to 10000 (default: 100)", wholeNumber)
    .option("--count", "print only how many there are, whatever the limit")
    .addHelpText("after", example("stepwell list --status stuck --store orders.db"))
    .action((options) => finish(list(options, out)));

  onStore(program.command("show"))
    .summary("show one execution: where it stands, why, and its state")
    .description("Shows where an execution stands and why, its state, and the messages that wait in its mailbox.")
    .argument("<execution>", "its id")
    .addHelpText("after", example("stepwell show order-1001 --store orders.db"))
    .action((id, options) => finish(show(id, options, out)));

  onStore(program.command("history"))
    .summary("show everything that was committed of one execution")
    .description("Shows every committed transition of an execution, in order: what was done and undone, when, by whom.")
    .argument("<execution>", "its id")
    .addHelpText("after", example("stepwell history order-1001 --store orders.db"))
    .action((id, options) => finish(history(id, options, out)));
}

function addActs(program: Command, out: Screen, finish: Finish): void {
  asOperator(program.command("retry"))
    .summary("try the step of a stuck execution again")
    .description("Lets a launcher run the step of a stuck execution again, from its beginning and with fresh attempts.")
    .argument("<execution>", "its id")
    .option("--reason <text>", "why; kept in the history")
    .addOption(patch())
    .addHelpText("after", example(`stepwell retry order-1001 --by ada --reason "the bank is back" --store orders.db`))
    .action((id, options) => finish(retry(id, options, out)));

  asOperator(program.command("skip"))
    .summary("take the step of a stuck execution as done")
    .description("Takes the step of a stuck execution as done, for a reason that the history keeps.")
    .argument("<execution>", "its id")
    .argument("<reason>", "why; kept in the history")
    .addOption(patch())
    .addHelpText(
      "after",
      example(`stepwell skip order-1001 "refunded by hand, ticket 4711" --by ada --store orders.db`),
    )
    .action((id, reason, options) => finish(skip(id, reason, options, out)));

  asOperator(program.command("rollback"))
    .summary("undo an execution, also a completed one")
    .description("Has everything undone that an execution did, its last step first, also where it has completed.")
    .argument("<execution>", "its id")
    .argument("<reason>", "becomes the execution's reason: one line")
    .addOption(
      new Option("--if-completed <what>", "what to do with a completed execution (default: undo)").choices([
        "undo",
        "refuse",
      ]),
    )
    .addHelpText("after", example("stepwell rollback order-1001 customer-returned --by ada --store orders.db"))
    .action((id, reason, options) => finish(rollback(id, reason, options, out)));

  onStore(program.command("send"))
    .summary("send a message to an execution")
    .description("Puts a message into the mailbox of an execution. The step that takes the message checks its payload.")
    .argument("<execution>", "its id")
    .argument("<name>", "the name of the message")
    .argument("[payload]", "JSON, or @ and the path of a file with it (default: null)")
    .option("--message-id <id>", "the sender's own id: the same id twice is one message")
    .addHelpText("after", example(`stepwell send order-1001 settled '{"at":"2026-03-01"}' --store orders.db`))
    .action((id, name, payload, options) => finish(send(id, name, payload, options, out)));
}

function onStore(command: Command): Command {
  return command
    .addOption(
      new Option("--store <place>", "an SQLite file, or the connection string of a PostgreSQL database")
        .env("STEPWELL_STORE")
        .makeOptionMandatory()
        .argParser(keptPlace),
    )
    .option("--schema <name>", "the schema of the PostgreSQL database (default: stepwell)")
    .option("--json", "print one object of JSON a line")
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG");
}

function asOperator(command: Command): Command {
  return onStore(command)
    .option("--by <who>", "who acts; kept in the history (default: the user of this machine)")
    .option(
      "--patience <duration>",
      "for how long a launcher is waited for, where only a launcher can decide (default: 10s)",
      duration,
    );
}

function patch(): Option {
  return new Option(
    "--patch <json>",
    "fields to merge into the state first: JSON, or @ and the path of a file with it",
  );
}

function duration(text: string): string {
  if (/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a number with a unit, such as 500ms, 10s or 5m.");
}

function example(command: string): string {
  return `
Exit codes:
  0  done: the answer is printed, or the request is stored
  1  refused: nothing was changed
  2  an error in the usage or of the store, printed on standard error
  3  the request is stored, and no launcher has decided on it yet

Example:
  ${command}`;
}
