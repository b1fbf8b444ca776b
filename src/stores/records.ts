/** What stores keep beside executions: schedules, lists of steps, launchers, and who waits at the gates of limits. */
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

/** What is asked of a gate. The numbers only leave out who could not be admitted now. */
export interface GateQuery {
  readonly gate: string;
  /** Of the executions that wait, only those of these versions of the workflow. */
  readonly versions: readonly string[];
  /** At most so many candidates. */
  readonly limit: number;
  /** Keys that have so many places are left out. Null: none is. */
  readonly keyLimit: number | null;
  /** Keys of which so many have been admitted in that time are left out. Null: none is. */
  readonly rate: { readonly limit: number; readonly perMs: number } | null;
}

export interface Candidate {
  readonly id: string;
  readonly key: string | null;
  readonly rateKey: string | null;
  /** How many places its key has; 0 without a key. */
  readonly heldByKey: number;
  /** How many with its `rateKey` were admitted in the time asked for; 0 where none was asked for. */
  readonly startedByKey: number;
}

export interface GateState {
  /** Grows with each admission. */
  readonly revision: number;
  /** How many have a place. */
  readonly held: number;
  /** Who could be admitted now and is nobody's, first the one that goes first. */
  readonly candidates: readonly Candidate[];
  /** How long until the next one, of whatever version, could be admitted that is not to be admitted before. Null: there is none. */
  readonly readyInMs: number | null;
  /** How long until the first one of those left out for the rate is forgotten. Null: none was left out. */
  readonly rateInMs: number | null;
}

/** Lets executions through a gate. */
export interface Admission {
  readonly gate: string;
  /** Taken only if the gate still has this revision. */
  readonly revision: number;
  readonly ids: readonly string[];
  /** For how long the admission counts for the rate. Null: not at all. */
  readonly perMs: number | null;
}
