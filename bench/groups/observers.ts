/** What observers cost: the same work as `memory.up`, with nobody watching and with each observer, in turns. */
import { InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { pino } from "pino";
import { Launcher, memoryStore, type Observer, type StepwellError } from "stepwell";
import { changes } from "stepwell/observers/changes";
import { logger } from "stepwell/observers/logger";
import { opentelemetry } from "stepwell/observers/opentelemetry";
import type { Figure } from "../figures.js";
import { collectGarbage, oneAfterTheOther } from "../support/load.js";
import { up } from "../support/work.js";

const many = 20_000;

/** A logger as in production: it formats what is `info`, and its lines go nowhere. */
const nowhere = { write: () => undefined };

/** The real SDK, which keeps and gathers all that it is told; only the way out leads nowhere. */
function instruments(): Parameters<typeof opentelemetry>[0] {
  const spans = new BatchSpanProcessor(
    { export: (_, done) => done({ code: 0 }), shutdown: async () => undefined },
    { maxQueueSize: 100_000 },
  );
  const exporter = new InMemoryMetricExporter(0);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
  return {
    tracer: new BasicTracerProvider({ spanProcessors: [spans] }).getTracer("bench"),
    meter: new MeterProvider({ readers: [reader] }).getMeter("bench"),
  };
}

/** Each on a fresh store, once to warm the compiler and once more; `ratio` is to none. */
export async function observers(): Promise<Figure[]> {
  const used = instruments();
  const watchers: Record<string, () => readonly Observer[]> = {
    none: () => [],
    logger: () => [logger(pino({}, nowhere))],
    opentelemetry: () => [opentelemetry(used)],
    changes: () => [changes(() => undefined)],
  };
  const rates = new Map<string, number>();
  for (const count of [many / 2, many]) {
    for (const [name, make] of Object.entries(watchers)) rates.set(name, await measured(make(), count));
  }
  return [...rates].map(([name, value]) => ({
    name: `observers.${name}`,
    value,
    unit: "executions/s",
    ...(name !== "none" && { ratio: value / rates.get("none")!, to: "nobody watching" }),
  }));
}

async function measured(observing: readonly Observer[], count: number): Promise<number> {
  collectGarbage();
  const watched = observing.length === 0 ? up : up.observe(...observing);
  const launcher = new Launcher({ store: memoryStore(), workflows: [watched], onError });
  await launcher.start();
  const rate = await oneAfterTheOther(launcher, watched, count);
  await launcher.stop();
  return rate;
}

/** A collection of garbage can fall into a watcher's time, which is then told to be slow. */
function onError(error: StepwellError): void {
  if (!/ took \d+ ms/.test(error.message)) console.error(error);
}
