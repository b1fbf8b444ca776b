import { transitionTexts } from "../sql/json-columns.js";
import type { CommitResult } from "../batch.js";
import { type Transition, bitsKept } from "../../execution/records.js";
import { arrayOf, type ColumnType } from "./arrays.js";
import type { Statement } from "./database.js";
import { leaving } from "./gates.js";
import { changeLists, NewsKinds, tellingKinds } from "./lines.js";
import { at, instant, moment } from "./moment.js";
import { reasons, takenIn, type TakenRow } from "./refusal.js";
import { settledText, settling } from "./settling.js";
import type { Terms } from "./shared.js";
import { BatchStep, sorted } from "./step.js";
import { forgetAll, unsubscribing } from "./topics.js";
import { heard } from "./work.js";

/** What a batch has that most have not. Each word brings all before it, so that there are few statements. */
const words = ["plain", "rare", "mail", "topics", "limits", "defined"] as const;

type Word = (typeof words)[number];

/** Which statement it is. */
interface Form {
  readonly word: Word;
  readonly single: boolean;
  /** Whether what an execution becomes is told in its line. */
  readonly lined: boolean;
}

/** The owner is compared in a way that its index does not serve, where there is one: it would be read from end to end for each row. */
function update(form: Form): string {
  const { word, single, lined } = form;
  const has = (other: Word): boolean => words.indexOf(other) <= words.indexOf(word);
  const g = givenIn(form);
  const time = single ? instant : at;
  const told = [
    ...(has("mail") ? ["step", "settled", "ends"] : []),
    ...(has("topics") ? ["keeps"] : []),
    ...(has("limits") ? ["leaves"] : []),
    ...(lined ? ["line_kind", "line_place"] : []),
  ].map((name) => `, ${g(name)} AS ${name}`);
  return `
WITH ${single ? "" : `${moment},`}
updated AS (
  UPDATE stepwell_executions AS e SET status = ${g("status")}, position = ${g("position")}, state = coalesce(${g("state")}, e.state),
    changes = CASE WHEN ${g("state")} IS NULL THEN ${has("rare") ? `coalesce(${g("changes")}, e.changes)` : "e.changes"} END,
    revision = ${g("revision")}, updated_at = ${time}, seen = e.signals, claims = 1 - ${g("rests")},
    owner = CASE WHEN ${g("rests")} = 0 THEN $2::integer END, due_at = ${has("rare") ? `${time} + ${g("due_in")}` : "NULL"}${
      has("rare") ? `, carried = coalesce(${g("carried")}, e.carried)` : ""
    }${has("topics") ? `, subscribed = e.subscribed & coalesce(${g("keeps")}, e.subscribed)` : ""}${
      has("limits") ? `, admission = CASE WHEN ${g("leaves")} = 1 THEN NULL ELSE e.admission END` : ""
    }${has("defined") ? `, version = coalesce(${g("version")}, e.version), fingerprint = coalesce(${g("fingerprint")}, e.fingerprint)` : ""}
  ${single ? "" : `FROM ${givenRows(form)}`}
  WHERE e.id = ${g("id")} AND e.owner IS NOT DISTINCT FROM $2::integer AND e.revision = ${g("revision")} - 1
    AND e.signals = ${has("rare") ? g("signals") : "0"}
  RETURNING ${single ? "" : "g.n, "}e.updated_at AS at, e.sequence, e.id, $2::integer AS owner, e.revision, ${g("entry")} AS entry, ${g("patch")} AS patch${told.join("")}
),
written AS (
  INSERT INTO stepwell_history (execution, revision, owner, at, entry, patch)
  SELECT sequence, revision, owner, at, entry, patch FROM updated
)${has("mail") ? heard + settling : ""}${has("topics") ? unsubscribing : ""}${has("limits") ? leaving : ""}${lined ? tellingKinds(firstColumn(form) + allGiven(form).length) : ""}
${single ? "SELECT at FROM updated" : `SELECT ${at} AS at, CASE WHEN count(*) = $3::integer THEN NULL ELSE coalesce(json_agg(n), '[]') END AS taken FROM updated`}`;
}

interface Texts {
  readonly position: string;
  readonly entry: string;
  readonly state: string | null;
  readonly changes: string | null;
  /** Which kind of news it is for its list. */
  readonly kind: number | null;
}

interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly of: (it: Transition, texts: Texts) => string | number | null;
}

const text = (name: string, of: (it: Transition, texts: Texts) => string | null): Column => ({
  name,
  type: "text",
  of,
});
const integer = (name: string, of: Column["of"]): Column => ({ name, type: "integer", of });

/** What is given with each transition: a column costs something for each row, so most batches have the first ones only. */
const given: Readonly<Record<Word, readonly Column[]>> = {
  plain: [
    text("id", ({ id }) => id),
    integer("revision", ({ revision }) => revision),
    integer("rests", ({ rests }) => (rests ? 1 : 0)),
    text("status", ({ status }) => status),
    text("position", (_, { position }) => position),
    text("state", (_, { state }) => state),
    text("entry", (_, { entry }) => entry),
    text("patch", ({ history }) => history.patch?.text ?? null),
  ],
  rare: [
    integer("signals", ({ signals }) => signals),
    { name: "due_in", type: "float8", of: ({ rests, dueInMs }) => (rests ? dueInMs : null) },
    text("changes", (_, { changes }) => changes),
    text("carried", ({ carried }) => carried),
  ],
  mail: [
    text("step", ({ history }) => history.step),
    text("settled", ({ settled }) => settledText(settled)),
    integer("ends", ({ ends }) => (ends ? 1 : 0)),
  ],
  topics: [integer("keeps", ({ unsubscribes: it }) => (it === undefined ? null : bitsKept[it]))],
  limits: [integer("leaves", ({ leaves }) => (leaves === true ? 1 : 0))],
  // The version is what an index names, so only who goes on with another list of steps touches it.
  defined: [
    text("version", ({ definition }) => definition?.version ?? null),
    text("fingerprint", ({ definition }) => definition?.fingerprint ?? null),
  ],
};

const givenOfLines: readonly Column[] = [
  integer("line_kind", (_, { kind }) => kind),
  integer("line_place", ({ line }) => line?.position ?? null),
];

function allGiven({ word, lined }: Form): readonly Column[] {
  const columns = words.slice(0, words.indexOf(word) + 1).flatMap((each) => given[each]);
  return lined ? [...columns, ...givenOfLines] : columns;
}

/** After the moment, the owner of all rows, and how many there are. */
function firstColumn({ single }: Form): number {
  return single ? 3 : 4;
}

/** What is given of a row, as SQL. Of a single one the values stand in the statement: what is joined would be planned and begun each time. */
function givenIn(form: Form): (name: string) => string {
  if (!form.single) return (name) => `g.${name}`;
  const columns = allGiven(form);
  return (name) => {
    const place = columns.findIndex((column) => column.name === name);
    return `$${place + firstColumn(form)}::${columns[place]!.type}`;
  };
}

/** The rows of a batch. */
function givenRows(form: Form): string {
  const columns = allGiven(form);
  const parameters = columns.map(({ type }, index) => `$${index + firstColumn(form)}::${type}[]`);
  const names = columns.map(({ name }) => name);
  return `unnest(${parameters.join(", ")}) WITH ORDINALITY AS g (${names.join(", ")}, n)`;
}

interface Commit {
  readonly statement: Statement;
  readonly columns: readonly Column[];
}

type Commits = Readonly<Record<Word, Commit>>;

function commitsFor(single: boolean, lined: boolean): Commits {
  const named = words.map((word): [Word, Commit] => {
    const name = `commit${single ? "_one" : ""}${word === "plain" ? "" : `_${word}`}${lined ? "_lined" : ""}`;
    const form = { word, single, lined };
    return [word, { statement: { name, text: update(form) }, columns: allGiven(form) }];
  });
  return Object.fromEntries(named) as Record<Word, Commit>;
}

const commits = commitsFor(false, false);
const singles = commitsFor(true, false);
const linedCommits = commitsFor(false, true);
const linedSingles = commitsFor(true, true);

function commitFor({ word, single, lined }: Form): Commit {
  if (lined) return (single ? linedSingles : linedCommits)[word];
  return (single ? singles : commits)[word];
}

/** Whether it has what is written by statements of its own, in the same transaction. */
export function hasMore({ list, forgets }: Transition): boolean {
  return (list ?? forgets) !== undefined;
}

/** @param rows all of one owner */
export function committing(
  rows: readonly number[],
  all: readonly Transition[],
  terms: Terms,
): BatchStep<Transition, CommitResult, TakenRow> {
  const inOrder = sorted(rows, (row) => all[row]!.id);
  return new BatchStep<Transition, CommitResult, TakenRow>(inOrder, all, {
    ask: (given) => commitOf(given, terms),
    read: ([row], given, hint, refuse) => {
      const isTaken = takenIn(row);
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
    ...(all.some(hasMore) && {
      after: async (session, given, answers) => {
        const taken = given.filter((_, place) => answers[place] === "taken");
        await changeLists(session, taken);
        await forgetAll(session, taken);
      },
    }),
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
function commitOf(all: readonly Transition[], terms: Terms): { statement: Statement; values: unknown[] } {
  const kinds = new NewsKinds();
  const texts = all.map((it) => textsOf(it, kinds, terms.format));
  const [one] = all;
  const single = all.length === 1;
  const lined = all.some(({ line }) => line !== undefined);
  const { statement, columns } = commitFor({ word: wordFor(all), single, lined });
  const values: unknown[] = single ? [terms.now, one!.owner] : [terms.now, one!.owner, all.length];
  for (const { type, of } of columns)
    values.push(
      single
        ? of(one!, texts[0]!)
        : arrayOf(
            type,
            all.map((it, index) => of(it, texts[index]!)),
          ),
    );
  if (lined) values.push(...kinds.values);
  return { statement, values };
}

function textsOf(it: Transition, kinds: NewsKinds, format: Terms["format"]): Texts {
  const changes = format === "compact" ? (it.changes?.text ?? null) : null;
  const { position, entry } = transitionTexts(it, format);
  const state = changes === null ? (it.state?.text ?? null) : null;
  return { position, entry, changes, state, kind: kinds.of(it.line) };
}

function wordFor(all: readonly Transition[]): Word {
  if (all.some(({ definition }) => definition !== undefined)) return "defined";
  if (all.some(({ leaves }) => leaves === true)) return "limits";
  if (all.some(({ unsubscribes }) => unsubscribes !== undefined)) return "topics";
  if (all.some(({ settled, signals }) => settled.length > 0 || signals > 0)) return "mail";
  const isRare = all.some(
    ({ rests, dueInMs, changes, carried }) => changes !== undefined || carried !== null || (rests && dueInMs !== null),
  );
  return isRare ? "rare" : "plain";
}
