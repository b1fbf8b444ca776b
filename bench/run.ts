/** Runs the rounds of a group, each in a process of its own, here and in another tree in turns. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Figure, GroupOptions } from "./figures.js";
import type { RoundAnswer } from "./round.js";

export interface Rounds {
  readonly here: readonly (readonly Figure[])[];
  readonly there: readonly (readonly Figure[])[];
  /** Why the other tree could not run the group. */
  readonly problem?: string;
}

/**
 * @param here the folder of this checkout
 * @param there that of the other one, which goes first: what the disk has to do with a first round does not flatter this one
 */
export async function runRounds(
  group: string,
  {
    here,
    there,
    rounds,
    options,
  }: {
    readonly here: string;
    readonly there: string | undefined;
    readonly rounds: number;
    readonly options: GroupOptions;
  },
): Promise<Rounds> {
  const figures = { here: [] as (readonly Figure[])[], there: [] as (readonly Figure[])[] };
  let problem: string | undefined;
  for (let round = 0; round < rounds; round++) {
    if (there !== undefined && problem === undefined) {
      const answer = await runRound(there, group, options);
      if ("problem" in answer) ({ problem } = answer);
      else figures.there.push(answer.figures);
    }
    const answer = await runRound(here, group, options);
    if ("problem" in answer) throw new Error(`Group "${group}" failed: ${answer.problem}`);
    figures.here.push(answer.figures);
  }
  return { ...figures, ...(problem !== undefined && { problem }) };
}

/** What a turn keeps fits in: whether a full collection fell into a turn would be decided by a few bytes, and it takes a tenth of one. */
const room = ["--initial-old-space-size=512"];

async function runRound(root: string, group: string, options: GroupOptions): Promise<RoundAnswer> {
  const child = fork(join(root, "bench", "round.ts"), [group, JSON.stringify(options)], {
    cwd: root,
    execArgv: ["--expose-gc", ...room, "--import", "tsx"],
    // What the engine writes on the console is no figure.
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const left = once(child, "exit").then(([code]): RoundAnswer => ({
    problem: `its process left with code ${code} before it had figures`,
  }));
  const answered = once(child, "message").then(([answer]) => answer as RoundAnswer);
  const answer = await Promise.race([answered, left]);
  await left;
  return answer;
}
