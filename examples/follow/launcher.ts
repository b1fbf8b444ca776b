/** A process with a launcher, until it is told to stop: `tsx launcher.ts <store>`. */
import { Launcher } from "stepwell";
import { sqliteStore } from "stepwell/sqlite";
import { delivery } from "./delivery.js";

const launcher = new Launcher({
  store: sqliteStore(process.argv[2]!),
  workflows: [delivery],
  pollInterval: "100ms",
  onError: () => undefined,
});
await launcher.start();
process.on("SIGTERM", () => void launcher.stop());
console.log("works");
