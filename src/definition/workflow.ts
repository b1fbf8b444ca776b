/** A workflow: a named, versioned, ordered list of steps, with a schema for its input. Immutable: each call gives a new one. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { stepGiven, withMigration, withObservers, withStep } from "./additions.js";
import type { AnyWorkflow, Bag, Unseen } from "./bag.js";
import { StepwellError, type ErrorDetails } from "../errors.js";
import type { ChildrenDefinition, WorkflowDefinition } from "./definition.js";
import { definitionKey } from "./definition-of.js";
import { childrenStep } from "./children.js";
import type { ChildrenSteps } from "./children-options.js";
import { milliseconds, type Duration } from "./duration.js";
import type { MessageContext, RecoverContext, StateContext, StepContext } from "./contexts.js";
import type { First, Next } from "./growth.js";
import type { Shown } from "./frozen.js";
import { limitsDefinition, type Concurrency, type RateLimit } from "./limits.js";
import type { Messages } from "./messages.js";
import type { Grow } from "./objects.js";
import type { ObserverOf } from "./observer.js";
import type { Pause } from "./outcome.js";
import { checkName, refuseUnknownOptions } from "../values/options.js";
import type { MigrationOptions } from "./migration.js";
import type { Completes, Either, Gives, IfWhen, Leaves } from "./patches.js";
import { printed } from "./printing.js";
import { isSchema } from "./schema.js";
import type { Step, Takes } from "./step.js";
import type { ConditionOption, Conditions, ExtraOption, RunArgument, StepExtras, StepOptions } from "./step-options.js";
import type {
  FieldProblem,
  Free,
  InputProblem,
  IsTaken,
  Meets,
  Missing,
  Options,
  Problem,
  Right,
  Verdict,
} from "./verdicts.js";
import { sleepDefinition, waitDefinition } from "./waiting.js";

/**
 * Why a step of a module can't stand here.
 *
 * @typeParam Patch all that its functions give, by any way
 */
type StepProblem<B extends Bag, Needs, Patch, N extends string> =
  IsTaken<N, B["steps"]> extends true
    ? `a step named "${N}" is there already`
    : Meets<Shown<B["state"]>, Shown<Needs>> extends false
      ? Missing<Shown<B["state"]>, Shown<Needs>>
      : Verdict<FieldProblem<Patch, B["state"]>>;

export interface WorkflowOptions<Schema extends StandardSchemaV1> {
  /** Checks the input of a launch; its output is the first state. Any Standard Schema library. */
  readonly input: Right<InputProblem<StandardSchemaV1.InferOutput<Schema>>, Schema>;
  /** An execution keeps the version that it started with; several can be registered side by side. Default: "1". */
  readonly version?: string;
  /** How long the way up may take, from the launch. Longer than 0. Then the execution turns with reason `deadline`. Default: no limit. */
  readonly deadline?: Duration;
  /** For how long an execution can be undone after it has completed; 0: not at all. Retention waits for it. Default: as long as it is kept. */
  readonly undoFor?: Duration;
  /**
   * How many executions may be under way at the same time, over all launchers and versions: a number, one limit for each key, or both.
   * Others wait, in the order of launch and priority. An execution holds its slot until it is at rest. Default: no limit.
   */
  readonly concurrency?: Concurrency<StandardSchemaV1.InferOutput<Schema>>;
  /** How many executions may begin in any period of this length, over all launchers and versions. Default: no limit. */
  readonly rate?: RateLimit<StandardSchemaV1.InferOutput<Schema>>;
  /** May map the final reason to another one. Synchronous and without effects: `onExit` may be called more than once. */
  readonly onExit?: (
    reason: string,
    state: Shown<StandardSchemaV1.InferOutput<Schema>> & Readonly<Record<string, unknown>>,
  ) => string | undefined | void;
}

export interface Workflow<B extends Bag> extends AnyWorkflow, ChildrenSteps<B> {
  readonly types?: B;

  /**
   * Adds a step; steps run in this order and are undone in reverse. Takes a step from a module of its own; or a name and
   * options; or a name, its `run`, and the other options.
   *
   * @throws STEPWELL_INVALID_DEFINITION (a name that is empty or taken, a handler without messages …),
   * STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION, STEPWELL_INVALID_RETRY_POLICY
   */
  step<Needs, Given, Left, Early, N extends string, M extends Messages>(
    step: Right<
      StepProblem<B, Needs, Given | Left | Early, N>,
      Step<Needs, Given, Left, Early, N, M> & Takes<Shown<B["state"]>>
    >,
  ): Next<B, N, Given, Left, [Early] extends [never] ? never : Grow<B["state"], Early>, M>;
  step<
    const N extends string,
    Run,
    OnMessage,
    OnTimeout,
    Rollback,
    OnRollbackMessage,
    Otherwise,
    Recover,
    M extends Messages = {},
    RM extends Messages = {},
    Keys extends string = never,
  >(
    name: Free<N, B["steps"]>,
    options: StepOptions<
      B["state"],
      Run,
      OnMessage,
      OnTimeout,
      Rollback,
      OnRollbackMessage,
      Otherwise,
      Recover,
      M,
      RM,
      Keys
    > &
      Options<Keys, "run" | ExtraOption>,
  ): Next<
    B,
    N,
    Gives<Run, Either<OnMessage, OnTimeout>, IfWhen<Keys>, Otherwise, Recover>,
    Leaves<Run, Either<OnMessage, OnTimeout>, Otherwise, Recover, Rollback, OnRollbackMessage>,
    Completes<B["state"], Run, Either<OnMessage, OnTimeout>>,
    M & RM
  >;
  step<
    const N extends string,
    Run,
    OnMessage,
    OnTimeout,
    Rollback,
    OnRollbackMessage,
    Otherwise,
    Recover,
    M extends Messages = {},
    RM extends Messages = {},
    Keys extends string = never,
  >(
    name: Free<N, B["steps"]>,
    run: RunArgument<B["state"], Run>,
    options: StepExtras<
      B["state"],
      Run,
      OnMessage,
      OnTimeout,
      Rollback,
      OnRollbackMessage,
      Otherwise,
      Recover,
      M,
      RM,
      Keys
    > &
      Options<Keys, ExtraOption>,
  ): Next<
    B,
    N,
    Gives<Run, Either<OnMessage, OnTimeout>, IfWhen<Keys>, Otherwise, Recover>,
    Leaves<Run, Either<OnMessage, OnTimeout>, Otherwise, Recover, Rollback, OnRollbackMessage>,
    Completes<B["state"], Run, Either<OnMessage, OnTimeout>>,
    M & RM
  >;

  /**
   * Adds a step that only waits: for that long, or until that time. Where `time` is a function, it is called once, and the time is
   * stored. There is nothing to undo.
   *
   * @example
   * .sleep("cool-off", ({ state }) => (state.isUrgent ? "1h" : "3d"))
   *
   * @throws as `step`
   */
  sleep<const N extends string, Otherwise, Recover, Keys extends string = never>(
    name: Free<N, B["steps"]>,
    time: Duration | ((context: StateContext<B["state"]>) => Duration | Date),
    options?: Conditions<B["state"], Otherwise, Keys> &
      Options<Keys, ConditionOption | "recover"> & {
        readonly recover?: (context: RecoverContext<B["state"]>) => Right<Problem<Recover, B["state"]>, Recover>;
      },
  ): Next<
    B,
    N,
    Gives<undefined, never, IfWhen<Keys>, Otherwise, Recover>,
    Leaves<undefined, never, Otherwise, Recover, never, never>,
    never,
    {}
  >;

  /**
   * Adds a step that only waits for a message. Without `onMessage` any of the messages ends the wait; without `timeout` the wait may
   * last for ever. There is nothing to undo.
   *
   * @example
   * .waitFor("approval", { approved: z.object({ by: z.string() }), rejected: z.null() }, {
   *   timeout: "2d",
   *   onMessage: ({ message }) => (message.name === "approved" ? { approvedBy: message.payload.by } : fail("rejected")),
   * })
   *
   * @throws as `step`
   */
  waitFor<
    const N extends string,
    M extends Messages,
    OnMessage,
    OnTimeout,
    Otherwise,
    Recover,
    Keys extends string = never,
  >(
    name: Free<N, B["steps"]>,
    messages: M,
    options?: Conditions<B["state"], Otherwise, Keys> &
      Options<Keys, ConditionOption | "recover" | "timeout" | "onMessage" | "onTimeout"> & {
        /** After this time the step fails with reason `timeout`, or `onTimeout` decides. Default: none. */
        readonly timeout?: Duration;
        readonly onMessage?: (
          context: MessageContext<B["state"], M>,
        ) => Right<Problem<OnMessage, B["state"]>, OnMessage>;
        readonly onTimeout?: (context: StepContext<B["state"]>) => Right<Problem<OnTimeout, B["state"]>, OnTimeout>;
        readonly recover?: (context: RecoverContext<B["state"]>) => Right<Problem<Recover, B["state"]>, Recover>;
      },
  ): Next<
    B,
    N,
    Gives<Pause<{}>, Either<OnMessage, OnTimeout>, IfWhen<Keys>, Otherwise, Recover>,
    Leaves<never, Either<OnMessage, OnTimeout>, Otherwise, Recover, never, never>,
    Completes<B["state"], Pause<{}>, Either<OnMessage, OnTimeout>>,
    M
  >;

  /**
   * Adds observers, made with `observer(…)` or written here, where the workflow gives them their types. Guards are called before
   * watchers, each kind in the order listed.
   *
   * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION
   */
  observe(...observers: readonly ObserverOf<B>[]): Workflow<B>;

  /**
   * Says how executions of an older version become executions of this one, wherever they stand. A launcher that has this version and
   * not the older one takes such executions up and moves them, before any of their functions runs. Stands after the steps.
   *
   * @param older the older workflow, which gives the types; or its version, where the code is gone
   * @example
   * export const fulfilOrder = workflow("fulfil-order", { input, version: "2" })
   *   .step("reserve-stock", { … })
   *   .step("charge", { … })
   *   .migrate(fulfilOrder1, {
   *     steps: { "take-payment": "charge", "print-label": null },
   *     move: ({ state }) => ({ state: { ...state, currency: "EUR" } }),
   *   });
   *
   * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION
   */
  migrate<Older extends AnyWorkflow | string>(
    older: Older,
    options: MigrationOptions<Older extends AnyWorkflow ? Older : Unseen, B>,
  ): Workflow<B>;

  /** The steps with their marks, as `console.log` shows them. */
  toString(): string;
}

const inspectKey = Symbol.for("nodejs.util.inspect.custom");

/**
 * Begins a workflow.
 *
 * @param name unique among the workflows of a launcher; executions are stored under it
 * @example
 * export const fulfilOrder = workflow("fulfil-order", { input: z.object({ sku: z.string() }) })
 *   .step("reserve-stock", {
 *     run: async ({ state, idempotencyKey }) => ({ reservationId: await warehouse.reserve(state.sku, { idempotencyKey }) }),
 *     rollback: async ({ state, runKey }) => warehouse.release(state.reservationId ?? { requestedWith: runKey }),
 *   });
 *
 * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION
 */
export function workflow<Schema extends StandardSchemaV1>(
  name: string,
  options: WorkflowOptions<Schema>,
): First<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema> & object> {
  checkName(name, "The name of a workflow");
  const about = { workflow: name };
  const where = `Workflow "${name}"`;
  refuseUnknownOptions(
    options,
    ["input", "version", "deadline", "undoFor", "concurrency", "rate", "onExit"],
    where,
    about,
  );
  const { input, version = "1", deadline, undoFor, onExit } = options;
  checkName(version, `${where}: "version"`, about);
  if (!isSchema(input)) {
    const message = `${where}: "input" must be a schema of a Standard Schema library, such as z.object({ … }) of zod.`;
    throw new StepwellError("STEPWELL_INVALID_DEFINITION", message, about);
  }
  if (onExit !== undefined && typeof onExit !== "function") {
    throw new StepwellError("STEPWELL_INVALID_DEFINITION", `${where}: "onExit" must be a function.`, about);
  }
  return built({
    name,
    version,
    input,
    deadline: deadlineOf(deadline, where, about),
    undoFor: undoFor === undefined ? undefined : milliseconds(undoFor, `${where}, undoFor`),
    limits: limitsDefinition(options.concurrency, options.rate, where, about),
    onExit,
    steps: [],
    pivot: -1,
    guards: [],
    watchers: [],
    migrations: [],
  }) as unknown as ReturnType<typeof workflow<Schema>>;
}

function deadlineOf(deadline: Duration | undefined, where: string, about: ErrorDetails): number | undefined {
  if (deadline === undefined) return undefined;
  const length = milliseconds(deadline, `${where}, deadline`);
  if (length > 0) return length;
  throw new StepwellError(
    "STEPWELL_INVALID_DEFINITION",
    `${where}: "deadline" must be longer than 0, or every execution would turn at once. Leave it out for no limit.`,
    about,
  );
}

/** The workflow of a definition that is checked already. */
export function built(definition: WorkflowDefinition): AnyWorkflow {
  for (const list of [definition.steps, definition.guards, definition.watchers, definition.migrations])
    Object.freeze(list);
  // Others are made of what is not frozen itself: to copy that is quick.
  const frozen = Object.freeze({ ...definition });
  return Object.freeze({
    name: frozen.name,
    version: frozen.version,
    [definitionKey]: frozen,
    step: (...given: readonly unknown[]) => built(withStep(definition, stepGiven(given, frozen.name))),
    sleep: (name: unknown, time: unknown, options?: unknown) =>
      built(withStep(definition, sleepDefinition(name, time, options, { workflow: frozen.name }))),
    waitFor: (name: unknown, messages: unknown, options?: unknown) =>
      built(withStep(definition, waitDefinition(name, messages, options, { workflow: frozen.name }))),
    ...childrenSteps(definition),
    observe: (...observers: readonly ObserverOf<Bag>[]) => built(withObservers(definition, observers)),
    migrate: (older: unknown, options: unknown) => built(withMigration(definition, older, options)),
    toString: () => printed(frozen),
    [inspectKey]: () => printed(frozen),
  });
}

/** `.child`, `.parallel`, `.forEach`. */
function childrenSteps(definition: WorkflowDefinition): object {
  const adding =
    (kind: ChildrenDefinition["kind"]) =>
    (name: unknown, workflows: unknown, options: unknown): AnyWorkflow =>
      built(withStep(definition, childrenStep(kind, name, workflows, options, { workflow: definition.name })));
  return { child: adding("child"), parallel: adding("parallel"), forEach: adding("forEach") };
}
