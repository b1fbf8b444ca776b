/**
 * Subscriptions and publications. Two of one topic at the same time must see each other, or a publication could be
 * missed by who just subscribes: so a batch with any of them takes the locks of its topics, in order, before all else.
 */
import { StepwellError } from "../../errors.js";
import type { Batch, Publication, PublishResult, SubscribeResult, Subscription } from "../batch.js";
import { untilBits, type Transition } from "../../execution/records.js";
import type { TopicStore } from "../contract.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Database, Statement } from "./database.js";
import { moment, at as time } from "./moment.js";
import type { Server } from "./shared.js";
import { BatchStep, type Session } from "./step.js";
import { signalled } from "./work.js";

export function topicsOf({ subscriptions = [], publications = [] }: Batch): string[] {
  return [...subscriptions, ...publications].map(({ topic }) => topic);
}

/** By the keys, not by the topics: two topics may have one key. */
const lockTopicsQuery: Statement = {
  name: "topics",
  text: `
SELECT current_setting('transaction_isolation') AS isolation, set_config('stepwell.topics', 'locked', true) AS mark, (
  SELECT count(*) FROM (
    SELECT pg_advisory_xact_lock(key)
    FROM (SELECT DISTINCT hashtextextended('stepwell topic ' || t, 0) AS key FROM unnest($1::text[]) AS g (t) ORDER BY key OFFSET 0) AS keys
  ) AS locked
) AS locks`,
};

/** Where the transaction of the locks is over, so are they, and the mark. */
const markQuery: Statement = {
  name: "topics_mark",
  text: "SELECT current_setting('stepwell.topics', true) AS mark",
};

/** To be awaited before anything else is sent. */
export async function lockTopics(
  session: Session,
  { schema, joins }: Pick<Database, "schema" | "joins">,
  topics: readonly string[],
): Promise<void> {
  const keys = topics.map((topic) => `${schema} ${topic}`);
  const [row] = await session.rows<{ readonly isolation: string }>(lockTopicsQuery, [textArray(keys)]);
  if (row!.isolation !== "read committed") {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `A topic needs a transaction of the isolation level "read committed", but this one is "${row!.isolation}": ` +
        `it would not see who subscribes at the same time. Nothing was published. Begin it with that level.`,
    );
  }
  if (!joins) return;
  const [kept] = await session.rows<{ readonly mark: string | null }>(markQuery, []);
  if (kept!.mark === "locked") return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `The connection that was given is in no transaction: who subscribes at the same time could miss what is published. ` +
      `Nothing was published. Begin one, and give the connection that has it, not a pool.`,
  );
}

/** All rows that the batch will touch, those that its publications reach included, in the order of their ids. */
const lockReached: Statement = {
  name: "lock_reached",
  text: `
SELECT count(*) FROM (
  SELECT 1 FROM stepwell_executions
  WHERE id = ANY ($1::text[] || ARRAY(SELECT s.id FROM stepwell_subscriptions AS s WHERE s.topic = ANY ($2::text[])))
  ORDER BY id FOR NO KEY UPDATE
) AS locked`,
};

export function lockRowsOf(session: Session, ids: readonly string[], batch: Batch): Promise<unknown> {
  const topics = batch.publications?.map(({ topic }) => topic) ?? [];
  return session.rows(lockReached, [textArray(ids), textArray(topics)]);
}

const insertSubscriptions: Statement = {
  name: "subscribe",
  text: `
WITH ${moment},
judged AS MATERIALIZED (
  SELECT g.*, e.sequence
  FROM unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::integer[], $7::text[]) WITH ORDINALITY
    AS g (execution, owner, revision, topic, until, step, n)
  JOIN stepwell_executions AS e ON e.id = g.execution
  WHERE e.owner IS NOT DISTINCT FROM g.owner AND e.revision = g.revision
),
subscribed AS (
  INSERT INTO stepwell_subscriptions AS s (execution, until, topic, id, step)
  SELECT DISTINCT ON (topic, execution) sequence, until, topic, execution, step FROM judged ORDER BY topic, execution, until DESC, n
  ON CONFLICT (topic, id) DO UPDATE SET until = excluded.until, step = excluded.step WHERE s.until <> ${untilBits.end}
),
kept AS MATERIALIZED (
  SELECT DISTINCT ON (j.sequence, p.message_id) j.n, j.execution, j.sequence, j.topic, p.place, p.id, p.message_id, p.name,
    p.payload, p.carried
  FROM judged AS j CROSS JOIN LATERAL (
    SELECT p.sequence AS place, p.id, p.message_id, p.name, p.payload, p.carried FROM stepwell_publications AS p
    WHERE p.topic = j.topic AND p.expires_at > ${time} OFFSET 0
  ) AS p
  WHERE NOT EXISTS (
    SELECT 1 FROM stepwell_mailbox AS m WHERE m.execution = j.sequence AND m.message_id = p.message_id
  )
  ORDER BY j.sequence, p.message_id, j.n, p.place
),
given AS (
  INSERT INTO stepwell_mailbox (execution, received_at, id, kind, name, message_id, payload, carried, status, topic)
  SELECT sequence, ${time}, id, 'message', name, message_id, payload, carried, 'pending', topic FROM kept ORDER BY n, place
),
raised AS (
  UPDATE stepwell_executions AS e SET signals = e.signals + r.arrivals, subscribed = coalesce(e.subscribed, 0) | r.bits
  FROM (
    SELECT j.execution, bit_or(j.until) AS bits,
      (SELECT count(*)::integer FROM kept AS k WHERE k.execution = j.execution) AS arrivals
    FROM judged AS j GROUP BY j.execution
  ) AS r
  WHERE e.id = r.execution RETURNING e.owner, e.id, r.arrivals
)${signalled}
SELECT m.at, j.n, EXISTS (SELECT 1 FROM kept AS k WHERE k.n = j.n) AS signalled FROM moment AS m LEFT JOIN judged AS j ON true`,
};

interface SubscribedRow {
  readonly at: number;
  /** Null: none was taken. */
  readonly n: number | null;
  readonly signalled: boolean;
}

export function subscribing(
  all: readonly Subscription[],
  now: number | null,
): BatchStep<Subscription, SubscribeResult, SubscribedRow> {
  return new BatchStep<Subscription, SubscribeResult, SubscribedRow>([...all.keys()], all, {
    ask: (given) => ({
      statement: insertSubscriptions,
      values: [
        now,
        textArray(given.map(({ execution }) => execution)),
        integerArray(given.map(({ owner }) => owner)),
        integerArray(given.map(({ revision }) => revision)),
        textArray(given.map(({ topic }) => topic)),
        integerArray(given.map(({ until }) => untilBits[until])),
        textArray(given.map(({ step }) => step)),
      ],
    }),
    read: (rows, given, hint) => {
      const taken = new Map(rows.map((row) => [row.n, row]));
      return given.map(({ execution, owner }, place) => {
        const row = taken.get(place + 1);
        if (row?.signalled === true) hint({ type: "signalled", execution, owner });
        return row === undefined ? "lost" : "taken";
      });
    },
  });
}

const forgetQuery: Statement = {
  name: "forget",
  text: `
WITH it AS (SELECT sequence FROM stepwell_executions WHERE id = $1::text),
ended AS (DELETE FROM stepwell_subscriptions AS s USING it WHERE s.execution = it.sequence AND s.step = ANY ($2::text[]))
UPDATE stepwell_mailbox AS m SET status = 'dead' FROM it
WHERE m.execution = it.sequence AND m.status = 'pending' AND m.kind = 'message' AND m.name = ANY ($3::text[])`,
};

/** To be called once it is known which transitions were taken, in their transaction. */
export async function forgetAll(session: Session, taken: readonly Transition[]): Promise<void> {
  for (const { id, forgets: it } of taken)
    if (it !== undefined) await session.rows(forgetQuery, [id, textArray(it.subscriptionsOf), textArray(it.messages)]);
}

/**
 * A publication that is known by its own id was stored by a try whose answer was lost. One of the same message id that has expired is
 * replaced, at the end of the order. The rows of the executions that a publication reaches are locked, so nobody else fills their
 * mailboxes meanwhile.
 */
const insertPublications: Statement = {
  name: "publish",
  text: `
WITH ${moment},
judged AS MATERIALIZED (
  SELECT g.*, k.id AS known,
    coalesce(k.delivered, (SELECT count(*)::integer FROM stepwell_subscriptions AS s WHERE s.topic = g.topic)) AS delivered
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::text[])
    WITH ORDINALITY AS g (topic, id, message_id, name, payload, carried, keep_for, wakes, n)
  LEFT JOIN LATERAL (
    SELECT p.id, p.delivered FROM stepwell_publications AS p
    WHERE p.topic = g.topic AND p.message_id = g.message_id AND (p.expires_at > ${time} OR p.id = g.id) OFFSET 0
  ) AS k ON true
),
reached AS MATERIALIZED (
  SELECT j.n, j.topic, j.id, j.message_id, j.name, j.payload, j.carried, e.sequence, e.id AS execution, e.owner,
    e.status = ANY (string_to_array(j.wakes, ',')) AS wakes
  FROM judged AS j CROSS JOIN LATERAL (
    SELECT s.id FROM stepwell_subscriptions AS s WHERE s.topic = j.topic OFFSET 0
  ) AS s
  JOIN stepwell_executions AS e ON e.id = s.id
  WHERE j.known IS NULL AND NOT EXISTS (
    SELECT 1 FROM stepwell_mailbox AS m WHERE m.execution = e.sequence AND m.message_id = j.message_id
  )
),
kept AS (
  INSERT INTO stepwell_publications (expires_at, delivered, topic, message_id, id, name, payload, carried)
  SELECT ${time} + keep_for, delivered, topic, message_id, id, name, payload, carried
  FROM judged WHERE known IS NULL ORDER BY n
  ON CONFLICT (topic, message_id) DO UPDATE SET sequence = excluded.sequence, expires_at = excluded.expires_at,
    delivered = excluded.delivered, id = excluded.id, name = excluded.name, payload = excluded.payload,
    carried = excluded.carried
),
stored AS (
  INSERT INTO stepwell_mailbox (execution, received_at, id, kind, name, message_id, payload, carried, status, topic)
  SELECT sequence, ${time}, id, 'message', name, message_id, payload, carried, 'pending', topic
  FROM reached ORDER BY n, execution
),
raised AS (
  UPDATE stepwell_executions AS e SET signals = e.signals + r.arrivals,
    due_at = CASE WHEN r.wakes AND e.owner IS NULL THEN least(e.due_at, ${time}) ELSE e.due_at END
  FROM (
    SELECT execution, count(*)::integer AS arrivals, bool_or(wakes) AS wakes FROM reached GROUP BY execution
  ) AS r
  WHERE e.id = r.execution RETURNING e.owner, e.id, r.arrivals
)${signalled}
SELECT m.at, j.n, j.known, j.delivered, h.due, h.signalled
FROM moment AS m CROSS JOIN judged AS j CROSS JOIN LATERAL (
  SELECT bool_or(r.owner IS NULL AND r.wakes) AS due,
    json_agg(json_build_object('execution', r.execution, 'owner', r.owner)) FILTER (WHERE r.owner IS NOT NULL) AS signalled
  FROM reached AS r WHERE r.n = j.n
) AS h`,
};

interface PublishedRow {
  readonly at: number;
  readonly n: number;
  readonly known: string | null;
  readonly delivered: number;
  readonly due: boolean | null;
  readonly signalled: readonly { readonly execution: string; readonly owner: number }[] | null;
}

/**
 * The publications in groups, which are written one after the other. No two of a group have the same message id: a mailbox holds each
 * once, so the first decides what becomes of the second.
 */
export function publishings(
  publications: readonly Publication[],
  now: number | null,
): BatchStep<Publication, PublishResult, PublishedRow>[] {
  const groups: number[][] = [];
  let ids = new Set<string>();
  for (const [index, publication] of publications.entries()) {
    const id = idOf(publication);
    if (groups.length === 0 || ids.has(id)) {
      groups.push([]);
      ids = new Set();
    }
    groups.at(-1)!.push(index);
    ids.add(id);
  }
  return groups.map((rows) => publishing(rows, publications, now));
}

function publishing(
  rows: readonly number[],
  all: readonly Publication[],
  now: number | null,
): BatchStep<Publication, PublishResult, PublishedRow> {
  return new BatchStep<Publication, PublishResult, PublishedRow>(rows, all, {
    ask: (given) => ({
      statement: insertPublications,
      values: [
        now,
        textArray(given.map(({ topic }) => topic)),
        textArray(given.map(({ id }) => id)),
        textArray(given.map(idOf)),
        textArray(given.map(({ name }) => name)),
        textArray(given.map(({ payload }) => payload.text)),
        textArray(given.map(({ carried }) => carried)),
        doubleArray(given.map(({ keepForMs }) => keepForMs)),
        textArray(given.map(({ wakes }) => wakes.join(","))),
      ],
    }),
    read: (found, given, hint) => {
      const answers: PublishResult[] = [];
      for (const { n, known, delivered, due, signalled } of found) {
        const { id } = given[n - 1]!;
        const isDuplicate = known !== null && known !== id;
        answers[n - 1] = { result: isDuplicate ? "duplicate" : "stored", id: known ?? id, delivered };
        for (const { execution, owner } of signalled ?? []) hint({ type: "signalled", execution, owner });
        if (due === true) hint({ type: "due", inMs: 0 });
      }
      return answers;
    },
  });
}

function idOf({ messageId, id }: Publication): string {
  return messageId ?? id;
}

/** What a transition that ends subscriptions has besides. */
export const unsubscribing = `,
unsubscribed AS (
  DELETE FROM stepwell_subscriptions AS s USING (SELECT sequence, keeps FROM updated WHERE keeps IS NOT NULL) AS u
  WHERE s.execution = u.sequence AND s.until & u.keeps = 0
)`;

const deleteExpired: Statement = {
  name: "prune_publications",
  text: `
WITH ${moment},
expired AS MATERIALIZED (
  SELECT topic, message_id FROM stepwell_publications WHERE expires_at <= ${time} - $2::float8
  ORDER BY expires_at LIMIT $3::integer FOR UPDATE SKIP LOCKED
),
deleted AS (
  DELETE FROM stepwell_publications AS p USING expired AS x WHERE p.topic = x.topic AND p.message_id = x.message_id RETURNING 1
)
SELECT count(*) AS pruned FROM deleted`,
};

export function topics(server: Server): TopicStore {
  return {
    prune: (forMs, limit) =>
      server.ask(async (database, now) => {
        const [row] = await database.rows<{ readonly pruned: number }>(deleteExpired, [now, forMs, limit]);
        return row!.pruned;
      }),
  };
}
