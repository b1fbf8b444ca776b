/** What stores keep beside executions: schedules, lists of steps, launchers. */
import type { Encoded } from "../values/encode.js";

/** When a schedule wants to launch, as the engine reads it. Times in milliseconds since 1970. */
export type ScheduleTiming =
  | { readonly cron: string; readonly timezone: string }
  | { readonly every: number; readonly from: number }
  | { readonly at: number };

/** What of a schedule no store looks into. */
export interface SchedulePlan {
  readonly timing: ScheduleTiming;
  readonly missed: "skip" | "once" | "all";
  /** Of what it launches. */
  readonly tags: readonly string[];
  readonly paused: boolean;
  readonly setAt: number;
  /** The time for which it last launched something. */
  readonly lastAt: number | null;
}

export interface ScheduleRecord {
  readonly name: string;
  readonly workflow: string;
  readonly version: string;
  /** As it was given. */
  readonly input: Encoded;
  readonly plan: SchedulePlan;
  /** When it is due. Null: never by itself. */
  readonly nextAt: number | null;
  /** Another one with each change, made by the engine. */
  readonly revision: string;
}

/** A list of steps that some launcher has had. */
export interface StoredDefinition {
  readonly workflow: string;
  readonly version: string;
  readonly fingerprint: string;
  /** What matters of the steps, as JSON. */
  readonly steps: string;
}

/**
 * What is known of a launcher that is buried. `left`: it said itself that it lets go of all. `died`: its process is gone.
 * `silent`: nobody can tell; one that lives says so when it registers again.
 */
export type Fate = "left" | "died" | "silent";

/** That a launcher was buried which had called a function of an execution, since the execution's last commit. */
export interface Death {
  readonly fate: Exclude<Fate, "left">;
  /** How long ago. */
  readonly sinceMs: number;
}

export interface LauncherRecord {
  readonly owner: number;
  /** Where its process is, and since when; only launchers look into it. */
  readonly host: string;
  readonly pid: number;
  /** How long since its last heartbeat, by the store's clock. */
  readonly silentMs: number;
}
