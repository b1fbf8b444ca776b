/**
 * What launchers and a server on machines that are not here would do: real launchers, by a virtual clock, on a store whose
 * writes take the time that this machine's parts were measured to take. The same is asked of this machine, to be compared
 * with what `scale` measures.
 */
import { Launcher, memoryStore, type Store } from "stepwell";
import { VirtualClock } from "stepwell/testing";
import type { Figure } from "../figures.js";
import { Log, passed, sleep, Station } from "../support/machine.js";
import { order, up } from "../support/work.js";
import { costs, type Costs } from "./parts.js";

interface Setting {
  readonly launchers: number;
  /** How many executions each launcher has in flight. */
  readonly inFlight: number;
  /** Of the server. */
  readonly processors: number;
  /** The launchers work on the server's processors. */
  readonly isShared: boolean;
  /** From a launcher to the server and back, in milliseconds. */
  readonly way: number;
  /** Of a flush of the log, in milliseconds. */
  readonly flush: number;
}

const here = { inFlight: 256, processors: 2, isShared: true, way: 0.05, flush: 0.1 };
const there = { inFlight: 256, processors: 8, isShared: false, way: 0.3, flush: 1 };
/** Half a gigabyte a second. */
const bytesPerMs = 500_000;

/** How often all that is in flight has ended before it is measured, and while it is. */
const warmTurns = 4;
const turns = 16;

const settings: Readonly<Record<string, Setting>> = {
  ...Object.fromEntries([1, 2, 4].map((launchers) => [`here.${launchers}`, { ...here, launchers }])),
  ...Object.fromEntries([1, 2, 4, 8, 16].map((launchers) => [`8-cores.${launchers}`, { ...there, launchers }])),
  "8-cores.slow-log.8": { ...there, launchers: 8, flush: 10 },
};

export async function simulated(): Promise<Figure[]> {
  const measured = await costs();
  const figures: Figure[] = [];
  for (const [name, setting] of Object.entries(settings)) figures.push(await simulate(name, setting, measured));
  return figures;
}

async function simulate(name: string, setting: Setting, taken: Costs): Promise<Figure> {
  const clock = new VirtualClock();
  const memory = memoryStore({ clock });
  const processors = new Station(clock, setting.processors);
  const log = new Log(clock, setting.flush, bytesPerMs);
  const threads = Array.from({ length: setting.launchers }, () => new Station(clock, 1));
  const launchers = threads.map((thread) => {
    const store: Store = {
      ...memory,
      // One store in all; each launcher has its own way to it.
      open: async () => undefined,
      close: async () => undefined,
      gathers: true,
      lanes: 4,
      async write(batch) {
        const rows = batch.creates.length + batch.transitions.length;
        const own = taken.launcher.batch + taken.launcher.row * rows;
        await (setting.isShared ? thread.hold(() => processors.spend(own)) : thread.spend(own));
        await sleep(clock, setting.way);
        await processors.spend(taken.server.batch + taken.server.row * rows);
        await log.flush(taken.wal * rows);
        return memory.write(batch);
      },
    };
    return new Launcher({ store, workflows: [up], clock, concurrency: setting.inFlight });
  });
  await memory.open();
  for (const launcher of launchers) await launcher.start();
  const atOnce = setting.launchers * setting.inFlight;
  const [warm, last] = [atOnce * warmTurns, atOnce * (warmTurns + turns)];
  let done = 0;
  const marks: { readonly at: number; readonly taken: number }[] = [];
  const lane = async (launcher: Launcher): Promise<void> => {
    while (done < last) {
      await (await launcher.launch(up, order)).outcome();
      done += 1;
      if (done === warm || done === last) marks.push({ at: clock.now(), taken: processors.taken });
    }
  };
  await passed(
    clock,
    launchers.flatMap((launcher) => Array.from({ length: setting.inFlight }, () => lane(launcher))),
  );
  const [began, ended] = [marks[0]!, marks[1]!];
  const length = ended.at - began.at;
  const busy = (ended.taken - began.taken) / length / setting.processors;
  await passed(
    clock,
    launchers.map((launcher) => launcher.stop()),
  );
  return {
    name: `simulated.${name}`,
    value: ((last - warm) / length) * 1000,
    unit: "executions/s",
    note: `by the model; the server's processors are ${Math.round(busy * 100)} % busy`,
  };
}
