import type { Status } from "../../definition/flow.js";
import type { Arrival, ArrivalResult } from "../batch.js";
import { reachable } from "../sql/pruning.js";
import { integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import { moment, at as time } from "./moment.js";
import { BatchStep } from "./step.js";
import { signalled } from "./work.js";

/** The dead letter that is sent again, if it is still dead. */
const deadLetter = `
source AS MATERIALIZED (
  SELECT m.execution, m.id FROM stepwell_mailbox AS m
  WHERE m.execution = (SELECT s.sequence FROM stepwell_executions AS s WHERE s.id = $13::text AND ${reachable("s")}) AND m.id = $14::text
    -- Found by its key, not by walking along all that are dead.
    AND m.status || ' ' || m.kind = 'dead message'
),`;

/** It becomes `resent`, and a note of that goes into its mailbox. */
const resentLetter = `,
taken AS (
  UPDATE stepwell_mailbox AS m SET status = 'resent' FROM source AS s
  WHERE m.execution = s.execution AND m.id = s.id AND EXISTS (SELECT 1 FROM judged WHERE verdict = 'stored')
),
noted AS (
  INSERT INTO stepwell_mailbox (execution, received_at, id, kind, name, payload, status)
  SELECT execution, ${time}, $15::text, 'resend', 'resend', $16::text, 'consumed'
  FROM source WHERE EXISTS (SELECT 1 FROM judged WHERE verdict = 'stored')
)`;

/**
 * The row of the execution is locked first, so arrivals for it are numbered in the order in which they
 * are accepted. Two at the same time with one message id: the second one breaks the unique index, is
 * tried again by the engine, and then sees the first.
 */
const textOf = (resends: boolean): string => `
WITH ${moment},
found AS MATERIALIZED (
  SELECT g.*, e.sequence, e.status, e.owner,
    coalesce(
      (SELECT m.id FROM stepwell_mailbox AS m WHERE m.execution = e.sequence AND m.message_id = g.message_id),
      (SELECT m.id FROM stepwell_mailbox AS m WHERE m.execution = e.sequence AND m.id = g.id)
    ) AS known,
    g.only_revision IS NULL OR (e.revision = g.only_revision AND e.signals = g.only_signals) AS unmoved
  FROM (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
      $9::text[], $10::text[], $11::integer[], $12::integer[]) WITH ORDINALITY
      AS g (execution, id, kind, name, message_id, payload, carried, accepted, wakes, only_revision, only_signals, n)
    ORDER BY execution, n
  ) AS g JOIN stepwell_executions AS e ON e.id = g.execution AND ${reachable("e")}
  FOR NO KEY UPDATE OF e
),${resends ? deadLetter : ""}
judged AS MATERIALIZED (
  SELECT *, CASE
    WHEN known IS NOT NULL THEN 'known'
    WHEN status <> ALL (string_to_array(accepted, ',')) THEN 'ended'
    WHEN NOT unmoved THEN 'moved'
    ${resends ? "WHEN NOT EXISTS (SELECT 1 FROM source) THEN 'not-dead'" : ""}
    ELSE 'stored'
  END AS verdict FROM found
),
stored AS (
  INSERT INTO stepwell_mailbox (execution, received_at, id, kind, name, message_id, payload, carried, status)
  SELECT sequence, ${time}, id, kind, name, message_id, payload, carried, 'pending'
  FROM judged WHERE verdict = 'stored' ORDER BY n
),
raised AS (
  UPDATE stepwell_executions AS e SET signals = e.signals + r.arrivals,
    due_at = CASE WHEN r.wakes AND e.owner IS NULL THEN least(e.due_at, ${time}) ELSE e.due_at END
  FROM (
    SELECT execution, count(*)::integer AS arrivals, bool_or(status = ANY (string_to_array(wakes, ','))) AS wakes
    FROM judged WHERE verdict = 'stored' GROUP BY execution
  ) AS r
  WHERE e.id = r.execution RETURNING e.owner, e.id, r.arrivals
)${signalled}${resends ? resentLetter : ""}
SELECT m.at, j.n, j.verdict, j.known, j.owner, j.status FROM moment AS m LEFT JOIN judged AS j ON true`;

const insertArrivals: Statement = { name: "deliver", text: textOf(false) };
/** For one arrival. Both executions are locked before, in an earlier statement, so that this one sees what the lock waited for. */
const resendLetter: Statement = { name: "resend", text: textOf(true) };

interface JudgedRow {
  readonly at: number;
  /** Null: none of the executions is there. */
  readonly n: number | null;
  readonly verdict: "known" | "ended" | "moved" | "not-dead" | "stored";
  readonly known: string | null;
  readonly owner: number | null;
  readonly status: Status;
}

/** In groups in which no arrival changes what is said of another one. Most batches are one. */
export function deliveries(
  arrivals: readonly Arrival[],
  now: number | null,
): BatchStep<Arrival, ArrivalResult, JudgedRow>[] {
  const groups: number[][] = [];
  let executions = new Set<string>();
  let messages = new Set<string>();
  let isAlone = false;
  for (const [index, { execution, messageId, only, resends }] of arrivals.entries()) {
    const message = messageId === null ? undefined : `${execution}\n${messageId}`;
    if (
      groups.length === 0 ||
      isAlone ||
      resends !== undefined ||
      (only !== undefined && executions.has(execution)) ||
      (message !== undefined && messages.has(message))
    ) {
      groups.push([]);
      executions = new Set();
      messages = new Set();
    }
    groups.at(-1)!.push(index);
    isAlone = resends !== undefined;
    executions.add(execution);
    if (message !== undefined) messages.add(message);
  }
  return groups.map((rows) => delivering(rows, arrivals, now));
}

const notFound: ArrivalResult = { result: "not-found" };

function delivering(
  rows: readonly number[],
  all: readonly Arrival[],
  now: number | null,
): BatchStep<Arrival, ArrivalResult, JudgedRow> {
  return new BatchStep<Arrival, ArrivalResult, JudgedRow>(rows, all, {
    ask: (given) => deliveryOf(given, now),
    read: (judged, given, hint) => {
      const found = new Map(judged.map((row) => [row.n, row]));
      return given.map(({ id, execution, wakes }, place) => {
        const row = found.get(place + 1);
        if (row === undefined) return notFound;
        const { verdict, known, owner, status } = row;
        // Its own id: it was stored by a try whose answer was lost.
        if (verdict === "known") return { result: known === id ? "stored" : "duplicate", id: known! };
        if (verdict !== "stored") return { result: verdict };
        if (owner !== null) hint({ type: "signalled", execution, owner });
        else if (wakes.includes(status)) hint({ type: "due", inMs: 0 });
        return { result: "stored", id };
      });
    },
  });
}

function deliveryOf(given: readonly Arrival[], now: number | null): { statement: Statement; values: unknown[] } {
  const resends = given[0]!.resends;
  const values = [
    now,
    textArray(given.map(({ execution }) => execution)),
    textArray(given.map(({ id }) => id)),
    textArray(given.map(({ kind }) => kind)),
    textArray(given.map(({ name }) => name)),
    textArray(given.map(({ messageId }) => messageId)),
    textArray(given.map(({ payload }) => payload.text)),
    textArray(given.map(({ carried }) => carried)),
    textArray(given.map(({ acceptedIn }) => acceptedIn.join(","))),
    textArray(given.map(({ wakes }) => wakes.join(","))),
    integerArray(given.map(({ only }) => only?.revision ?? null)),
    integerArray(given.map(({ only }) => only?.signals ?? null)),
    ...(resends === undefined ? [] : [resends.execution, resends.arrival, resends.note.id, resends.note.payload.text]),
  ];
  return { statement: resends === undefined ? insertArrivals : resendLetter, values };
}
