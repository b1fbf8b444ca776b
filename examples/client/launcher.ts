/** A process with a launcher, until it is told to stop: `tsx launcher.ts <store>`. */
import { Launcher, type Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import { sale } from "./refund.js";

const [, , place = "orders.db", schema] = process.argv;
const store: Store = schema === undefined ? sqliteStore(place) : postgresStore(place, { schema });

const launcher = new Launcher({ store, workflows: [sale], pollInterval: "100ms", onError: () => undefined });
await launcher.start();
process.on("SIGTERM", () => void launcher.stop());
console.log("works");
