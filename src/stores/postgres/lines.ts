/**
 * What is written of lists and their lines. What executions become is written in the statement of their transitions, as news of their
 * list: a row for all that are alike, which touches nothing that others touch. All else is written by who has the execution or the list.
 */
import type { LineChange, ListChange, StagedLine, Transition } from "../../execution/records.js";
import type { CreateResult } from "../batch.js";
import type { Advance, Staging } from "../lists.js";
import { linesInRow } from "../sql/lists.js";
import { integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import type { Session } from "./step.js";

/** @param all for each list, `was` and `phase`: the positions */
const told = (all: string): string => `,
told AS (
  INSERT INTO stepwell_news (list, was, phase, positions)
  SELECT k.sequence, t.was, t.phase, t.positions FROM (${all}) AS t
  CROSS JOIN LATERAL (SELECT sequence FROM stepwell_lists WHERE id = t.list OFFSET 0) AS k
)`;

/** For a release: what the rows of `updated` have become. */
export const telling = told(`
    SELECT line_list AS list, line_was AS was, line_phase AS phase, array_agg(line_place) AS positions FROM updated
    WHERE line_list IS NOT NULL AND line_was <> line_phase GROUP BY line_list, line_was, line_phase
  `);

/** For a commit: a row knows which kind of news it is, by its number from 1. The kinds are the values from `first` on. */
export const tellingKinds = (first: number): string =>
  told(`
    SELECT n.list, n.was, n.phase, u.positions
    FROM (SELECT line_kind, array_agg(line_place) AS positions FROM updated WHERE line_kind IS NOT NULL GROUP BY line_kind) AS u
    JOIN unnest($${first}::text[], $${first + 1}::text[], $${first + 2}::text[]) WITH ORDINALITY AS n (list, was, phase, kind)
      ON n.kind = u.line_kind
  `);

/** News of some lines, and which kind each is. */
export class NewsKinds {
  readonly #kinds: LineChange[] = [];

  /** From 1. Null: it is none. */
  of(line: LineChange | undefined): number | null {
    if (line === undefined) return null;
    const { list, was, phase } = line;
    const found = this.#kinds.findLastIndex((it) => it.list === list && it.was === was && it.phase === phase);
    return found < 0 ? this.#kinds.push(line) : found + 1;
  }

  get values(): unknown[] {
    return [
      textArray(this.#kinds.map(({ list }) => list)),
      textArray(this.#kinds.map(({ was }) => was)),
      textArray(this.#kinds.map(({ phase }) => phase)),
    ];
  }
}

/** The columns `line_list` and `line_place`. */
export function lineValues(all: readonly { readonly line?: Pick<LineChange, "list" | "position"> }[]): unknown[] {
  return [
    textArray(all.map(({ line }) => line?.list ?? null)),
    integerArray(all.map(({ line }) => line?.position ?? null)),
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
const putLines = (firstValue: number): string => `
written AS (
  INSERT INTO stepwell_lines (list, first, keys, executions, launches)
  SELECT m.sequence, min(g.position), array_agg(g.key ORDER BY g.position), array_agg(g.execution ORDER BY g.position),
    array_agg(g.launch ORDER BY g.position)
  FROM made AS m CROSS JOIN unnest($${firstValue}::integer[], $${firstValue + 1}::text[], $${firstValue + 2}::text[], $${firstValue + 3}::text[])
    AS g (position, key, execution, launch) GROUP BY m.sequence, g.position / ${linesInRow}
  ON CONFLICT (list, first) DO UPDATE SET keys = excluded.keys, executions = excluded.executions, launches = excluded.launches
)`;

function valuesOf(lines: readonly StagedLine[]): unknown[] {
  return [
    integerArray(lines.map(({ position }) => position)),
    textArray(lines.map(({ key }) => key)),
    textArray(lines.map(({ execution }) => execution)),
    textArray(lines.map(({ launch }) => launch.text)),
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

/** Where lines are given, they take the place of the rows that were staged at the same positions. */
const openQuery: Statement = {
  name: "open_list",
  text: `
WITH made AS (
  INSERT INTO stepwell_lists (id, parent, root, status, revision, begun, data, marked)
  SELECT $1::text, id, coalesce(root, id), 'open', 1, 0, $3::text, 1 FROM stepwell_executions WHERE id = $2::text
  ON CONFLICT (id) DO UPDATE SET status = 'open', revision = 1, data = excluded.data, marked = 1 RETURNING sequence
),
gone AS (DELETE FROM stepwell_lines AS l USING made AS m WHERE l.list = m.sequence AND l.first >= $4::integer),${putLines(5)}
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

/** What a row of lines keeps to begin them goes with the last of them. */
const advanceQuery: Statement = {
  name: "advance_lists",
  text: `
WITH advanced AS (
  UPDATE stepwell_lists AS k SET revision = k.revision + 1, data = g.data, marked = g.marked, begun = k.begun + g.begins
  FROM unnest($1::text[], $2::integer[], $3::text[], $4::integer[], $5::integer[]) AS g (id, revision, data, marked, begins)
  WHERE k.id = g.id AND k.revision = g.revision RETURNING k.id, k.sequence, k.begun, g.begins
),
counted AS (
  DELETE FROM stepwell_news AS n USING advanced AS a, unnest($6::text[], $7::text[]) AS g (id, number)
  WHERE a.id = g.id AND n.list = a.sequence AND n.number = g.number::bigint
),
begun AS (
  UPDATE stepwell_lines AS l SET launches = NULL FROM advanced AS a
  WHERE a.begins > 0 AND l.list = a.sequence AND l.first > a.begun - a.begins - ${linesInRow}
    AND l.first + cardinality(l.keys) <= a.begun AND l.launches IS NOT NULL
)
SELECT id, sequence, begun FROM advanced`,
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
  const locked = all.length > 1 ? lockLists(session, ids) : undefined;
  const advanced = session.rows<{ readonly id: string; readonly sequence: number; readonly begun: number }>(
    advanceQuery,
    [
      textArray(ids),
      integerArray(all.map(({ revision }) => revision)),
      textArray(all.map(({ data }) => data)),
      integerArray(all.map(({ isMarked }) => (isMarked ? 1 : null))),
      integerArray(all.map(({ begins }) => begins.length)),
      textArray(all.flatMap(({ list, counts }) => counts.map(() => list))),
      textArray(all.flatMap(({ counts }) => counts)),
    ],
  );
  await locked;
  const rows = await advanced;
  if (rows.length < all.length) return undefined;
  const found = new Map(rows.map(({ id, sequence, begun }) => [id, { number: String(sequence), begun }]));
  return ids.map((id) => found.get(id)!);
}

const markQuery: Statement = {
  name: "mark_lines",
  text: `
WITH given AS MATERIALIZED (
  SELECT g.list::bigint AS list, g.position, g.mark FROM unnest($1::text[], $2::integer[], $3::text[]) AS g (list, position, mark)
),
told AS (
  INSERT INTO stepwell_news (list, was, phase, positions)
  SELECT list, 'begun', 'rolledBack', array_agg(position) FROM given WHERE mark = 'taken' GROUP BY list
)
INSERT INTO stepwell_marks (list, position, mark)
SELECT list, position, mark FROM given ORDER BY list, position ON CONFLICT (list, position) DO NOTHING`,
};

/** @param answers of those that were to begin, in their order */
export async function markLines(
  session: Session,
  lists: readonly Advanced[],
  all: readonly Advance[],
  answers: readonly (readonly CreateResult[])[],
): Promise<void> {
  const places = all.flatMap(({ asks, begins }, index) => {
    const { number, begun } = lists[index]!;
    const first = begun - begins.length;
    // Their ids are others'.
    const taken = answers[index]!.flatMap(({ created }, place) => (created ? [] : first + place));
    return [
      ...asks.map((position) => ({ list: number, position, mark: "asked" })),
      ...taken.map((position) => ({ list: number, position, mark: "taken" })),
    ];
  });
  if (places.length === 0) return;
  const values = [
    textArray(places.map(({ list }) => list)),
    integerArray(places.map(({ position }) => position)),
    textArray(places.map(({ mark }) => mark)),
  ];
  await session.rows(markQuery, values);
}

/** Their rows are locked by now, in order. */
export const freeQuery: Statement = {
  name: "free_lines",
  text: "UPDATE stepwell_executions SET line = NULL WHERE id = ANY ($1::text[])",
};
