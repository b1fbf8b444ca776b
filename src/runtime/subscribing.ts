/** `subscribe`, as a step function has it: for as long as it runs, and as long as its launcher has the execution. */
import { longestName, refuseUnknownOptions, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import type { SubscribeOptions } from "../definition/contexts.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import { type Until, untilBits } from "../execution/records.js";
import type { ActiveExecution } from "../execution/execution.js";
import type { Host } from "../session/host.js";
import { lostError } from "./reports.js";

/** The call of the step function that subscribes. */
interface Call {
  readonly isOver: boolean;
  isAbortedBy(code: ErrorCode): boolean;
}

export class Subscribing {
  readonly #course: ActiveExecution;
  readonly #host: Pick<Host, "committer">;
  readonly #call: Call;
  readonly #asked = new Set<Promise<void>>();

  constructor(course: ActiveExecution, host: Pick<Host, "committer">, call: Call) {
    this.#course = course;
    this.#host = host;
    this.#call = call;
  }

  readonly subscribe = (topic: string, options: SubscribeOptions = {}): Promise<void> => {
    const asking = this.#subscribe(topic, options);
    this.#asked.add(asking);
    // Where the function does not wait for it, the engine does.
    asking.then(
      () => this.#asked.delete(asking),
      () => this.#asked.delete(asking),
    );
    return asking;
  };

  /** What has been asked for and not answered. Undefined: nothing. */
  get outstanding(): Promise<unknown> | undefined {
    if (this.#asked.size === 0) return undefined;
    const all = Promise.all(this.#asked);
    // Where the function has failed already, nobody waits for it.
    all.catch(() => undefined);
    return all;
  }

  async #subscribe(topic: string, options: SubscribeOptions): Promise<void> {
    const course = this.#course;
    const { identity, owner, revision } = course;
    checkTopic(topic, "subscribe");
    const until = untilOf(options);
    if (this.#call.isAbortedBy("STEPWELL_OWNERSHIP_LOST")) throw lostError(course);
    if (this.#call.isOver) throw this.#error("STEPWELL_SUBSCRIBE_TOO_LATE", tooLate);
    // Asked for, it may be there: from now on each transition sees to its end.
    course.subscribed |= untilBits[until];
    const row = { execution: identity.id, owner, revision, topic, until };
    const result = await this.#host.committer.subscribe(row);
    if (result === "lost") throw lostError(course);
  }

  #error(code: ErrorCode, message: string): StepwellError {
    const { identity, position } = this.#course;
    return new StepwellError(code, message, {
      execution: identity.id,
      workflow: identity.workflow,
      step: position.step,
    });
  }
}

const tooLate =
  "subscribe was called when its step function had settled, or had been given up; nothing was subscribed. " +
  "Call it before the function gives back what it gives, also before transaction(…), and await it.";

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkTopic(topic: unknown, where: string): asserts topic is string {
  if (isLine(topic, longestName)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: the topic must be a text of 1 to ${longestName} characters without control characters, ` +
      `such as "payment:p-77", not ${shown(topic)}.`,
  );
}

function untilOf(options: SubscribeOptions): Until {
  refuseUnknownOptions(options, ["until"], "subscribe");
  const { until = "step" } = options;
  if (until === "step" || until === "end") return until;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `subscribe: until must be "step" or "end", not ${shown(until)}.`,
  );
}
