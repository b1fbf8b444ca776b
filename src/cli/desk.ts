/** `stepwell desk`: the page on the executions of a store, for this machine. */
import { userInfo } from "node:os";
import type { Command } from "commander";
import { onPlace, portIn } from "./arguments.js";
import { interrupted } from "./interrupted.js";
import { screen, type Screen } from "./screen.js";
import { existingStoreOn } from "./store.js";
import { described } from "./text.js";

interface DeskCommandOptions {
  readonly store: string;
  readonly schema?: string;
  readonly port: number;
  readonly by?: string;
  readonly redact?: readonly string[];
  readonly debug?: boolean;
}

export function addDesk(program: Command): void {
  onPlace(program.command("desk"))
    .summary("open the desk in a browser of this machine")
    .description(
      "Opens a page on the executions of a store, for this machine alone, and prints its address with a token in it. No step runs " +
        "here, and no workflow's code is needed. To open it to others, mount it in a server of your own: see docs/desk.md.",
    )
    .option("--port <number>", "where it listens at 127.0.0.1; 0: anywhere", portIn, 4949)
    .option("--by <name>", "who acts; kept in the history (default: the user of this machine)")
    .option("--redact <paths...>", "paths into the values that are shown, whose contents are hidden")
    .option("--debug", "show the stack and the causes of an error")
    .addHelpText("after", "\nExample:\n  $ stepwell desk --store orders.db")
    .action((options: DeskCommandOptions) => showDesk(options, screen(process.stdout, process.stderr)));
}

async function showDesk(options: DeskCommandOptions, out: Screen): Promise<void> {
  const { store, schema, port, by = userInfo().username, redact = [], debug = false } = options;
  const onError = (error: unknown): void => out.note(described(error, debug));
  const [{ Client }, { openDesk }] = await Promise.all([import("../index.js"), import("../desk/index.js")]);
  const client = new Client({ store: await existingStoreOn(store, schema), onError });
  try {
    const open = await openDesk(client, { port, by, redact, onError });
    out.result(open.address);
    out.note(
      "The address is for one browser of this machine, and holds a token: it is not shown again. Ctrl-C ends the desk.",
    );
    await interrupted();
    await open.close();
  } finally {
    await client.stop();
  }
}
