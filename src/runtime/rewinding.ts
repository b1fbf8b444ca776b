/** What an execution needs to go up again: what came into its state, and from whom. */
import { Contributions, type RewindBase } from "../execution/contributions.js";
import { givenIn, stateAtStart } from "../execution/history.js";
import { sift } from "../execution/mail.js";
import type { Work } from "./work.js";

/** Whether what is needed to go on down was not read yet. */
export function mustRecall({ given, contributions, execution }: Work): boolean {
  return given === undefined || (execution.position.until !== undefined && contributions === undefined);
}

/** Reads back what each step gave on the way up, and, for a rewind, all that came into the state. */
export async function recall(work: Work, isRewind = work.execution.position.until !== undefined): Promise<void> {
  const { id } = work;
  const { store } = work.host;
  // Read before the rows: the state as it began may stand there.
  const [record] = isRewind ? await store.load([id]) : [];
  const rows = await store.history(id);
  work.given = givenIn(rows);
  if (record === undefined) return;
  const contributions = new Contributions(stateAtStart(record, rows));
  for (const row of rows) contributions.add(row);
  work.contributions = contributions;
}

/** What the execution would go up again with. Undefined: it can't go up again with what is to be committed now. */
export function rewindBaseOf({ contributions, execution: { position } }: Work): RewindBase | undefined {
  const isDown = position.direction === "down";
  if (isDown && position.until !== position.stepIndex) return undefined;
  return contributions?.without(isDown ? position.step : undefined);
}

/** Whether the execution may go up again with what is to be committed now, and what is needed for that was not read yet. */
export function lacksRewindBase(work: Work): boolean {
  if (work.contributions !== undefined) return false;
  const { position } = work.execution;
  if (position.until !== undefined) return position.until === position.stepIndex;
  const request = sift(work.mail, work.execution, work.registered.shape)?.request;
  return request?.type === "rewind" && request.to === position.stepIndex;
}
