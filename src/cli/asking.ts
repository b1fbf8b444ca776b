/** What the commands on a store share: its client, its exit codes, who acts, and the question before a grave act. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { createInterface } from "node:readline";
import { Client, StepwellError, type AnyWorkflow, type ErrorCode, type Execution } from "../index.js";
import type { Screen } from "./screen.js";
import { existingStoreOn } from "./store.js";
import { clean, described, jsonLine, messageOf } from "./text.js";

export interface OperateOptions {
  readonly store: string;
  readonly schema?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

export interface ActOptions extends OperateOptions {
  /** Default: the user of the machine. */
  readonly by?: string;
  /** For how long a launcher is waited for, where only a launcher can decide. */
  readonly patience?: string;
  /** JSON, or `@` and the path of a file with it. */
  readonly patch?: string;
  /** The question before a grave act is answered already. */
  readonly yes?: boolean;
}

/** The exit codes. Errors in the usage and of the store end the process with 2. */
export const operateCodes = { done: 0, refused: 1, undecided: 3 } as const;

/** Codes of errors that refuse a request: nothing was changed. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STEPWELL_BELONGS_TO_PARENT",
  "STEPWELL_EXECUTION_CHANGED",
  "STEPWELL_EXECUTION_NOT_FOUND",
  "STEPWELL_EXECUTION_NOT_STUCK",
  "STEPWELL_EXECUTION_STUCK",
  "STEPWELL_EXECUTION_ENDED",
  "STEPWELL_INVALID_PATCH",
  "STEPWELL_LAUNCH_CONFLICT",
  "STEPWELL_MIGRATION_FAILED",
  "STEPWELL_NOT_AT_REST",
  "STEPWELL_PAST_PIVOT",
  "STEPWELL_REWIND_REFUSED",
  "STEPWELL_ROLLBACK_REFUSED",
  "STEPWELL_SCHEDULE_NOT_FOUND",
  "STEPWELL_SEALED",
  "STEPWELL_STEP_NOT_BEGUN",
  "STEPWELL_WOULD_REPEAT",
]);

/** Does the work with a client on the store, which must be there. Gives back the exit code. */
export async function asking(
  options: ActOptions,
  screen: Screen,
  work: (client: Client) => Promise<number | void>,
  workflows: readonly AnyWorkflow[] = [],
): Promise<number> {
  const { store, schema, patience, json = false, debug = false } = options;
  const client = new Client({
    store: await existingStoreOn(store, schema),
    workflows,
    onError: (error) => screen.note(described(error, debug)),
    ...(patience !== undefined && { patience: patience as `${number}s` }),
  });
  try {
    return (await work(client)) ?? operateCodes.done;
  } catch (error) {
    if (!(error instanceof StepwellError)) throw error;
    const isUndecided = error.code === "STEPWELL_UNDECIDED";
    if (!isUndecided && !refusals.has(error.code)) throw error;
    if (json) screen.result(jsonLine({ accepted: isUndecided ? null : false, ...error.toJSON() }));
    else screen.note(isUndecided ? clean(error.message) : described(error, debug));
    return isUndecided ? operateCodes.undecided : operateCodes.refused;
  } finally {
    await client.stop();
  }
}

/** An act on one execution, told in a sentence; a grave one is asked for before, after what `before` shows. */
export function acting(
  act: string,
  id: string,
  options: ActOptions,
  screen: Screen,
  work: (execution: Execution, by: string) => Promise<string>,
  consequence?: string,
  before?: (execution: Execution) => Promise<void>,
): Promise<number> {
  return asking(options, screen, async (client) => {
    const by = byOf(options);
    if (isAsked(options)) await before?.(client.execution(id));
    if (consequence !== undefined && !(await confirmed(consequence, options))) {
      screen.note("Nothing was changed.");
      return operateCodes.refused;
    }
    const sentence = await work(client.execution(id), by);
    screen.result(options.json === true ? jsonLine({ accepted: true, execution: id, act, by }) : clean(sentence));
    return operateCodes.done;
  });
}

/** Somebody is there who can answer a question. */
function isAsked({ yes = false, json = false }: ActOptions): boolean {
  return !yes && !json && process.stdin.isTTY && process.stderr.isTTY;
}

/** Who acts. */
export function byOf({ by }: Pick<ActOptions, "by">): string {
  return by ?? userInfo().username;
}

/**
 * Asks before an act that can't be taken back, and says what it would do. False: the answer was no.
 *
 * @throws STEPWELL_INVALID_ARGUMENT where nobody can be asked, and `--yes` was not given
 */
export async function confirmed(consequence: string, { yes = false, json = false }: ActOptions): Promise<boolean> {
  if (yes) return true;
  if (!isAsked({ yes, json } as ActOptions)) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${consequence} Nobody can be asked here whether that is meant: give --yes.`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve) => {
      terminal.on("close", () => resolve(""));
      terminal.question(`${clean(consequence)} Go on? [y/N] `, resolve);
    });
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** From the text of an argument, or from a file: a secret need not stand in the list of processes. */
export function valueOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text);
  } catch (cause) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${what} must be JSON, or @ and the path of a file with it: ${messageOf(cause)}`,
      { cause },
    );
  }
}
