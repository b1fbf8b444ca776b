/** One round of one group: `<group> <options as JSON>`. Sends the figures to the process that asks for them. */
import type { Figure, GroupOptions } from "./figures.js";
import { groups } from "./registry.js";

export type RoundAnswer = { readonly figures: readonly Figure[] } | { readonly problem: string };

const [name = "", options = "{}"] = process.argv.slice(2);

/** An exit ends a server that was started, a signal alone would not. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));
process.once("disconnect", () => process.exit());

async function answer(): Promise<RoundAnswer> {
  try {
    const run = await groups[name]!.load();
    return { figures: await run(JSON.parse(options) as GroupOptions) };
  } catch (error) {
    return { problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.send!(await answer(), () => process.exit());
