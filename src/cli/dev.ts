/** `stepwell dev`: drives the workflows of a module while somebody writes them, and shows the desk. One command. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { userInfo } from "node:os";
import { extname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openDesk } from "../desk/index.js";
import { Client, Launcher } from "../index.js";
import { interrupted } from "./interrupted.js";
import { loadWorkflows } from "./load-workflow.js";
import type { Screen } from "./screen.js";
import { storeOn } from "./store.js";
import { clean, described } from "./text.js";

export interface DevOptions {
  readonly store: string;
  readonly schema?: string;
  readonly port: number;
  readonly desk: boolean;
  readonly debug?: boolean;
  /** Set in the process that drives: it is started anew whenever a file of the module has changed. */
  readonly drives?: boolean;
}

export async function dev(module: string, options: DevOptions, screen: Screen): Promise<void> {
  if (options.drives === true) return drive(module, options, screen);
  const { store: place, schema, port, desk } = options;
  const store = await storeOn(place, schema);
  const onError = (error: unknown): void => screen.note(described(error, options.debug === true));
  // Opened first: the tables are there before two processes ask for them.
  const client = new Client({ store, onError });
  await client.list({ limit: 1 });
  const driving = watched(module, options);
  try {
    if (desk) {
      const open = await openDesk(client, { port, by: userInfo().username, redact: [], onError });
      screen.result(`Desk: ${open.address}`);
      await interrupted();
      await open.close();
    } else await interrupted();
  } finally {
    await ended(driving);
    await client.stop();
  }
}

/** Node starts it anew when a file changes that it has imported; what is under way may finish before. */
function watched(module: string, { store, schema }: DevOptions): ChildProcess {
  const words = ["dev", module, "--drives", "--store", store, ...(schema === undefined ? [] : ["--schema", schema])];
  const main = fileURLToPath(new URL("main.js", import.meta.url));
  const flags = ["--watch", "--watch-preserve-output", ...process.execArgv, ...loaderFor(module)];
  return spawn(process.execPath, [...flags, main, ...words], { stdio: ["ignore", "inherit", "inherit"] });
}

/** TypeScript needs a loader where Node does not run it: tsx, if the project has it. */
function loaderFor(module: string): string[] {
  if (!/^\.[cm]?tsx?$/.test(extname(module)) || process.execArgv.some((it) => it.includes("tsx"))) return [];
  try {
    const loader = createRequire(resolve(module)).resolve("tsx");
    return [`--import=${pathToFileURL(loader).href}`];
  } catch {
    return [];
  }
}

async function drive(module: string, { store, schema, debug = false }: DevOptions, screen: Screen): Promise<void> {
  const workflows = await loadWorkflows(module);
  const launcher = new Launcher({
    store: await storeOn(store, schema),
    workflows,
    onError: (error) => screen.note(described(error, debug)),
  });
  await launcher.start();
  screen.note(clean(`Driving ${workflows.map(({ name, version }) => `${name}, version ${version}`).join("; ")}.`));
  await interrupted();
  await launcher.stop();
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}
