import type { Counter, Histogram, Meter, UpDownCounter } from "@opentelemetry/api";
import {
  probeResultOf,
  type CommitEvent,
  type ErrorEvent,
  type RestEvent,
  type WakeEvent,
} from "../../definition/observer.js";
import { errorTypeOf } from "./attributes.js";

/** In seconds: a step may take a millisecond or half an hour, and an execution may be taken up as late. */
const secondBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800];

const messageBounds = [0, 1, 2, 5, 10, 50, 100, 500, 1000];

/** An item of `launcher.countDeadLettersByWorkflow`. */
export interface LetterCount {
  readonly workflow: string;
  readonly count: number;
}

/** Without ids of executions or messages: the number of series must not grow with the number of executions. */
export class Metrics {
  readonly #rests: Counter;
  readonly #stuck: UpDownCounter;
  readonly #struggles: Counter;
  readonly #rewinds: Counter;
  readonly #probes: Counter;
  readonly #duration: Histogram;
  readonly #delay: Histogram;
  readonly #depth: Histogram;
  readonly #refused: Counter;
  readonly #observerErrors: Counter;
  readonly #errors: Counter;

  constructor(meter: Meter, deadLetters?: () => PromiseLike<readonly LetterCount[]>) {
    const counter = (name: string, unit: string, description: string): Counter =>
      meter.createCounter(name, { unit, description });
    const histogram = (name: string, unit: string, description: string, explicitBucketBoundaries: number[]) =>
      meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } });
    this.#rests = counter("stepwell.execution.rests", "{rest}", "How often executions came to rest, by status.");
    this.#stuck = meter.createUpDownCounter("stepwell.execution.stuck", {
      unit: "{execution}",
      description: "Executions that came to rest as stuck, without those taken up again.",
    });
    this.#struggles = counter(
      "stepwell.execution.struggles",
      "{struggle}",
      "How often a step failed five times and was tried again.",
    );
    this.#rewinds = counter("stepwell.execution.rewinds", "{rewind}", "How often executions were sent back to a step.");
    this.#probes = counter("stepwell.step.probes", "{probe}", "How often probes were asked, by what they answered.");
    this.#duration = histogram("stepwell.step.duration", "s", "How long attempts of steps took.", secondBounds);
    this.#delay = histogram(
      "stepwell.claim.delay",
      "s",
      "How long executions had been due when they were taken up.",
      secondBounds,
    );
    this.#depth = histogram(
      "stepwell.mailbox.depth",
      "{message}",
      "Messages that nobody has taken, when an execution comes to rest.",
      messageBounds,
    );
    this.#refused = counter("stepwell.commit.refused", "{commit}", "Commits to executions that another launcher has.");
    this.#observerErrors = counter("stepwell.observer.errors", "{error}", "Reports of observers that failed.");
    this.#errors = counter("stepwell.errors", "{error}", "Errors that were reported to onError, by code.");
    if (deadLetters !== undefined) observeLetters(meter, deadLetters);
  }

  wake({ execution: { workflow }, status, lateMs }: WakeEvent): void {
    this.#delay.record(lateMs / 1000, { "stepwell.workflow.name": workflow });
    if (status === "stuck") this.#stuck.add(-1, { "stepwell.workflow.name": workflow });
  }

  commit({ execution: { workflow }, transition, called }: CommitEvent): void {
    const about = { "stepwell.workflow.name": workflow };
    if (transition.backTo !== undefined) this.#rewinds.add(1, about);
    if (!called) return;
    if (transition.func === "probe") {
      const result = probeResultOf(transition);
      this.#probes.add(1, { ...about, "stepwell.step.name": transition.step, "stepwell.result": result });
    }
    const type = errorTypeOf(transition);
    this.#duration.record(transition.durationMs / 1000, {
      "stepwell.workflow.name": workflow,
      "stepwell.step.name": transition.step,
      "stepwell.func": transition.func,
      "stepwell.direction": transition.direction,
      ...(type !== undefined && { "error.type": type }),
    });
  }

  rest({ execution: { workflow }, status, pending, lost }: RestEvent): void {
    // Also where the execution was lost: taken up as stuck and not moved on, it is stuck still.
    if (status === "stuck") this.#stuck.add(1, { "stepwell.workflow.name": workflow });
    if (lost) return;
    this.#rests.add(1, { "stepwell.workflow.name": workflow, "stepwell.status": status });
    this.#depth.record(pending, { "stepwell.workflow.name": workflow });
  }

  error({ error: { code }, workflow }: ErrorEvent): void {
    const about = { "stepwell.workflow.name": workflow };
    this.#errors.add(1, { ...about, "error.type": code });
    if (code === "STEPWELL_EXECUTION_STRUGGLING") this.#struggles.add(1, about);
    if (code === "STEPWELL_OWNERSHIP_LOST") this.#refused.add(1, about);
    if (code === "STEPWELL_OBSERVER_FAILED") this.#observerErrors.add(1, about);
  }
}

/**
 * A gauge, since each process reports on the whole store: the values must not be added up. Where the store can't be asked,
 * the SDK reports that, and keeps the last count.
 */
function observeLetters(meter: Meter, deadLetters: () => PromiseLike<readonly LetterCount[]>): void {
  const gauge = meter.createObservableGauge("stepwell.dead_letters", {
    unit: "{message}",
    description: "Messages that no step took, and that were not sent again, in the whole store.",
  });
  /** Workflows that were reported: one that has no dead letters any more is reported as 0. */
  const told = new Set<string>();
  gauge.addCallback(async (result) => {
    const counts = new Map((await deadLetters()).map(({ workflow, count }) => [workflow, count]));
    for (const workflow of counts.keys()) told.add(workflow);
    for (const workflow of told) result.observe(counts.get(workflow) ?? 0, { "stepwell.workflow.name": workflow });
  });
}
