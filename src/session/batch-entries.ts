/** What is put together into a batch: each row with who hears its answer. */
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

/** Who hears the answer when it could not be given at once. */
export interface CommitListener<Answer> {
  committed(answer: Answer): void;
  /** The store did not take it and will not. */
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

export type Entry = {
  [K in keyof Rows]: {
    readonly kind: K;
    readonly row: Rows[K];
    sink: CommitListener<Answers[K]>;
    /** When its caller came, by the clock's `monotonic`. What belongs to a step waits for as long as it takes. */
    readonly since: number;
    /** It was given back to its caller, who hears nothing more. */
    isGone?: boolean;
  };
}[keyof Rows];

export function batchOf(entries: Entry[]): Batch {
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

/** Who is given back nothing. */
export const nobody: CommitListener<unknown> = { committed: () => undefined, refused: () => undefined };

export function answer(entries: readonly Entry[], result: BatchResult): void {
  const next = { creates: 0, transitions: 0, releases: 0, arrivals: 0, subscriptions: 0, publications: 0 };
  for (const { kind, sink } of entries) {
    if (kind === "transitions") sink.committed(result.transitions[next.transitions++]!);
    else if (kind === "creates") sink.committed(result.creates[next.creates++]!);
    else if (kind === "releases") sink.committed(result.releases[next.releases++]!);
    else if (kind === "arrivals") sink.committed(result.arrivals[next.arrivals++]!);
    else if (kind === "subscriptions") sink.committed(result.subscriptions[next.subscriptions++]!);
    else sink.committed(result.publications[next.publications++]!);
  }
}

/** Launches, sends and publishes are given back to their callers; what belongs to a step waits for the store. */
export function isCallers({ kind }: Entry): boolean {
  return kind !== "transitions" && kind !== "releases" && kind !== "subscriptions";
}
