#!/usr/bin/env node
import { main } from "./program.js";

const exitCode = await main(process.argv.slice(2));
// A server or a pool that the user's module has left open must not keep the command alive; output that was written must get out.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));
