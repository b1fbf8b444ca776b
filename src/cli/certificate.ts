/** What an execution did and what is left of it, for people, for programs, and to hold against the store. */
import { certificateMarkdown, certificateText, StepwellError, type Certificate } from "../index.js";
import { asking, operateCodes, valueOf, type OperateOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

export interface CertificateCommandOptions extends OperateOptions {
  readonly markdown?: boolean;
  /** The path of a file with a certificate, as JSON. */
  readonly verify?: string;
}

export function certificate(id: string, options: CertificateCommandOptions, screen: Screen): Promise<number> {
  const { markdown = false, json = false, verify } = options;
  return asking(options, screen, async (client) => {
    if (verify !== undefined) {
      const given = valueOf(`@${verify}`, "--verify") as Certificate | null;
      if (given?.execution !== id) {
        throw new StepwellError(
          "STEPWELL_INVALID_ARGUMENT",
          `The file "${verify}" holds no certificate of execution "${id}".`,
        );
      }
      const found = await client.verifyCertificate(given);
      if (json) screen.result(jsonLine({ execution: id, ...found }));
      else
        screen.result(
          clean(found.valid ? valid(found.why) : `Not valid: ${whyNot[found.why]} (execution "${found.execution}").`),
        );
      return found.valid ? operateCodes.done : operateCodes.refused;
    }
    const made = await client.execution(id).certificate();
    if (json) screen.result(jsonLine(made));
    else
      screen.result((markdown ? certificateMarkdown(made) : certificateText(made)).split("\n").map(clean).join("\n"));
    return operateCodes.done;
  });
}

function valid(why: "gone-on" | undefined): string {
  return why === undefined
    ? "Valid: the store says the same."
    : "Valid: what it says is in the store. The execution has gone on since.";
}

const whyNot = {
  changed: "the store says something else",
  pruned: "the execution is not in the store any more",
} as const;
