/**
 * A step that is made of executions. Going up it opens a list of them and waits until they are settled; going down it waits until
 * they are rolled back. It looks at its list whenever the execution is woken, whatever that was for, so nothing it was told is lost.
 */
import type { ChildrenDefinition, StepDefinition } from "../definition/definition.js";
import { Fail, patchProblem } from "../definition/outcome.js";
import type { ErrorCode } from "../errors.js";
import { newTally, slice, stagedAtOnce, standingOf, tallyOf, type Tally } from "../execution/children.js";
import { eventAt, type Event } from "../execution/events.js";
import { attemptOf, shownState } from "../execution/execution.js";
import { isPastPivot } from "../execution/router.js";
import type { ExecutionRecord } from "../execution/records.js";
import { resultOf, type Settled } from "../execution/step-result.js";
import { listId, type WhichList } from "../ids.js";
import { keyNameOf, roundOf } from "../execution/position.js";
import type { LineRecord, ListRecord } from "../stores/lists.js";
import { forgotten, isPromise } from "../values/promise.js";
import { reasonOf } from "../values/serialize-error.js";
import { beginningOf, isRefusal, nothingBegun, type Entry } from "./child-launches.js";
import { callOf, settledEvent } from "./call.js";
import { isLine } from "../values/text.js";
import { longestName } from "../values/options.js";
import { errorAbout, stepDeadlineError } from "./reports.js";
import type { Work } from "./work.js";

/** What `join` is given may be so large in all, in characters of the stored states. */
const largestJoin = 64 * 1024 * 1024;

/** What `join` sees of a child. */
interface JoinedChild {
  readonly id: string;
  readonly key: string;
  readonly status: "completed" | "rolledBack";
  readonly reason: string;
  readonly state: unknown;
}

/** The function of a step of children is due. */
export async function begunChildren(work: Work): Promise<Event> {
  if (work.execution.position.direction === "down") return (await lookedAt(work)) ?? waits(work);
  // Only after an operator's retry is there a list already.
  const last = attemptOf(work.execution) > 1 ? await lastList(work) : undefined;
  if (last === undefined) return opened(work, 1);
  const tally = tallyOf(last.record);
  if (standingOf(last.record.status === "closed", tally) === "waits") return waits(work);
  if (tally.rolledBack > 0 && childrenOf(work).onFailure === "turn") return openedAgain(work, last);
  return (await lookedAt(work)) ?? waits(work);
}

/** What has become of the children. Undefined: the execution goes on waiting. */
export async function lookedAt(work: Work): Promise<Event | undefined> {
  const { position } = work.execution;
  if (position.direction === "down") return undone(work);
  const last = await lastList(work);
  if (last === undefined) return lostList(work);
  const { record } = last;
  const isClosed = record.status === "closed";
  const tally = tallyOf(record);
  const standing = standingOf(isClosed, tally);
  if (standing === "waits") return undefined;
  const children = childrenOf(work);
  const isAllBack = standing === "back" && !tally.keeps;
  const isFailed = standing === "failed" || isAllBack || (tally.rolledBack > 0 && children.onFailure === "turn");
  // It is asked whether it recovers once nothing of it is left.
  const isBefore = stepOf(work).recover !== undefined && !isClosed && !isPastPivot(position, work.registered.shape);
  const { failing } = position;
  if (failing !== undefined && isClosed) return ended(work, { kind: "failed", ...failing });
  if (!isFailed) return isBefore ? joinedOrClosed(work, children, record) : ended(work, await joined(work, children));
  return isBefore ? closes(work, record) : ended(work, await failedBy(work, record, tally));
}

/** Where `join` says that the step has failed, its children go back before it is asked whether it recovers. */
async function joinedOrClosed(work: Work, children: ChildrenDefinition, list: ListRecord): Promise<Event> {
  const settled = await joined(work, children);
  const { execution, event } = resultOf(work.execution, settled, callOf(work), work.callFacts);
  if (event.what.type !== "stepFailed") return ended(work, settled);
  work.execution = execution;
  return closes(work, list, { patch: event.patch, failing: { reason: event.what.reason, error: event.error } });
}

/** Closes one list of children after the other, and waits until all that they hold is undone. Undefined: the execution goes on waiting. */
async function undone(work: Work): Promise<Event | undefined> {
  for (const { record } of await listsOf(work)) {
    if (record.status !== "closed") return closes(work, record);
    if (standingOf(true, tallyOf(record)) === "waits") return undefined;
  }
  return ended(work, returned(undefined));
}

/**
 * Whether what wants to turn the execution at this step is put to its child, since only that can say whether it comes in time: the
 * child has a pivot, which is the pivot of all.
 */
export function isPutToChild({ step, execution, registered }: Work): boolean {
  const { stepIndex, stepFunc } = execution.position;
  if (step?.children === undefined || stepIndex !== registered.shape.pivot || stepFunc !== "runContinue") return false;
  return hasPivot(step.children);
}

function hasPivot({ workflows }: ChildrenDefinition): boolean {
  return Object.values(workflows).some(({ pivot }) => pivot >= 0);
}

/** The child is asked to go back. Undefined: it was, and the execution waits for what becomes of it. */
export async function putToChild(work: Work): Promise<Event | undefined> {
  const last = await lastList(work);
  return last?.record.status === "open" ? closes(work, last.record) : lookedAt(work);
}

/** The step's own deadline has passed while its children are not settled. Undefined: it waits until they are back. */
export async function overdueChildren(work: Work): Promise<Event | undefined> {
  const last = await lastList(work);
  const mustClose = stepOf(work).recover !== undefined && last !== undefined && last.record.status === "open";
  return mustClose ? closes(work, last.record) : undefined;
}

function closes(work: Work, { id }: ListRecord, details?: Partial<Event>): Event {
  return waits(work, { list: { list: id, closes: true }, ...details });
}

function waits(work: Work, details?: Partial<Event>): Event {
  return eventAt(work.execution, { type: "stepPaused" }, "continue", details);
}

function returned(value: unknown): Settled {
  return { kind: "returned", value };
}

function ended(work: Work, settled: Settled): Event {
  return settledEvent(work, callOf(work), settled);
}

function failed(work: Work, code: ErrorCode, message: string, cause?: unknown): Settled {
  return { kind: "failed", reason: code, error: errorAbout(work.execution, code, message, cause) };
}

function lostList(work: Work): Event {
  const message = "The list of its children is not there: somebody has deleted it.";
  return ended(work, failed(work, "STEPWELL_NOT_DECODABLE", message));
}

function stepOf(work: Work): StepDefinition {
  return work.step!;
}

function childrenOf(work: Work): ChildrenDefinition {
  return stepOf(work).children!;
}

// ---- Lists ----------------------------------------------------------------------------------------

interface NumberedList {
  readonly record: ListRecord;
  readonly number: number;
}

/** Which of the lists of the step where the execution stands. */
function whichOf({ execution: { position } }: Work, number: number): WhichList {
  const { step, keys, stepIndex } = position;
  return { step: keyNameOf(step, keys), round: roundOf(position, stepIndex), number };
}

function idOf(work: Work, number: number): string {
  return listId(work.execution.identity.id, whichOf(work, number));
}

/** Only past the pivot may a step have more than one in a round. */
async function listsOf(work: Work): Promise<NumberedList[]> {
  const found: NumberedList[] = [];
  for (let number = 1; ; number++) {
    const [record] = await work.host.lists.find([idOf(work, number)]);
    if (record === undefined || record.status === "staged") return found;
    found.push({ record, number });
    if (!isPastPivot(work.execution.position, work.registered.shape)) return found;
  }
}

async function lastList(work: Work): Promise<NumberedList | undefined> {
  return (await listsOf(work)).at(-1);
}

/** @yields slices of the lines, in the order of the list */
async function* linesOf(work: Work, list: string): AsyncGenerator<readonly LineRecord[], void> {
  for (let from = 0; ;) {
    const lines = await work.host.lists.lines(list, from, slice);
    yield lines;
    if (lines.length < slice) return;
    from = lines.at(-1)!.position + 1;
  }
}

// ---- Beginning ------------------------------------------------------------------------------------

async function opened(work: Work, number: number): Promise<Event> {
  const asked = askedFor(work, childrenOf(work));
  return "kind" in asked ? ended(work, asked) : openedWith(work, number, asked);
}

/** Opens a list again: children that were rolled back begin anew, from their stored inputs. */
async function openedAgain(work: Work, { record, number }: NumberedList): Promise<Event> {
  const { workflows } = childrenOf(work);
  const entries: Entry[] = [];
  for await (const lines of linesOf(work, record.id)) {
    const again = lines.filter(({ phase }) => phase === "rolledBack");
    const loaded = await work.host.store.load(again.map(({ execution }) => execution));
    for (const [index, { key }] of again.entries()) {
      const child = loaded[index];
      const workflow = workflows[key] ?? workflows[""];
      if (workflow !== undefined && child?.line?.list === record.id)
        entries.push({ key, workflow, input: child.input.value });
    }
  }
  return openedWith(work, number + 1, entries);
}

async function openedWith(work: Work, number: number, entries: readonly Entry[]): Promise<Event> {
  const children = childrenOf(work);
  if (entries.length === 0) return ended(work, await joined(work, children));
  let beginning;
  try {
    beginning = await beginningOf(work, whichOf(work, number), entries);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return ended(work, { kind: "failed", reason: error.code, error });
  }
  const { lines, kin } = beginning;
  const list = idOf(work, number);
  const { execution, host } = work;
  const isPast = isPastPivot(execution.position, work.registered.shape);
  const tally: Tally = newTally({
    count: lines.length,
    width: children.concurrency ?? null,
    undoWidth: children.undo === "one-by-one" ? 1 : (children.concurrency ?? null),
    turnsAtFirst: children.onFailure === "turn" && !isPast,
    keeps: stepOf(work).irreversible !== undefined || (stepOf(work).pivot && hasPivot(children)),
    ...whichOf(work, number),
    parent: execution.identity.id,
    root: execution.root ?? execution.identity.id,
    depth: (execution.line?.depth ?? 0) + 1,
    kin,
  });
  const opens = { count: lines.length, data: JSON.stringify(tally), lines: lines.length <= stagedAtOnce ? lines : [] };
  if (lines.length > stagedAtOnce) {
    for (let from = 0; from < lines.length; from += stagedAtOnce) {
      const { revision, owner, identity } = execution;
      const staged = { list, of: identity.id, owner, revision, lines: lines.slice(from, from + stagedAtOnce) };
      // Who has lost the execution learns it with the commit.
      if (!(await host.lists.stage(staged))) break;
    }
  }
  return waits(work, { list: { list, opens } });
}

const mostChildren = 100_000;

/** What is to begin, as the step's functions say. */
function askedFor(work: Work, children: ChildrenDefinition): readonly Entry[] | Settled {
  try {
    return entriesOf(work, children);
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error), error };
  }
}

function entriesOf(work: Work, { kind, workflows, input, items, key }: ChildrenDefinition): Entry[] {
  const state = shownState(work.execution);
  const refuse = (problem: string): never => {
    throw errorAbout(
      work.execution,
      "STEPWELL_INVALID_CHILDREN",
      `Step "${stepOf(work).name}": ${problem} ${nothingBegun}`,
    );
  };
  const ask = (option: string, fn: ((context: never) => unknown) | undefined, context: object): unknown => {
    const given = fn!(context as never);
    return isPromise(given) ? refuse(`"${option}" gave back ${forgotten(given)}: it must answer at once.`) : given;
  };
  if (kind === "child") {
    const given = ask("input", input, { state });
    return given === undefined || given === null ? [] : [{ key: "0", workflow: workflows[""]!, input: given }];
  }
  if (kind === "parallel") {
    const given = ask("input", input, { state });
    if (typeof given !== "object" || given === null)
      return refuse(`"input" must give an object of inputs by their keys.`);
    const unknown = Object.keys(given).find((name) => !Object.hasOwn(workflows, name));
    if (unknown !== undefined) return refuse(`"input" gave one for "${unknown}", and there is no such child.`);
    return Object.entries(workflows).flatMap(([name, workflow]) => {
      const own = (given as Readonly<Record<string, unknown>>)[name];
      return own === undefined || own === null ? [] : { key: name, workflow, input: own };
    });
  }
  const given = ask("items", items, { state });
  if (!Array.isArray(given)) return refuse(`"items" must give an array.`);
  if (given.length > mostChildren)
    return refuse(`"items" gave ${given.length} items; at most ${mostChildren} can be children of one step.`);
  const seen = new Map<string, number>();
  return given.map((item: unknown, index): Entry => {
    const name = key === undefined ? String(index) : ask("key", key, { item, index });
    if (!isKey(name))
      return refuse(`"key" of item ${index} must be a text of 1 to 255 characters without control characters.`);
    if (seen.has(name))
      return refuse(`items ${seen.get(name)} and ${index} have the key "${name}", and each child has its own.`);
    seen.set(name, index);
    const own = input === undefined ? item : ask("input", input, { state, item, index, key: name });
    return { key: name, workflow: workflows[""]!, input: own };
  });
}

function isKey(value: unknown): value is string {
  return typeof value === "string" && isLine(value, longestName);
}

// ---- Ending ---------------------------------------------------------------------------------------

/** The failure of the step: the reason of the rolled-back child that comes first in the list. */
async function failedBy(work: Work, { id }: ListRecord, { failed: position }: Tally): Promise<Settled> {
  // It was closed for the step's own deadline.
  if (position === null) return { kind: "failed", reason: "timeout", error: stepDeadlineError(work.execution) };
  const [line] = await work.host.lists.lines(id, position, 1);
  const [child] = await work.host.store.load([line!.execution]);
  const isOwn = child?.line?.list === id;
  const reason = isOwn ? child.position.reason : "child-id-taken";
  const message = isOwn
    ? `Child "${line!.execution}" was rolled back: ${reason}.`
    : `Child "${line!.execution}" could not begin: another execution has its id.`;
  const cause = isOwn && child.position.error !== null ? child.position.error : undefined;
  return { kind: "failed", reason, error: errorAbout(work.execution, "STEPWELL_CHILD_ROLLED_BACK", message, cause) };
}

/** What `join` makes of the children, which are all settled. */
async function joined(work: Work, { join }: ChildrenDefinition): Promise<Settled> {
  if (join === undefined) return returned(undefined);
  const children = await joinedChildren(work);
  if (children === undefined) {
    const message = `Step "${stepOf(work).name}": the states of its children are more than ${largestJoin} characters long. Let them keep less, or leave out "join".`;
    return failed(work, "STEPWELL_TOO_LARGE", message);
  }
  let given: unknown;
  try {
    given = join({ state: shownState(work.execution), children } as never);
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error), error };
  }
  const patch = given instanceof Fail ? given.patch : (given ?? undefined);
  const problem = isPromise(given) ? forgotten(given) : patch === undefined ? undefined : patchProblem(patch);
  if (problem === undefined) return returned(given);
  const message = `Step "${stepOf(work).name}": "join" gave back ${problem}. Give back nothing, an object of fields, or fail(…).`;
  const error = errorAbout(work.execution, "STEPWELL_INVALID_RETURN_VALUE", message);
  return { kind: "failed", reason: "invalid-return-value", error };
}

/** In the order of the first list; of those that have begun again, the last time counts. Undefined: they are too large. */
async function joinedChildren(work: Work): Promise<readonly JoinedChild[] | undefined> {
  const byKey = new Map<string, JoinedChild>();
  let size = 0;
  for (const { record } of await listsOf(work)) {
    for await (const lines of linesOf(work, record.id)) {
      const loaded = await work.host.store.load(lines.map(({ execution }) => execution));
      for (const [index, line] of lines.entries()) {
        const child = loaded[index];
        size += child?.state.text.length ?? 0;
        byKey.set(line.key, joinedChild(line, record.id, child));
      }
      if (size > largestJoin) return undefined;
    }
  }
  return [...byKey.values()];
}

function joinedChild(
  { key, execution, phase }: LineRecord,
  list: string,
  child: ExecutionRecord | undefined,
): JoinedChild {
  const status = phase === "completed" ? "completed" : "rolledBack";
  if (child?.line?.list !== list) return { id: execution, key, status, reason: "child-id-taken", state: {} };
  return { id: execution, key, status, reason: child.position.reason, state: child.state.value };
}
