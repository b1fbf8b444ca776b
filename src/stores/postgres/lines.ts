/**
 * What is written of lists and their lines. An execution tells its line in the statement of its transition, and touches no row that
 * others touch; all else is written by who has the execution or the list.
 */
import type { LineChange, LinePhase, ListChange, StagedLine, Transition } from "../../execution/records.js";
import type { Advance, Staging } from "../lists.js";
import { integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import type { Session } from "./step.js";

/** For a commit or a release: what the rows of `updated` have become. */
export const telling = `,
told AS (
  UPDATE stepwell_lines AS l SET phase = t.line_phase
  FROM (
    SELECT k.sequence, u.line_place, u.line_phase FROM updated AS u
    JOIN stepwell_lists AS k ON k.id = u.line_list ORDER BY k.sequence, u.line_place
  ) AS t
  WHERE l.list = t.sequence AND l.position = t.line_place
)`;

/** The columns `line_list`, `line_place` and `line_phase`. */
export function lineValues(all: readonly { readonly line?: LineChange | undefined }[]): unknown[] {
  return [
    textArray(all.map(({ line }) => line?.list ?? null)),
    integerArray(all.map(({ line }) => line?.position ?? null)),
    textArray(all.map(({ line }) => line?.phase ?? null)),
  ];
}

/** Which lists are changed by what the transitions say of lists. */
export function listsOf(transitions: readonly Transition[]): readonly string[] {
  return transitions.flatMap(({ list }) => (list === undefined ? [] : list.list));
}

const lockQuery: Statement = {
  name: "lock_lists",
  text: `
SELECT count(*) FROM (
  SELECT 1 FROM stepwell_lists WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE
) AS locked`,
};

export function lockLists(session: Session, lists: readonly string[]): Promise<unknown> {
  return session.rows(lockQuery, [textArray(lists)]);
}

/** The lines that are given, in the list `made`. */
const putLines = (firstValue: number, where = ""): string => `
written AS (
  INSERT INTO stepwell_lines (list, position, asked, phase, counted, key, execution, launch)
  SELECT m.sequence, g.position, 0, 'staged', 'staged', g.key, g.execution, g.launch
  FROM made AS m CROSS JOIN unnest($${firstValue}::integer[], $${firstValue + 1}::text[], $${firstValue + 2}::text[], $${firstValue + 3}::text[])
    AS g (position, key, execution, launch)${where} ORDER BY g.position
  ON CONFLICT (list, position) DO UPDATE SET asked = 0, phase = 'staged', counted = 'staged', key = excluded.key,
    execution = excluded.execution, launch = excluded.launch
)`;

function valuesOf(lines: readonly StagedLine[]): unknown[] {
  // Of one position twice, the last counts.
  const all = [...new Map(lines.map((line) => [line.position, line])).values()];
  return [
    integerArray(all.map(({ position }) => position)),
    textArray(all.map(({ key }) => key)),
    textArray(all.map(({ execution }) => execution)),
    textArray(all.map(({ launch }) => launch.text)),
  ];
}

/** The row of the execution is locked: who takes it over can't stage, nor open, before this is there. */
const stageQuery: Statement = {
  name: "stage",
  text: `
WITH owned AS MATERIALIZED (
  SELECT coalesce(root, id) AS root FROM stepwell_executions WHERE id = $2::text AND owner IS NOT DISTINCT FROM $3::integer AND revision = $4::integer
  FOR NO KEY UPDATE
),
made AS (
  INSERT INTO stepwell_lists AS k (id, parent, root, status, revision, data)
  SELECT $1::text, $2::text, root, 'staged', 0, '' FROM owned ON CONFLICT (id) DO UPDATE SET revision = k.revision RETURNING sequence
),${putLines(5)}
SELECT 1 FROM made`,
};

export async function stageLines(session: Session, { list, of, owner, revision, lines }: Staging): Promise<boolean> {
  const found = await session.rows(stageQuery, [list, of, owner, revision, ...valuesOf(lines)]);
  return found.length > 0;
}

const openQuery: Statement = {
  name: "open_list",
  text: `
WITH made AS (
  INSERT INTO stepwell_lists (id, parent, root, status, revision, data, marked)
  SELECT $1::text, id, coalesce(root, id), 'open', 1, $3::text, 1 FROM stepwell_executions WHERE id = $2::text
  ON CONFLICT (id) DO UPDATE SET status = 'open', revision = 1, data = excluded.data, marked = 1 RETURNING sequence
),
gone AS (DELETE FROM stepwell_lines AS l USING made AS m WHERE l.list = m.sequence AND l.position >= $4::integer),${putLines(
    5,
    " WHERE g.position < $4::integer",
  )}
SELECT 1 FROM made`,
};

const closeQuery: Statement = {
  name: "close_list",
  text: `
UPDATE stepwell_lists SET status = 'closed', revision = revision + 1, marked = 1 WHERE id = $1::text AND status = 'open'`,
};

/** To be called once it is known which transitions were taken, in their transaction. */
export async function changeLists(session: Session, taken: readonly Transition[]): Promise<void> {
  for (const { id, list } of taken) if (list !== undefined) await changeList(session, list, id);
}

async function changeList(session: Session, change: ListChange, parent: string): Promise<void> {
  if ("closes" in change) {
    await session.rows(closeQuery, [change.list]);
    return;
  }
  const { count, data, lines } = change.opens;
  await session.rows(openQuery, [change.list, parent, data, count, ...valuesOf(lines)]);
}

const advanceQuery: Statement = {
  name: "advance_lists",
  text: `
UPDATE stepwell_lists AS k SET revision = k.revision + 1, data = g.data, marked = g.marked
FROM unnest($1::text[], $2::integer[], $3::text[], $4::integer[]) AS g (id, revision, data, marked)
WHERE k.id = g.id AND k.revision = g.revision RETURNING k.id, k.sequence`,
};

/** The number of each list. Undefined: one of them has another revision. */
export async function advanceLists(session: Session, all: readonly Advance[]): Promise<readonly string[] | undefined> {
  const ids = all.map(({ list }) => list);
  if (all.length > 1) await lockLists(session, ids);
  const rows = await session.rows<{ readonly id: string; readonly sequence: number }>(advanceQuery, [
    textArray(ids),
    integerArray(all.map(({ revision }) => revision)),
    textArray(all.map(({ data }) => data)),
    integerArray(all.map(({ isMarked }) => (isMarked ? 1 : null))),
  ]);
  if (rows.length < all.length) return undefined;
  const numbers = new Map(rows.map(({ id, sequence }) => [id, String(sequence)]));
  return ids.map((id) => numbers.get(id)!);
}

/** What begins is counted so, and what was needed to create it is forgotten. */
const linesQuery: Statement = {
  name: "advance_lines",
  text: `
UPDATE stepwell_lines AS l SET phase = coalesce(g.phase, l.phase), counted = coalesce(g.counted, l.counted),
  asked = greatest(l.asked, g.asked), launch = CASE WHEN g.phase IS NULL THEN l.launch END
FROM (
  SELECT g.list::bigint AS list, g.position, g.phase, g.counted, g.asked
  FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::integer[]) AS g (list, position, phase, counted, asked)
  ORDER BY g.list::bigint, g.position
) AS g
WHERE l.list = g.list AND l.position = g.position`,
};

interface LineStep {
  phase: LinePhase | null;
  counted: LinePhase | null;
  asked: number;
}

/** @param phases what has become of those that were to begin, in their order */
export async function advanceLines(
  session: Session,
  lists: readonly string[],
  all: readonly Advance[],
  phases: readonly (readonly LinePhase[])[],
): Promise<void> {
  const rows = all.flatMap((it, index) =>
    [...stepsOf(it, phases[index]!)].map(([position, step]) => ({ list: lists[index]!, position, step })),
  );
  if (rows.length === 0) return;
  await session.rows(linesQuery, [
    textArray(rows.map(({ list }) => list)),
    integerArray(rows.map(({ position }) => position)),
    textArray(rows.map(({ step }) => step.phase)),
    textArray(rows.map(({ step }) => step.counted)),
    integerArray(rows.map(({ step }) => step.asked)),
  ]);
}

function stepsOf({ counts, asks, begins }: Advance, phases: readonly LinePhase[]): ReadonlyMap<number, LineStep> {
  const steps = new Map<number, LineStep>();
  const step = (position: number): LineStep => {
    const there = steps.get(position) ?? { phase: null, counted: null, asked: 0 };
    steps.set(position, there);
    return there;
  };
  for (const { position, phase } of counts) step(position).counted = phase;
  for (const position of asks) step(position).asked = 1;
  for (const [index, { position }] of begins.entries()) {
    Object.assign(step(position), { phase: phases[index]!, counted: "begun" });
  }
  return steps;
}

/** Their rows are locked by now, in order. */
export const freeQuery: Statement = {
  name: "free_lines",
  text: "UPDATE stepwell_executions SET line = NULL WHERE id = ANY ($1::text[])",
};
