/** From an input to a stored execution: everything is checked before anything is written. */
import type { LaunchOptions } from "../definition/asking.js";
import type { AnyWorkflow, InputOf } from "../definition/bag.js";
import type { Frozen } from "../definition/frozen.js";
import { refuseUnknownOptions, shown } from "../values/options.js";
import { validate } from "../definition/schema.js";
import { StepwellError } from "../errors.js";
import { newRecord, type CreateResult } from "../stores/batch.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { MaybePromise, StoreWithin } from "../stores/contract.js";
import { callerTransaction } from "../session/caller-transaction.js";
import type { ClientHost } from "../session/client-host.js";
import type { Registered } from "../session/registry.js";
import { andThen } from "../session/maybe-promise.js";
import { checkPriority } from "./queueing.js";
import { carriedBy } from "./engine-events.js";
import { checkedRow, type CheckedInput, type LaunchRow } from "./launch-row.js";
import { named } from "../session/damaged-rows.js";

/** One of the executions of `launchMany`. */
export interface LaunchItem<W extends AnyWorkflow = AnyWorkflow> extends LaunchOptions<W> {
  readonly input: InputOf<W> | Frozen<InputOf<W>>;
}

/** A launch that was checked and is ready to be written. */
export interface PreparedLaunch {
  readonly registered: Registered;
  readonly row: LaunchRow;
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

async function prepareLater(
  registered: Registered,
  input: unknown,
  checked: Promise<CheckedInput>,
  options: LaunchOptions,
  host: ClientHost,
): Promise<PreparedLaunch> {
  return prepareChecked(registered, input, await checked, options, host);
}

function prepareChecked(
  registered: Registered,
  input: unknown,
  checked: CheckedInput,
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

/** Refuses a launch whose id belongs to another execution: one of another workflow, with another input, or a child. Its version may differ. */
function refuseConflict(row: LaunchRow, existing: ExecutionRecord): void {
  if (existing.line !== null) throw conflict(row, `is a child of execution "${existing.line.parent}"`);
  if (existing.workflow !== row.workflow) {
    throw conflict(row, `belongs to workflow "${existing.workflow}"`);
  }
  if (!named(existing, "input", () => existing.input.equals(row.input))) {
    throw conflict(row, "was launched with another input");
  }
}

/** Refuses to take an existing execution for a launch in rollback, unless it undoes the same: the caller wants something undone. */
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
