/** A batch is written in steps, each one statement. */
import type { Statement } from "./database.js";
import type { Told } from "./shared.js";

/** Where a statement is run: in a transaction, or as one of its own. */
export interface Session {
  rows<Row>(statement: Statement, values: unknown[]): Promise<Row[]>;
}

/** Rows of executions, in the order of their ids: so two that lock several never wait for each other in turn. */
export const lockRows: Statement = {
  name: "lock",
  text: `
SELECT count(*) FROM (
  SELECT 1 FROM stepwell_executions WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE
) AS locked`,
};

/** What is written of one kind of rows, as one statement. */
export interface BatchStatement<Row, Answer, Found> {
  ask(given: readonly Row[]): { readonly statement: Statement; readonly values: unknown[] };
  /** The answer for each of the given, in their order. `refuse` says that the reason of the one at that place is not known yet. */
  read(
    found: readonly Found[],
    given: readonly Row[],
    hint: (told: Told) => void,
    refuse: (place: number) => void,
  ): Answer[];
  /** What is written besides, once it is known what was taken; whoever runs the step then waits for it. */
  after?(session: Session, given: readonly Row[], answers: readonly Answer[]): Promise<void>;
  /** Why those were refused, by their places; undefined: the answer stays. */
  explain?(
    session: Session,
    refused: readonly Row[],
    places: readonly number[],
  ): Promise<readonly (Answer | undefined)[]>;
}

/** A part of a batch, which is one statement. */
export interface Step {
  /** The store's time of it. Undefined: the statement has not told. */
  readonly at: number | undefined;
  readonly hints: readonly Told[];
  /** Something was refused, and it is not known why. */
  readonly hasRefused: boolean;
  run(session: Session): Promise<void>;
  /** Asks why something was refused, where that is not known yet. To be called after `run`. */
  explain(session: Session): Promise<void>;
}

export class BatchStep<Row, Answer, Found extends { readonly at: number }> implements Step {
  /** Where the rows stand in the batch. */
  readonly rows: readonly number[];
  readonly hints: Told[] = [];
  answers: Answer[] = [];
  at: number | undefined;
  readonly #given: readonly Row[];
  readonly #statement: BatchStatement<Row, Answer, Found>;
  #refused: number[] = [];

  constructor(rows: readonly number[], all: readonly Row[], statement: BatchStatement<Row, Answer, Found>) {
    this.rows = rows;
    this.#given = rows.map((row) => all[row]!);
    this.#statement = statement;
  }

  get hasRefused(): boolean {
    return this.#refused.length > 0;
  }

  async run(session: Session): Promise<void> {
    const { statement, values } = this.#statement.ask(this.#given);
    const found = await session.rows<Found>(statement, values);
    this.at = found[0]?.at;
    const hint = (told: Told): void => void this.hints.push(told);
    this.answers = this.#statement.read(found, this.#given, hint, (place) => void this.#refused.push(place));
    await this.#statement.after?.(session, this.#given, this.answers);
  }

  async explain(session: Session): Promise<void> {
    const places = this.#refused;
    if (places.length === 0) return;
    this.#refused = [];
    const refused = places.map((place) => this.#given[place]!);
    const answers = (await this.#statement.explain?.(session, refused, places)) ?? [];
    for (const [index, place] of places.entries()) this.answers[place] = answers[index] ?? this.answers[place]!;
  }
}

/** Positions of rows, in groups in which no key is there twice: the first rows of all keys, then the second ones, and so on. */
export function inWaves<Row>(rows: readonly Row[], keyOf: (row: Row) => string): number[][] {
  if (rows.length < 2) return rows.length === 0 ? [] : [[0]];
  const seen = new Map<string, number>();
  const waves: number[][] = [];
  for (const [index, row] of rows.entries()) {
    const key = keyOf(row);
    const wave = seen.get(key) ?? 0;
    seen.set(key, wave + 1);
    (waves[wave] ??= []).push(index);
  }
  return waves;
}

/** Positions, by the ids of their rows. */
export function sorted(rows: readonly number[], idOf: (row: number) => string): number[] {
  return rows.toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1));
}
