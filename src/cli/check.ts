/** `stepwell check`: what the workflows of a module leave open. */
import Table from "cli-table3";
import { findings, type Finding } from "../index.js";
import { loadWorkflows } from "./load-workflow.js";
import type { Screen } from "./screen.js";
import { clean } from "./text.js";

export interface CheckOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** What the process ends with. Errors end it with 2. */
const exitCodes = { nothing: 0, found: 1 } as const;

/** Gives back the exit code. @throws STEPWELL_INVALID_MODULE */
export async function check(path: string, options: CheckOptions, screen: Screen): Promise<number> {
  const workflows = await loadWorkflows(path);
  const found = workflows.flatMap((workflow) => findings(workflow));
  if (options.json === true) {
    const checked = workflows.map(({ name, version }) => ({ workflow: name, version }));
    screen.result(JSON.stringify({ checked, findings: found }));
  } else if (found.length === 0) {
    screen.result(`Nothing was found in ${workflows.length === 1 ? "1 workflow" : `${workflows.length} workflows`}.`);
  } else {
    screen.result(table(found));
  }
  return found.length === 0 ? exitCodes.nothing : exitCodes.found;
}

/** Wide enough for most problems in two or three lines, and narrow enough for most terminals. */
const problemWidth = 70;

function table(found: readonly Finding[]): string {
  // Without colours: this may go into a file.
  const shown = new Table({
    head: ["workflow", "version", "step", "problem"],
    colWidths: [null, null, null, problemWidth],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  shown.push(
    ...found.map(({ workflow, version, step, kind, problem }) =>
      [workflow, version, step, `${kind}: ${problem}`].map(clean),
    ),
  );
  return shown.toString();
}
