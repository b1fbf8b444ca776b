#!/usr/bin/env node
import { main } from "./program.js";

const exitCode = await main(process.argv.slice(2));
// What the user's module has left open (a server, a pool) must not keep the command alive; what was written must get out.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));
