/** The commands, their options and their help. */
import { readFileSync } from "node:fs";
import tab from "@bomb.sh/tab/commander";
import { Command, CommanderError, Option } from "commander";
import { onPlace, onStore, portIn, wholeNumber } from "./arguments.js";
import type { CheckOptions } from "./check.js";
import { addDesk } from "./desk.js";
import type { ShowLettersOptions } from "./dead-letters.js";
import type { DevOptions } from "./dev.js";
import type { InitOptions } from "./init.js";
import type { MigrateOptions } from "./migrate.js";
import { addOperateCommands } from "./operate-commands.js";
import type { ResendCommandOptions } from "./resend.js";
import type { RunOptions } from "./run.js";
import { screen, type Screen } from "./screen.js";
import { clean, described } from "./text.js";

/** The exit code of an error in the usage, or of the store. */
const usageError = 2;

// What a command does is loaded when it is run: `--help` and completion load no engine.

/** Runs the command that the arguments name. Gives back the exit code; errors are printed on standard error. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = commandLine((code) => (exitCode = code));
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has printed its own errors already, and ends its help this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageError;
    const debug = Boolean(process.env["DEBUG"]) || argv.includes("--debug");
    process.stderr.write(`${described(error, debug)}\n`);
    return usageError;
  }
}

/** All commands. @param done hears the exit code of the command that was run */
export function commandLine(done: OnExitCode): Command {
  const program = new Command("stepwell")
    .description("Durable workflows that can go back.")
    .version(version())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${clean(text).trim()}\n`) })
    .showHelpAfterError("Run it with --help to see how it is used.");
  addInit(program);
  addDev(program);
  addRun(program, done);
  addCheck(program, done);
  addDiagram(program);
  addMigrate(program);
  addDeadLetters(program);
  addResend(program);
  addOperateCommands(program, done);
  addDesk(program);
  addCompletion(program);
  return program;
}

/** Hears the exit code of the command that was run. */
type OnExitCode = (exitCode: number) => void;

const out = (): Screen => screen(process.stdout, process.stderr);

function addInit(program: Command): void {
  program
    .command("init")
    .summary("begin: a first workflow, a program that drives it, and a test")
    .description(
      "Writes a first workflow, a program that drives it and a test, in TypeScript, into an empty folder or a project that is there. " +
        "What is there is never changed, but for package.json, which gets the scripts and dependencies that it lacks.",
    )
    .argument("[folder]", "where (default: this folder)")
    .option("--json", "print one object of JSON a line")
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG")
    .addHelpText("after", "\nExample:\n  stepwell init shop")
    .action(async (folder: string | undefined, options: InitOptions) =>
      (await import("./init.js")).init(folder, version(), options, out()),
    );
}

function addDev(program: Command): void {
  onPlace(
    program.command("dev"),
    "an SQLite file, created if it is not there, or the connection string of a PostgreSQL database",
  )
    .summary("drive the workflows of a module while they are being written, and open the desk")
    .description(
      "Drives all workflows that the module exports, starts anew when one of its files changes, and opens the desk for this machine. " +
        "For TypeScript the project needs tsx.",
    )
    .argument("<module>", "a JavaScript or TypeScript module that exports workflows")
    .option("--port <number>", "where the desk listens at 127.0.0.1; 0: anywhere", portIn, 4949)
    .option("--no-desk", "do not open the desk")
    .addOption(new Option("--drives").hideHelp())
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG")
    .addHelpText("after", devNotes)
    .action(async (module: string, options: DevOptions) => (await import("./dev.js")).dev(module, options, out()));
}

function addRun(program: Command, done: OnExitCode): void {
  onPlace(
    program.command("run"),
    "what keeps the executions: an SQLite file, created if it is not there, or the connection string of a PostgreSQL database",
  )
    .summary("run a workflow for each line of a file")
    .description(
      "Launches the module's workflow for each line of a JSONL file, and follows the executions until all are at rest.",
    )
    .argument("<module>", "a JavaScript module that exports the workflow (TypeScript where Node or a loader runs it)")
    .requiredOption("--input <file>", "JSONL: on each line the input of one execution, a JSON object")
    .option("--workflow <name>", "which one, where the module exports several: the name of the export or the workflow")
    .option("--id <field>", `the field of the input that holds its execution's id (default: "<file name>:<line>")`)
    .option("--concurrency <number>", "how many executions are worked on at the same time", wholeNumber, 100)
    .option("--json", "print the summary as one line of JSON instead of a table")
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG")
    .addHelpText("after", notes)
    .action(async (path: string, options: RunOptions) =>
      done(await (await import("./run.js")).run(path, options, out())),
    );
}

function addCheck(program: Command, done: OnExitCode): void {
  program
    .command("check")
    .summary("find what the workflows of a module leave open")
    .description(
      "Lists the steps that nothing undoes, the waits without a timeout and the rollbacks that are tried only once, in " +
        "each workflow that the module exports, by itself or in a list or an object, and in their children. Launches nothing.",
    )
    .argument("<module>", "a JavaScript module that exports workflows (TypeScript where Node or a loader runs it)")
    .option(
      "--store <place>",
      "say what they would do to every live execution in this SQLite file or PostgreSQL database",
    )
    .option("--schema <name>", "the schema of the PostgreSQL database (default: stepwell)")
    .option("--json", "print one line of JSON instead of a table")
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG")
    .addHelpText("after", checkNotes)
    .action(async (path: string, options: CheckOptions) =>
      done(await (await import("./check.js")).check(path, options, out())),
    );
}

function addDiagram(program: Command): void {
  program
    .command("diagram")
    .summary("draw a workflow: its steps, and how they are undone")
    .description("Prints the module's workflow as a Mermaid diagram, for a page or an issue.")
    .argument("<module>", "a JavaScript module that exports the workflow (TypeScript where Node or a loader runs it)")
    .option("--workflow <name>", "which one, where the module exports several: the name of the export or the workflow")
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG")
    .addHelpText("after", "\nExample:\n  stepwell diagram ./fulfil-order.js > fulfil-order.mmd")
    .action(async (path: string, { workflow }: { readonly workflow?: string }) => {
      const [{ diagram }, { loadWorkflow }] = await Promise.all([import("../index.js"), import("./load-workflow.js")]);
      out().result(diagram((await loadWorkflow(path, workflow)).workflow));
    });
}

/** `stepwell completion zsh` prints the script of a shell, which asks `stepwell complete -- words` for what may follow. */
function addCompletion(program: Command): void {
  tab(program, { completionCommandName: "completion" });
  const [completion] = program.commands.filter((it) => it.name() === "completion");
  completion
    ?.summary("print the script that completes commands and options in a shell")
    .description("Prints a script for your shell, to be read when it starts.")
    .addHelpText("after", completionNotes);
}

function addMigrate(program: Command): void {
  onPlace(program.command("migrate"), "the connection string of the database; a password may be in PGPASSWORD instead")
    .summary("bring the tables of a PostgreSQL database up to date")
    .description(
      "Creates the tables, or changes them for this version of Stepwell, as every start does too. For a deployment that " +
        "does it in a step of its own.",
    )
    .option("--dry-run", "print the SQL and change nothing")
    .option("--debug", "show the stack and the causes of an error; so does the environment variable DEBUG")
    .action(async (options: MigrateOptions) => (await import("./migrate.js")).migrate(options, out()));
}

function addDeadLetters(program: Command): void {
  onStore(program.command("dead-letters"))
    .summary("show the messages that no step took")
    .description("Lists the dead letters of all executions in a store, the last received first. Launches nothing.")
    .option("--workflow <name>", "only of executions of this workflow")
    .option("--execution <id>", "only of this execution")
    .option("--name <name>", "only messages of this name")
    .option("--limit <number>", "at most so many, up to 10000 (default: 100)", wholeNumber)
    .option("--count", "print only how many there are, whatever the limit")
    .action(async (options: ShowLettersOptions) => (await import("./dead-letters.js")).showDeadLetters(options, out()));
}

function addResend(program: Command): void {
  onStore(program.command("resend"))
    .summary("send a message again that no step took")
    .description(
      "Sends a dead letter again, once, to its own execution or to another one. Launches nothing: whoever drives that " +
        "execution finds it.",
    )
    .argument("<execution>", "the execution in whose mailbox it is")
    .argument("<id>", "the letter's id, as dead-letters shows it")
    .option("--to <execution>", "the execution that gets it (default: its own)")
    .option("--as <name>", "the name that it has there (default: its own)")
    .option("--by <who>", "who sends it; kept with the letter (default: the user of this machine)")
    .option("--module <module>", "a JavaScript module that exports the workflow: the message is checked first")
    .addHelpText("after", resendNotes)
    .action(async (execution: string, id: string, options: ResendCommandOptions) =>
      (await import("./resend.js")).resend(execution, id, options, out()),
    );
}

const notes = `
All lines are checked before the first one is launched. Blank ones are skipped.

The command can be run again at any time: after a crash, a signal, or with lines added at the end of
the file. Each execution goes on where it was and is never started twice, since its id is made of the
file's name and the line's number. Give --id where lines move, or the same file name comes again with
other lines.

An execution may wait for messages. The command runs until all are at rest: completed, rolled back or
stuck. Ctrl-C (SIGINT) or SIGTERM stops it after the steps that are running; run it again to go on.

Exit codes:
  0  all are at rest, none is stuck
  1  all are at rest, some are stuck: they need an operator
  2  an error in the usage, the module, a line or the store; it is told on standard error
  3  interrupted before all were at rest

Example:
  stepwell run ./fulfil-order.js --input orders.jsonl --store orders.db --id orderNumber`;

const checkNotes = `
Whether a wait has a timeout is read from the text of the step's functions: each pause(…, { timeout }) in them. One
that is made in a function elsewhere can't be seen, and is told as such.

Exit codes:
  0  nothing was found
  1  something was found
  2  an error in the usage or the module; it is told on standard error

Example:
  stepwell check ./workflows.js`;

const resendNotes = `
Without --module the message is sent as it is. If the step that it comes to refuses it, it is a dead letter once more.

The same command again sends nothing, and ends with 0.

Exit codes:
  0  it was sent, now or before
  2  an error in the usage, the module or the store, or the letter was refused and stays dead

Example:
  stepwell dead-letters --store orders.db
  stepwell resend order-1001 evt-9 --store orders.db --to order-1002 --by ada`;

const devNotes = `
Launch from another terminal: the executions are driven here. Ctrl-C ends it; what is under way may finish, and nothing is lost.

Example:
  stepwell dev ./stepwell/fulfil-order.ts --store orders.db
  stepwell launch ./stepwell/fulfil-order.ts '{"sku":"tea","cents":1999}' --store orders.db`;

const completionNotes = `
Put one of these into the file that your shell reads when it starts:
  source <(stepwell completion bash)
  source <(stepwell completion zsh)
  stepwell completion fish | source`;

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
