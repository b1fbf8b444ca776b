/** A process beside the one that measures: it does one of the tasks of `tasks.ts`, and answers by messages. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Helper {
  /** The next message that it sends. Rejects where it ends instead. */
  answer<Answer>(): Promise<Answer>;
  /** Lets it go on. */
  go(): void;
  readonly exited: Promise<unknown>;
}

export function helper(...words: readonly (string | number | boolean)[]): Helper {
  const child = fork(fileURLToPath(new URL("tasks.ts", import.meta.url)), words.map(String), {
    execArgv: ["--expose-gc", "--import", "tsx"],
  });
  // Listened for from the start: it may end at any moment.
  const exited = once(child, "exit");
  return {
    answer: async <Answer>() => {
      const left = exited.then(([code]) => {
        throw new Error(`The process that was to ${words[0]} left with code ${code}.`);
      });
      const [answer] = (await Promise.race([once(child, "message"), left])) as [Answer];
      return answer;
    },
    go: () => child.send("go"),
    exited,
  };
}
