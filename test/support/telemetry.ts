/** The real SDK of OpenTelemetry, keeping what it is told. */
import { metrics, propagation, trace, type AttributeValue, type HrTime } from "@opentelemetry/api";
import { W3CBaggagePropagator, CompositePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { context } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
} from "@opentelemetry/sdk-trace-base";
import { opentelemetry, type OpenTelemetryOptions } from "../../src/observers/opentelemetry/index.js";
import type { Observer } from "../../src/index.js";

/** What an SDK registers for the whole process. */
export function register(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }));
}

export function unregister(): void {
  for (const api of [context, propagation, trace, metrics]) api.disable();
}

class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** A measurement: its attributes without `stepwell.`, and its value; of a histogram, `[count, sum]`. */
export type Point = readonly [Readonly<Record<string, unknown>>, unknown];

/** One process's telemetry. */
export interface Telemetry {
  readonly observer: Observer;
  readonly provider: BasicTracerProvider;
  /** What has ended, in that order. */
  spans(): readonly ReadableSpan[];
  /** The spans of that name. */
  named(name: string): readonly ReadableSpan[];
  measured(name: string): Promise<readonly Point[]>;
  /** Everything that was recorded, as text. */
  everything(): Promise<string>;
}

export function telemetry(options: OpenTelemetryOptions & { readonly sampler?: Sampler } = {}): Telemetry {
  const { sampler, ...rest } = options;
  const exporter = new InMemorySpanExporter();
  const resource = resourceFromAttributes({ "service.name": "test" });
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  const provider = new BasicTracerProvider({ resource, spanProcessors, ...(sampler !== undefined && { sampler }) });
  const reader = new Reader();
  const meters = new MeterProvider({ resource, readers: [reader] });
  const scopes = async () => (await reader.collect()).resourceMetrics.scopeMetrics;
  const spans = (): readonly ReadableSpan[] => exporter.getFinishedSpans();
  return {
    provider,
    observer: opentelemetry({ tracer: provider.getTracer("test"), meter: meters.getMeter("test"), ...rest }),
    spans,
    named: (name) => spans().filter((span) => span.name === name),
    async measured(name) {
      const found = (await scopes()).flatMap((scope) => scope.metrics).find((it) => it.descriptor.name === name);
      return (found?.dataPoints ?? []).map(({ attributes, value }) => [
        short(attributes),
        typeof value === "object" && "count" in value ? [value.count, value.sum] : value,
      ]);
    },
    async everything() {
      const shown = spans().map(({ name, attributes, events, links, status }) => [
        ...[name, attributes, events, links, status],
      ]);
      return JSON.stringify([shown, await scopes()]);
    },
  };
}

export function short(attributes: Readonly<Record<string, AttributeValue | undefined>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name.replace("stepwell.", ""), value]));
}

export function milliseconds([seconds, nanoseconds]: HrTime): number {
  return seconds * 1000 + nanoseconds / 1e6;
}

/** The links of a span, as `what span id`. */
export function linksOf(span: ReadableSpan): string[] {
  return span.links.map(({ context: { spanId }, attributes }) => `${String(attributes?.["stepwell.link"])} ${spanId}`);
}
