/** When a schedule launches: pure arithmetic over times that are given. */
import { Cron } from "croner";
import type { SchedulePlan, ScheduleTiming } from "../stores/records.js";

/** A time that is past by more than this, in milliseconds, was missed: no launcher was there to launch for it. */
export const grace = 60_000;

/** How many missed times one transaction launches for. */
const largestCatchUp = 100;

/** Parsed cron expressions; a program has few of them. */
const crons = new Map<string, Cron>();
const mostCrons = 1_000;

/** @throws what croner finds wrong with the expression */
function cronOf(expression: string, timezone: string): Cron {
  const key = `${timezone} ${expression}`;
  let cron = crons.get(key);
  if (cron === undefined) {
    if (crons.size === mostCrons) crons.clear();
    // Paused, so that croner only calculates, and sets no timer of its own.
    cron = new Cron(expression, { timezone, paused: true });
    crons.set(key, cron);
  }
  return cron;
}

/** The first time of the schedule after `time`; null: there is none. */
export function nextAfter(timing: ScheduleTiming, time: number): number | null {
  if ("cron" in timing) return cronOf(timing.cron, timing.timezone).nextRun(new Date(time))?.getTime() ?? null;
  if ("at" in timing) return timing.at > time ? timing.at : null;
  const { every, from } = timing;
  return from + (Math.floor(Math.max(0, time - from) / every) + 1) * every;
}

export interface Firing {
  /** The times for which an execution is launched now, oldest first. */
  readonly times: readonly number[];
  /** When to look again. Not after `now`: at once. */
  readonly nextAt: number | null;
}

/** What a schedule that is due launches, and when it is due next. */
export function firing({ timing, missed }: SchedulePlan, due: number, now: number): Firing {
  if (missed === "all") return timesFrom(timing, due, now, largestCatchUp);
  const punctual = now - grace;
  const first = due >= punctual ? due : nextAfter(timing, punctual - 1);
  const onTime = first === null || first > now ? { times: [], nextAt: first } : timesFrom(timing, first, now, Infinity);
  // A punctual launch stands for the missed times, too.
  const standsIn = missed === "once" && onTime.times.length === 0;
  return standsIn ? { ...onTime, times: [due] } : onTime;
}

function timesFrom(timing: ScheduleTiming, first: number, now: number, most: number): Firing {
  const times: number[] = [];
  let next: number | null = first;
  while (next !== null && next <= now && times.length < most) {
    times.push(next);
    next = nextAfter(timing, next);
  }
  return { times, nextAt: next };
}

/** The tag of executions that a schedule has launched. */
export function scheduleTag(name: string): string {
  return `schedule:${name}`;
}
