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
import { ratesInTurns } from "../support/turns.js";
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

/** `ratio` is to none. */
export async function observers(): Promise<Figure[]> {
  const used = instruments();
  const watchers: readonly (readonly [name: string, observers: () => readonly Observer[]])[] = [
    ["none", () => []],
    ["logger", () => [logger(pino({}, nowhere))]],
    ["opentelemetry", () => [opentelemetry(used)]],
    ["changes", () => [changes(() => undefined)]],
  ];
  const rates = await ratesInTurns(watchers, ([, observing]) => rateOf(observing()));
  return watchers.map(([name], index) => ({
    name: `observers.${name}`,
    value: rates[index]!,
    unit: "executions/s",
    ...(name !== "none" && { ratio: rates[index]! / rates[0]!, to: "nobody watching" }),
  }));
}

/** On a fresh store. */
async function rateOf(observing: readonly Observer[]): Promise<number> {
  collectGarbage();
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
