/** A report for each night, on a virtual clock: three days in no time, one of them without a process. */
import { Launcher, memoryStore, workflow } from "stepwell";
import { VirtualClock } from "stepwell/testing";
import { z } from "zod";

const report = workflow("report", { input: z.object({ region: z.string() }) }).step("write", {
  run: ({ state, execution }) => console.log("report for", state.region, "as", execution.id),
  irreversible: "A report that was read can't be taken back.",
});

const clock = new VirtualClock({ start: Date.UTC(2026, 9, 23, 12) });
const store = memoryStore({ clock });
await store.open();
const settings = {
  store,
  workflows: [report],
  pollInterval: "1h",
  heartbeat: { interval: "1h", timeout: "3h" },
} as const;

const first = new Launcher(settings);
await first.start();
await first.schedules.set(
  "nightly",
  report,
  { region: "eu" },
  { cron: "30 2 * * *", timezone: "Europe/Berlin", missed: "once" },
);
await clock.advance("1d");
await first.stop();

console.log("no launcher for two nights");
clock.skip("2d");

await using second = new Launcher(settings);
await second.start();
await clock.advance("1s");
const { nextAt } = await second.schedules.get("nightly");
console.log("next at", nextAt?.toISOString());

await second.schedules.pause("nightly");
const byHand = await second.schedules.trigger("nightly");
console.log("by hand:", (await byHand.outcome()).status);
await second.schedules.delete("nightly");
