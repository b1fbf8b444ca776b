/**
 * Executions of which something can't be read back: a damaged row, or a word that nobody knows. Nothing of such an execution may be
 * guessed, so no step of it runs: it is parked as it is, and the error names it.
 */
import { isRetryable, StepwellError } from "../errors.js";
import type { CommitResult, Release } from "../stores/batch.js";
import type { ExecutionRecord, Line, MailboxRecord } from "../execution/records.js";
import type { MaybePromise } from "../stores/contract.js";
import type { CommitListener } from "./batch-entries.js";
import type { Host } from "./host.js";

/** What a list says of an execution that can't be read, or that has a dead letter that can't be read. */
export interface Damaged {
  /** The id of the execution. */
  readonly id: string;
  readonly workflow: string;
  readonly code: "STEPWELL_NOT_DECODABLE";
  /** What can't be read, and why. */
  readonly message: string;
}

/** @throws STEPWELL_NOT_DECODABLE, which names the execution */
export function stateOf(record: ExecutionRecord): object {
  const state = named(record, "state", () => record.state.value);
  if (typeof state === "object" && state !== null && !Array.isArray(state)) return state;
  throw undecodable(
    record,
    "state",
    `it is ${state === null ? "null" : Array.isArray(state) ? "a list" : `a ${typeof state}`}`,
  );
}

/** Reads a value of an execution. @throws STEPWELL_NOT_DECODABLE, which names the execution */
export function named<T>(record: Pick<ExecutionRecord, "id" | "workflow">, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isUndecodable(error) || error.execution !== undefined) throw error;
    throw undecodable(record, what, error.message, error);
  }
}

function undecodable(
  { id, workflow }: Pick<ExecutionRecord, "id" | "workflow">,
  what: string,
  problem: string,
  cause?: unknown,
): StepwellError {
  const message = `The ${what} of execution "${id}" can't be read back: ${problem}`;
  return new StepwellError("STEPWELL_NOT_DECODABLE", message, { execution: id, workflow, cause });
}

export function isUndecodable(error: unknown): error is StepwellError {
  return error instanceof StepwellError && error.code === "STEPWELL_NOT_DECODABLE";
}

/** Reads many rows: those that can be read, and what is damaged. */
export function readable<Row extends { readonly workflow: string }, Read>(
  rows: readonly Row[],
  idOf: (row: Row) => string,
  read: (row: Row) => Read,
): { readonly read: Read[]; readonly damaged: Damaged[] } {
  const found: { read: Read[]; damaged: Damaged[] } = { read: [], damaged: [] };
  for (const row of rows) {
    try {
      found.read.push(read(row));
    } catch (error) {
      if (!isUndecodable(error)) throw error;
      const { code, message } = error;
      found.damaged.push({ id: idOf(row), workflow: row.workflow, code: code as Damaged["code"], message });
    }
  }
  return found;
}

/** Why it is not known where the execution stands. Undefined: that can be read. */
export function unreadableIn(record: ExecutionRecord): StepwellError | undefined {
  try {
    void [record.status, record.position, record.tags, record.admission, record.line];
    return undefined;
  } catch (error) {
    if (isUndecodable(error)) return error;
    throw error;
  }
}

/** Null: it is none, or that can't be read. */
function lineIn(record: ExecutionRecord): Line | null {
  try {
    return record.line;
  } catch (error) {
    if (isUndecodable(error)) return null;
    throw error;
  }
}

/** Parks an execution that this launcher has taken up and can't read. Requests to it can't be followed: they become dead. */
export class Parking implements CommitListener<CommitResult> {
  readonly #record: ExecutionRecord;
  readonly #owner: number;
  readonly #host: Host;
  readonly #problem: StepwellError;
  #dead: readonly string[] = [];

  constructor(record: ExecutionRecord, owner: number, host: Host, problem: StepwellError) {
    this.#record = record;
    this.#owner = owner;
    this.#host = host;
    this.#problem = problem;
  }

  /** @param requests the pending rows of its mailbox, without the messages */
  begin(requests: MaybePromise<readonly MailboxRecord[]>): void {
    if (!(requests instanceof Promise)) return this.#park(requests);
    requests.then(
      (rows) => this.#park(rows),
      // The launcher that takes the execution up next reads them.
      () => this.#release({ signals: null, dueInMs: 0, dead: [] }),
    );
  }

  #park(requests: readonly MailboxRecord[]): void {
    this.#dead = requests.map(({ id }) => id);
    const how = { signals: this.#record.signals, dueInMs: null, dead: this.#dead, parks: true } as const;
    const line = lineIn(this.#record);
    this.#release(line === null ? how : { ...how, line: { list: line.list, position: line.position } });
  }

  #release(how: Omit<Release, "id" | "owner">): void {
    const answer = this.#host.committer.release({ id: this.#record.id, owner: this.#owner, ...how }, this);
    if (answer !== undefined) this.committed(answer);
  }

  committed(answer: CommitResult): void {
    // Something arrived meanwhile: the launcher that takes the execution up next sees that too.
    if (answer === "signalled") return this.#release({ signals: null, dueInMs: 0, dead: [] });
    if (answer === "lost") return;
    if (this.#dead.length > 0) this.#host.settled(this.#dead);
    this.#host.report(this.#problem);
  }

  refused(error: unknown): void {
    this.#host.report(error instanceof StepwellError && !isRetryable(error) ? error : this.#problem);
  }
}
