/** Schedules: launches at times to come. */
import type { LaunchOptions } from "../definition/asking.js";
import { milliseconds, type Duration } from "../definition/duration.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import type { AnyWorkflow, InputOf } from "../definition/bag.js";
import type { Frozen } from "../definition/frozen.js";
import { StepwellError } from "../errors.js";
import { newId } from "../ids.js";
import type { ScheduleRecord, ScheduleTiming } from "../stores/records.js";
import { needed } from "../session/capabilities.js";
import type { ScheduleStore, Store } from "../stores/contract.js";
import type { Execution } from "./execution-handle.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import { prepareLaunch } from "../runtime/launch.js";
import { nextAfter, scheduleTag } from "../session/schedule-timing.js";
import { isUndecodable } from "../session/damaged-rows.js";
import { checkedTags, mostTags } from "../runtime/tags.js";

/** When a schedule launches: by a cron expression, at intervals, or once. One of `cron`, `every` and `at` is given. */
export type ScheduleOptions = CronSchedule | IntervalSchedule | SingleSchedule;

interface AnySchedule {
  /**
   * What becomes of times that passed by more than a minute while no launcher was there: none is launched for, one launch stands for
   * all of them, or each is launched for. Default: "once".
   */
  readonly missed?: "skip" | "once" | "all";
  /** Tags of the executions that it launches, beside `schedule:` and its name. At most 31, each of 1 to 128 characters. */
  readonly tags?: readonly string[];
}

export interface CronSchedule extends AnySchedule {
  /**
   * A cron expression of five fields, or six with seconds first: `"0 2 * * *"`. The dialect, and the rules for daylight-saving time,
   * are those of croner.
   */
  readonly cron: string;
  /** The time zone of the expression, by its IANA name, such as `"Europe/Berlin"`. Default: `"UTC"`. */
  readonly timezone?: string;
  readonly every?: undefined;
  readonly at?: undefined;
}

export interface IntervalSchedule extends AnySchedule {
  /** Again and again after this time, from now on. At least one second. */
  readonly every: Duration;
  readonly cron?: undefined;
  readonly timezone?: undefined;
  readonly at?: undefined;
}

export interface SingleSchedule extends AnySchedule {
  /** Once, at this time. */
  readonly at: Date;
  readonly cron?: undefined;
  readonly timezone?: undefined;
  readonly every?: undefined;
}

/** A schedule as it stands. */
export interface ScheduleSummary {
  readonly name: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: unknown;
  readonly cron?: string;
  readonly timezone?: string;
  /** In milliseconds. */
  readonly every?: number;
  readonly at?: Date;
  readonly missed: "skip" | "once" | "all";
  readonly tags: readonly string[];
  readonly paused: boolean;
  /** When it launches next; null: it is paused, or it has no time to come. */
  readonly nextAt: Date | null;
  /** The last time for which it launched. */
  readonly lastAt: Date | null;
  readonly setAt: Date;
}

type Launch = (registered: Registered, input: unknown, options: LaunchOptions) => Promise<Execution>;

/** `schedule:` and the name must fit into a tag; the name and a time into an id. */
const longestScheduleName = 100;

const optionNames = ["cron", "timezone", "every", "at", "missed", "tags"];

/** One tag more is the schedule's own. */
const mostOwnTags = mostTags - 1;

const shortestInterval = 1_000;

/** Many processes may change one schedule at the same time; each try begins with what another process has left. */
const mostTries = 100;

/**
 * Durable plans of launches, shared by all launchers on a store. Each time of a schedule is launched once,
 * whatever the number of launchers, as the execution `name@time`.
 *
 * @example
 * await launcher.schedules.set("nightly-report", report, { region: "eu" }, { cron: "0 2 * * *", timezone: "Europe/Berlin" });
 */
export class Schedules {
  readonly #store: Store;
  readonly #host: ClientHost;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #launch: Launch;

  constructor(store: Store, host: ClientHost, registry: ReadonlyMap<string, Registered>, launch: Launch) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
    this.#launch = launch;
  }

  /**
   * Makes a schedule, or changes the one of that name. The same call again changes nothing, so it may be made at every start. A change
   * counts from now on; a paused schedule stays paused.
   *
   * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_INVALID_INPUT, STEPWELL_UNKNOWN_WORKFLOW, STEPWELL_INVALID_DURATION
   */
  async set<W extends AnyWorkflow>(
    name: string,
    workflow: W,
    input: InputOf<W> | Frozen<InputOf<W>>,
    options: ScheduleOptions,
  ): Promise<ScheduleSummary> {
    await this.#host.ready("schedules.set");
    checkScheduleName(name);
    const where = `schedule "${name}"`;
    refuseUnknownOptions(options, optionNames, where);
    const now = this.#host.storeNow();
    const timing = timingOf(options, now, where);
    const { missed = "once" } = options;
    if (missed !== "skip" && missed !== "once" && missed !== "all") {
      throw invalidArgument(`${where}: "missed" must be "skip", "once" or "all", not ${shown(missed)}`);
    }
    const registered = await this.#host.registered(workflow);
    const tags = options.tags === undefined ? [] : checkedTags(options.tags, where, mostOwnTags);
    // Checked as a launch is, with the tags that a launch will have.
    const { row } = await prepareLaunch(registered, input, { tags: [scheduleTag(name), ...tags] }, this.#host);
    const given = { workflow: row.workflow, version: row.version, input: row.input };
    return this.#change(name, (found) => {
      // A schedule that can't be read is replaced.
      const before = found !== undefined && problemIn(found) === undefined ? found : undefined;
      const plan = {
        timing,
        missed,
        tags: row.tags.slice(1),
        paused: before?.plan.paused ?? false,
        setAt: now,
        lastAt: before?.plan.lastAt ?? null,
      };
      const after = { name, ...given, plan, nextAt: plan.paused ? null : firstOf(timing, now), revision: newId() };
      return before !== undefined && isSame(before, after) ? before : after;
    });
  }

  /** All schedules, in the order of their names. A schedule that can't be read is reported to `onError` instead: set it again, or delete it. */
  async list(): Promise<ScheduleSummary[]> {
    await this.#host.opened();
    const found: ScheduleSummary[] = [];
    for (const record of await this.#schedules.find()) {
      const problem = problemIn(record);
      if (problem === undefined) found.push(summaryOf(record));
      else this.#host.report(problem);
    }
    return found;
  }

  /** @throws STEPWELL_SCHEDULE_NOT_FOUND */
  async get(name: string): Promise<ScheduleSummary> {
    await this.#host.opened();
    return summaryOf(await this.#existing(name));
  }

  /**
   * Stops launching, until `resume`.
   *
   * @throws STEPWELL_SCHEDULE_NOT_FOUND
   */
  async pause(name: string): Promise<ScheduleSummary> {
    await this.#host.ready("schedules.pause");
    return this.#changeExisting(name, (before) =>
      before.plan.paused
        ? before
        : { ...before, plan: { ...before.plan, paused: true }, nextAt: null, revision: newId() },
    );
  }

  /**
   * Goes on from now: times that passed while the schedule was paused are not launched for.
   *
   * @throws STEPWELL_SCHEDULE_NOT_FOUND
   */
  async resume(name: string): Promise<ScheduleSummary> {
    await this.#host.ready("schedules.resume");
    return this.#changeExisting(name, (before) => {
      if (!before.plan.paused) return before;
      const nextAt = nextAfter(before.plan.timing, this.#host.storeNow());
      return { ...before, plan: { ...before.plan, paused: false }, nextAt, revision: newId() };
    });
  }

  /**
   * Launches now, beside the planned times; also where the schedule is paused.
   *
   * @throws STEPWELL_SCHEDULE_NOT_FOUND, STEPWELL_UNKNOWN_WORKFLOW where this launcher does not know its workflow
   */
  async trigger(name: string): Promise<Execution> {
    await this.#host.ready("schedules.trigger");
    const { workflow, version, input, plan } = await this.#existing(name);
    const registered = this.#registry.get(registryKey(workflow, version));
    if (registered === undefined) {
      throw new StepwellError(
        "STEPWELL_UNKNOWN_WORKFLOW",
        `Schedule "${name}" launches workflow "${workflow}" version "${version}", which is not registered with this launcher.`,
        { workflow },
      );
    }
    const tags = [scheduleTag(name), ...plan.tags];
    return this.#launch(registered, input.value, { id: `${name}@${newId()}`, tags });
  }

  /**
   * Deletes a schedule. Executions that it has launched go on.
   *
   * @throws STEPWELL_SCHEDULE_NOT_FOUND
   */
  async delete(name: string): Promise<void> {
    await this.#host.ready("schedules.delete");
    await this.#change(name, (before) => {
      if (before === undefined) throw notFound(name);
      return null;
    });
  }

  /** @throws STEPWELL_CAPABILITY_MISSING */
  get #schedules(): ScheduleStore {
    return needed(this.#store, "schedules", "Schedules");
  }

  async #existing(name: string): Promise<ScheduleRecord> {
    checkScheduleName(name);
    const [record] = await this.#schedules.find(name);
    if (record === undefined) throw notFound(name);
    return record;
  }

  async #changeExisting(name: string, decide: (before: ScheduleRecord) => ScheduleRecord): Promise<ScheduleSummary> {
    return this.#change(name, (before) => {
      if (before === undefined) throw notFound(name);
      return decide(before);
    });
  }

  /** Decides anew where another process was faster. Null: the schedule is deleted. */
  async #change<After extends ScheduleRecord | null>(
    name: string,
    decide: (before: ScheduleRecord | undefined) => After,
  ): Promise<After extends null ? undefined : ScheduleSummary>;
  async #change(
    name: string,
    decide: (before: ScheduleRecord | undefined) => ScheduleRecord | null,
  ): Promise<ScheduleSummary | undefined> {
    checkScheduleName(name);
    for (let tries = 1; ; tries++) {
      const [before] = await this.#schedules.find(name);
      const schedule = decide(before);
      if (schedule !== null && schedule === before) return summaryOf(before);
      const expected = before?.revision ?? null;
      if (await this.#schedules.change({ name, expected, schedule, creates: [] })) {
        this.#host.scheduled(Math.max(0, (schedule?.nextAt ?? Infinity) - this.#host.storeNow()));
        return schedule === null ? undefined : summaryOf(schedule);
      }
      if (tries === mostTries) {
        throw new StepwellError(
          "STEPWELL_STORE_BUSY",
          `Schedule "${name}" is being changed by others all the time. Nothing was changed; try again.`,
          { retryable: true },
        );
      }
    }
  }
}

function checkScheduleName(name: unknown): asserts name is string {
  if (isLine(name, longestScheduleName)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `The name of a schedule must be a text of 1 to ${longestScheduleName} characters without control characters, not ${shown(name)}.`,
  );
}

function timingOf({ cron, timezone, every, at }: ScheduleOptions, now: number, where: string): ScheduleTiming {
  if ([cron, every, at].filter((it) => it !== undefined).length !== 1) {
    throw invalidArgument(`${where}: give one of "cron", "every" and "at"`);
  }
  if (timezone !== undefined && cron === undefined) throw invalidArgument(`${where}: "timezone" goes with "cron"`);
  if (cron !== undefined) return cronTiming(cron, timezone === undefined ? "UTC" : timezone, now, where);
  if (every !== undefined) {
    const length = milliseconds(every, `${where}, every`);
    if (length >= shortestInterval) return { every: length, from: now };
    throw invalidArgument(`${where}: "every" must be at least a second, not ${shown(every)}`);
  }
  const time = at instanceof Date ? at.getTime() : Number.NaN;
  if (Number.isNaN(time)) throw invalidArgument(`${where}: "at" must be a valid Date`);
  return { at: time };
}

/** Refuses what croner takes beside an expression (a date), and what depends on when it is parsed. */
function cronTiming(cron: unknown, timezone: unknown, now: number, where: string): ScheduleTiming {
  if (typeof cron !== "string" || cron.includes("?") || !/^(@[a-z]+|\S+(\s+\S+){4,5})$/i.test(cron.trim())) {
    throw invalidArgument(
      `${where}: "cron" must be an expression of five or six fields, such as "0 2 * * *", not ${shown(cron)}`,
    );
  }
  if (typeof timezone !== "string" || !isTimezone(timezone)) {
    throw invalidArgument(
      `${where}: "timezone" must be the IANA name of a time zone, such as "Europe/Berlin", not ${shown(timezone)}`,
    );
  }
  const timing = { cron: cron.trim(), timezone };
  let next: number | null;
  try {
    next = nextAfter(timing, now);
  } catch (cause) {
    throw invalidArgument(`${where}: "cron" is no expression that can be read: ${shown(cron)}`, cause);
  }
  if (next === null) throw invalidArgument(`${where}: "cron" names no time to come: ${shown(cron)}`);
  return timing;
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
}

/** A single time that has passed is due at once. */
function firstOf(timing: ScheduleTiming, now: number): number | null {
  return "at" in timing ? timing.at : nextAfter(timing, now);
}

/** Why the schedule can't be read back. Undefined: it can. */
function problemIn(record: ScheduleRecord): StepwellError | undefined {
  try {
    void summaryOf(record);
    return undefined;
  } catch (error) {
    if (isUndecodable(error)) return error;
    throw error;
  }
}

function isSame(one: ScheduleRecord, other: ScheduleRecord): boolean {
  const asked = ({ workflow, version, plan: { timing, missed, tags } }: ScheduleRecord): string =>
    JSON.stringify([workflow, version, { ...timing, from: undefined }, missed, tags]);
  return asked(one) === asked(other) && one.input.equals(other.input);
}

function summaryOf({ name, workflow, version, input, plan, nextAt }: ScheduleRecord): ScheduleSummary {
  const { timing, missed, tags, paused, lastAt, setAt } = plan;
  const { cron, timezone, every, at } = {
    cron: undefined,
    timezone: undefined,
    every: undefined,
    at: undefined,
    ...timing,
  };
  return {
    name,
    workflow,
    version,
    input: input.value,
    ...(cron !== undefined && timezone !== undefined && { cron, timezone }),
    ...(every !== undefined && { every }),
    ...(at !== undefined && { at: new Date(at) }),
    missed,
    tags,
    paused,
    nextAt: nextAt === null ? null : new Date(nextAt),
    lastAt: lastAt === null ? null : new Date(lastAt),
    setAt: new Date(setAt),
  };
}

function notFound(name: string): StepwellError {
  return new StepwellError("STEPWELL_SCHEDULE_NOT_FOUND", `There is no schedule "${name}".`);
}
