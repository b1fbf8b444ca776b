/** A million executions: most completed, many waiting, and some hundreds each of what is rare. */
import { setTimeout } from "node:timers/promises";
import { Launcher, type AnyWorkflow, type LaunchOptions, type Store } from "stepwell";
import type { Kind } from "./copies.js";
import type { Measured } from "./load.js";
import { breaking, deaf, down, order, parked, rare, up } from "./work.js";

const day = 24 * 60 * 60 * 1000;
/** The first was created so long ago, the last one just now. */
const age = 90 * day;

export const common = "west";
export const uncommon = "fragile";

const workflows: readonly AnyWorkflow[] = [up, down, parked, rare, breaking, deaf];

/** What is stuck is meant to be. */
export async function launcherFor(store: Store): Promise<Launcher> {
  const launcher = new Launcher({ store, workflows, onError: () => undefined });
  await launcher.start();
  return launcher;
}

interface Sort {
  readonly workflow: Measured;
  readonly status: string;
  readonly copies: number;
  readonly options?: LaunchOptions;
}

const sorts: readonly Sort[] = [
  { workflow: up, status: "completed", copies: 600_000 },
  { workflow: parked, status: "waiting", copies: 398_200 },
  { workflow: breaking, status: "stuck", copies: 300 },
  { workflow: down, status: "rolledBack", copies: 300 },
  { workflow: up, status: "scheduled", copies: 300, options: { delay: "365d" } },
  { workflow: rare, status: "completed", copies: 300 },
  { workflow: up, status: "completed", copies: 300, options: { tags: [common, uncommon] } },
  // Each of them leaves a dead letter.
  { workflow: deaf, status: "completed", copies: 300 },
];

/** One of each, made by the engine, to be copied. */
export async function kindsFor(launcher: Launcher): Promise<Kind[]> {
  const now = Date.now();
  const kinds: Kind[] = [];
  for (const { workflow, status, copies, options } of sorts) {
    const execution = await launcher.launch(workflow, order, { tags: [common], ...options });
    if (workflow === deaf) {
      await execution.send("later", null);
      await execution.send("go", null);
    }
    while ((await execution.summary()).status !== status) await setTimeout(5);
    kinds.push({ id: execution.id, copies, from: now - age, every: Math.floor(age / (copies + 1)) });
  }
  return kinds;
}

/** A time in the midst of them, and one shortly before the last. */
export function times(): { readonly midst: Date; readonly late: Date } {
  return { midst: new Date(Date.now() - age / 2), late: new Date(Date.now() - day) };
}
