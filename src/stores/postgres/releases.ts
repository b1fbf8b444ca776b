import { positionText } from "../sql/json-columns.js";
import { executionPhase } from "../sql/lists.js";
import type { CommitResult, Release } from "../batch.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import { leaving } from "./gates.js";
import { lineValues, telling } from "./lines.js";
import { moment, at as time } from "./moment.js";
import { reasons, takenIn, type TakenRow } from "./refusal.js";
import { settledText, settling } from "./settling.js";
import type { Terms } from "./shared.js";
import { BatchStep, sorted } from "./step.js";
import { heard } from "./work.js";

const parking =
  "status = CASE WHEN g.parks = 1 THEN 'stuck' ELSE e.status END, " +
  `updated_at = CASE WHEN g.parks = 1 THEN ${time} ELSE e.updated_at END, ` +
  "admission = CASE WHEN g.parks = 1 THEN NULL ELSE e.admission END";

/** In which phase they are, also where a try whose answer was lost has parked them: what is told twice would be counted twice. */
const before = `
before AS MATERIALIZED (
  SELECT e.id, ${executionPhase} AS phase FROM stepwell_executions AS e
  JOIN (SELECT id FROM unnest($3::text[]) AS g (id) ORDER BY id) AS g ON g.id = e.id FOR NO KEY UPDATE OF e
),`;

const textOf = (mail: boolean, parks = false, lined = false): string => `
WITH ${moment},${lined ? before : ""}
updated AS (
  UPDATE stepwell_executions AS e SET claims = CASE WHEN g.position IS NULL THEN e.claims - 1 ELSE 0 END, owner = NULL,
    due_at = ${time} + g.due_in, position = coalesce(g.position, e.position),
    seen = CASE WHEN g.signals IS NULL THEN e.seen ELSE e.signals END${parks ? `, ${parking}` : ""}
  FROM unnest($3::text[], $4::integer[], $5::integer[], $6::float8[], $7::text[], $8::text[]${parks ? ", $9::integer[]" : ""}${
    lined ? ", $10::text[], $11::integer[]" : ""
  }) WITH ORDINALITY AS g (id, owner, signals, due_in, settled, position${parks ? ", parks" : ""}${
    lined ? ", line_list, line_place" : ""
  }, n)${lined ? " JOIN before AS b ON b.id = g.id" : ""}
  WHERE e.id = g.id AND e.owner IS NOT DISTINCT FROM g.owner AND e.signals = coalesce(g.signals, e.signals)
  RETURNING g.n, e.sequence, e.id, g.owner, g.settled, NULL AS step, 0 AS ends${parks ? ", g.parks AS leaves" : ""}${
    lined ? ", g.line_list, g.line_place, b.phase AS line_was, 'stuck' AS line_phase" : ""
  }
)${heard}${mail ? settling : ""}${parks ? leaving : ""}${lined ? telling : ""}
SELECT ${time} AS at, CASE WHEN count(*) = $2::integer THEN NULL ELSE coalesce(json_agg(n), '[]') END AS taken FROM updated`;

const releasePlain: Statement = { name: "release", text: textOf(false) };
const releaseWithMail: Statement = { name: "release_mail", text: textOf(true) };
const releaseParked: Statement = { name: "release_parked", text: textOf(true, true) };
const releaseLined: Statement = { name: "release_lined", text: textOf(true, true, true) };

export function releasing(
  rows: readonly number[],
  all: readonly Release[],
  terms: Terms,
): BatchStep<Release, CommitResult, TakenRow> {
  const inOrder = sorted(rows, (row) => all[row]!.id);
  return new BatchStep<Release, CommitResult, TakenRow>(inOrder, all, {
    ask: (given) => releaseOf(given, terms),
    read: ([row], given, hint, refuse) => {
      const isTaken = takenIn(row);
      return given.map(({ id, dueInMs, parks }, place) => {
        if (!isTaken(place)) {
          refuse(place);
          return "lost";
        }
        terms.work.letGo(id);
        // Where it is parked, there is room for one that waits.
        const inMs = parks === true ? 0 : dueInMs;
        if (inMs !== null) hint({ type: "due", inMs });
        return "taken";
      });
    },
    explain: async (session, refused) => {
      const found = await reasons(
        session,
        refused.map(({ id, owner }) => ({ id, owner, revision: null })),
      );
      return refused.map((release, index) => {
        if (found[index]?.owned === true) return "signalled";
        // It is let go of, by the try whose answer was lost or by others since.
        return terms.doubts.isRelease(release) ? "taken" : undefined;
      });
    },
  });
}

function releaseOf(given: readonly Release[], { now, format }: Terms): { statement: Statement; values: unknown[] } {
  const mail = given.some(({ dead }) => dead.length > 0);
  const lined = given.some((it) => it.line !== undefined);
  const parks = lined || given.some((it) => it.parks === true);
  const statement = lined ? releaseLined : parks ? releaseParked : mail ? releaseWithMail : releasePlain;
  const values = [
    now,
    given.length,
    textArray(given.map(({ id }) => id)),
    integerArray(given.map(({ owner }) => owner)),
    integerArray(given.map(({ signals }) => signals)),
    doubleArray(given.map(({ dueInMs }) => dueInMs)),
    textArray(given.map(({ dead }) => settledText(dead.map((arrival) => ({ arrival, as: "dead" }))))),
    textArray(given.map(({ id, position: it }) => (it === undefined ? null : positionText(it, id, format)))),
    ...(parks ? [integerArray(given.map((it) => (it.parks === true ? 1 : 0)))] : []),
    ...(lined ? lineValues(given) : []),
  ];
  return { statement, values };
}
