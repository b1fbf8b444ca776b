/** What observers cost: the same work as `memory.up`, with nobody watching and with each observer, in turns. */
import { InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { pino } from "pino";
import { Launcher, memoryStore, type Observer, type StepwellError } from "stepwell";
import { changes } from "stepwell/observers/changes";
import { logger } from "stepwell/observers/logger";
import { opentelemetry } from "stepwell/observers/opentelemetry";
import { oneAfterTheOther } from "./load.js";
import type { Figure } from "./report.js";
import { up } from "./work.js";

const many = 20_000;
const rounds = 4;

/** A logger as in production: it formats what is `info`, and its lines go nowhere. */
const nowhere = { write: () => undefined };

/** The real SDK, which keeps and gathers all that it is told; only the way out leads nowhere. */
const spans = new BatchSpanProcessor(
  { export: (_, done) => done({ code: 0 }), shutdown: async () => undefined },
  { maxQueueSize: 100_000 },
);
const instruments = {
  tracer: new BasicTracerProvider({ spanProcessors: [spans] }).getTracer("bench"),
  meter: new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(0), exportIntervalMillis: 60_000 }),
    ],
  }).getMeter("bench"),
};

const watchers: Record<string, () => readonly Observer[]> = {
  none: () => [],
  logger: () => [logger(pino({}, nowhere))],
  opentelemetry: () => [opentelemetry(instruments)],
  changes: () => [changes(() => undefined)],
};

/** The best of a few rounds, each on a fresh store; `ratio` is to none. */
export async function observers(): Promise<Figure[]> {
  const best = new Map(Object.keys(watchers).map((name) => [name, 0]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, make] of Object.entries(watchers)) {
      best.set(name, Math.max(best.get(name)!, await measured(make())));
    }
  }
  const none = best.get("none")!;
  return [...best].map(([name, value]) => ({
    name: `observers.${name}`,
    value,
    unit: "executions/s",
    ...(name !== "none" && { ratio: value / none }),
  }));
}

async function measured(observing: readonly Observer[]): Promise<number> {
  const watched = observing.length === 0 ? up : up.observe(...observing);
  const launcher = new Launcher({ store: memoryStore(), workflows: [watched], onError });
  await launcher.start();
  const rate = await oneAfterTheOther(launcher, watched, many);
  await launcher.stop();
  return rate;
}

/** A collection of garbage can fall into a watcher's time, which is then told to be slow. */
function onError(error: StepwellError): void {
  if (!/ took \d+ ms/.test(error.message)) console.error(error);
}
