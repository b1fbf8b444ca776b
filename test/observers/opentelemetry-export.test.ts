/** What arrives at a receiver of OTLP over HTTP. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { metrics, trace } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, workflow } from "../../src/index.js";
import { executionContext, opentelemetry } from "../../src/observers/opentelemetry/index.js";
import { register, unregister } from "../support/telemetry.js";

beforeAll(register);
afterAll(unregister);

/** The parts of OTLP's JSON that are looked at. */
interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface Resource {
  readonly resource: { readonly attributes: readonly KeyValue[] };
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: readonly KeyValue[];
}
interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: readonly { attributes: readonly KeyValue[] }[] };
  readonly histogram?: { readonly dataPoints: readonly { readonly count: number }[] };
}
interface Body {
  readonly resourceSpans?: readonly (Resource & { scopeSpans: { scope: { name: string }; spans: Span[] }[] })[];
  readonly resourceMetrics?: readonly (Resource & { scopeMetrics: { metrics: Metric[] }[] })[];
}

async function receiver(): Promise<{ readonly url: string; readonly bodies: ReadonlyMap<string, Body> }> {
  const bodies = new Map<string, Body>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.set(request.url!, JSON.parse(Buffer.concat(chunks).toString()) as Body);
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

test("arrives over OTLP/HTTP: the trace of an execution and its metrics, from the global providers, without a secret", async () => {
  const canary = "canary-4f1c";
  const { url, bodies } = await receiver();
  // Made first, as where a workflow's module is loaded before the SDK has started.
  const order = workflow("order", { input: z.object({ secret: z.string() }) })
    .step("reserve", { run: () => ({ reservation: canary }), rollback: () => undefined })
    .step("charge", { run: () => fail("declined", { details: { canary } }), rollback: () => undefined })
    .observe(opentelemetry());
  const resource = resourceFromAttributes({ "service.name": "orders" });
  const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces` }))];
  const tracers = new BasicTracerProvider({ resource, spanProcessors });
  const exporter = new OTLPMetricExporter({ url: `${url}/v1/metrics` });
  const meters = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter })] });
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);

  const launcher = new Launcher({ store: memoryStore(), workflows: [order] });
  await launcher.start();
  const outcome = await (await launcher.launch(order, { secret: canary }, { id: "order-1" })).outcome();
  expect(outcome.status).toBe("rolledBack");
  await launcher.stop();
  await Promise.all([tracers.shutdown(), meters.shutdown()]);

  const [spans] = bodies.get("/v1/traces")!.resourceSpans!;
  expect(spans!.resource.attributes).toContainEqual({ key: "service.name", value: { stringValue: "orders" } });
  expect(spans!.scopeSpans.map(({ scope }) => scope.name)).toEqual(["stepwell"]);
  const arrived = spans!.scopeSpans[0]!.spans;
  expect(arrived.map(({ name }) => name)).toEqual([
    ...["run reserve", "run charge", "rollback charge", "rollback reserve", "burst order"],
  ]);
  const origin = trace.getSpanContext(executionContext({ workflow: "order", id: "order-1" }))!;
  expect(new Set(arrived.map(({ traceId }) => traceId))).toEqual(new Set([origin.traceId]));
  const burst = arrived.at(-1)!;
  expect(arrived.map(({ parentSpanId }) => parentSpanId)).toEqual([...Array(4).fill(burst.spanId), origin.spanId]);
  expect(arrived[1]!.attributes).toContainEqual({ key: "error.type", value: { stringValue: "declined" } });

  const measured = new Map(
    bodies
      .get("/v1/metrics")!
      .resourceMetrics!.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      .map((metric) => [metric.name, metric]),
  );
  expect(measured.get("stepwell.execution.rests")!.sum!.dataPoints[0]!.attributes).toContainEqual({
    key: "stepwell.status",
    value: { stringValue: "rolledBack" },
  });
  expect(measured.get("stepwell.step.duration")).toMatchObject({ unit: "s" });
  expect(measured.get("stepwell.step.duration")!.histogram!.dataPoints.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
  expect(JSON.stringify([...bodies])).not.toContain(canary);
});
