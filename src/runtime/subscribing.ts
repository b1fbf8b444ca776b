/** `subscribe`, as a step function has it: for as long as it runs, and as long as its launcher has the execution. */
import { longestName, refuseUnknownOptions, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import type { SubscribeOptions } from "../definition/contexts.js";
import { StepwellError, type ErrorCode } from "../errors.js";
import { type Until, untilBits } from "../execution/records.js";
import { errorAbout, lostError } from "./reports.js";
import type { Work } from "./work.js";

/** The call of the step function that subscribes. */
interface Call {
  readonly isOver: boolean;
  isAbortedBy(code: ErrorCode): boolean;
}

export class Subscribing {
  readonly #work: Work;
  readonly #call: Call;
  readonly #asked = new Set<Promise<void>>();

  constructor(work: Work, call: Call) {
    this.#work = work;
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
    const work = this.#work;
    const { identity, owner, revision } = work.execution;
    checkTopic(topic, "subscribe");
    const until = untilOf(options);
    if (this.#call.isAbortedBy("STEPWELL_OWNERSHIP_LOST")) throw lostError(work.execution);
    if (this.#call.isOver) throw errorAbout(work.execution, "STEPWELL_SUBSCRIBE_TOO_LATE", tooLate);
    // Asked for, it may be there: from now on each transition sees to its end.
    work.execution = { ...work.execution, subscribed: work.execution.subscribed | untilBits[until] };
    const row = { execution: identity.id, owner, revision, topic, until };
    const result = await work.host.committer.subscribe(row);
    if (result === "lost") throw lostError(work.execution);
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
