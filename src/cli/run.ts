/** `stepwell run`: launches each line of a file, and follows the executions until all are at rest. */
import { Launcher, memoryStore, StepwellError, type AnyWorkflow, type Execution } from "../index.js";
import { inLanes } from "./lanes.js";
import { checkLines, linesOf } from "./lines.js";
import { loadWorkflow } from "./load-workflow.js";
import type { Screen } from "./screen.js";
import { storeOn } from "./store.js";
import { Tally } from "./tally.js";
import { clean, described } from "./text.js";

export interface RunOptions {
  readonly input: string;
  readonly store: string;
  readonly schema?: string;
  readonly workflow?: string;
  readonly id?: string;
  readonly concurrency: number;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** The exit codes. Errors end the process with 2. */
const exitCodes = { atRest: 0, stuck: 1, error: 2, interrupted: 3 } as const;

/** An execution that takes longer, in milliseconds, is put aside: it may wait for days, and others can be launched. */
const patience = 250;

/** When all lines are launched, the user is told after this time which executions are waited for, in milliseconds. */
const silence = 3_000;

const nothing = (): void => undefined;

/** Steps show their own logs; a step that fails is told beside the bar, in one line. */
const silent = { debug: nothing, info: nothing, error: nothing };

interface Job {
  readonly launcher: Launcher;
  readonly workflow: AnyWorkflow;
  readonly versions: readonly AnyWorkflow[];
  readonly options: RunOptions;
  readonly screen: Screen;
  readonly tally: Tally;
  readonly now: () => number;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
}

/** Gives back the exit code. @throws StepwellError */
export async function run(path: string, options: RunOptions, screen: Screen): Promise<number> {
  const { workflow, versions } = await loadWorkflow(path, options.workflow);
  const total = await checkLines(workflow, options.input, options.id);
  const store = await storeOn(options.store, options.schema);
  // A store whose time is a server's has no clock here; the memory store has the clock of this process.
  const clock = store.clock ?? memoryStore().clock!;
  const now = (): number => clock.monotonic();
  const launcher = new Launcher({
    store,
    workflows: versions,
    concurrency: options.concurrency,
    logger: { ...silent, warn: (_, text) => screen.note(clean(text)) },
    // A stuck execution stands in the table.
    onError: (error) => {
      if (error.code !== "STEPWELL_EXECUTION_STUCK") screen.note(described(error, options.debug === true));
    },
  });
  const tally = new Tally();
  const began = now();
  await launcher.start();
  const interruption = interruptible(launcher, screen);
  try {
    await screen.begin(total, tally);
    await launchAll({ launcher, workflow, versions, options, screen, tally, now, signal: interruption.signal });
  } finally {
    await interruption.end();
    screen.end();
  }
  screen.result(options.json === true ? tally.json(workflow.name, Math.round(now() - began) / 1000) : tally.table());
  if (tally.atRest < total) {
    screen.note(`Interrupted: ${tally.atRest} of ${total} are at rest. Run the same command again to go on.`);
    return exitCodes.interrupted;
  }
  return tally.stuck > 0 ? exitCodes.stuck : exitCodes.atRest;
}

interface Interruption {
  readonly signal: AbortSignal;
  /** Stops the launcher, and waits until it has stopped. */
  end(): Promise<void>;
}

/** At the first SIGINT or SIGTERM the launcher drains; at the second one the process ends, as it would without us. */
function interruptible(launcher: Launcher, screen: Screen): Interruption {
  const controller = new AbortController();
  let stopped: Promise<void> | undefined;
  const interrupt = (): void => {
    ignore();
    controller.abort();
    screen.note("Stopping: what is being worked on may finish. Once more ends the command at once; nothing is lost.");
    stopped = launcher.stop();
  };
  const ignore = (): void => void process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return {
    signal: controller.signal,
    async end() {
      ignore();
      await (stopped ?? launcher.stop());
    },
  };
}

/** Each line in turn; then, again and again, the executions that were put aside. */
async function launchAll(job: Job): Promise<void> {
  const { launcher, workflow, options, signal, tally, now } = job;
  let aside: Execution[] = [];
  const follow = async (execution: Execution): Promise<void> => {
    if (!(await comesToRest(execution, tally))) aside.push(execution);
  };
  await inLanes(
    options.concurrency,
    linesOf(options.input, options.id),
    async ({ id, input }) => {
      const execution = await launcher.launch(workflow, input, { id });
      tally.launched++;
      await follow(execution);
    },
    signal,
  );
  const launched = now();
  let told = false;
  while (aside.length > 0 && !signal.aborted) {
    const again = aside;
    aside = [];
    await inLanes(options.concurrency, again, follow, signal);
    if (!told && aside.length > 0 && now() - launched > silence && !signal.aborted) {
      told = true;
      await tellWhatIsWaitedFor(job, aside);
    }
  }
}

/** False: the execution has not come to rest yet. */
async function comesToRest(execution: Execution, tally: Tally): Promise<boolean> {
  try {
    tally.add(execution.id, await execution.outcome({ timeout: patience }));
    return true;
  } catch (error) {
    if (error instanceof StepwellError && error.code === "STEPWELL_OUTCOME_TIMEOUT") return false;
    throw error;
  }
}

async function tellWhatIsWaitedFor({ screen, versions }: Job, aside: readonly Execution[]): Promise<void> {
  screen.note(
    `Not at rest: ${aside.length}. Those that wait for a message or a time go on as it comes, while this command runs. ` +
      `Ctrl-C ends it; the same command goes on later.`,
  );
  const [first] = aside;
  const { id, version } = await first!.summary();
  if (versions.some((known) => known.version === version)) return;
  screen.note(
    clean(`Execution "${id}" was started with version "${version}", which the module does not export: it can't go on.`),
  );
}
