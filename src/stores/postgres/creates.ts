import { newStateText, positionText } from "../sql/json-columns.js";
import { prunedMeanwhile, reachable } from "../sql/pruning.js";
import { executionColumns, lineFrame, lineText, type ExecutionRow } from "../sql/rows.js";
import type { CreateResult, NewExecution } from "../batch.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import { queueing } from "./gates.js";
import { instant, moment, at as time } from "./moment.js";
import { executionsOf } from "./read.js";
import type { Terms } from "./shared.js";
import { BatchStep } from "./step.js";
import { takenUp } from "./work.js";

const answer = `
SELECT ${time} AS at, CASE WHEN count(*) = $2::integer THEN NULL ELSE coalesce(json_agg(ticket), '[]') END AS created,
  json_agg(ticket) FILTER (WHERE owner IS NULL) AS unowned FROM created`;

const insert = (tagged: boolean, limited = false, lined = false): string => `
WITH ${moment},
given AS MATERIALIZED (
  SELECT nextval('stepwell_sequence') AS sequence, g.*
  FROM unnest($3::float8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::float8[],
    $10::float8[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[]${
      limited ? ", $17::text[], $18::text[], $19::text[], $20::float8[]" : ""
    }${lined ? (limited ? ", $21::text[], $22::text[]" : ", $17::text[], $18::text[]") : ""})
    AS g (ticket, id, workflow, version, status, owner, due_in, deadline_in, tags, position, state, input, carried, fingerprint${
      limited ? ", gate, key, rate_key, lead" : ""
    }${lined ? ", line, root" : ""})
),
alive AS MATERIALIZED (SELECT owner FROM stepwell_launchers WHERE owner = ANY ($8::integer[])),
created AS (
  INSERT INTO stepwell_executions (sequence, created_at, deadline_at, id, workflow, version, tags, input, revision,
    signals, seen, claims, owner, ticket, due_at, updated_at, status, position, state, carried, fingerprint${limited ? ", admission" : ""}${lined ? ", line, root" : ""})
  SELECT g.sequence, ${time}, ${time} + g.deadline_in, g.id, g.workflow, g.version, g.tags, g.input, 0,
    0, 0, CASE WHEN a.owner IS NULL THEN 0 ELSE 1 END, a.owner, g.ticket,
    CASE ${limited ? `WHEN g.gate IS NOT NULL THEN ${time} + g.deadline_in ` : ""}WHEN a.owner IS NULL THEN ${time} + CASE WHEN g.owner IS NULL THEN g.due_in ELSE 0 END END,
    ${time}, g.status, g.position, g.state, g.carried, g.fingerprint${limited ? ", CASE WHEN g.gate IS NOT NULL THEN 'queued' END" : ""}${lined ? ", g.line, g.root" : ""}
  FROM given AS g LEFT JOIN alive AS a ON a.owner = g.owner ORDER BY g.id, g.sequence
  ON CONFLICT (id) DO NOTHING RETURNING ticket, owner, id, sequence, created_at, tags
)${takenUp("created", "(SELECT min(ticket) FROM created)")}${
  tagged
    ? `,
tagged AS (
  INSERT INTO stepwell_tags (tag, created_at, execution)
  SELECT DISTINCT t.tag, c.created_at, c.sequence
  FROM created AS c CROSS JOIN LATERAL json_array_elements_text(c.tags::json) AS t (tag)
)`
    : ""
}${limited ? queueing : ""}${answer}`;

/**
 * What a launcher launches is mostly of few kinds, without tags or a delay: what is alike is given once, since a column costs
 * something for each row. So are the lines of a list.
 */
const plainText = (rows: string, lined = false): string => `
WITH ${moment},
given AS MATERIALIZED (
  SELECT nextval('stepwell_sequence') AS sequence, g.*
  FROM ${rows}
),
alive AS MATERIALIZED (SELECT owner FROM stepwell_launchers WHERE owner = $3::integer),
created AS (
  INSERT INTO stepwell_executions (sequence, created_at, id, workflow, version, tags, input, revision,
    signals, seen, claims, owner, ticket, due_at, updated_at, status, position, state, fingerprint${
      lined ? ", deadline_at, carried, root, line" : ""
    })
  SELECT g.sequence, ${time}, g.id, ($9::text[])[g.kind], ($10::text[])[g.kind], '[]', g.input, 0,
    0, 0, CASE WHEN a.owner IS NULL THEN 0 ELSE 1 END, a.owner, g.ticket, CASE WHEN a.owner IS NULL THEN ${time} END,
    ${time}, ($11::text[])[g.kind], ($12::text[])[g.kind], g.state, ($13::text[])[g.kind]${
      lined
        ? `, ${time} + ($16::float8[])[g.kind], ($17::text[])[g.kind], ($18::text[])[g.kind],
    ($19::text[])[g.kind] || g.place || ($20::text[])[g.kind]`
        : ""
    }
  FROM given AS g LEFT JOIN alive AS a ON ${lined ? "($15::integer[])[g.kind] = 1" : "true"} ORDER BY g.id, g.sequence
  ON CONFLICT (id) DO NOTHING RETURNING ticket, owner, id
)${takenUp("created", "(SELECT min(ticket) FROM created)")}${answer}`;

const insertPlain: Statement = {
  name: "create",
  text: plainText(
    "unnest($4::float8[], $5::text[], $6::integer[], $7::text[], $8::text[]) AS g (ticket, id, kind, state, input)",
  ),
};
/** For one create, whose values are parameters and no arrays. */
const insertOne: Statement = {
  name: "create_one",
  text: `
WITH created AS (
  INSERT INTO stepwell_executions (sequence, created_at, id, workflow, version, tags, input, revision,
    signals, seen, claims, owner, ticket, due_at, updated_at, status, position, state, fingerprint)
  SELECT nextval('stepwell_sequence'), ${instant}, $4::text, $7::text, $8::text, '[]', $6::text, 0,
    0, 0, CASE WHEN a.owner IS NULL THEN 0 ELSE 1 END, a.owner, $3::float8, CASE WHEN a.owner IS NULL THEN ${instant} END,
    ${instant}, $9::text, $10::text, $5::text, $11::text
  FROM (SELECT 1) AS g LEFT JOIN stepwell_launchers AS a ON a.owner = $2::integer
  ON CONFLICT (id) DO NOTHING RETURNING ticket, owner, id, created_at AS at
),
working AS (
  INSERT INTO stepwell_work (owner, number, ids) SELECT owner, ticket, ARRAY[id] FROM created WHERE owner IS NOT NULL ON CONFLICT DO NOTHING
)
SELECT at, CASE WHEN owner IS NULL THEN json_build_array(ticket) END AS unowned FROM created`,
};
const insertLines: Statement = {
  name: "create_lines",
  text: plainText(
    "unnest($4::float8[], $5::text[], $6::integer[], $7::text[], $8::text[], $14::integer[]) AS g (ticket, id, kind, state, input, place)",
    true,
  ),
};
const insertRare: Statement = { name: "create_rare", text: insert(false) };
const insertTagged: Statement = { name: "create_tagged", text: insert(true) };
const insertLimited: Statement = { name: "create_limited", text: insert(true, true) };
const insertLined: Statement = { name: "create_lined", text: insert(false, false, true) };
const insertLinedLimited: Statement = { name: "create_lined_limited", text: insert(true, true, true) };

const existingQuery: Statement = {
  name: "existing",
  text: `SELECT ticket, ${executionColumns} FROM stepwell_executions WHERE id = ANY ($1::text[]) AND ${reachable()}`,
};

const owned: CreateResult = { created: true, owned: true };
const notOwned: CreateResult = { created: true, owned: false };

function queueValues(all: readonly NewExecution[]): unknown[] {
  return [
    textArray(all.map(({ queue }) => queue?.gate ?? null)),
    textArray(all.map(({ queue }) => queue?.key ?? null)),
    textArray(all.map(({ queue }) => (queue === undefined ? null : (queue.rateKey ?? "")))),
    doubleArray(all.map(({ queue }) => queue?.leadMs ?? null)),
  ];
}

function isLined({ line, root }: NewExecution): boolean {
  return line !== undefined || root !== undefined;
}

function noted(owners: Map<number, string[]>, owner: number, id: string): void {
  const ids = owners.get(owner);
  if (ids === undefined) owners.set(owner, [id]);
  else ids.push(id);
}

interface CreatedRow {
  readonly at: number;
  /** Tickets of the rows that were created; null or left out: all were. */
  readonly created?: readonly number[] | null;
  readonly unowned: readonly number[] | null;
}

/** A single create that gives back no row: its id exists. */
const noneMade: Pick<CreatedRow, "created" | "unowned"> = { created: [], unowned: null };

/** @param tickets one for each create */
export function creating(
  creates: readonly NewExecution[],
  tickets: readonly number[],
  terms: Terms,
): BatchStep<NewExecution, CreateResult, CreatedRow> {
  return new BatchStep<NewExecution, CreateResult, CreatedRow>([...creates.keys()], creates, {
    ask: (all) => createOf(all, tickets, terms),
    read: ([row], all, hint, refuse) => {
      const { created, unowned: without } = row ?? noneMade;
      const made = created === undefined || created === null ? undefined : new Set(created);
      const unowned = without === null ? undefined : new Set(without);
      const owners = new Map<number, string[]>();
      const answers = tickets.map((ticket, place) => {
        const isUnowned = unowned?.has(ticket) === true;
        const { id, owner, dueInMs } = all[place]!;
        if (made !== undefined && !made.has(ticket)) refuse(place);
        else if (isUnowned) hint({ type: "due", inMs: owner === null ? dueInMs : 0 });
        else noted(owners, owner!, id);
        return isUnowned ? notOwned : owned;
      });
      const number = Math.min(...(created ?? tickets));
      for (const [owner, ids] of owners) terms.work.took(owner, number, ids);
      return answers;
    },
    // What is there, unless it is what this very call made when its answer was lost.
    explain: async (session, refused, places) => {
      const ids = textArray(refused.map(({ id }) => id));
      const rows = await session.rows<ExecutionRow & { readonly ticket: number }>(existingQuery, [ids]);
      const records = await executionsOf(session, rows);
      const found = new Map(rows.map((row, index) => [row.id, { row, existing: records[index]! }]));
      return refused.map(({ id, owner }, index) => {
        const { row, existing } = found.get(id) ?? prunedMeanwhile(id);
        const isOwn = row.ticket === tickets[places[index]!] && (owner === null || row.owner === owner);
        return isOwn ? { created: true, owned: owner !== null } : { created: false, existing };
      });
    },
  });
}

/** Many kinds would have to be looked up among many. */
const fewKinds = 20;

/** `lines`: all are lines of lists, with the owner or with none. */
function plainnessOf(all: readonly NewExecution[]): "free" | "lines" | undefined {
  const { owner } = all.find((it) => it.owner !== null) ?? all[0]!;
  const isPlain = all.every((it) => it.tags.length === 0 && it.queue === undefined && it.dueInMs === 0);
  if (!isPlain) return undefined;
  if (all.every((it) => it.line !== undefined && (it.owner === owner || it.owner === null))) return "lines";
  const areFree = all.every(
    (it) => it.owner !== null && it.owner === owner && it.deadlineInMs === null && it.carried === null && !isLined(it),
  );
  return areFree ? "free" : undefined;
}

interface Kind {
  readonly of: NewExecution;
  readonly position: string;
}

function isOfKind({ of, position }: Kind, it: NewExecution, format: Terms["format"]): boolean {
  const isAlike =
    of.workflow === it.workflow &&
    of.version === it.version &&
    of.status === it.status &&
    of.fingerprint === it.fingerprint &&
    of.owner === it.owner &&
    of.deadlineInMs === it.deadlineInMs &&
    of.carried === it.carried &&
    of.root === it.root &&
    of.line?.list === it.line?.list &&
    of.line?.parent === it.line?.parent &&
    of.line?.depth === it.line?.depth;
  return isAlike && (of.position === it.position || position === positionText(it.position, it.id, format));
}

function oneCreateOf(
  it: NewExecution,
  ticket: number,
  { now, format }: Pick<Terms, "now" | "format">,
): { statement: Statement; values: unknown[] } {
  const { id, owner, input, workflow, version, status, fingerprint } = it;
  const [state, position] = [newStateText(it, format), positionText(it.position, id, format)];
  const values = [now, owner, ticket, id, state, input.text, workflow, version, status, position, fingerprint];
  return { statement: insertOne, values };
}

function plainCreateOf(
  all: readonly NewExecution[],
  tickets: readonly number[],
  terms: Pick<Terms, "now" | "format">,
): { statement: Statement; values: unknown[] } | undefined {
  const plainness = plainnessOf(all);
  if (plainness === undefined) return undefined;
  if (all.length === 1 && plainness === "free") return oneCreateOf(all[0]!, tickets[0]!, terms);
  const { now, format } = terms;
  const kinds: Kind[] = [];
  const places: number[] = [];
  for (const it of all) {
    let place = kinds.findIndex((kind) => isOfKind(kind, it, format));
    if (place < 0) place = kinds.push({ of: it, position: positionText(it.position, it.id, format) }) - 1;
    if (kinds.length > fewKinds) return undefined;
    places.push(place + 1);
  }
  const values = [
    now,
    all.length,
    all.find(({ owner }) => owner !== null)?.owner ?? null,
    doubleArray(tickets),
    textArray(all.map(({ id }) => id)),
    integerArray(places),
    textArray(all.map((it) => newStateText(it, format))),
    textArray(all.map(({ input }) => input.text)),
    textArray(kinds.map(({ of }) => of.workflow)),
    textArray(kinds.map(({ of }) => of.version)),
    textArray(kinds.map(({ of }) => of.status)),
    textArray(kinds.map(({ position }) => position)),
    textArray(kinds.map(({ of }) => of.fingerprint)),
    ...(plainness === "lines" ? lineValuesOf(all, kinds) : []),
  ];
  return { statement: plainness === "lines" ? insertLines : insertPlain, values };
}

function lineValuesOf(all: readonly NewExecution[], kinds: readonly Kind[]): unknown[] {
  const frames = kinds.map(({ of }) => lineFrame(of.line!));
  return [
    integerArray(all.map(({ line }) => line!.position)),
    integerArray(kinds.map(({ of }) => (of.owner === null ? 0 : 1))),
    doubleArray(kinds.map(({ of }) => of.deadlineInMs)),
    textArray(kinds.map(({ of }) => of.carried)),
    textArray(kinds.map(({ of }) => of.root ?? null)),
    textArray(frames.map(([head]) => head)),
    textArray(frames.map(([, tail]) => tail)),
  ];
}

interface Needs {
  readonly lined: boolean;
  readonly limited: boolean;
  readonly tagged: boolean;
}

function statementOf({ lined, limited, tagged }: Needs): Statement {
  if (limited) return lined ? insertLinedLimited : insertLimited;
  if (lined) return insertLined;
  return tagged ? insertTagged : insertRare;
}

function createOf(
  all: readonly NewExecution[],
  tickets: readonly number[],
  { now, format }: Terms,
): { statement: Statement; values: unknown[] } {
  const plain = plainCreateOf(all, tickets, { now, format });
  if (plain !== undefined) return plain;
  const lined = all.some(isLined);
  const tagged = all.some(({ tags }) => tags.length > 0);
  const limited = all.some(({ queue }) => queue !== undefined) || (lined && tagged);
  const statement = statementOf({ lined, limited, tagged });
  const values = [
    now,
    all.length,
    doubleArray(tickets),
    textArray(all.map(({ id }) => id)),
    textArray(all.map(({ workflow }) => workflow)),
    textArray(all.map(({ version }) => version)),
    textArray(all.map(({ status }) => status)),
    integerArray(all.map(({ owner }) => owner)),
    doubleArray(all.map(({ dueInMs }) => dueInMs)),
    doubleArray(all.map(({ deadlineInMs }) => deadlineInMs)),
    textArray(all.map(({ tags }) => (tags.length === 0 ? "[]" : JSON.stringify(tags)))),
    textArray(all.map(({ id, position }) => positionText(position, id, format))),
    textArray(all.map((it) => newStateText(it, format))),
    textArray(all.map(({ input }) => input.text)),
    textArray(all.map(({ carried }) => carried)),
    textArray(all.map(({ fingerprint }) => fingerprint)),
    ...(limited ? queueValues(all) : []),
    ...(lined
      ? [textArray(all.map(({ line }) => lineText(line))), textArray(all.map(({ root }) => root ?? null))]
      : []),
  ];
  return { statement, values };
}
