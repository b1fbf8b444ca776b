/** Where a run shows itself: results on standard output, everything else on standard error. */
import type { SingleBar } from "cli-progress";
import type { Tally } from "./tally.js";

export interface Screen {
  /** Shows a progress bar, where standard error is a terminal. */
  begin(total: number, tally: Tally): Promise<void>;
  /** Takes the bar away. */
  end(): void;
  note(text: string): void;
  result(text: string): void;
}

export function screen(output: NodeJS.WritableStream, errors: NodeJS.WriteStream): Screen {
  let bar: SingleBar | undefined;
  return {
    async begin(total, tally) {
      if (!errors.isTTY || total === 0) return;
      const { default: progress } = await import("cli-progress");
      // Made anew at each drawing, so that no caller has to update the bar.
      const format = (options: object): string => {
        const { atRest, completed, rolledBackInAll, stuck } = tally;
        const counts = `${atRest}/${total}  completed ${completed}  rolled back ${rolledBackInAll}  stuck ${stuck}`;
        return `${progress.Format.BarFormat(atRest / total, options)} ${counts}`;
      };
      // The command has its own way to end at a signal.
      bar = new progress.SingleBar({
        format,
        stream: errors,
        hideCursor: true,
        clearOnComplete: true,
        gracefulExit: false,
      });
      bar.start(total, 0);
    },
    end() {
      bar?.stop();
      bar = undefined;
    },
    note(text) {
      // In place of the bar, which is drawn again below.
      errors.write(bar === undefined ? `${text}\n` : `\r\u001b[K${text}\n`);
    },
    result(text) {
      output.write(`${text}\n`);
    },
  };
}
