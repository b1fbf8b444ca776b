/**
 * A schedule that is set, paused, resumed, triggered and deleted while launchers die. Each change of its row is held against the law: what
 * it launches is what was due at a look at that row, by the store's time. What a time launches is there once, and runs.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { ExecutionRecord } from "../../src/execution/records.js";
import { workflow, type AnyWorkflow } from "../../src/index.js";
import type { DueSchedules, ScheduleChange, Store } from "../../src/stores/contract.js";
import type { SchedulePlan, ScheduleRecord } from "../../src/stores/records.js";
import type { Callers } from "./callers.js";
import type { Plan } from "./plan.js";

export interface ScheduleAct {
  readonly act: "schedule";
  readonly by: number;
  readonly kind: "set" | "pause" | "resume" | "trigger" | "delete";
  readonly every: number;
  readonly missed: SchedulePlan["missed"];
  /** For so long nobody is there afterwards. */
  readonly night: number | null;
}

/** All processes stand still for so long. */
export interface NightAct {
  readonly act: "night";
  readonly milliseconds: number;
}

export const scheduleAct: fc.Arbitrary<ScheduleAct> = fc.record({
  act: fc.constant("schedule" as const),
  by: fc.nat(5),
  kind: fc.constantFrom("set", "set", "set", "pause", "resume", "trigger", "delete"),
  every: fc.constantFrom(1000, 2500, 70_000),
  missed: fc.constantFrom("skip", "once", "all"),
  night: fc.option(fc.constantFrom(90_000, 200_000), { nil: null, freq: 3 }),
});

export const nightAct: fc.Arbitrary<NightAct> = fc.record({
  act: fc.constant("night" as const),
  milliseconds: fc.constantFrom(5000, 90_000, 200_000),
});

export const scheduleSights = [
  ...(["set", "pause", "resume", "trigger", "delete"] as const).map((kind) => `a schedule: ${kind}`),
  ...(["skip", "once", "all"] as const).map((missed) => `a schedule: missed times, ${missed}`),
  "a schedule: launches",
  "a schedule: more than a hundred at once",
];

const name = "tick";

/** Past by more is missed. */
const grace = 60_000;

/** How far a launcher may be behind with what is due, once all is well; and how wrong it may be about the time that it was told. */
const patience = 3000;
const doubt = 200;

const isOf = (kind: ScheduleAct["act"] | NightAct["act"]) => (plan: Plan) =>
  plan.acts.some(({ it }) => it.act === kind);
export const hasSchedule = isOf("schedule");

const input: StandardSchemaV1<object, object> = {
  "~standard": { version: 1, vendor: "simulation", validate: (value) => ({ value: value as object }) },
};

/** What a schedule launches. */
export function ticksOf(plan: Plan): AnyWorkflow[] {
  return hasSchedule(plan)
    ? [workflow(name, { input }).step("beat", { run: () => undefined, irreversible: "it rang" })]
    : [];
}

export class Schedules {
  readonly #callers: Callers;
  readonly #store: Store;
  /** By revision: when somebody was told of it. */
  readonly #looks = new Map<string, number[]>();
  /** Ids that were launched. */
  readonly #launched = new Set<string>();
  #pausedAt = 0;

  constructor(callers: Callers) {
    this.#callers = callers;
    this.#store = callers.scene.store;
  }

  act({ by, kind, every, missed }: ScheduleAct): void {
    const place = this.#callers.able(by);
    if (place === undefined) return;
    const { seen } = this.#callers.scene;
    const { schedules } = place.client;
    const [tick] = place.workflows.slice(-1) as [AnyWorkflow];
    const does = async (): Promise<unknown> => {
      const answer = await (kind === "set"
        ? schedules.set(name, tick, {}, { every, missed })
        : kind === "trigger"
          ? schedules.trigger(name).then(({ id }) => void this.#launched.add(id))
          : schedules[kind](name));
      seen.note("sight", `a schedule: ${kind}`);
      return answer;
    };
    const allowed = ["STEPWELL_SCHEDULE_NOT_FOUND"];
    // A client knows what it was told to set.
    if (kind === "trigger" && !("launcher" in place)) allowed.push("STEPWELL_UNKNOWN_WORKFLOW");
    this.#callers.call(place, `schedule ${kind} ${every} ${missed}`, does, allowed);
  }

  /** Somebody looks. */
  due(answer: DueSchedules): DueSchedules {
    for (const { revision } of answer.records) {
      const looks = this.#looks.get(revision) ?? [];
      this.#looks.set(revision, [...looks, answer.at]);
    }
    return answer;
  }

  /** Somebody changes the row. */
  change(call: (change: ScheduleChange) => unknown, change: ScheduleChange): boolean {
    const [before] = this.#store.schedules!.find(name) as readonly ScheduleRecord[];
    const answer = call(change) as boolean;
    const { schedule: after, creates } = change;
    if (!answer || before?.revision === after?.revision) return answer;
    const ids = creates.map(({ id }) => id);
    const { books, clock } = this.#callers.scene;
    books.note(() => `schedule ${after?.plan.paused} ${after?.nextAt} launches ${ids.join(", ")}`);
    if (after?.plan.paused === true && before?.plan.paused !== true) this.#pausedAt = clock.now();
    if (before === undefined || after === null || isSetAnew(before, after)) {
      if (ids.length > 0) books.wrong(`a change of a schedule launches ${ids.join(", ")}`);
    } else if (before.plan.paused !== after.plan.paused) {
      const isWrong = after.plan.paused ? after.nextAt !== null : after.nextAt! <= this.#pausedAt - doubt;
      if (isWrong) books.wrong(`a schedule that is ${after.plan.paused ? "paused" : "resumed"} is due ${after.nextAt}`);
    } else this.#fired(before, after, ids);
    for (const id of ids) this.#launched.add(id);
    return answer;
  }

  #fired(before: ScheduleRecord, after: ScheduleRecord, ids: readonly string[]): void {
    const { books, seen } = this.#callers.scene;
    if (before.plan.paused) books.wrong("a schedule fires while it is paused");
    const looks = this.#looks.get(before.revision) ?? [];
    const fits = looks.find((at) => {
      const { times, nextAt } = lawOf(before, at);
      const isSame = times.map((time) => `${name}@${new Date(time).toISOString()}`).join() === ids.join();
      return isSame && nextAt === after.nextAt && after.plan.lastAt === (times.at(-1) ?? before.plan.lastAt);
    });
    if (fits === undefined) {
      const { plan, nextAt } = before;
      books.wrong(`a schedule ${JSON.stringify({ plan, nextAt, looks })} launches ${ids.join()}, then ${after.nextAt}`);
      return;
    }
    seen.note("sight", "a schedule: launches");
    if (before.nextAt! < fits - grace) seen.note("sight", `a schedule: missed times, ${before.plan.missed}`);
    if (ids.length === 100) seen.note("sight", "a schedule: more than a hundred at once");
  }

  /** All is well: what is due is launched. Then it is deleted, so that all comes to an end. */
  async end(): Promise<void> {
    if (!hasSchedule(this.#callers.scene.plan)) return;
    const { books, clock } = this.#callers.scene;
    const [record] = this.#store.schedules!.find(name) as readonly (ScheduleRecord | undefined)[];
    if (record === undefined) return;
    const late = clock.now() - (record.nextAt ?? Infinity);
    if (late > patience) books.wrong(`a schedule is due for ${late} ms, and nobody launches`);
    await this.#callers.quiet.schedules.delete(name);
  }

  /** Whether all that it has launched has ended. */
  async rests(): Promise<boolean> {
    if (!hasSchedule(this.#callers.scene.plan)) return true;
    const { records } = await this.#store.list({ workflow: name, status: ["scheduled", "running"], limit: 1 });
    return records.length === 0;
  }

  async wrongAtLast(isKept: boolean): Promise<string[]> {
    if (!hasSchedule(this.#callers.scene.plan)) return [];
    const { records } = await this.#store.list({ workflow: name, limit: 10_000 });
    const found = records
      .filter(({ status }) => status !== "completed")
      .map(({ id, status }) => `${id}, launched by a schedule, is ${status}`);
    const ids = [...this.#launched];
    const there = (isKept ? this.#store.load(ids) : []) as readonly (ExecutionRecord | undefined)[];
    for (const [index, record] of there.entries())
      if (record === undefined) found.push(`${ids[index]} was launched by a schedule, and is not there`);
    // A trigger may have come without an answer; a time may not.
    for (const { id } of records)
      if (!this.#launched.has(id) && id.endsWith("Z")) found.push(`${id} was launched beside the schedule`);
    return found;
  }
}

/** Perhaps in the same millisecond, and perhaps as it was. */
function isSetAnew(before: ScheduleRecord, { plan, nextAt }: ScheduleRecord): boolean {
  const { timing, missed, setAt, paused } = before.plan;
  const isSame = plan.setAt === setAt && plan.missed === missed && isDeepStrictEqual(plan.timing, timing);
  return !isSame || (plan.paused === paused && nextAt === before.nextAt);
}

/** What the law says of a row that is looked at. */
function lawOf({ plan, nextAt }: ScheduleRecord, at: number): { readonly times: number[]; readonly nextAt: number } {
  const { every, from } = plan.timing as { readonly every: number; readonly from: number };
  const grid: number[] = [];
  for (let time = nextAt!; time <= at; time += every) grid.push(time);
  const isOffGrid = (nextAt! - from) % every !== 0;
  const next = from + (Math.floor((at - from) / every) + 1) * every;
  if (isOffGrid) return { times: [], nextAt: -1 };
  if (plan.missed === "all") {
    const times = grid.slice(0, 100);
    return { times, nextAt: grid.length > 100 ? grid[100]! : next };
  }
  const punctual = grid.filter((time) => time >= at - grace);
  if (punctual.length > 0 || plan.missed === "skip") return { times: punctual, nextAt: next };
  return { times: grid.slice(0, 1), nextAt: next };
}
