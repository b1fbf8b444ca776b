/** What users write for a step, checked and frozen into a `StepDefinition`. */
import type { ErrorDetails } from "../errors.js";
import type { MessageSchemas, StepDefinition, StepFunction } from "./definition.js";
import { milliseconds, type Duration } from "./duration.js";
import type { Messages } from "./messages.js";
import { Transacted } from "./outcome.js";
import { checkName, invalidDefinition, refuseUnknownOptions, shown } from "../values/options.js";
import type { Completes, Either, Gives, IfWhen, Leaves } from "./patches.js";
import { defaultRetry, defaultRollbackRetry, retryDefinition } from "./retry-policy.js";
import { isSchema } from "./schema.js";
import type { ExtraOption, PlainOptions, RunArgument, StepExtras, StepOptions } from "./step-options.js";
import type { Options } from "./verdicts.js";

/** Shared over copies of this package, so that a step may come from a module that has another one. */
const stepKey = Symbol.for("stepwell.step");

/** A step that takes any state with the fields that it needs. `in`: also for users without `strictFunctionTypes`. */
export interface Takes<in Needs> {
  /** For the compiler only: always undefined. */
  readonly "~needs"?: (needs: Needs) => void;
}

/** A step in a module of its own: the fields that it needs of the state, and those that it adds. */
export interface Step<
  in Needs,
  out Given,
  out Left,
  out Early,
  out Name extends string = string,
  out M extends Messages = Messages,
> extends Takes<Needs> {
  readonly name: Name;
  /** For the compiler only: always undefined. */
  readonly "~gives"?: { readonly given: Given; readonly left: Left; readonly early: Early; readonly messages: M };
}

/**
 * Defines a step apart from a workflow. The first call names the fields that the step needs of the state.
 *
 * @example
 * export const shipParcel = step<{ reservationId: string }>()("ship-parcel", {
 *   run: async ({ state, idempotencyKey }) => ({ parcelId: await carrier.book(state.reservationId, { idempotencyKey }) }),
 *   rollback: async ({ state }) => { if (state.parcelId) await carrier.cancel(state.parcelId); },
 * });
 *
 * @throws STEPWELL_INVALID_DEFINITION, STEPWELL_UNKNOWN_OPTION, STEPWELL_INVALID_DURATION, STEPWELL_INVALID_RETRY_POLICY
 */
export function step<Needs extends object = object>(): MakeStep<Needs> {
  return (name: string, ...given: readonly unknown[]) =>
    Object.freeze({ name, [stepKey]: stepDefinition(name, optionsGiven(name, given, {}), {}) });
}

/** Takes a name and options; or a name, its `run`, and the other options. What it gives is written out in both: messages and hovers would show an alias by its own name. */
export interface MakeStep<Needs> {
  <
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
    name: N,
    options: StepOptions<
      Needs,
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
  ): Step<
    Needs,
    Gives<Run, Either<OnMessage, OnTimeout>, IfWhen<Keys>, Otherwise, Recover>,
    Leaves<Run, Either<OnMessage, OnTimeout>, Otherwise, Recover, Rollback, OnRollbackMessage>,
    Completes<{}, Run, Either<OnMessage, OnTimeout>>,
    N,
    M & RM
  >;
  <
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
    name: N,
    run: RunArgument<Needs, Run>,
    options: StepExtras<
      Needs,
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
  ): Step<
    Needs,
    Gives<Run, Either<OnMessage, OnTimeout>, IfWhen<Keys>, Otherwise, Recover>,
    Leaves<Run, Either<OnMessage, OnTimeout>, Otherwise, Recover, Rollback, OnRollbackMessage>,
    Completes<{}, Run, Either<OnMessage, OnTimeout>>,
    N,
    M & RM
  >;
}

/** The definition of a step that `step<…>()(…)` has made; undefined for anything else. */
export function definitionOfStep(step: unknown): StepDefinition | undefined {
  return (step as { readonly [stepKey]?: StepDefinition } | null | undefined)?.[stepKey];
}

const optionNames = [
  "when",
  "otherwise",
  "recover",
  "deadline",
  "run",
  "messages",
  "onMessage",
  "onTimeout",
  "rollback",
  "rollbackMessages",
  "onRollbackMessage",
  "retry",
  "rollbackRetry",
  "timeout",
  "pivot",
  "irreversible",
  "probe",
  "inDoubt",
];

const functions = [
  "run",
  "onMessage",
  "onTimeout",
  "rollback",
  "onRollbackMessage",
  "when",
  "otherwise",
  "recover",
  "probe",
] as const;

type Functions = (typeof functions)[number];

/** The options without their types, which the compiler has checked. */
type Untyped = Readonly<
  Partial<Record<Functions, StepFunction | Transacted> & { messages: MessageSchemas; rollbackMessages: MessageSchemas }>
> &
  PlainOptions & { readonly deadline?: Duration };

/** The options as one object, where `run` may be an argument of its own. */
export function optionsGiven(name: string, given: readonly unknown[], about: ErrorDetails): unknown {
  if (given.length < 2) return given[0];
  const [run, options] = given;
  refuseUnknownOptions(
    options,
    optionNames.filter((option) => option !== "run"),
    `Step "${name}"`,
    { ...about, step: name },
  );
  return { ...(options as object), run };
}

/**
 * Checks a step as its author wrote it.
 *
 * @param made of what it is made, where that is not a `run`: of a wait, or of children
 */
export function stepDefinition(
  name: unknown,
  options: unknown,
  about: ErrorDetails,
  made: Partial<Pick<StepDefinition, "waits" | "children">> = {},
): StepDefinition {
  checkName(name, "The name of a step", about);
  const here = { ...about, step: name };
  const where = `Step "${name}"`;
  refuseUnknownOptions(options, optionNames, where, here);
  const given = options as Untyped;
  checkKinds(given, where, here);
  const messages = messageSchemas(given.messages, `${where}, messages`, here);
  const rollbackMessages = messageSchemas(given.rollbackMessages, `${where}, rollbackMessages`, here);
  if (made.children === undefined && given.run === undefined && given.rollback === undefined) {
    throw invalidDefinition(`${where} has neither a "run" nor a "rollback", so it would do nothing`, here);
  }
  checkSense({ ...given, messages, rollbackMessages }, where, here);
  return Object.freeze({
    name,
    when: given.when as StepFunction | undefined,
    otherwise: given.otherwise as StepFunction | undefined,
    recover: given.recover as StepFunction | undefined,
    run: asFunction(given.run),
    messages,
    onMessage: given.onMessage as StepFunction | undefined,
    onTimeout: given.onTimeout as StepFunction | undefined,
    probe: given.probe as StepFunction | undefined,
    inDoubt: given.inDoubt ?? (given.probe === undefined ? "rerun" : "park"),
    rollback: asFunction(given.rollback),
    rollbackMessages,
    onRollbackMessage: given.onRollbackMessage as StepFunction | undefined,
    retry: retryDefinition(given.retry, defaultRetry, `${where}, retry`, here),
    rollbackRetry: retryDefinition(given.rollbackRetry, defaultRollbackRetry, `${where}, rollbackRetry`, here),
    timeout: limitOf("timeout", given.timeout, where, here),
    deadline: limitOf("deadline", given.deadline, where, here),
    waits: made.waits,
    children: made.children,
    pivot: given.pivot ?? false,
    irreversible: given.irreversible,
    transactional: given.run instanceof Transacted,
    stores: [given.run, given.rollback].flatMap((it) => (it instanceof Transacted ? it.store : [])),
  });
}

/** By function: the work of the transaction that was given in its place. */
const workOf = new WeakMap<StepFunction, Transacted["work"]>();

function asFunction(given: StepFunction | Transacted | undefined): StepFunction | undefined {
  if (!(given instanceof Transacted)) return given;
  const fn = (): Transacted => given;
  workOf.set(fn, given.work);
  return fn;
}

/** The function that the user wrote: the function itself, or the work of the transaction that was given in its place. */
export function writtenFor(fn: StepFunction): (...given: never[]) => unknown {
  return workOf.get(fn) ?? fn;
}

/** Checks each option by itself. */
function checkKinds(given: Untyped, where: string, about: ErrorDetails): void {
  for (const key of functions) {
    const isWork = given[key] instanceof Transacted;
    if (isWork && key !== "run" && key !== "rollback") {
      const how = `a function that gives it back: ${key}: () => transaction(…)`;
      throw invalidDefinition(`${where}: "${key}" can't be a transaction itself; write ${how}`, about);
    }
    if (given[key] !== undefined && !isWork && typeof given[key] !== "function") {
      throw invalidDefinition(`${where}: "${key}" must be a function, not ${shown(given[key])}`, about);
    }
  }
  if (given.pivot !== undefined && typeof given.pivot !== "boolean") {
    throw invalidDefinition(`${where}: "pivot" must be true or false, not ${shown(given.pivot)}`, about);
  }
  if (given.inDoubt !== undefined && given.inDoubt !== "rerun" && given.inDoubt !== "park") {
    throw invalidDefinition(`${where}: "inDoubt" must be "rerun" or "park", not ${shown(given.inDoubt)}`, about);
  }
  const { irreversible } = given;
  if (irreversible !== undefined && (typeof irreversible !== "string" || irreversible.trim() === "")) {
    throw invalidDefinition(
      `${where}: "irreversible" must say in a text why the step can't be undone, not ${shown(irreversible)}`,
      about,
    );
  }
}

type CheckedOptions = Untyped & { readonly messages: MessageSchemas; readonly rollbackMessages: MessageSchemas };

/** Checks the options together: a function that could never be called is a mistake. */
function checkSense(given: CheckedOptions, where: string, about: ErrorDetails): void {
  if (isEmpty(given.messages) !== (given.onMessage === undefined)) {
    throw invalidDefinition(`${where}: "messages" and "onMessage" belong together; one of them is missing`, about);
  }
  if (isEmpty(given.rollbackMessages) !== (given.onRollbackMessage === undefined)) {
    throw invalidDefinition(
      `${where}: "rollbackMessages" and "onRollbackMessage" belong together; one of them is missing`,
      about,
    );
  }
  if (given.otherwise !== undefined && given.when === undefined) {
    throw invalidDefinition(`${where}: "otherwise" is for a step that is passed over, and there is no "when"`, about);
  }
  if (given.recover !== undefined && given.pivot === true) {
    throw invalidDefinition(
      `${where} is a pivot and has "recover": a pivot that has failed turns the execution`,
      about,
    );
  }
  checkDoubt(given, where, about);
  checkReachable(given, where, about);
}

/** Only of a `run` that does something outside of the store can it be unknown what it did. */
function checkDoubt(given: CheckedOptions, where: string, about: ErrorDetails): void {
  const option = (["probe", "inDoubt"] as const).find((key) => given[key] !== undefined);
  if (option === undefined) return;
  if (given.run === undefined) {
    throw invalidDefinition(`${where}: "${option}" is about attempts of "run", which is missing`, about);
  }
  if (given.run instanceof Transacted) {
    throw invalidDefinition(
      `${where}: "${option}" has no meaning where "run" is a transaction itself: what was not committed did not happen`,
      about,
    );
  }
}

/** A handler goes on after a pause of the step's own function: without that function it would never be called. */
function checkReachable(given: CheckedOptions, where: string, about: ErrorDetails): void {
  if (given.irreversible !== undefined) {
    const undo = (["rollback", "onRollbackMessage"] as const).find((key) => given[key] !== undefined);
    if (undo === undefined) return;
    throw invalidDefinition(
      `${where} has "${undo}" and says that it is "irreversible"; only one of them can be true`,
      about,
    );
  }
  for (const [handler, beginning] of [
    ["onMessage", "run"],
    ["onTimeout", "run"],
    ["onRollbackMessage", "rollback"],
  ] as const) {
    if (given[handler] === undefined || given[beginning] !== undefined) continue;
    throw invalidDefinition(
      `${where}: "${handler}" goes on after a pause in "${beginning}", which is missing, so it would never be called`,
      about,
    );
  }
}

function isEmpty(messages: MessageSchemas): boolean {
  return Object.keys(messages).length === 0;
}

function messageSchemas(messages: MessageSchemas | undefined, where: string, about: ErrorDetails): MessageSchemas {
  if (messages === undefined) return Object.freeze({});
  if (typeof messages !== "object" || messages === null || Array.isArray(messages) || isSchema(messages)) {
    const given = isSchema(messages) ? "a schema itself" : shown(messages);
    throw invalidDefinition(`${where} must be an object of schemas by the messages' names, not ${given}`, about);
  }
  for (const [name, schema] of Object.entries(messages)) {
    checkName(name, `${where}: a message's name`, about);
    if (isSchema(schema)) continue;
    throw invalidDefinition(
      `${where}: "${name}" is not a schema. Give one of a Standard Schema library, such as zod`,
      about,
    );
  }
  return Object.freeze({ ...messages });
}

function limitOf(option: string, limit: Duration | undefined, where: string, about: ErrorDetails): number | undefined {
  if (limit === undefined) return undefined;
  const length = milliseconds(limit, `${where}, ${option}`);
  if (length === 0) throw invalidDefinition(`${where}: "${option}" must be longer than 0`, about);
  return length;
}
