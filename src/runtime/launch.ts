/** From an input to a stored execution: everything is checked before anything is written. */
import { encode } from "../values/encode.js";
import { isolate, merge } from "../values/isolate.js";
import type { AnyWorkflow, InputOf, StatePatch, StepsOf } from "../definition/bag.js";
import { milliseconds, type Duration } from "../definition/duration.js";
import type { Frozen } from "../definition/frozen.js";
import { refuseUnknownOptions, shown } from "../values/options.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { patchProblem } from "../definition/outcome.js";
import { validate } from "../definition/schema.js";
import { StepwellError } from "../errors.js";
import { initialFlow, irreversibleIn, positionAt, type Position, positionOf } from "../execution/position.js";
import { startedInRollback } from "../execution/router.js";
import { checkExecutionId, newId } from "../ids.js";
import { newRecord, type CreateResult, type NewExecution } from "../stores/batch.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { CallerTransaction, MaybePromise, StoreWithin } from "../stores/contract.js";
import { callerTransaction } from "../session/caller-transaction.js";
import type { ClientHost } from "../session/client-host.js";
import type { Registered } from "../session/registry.js";

import { andThen } from "../session/maybe-promise.js";
import { checkPriority, queueingOf } from "./queueing.js";
import { checkRollbackReason } from "../session/reasons.js";
import { carriedBy } from "./engine-events.js";
import { checkedTags } from "./tags.js";
import { named } from "../session/damaged-rows.js";

export interface LaunchOptions<W extends AnyWorkflow = AnyWorkflow> {
  /**
   * Makes the launch idempotent: a second launch with the same id, workflow and input is the same
   * execution. 1 to 255 characters. Default: a new UUID (version 7).
   */
  readonly id?: string;
  /** For `list`. At most 32, each of 1 to 128 characters. */
  readonly tags?: readonly string[];
  /** Begin after this time. The workflow's deadline counts from there. */
  readonly delay?: Duration;
  /** Begin at this time; in the past: at once. */
  readonly at?: Date;
  /**
   * Among the launches that wait for the workflow's limits, higher goes first: a whole number from 0 to 1000000.
   * Each step is worth a minute of waiting, so that nothing waits for ever. Its children wait with it too. Only for a workflow that
   * has limits, or children whose workflows have some. Default: 0.
   */
  readonly priority?: number;
  /**
   * Start directly in rollback: undo from this step, as if a run had come that far with this state. The
   * reason becomes the execution's: a text of one line, and neither `normal` nor `ok`. Refused: a step after the pivot,
   * and an id that exists, unless it was launched so from the same step.
   */
  readonly rollback?: {
    readonly from: StepsOf<W>;
    readonly reason: string;
    readonly state?: StatePatch<W>;
    /** Steps of children that are passed over: a launch in rollback has begun none, so it has none to undo. */
    readonly without?: readonly StepsOf<W>[];
  };
  /**
   * A transaction of your own on the store's database, as the connection that has it: what is stored commits
   * with it, or not at all. It is taken up after your commit, by polling at the latest.
   */
  readonly tx?: CallerTransaction;
}

/** One of the executions of `launchMany`. */
export interface LaunchItem<W extends AnyWorkflow = AnyWorkflow> extends LaunchOptions<W> {
  readonly input: InputOf<W> | Frozen<InputOf<W>>;
}

/** What is written; who owns it from the start is known last. */
type Row = Omit<NewExecution, "owner" | "carried"> & { owner: number | null; carried: string | null };

/** A launch that was checked and is ready to be written. */
export interface PreparedLaunch {
  readonly registered: Registered;
  readonly row: Row;
  readonly state: object;
  /** The caller's own transaction, if it is to be written in one. */
  readonly within: StoreWithin | undefined;
}

const optionNames = ["id", "tags", "delay", "at", "priority", "rollback", "tx"];

/** What an item of `launchMany` may have. */
const itemNames = ["input", ...optionNames];

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
export function checkItems(items: unknown, { definition }: Registered): void {
  const about = { workflow: definition.name };
  const where = `launchMany of "${definition.name}"`;
  if (!Array.isArray(items)) {
    const message = `${where} takes an array of { input, id, … }, not ${shown(items)}.`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { workflow: definition.name });
  }
  for (const [index, item] of items.entries()) {
    refuseUnknownOptions(item, itemNames, `${where}, item ${index},`, about);
  }
}

export function prepareLaunch(
  registered: Registered,
  input: unknown,
  options: LaunchOptions,
  host: ClientHost,
): MaybePromise<PreparedLaunch> {
  refuseUnknownOptions(options, optionNames, `launch of "${registered.definition.name}"`);
  checkPriority(registered.definition, options);
  const checked = validate(registered.definition.input, input);
  return checked instanceof Promise
    ? prepareLater(registered, input, checked, options, host)
    : prepareChecked(registered, input, checked, options, host);
}

/** A child, as it will be created. @param priority its parent's @throws as `launch` */
export function prepareChild(
  registered: Registered,
  input: unknown,
  { id, priority = 0 }: { readonly id: string; readonly priority: number | undefined },
  host: LaunchHost,
): MaybePromise<Omit<NewExecution, "owner">> {
  return andThen(
    validate(registered.definition.input, input),
    (checked) => checkedRow(registered, input, checked, { id, priority }, host).row,
  );
}

async function prepareLater(
  registered: Registered,
  input: unknown,
  checked: Promise<Checked>,
  options: LaunchOptions,
  host: ClientHost,
): Promise<PreparedLaunch> {
  return prepareChecked(registered, input, await checked, options, host);
}

const noTags: readonly string[] = [];

type Checked = Awaited<ReturnType<typeof validate>>;

function prepareChecked(
  registered: Registered,
  input: unknown,
  checked: Checked,
  options: LaunchOptions,
  host: ClientHost,
): PreparedLaunch {
  const { row, state } = checkedRow(registered, input, checked, options, host);
  const { id, workflow, version } = row;
  row.carried = carriedBy("launch", { id, workflow, version }, registered, host);
  return {
    registered,
    row,
    state,
    within: options.tx === undefined ? undefined : callerTransaction(host.store, options.tx, "launch"),
  };
}

type LaunchHost = Pick<ClientHost, "sizeLimit" | "storeNow" | "storeNowAtMost">;

/** What is written, but for what observers give it to carry. */
function checkedRow(
  registered: Registered,
  input: unknown,
  checked: Checked,
  options: LaunchOptions,
  host: LaunchHost,
): { readonly row: Row; readonly state: object } {
  const { definition, stepList } = registered;
  if (!checked.ok) throw invalidInput(definition, options, `was refused by its schema: ${checked.problem}`);
  if (typeof checked.value !== "object" || checked.value === null || Array.isArray(checked.value))
    throw invalidInput(definition, options, "must be an object: its fields are the first fields of the state.");
  const id = options.id ?? newId();
  if (options.id !== undefined) checkExecutionId(options.id);
  const position = prioritized(firstPosition(registered, options), options);
  const limit = host.sizeLimit;
  const given = isolate(input);
  // A schema that only checks gives back what it was given.
  let state = checked.value === input ? (given as object) : isolate(checked.value);
  if (options.rollback?.state !== undefined) state = merge(state, isolate(options.rollback.state));
  const delay = delayOf(options, host);
  const resumeAt = delay > 0 ? host.storeNowAtMost() + delay : null;
  const queue = queueingOf(definition, options, state);
  const encoded = encode(given, { what: "The input", limit });
  return {
    state,
    row: {
      id,
      owner: null,
      workflow: definition.name,
      version: definition.version,
      fingerprint: stepList.fingerprint,
      tags: options.tags === undefined ? noTags : checkedTags(options.tags, "launch"),
      status: delay > 0 || queue !== undefined ? "scheduled" : "running",
      position: resumeAt === null ? position : positionOf({ ...position, resumeAt }),
      state: state === given ? encoded : encode(state, { what: "The state", limit }),
      input: encoded,
      dueInMs: resumeAt === null ? 0 : resumeAt - host.storeNow(),
      deadlineInMs: definition.deadline === undefined ? null : delay + definition.deadline,
      carried: null,
      queue,
    },
  };
}

/** What has none is of the shape that most positions have. */
function prioritized(position: Position, { priority = 0 }: LaunchOptions): Position {
  return priority === 0 ? position : positionOf({ ...position, priority });
}

function invalidInput({ name }: WorkflowDefinition, { id }: LaunchOptions, problem: string): StepwellError {
  const about = { workflow: name, execution: id };
  return new StepwellError("STEPWELL_INVALID_INPUT", `The input of workflow "${name}" ${problem}`, about);
}

function firstPosition({ definition }: Registered, { id, rollback }: LaunchOptions): Position {
  if (rollback === undefined) return positionAt(initialFlow, definition.steps[0]!.name);
  return rollbackPosition(definition, id, rollback);
}

function rollbackPosition(
  definition: WorkflowDefinition,
  id: string | undefined,
  rollback: NonNullable<LaunchOptions["rollback"]>,
): Position {
  checkRollbackStart(rollback);
  const index = definition.steps.findIndex(({ name }) => name === rollback.from);
  if (index < 0) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `Workflow "${definition.name}" has no step ${shown(rollback.from)} to roll back from. ` +
        `It has: ${definition.steps.map(({ name }) => name).join(", ")}.`,
      { workflow: definition.name },
    );
  }
  if (definition.pivot >= 0 && index > definition.pivot) {
    const pivot = definition.steps[definition.pivot]!.name;
    throw new StepwellError(
      "STEPWELL_PAST_PIVOT",
      `Nothing was launched: step "${rollback.from}" of workflow "${definition.name}" comes after its pivot, step "${pivot}", and ` +
        `nothing is undone past that. Roll back from the pivot, where that may have half-happened, or from a step before it.`,
      { workflow: definition.name, step: rollback.from, execution: id },
    );
  }
  const position = positionAt(startedInRollback(index, rollback.reason), rollback.from);
  const irreversible = irreversibleIn(0, index, definition);
  const passed = withoutChildren(definition, index, rollback.without ?? []);
  return positionOf({
    ...position,
    request: { reason: rollback.reason },
    irreversible,
    passed: passed.length > 0 ? passed : undefined,
  });
}

/** The steps of children up to that one, by index: each must be named. */
function withoutChildren({ name, steps }: WorkflowDefinition, index: number, without: readonly string[]): number[] {
  const refuse = (step: string, problem: string): never => {
    const message = `launch of "${name}" in rollback: step ${shown(step)} ${problem}`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { workflow: name });
  };
  const parents = steps
    .slice(0, index + 1)
    .flatMap((step, at) => (step.children === undefined ? [] : { step: step.name, at }));
  for (const one of without)
    if (!parents.some(({ step }) => step === one))
      refuse(one, `is in "without", and is no step of children that would be undone.`);
  for (const { step } of parents)
    if (!without.includes(step))
      refuse(
        step,
        `is made of children, and this launch has none to undo. Name it in "without", and undo what they did by other means.`,
      );
  return parents.map(({ at }) => at);
}

function checkRollbackStart(rollback: NonNullable<LaunchOptions["rollback"]>): void {
  refuseUnknownOptions(rollback, ["from", "reason", "state", "without"], "launch, rollback,");
  checkRollbackReason(rollback.reason, "launch, rollback.reason");
  if (rollback.without !== undefined && !Array.isArray(rollback.without)) {
    const given = shown(rollback.without);
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `launch: "rollback.without" must be an array of steps, not ${given}.`,
    );
  }
  const problem = rollback.state === undefined ? undefined : patchProblem(rollback.state);
  if (problem === undefined) return;
  const message = `launch: "rollback.state" is ${problem}; give a plain object.`;
  throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message);
}

function delayOf({ delay, at }: LaunchOptions, host: LaunchHost): number {
  if (delay !== undefined && at !== undefined) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `launch takes "delay" or "at", not both.`);
  }
  if (delay !== undefined) return milliseconds(delay, "launch, delay");
  if (at === undefined) return 0;
  const time = at instanceof Date ? at.getTime() : Number.NaN;
  if (Number.isNaN(time)) throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `launch: "at" must be a valid Date.`);
  return Math.max(0, time - host.storeNow());
}

/** Writes a prepared launch; begins to drive it if there is room. */
export function launchPrepared(prepared: PreparedLaunch, host: ClientHost): MaybePromise<string> {
  const { row, within } = prepared;
  if (within !== undefined) return launchWithin(prepared, within, host);
  row.owner = row.dueInMs === 0 && row.queue === undefined ? (host.places?.reserve() ?? null) : null;
  let answer;
  try {
    answer = host.committer.create(row);
  } catch (error) {
    if (row.owner !== null) host.places!.giveUp();
    throw error;
  }
  return answer instanceof Promise ? launchedLater(prepared, answer, host) : launched(prepared, answer, host);
}

async function launchedLater(
  prepared: PreparedLaunch,
  answer: Promise<CreateResult>,
  host: ClientHost,
): Promise<string> {
  let created;
  try {
    created = await answer;
  } catch (error) {
    if (prepared.row.owner !== null) host.places!.giveUp();
    throw error;
  }
  return launched(prepared, created, host);
}

/** Nobody owns it: whether it will be there at all, only the caller's commit says. */
function launchWithin(prepared: PreparedLaunch, within: StoreWithin, host: ClientHost): MaybePromise<string> {
  const written = within.write({ creates: [prepared.row], transitions: [], releases: [], arrivals: [] });
  return andThen(written, ({ creates }) => launched(prepared, creates[0]!, host));
}

function launched(prepared: PreparedLaunch, answer: CreateResult, host: ClientHost): MaybePromise<string> {
  const { registered, row, state } = prepared;
  const { id, owner } = row;
  if (!answer.created) {
    if (owner !== null) host.places!.giveUp();
    refuseConflict(row, answer.existing);
    if (row.position.direction === "down") return sameRollback(prepared, answer.existing, host);
  } else if (owner !== null && !answer.owned) {
    // Others took this launcher for dead while it wrote: the execution is theirs.
    host.places!.giveUp();
  } else if (owner !== null) {
    host.places!.take(newRecord(row, owner, host.storeNowAtMost()), state, registered);
  }
  return id;
}

/** The same id is the same execution, whatever the version registered now; anything else is a conflict. */
function refuseConflict(row: Row, existing: ExecutionRecord): void {
  if (existing.line !== null) throw conflict(row, `is a child of execution "${existing.line.parent}"`);
  if (existing.workflow !== row.workflow) {
    throw conflict(row, `belongs to workflow "${existing.workflow}"`);
  }
  if (!named(existing, "input", () => existing.input.equals(row.input))) {
    throw conflict(row, "was launched with another input");
  }
}

/** Who launches in rollback wants something undone: to be given one that does something else would be a lie. */
async function sameRollback(prepared: PreparedLaunch, existing: ExecutionRecord, host: ClientHost): Promise<string> {
  const { id, workflow, position } = prepared.row;
  const rows = await host.store.history(id);
  // It was pruned meanwhile, and its id is free.
  if (rows.length < existing.revision) return launchPrepared(prepared, host);
  const [first = existing.position] = rows;
  if (first.direction === "down" && first.step === position.step) return id;
  const message =
    `Execution "${id}" exists already and was not launched in rollback from step "${position.step}". Nothing was changed, ` +
    `and nothing is undone by this call. Use another id, or ask that execution to roll back.`;
  throw new StepwellError("STEPWELL_LAUNCH_CONFLICT", message, { workflow, execution: id });
}

function conflict({ id, workflow }: { id: string; workflow: string }, why: string): StepwellError {
  return new StepwellError(
    "STEPWELL_LAUNCH_CONFLICT",
    `Execution "${id}" exists already and ${why}. Nothing was changed. Use another id, or the same workflow and input.`,
    { workflow, execution: id },
  );
}
