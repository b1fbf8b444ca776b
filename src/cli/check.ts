/** `stepwell check`: what the workflows of a module leave open. */
import Table from "cli-table3";
import { findings, Launcher, type CompatibilityGroup, type Finding, type Forecast } from "../index.js";
import { loadWorkflows } from "./load-workflow.js";
import type { Screen } from "./screen.js";
import { existingStoreOn } from "./store.js";
import { clean } from "./text.js";

export interface CheckOptions {
  readonly json?: boolean;
  /** Executions in this store are looked at, in place of the definitions. */
  readonly store?: string;
  readonly schema?: string;
  readonly debug?: boolean;
}

/** The exit codes. Errors end the process with 2. */
const exitCodes = { nothing: 0, found: 1 } as const;

/** Gives back the exit code. @throws STEPWELL_INVALID_MODULE */
export async function check(path: string, options: CheckOptions, screen: Screen): Promise<number> {
  const workflows = await loadWorkflows(path);
  // What a module exports may be a child of something else that it exports.
  const all = workflows.flatMap((workflow) => findings(workflow));
  const found = [...new Map(all.map((finding) => [JSON.stringify(finding), finding])).values()];
  if (options.store !== undefined) return checkStore(workflows, options.store, options, screen);
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

/** What the workflows would do to executions in the store. Found are executions that would be parked, or whose version is unknown. */
async function checkStore(
  workflows: Awaited<ReturnType<typeof loadWorkflows>>,
  place: string,
  { schema, json }: CheckOptions,
  screen: Screen,
): Promise<number> {
  const launcher = new Launcher({ store: await existingStoreOn(place, schema), workflows });
  const groups = await launcher.compatibility();
  if (json === true) screen.result(JSON.stringify({ executions: groups }));
  else if (groups.length === 0) screen.result("No execution in the store is alive.");
  else screen.result(forecasts(groups));
  const isFound = (forecast: Forecast): boolean => forecast === "parks" || forecast === "unknown";
  return groups.every(({ forward, back }) => !isFound(forward) && !isFound(back)) ? exitCodes.nothing : exitCodes.found;
}

function forecasts(groups: readonly CompatibilityGroup[]): string {
  const shown = new Table({
    head: ["workflow", "version", "status", "at step", "count", "going on", "rolling back", "how"],
    style: { head: [], border: [] },
  });
  shown.push(
    ...groups.map(({ workflow, version, status, step, count, forward, back, to, why }) => {
      const note = why ?? (to === undefined ? "" : `to version ${to.version}, at ${to.step}`);
      return [workflow, version, status, step, String(count), forward, back, note].map(clean);
    }),
  );
  return shown.toString();
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
