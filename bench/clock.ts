/** How long a virtual month takes with an execution that waits. */
import { Launcher, memoryStore } from "stepwell";
import { VirtualClock } from "stepwell/testing";
import type { Figure } from "./report.js";
import { order, parked } from "./work.js";

const rounds = 5;

export async function clock(): Promise<Figure[]> {
  const time = new VirtualClock();
  const launcher = new Launcher({ store: memoryStore({ clock: time }), workflows: [parked] });
  await launcher.start();
  await launcher.launch(parked, order);
  let value = Infinity;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await time.advance("30d");
    value = Math.min(value, performance.now() - began);
  }
  const stopped = launcher.stop();
  await time.advance("1m");
  await stopped;
  return [{ name: "clock.advance", value, unit: "ms (30 days)" }];
}
