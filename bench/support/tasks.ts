/** Run by `helper.ts`: `<task> <store> <where> …`. */
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Launcher, memoryStore, type Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { sqliteStore } from "stepwell/sqlite";
import { inFlight, launcherOn } from "./load.js";
import { echo, order, parked, up } from "./work.js";

const [task = "", place = "", ...words] = process.argv.slice(2);
const goOn = async (): Promise<void> => {
  await once(process, "message");
};
const tell = (answer: object): void => {
  process.send!(answer);
};

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** `drive <url> <schema> <count>`: that many executions, when it is told to. */
  async drive() {
    const [schema = "", count] = words;
    const launcher = await launcherOn(postgresStore(place, { schema }), [up]);
    await inFlight(launcher, up, 500);
    tell({ ready: true });
    await goOn();
    await inFlight(launcher, up, Number(count));
    tell({ done: true });
    await launcher.stop();
  },

  /** `answer <url> <schema> <notifications>`: executions whose messages are sent elsewhere. */
  async answer() {
    const [schema = "", notifications] = words;
    const store = postgresStore(place, { schema, notifications: notifications === "true" });
    const launcher = new Launcher({ store, workflows: [echo] });
    await launcher.start();
    tell({ ready: true });
    await goOn();
    await launcher.stop();
  },

  /** `boot <place> [<schema>]`: how long a start takes. */
  async boot() {
    const began = performance.now();
    const launcher = await launcherOn(storeAt(words[0]), [parked, up]);
    tell({ milliseconds: performance.now() - began });
    await launcher.stop();
  },

  /** `park <folder> <count>`: what the process takes before, with that many executions that wait, and after. */
  async park() {
    const count = Number(words[0]);
    const warm = await launcherOn(sqliteStore(join(place, "warm.db")), [parked]);
    await park(warm, count / 2);
    await warm.stop();
    const before = await memory();
    const launcher = await launcherOn(sqliteStore(join(place, "parked.db")), [parked]);
    await park(launcher, count);
    const beside = await memory();
    await launcher.stop();
    tell({ before, beside, after: await memory() });
  },

  /** `families <place> <count> <schema>`: children beside launches, on the memory store where no place is given. */
  async families() {
    const { familyRates } = await import("./family-load.js");
    const [count, schema = ""] = words;
    const store = place === "" ? memoryStore() : storeAt(schema === "" ? undefined : schema);
    tell(await familyRates(store, Number(count)));
  },

  /** `parkFamilies <file> <few> <more> <children>`: what it takes with few parents that wait for children that wait, and with more. */
  async parkFamilies() {
    const { parkedFamily } = await import("./family.js");
    const [few, more, children] = words.map(Number) as [number, number, number];
    const launcher = await launcherOn(sqliteStore(place), [parkedFamily]);
    await parkFamilies(launcher, few, children);
    const before = await memory();
    await parkFamilies(launcher, more, children);
    tell({ before, beside: await memory() });
    await launcher.stop();
  },
};

/** Loaded by its task: commits of old have no children. */
async function parkFamilies(launcher: Launcher, parents: number, children: number): Promise<void> {
  const { parkedFamily } = await import("./family.js");
  const items = Array.from({ length: children }, () => order);
  for (let i = 0; i < parents; i++) {
    const { id: root } = await launcher.launch(parkedFamily, { items });
    while ((await launcher.select({ root, status: "waiting" }).count()).count < children) await setTimeout(20);
  }
}

function storeAt(schema: string | undefined): Store {
  return schema === undefined ? sqliteStore(place) : postgresStore(place, { schema });
}

async function park(launcher: Launcher, count: number): Promise<void> {
  const chunk = 500;
  for (let done = 0; done < count; done += chunk) {
    const items = Array.from({ length: chunk }, () => ({ input: order }));
    const last = (await launcher.launchMany(parked, items)).at(-1)!;
    while ((await last.summary()).status !== "waiting") await setTimeout(1);
  }
}

/** When all is quiet, and what nobody needs is gone. */
async function memory(): Promise<{ readonly rss: number; readonly heap: number }> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc!();
    await setTimeout(100);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}

await tasks[task]!();
process.disconnect();
