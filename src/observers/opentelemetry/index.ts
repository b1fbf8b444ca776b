import type { Context, Meter, Tracer } from "@opentelemetry/api";
import { checkedObserver, type ExecutionIdentity, type Observer } from "../../definition/observer.js";
import { missingFunction, refuseUnknownOptions, shown } from "../../values/options.js";
import { StepwellError } from "../../errors.js";
import { loadApi } from "./api.js";
import { Metrics, type LetterCount } from "./metrics.js";
import { spanContextOf, Traces } from "./traces.js";

export interface OpenTelemetryOptions {
  /** Makes the spans. Default: the tracer of the global provider, also of one that is registered later. */
  readonly tracer?: Tracer;
  /** Makes the metrics. Default: the meter of the provider that is global when the first event comes. */
  readonly meter?: Meter;
  /** Record messages of errors, as the description of a span's status. Such a message may hold anything. Default: false. */
  readonly errorMessages?: boolean;
  /**
   * Asks the store how many dead letters there are, at each collection: `() => launcher.countDeadLettersByWorkflow()`.
   * Measured from now on where a `meter` is given, else from the first event on. Default: there is no such metric.
   */
  readonly deadLetters?: () => PromiseLike<readonly LetterCount[]>;
}

/**
 * A watcher that makes traces and metrics through `@opentelemetry/api`, which must be installed.
 *
 * An execution is one trace, whichever processes work on it: its trace id is made of the workflow's name and
 * the execution's id. Each burst of work is a span, linked to the burst before it and to what launched the
 * execution or sent it a message; each attempt of a step is a span in it. Times are the store's, as in the
 * history. `docs/observers.md` lists all names. Neither states nor payloads are recorded; messages of errors
 * only on demand.
 *
 * One observer serves any number of workflows and launchers.
 *
 * @example
 * fulfilOrder.observe(opentelemetry());
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 */
export function opentelemetry(options: OpenTelemetryOptions = {}): Observer {
  const { tracer, meter, errorMessages, deadLetters } = checked(options);
  const api = loadApi();
  const traces = new Traces(tracer ?? api.trace.getTracer("stepwell"), errorMessages ?? false);
  let made: Metrics | undefined;
  // A meter that is taken before its provider is registered never measures anything.
  const metrics = (): Metrics => (made ??= new Metrics(meter ?? api.metrics.getMeter("stepwell"), deadLetters));
  // Dead letters are there before any event.
  if (meter !== undefined && deadLetters !== undefined) metrics();
  return checkedObserver<unknown>({
    name: "opentelemetry",
    wake: (event) => {
      traces.wake(event);
      metrics().wake(event);
    },
    commit: (event) => {
      traces.commit(event);
      metrics().commit(event);
    },
    rest: (event) => {
      traces.rest(event);
      metrics().rest(event);
    },
    error: (event) => metrics().error(event),
    carry: (event) => traces.carry(event),
  });
}

/**
 * The active context with an execution as its span, so that what is done in it belongs to the execution's
 * trace: the burst of work under way, if it is given the `execution` of a step's context; else the origin
 * that all its bursts have as their parent.
 *
 * @example
 * run: ({ execution, state }) => context.with(executionContext(execution), () => bank.charge(state.cents)),
 *
 * @throws STEPWELL_INVALID_ARGUMENT if `@opentelemetry/api` is not installed
 */
export function executionContext(execution: Pick<ExecutionIdentity, "id" | "workflow">): Context {
  const { context, trace } = loadApi();
  return trace.setSpanContext(context.active(), spanContextOf(execution));
}

function checked(options: OpenTelemetryOptions): OpenTelemetryOptions {
  refuseUnknownOptions(options, ["tracer", "meter", "errorMessages", "deadLetters"], "opentelemetry(…)");
  const { tracer, meter, errorMessages, deadLetters } = options;
  const refuse = (problem: string): never => {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `opentelemetry(…): ${problem}.`);
  };
  const lacks = (thing: unknown, names: readonly string[]): string | undefined =>
    thing === undefined ? undefined : missingFunction(thing, names);
  const unlikeTracer = lacks(tracer, ["startSpan"]);
  if (unlikeTracer !== undefined) refuse(`"tracer" has no function "${unlikeTracer}"`);
  const gauges = deadLetters === undefined ? [] : ["createObservableGauge"];
  const unlikeMeter = lacks(meter, ["createCounter", "createHistogram", "createUpDownCounter", ...gauges]);
  if (unlikeMeter !== undefined) refuse(`"meter" has no function "${unlikeMeter}"`);
  if (errorMessages !== undefined && typeof errorMessages !== "boolean")
    refuse(`"errorMessages" must be true or false, not ${shown(errorMessages)}`);
  if (deadLetters !== undefined && typeof deadLetters !== "function")
    refuse(`"deadLetters" must be a function, not ${shown(deadLetters)}`);
  return options;
}

export type { LetterCount } from "./metrics.js";
