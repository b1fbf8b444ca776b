/** How long a virtual month takes with an execution that waits. */
import { Launcher, memoryStore } from "stepwell";
import { VirtualClock } from "stepwell/testing";
import { median, type Figure } from "../figures.js";
import { timed } from "../support/load.js";
import { order, parked } from "../support/work.js";

const months = 5;
/** What takes so many milliseconds in all is not done again. */
const patience = 2_000;

export async function clock(): Promise<Figure[]> {
  const time = new VirtualClock();
  const launcher = new Launcher({ store: memoryStore({ clock: time }), workflows: [parked] });
  await launcher.start();
  await launcher.launch(parked, order);
  const times: number[] = [];
  const began = performance.now();
  while (times.length < months && performance.now() - began < patience) {
    times.push(await timed(() => time.advance("30d")));
  }
  const stopped = launcher.stop();
  await time.advance("1m");
  await stopped;
  return [{ name: "clock.advance", value: median(times), unit: "ms (30 days)" }];
}
