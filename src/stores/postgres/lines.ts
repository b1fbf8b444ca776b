/**
 * What is written of lists and their lines. What an execution becomes is written in the statement of its transition, as news of its
 * line, and touches no row that others touch; all else is written by who has the execution or the list.
 */
import type { LineChange, LinePhase, ListChange, StagedLine, Transition } from "../../execution/records.js";
import type { CreateResult } from "../batch.js";
import type { Advance, Staging } from "../lists.js";
import { rangeOf } from "../sql/lists.js";
import { integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import type { Session } from "./step.js";

/** For a commit or a release: what the rows of `updated` have become. */
export const telling = `,
told AS (
  INSERT INTO stepwell_news AS n (list, position, phase)
  SELECT l.list, l.position, u.line_phase FROM updated AS u
  CROSS JOIN LATERAL (SELECT sequence FROM stepwell_lists WHERE id = u.line_list OFFSET 0) AS k
  CROSS JOIN LATERAL (
    SELECT list, position FROM stepwell_lines WHERE list = k.sequence AND position = u.line_place OFFSET 0
  ) AS l ORDER BY l.list, l.position
  ON CONFLICT (list, position) DO UPDATE SET phase = excluded.phase
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
  INSERT INTO stepwell_lines (list, position, asked, phase, key, execution, launch)
  SELECT m.sequence, g.position, 0, 'staged', g.key, g.execution, g.launch
  FROM made AS m CROSS JOIN unnest($${firstValue}::integer[], $${firstValue + 1}::text[], $${firstValue + 2}::text[], $${firstValue + 3}::text[])
    AS g (position, key, execution, launch)${where} ORDER BY g.position
  ON CONFLICT (list, position) DO UPDATE SET asked = 0, phase = 'staged', key = excluded.key,
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
  INSERT INTO stepwell_lists AS k (id, parent, root, status, revision, begun, data)
  SELECT $1::text, $2::text, root, 'staged', 0, 0, '' FROM owned ON CONFLICT (id) DO UPDATE SET revision = k.revision RETURNING sequence
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
  INSERT INTO stepwell_lists (id, parent, root, status, revision, begun, data, marked)
  SELECT $1::text, id, coalesce(root, id), 'open', 1, 0, $3::text, 1 FROM stepwell_executions WHERE id = $2::text
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

/** Where those that begin stand in a row behind those that have begun, this says it of all of them. */
const advanceQuery: Statement = {
  name: "advance_lists",
  text: `
UPDATE stepwell_lists AS k SET revision = k.revision + 1, data = g.data, marked = g.marked,
  begun = CASE WHEN k.begun = g.first THEN g.next ELSE k.begun END
FROM unnest($1::text[], $2::integer[], $3::text[], $4::integer[], $5::integer[], $6::integer[])
  AS g (id, revision, data, marked, first, next)
WHERE k.id = g.id AND k.revision = g.revision RETURNING k.id, k.sequence, k.begun`,
};

interface Advanced {
  readonly number: string;
  /** Lines before this position have begun. */
  readonly begun: number;
}

/** Each list, as it is now. Undefined: one of them has another revision. */
export async function advanceLists(
  session: Session,
  all: readonly Advance[],
): Promise<readonly Advanced[] | undefined> {
  const ids = all.map(({ list }) => list);
  if (all.length > 1) await lockLists(session, ids);
  const ranges = all.map(rangeOf);
  const rows = await session.rows<{ readonly id: string; readonly sequence: number; readonly begun: number }>(
    advanceQuery,
    [
      textArray(ids),
      integerArray(all.map(({ revision }) => revision)),
      textArray(all.map(({ data }) => data)),
      integerArray(all.map(({ isMarked }) => (isMarked ? 1 : null))),
      integerArray(ranges.map((range) => range?.from ?? null)),
      integerArray(ranges.map((range) => range?.to ?? null)),
    ],
  );
  if (rows.length < all.length) return undefined;
  const found = new Map(rows.map(({ id, sequence, begun }) => [id, { number: String(sequence), begun }]));
  return ids.map((id) => found.get(id)!);
}

/** What is counted is forgotten as news, unless there is more by now; and so is what was needed to create it. */
const linesQuery: Statement = {
  name: "advance_lines",
  text: `
WITH given AS MATERIALIZED (
  SELECT g.list::bigint AS list, g.position, g.phase, g.asked
  FROM unnest($1::text[], $2::integer[], $3::text[], $4::integer[]) AS g (list, position, phase, asked)
  ORDER BY g.list::bigint, g.position
),
written AS (
  UPDATE stepwell_lines AS l SET phase = coalesce(g.phase, l.phase), asked = greatest(l.asked, g.asked),
    launch = CASE WHEN g.phase IS NULL THEN l.launch END
  FROM given AS g WHERE l.list = g.list AND l.position = g.position
)
DELETE FROM stepwell_news AS n USING given AS g WHERE n.list = g.list AND n.position = g.position AND n.phase = g.phase`,
};

/** Their ids are others'. */
const takenQuery: Statement = {
  name: "taken_lines",
  text: `
INSERT INTO stepwell_news (list, position, phase)
SELECT g.list::bigint, g.position, 'rolledBack' FROM unnest($1::text[], $2::integer[]) AS g (list, position)
ORDER BY g.list::bigint, g.position ON CONFLICT (list, position) DO UPDATE SET phase = excluded.phase`,
};

interface LineStep {
  readonly list: string;
  readonly position: number;
  phase: LinePhase | null;
  asked: number;
}

/** @param answers of those that were to begin, in their order */
export async function advanceLines(
  session: Session,
  lists: readonly Advanced[],
  all: readonly Advance[],
  answers: readonly (readonly CreateResult[])[],
): Promise<void> {
  const rows = all.flatMap((it, index) => [...stepsOf(it, lists[index]!).values()]);
  const taken = all.flatMap(({ begins }, index) =>
    begins.flatMap(({ position }, place) =>
      answers[index]![place]!.created ? [] : { list: lists[index]!.number, position },
    ),
  );
  if (rows.length > 0) {
    await session.rows(linesQuery, [
      textArray(rows.map(({ list }) => list)),
      integerArray(rows.map(({ position }) => position)),
      textArray(rows.map(({ phase }) => phase)),
      integerArray(rows.map(({ asked }) => asked)),
    ]);
  }
  if (taken.length > 0) {
    await session.rows(takenQuery, [
      textArray(taken.map(({ list }) => list)),
      integerArray(taken.map(({ position }) => position)),
    ]);
  }
}

function stepsOf({ counts, asks, begins }: Advance, { number, begun }: Advanced): ReadonlyMap<number, LineStep> {
  const steps = new Map<number, LineStep>();
  const step = (position: number): LineStep => {
    const there = steps.get(position) ?? { list: number, position, phase: null, asked: 0 };
    steps.set(position, there);
    return there;
  };
  for (const { position } of begins) if (position >= begun) step(position).phase = "begun";
  for (const { position, phase } of counts) step(position).phase = phase;
  for (const position of asks) step(position).asked = 1;
  return steps;
}

/** Their rows are locked by now, in order. */
export const freeQuery: Statement = {
  name: "free_lines",
  text: "UPDATE stepwell_executions SET line = NULL WHERE id = ANY ($1::text[])",
};
