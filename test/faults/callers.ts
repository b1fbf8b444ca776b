/** In a process of its own: thousands of callers that ask again and again, while the database is away for so long. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { Launcher, pause as wait, workflow, type StepwellError } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";

export interface Report {
  /** Bytes of the heap that are in use after a collection, one every five seconds. */
  readonly heap: readonly number[];
  /** How often each code was heard. */
  readonly codes: Readonly<Record<string, number>>;
  /** The longest that anybody waited for an answer, in milliseconds. */
  readonly slowest: number;
}

const callers = 10_000;

const waits = workflow("waits", { input: z.object({ text: z.string() }) }).step("wait", {
  messages: { go: z.string() },
  run: () => wait(),
  onMessage: () => undefined,
});

const [url, schema, seconds] = process.argv.slice(2);
const launcher = new Launcher({
  store: postgresStore(url!, { schema: schema! }),
  workflows: [waits],
  onError: () => undefined,
});
await launcher.start();
const { id } = await launcher.launch(waits, { text: "" });
process.send!("ready");
await new Promise<void>((resolve) => process.once("message", () => resolve()));

const ends = performance.now() + Number(seconds) * 1000;
const codes: Record<string, number> = {};
let slowest = 0;

async function ask(number: number): Promise<void> {
  for (let tries = 0; performance.now() < ends; tries++) {
    const began = performance.now();
    const text = `${number}/${tries} ${"x".repeat(1000)}`;
    try {
      await (number % 2 === 0 ? launcher.launch(waits, { text }) : launcher.send(id, "go", text));
    } catch (error) {
      const { code } = error as StepwellError;
      codes[code] = (codes[code] ?? 0) + 1;
    }
    slowest = Math.max(slowest, performance.now() - began);
    await pause(2000);
  }
}

const heap: number[] = [];
const asking = Array.from({ length: callers }, (_, number) => ask(number));
while (performance.now() < ends) {
  await pause(5000);
  globalThis.gc!();
  heap.push(process.memoryUsage().heapUsed);
}
await Promise.all(asking);
const report: Report = { heap, codes, slowest };
process.send!(report);
await new Promise<void>((resolve) => process.once("message", () => resolve()));
// The database is there again.
await launcher.launch(waits, { text: "again" }, { id: "again" });
await launcher.stop();
process.send!("went on");
process.disconnect();
