/** What goes into a batch: rows, each with the listener that is told the answer of the store. */
import type {
  Arrival,
  ArrivalResult,
  Batch,
  BatchResult,
  CommitResult,
  CreateResult,
  NewExecution,
  Publication,
  PublishResult,
  Release,
  SubscribeResult,
  Subscription,
} from "../stores/batch.js";
import type { Transition } from "../execution/records.js";

/** Is told the answer of the store, where it could not be given at once. */
export interface CommitListener<Answer> {
  committed(answer: Answer): void;
  /** The store did not take the row and will not. */
  refused(error: unknown): void;
}

interface Rows {
  creates: NewExecution;
  transitions: Transition;
  releases: Release;
  arrivals: Arrival;
  subscriptions: Subscription;
  publications: Publication;
}

interface Answers {
  creates: CreateResult;
  transitions: CommitResult;
  releases: CommitResult;
  arrivals: ArrivalResult;
  subscriptions: SubscribeResult;
  publications: PublishResult;
}

/** One row on its way to the store. */
export type BatchEntry = {
  [K in keyof Rows]: {
    readonly kind: K;
    readonly row: Rows[K];
    listener: CommitListener<Answers[K]>;
    /** When its caller came, by the clock's `monotonic`. 0: the row belongs to a step, and waits for as long as it takes. */
    readonly since: number;
    /** The caller was told that the store does not answer, and is told nothing more. */
    isWithdrawn?: boolean;
  };
}[keyof Rows];

export function batchOf(entries: BatchEntry[]): Batch {
  const creates: NewExecution[] = [];
  const transitions: Transition[] = [];
  const releases: Release[] = [];
  const arrivals: Arrival[] = [];
  let subscriptions: Subscription[] | undefined;
  let publications: Publication[] | undefined;
  for (const { kind, row } of entries) {
    if (kind === "transitions") transitions.push(row);
    else if (kind === "creates") creates.push(row);
    else if (kind === "releases") releases.push(row);
    else if (kind === "arrivals") arrivals.push(row);
    else if (kind === "subscriptions") (subscriptions ??= []).push(row);
    else (publications ??= []).push(row);
  }
  const batch = { creates, transitions, releases, arrivals };
  if (subscriptions === undefined && publications === undefined) return batch;
  return { ...batch, ...(subscriptions && { subscriptions }), ...(publications && { publications }) };
}

/** For a row whose answer nobody waits for. */
export const nobody: CommitListener<unknown> = { committed: () => undefined, refused: () => undefined };

export function answer(entries: readonly BatchEntry[], result: BatchResult): void {
  const next = { creates: 0, transitions: 0, releases: 0, arrivals: 0, subscriptions: 0, publications: 0 };
  for (const { kind, listener } of entries) {
    if (kind === "transitions") listener.committed(result.transitions[next.transitions++]!);
    else if (kind === "creates") listener.committed(result.creates[next.creates++]!);
    else if (kind === "releases") listener.committed(result.releases[next.releases++]!);
    else if (kind === "arrivals") listener.committed(result.arrivals[next.arrivals++]!);
    else if (kind === "subscriptions") listener.committed(result.subscriptions[next.subscriptions++]!);
    else listener.committed(result.publications[next.publications++]!);
  }
}

/** Whether a caller waits for the row, and can be told that the store does not answer: of a launch, a send or a publish. Rows of steps wait. */
export function isCallers({ kind }: BatchEntry): boolean {
  return kind !== "transitions" && kind !== "releases" && kind !== "subscriptions";
}
