import { transitionTexts } from "../sql/json-columns.js";
import type { CommitResult } from "../batch.js";
import { type Transition, bitsKept } from "../../execution/records.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import { leaving } from "./gates.js";
import { moment, at as time } from "./moment.js";
import { reasons, takenIn, type TakenRow } from "./refusal.js";
import { settledText, settling } from "./settling.js";
import type { Terms } from "./shared.js";
import { BatchStep, sorted } from "./step.js";
import { unsubscribing } from "./topics.js";
import { heard } from "./work.js";

/** The owner is compared in a way that its index does not serve, where there is one: it would be read from end to end for each row. */
const update = (mail: boolean, topics = false, limits = false, defined = false): string => `
WITH ${moment},
updated AS (
  UPDATE stepwell_executions AS e SET status = g.status, position = g.position, state = coalesce(g.state, e.state),
    changes = CASE WHEN g.state IS NULL THEN coalesce(g.changes, e.changes) END, revision = g.revision, updated_at = ${time}, seen = e.signals, claims = CASE WHEN g.keeper IS NULL THEN 0 ELSE 1 END,
    owner = g.keeper, due_at = ${time} + g.due_in, carried = coalesce(g.carried, e.carried)${
      topics ? ", subscribed = e.subscribed & coalesce(g.keeps, e.subscribed)" : ""
    }${limits ? ", admission = CASE WHEN g.leaves = 1 THEN NULL ELSE e.admission END" : ""}${
      defined ? ", version = coalesce(g.version, e.version), fingerprint = coalesce(g.fingerprint, e.fingerprint)" : ""
    }
  FROM unnest($3::text[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::float8[], $13::text[], $14::text[], $15::text[]${mail ? ", $16::text[], $17::text[], $18::integer[]" : ""}${topics ? ", $19::integer[]" : ""}${limits ? ", $20::integer[]" : ""}${defined ? ", $21::text[], $22::text[]" : ""})
    WITH ORDINALITY AS g (id, owner, revision, signals, keeper, status, position, state, changes, due_in, carried, entry, patch${
      mail ? ", step, settled, ends" : ""
    }${topics ? ", keeps" : ""}${limits ? ", leaves" : ""}${defined ? ", version, fingerprint" : ""}, n)
  WHERE e.id = g.id AND e.owner IS NOT DISTINCT FROM g.owner AND e.revision = g.revision - 1 AND e.signals = g.signals
  RETURNING g.n, e.sequence, e.id, g.revision, g.owner, g.entry, g.patch${mail ? ", g.step, g.settled, g.ends" : ""}${topics ? ", g.keeps" : ""}${limits ? ", g.leaves" : ""}
),
written AS (
  INSERT INTO stepwell_history (execution, revision, owner, at, entry, patch)
  SELECT sequence, revision, owner, ${time}, entry, patch FROM updated
)${mail ? heard + settling : ""}${topics ? unsubscribing : ""}${limits ? leaving : ""}
SELECT ${time} AS at, CASE WHEN count(*) = $2::integer THEN NULL ELSE coalesce(json_agg(n), '[]') END AS taken FROM updated`;

const updatePlain: Statement = { name: "commit", text: update(false) };
const updateWithMail: Statement = { name: "commit_mail", text: update(true) };
const updateWithTopics: Statement = { name: "commit_topics", text: update(true, true) };
/** Each parameter of the others too, so that the few that have limits need but one statement more. */
const updateWithLimits: Statement = { name: "commit_limits", text: update(true, true, true) };

/** The version is what an index names, so only who goes on with another list of steps touches it. */
const updateDefined: Statement = { name: "commit_defined", text: update(true, true, true, true) };

export function committing(
  rows: readonly number[],
  all: readonly Transition[],
  terms: Terms,
): BatchStep<Transition, CommitResult, TakenRow> {
  const inOrder = sorted(rows, (row) => all[row]!.id);
  return new BatchStep<Transition, CommitResult, TakenRow>(inOrder, all, {
    ask: (given) => commitOf(given, terms),
    read: ([row], given, hint, refuse) => {
      const isTaken = takenIn(row!);
      return given.map(({ id, rests, dueInMs, leaves }, place) => {
        if (!isTaken(place)) {
          refuse(place);
          return "lost";
        }
        if (rests) terms.work.letGo(id);
        if (rests && dueInMs !== null) hint({ type: "due", inMs: dueInMs });
        // There is room for one that waits.
        if (leaves === true) hint({ type: "due", inMs: 0 });
        return "taken";
      });
    },
    explain: async (session, refused) => {
      const found = await reasons(session, refused);
      return refused.map((transition, index) => {
        const reason = found[index];
        if (reason?.written === true && terms.doubts.isTransition(transition)) return "taken";
        return reason?.owned === true ? "signalled" : undefined;
      });
    },
  });
}

/** The statement that has what these transitions need, and no more. */
function commitOf(given: readonly Transition[], { now, format }: Terms): { statement: Statement; values: unknown[] } {
  const defined = given.some(({ definition }) => definition !== undefined);
  const limits = defined || given.some(({ leaves }) => leaves === true);
  const topics = limits || given.some(({ unsubscribes }) => unsubscribes !== undefined);
  const mail = topics || given.some(({ settled, signals }) => settled.length > 0 || signals > 0);
  const texts = given.map((transition) => transitionTexts(transition, format));
  const changes = given.map((it) => (format === "compact" ? it.changes : undefined));
  const values: unknown[] = [
    now,
    given.length,
    textArray(given.map(({ id }) => id)),
    integerArray(given.map(({ owner }) => owner)),
    integerArray(given.map(({ revision }) => revision)),
    integerArray(given.map(({ signals }) => signals)),
    integerArray(given.map(({ owner, rests }) => (rests ? null : owner))),
    textArray(given.map(({ status }) => status)),
    textArray(texts.map(({ position }) => position)),
    textArray(given.map(({ state }, index) => (changes[index] === undefined ? (state?.text ?? null) : null))),
    textArray(changes.map((it) => it?.text ?? null)),
    doubleArray(given.map(({ rests, dueInMs }) => (rests ? dueInMs : null))),
    textArray(given.map(({ carried }) => carried)),
    textArray(texts.map(({ entry }) => entry)),
    textArray(given.map(({ history }) => history.patch?.text ?? null)),
  ];
  if (mail) {
    values.push(
      textArray(given.map(({ history }) => history.step)),
      textArray(given.map(({ settled }) => settledText(settled))),
      integerArray(given.map(({ ends }) => (ends ? 1 : 0))),
    );
  }
  if (topics) {
    values.push(integerArray(given.map(({ unsubscribes: it }) => (it === undefined ? null : bitsKept[it]))));
  }
  if (limits) values.push(integerArray(given.map(({ leaves }) => (leaves === true ? 1 : 0))));
  if (defined) {
    values.push(
      textArray(given.map(({ definition }) => definition?.version ?? null)),
      textArray(given.map(({ definition }) => definition?.fingerprint ?? null)),
    );
  }
  const statement = defined
    ? updateDefined
    : limits
      ? updateWithLimits
      : topics
        ? updateWithTopics
        : mail
          ? updateWithMail
          : updatePlain;
  return { statement, values };
}
