/**
 * Children that are let go: their step is not undone any more. An operator skips it, which is refused while one of them is unsettled;
 * or a migration drops it, once it is done.
 */
import { StepwellError } from "../errors.js";
import { slice, tallyOf, type Tally } from "../execution/children.js";
import { keyNameOf } from "../execution/position.js";
import type { ListedExecution, Store } from "../stores/contract.js";
import type { LineRecord, ListRecord, ListStore } from "../stores/lists.js";

type Parent = Pick<ListedExecution, "id" | "workflow" | "position">;

/** @throws STEPWELL_CHILDREN_LIVE */
export async function refuseLiveChildren({ lists }: Pick<Store, "lists">, parent: Parent): Promise<void> {
  if (lists === undefined) return;
  for (const record of await listsAt(lists, parent)) await refuseLive(lists, record, parent);
}

function listsAt(lists: ListStore, { id, position }: Parent): Promise<readonly ListRecord[]> {
  return listsOf(lists, id, [keyNameOf(position.step, position.keys)]);
}

async function listsOf(lists: ListStore, execution: string, steps: readonly string[]): Promise<readonly ListRecord[]> {
  const all = await lists.of(execution);
  return all.filter((it) => it.status !== "staged" && steps.includes(tallyOf(it).step));
}

async function refuseLive(lists: ListStore, record: ListRecord, { id, workflow, position }: Parent): Promise<void> {
  const { begun, stuck, asked } = tallyOf(record);
  const news = await lists.news(record.id, 1);
  if (begun + stuck + asked === 0 && news.length === 0) return;
  throw new StepwellError(
    "STEPWELL_CHILDREN_LIVE",
    `Step "${position.step}" of execution "${id}" is not skipped: ${begun + stuck} of its children are not settled. ` +
      `Let them end, or mend the stuck ones, then skip it.`,
    { execution: id, workflow, step: position.step },
  );
}

/**
 * Lets go of the children of the step that an operator skips on the way down. A second call, after a launcher died in between, changes
 * nothing more.
 *
 * @throws STEPWELL_CHILDREN_LIVE
 */
export async function letGo(lists: ListStore, parent: Parent): Promise<void> {
  await refuseLiveChildren({ lists }, parent);
  for (const { id } of await listsAt(lists, parent)) await letAllGo(lists, id);
}

/**
 * Lets go of the children of steps that are done.
 *
 * @param steps the names that are in the ids of the children
 */
export async function letGoOf(lists: ListStore, execution: string, steps: readonly string[]): Promise<void> {
  for (const { id } of await listsOf(lists, execution, steps)) await letAllGo(lists, id);
}

async function letAllGo(lists: ListStore, list: string): Promise<void> {
  for (let from = 0; ;) {
    const [record] = await lists.find([list]);
    const lines = await lists.lines(list, from, slice);
    if (record === undefined || lines.length === 0) return;
    const some = lines.filter(({ phase, isAsked }) => phase === "completed" && !isAsked);
    // Where somebody else was faster, the same lines again.
    if (some.length === 0 || (await letGoOfLines(lists, record, some))) from += slice;
  }
}

/** False: the list has another revision by now. */
async function letGoOfLines(lists: ListStore, record: ListRecord, lines: readonly LineRecord[]): Promise<boolean> {
  const tally: Tally = tallyOf(record);
  const data: Tally = { ...tally, completed: tally.completed - lines.length, back: -1 };
  const step = {
    ...{ list: record.id, revision: record.revision, data: JSON.stringify(data), isMarked: false },
    ...{ counts: [], begins: [], arrivals: [] },
    asks: lines.map(({ position }) => position),
    frees: lines.map(({ execution }) => execution),
  };
  const [answer = null] = await lists.advance([step]);
  return answer !== null;
}
