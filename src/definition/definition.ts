/**
 * The definition of a workflow: checked, frozen data plus the user's functions, without their types. `workflow.ts` builds it from
 * what users write, and gives it its types.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { LimitsDefinition } from "./limits.js";
import type { Observer } from "./observer.js";

/** A retry policy with every field filled in; durations in milliseconds. */
export interface RetryDefinition {
  /** All tries, the first one included; may be Infinity. */
  readonly attempts: number;
  readonly delay: number;
  readonly factor: number;
  readonly maxDelay: number;
  readonly jitter: boolean;
  /** Limit over all attempts; Infinity: none. */
  readonly within: number;
}

/** A user's step function or handler. What it may give back is classified in `outcome.ts`. */
export type StepFunction = (context: never) => unknown;

export type MessageSchemas = Readonly<Record<string, StandardSchemaV1>>;

/** A synchronous function without effects: `when`, `otherwise`, `recover`. */
export type StateFunction = (context: never) => unknown;

/** What a step of children begins, and what it makes of them. */
export interface ChildrenDefinition {
  readonly kind: "child" | "parallel" | "forEach";
  /** The workflows of the children: by key for `parallel`, else one under "". */
  readonly workflows: Readonly<Record<string, WorkflowDefinition>>;
  /** These workflows, and all that stand below them, each once. */
  readonly below: ReadonlySet<WorkflowDefinition>;
  /** How many generations those are. */
  readonly generations: number;
  /**
   * `child`: `({ state })` gives the input; undefined: no child. `parallel`: `({ state })` gives inputs by key; undefined: none of that
   * key. `forEach`: `({ state, item, index, key })` gives the input. Undefined: the item is the input.
   */
  readonly input: StateFunction | undefined;
  /** `forEach` only: `({ state })` gives the items, in an array. */
  readonly items: StateFunction | undefined;
  /** `forEach` only: `({ item, index })` gives a text. Undefined: the position. */
  readonly key: StateFunction | undefined;
  /** `({ state, children })` gives a patch, `fail(…)` or nothing; `children` in the order of the list: `{ id, key, status, reason, state }`. */
  readonly join: StateFunction | undefined;
  readonly onFailure: "turn" | "settle";
  /** At most so many unsettled at a time. Undefined: no limit. */
  readonly concurrency: number | undefined;
  /** How completed children are undone: `concurrency` at a time, or one by one. */
  readonly undo: "together" | "one-by-one";
}

export interface StepDefinition {
  readonly name: string;
  /** Whether the step applies to an execution. Undefined: it does. */
  readonly when: StateFunction | undefined;
  /** The patch of a step that is passed over. */
  readonly otherwise: StateFunction | undefined;
  readonly run: StepFunction | undefined;
  readonly messages: MessageSchemas;
  readonly onMessage: StepFunction | undefined;
  readonly onTimeout: StepFunction | undefined;
  /** Called when the step has failed for good on the way up. */
  readonly recover: StateFunction | undefined;
  /** Says what became of an attempt of `run` that gave nothing back. */
  readonly probe: StepFunction | undefined;
  /** What follows where nobody can say that. */
  readonly inDoubt: "rerun" | "park";
  readonly rollback: StepFunction | undefined;
  readonly rollbackMessages: MessageSchemas;
  readonly onRollbackMessage: StepFunction | undefined;
  /** Undefined: the default of the direction, which depends on where the pivot is. */
  readonly retry: RetryDefinition | undefined;
  readonly rollbackRetry: RetryDefinition | undefined;
  /** For each attempt, in milliseconds. Undefined: none. */
  readonly timeout: number | undefined;
  /** For the whole step on the way up, in milliseconds. Undefined: none. */
  readonly deadline: number | undefined;
  /** The step only waits: for a time, or for messages, with or without a timeout. Undefined: it does something. */
  readonly waits: "time" | "messages" | "messages, with a timeout" | undefined;
  /** The step is made of other executions: it has no functions, messages or retries of its own. */
  readonly children: ChildrenDefinition | undefined;
  readonly pivot: boolean;
  readonly irreversible: string | undefined;
  /** Its `run` is nothing but work in the store's own transaction: where that was not committed, the step has done nothing. */
  readonly transactional: boolean;
  /** The kinds of stores whose transactions its functions are. */
  readonly stores: readonly string[];
}

/** From an older version of a workflow to this one. */
export interface MigrationDefinition {
  /** The older version. */
  readonly from: string;
  /** The older workflow. Undefined: only its version was given. */
  readonly older: WorkflowDefinition | undefined;
  /** New names of steps that have another name; null: the step is gone. */
  readonly steps: Readonly<Record<string, string | null>>;
  readonly move: ((execution: never) => unknown) | undefined;
}

export interface WorkflowDefinition {
  readonly name: string;
  readonly version: string;
  readonly input: StandardSchemaV1;
  /** For the way up, from the launch, in milliseconds. Undefined: none. */
  readonly deadline: number | undefined;
  /** From each completion, in milliseconds. Undefined: without end. */
  readonly undoFor: number | undefined;
  /** On launches. Undefined: none. */
  readonly limits: LimitsDefinition | undefined;
  readonly onExit: ((reason: string, state: never) => string | undefined | void) | undefined;
  readonly steps: readonly StepDefinition[];
  /** The index of the pivot step, or -1. */
  readonly pivot: number;
  readonly guards: readonly Observer[];
  readonly watchers: readonly Observer[];
  readonly migrations: readonly MigrationDefinition[];
}
