/** The commands of operators, their options and their help. */
import { Argument, Option, type Command } from "commander";
import { asOperator, duration, example, onStore, patchOption, revision, time, wholeNumber } from "./arguments.js";
import { screen, type Screen } from "./screen.js";

const statuses = ["scheduled", "running", "waiting", "stuck", "completed", "rolledBack"];

/** Hears the exit code of a command that runs. */
type Finish = (code: Promise<number>) => Promise<void>;

/** @param done hears the exit code of the command that was run */
export function addOperateCommands(program: Command, done: (exitCode: number) => void): void {
  const out = screen(process.stdout, process.stderr);
  const finish: Finish = async (code) => done(await code);
  addLooks(program, out, finish);
  addTail(program, out, finish);
  addSurveys(program, out, finish);
  addCertificate(program, out, finish);
  addActs(program, out, finish);
  addResolve(program, out, finish);
  addWaysBack(program, out, finish);
  addPatch(program, out, finish);
  addMessages(program, out, finish);
  addSchedules(program, out, finish);
  addRecall(program, out, finish);
}

function addLooks(program: Command, out: Screen, finish: Finish): void {
  onStore(program.command("list"))
    .summary("list executions, the newest first")
    .description(
      "Lists the executions of a store, the newest first. All conditions that are given must hold. Of one that waits for children it says " +
        "which of them is stuck.",
    )
    .option("--workflow <name>", "only of this workflow")
    .addOption(new Option("--status <status...>", "only in one of these").choices(statuses))
    .option("--tag <tag...>", "only executions that have all of these")
    .option(
      "--root <execution>",
      "only what is below this one, which is at the top of its tree: its children, and theirs",
    )
    .option("--children", "children too, not only what was launched by itself")
    .option("--limit <number>", "at most so many, up to 10000 (default: 100)", wholeNumber)
    .option("--count", "print only how many there are, whatever the limit")
    .addHelpText("after", example("stepwell list --status stuck --children --store orders.db"))
    .action(async (options) => finish((await import("./look.js")).list(options, out)));

  onStore(program.command("show"))
    .summary("show one execution: what was done and undone, where it stands and why")
    .description(
      "Shows what was done of an execution and what of it was undone, where it stands and why, what each act would do, its state, " +
        "and the messages that wait in its mailbox.",
    )
    .argument("<execution>", "its id")
    .addHelpText("after", example("stepwell show order-1001 --store orders.db"))
    .action(async (id, options) => finish((await import("./show.js")).show(id, options, out)));

  onStore(program.command("children"))
    .summary("list the children of one execution, also those that have not begun")
    .description(
      "Lists the children of a step, in the order of its list, also those that have not begun; or of each step that has begun any. " +
        "Theirs are below their own ids.",
    )
    .argument("<execution>", "its id")
    .argument("[step]", "the name of the step; left out: all")
    .option("--from <position>", "only from this position of a list on (default: 0)", revision)
    .option("--limit <number>", "at most so many, up to 10000 (default: 100)", wholeNumber)
    .addHelpText("after", example("stepwell children order-1001 items --store orders.db"))
    .action(async (id, step, options) => finish((await import("./children.js")).children(id, step, options, out)));

  onStore(program.command("history"))
    .summary("show everything that was committed of one execution")
    .description("Shows every committed transition of an execution, in order: what was done and undone, when, by whom.")
    .argument("<execution>", "its id")
    .addHelpText("after", example("stepwell history order-1001 --store orders.db"))
    .action(async (id, options) => finish((await import("./look.js")).history(id, options, out)));
}

function addTail(program: Command, out: Screen, finish: Finish): void {
  onStore(program.command("tail"))
    .summary("follow executions, one or many, as they go on")
    .description(
      "Follows one execution, a line for each transition, until it has completed or rolled back; or many, a line each time one of " +
        "them is found to have moved, until the command is interrupted.",
    )
    .argument("[execution]", "its id; left out: all that fit")
    .option("--workflow <name>", "of many: only of this workflow")
    .option("--tag <tag...>", "of many: only executions that have all of these")
    .option("--root <execution>", "of many: only this one, which is at the top of its tree, and all that is below it")
    .option("--children", "of many: children too, not only what was launched by itself")
    .option("--from <revision>", "of one: only what was committed after this revision (default: 0)", revision)
    .addHelpText("after", tailNotes)
    .action(async (id, options) => finish((await import("./tail.js")).tail(id, options, out)));
}

function addSurveys(program: Command, out: Screen, finish: Finish): void {
  onStore(program.command("doctor"))
    .summary("say what is wrong around the executions, and which command mends it")
    .description(
      "Looks at the tables, the launchers, whether they hear of each other, clocks, versions that nobody runs, what is stuck or struggling, dead letters, and the disk " +
        "or the server: each finding a sentence, with what mends it. Changes nothing.",
    )
    .addHelpText("after", doctorNotes)
    .action(async (options) => finish((await import("./doctor.js")).doctor(options, out)));

  onStore(program.command("stats"))
    .summary("count executions by status, dead letters and schedules")
    .description(
      "Counts executions by status, exactly up to 10000, dead letters by workflow, and schedules. Children are counted where they are stuck.",
    )
    .option("--workflow <name>", "only of this workflow")
    .addHelpText("after", example("stepwell stats --store orders.db"))
    .action(async (options) => finish((await import("./stats.js")).stats(options, out)));
}

function addCertificate(program: Command, out: Screen, finish: Finish): void {
  onStore(program.command("certificate"))
    .summary("what an execution did, what undid it, and what is left in the world")
    .description(
      "Prints what an execution at rest did, when and by which key, what undid it or why nothing did, and what is left in the world; " +
        "its children too. Holds no value of the state.",
    )
    .argument("<execution>", "its id")
    .option("--markdown", "print it as Markdown")
    .option("--verify <file>", "hold a certificate, as --json has printed it, against the store")
    .addHelpText("after", example("stepwell certificate order-1001 --json --store orders.db > order-1001.json"))
    .action(async (id, options) => finish((await import("./certificate.js")).certificate(id, options, out)));
}

function addActs(program: Command, out: Screen, finish: Finish): void {
  asOperator(program.command("retry"))
    .summary("try the step of a stuck execution again")
    .description("Lets a launcher run the step of a stuck execution again, from its beginning and with fresh attempts.")
    .argument("<execution>", "its id")
    .option("--reason <text>", "why; kept in the history")
    .addOption(patchOption())
    .addHelpText("after", example(`stepwell retry order-1001 --by ada --reason "the bank is back" --store orders.db`))
    .action(async (id, options) => finish((await import("./acts.js")).retry(id, options, out)));

  asOperator(program.command("skip"))
    .summary("take the step of a stuck execution as done")
    .description("Takes the step of a stuck execution as done, for a reason that the history keeps.")
    .argument("<execution>", "its id")
    .argument("<reason>", "why; kept in the history")
    .addOption(patchOption())
    .addHelpText(
      "after",
      example(`stepwell skip order-1001 "refunded by hand, ticket 4711" --by ada --store orders.db`),
    )
    .action(async (id, reason, options) => finish((await import("./acts.js")).skip(id, reason, options, out)));
}

function addResolve(program: Command, out: Screen, finish: Finish): void {
  asOperator(program.command("resolve"))
    .summary("say what became of a step in doubt")
    .description(
      "Says what became of the step of a stuck execution whose last attempt gave nothing back: it happened, or it did not. The " +
        "execution goes on from there, up or down.",
    )
    .argument("<execution>", "its id")
    .argument("<reason>", "how that is known; kept in the history")
    .option(
      "--happened <json>",
      "it happened, and the step gave these fields: JSON, or @ and the path of a file with it",
    )
    .option("--did-not-happen", "it did not happen")
    .addHelpText(
      "after",
      example(
        `stepwell resolve order-1001 "statement of 3 May" --happened '{"transferId":"t-77"}' --by ada --store orders.db`,
      ),
    )
    .action(async (id, reason, options) => finish((await import("./acts.js")).resolve(id, reason, options, out)));
}

function addWaysBack(program: Command, out: Screen, finish: Finish): void {
  asOperator(program.command("rollback"))
    .summary("undo an execution, also a completed one")
    .description("Has everything undone that an execution did, its last step first, also where it has completed.")
    .argument("<execution>", "its id")
    .argument("[reason]", "becomes the execution's reason: one line; not needed with --preview")
    .option("--preview", "only say what would be done, step by step")
    .option("--to <step>", "with --preview: what a rewind to this step would do")
    .addOption(
      new Option("--if-completed <what>", "what to do with a completed execution (default: undo)").choices([
        "undo",
        "refuse",
      ]),
    )
    .option("--details <json>", "what the undos have to know: JSON, or @ and the path of a file with it")
    .option("--if-revision <revision>", "only if it still stands at this revision", revision)
    .addHelpText(
      "after",
      example(`stepwell rollback order-1001 customer-returned --details '{"percent":30}' --by ada --store orders.db`),
    )
    .action(async (id, reason, options) => finish((await import("./acts.js")).rollback(id, reason, options, out)));

  asOperator(program.command("rewind"))
    .summary("go back to a step, and up again from there")
    .description(
      "Has that step undone and all that was done after it, the last one first, and then done again from there, also where the " +
        "execution has completed. The launcher that takes it up decides, and the command waits for its word.",
    )
    .argument("<execution>", "its id")
    .requiredOption("--to <step>", "the step to go back to: the first to be done again")
    .requiredOption("--reason <text>", "why; kept in the history")
    .option(
      "--patch <json>",
      "fields to merge into the state where it goes up again: JSON, or @ and the path of a file with it",
    )
    .option("--repeat <step...>", "steps marked irreversible that may be done a second time")
    .option("--if-revision <revision>", "only if it still stands at this revision", revision)
    .addHelpText(
      "after",
      example(
        `stepwell rewind order-1001 --to ship --reason "wrong address" --patch '{"address":"Oak 4"}' --by ada --store orders.db`,
      ),
    )
    .action(async (id, options) => finish((await import("./acts.js")).rewind(id, options, out)));
}

function addPatch(program: Command, out: Screen, finish: Finish): void {
  asOperator(program.command("patch"))
    .summary("mend the state of a stuck execution")
    .description(
      "Merges fields into the state of a stuck execution, for a reason that the history keeps. It stays stuck until it is tried " +
        "again. A launcher checks fields that came with the input, and the command waits for its word.",
    )
    .argument("<execution>", "its id")
    .argument("<fields>", "JSON, or @ and the path of a file with it")
    .argument("<reason>", "why; kept in the history")
    .addHelpText(
      "after",
      example(`stepwell patch order-1001 '{"iban":"DE02"}' "the customer mistyped it" --by ada --store orders.db`),
    )
    .action(async (id, fields, reason, options) =>
      finish((await import("./acts.js")).patch(id, fields, reason, options, out)),
    );
}

function addMessages(program: Command, out: Screen, finish: Finish): void {
  onStore(program.command("send"))
    .summary("send a message to an execution")
    .description("Puts a message into the mailbox of an execution. The step that takes the message checks its payload.")
    .argument("<execution>", "its id")
    .argument("<name>", "the name of the message")
    .argument("[payload]", "JSON, or @ and the path of a file with it (default: null)")
    .option("--message-id <id>", "the sender's own id: the same id twice is one message")
    .addHelpText("after", example(`stepwell send order-1001 settled '{"at":"2026-03-01"}' --store orders.db`))
    .action(async (id, name, payload, options) =>
      finish((await import("./acts.js")).send(id, name, payload, options, out)),
    );

  onStore(program.command("publish"))
    .summary("send a message to all that are subscribed to a topic")
    .description(
      "Puts a message into the mailbox of every execution that is subscribed to the topic, or subscribes while it is kept.",
    )
    .argument("<topic>", "its name")
    .argument("<name>", "the name of the message")
    .argument("[payload]", "JSON, or @ and the path of a file with it (default: null)")
    .option("--message-id <id>", "the publisher's own id: the same id twice is one message")
    .option("--keep <duration>", "for how long it is kept for those who subscribe later (default: 3d)", duration)
    .addHelpText("after", example(`stepwell publish payment:p-77 settled '{"cents":700}' --store orders.db`))
    .action(async (topic, name, payload, options) =>
      finish((await import("./acts.js")).publish(topic, name, payload, options, out)),
    );

  onStore(program.command("launch"))
    .summary("start an execution")
    .description(
      "Starts an execution of the module's workflow, which checks the input. It is stored, and driven by the launchers that run " +
        "elsewhere.",
    )
    .argument("<module>", "a JavaScript module that exports the workflow (TypeScript where Node or a loader runs it)")
    .argument("[input]", "JSON, or @ and the path of a file with it (default: {})")
    .option("--workflow <name>", "which one, where the module exports several: the name of the export or the workflow")
    .option("--id <id>", "its id: the same id, workflow and input again is the same execution (default: a new one)")
    .option("--tag <tag...>", "what it is found by")
    .option("--delay <duration>", "begin after this time", duration)
    .addHelpText("after", example(`stepwell launch ./orders.js '{"sku":"tea"}' --id order-1002 --store orders.db`))
    .action(async (module, input, options) =>
      finish((await import("./launch.js")).launch(module, input, options, out)),
    );
}

function addSchedules(program: Command, out: Screen, finish: Finish): void {
  onStore(program.command("schedules"))
    .summary("show the schedules, or change one")
    .description("Lists the schedules of a store; or pauses, resumes, triggers or deletes the one that is named.")
    .addArgument(new Argument("[act]", "what to do with one").choices(["list", "pause", "resume", "trigger", "delete"]))
    .argument("[name]", "the name of the schedule")
    .option("--module <module>", "to trigger one: a JavaScript module that exports its workflow")
    .option("--yes", "do not ask before a schedule is deleted; needed where nobody can be asked")
    .addHelpText("after", example("stepwell schedules pause nightly-report --store orders.db"))
    .action(async (act, name, options) => finish((await import("./schedules.js")).schedules(act, name, options, out)));
}

function addRecall(program: Command, out: Screen, finish: Finish): void {
  asOperator(program.command("recall"))
    .summary("undo many completed executions, or show and steer what does that")
    .description(
      "Starts a recall: launchers ask the executions that have completed and fit to go back, at a rate, the first ones as a canary. " +
        "Or lists recalls, shows one, pauses, resumes or stops one.",
    )
    .addArgument(
      new Argument("[act]", "what to do (default: list)").choices(["list", "start", "show", "pause", "resume", "stop"]),
    )
    .argument("[recall]", "its id; to start one: the same id again is the same recall (default: a new one)")
    .option("--workflow <name>", "recall only executions of this workflow")
    .option("--tag <tag...>", "recall only executions that have all of these")
    .option("--created-from <time>", "recall only what was launched at or after this time, in ISO 8601", time)
    .option("--created-before <time>", "recall only what was launched before this time", time)
    .option("--all", "recall every execution in the store that has completed")
    .option("--ids <file>", "recall these: a file with an id on each line, in its order")
    .option("--reason <text>", "why; becomes the reason of each execution: one line")
    .option("--details <json>", "what the undos have to know: JSON, or @ and the path of a file with it")
    .addOption(new Option("--order <order>", "which go first (default: newest)").choices(["newest", "oldest"]))
    .option("--rate <rate>", "how many are asked in a second, minute or hour, such as 10/s or 30/m (default: 10/s)")
    .option("--at-once <number>", "how many may go down at the same time, up to 1000 (default: 100)", wholeNumber)
    .option("--canary <number>", "so many first, and the others once these are rolled back (default: 1)", revision)
    .option("--on-stuck <number>", "pause when so many are stuck or struggling (default: 3)", wholeNumber)
    .option("--dry-run", "say only how many would be asked")
    .addHelpText("after", example(recallExample))
    .action(async (act, id, options) => finish((await import("./recall.js")).recall(act, id, options, out)));
}

const recallExample = `stepwell recall start --workflow order --tag price-list-7 --reason wrong-price --dry-run --store orders.db
  stepwell recall start wrong-price --workflow order --tag price-list-7 --reason wrong-price --canary 5 --by ada --store orders.db
  stepwell recall pause wrong-price --reason "the bank called" --by ada --store orders.db`;

const tailNotes = `
Exit codes:
  0  the execution has ended, or the command was interrupted
  1  there is no such execution
  2  an error in the usage or of the store, printed on standard error

Example:
  stepwell tail order-1001 --store orders.db
  stepwell tail --workflow fulfil-order --json --store orders.db
  stepwell tail --root order-1001 --store orders.db`;

const doctorNotes = `
Exit codes:
  0  nothing was found
  1  something was found
  2  an error in the usage or of the store, printed on standard error

Example:
  stepwell doctor --store orders.db`;
