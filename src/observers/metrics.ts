import { createRequire } from "node:module";
import type * as library from "prom-client";
import type { Counter, Gauge, Histogram, OpenMetricsContentType, Registry } from "prom-client";
import { checkedObserver, probeResultOf, type Observer } from "../definition/observer.js";
import { invalidArgument, missingFunction, refuseUnknownOptions, shown } from "../values/options.js";

/** A registry of either text format. */
export type MetricsRegistry = Registry | Registry<OpenMetricsContentType>;

export interface MetricsOptions {
  /** Where the metrics are registered. Default: prom-client's global registry. */
  readonly registry?: MetricsRegistry;
  /**
   * Asks the store which executions are stuck, at each scrape; such as
   * `() => launcher.list({ status: "stuck", children: true, limit: 1000 })`. Default: what this process has seen getting stuck and
   * not yet seen going on, which after a restart is none.
   */
  readonly stuck?: () => PromiseLike<StuckPage>;
  /**
   * Asks the store how many dead letters there are, at each scrape: `() => launcher.countDeadLettersByWorkflow()`.
   * Default: there is no such metric.
   */
  readonly deadLetters?: () => PromiseLike<readonly LetterCount[]>;
}

/** A page of `launcher.list`, of which only the names of the workflows are read. */
export interface StuckPage {
  readonly executions: readonly { readonly workflow: string }[];
  /** Executions whose row can't be read need an operator too. */
  readonly damaged?: readonly { readonly workflow: string }[];
}

/** An item of `launcher.countDeadLettersByWorkflow`. */
export interface LetterCount {
  readonly workflow: string;
  readonly count: number;
}

/**
 * A watcher that counts, for Prometheus: `stepwell_…` metrics of `prom-client`, which must be installed. For programs
 * without OpenTelemetry.
 *
 * Labels are the names of workflows and steps, directions, statuses and error codes: never ids, nor reasons. It may be
 * called as often as you like with the same registry.
 *
 * @example
 * fulfilOrder.observe(metrics({ stuck: () => launcher.list({ status: "stuck", children: true, limit: 1000 }) }));
 * server.get("/metrics", async () => register.metrics());
 *
 * @throws STEPWELL_INVALID_ARGUMENT if prom-client is not installed, or an option is not usable; STEPWELL_UNKNOWN_OPTION
 */
export function metrics(options: MetricsOptions = {}): Observer {
  refuseUnknownOptions(options, ["registry", "stuck", "deadLetters"], "metrics(…)");
  const client = promClient();
  const { registry = client.register, stuck, deadLetters } = options;
  if (missingFunction(registry, ["getSingleMetric", "registerMetric"]) !== undefined) {
    throw invalidArgument(`metrics(…): "registry" must be a registry of prom-client, not ${shown(registry)}`);
  }
  if (stuck !== undefined && typeof stuck !== "function") {
    throw invalidArgument(`metrics(…): "stuck" must be a function, not ${shown(stuck)}`);
  }
  if (deadLetters !== undefined && typeof deadLetters !== "function") {
    throw invalidArgument(`metrics(…): "deadLetters" must be a function, not ${shown(deadLetters)}`);
  }
  if (deadLetters !== undefined) countLetters(client, registry, deadLetters);
  const to = instruments(client, registry);
  if (stuck !== undefined) stuckSources.set(to.stuck, stuck);
  const park = seeing(to.stuck);
  const struggle = seeing(to.struggling);
  return checkedObserver<unknown>({
    name: "metrics",
    wake: ({ execution: { workflow }, revision, claims, lateMs }) => {
      if (revision === 0 && claims === 1) to.started.inc({ workflow });
      to.claimDelay.observe({ workflow }, lateMs / 1000);
    },
    afterStep: ({ execution: { workflow }, step, flow, durationMs = 0 }) => {
      const result = flow.lastResult === "ok" ? "ok" : "failed";
      const labels = { workflow, step: step?.name ?? "", direction: flow.direction, result };
      to.stepDuration.observe(labels, durationMs / 1000);
    },
    commit: ({ execution: { id, workflow }, status, struggling, transition, called }) => {
      const { step, func, backTo } = transition;
      if (func === "probe" && called) to.probes.inc({ workflow, step, result: probeResultOf(transition) });
      if (backTo !== undefined) to.rewinds.inc({ workflow });
      if (status === "completed" || status === "rolledBack" || status === "stuck")
        to.executions.inc({ workflow, status });
      park(id, workflow, status === "stuck");
      struggle(id, workflow, struggling);
    },
    rest: ({ execution: { workflow }, pending, lost }) => {
      // An execution that another launcher owns is counted there.
      if (!lost) to.mailboxDepth.observe({ workflow }, pending);
    },
    error: ({ error: { code }, workflow }) => {
      to.errors.inc({ workflow, code });
      if (code === "STEPWELL_OWNERSHIP_LOST") to.refusedCommits.inc({ workflow });
      if (code === "STEPWELL_OBSERVER_FAILED") to.observerErrors.inc({ workflow });
    },
  });
}

type PromClient = typeof library;

function promClient(): PromClient {
  try {
    return createRequire(import.meta.url)("prom-client") as PromClient;
  } catch (cause) {
    const problem = `needs the package "prom-client", which could not be loaded. Install it (npm install prom-client)`;
    throw invalidArgument(`metrics(…) ${problem}`, cause);
  }
}

interface Instruments {
  readonly started: Counter<"workflow">;
  readonly executions: Counter<"workflow" | "status">;
  readonly stepDuration: Histogram<"workflow" | "step" | "direction" | "result">;
  readonly probes: Counter<"workflow" | "step" | "result">;
  readonly rewinds: Counter<"workflow">;
  readonly claimDelay: Histogram<"workflow">;
  readonly mailboxDepth: Histogram<"workflow">;
  readonly stuck: Gauge<"workflow">;
  readonly struggling: Gauge<"workflow">;
  readonly refusedCommits: Counter<"workflow">;
  readonly observerErrors: Counter<"workflow">;
  readonly errors: Counter<"workflow" | "code">;
}

type MakeCounter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) => Counter<Label>;

/** What is counted without an end. */
function counts(
  counter: MakeCounter,
): Pick<Instruments, "probes" | "rewinds" | "refusedCommits" | "observerErrors" | "errors"> {
  return {
    probes: counter(
      "stepwell_probes_total",
      "How often probes were asked, by what they answered",
      ...(["workflow", "step", "result"] as const),
    ),
    rewinds: counter("stepwell_rewinds_total", "How often executions were sent back to a step", "workflow"),
    refusedCommits: counter(
      "stepwell_refused_commits_total",
      "Commits refused because another launcher had the execution",
      "workflow",
    ),
    observerErrors: counter("stepwell_observer_errors_total", "Reports of observers that failed", "workflow"),
    errors: counter("stepwell_errors_total", "Errors reported to onError", ...(["workflow", "code"] as const)),
  };
}

/** In seconds: from a local call to a call that a person waits for. */
const stepBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** In seconds: where it is longer than a minute, no launcher was there. */
const delayBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600];

const depthBuckets = [0, 1, 2, 5, 10, 50, 100, 1000];

/** The metrics of the registry, made where it has none. */
function instruments({ Counter, Gauge, Histogram }: PromClient, registry: MetricsRegistry): Instruments {
  const registers = [registry];
  const known = <Metric>(name: string, make: () => Metric): Metric =>
    (registry.getSingleMetric(name) as Metric | undefined) ?? make();
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
    known(name, () => new Counter({ name, help, labelNames, registers }));
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ): Histogram<Label> => known(name, () => new Histogram({ name, help, buckets, labelNames, registers }));
  const gauge = { name: "stepwell_executions_stuck", help: "Executions that need an operator", registers };
  return {
    started: counter("stepwell_executions_started_total", "Executions that were begun", "workflow"),
    executions: counter(
      "stepwell_executions_total",
      "Executions that came to rest: completed, rolledBack or stuck",
      ...(["workflow", "status"] as const),
    ),
    stepDuration: histogram(
      "stepwell_step_duration_seconds",
      "How long attempts of steps took, those that paused left out",
      stepBuckets,
      ...(["workflow", "step", "direction", "result"] as const),
    ),
    claimDelay: histogram(
      "stepwell_claim_delay_seconds",
      "How long executions had been due when a launcher took them up",
      delayBuckets,
      "workflow",
    ),
    mailboxDepth: histogram(
      "stepwell_mailbox_depth",
      "Messages that nobody has taken, when an execution is let go",
      depthBuckets,
      "workflow",
    ),
    stuck: known(gauge.name, () => new Gauge({ ...gauge, labelNames: ["workflow"] as const, collect: countStuck })),
    struggling: known(
      "stepwell_executions_struggling",
      () =>
        new Gauge({
          name: "stepwell_executions_struggling",
          help: "Executions whose step has failed five times or more and is tried again",
          registers,
          labelNames: ["workflow"] as const,
        }),
    ),
    ...counts(counter),
  };
}

/** By gauge: the function that says which executions are stuck; the last one that was given. */
const stuckSources = new WeakMap<object, () => PromiseLike<StuckPage>>();

/** By gauge: the workflows that it has reported. A workflow that has no such executions any more is reported as 0. */
const toldOf = new WeakMap<object, Set<string>>();

function tell(gauge: Gauge<"workflow">, counts: ReadonlyMap<string, number>): void {
  const told = toldOf.get(gauge) ?? new Set();
  toldOf.set(gauge, told);
  for (const workflow of counts.keys()) told.add(workflow);
  for (const workflow of told) gauge.set({ workflow }, counts.get(workflow) ?? 0);
}

async function countStuck(this: Gauge<"workflow">): Promise<void> {
  const source = stuckSources.get(this);
  if (source === undefined) return;
  try {
    const { executions, damaged = [] } = await source();
    const counts = new Map<string, number>();
    for (const { workflow } of [...executions, ...damaged]) counts.set(workflow, (counts.get(workflow) ?? 0) + 1);
    tell(this, counts);
  } catch {
    // A store that does not answer must not take the metrics of the whole process with it. The last count stays.
  }
}

/** By gauge: the function that counts dead letters; the last one that was given. */
const letterSources = new WeakMap<object, NonNullable<MetricsOptions["deadLetters"]>>();

/** A gauge, since dead letters are sent again and pruned, also by other processes. */
function countLetters(
  { Gauge }: PromClient,
  registry: MetricsRegistry,
  source: NonNullable<MetricsOptions["deadLetters"]>,
): void {
  const gauge = {
    name: "stepwell_dead_letters",
    help: "Messages that no step took, and that were not sent again",
    registers: [registry],
    labelNames: ["workflow"] as const,
  };
  const known = registry.getSingleMetric(gauge.name) as Gauge<"workflow"> | undefined;
  letterSources.set(known ?? new Gauge({ ...gauge, collect: askForLetters }), source);
}

async function askForLetters(this: Gauge<"workflow">): Promise<void> {
  try {
    const counts = await letterSources.get(this)?.();
    if (counts !== undefined) tell(this, new Map(counts.map(({ workflow, count }) => [workflow, count])));
  } catch {
    // A store that does not answer leaves the last count.
  }
}

/** Counts executions that this process sees getting stuck, or struggling, and going on: for a gauge without a function that knows. */
function seeing(gauge: Gauge<"workflow">): (id: string, workflow: string, isSo: boolean) => void {
  const seen = new Set<string>();
  return (id, workflow, isSo) => {
    if (stuckSources.has(gauge) || isSo === seen.has(id)) return;
    if (isSo) seen.add(id);
    else seen.delete(id);
    gauge[isSo ? "inc" : "dec"]({ workflow });
  };
}
