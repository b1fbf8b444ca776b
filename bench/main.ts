/**
 * `npm run bench`: figures of this machine, as medians over rounds, each round a process of its own; beside a raw limit where there
 * is one, and beside another commit where one is named.
 */
import { fileURLToPath } from "node:url";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { treeOf, type Tree } from "./against.js";
import { gather, type Gathered, type GroupOptions } from "./figures.js";
import { groups } from "./registry.js";
import { besides, jsonLine, Table } from "./report.js";
import { runRounds } from "./run.js";

interface Options {
  readonly json: boolean;
  readonly rounds?: number;
  readonly against?: string;
  readonly seconds?: number;
}

const root = fileURLToPath(new URL("..", import.meta.url));

/** What is named is to tell of drift, for which a minute is short. */
const soakSeconds = { named: 180, amongAll: 60 };

/** For wrong words. */
const usage = 2;

function positive(word: string): number {
  const number = Number(word);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("It must be a whole number from 1.");
  return number;
}

function known(word: string, before: readonly string[] = []): readonly string[] {
  if (!Object.hasOwn(groups, word)) {
    throw new InvalidArgumentError(`There is no such group. There are: ${Object.keys(groups).join(", ")}.`);
  }
  return before.includes(word) ? before : [...before, word];
}

const purposes = Object.entries(groups).map(
  ([name, { purpose, rounds }]) => `  ${name.padEnd(10)} ${purpose}${rounds === 1 ? " (one round)" : ""}`,
);

const program = new Command("bench")
  .description(
    "Measures this checkout: the median of some rounds, each in a process of its own, with the lowest and the highest.",
  )
  .argument("[groups...]", "what is measured; default: all", known)
  .option("--rounds <n>", "rounds of each group, whatever it has by itself", positive)
  .option(
    "--against <ref>",
    "measure another commit too, in turns with this one: a worktree of it is built in a temporary folder",
  )
  .option(
    "--seconds <n>",
    `how long the soak takes (default: ${soakSeconds.named} where it is named, ${soakSeconds.amongAll} in a run of all)`,
    positive,
  )
  .option("--json", "one object a line", false)
  .addHelpText(
    "after",
    `\nGroups:\n${purposes.join("\n")}\n\nAll of them take about three quarters of an hour on two cores; against another commit, twice that.`,
  )
  .exitOverride()
  .action(bench);

async function bench(words: readonly string[] | undefined, options: Options): Promise<void> {
  const isAll = words === undefined || words.length === 0;
  const names = isAll ? Object.keys(groups) : words;
  const seconds = options.seconds ?? (isAll ? soakSeconds.amongAll : soakSeconds.named);
  const tree = options.against === undefined ? undefined : prepared(options.against);
  try {
    const table = new Table(tree?.ref);
    for (const name of names) await measure(name, { ...options, seconds }, tree, table);
  } finally {
    tree?.remove();
  }
}

/** Removed also where somebody stops the run; its processes are stopped by the same signal. */
function prepared(ref: string): Tree {
  console.error(`Building ${ref} in a temporary folder …`);
  const tree = treeOf(ref, root);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      tree.remove();
      process.exit(130);
    });
  }
  console.error(`Against ${ref}, which is ${tree.commit}.`);
  return tree;
}

async function measure(
  name: string,
  options: Options & GroupOptions,
  tree: Tree | undefined,
  table: Table,
): Promise<void> {
  const group = groups[name]!;
  const { rounds = group.rounds, seconds } = options;
  const { here, there, problem } = await runRounds(name, {
    here: root,
    there: tree?.folder,
    rounds,
    options: { seconds },
  });
  if (problem !== undefined) console.error(`${tree!.ref} can't run "${name}": ${problem.split("\n", 1)[0]}`);
  const others = new Map<string, Gathered>(
    problem === undefined && there.length > 0 ? gather(there).map((it) => [it.name, it]) : [],
  );
  for (const figure of gather(here)) {
    const against = tree === undefined ? undefined : besides(tree.ref, others.get(figure.name), { here, there });
    if (options.json) console.log(jsonLine(figure, against));
    else table.print(figure, against);
  }
}

// Who reads no more, such as `head`, does not keep the worktree from being removed.
process.stdout.on("error", () => undefined);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has said what was wrong with the words.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : usage;
  else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
