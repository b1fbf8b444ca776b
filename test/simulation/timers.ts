/** When step functions gave back what sets a timer, and whether what waited for one came too early; and how often was tried. */
import type { StepFunc } from "../../src/definition/flow.js";
import type { Position } from "../../src/execution/position.js";
import type { ExecutionRecord, HistoryRecord, Transition } from "../../src/execution/records.js";
import type { VirtualClock } from "../../src/testing/virtual-clock.js";
import type { Trip } from "./plan.js";

/** Of a pause: the timeout that it begins; null: it has none from then on; undefined: the one that runs stays. */
type Timeout = number | null | undefined;

interface Call {
  readonly step: { readonly name: string };
  readonly func: StepFunc;
  readonly attempt: number;
  readonly message?: { readonly id: string };
}

const callOf = (execution: string, func: StepFunc, step: string, number: number): string =>
  `${execution} ${func} ${step} ${number}`;

export class Timers {
  readonly #clock: VirtualClock;
  /** By the call: when it gave back a pause, by the store's clock, and with which timeout. */
  readonly #pauses = new Map<string, { readonly at: number; readonly timeout: Timeout }>();
  /** By the attempt: when the first one of that number threw, and how long the next has to wait at least. */
  readonly #throws = new Map<string, number>();
  /** By execution and revision: when the step that begins there has its own deadline, by the store's clock. */
  readonly #deadlines = new Map<string, number>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** @param call how often that function was called, which is in its patch too */
  paused(execution: string, func: StepFunc, step: string, call: number, timeout: Timeout): void {
    this.#pauses.set(callOf(execution, func, step, call), { at: this.#clock.now(), timeout });
  }

  /** @param delay of its retry policy, with jitter: half of it is sure */
  threw(execution: string, { func, step, attempt }: Call, delay: number): void {
    const key = callOf(execution, func, step.name, attempt);
    if (!this.#throws.has(key)) this.#throws.set(key, this.#clock.now() + delay / 2);
  }

  /** It is decided some time before it is committed, and from then on the step's own deadline counts. */
  committed({ id, revision, position: { stepDeadlineAt }, history }: Transition): void {
    if (history.result === "begins" && stepDeadlineAt !== undefined)
      this.#deadlines.set(`${id} ${revision}`, stepDeadlineAt);
  }

  /** A handler of a message that pauses again, and says nothing of a timeout, leaves the one that runs. */
  hasLostTimeout({ id, position, history }: Transition, before: Position): boolean {
    const { func, step, result, message, patch } = history;
    if (result !== "continue" || message === undefined) return false;
    const call = (patch?.value as Record<string, unknown> | undefined)?.[`${func}-${step}`];
    const pause = this.#pauses.get(callOf(id, func, step, call as number));
    return pause !== undefined && pause.timeout === undefined && position.waitUntil !== before.waitUntil;
  }

  /** A function is called by who owns the execution. */
  earlyCall(execution: string, rows: readonly HistoryRecord[], { step, func, message }: Call): string[] {
    const now = this.#clock.now();
    const last = rows.at(-1);
    // Where it turned, something else is called, and at once.
    const isRetry = last?.result === "Error" && last.func === func && last.step === step.name;
    const next = isRetry ? this.#throws.get(callOf(execution, func, step.name, last.attempt)) : undefined;
    if (next !== undefined && now < next) return [`is tried again ${next - now} ms too early`];
    const isTimeout = func === "runContinue" && message === undefined;
    const until = isTimeout ? this.#timerAfter(execution, rows) : undefined;
    return until !== undefined && until !== null && now < until
      ? [`is told of a timeout ${until - now} ms too early`]
      : [];
  }

  /** Timeouts that no function was told of. A step's own deadline times out too, whatever it waits for. */
  early({ id: execution, createdAt }: ExecutionRecord, rows: readonly HistoryRecord[], trip: Trip): string[] {
    return rows.flatMap(({ func, result, message, at, revision, why }, index) => {
      const isWait = func === "runContinue" || func === "rollbackContinue";
      if (!isWait || result !== "timeout" || message !== undefined || why !== undefined) return [];
      const { stepIndex } = rows[index]!;
      const deadline = func === "runContinue" ? trip.legs[stepIndex]!.deadline : null;
      const began = rows.findLastIndex(
        (row, before) => before < index && row.stepIndex === stepIndex && row.result === "begins",
      );
      const due = deadline === null ? undefined : this.#deadlines.get(`${execution} ${rows[began]?.revision}`);
      if (due !== undefined && due < (rows[began - 1]?.at ?? createdAt) + deadline!)
        return [`has a deadline of its step too early in revision ${rows[began]!.revision}`];
      if (due !== undefined && at >= due) return [];
      const until = this.#timerAfter(execution, rows.slice(0, index));
      if (until === null) return [`timed out without a timeout in revision ${revision}`];
      return until !== undefined && at < until ? [`timed out ${until - at} ms too early in revision ${revision}`] : [];
    });
  }

  /** When the wait is over that follows these rows; null: never; undefined: that is not known. */
  #timerAfter(execution: string, rows: readonly HistoryRecord[]): Timeout {
    let until: Timeout = null;
    for (const { func, step, result, message, patch, upInto } of rows) {
      if (result === "ok" || result === "skipped" || upInto !== undefined) until = null;
      else if (result === "continue") {
        const call = (patch?.value as Record<string, unknown> | undefined)?.[`${func}-${step}`];
        const pause = this.#pauses.get(callOf(execution, func, step, call as number));
        if (pause === undefined) until = undefined;
        else if (pause.timeout !== undefined) until = pause.timeout === null ? null : pause.at + pause.timeout;
        else if (message === undefined) until = null;
      }
    }
    return until;
  }
}

/** Each step is tried as often as its policy says: not more, and not less before that is told as its failure. */
export function wrongCounts(rows: readonly HistoryRecord[], trip: Trip): string[] {
  if (trip.guard !== null) return [];
  const found: string[] = [];
  let failures = 0;
  // By something else than its step, such as a migration that failed; it stays so through one that does not.
  let isParked = false;
  for (const [index, { direction, stepIndex, step, result, backTo, func, by, why, migration }] of rows.entries()) {
    const before = rows[index - 1];
    if (before?.stepIndex !== stepIndex || before.direction !== direction || before.upInto !== undefined) failures = 0;
    // Who asks for the way back of one that is stuck has its undo tried anew.
    const tried = trip.legs[stepIndex]!.undoRetry?.attempts ?? 0;
    // So has an operator who says what became of what is in doubt.
    const isResolved = func === "probe" && by !== undefined;
    if (
      isResolved ||
      (migration !== undefined && trip.deployment?.restarts === true) ||
      result === "retried" ||
      backTo !== undefined ||
      (result.startsWith("rollback-") && (isParked || failures >= tried))
    )
      failures = 0;
    isParked = result.startsWith("STEPWELL_") || (isParked && migration !== undefined);
    // It is the reason of who has asked.
    if ((result !== "Error" && result !== "timeout") || why !== undefined) continue;
    failures += 1;
    const leg = trip.legs[stepIndex]!;
    const isPast = direction === "up" && trip.pivot !== null && stepIndex > trip.pivot;
    const policy = direction === "up" ? leg.retry : leg.undoRetry;
    if (policy === null || isPast || leg.probe !== null || leg.inDoubt !== null || leg.group !== null) continue;
    if (failures > policy.attempts) found.push(`tried ${step} ${direction} ${failures} times of ${policy.attempts}`);
    const next = rows[index + 1];
    const isOver =
      direction === "up" ? next?.direction === "down" : next?.result === "retried" || next?.result === "skipped";
    const isAsked = next !== undefined && direction === "up" && next.by !== undefined;
    if (isOver && !isAsked && result === "Error" && failures < policy.attempts)
      found.push(`gave up ${step} ${direction} after ${failures} tries of ${policy.attempts}`);
  }
  return found;
}
