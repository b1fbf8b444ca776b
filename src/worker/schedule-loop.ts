/**
 * Launches what schedules plan, when it is due. Every launcher looks for due schedules; the launcher that changes the row of a
 * schedule launches its executions in the same transaction. Their ids are made of the schedule's name and the time, so nothing is
 * launched twice.
 */
import type { Clock } from "../clock.js";
import { isRetryable, StepwellError } from "../errors.js";
import { newId } from "../ids.js";
import type { NewExecution } from "../stores/batch.js";
import type { ScheduleRecord } from "../stores/records.js";
import type { ScheduleStore } from "../stores/contract.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import { prepareLaunch } from "../runtime/launch.js";
import { firing, scheduleTag } from "../session/schedule-timing.js";
import { Polling } from "./polling.js";
import { Throttle } from "../session/throttle.js";

/** How many schedules one look takes up. */
const largestLook = 50;

/** How long a schedule that could not launch is left alone, in milliseconds. */
const failurePause = 30_000;

/** How long it is left alone where the store was away, in milliseconds. */
const outagePause = 500;

export class ScheduleLoop {
  readonly #store: ScheduleStore;
  readonly #host: ClientHost;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #polling: Polling;
  readonly #failures: Throttle;
  /** By name: when a schedule that could not launch is tried again, by the store's time. */
  readonly #pausedUntil = new Map<string, number>();
  #stopped = false;

  constructor(
    store: ScheduleStore,
    clock: Clock,
    host: ClientHost,
    registry: ReadonlyMap<string, Registered>,
    pollInterval: number,
  ) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
    this.#failures = new Throttle(clock);
    this.#polling = new Polling(clock, pollInterval, { look: () => this.#look(), looked: () => undefined });
    this.#polling.begin();
  }

  /** Looks in so many milliseconds, if not sooner. */
  lookIn(milliseconds: number): void {
    this.#polling.within(milliseconds);
  }

  /** Launches that are on their way are stored as a whole, or not at all. */
  stop(): void {
    this.#stopped = true;
    this.#polling.end();
  }

  async #look(): Promise<boolean> {
    try {
      const workflows = [...this.#registry.values()].map(({ definition: { name, version } }) => ({ name, version }));
      // Schedules that fail stay due, and must not stand in the way of the others.
      const limit = largestLook + this.#pausedUntil.size;
      const { records, at, nextDueInMs } = await this.#store.due({ workflows, limit });
      if (nextDueInMs !== 0) this.#forgetAllBut(records);
      let next = nextDueInMs ?? Infinity;
      for (const record of records) {
        if (this.#stopped) return false;
        next = Math.min(next, await this.#fire(record, at));
      }
      this.lookIn(next);
      return records.length === 0;
    } catch (error) {
      this.#report(
        "the schedules",
        "The store failed when asked for schedules that are due. It is asked again.",
        error,
      );
      return false;
    }
  }

  /** A schedule that failed and is not due any more was deleted, changed, or launched by another launcher. */
  #forgetAllBut(due: readonly ScheduleRecord[]): void {
    if (this.#pausedUntil.size === 0) return;
    const names = new Set(due.map(({ name }) => name));
    for (const name of this.#pausedUntil.keys()) if (!names.has(name)) this.#pausedUntil.delete(name);
  }

  /** How long until it is due again, in milliseconds. */
  async #fire(record: ScheduleRecord, now: number): Promise<number> {
    const { name, revision } = record;
    const pausedFor = (this.#pausedUntil.get(name) ?? 0) - now;
    if (pausedFor > 0) return pausedFor;
    try {
      const { plan } = record;
      const { times, nextAt } = firing(plan, record.nextAt!, now);
      const creates = await Promise.all(times.map((time) => this.#create(record, time)));
      const lastAt = times.at(-1) ?? plan.lastAt;
      const schedule = { ...record, plan: { ...plan, lastAt }, nextAt, revision: newId() };
      // Refused where another launcher was faster, or somebody has changed the schedule.
      await this.#store.change({ name, expected: revision, schedule, creates });
      this.#pausedUntil.delete(name);
      return nextAt === null ? Infinity : Math.max(0, nextAt - now);
    } catch (error) {
      const pause = isRetryable(error) ? outagePause : failurePause;
      this.#pausedUntil.set(name, now + pause);
      this.#report(name, `Schedule "${name}" could not launch what is due. It stays due, and is tried again.`, error);
      return pause;
    }
  }

  async #create({ name, workflow, version, input, plan }: ScheduleRecord, time: number): Promise<NewExecution> {
    const registered = this.#registry.get(registryKey(workflow, version))!;
    const id = `${name}@${new Date(time).toISOString()}`;
    const options = { id, tags: [scheduleTag(name), ...plan.tags] };
    const { row } = await prepareLaunch(registered, input.value, options, this.#host);
    return row;
  }

  #report(about: string, message: string, cause: unknown): void {
    if (this.#stopped) return;
    // An outage is reported once, whatever it keeps from being launched.
    const isOutage = isRetryable(cause);
    if (this.#failures.pass(isOutage ? cause.code : about) === undefined) return;
    this.#host.report(isOutage ? cause : new StepwellError("STEPWELL_SCHEDULE_FAILED", message, { cause }));
  }
}
