/**
 * A batch: one statement for each kind of row, with the rows as arrays. Most batches are one statement, in
 * a transaction of its own; several are sent in one go. Rows are sorted by id, so that two batches never wait
 * for each other in turn.
 */
import { executionColumns, executionOf, historyEntryOf, type ExecutionRow } from "../sql/rows.js";
import type {
  Batch,
  BatchResult,
  CommitResult,
  CreateResult,
  Hint,
  NewExecution,
  Release,
  Transition,
} from "../store.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import { deliveries } from "./arrivals.js";
import type { Database, Statement } from "./database.js";
import type { Doubts } from "./doubts.js";
import { moment, at as time } from "./moment.js";
import { inWaves, type Session, type Step } from "./step.js";

export interface Written extends BatchResult {
  readonly hints: readonly (Hint & { readonly owner?: number })[];
}

/** @param tickets one for each create */
export async function write(
  database: Database,
  batch: Batch,
  tickets: readonly number[],
  doubts: Doubts,
  now: number | null,
): Promise<Written> {
  const creating = batch.creates.length === 0 ? undefined : new Creating(batch.creates, tickets, now);
  const committing = inWaves(batch.transitions, ({ id }) => id).map(
    (rows) => new Committing(rows, batch.transitions, doubts, now),
  );
  const releasing = inWaves(batch.releases, ({ id }) => id).map(
    (rows) => new Releasing(rows, batch.releases, doubts, now),
  );
  const delivering = deliveries(batch.arrivals, now);
  const touching = [...committing, ...releasing, ...delivering];
  const steps: Step[] = creating === undefined ? touching : [creating, ...touching];
  if (steps.length === 1) await steps[0]!.run(database);
  else if (steps.length > 1) {
    await database.transaction(async (transaction) => {
      const careful = committing.length > 1 || releasing.length > 1 || overlaps(batch);
      const sent: Promise<unknown>[] = [];
      for (const step of steps) {
        // Each step is sorted by itself; over several the order holds if all is locked before.
        if (step === touching[0] && touching.length > 1)
          sent.push(transaction.rows(lockRows, [textArray(idsOf(batch))]));
        const done = step.run(transaction);
        sent.push(done);
        if (!careful) continue;
        await done;
        await step.explain(transaction);
      }
      sent.push(transaction.commit());
      await Promise.all(sent);
    });
  }
  for (const step of steps) await step.explain(database);
  const results = {
    at: steps[0]?.at ?? (await timeOf(database, now)),
    creates: creating?.answers ?? [],
    transitions: inOrder(batch.transitions.length, committing),
    releases: inOrder(batch.releases.length, releasing),
    arrivals: inOrder(batch.arrivals.length, delivering),
  };
  return { ...results, hints: steps.flatMap(({ hints }) => hints) };
}

/** The answers of several steps, each at its own place. */
function inOrder<Answer>(
  count: number,
  steps: readonly { readonly rows: readonly number[]; readonly answers: readonly Answer[] }[],
): Answer[] {
  const all: Answer[] = Array.from({ length: count });
  for (const { rows, answers } of steps) for (const [index, row] of rows.entries()) all[row] = answers[index]!;
  return all;
}

/** Whether what one step says depends on what a later one does: then each is waited for. The engine never asks for that. */
function overlaps({ creates, transitions, releases, arrivals }: Batch): boolean {
  const created = new Set(creates.map(({ id }) => id));
  const committed = new Set(transitions.map(({ id }) => id));
  if (releases.some(({ id }) => committed.has(id))) return true;
  if (created.size === 0) return false;
  return (
    transitions.some(({ id }) => created.has(id)) ||
    releases.some(({ id }) => created.has(id)) ||
    arrivals.some(({ execution }) => created.has(execution))
  );
}

function idsOf({ transitions, releases, arrivals }: Batch): string[] {
  const ids = new Set<string>();
  for (const { id } of transitions) ids.add(id);
  for (const { id } of releases) ids.add(id);
  for (const { execution } of arrivals) ids.add(execution);
  return [...ids];
}

const lockRows: Statement = {
  name: "lock",
  text: `
SELECT count(*) FROM (
  SELECT 1 FROM stepwell_executions WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE
) AS locked`,
};

const timeQuery: Statement = { name: "time", text: `WITH ${moment} SELECT at FROM moment` };

async function timeOf(database: Database, now: number | null): Promise<number> {
  const [row] = await database.rows<{ readonly at: number }>(timeQuery, [now]);
  return row!.at;
}

/** Positions, by the ids of their rows. */
function sorted(rows: readonly number[], idOf: (row: number) => string): number[] {
  return rows.toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1));
}

const insert = (tagged: boolean): string => `
WITH ${moment},
given AS MATERIALIZED (
  SELECT nextval('stepwell_sequence') AS sequence, g.*
  FROM unnest($3::float8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::float8[],
    $10::float8[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
    AS g (ticket, id, workflow, version, status, owner, due_in, deadline_in, tags, position, state, input, carried)
),
alive AS MATERIALIZED (SELECT owner FROM stepwell_launchers WHERE owner = ANY ($8::integer[])),
created AS (
  INSERT INTO stepwell_executions (sequence, created_at, deadline_at, id, workflow, version, tags, input, revision,
    signals, seen, claims, owner, ticket, due_at, updated_at, status, position, state, carried)
  SELECT g.sequence, ${time}, ${time} + g.deadline_in, g.id, g.workflow, g.version, g.tags, g.input, 0,
    0, 0, CASE WHEN a.owner IS NULL THEN 0 ELSE 1 END, a.owner, g.ticket,
    CASE WHEN a.owner IS NULL THEN ${time} + CASE WHEN g.owner IS NULL THEN g.due_in ELSE 0 END END,
    ${time}, g.status, g.position, g.state, g.carried
  FROM given AS g LEFT JOIN alive AS a ON a.owner = g.owner ORDER BY g.id, g.sequence
  ON CONFLICT (id) DO NOTHING RETURNING ticket, owner, sequence, created_at, tags
)${
  tagged
    ? `,
tagged AS (
  INSERT INTO stepwell_tags (tag, created_at, execution)
  SELECT DISTINCT t.tag, c.created_at, c.sequence
  FROM created AS c CROSS JOIN LATERAL json_array_elements_text(c.tags::json) AS t (tag)
)`
    : ""
}
SELECT ${time} AS at, CASE WHEN count(*) = $2::integer THEN NULL ELSE coalesce(json_agg(ticket), '[]') END AS created,
  json_agg(ticket) FILTER (WHERE owner IS NULL) AS unowned FROM created`;

const insertPlain: Statement = { name: "create", text: insert(false) };
const insertTagged: Statement = { name: "create_tagged", text: insert(true) };

const existingQuery: Statement = {
  name: "existing",
  text: `SELECT ticket, ${executionColumns} FROM stepwell_executions WHERE id = ANY ($1::text[])`,
};

const owned: CreateResult = { created: true, owned: true };
const notOwned: CreateResult = { created: true, owned: false };

class Creating implements Step {
  readonly answers: CreateResult[] = [];
  readonly hints: Hint[] = [];
  at = 0;
  readonly #creates: readonly NewExecution[];
  readonly #tickets: readonly number[];
  readonly #now: number | null;
  #refused: number[] = [];

  constructor(creates: readonly NewExecution[], tickets: readonly number[], now: number | null) {
    this.#creates = creates;
    this.#tickets = tickets;
    this.#now = now;
  }

  async run(session: Session): Promise<void> {
    const all = this.#creates;
    const statement = all.some(({ tags }) => tags.length > 0) ? insertTagged : insertPlain;
    const [row] = await session.rows<{ at: number; created: number[] | null; unowned: number[] | null }>(statement, [
      this.#now,
      all.length,
      doubleArray(this.#tickets),
      textArray(all.map(({ id }) => id)),
      textArray(all.map(({ workflow }) => workflow)),
      textArray(all.map(({ version }) => version)),
      textArray(all.map(({ status }) => status)),
      integerArray(all.map(({ owner }) => owner)),
      doubleArray(all.map(({ dueInMs }) => dueInMs)),
      doubleArray(all.map(({ deadlineInMs }) => deadlineInMs)),
      textArray(all.map(({ tags }) => (tags.length === 0 ? "[]" : JSON.stringify(tags)))),
      textArray(all.map(({ position }) => JSON.stringify(position))),
      textArray(all.map(({ state }) => state.text)),
      textArray(all.map(({ input }) => input.text)),
      textArray(all.map(({ carried }) => carried)),
    ]);
    this.at = row!.at;
    const made = row!.created === null ? undefined : new Set(row!.created);
    const unowned = row!.unowned === null ? undefined : new Set(row!.unowned);
    for (const [index, ticket] of this.#tickets.entries()) {
      this.answers.push(unowned?.has(ticket) === true ? notOwned : owned);
      if (made !== undefined && !made.has(ticket)) this.#refused.push(index);
      else if (unowned?.has(ticket) === true) {
        const { owner, dueInMs } = all[index]!;
        this.hints.push({ type: "due", inMs: owner === null ? dueInMs : 0 });
      }
    }
  }

  /** What is there, unless it is what this very call made when its answer was lost. */
  async explain(session: Session): Promise<void> {
    if (this.#refused.length === 0) return;
    const refused = this.#refused;
    this.#refused = [];
    const ids = refused.map((index) => this.#creates[index]!.id);
    const rows = await session.rows<ExecutionRow & { readonly ticket: number }>(existingQuery, [textArray(ids)]);
    const found = new Map(rows.map((row) => [row.id, row]));
    for (const index of refused) {
      const { id, owner } = this.#creates[index]!;
      const row = found.get(id)!;
      const isOwn = row.ticket === this.#tickets[index] && (owner === null || row.owner === owner);
      this.answers[index] = isOwn
        ? { created: true, owned: owner !== null }
        : { created: false, existing: executionOf(row) };
    }
  }
}

/**
 * What a step that settles mail has besides. "OFFSET 0" keeps the look-ups apart: each execution's own rows are
 * read, never all that are pending anywhere.
 */
const settling = `,
settling AS (
  UPDATE stepwell_mailbox AS m SET status = d.status, step = d.step
  FROM (
    SELECT p.place, s.status, u.step
    FROM updated AS u CROSS JOIN LATERAL json_to_recordset(u.settled::json) AS s (arrival text, status text)
    CROSS JOIN LATERAL (
      SELECT q.ctid AS place FROM stepwell_mailbox AS q
      WHERE q.execution = u.sequence AND q.id = s.arrival AND q.status = 'pending' OFFSET 0
    ) AS p
    UNION ALL
    SELECT p.place, 'dead', NULL
    FROM updated AS u CROSS JOIN LATERAL (
      SELECT q.ctid AS place, q.id FROM stepwell_mailbox AS q
      WHERE q.execution = u.sequence AND q.status = 'pending' OFFSET 0
    ) AS p
    WHERE u.ends = 1 AND p.id NOT IN (SELECT s.arrival FROM json_to_recordset(u.settled::json) AS s (arrival text))
  ) AS d
  WHERE m.ctid = d.place
)`;

/** The owner is compared in a way that its index does not serve: it would be read from end to end for each row. */
const update = (mail: boolean): string => `
WITH ${moment},
updated AS (
  UPDATE stepwell_executions AS e SET status = g.status, position = g.position, state = coalesce(g.state, e.state),
    revision = g.revision, updated_at = ${time}, seen = e.signals, claims = CASE WHEN g.keeper IS NULL THEN 0 ELSE 1 END,
    owner = g.keeper, due_at = ${time} + g.due_in, carried = coalesce(g.carried, e.carried)
  FROM unnest($3::text[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::text[], $9::text[],
    $10::text[], $11::float8[], $12::text[], $13::text[], $14::text[]${mail ? ", $15::text[], $16::text[], $17::integer[]" : ""})
    WITH ORDINALITY AS g (id, owner, revision, signals, keeper, status, position, state, due_in, carried, entry, patch${
      mail ? ", step, settled, ends" : ""
    }, n)
  WHERE e.id = g.id AND e.owner IS NOT DISTINCT FROM g.owner AND e.revision = g.revision - 1 AND e.signals = g.signals
  RETURNING g.n, e.sequence, g.revision, g.owner, g.entry, g.patch${mail ? ", g.step, g.settled, g.ends" : ""}
),
written AS (
  INSERT INTO stepwell_history (execution, revision, owner, at, entry, patch)
  SELECT sequence, revision, owner, ${time}, entry, patch FROM updated
)${mail ? settling : ""}
SELECT ${time} AS at, CASE WHEN count(*) = $2::integer THEN NULL ELSE coalesce(json_agg(n), '[]') END AS taken FROM updated`;

const updatePlain: Statement = { name: "commit", text: update(false) };
const updateWithMail: Statement = { name: "commit_mail", text: update(true) };

/** Which of the given are still their owner's, and which were committed by it as they are. */
const reasonQuery: Statement = {
  name: "reason",
  text: `
SELECT g.n, e.owner = g.owner AND e.revision = coalesce(g.revision - 1, e.revision) AS owned,
  (SELECT h.owner FROM stepwell_history AS h WHERE h.execution = e.sequence AND h.revision = g.revision) = g.owner AS written
FROM unnest($1::text[], $2::integer[], $3::integer[]) WITH ORDINALITY AS g (id, owner, revision, n)
JOIN stepwell_executions AS e ON e.id = g.id`,
};

interface ReasonRow {
  readonly n: number;
  readonly owned: boolean | null;
  readonly written: boolean | null;
}

interface TakenRow {
  readonly at: number;
  readonly taken: readonly number[] | null;
}

/** For each of the refused, by its place. */
async function reasons(
  session: Session,
  refused: readonly { readonly id: string; readonly owner: number; readonly revision: number | null }[],
): Promise<(ReasonRow | undefined)[]> {
  const rows = await session.rows<ReasonRow>(reasonQuery, [
    textArray(refused.map(({ id }) => id)),
    integerArray(refused.map(({ owner }) => owner)),
    integerArray(refused.map(({ revision }) => revision)),
  ]);
  const found = new Map(rows.map((row) => [row.n, row]));
  return refused.map((_, index) => found.get(index + 1));
}

export class Committing implements Step {
  readonly rows: readonly number[];
  readonly answers: CommitResult[] = [];
  readonly hints: Hint[] = [];
  at = 0;
  readonly #all: readonly Transition[];
  readonly #doubts: Doubts;
  readonly #now: number | null;
  #refused: number[] = [];

  constructor(rows: readonly number[], all: readonly Transition[], doubts: Doubts, now: number | null) {
    this.rows = sorted(rows, (row) => all[row]!.id);
    this.#all = all;
    this.#doubts = doubts;
    this.#now = now;
  }

  async run(session: Session): Promise<void> {
    const given = this.rows.map((row) => this.#all[row]!);
    const mail = given.some(({ settled, ends, signals }) => settled.length > 0 || (ends && signals > 0));
    const values: unknown[] = [
      this.#now,
      given.length,
      textArray(given.map(({ id }) => id)),
      integerArray(given.map(({ owner }) => owner)),
      integerArray(given.map(({ revision }) => revision)),
      integerArray(given.map(({ signals }) => signals)),
      integerArray(given.map(({ owner, rests }) => (rests ? null : owner))),
      textArray(given.map(({ status }) => status)),
      textArray(given.map(({ position }) => JSON.stringify(position))),
      textArray(given.map(({ state }) => state?.text ?? null)),
      doubleArray(given.map(({ rests, dueInMs }) => (rests ? dueInMs : null))),
      textArray(given.map(({ carried }) => carried)),
      textArray(given.map(({ history }) => historyEntryOf(history))),
      textArray(given.map(({ history }) => history.patch?.text ?? null)),
    ];
    if (mail) {
      values.push(
        textArray(given.map(({ history }) => history.step)),
        textArray(given.map(({ settled }) => settledText(settled))),
        integerArray(given.map(({ ends }) => (ends ? 1 : 0))),
      );
    }
    const [row] = await session.rows<TakenRow>(mail ? updateWithMail : updatePlain, values);
    this.at = row!.at;
    const taken = row!.taken === null ? undefined : new Set(row!.taken);
    for (const [index, { rests, dueInMs }] of given.entries()) {
      const isTaken = taken === undefined || taken.has(index + 1);
      this.answers.push(isTaken ? "taken" : "lost");
      if (!isTaken) this.#refused.push(index);
      else if (rests && dueInMs !== null) this.hints.push({ type: "due", inMs: dueInMs });
    }
  }

  async explain(session: Session): Promise<void> {
    if (this.#refused.length === 0) return;
    const refused = this.#refused;
    this.#refused = [];
    const given = refused.map((index) => this.#all[this.rows[index]!]!);
    const found = await reasons(session, given);
    for (const [place, index] of refused.entries()) {
      const reason = found[place];
      if (reason?.written === true && this.#doubts.isTransition(given[place]!)) this.answers[index] = "taken";
      else if (reason?.owned === true) this.answers[index] = "signalled";
    }
  }
}

/** Of the same arrival twice, the first counts. */
function settledText(settled: Transition["settled"]): string {
  if (settled.length === 0) return "[]";
  const first = new Map<string, string>();
  for (const { arrival, as } of settled) if (!first.has(arrival)) first.set(arrival, as);
  return JSON.stringify([...first].map(([arrival, status]) => ({ arrival, status })));
}

const letGo = (mail: boolean): string => `
WITH ${moment},
updated AS (
  UPDATE stepwell_executions AS e SET claims = e.claims - 1, owner = NULL, due_at = ${time} + g.due_in,
    seen = CASE WHEN g.signals IS NULL THEN e.seen ELSE e.signals END
  FROM unnest($3::text[], $4::integer[], $5::integer[], $6::float8[], $7::text[]) WITH ORDINALITY
    AS g (id, owner, signals, due_in, settled, n)
  WHERE e.id = g.id AND e.owner IS NOT DISTINCT FROM g.owner AND e.signals = coalesce(g.signals, e.signals)
  RETURNING g.n, e.sequence, g.settled, NULL AS step, 0 AS ends
)${mail ? settling : ""}
SELECT ${time} AS at, CASE WHEN count(*) = $2::integer THEN NULL ELSE coalesce(json_agg(n), '[]') END AS taken FROM updated`;

const releasePlain: Statement = { name: "release", text: letGo(false) };
const releaseWithMail: Statement = { name: "release_mail", text: letGo(true) };

class Releasing implements Step {
  readonly rows: readonly number[];
  readonly answers: CommitResult[] = [];
  readonly hints: Hint[] = [];
  at = 0;
  readonly #all: readonly Release[];
  readonly #doubts: Doubts;
  readonly #now: number | null;
  #refused: number[] = [];

  constructor(rows: readonly number[], all: readonly Release[], doubts: Doubts, now: number | null) {
    this.rows = sorted(rows, (row) => all[row]!.id);
    this.#all = all;
    this.#doubts = doubts;
    this.#now = now;
  }

  async run(session: Session): Promise<void> {
    const given = this.rows.map((row) => this.#all[row]!);
    const mail = given.some(({ dead }) => dead.length > 0);
    const [row] = await session.rows<TakenRow>(mail ? releaseWithMail : releasePlain, [
      this.#now,
      given.length,
      textArray(given.map(({ id }) => id)),
      integerArray(given.map(({ owner }) => owner)),
      integerArray(given.map(({ signals }) => signals)),
      doubleArray(given.map(({ dueInMs }) => dueInMs)),
      textArray(given.map(({ dead }) => settledText(dead.map((arrival) => ({ arrival, as: "dead" }))))),
    ]);
    this.at = row!.at;
    const taken = row!.taken === null ? undefined : new Set(row!.taken);
    for (const [index, { dueInMs }] of given.entries()) {
      const isTaken = taken === undefined || taken.has(index + 1);
      this.answers.push(isTaken ? "taken" : "lost");
      if (!isTaken) this.#refused.push(index);
      else if (dueInMs !== null) this.hints.push({ type: "due", inMs: dueInMs });
    }
  }

  async explain(session: Session): Promise<void> {
    if (this.#refused.length === 0) return;
    const refused = this.#refused;
    this.#refused = [];
    const given = refused.map((index) => this.#all[this.rows[index]!]!);
    const found = await reasons(
      session,
      given.map(({ id, owner }) => ({ id, owner, revision: null })),
    );
    for (const [place, index] of refused.entries()) {
      if (found[place]?.owned === true) this.answers[index] = "signalled";
      // It is let go of, by the try whose answer was lost or by others since.
      else if (this.#doubts.isRelease(given[place]!)) this.answers[index] = "taken";
    }
  }
}
