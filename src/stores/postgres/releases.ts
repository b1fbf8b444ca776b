import type { CommitResult, Release } from "../batch.js";
import type { Hint } from "../contract.js";
import { doubleArray, integerArray, textArray } from "./arrays.js";
import type { Statement } from "./database.js";
import type { InDoubt } from "./in-doubt.js";
import { leaving } from "./gates.js";
import { moment, at as time } from "./moment.js";
import { reasons, type TakenRow } from "./refusal.js";
import { settledText, settling } from "./settling.js";
import { sorted, type Session, type Step } from "./step.js";

const parking =
  "status = CASE WHEN g.parks = 1 THEN 'stuck' ELSE e.status END, " +
  `updated_at = CASE WHEN g.parks = 1 THEN ${time} ELSE e.updated_at END, ` +
  "admission = CASE WHEN g.parks = 1 THEN NULL ELSE e.admission END";

const letGo = (mail: boolean, parks = false): string => `
WITH ${moment},
updated AS (
  UPDATE stepwell_executions AS e SET claims = CASE WHEN g.position IS NULL THEN e.claims - 1 ELSE 0 END, owner = NULL,
    due_at = ${time} + g.due_in, position = coalesce(g.position, e.position),
    seen = CASE WHEN g.signals IS NULL THEN e.seen ELSE e.signals END${parks ? `, ${parking}` : ""}
  FROM unnest($3::text[], $4::integer[], $5::integer[], $6::float8[], $7::text[], $8::text[]${parks ? ", $9::integer[]" : ""})
    WITH ORDINALITY AS g (id, owner, signals, due_in, settled, position${parks ? ", parks" : ""}, n)
  WHERE e.id = g.id AND e.owner IS NOT DISTINCT FROM g.owner AND e.signals = coalesce(g.signals, e.signals)
  RETURNING g.n, e.sequence, e.id, g.settled, NULL AS step, 0 AS ends${parks ? ", g.parks AS leaves" : ""}
)${mail ? settling : ""}${parks ? leaving : ""}
SELECT ${time} AS at, CASE WHEN count(*) = $2::integer THEN NULL ELSE coalesce(json_agg(n), '[]') END AS taken FROM updated`;

const releasePlain: Statement = { name: "release", text: letGo(false) };
const releaseWithMail: Statement = { name: "release_mail", text: letGo(true) };
const releaseParked: Statement = { name: "release_parked", text: letGo(true, true) };

export class Releasing implements Step {
  readonly rows: readonly number[];
  readonly answers: CommitResult[] = [];
  readonly hints: Hint[] = [];
  at = 0;
  readonly #all: readonly Release[];
  readonly #doubts: InDoubt;
  readonly #now: number | null;
  #refused: number[] = [];

  constructor(rows: readonly number[], all: readonly Release[], doubts: InDoubt, now: number | null) {
    this.rows = sorted(rows, (row) => all[row]!.id);
    this.#all = all;
    this.#doubts = doubts;
    this.#now = now;
  }

  async run(session: Session): Promise<void> {
    const given = this.rows.map((row) => this.#all[row]!);
    const mail = given.some(({ dead }) => dead.length > 0);
    const parks = given.some((it) => it.parks === true);
    const statement = parks ? releaseParked : mail ? releaseWithMail : releasePlain;
    const [row] = await session.rows<TakenRow>(statement, [
      this.#now,
      given.length,
      textArray(given.map(({ id }) => id)),
      integerArray(given.map(({ owner }) => owner)),
      integerArray(given.map(({ signals }) => signals)),
      doubleArray(given.map(({ dueInMs }) => dueInMs)),
      textArray(given.map(({ dead }) => settledText(dead.map((arrival) => ({ arrival, as: "dead" }))))),
      textArray(given.map(({ position }) => (position === undefined ? null : JSON.stringify(position)))),
      ...(parks ? [integerArray(given.map((it) => (it.parks === true ? 1 : 0)))] : []),
    ]);
    this.at = row!.at;
    const taken = row!.taken === null ? undefined : new Set(row!.taken);
    for (const [index, { dueInMs, parks }] of given.entries()) {
      const isTaken = taken === undefined || taken.has(index + 1);
      this.answers.push(isTaken ? "taken" : "lost");
      if (!isTaken) this.#refused.push(index);
      // There is room for one that waits.
      else if (parks === true) this.hints.push({ type: "due", inMs: 0 });
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
