/** What was seen in simulations: which edges were taken, which faults sprang and upon what, which operations of the store succeeded. */
import type { Status } from "../../src/definition/flow.js";
import type { ExecutionRecord, Transition } from "../../src/execution/records.js";
import type { Shape } from "../../src/execution/router.js";
import type { Batch, BatchResult, CreateResult, NewExecution } from "../../src/stores/batch.js";
import type { Advance } from "../../src/stores/lists.js";
import type { DueSchedules, MaybePromise, PruneOptions, ScheduleChange, Store } from "../../src/stores/contract.js";
import type { MailFilter } from "../../src/stores/mail-filters.js";
import type { Admission } from "../../src/stores/records.js";
import { through } from "../../src/testing/faults/through.js";
import { edgeOf, whatOf } from "./edges.js";
import type { FamilyWatch } from "./family-checks.js";
import { actsOf, listAct } from "./family-sights.js";
import type { Gates } from "./limits.js";
import type { MigrationWatch } from "./migration-watch.js";
import { Publications } from "./publications.js";
import type { RecallWatch } from "./recalls.js";
import type { Retention } from "./retention.js";
import type { Schedules } from "./schedules.js";
import type { Timers } from "./timers.js";
import { inAllLegs } from "./versions.js";

export const kinds = ["edge", "pair", "fault", "operation", "sight"] as const;
export type Kind = (typeof kinds)[number];

/** What becomes of the commit of a transition: nothing of it is done, its answer is lost, its process dies before or after it. */
export const commitFaults = ["refused", "lost", "dies-before", "dies-after"] as const;
export type CommitFault = (typeof commitFaults)[number];

export class Seen {
  readonly counts: Record<Kind, Record<string, number>> = { edge: {}, pair: {}, fault: {}, operation: {}, sight: {} };

  note(kind: Kind, what: string, times = 1): void {
    this.counts[kind][what] = (this.counts[kind][what] ?? 0) + times;
  }

  add(counts: Seen["counts"]): void {
    for (const kind of kinds) for (const [what, times] of Object.entries(counts[kind])) this.note(kind, what, times);
  }
}

/** Sees what is committed in one history, whoever does it. */
export class Witness {
  readonly seen: Seen;
  readonly #families: FamilyWatch;
  readonly #shapes: ReadonlyMap<string, Shape>;
  /** By execution. */
  readonly #workflows = new Map<string, Shape>();
  readonly #statuses = new Map<string, Status>();
  readonly #gates: Gates;
  readonly #timers: Timers;
  readonly #wrong: (what: string) => void;
  /** Ids. */
  readonly #created = new Set<string>();
  readonly #forgotten = new Set<string>();
  readonly #migrations: MigrationWatch;
  readonly #publications: Publications;

  /** @param shapes by the name of their workflow */
  constructor(
    seen: Seen,
    shapes: ReadonlyMap<string, Shape>,
    gates: Gates,
    families: FamilyWatch,
    migrations: MigrationWatch,
    timers: Timers,
    wrong: (what: string) => void,
  ) {
    this.#families = families;
    this.#migrations = migrations;
    this.#timers = timers;
    this.#gates = gates;
    this.#wrong = wrong;
    this.seen = seen;
    this.#publications = new Publications(seen, wrong);
    this.#shapes = shapes;
  }

  /** That store, looked at. */
  over(store: Store): Store {
    return through(store, (call, name) => {
      if (name === "write") {
        return (batch) => {
          const stood = standingOf(store, batch as Batch);
          const written = (it: BatchResult): BatchResult => {
            this.#fenced(batch as Batch, it, stood);
            return this.#written(batch as Batch, it);
          };
          const answer = call(batch) as MaybePromise<BatchResult>;
          return answer instanceof Promise ? answer.then(written) : written(answer);
        };
      }
      if (name === "prune") return (options) => this.retention.prune(call, options as PruneOptions);
      if (name === "mail") {
        return (filter) => {
          this.recalls.reads(filter as MailFilter);
          return call(filter);
        };
      }
      if (name === "schedules.due") return (options) => this.schedules.due(call(options) as DueSchedules);
      if (name === "schedules.change") return (change) => this.schedules.change(call, change as ScheduleChange);
      if (name === "limits.admit") {
        return (admission) => {
          const count = call(admission);
          this.#gates.admitted(admission as Admission);
          return count;
        };
      }
      if (name === "lists.advance") {
        return (advances) => {
          const answers = call(advances) as readonly (readonly CreateResult[] | null)[];
          this.#advanced(advances as readonly Advance[], answers);
          return answers;
        };
      }
      if (name !== "transactions.run") return call;
      return (work) => this.#transacted(call, work as (connection: unknown) => MaybePromise<Transition | null>);
    });
  }

  /** Whoever looks at what is deleted. */
  retention!: Pick<Retention, "prune">;

  /** Whoever looks at recalls. */
  recalls!: Pick<RecallWatch, "created" | "arrived" | "took" | "reads" | "forget">;

  /** Whoever looks at schedules. */
  schedules!: Pick<Schedules, "due" | "change">;

  /** It was deleted, and its id is free. */
  forget(id: string): void {
    this.#workflows.delete(id);
    this.#statuses.delete(id);
    this.#created.delete(id);
    this.#forgotten.add(id);
    this.#migrations.forget(id);
    this.#gates.forget(id);
    this.recalls.forget(id);
  }

  /** What is taken comes from who has the execution, and knows all that has come to it. */
  #fenced(
    { transitions, releases, arrivals }: Batch,
    answer: BatchResult,
    stood: ReadonlyMap<string, ExecutionRecord>,
  ): void {
    const judge = (id: string, owner: number, signals: number | null): void => {
      const record = stood.get(id);
      if (record === undefined) return;
      if (record.owner !== owner) this.#wrong(`${id} is ${record.owner}'s, and takes what ${owner} writes`);
      if (signals !== null && record.signals !== signals)
        this.#wrong(`${id} has ${record.signals} arrivals, and takes what knows ${signals}`);
    };
    for (const [index, it] of transitions.entries()) {
      if (answer.transitions[index] !== "taken") continue;
      judge(it.id, it.owner, it.signals);
      const before = stood.get(it.id);
      if (before !== undefined) this.#follows(it, before);
    }
    // Another transition of the same batch may have come first.
    const moved = new Set(transitions.map(({ id }) => id));
    for (const [index, { execution, only }] of arrivals.entries()) {
      const record = stood.get(execution);
      if (only === undefined || record === undefined || moved.has(execution)) continue;
      if (answer.arrivals[index]!.result === "stored" && record.revision !== only.revision)
        this.#wrong(`${execution} is at ${record.revision}, and takes what was asked of ${only.revision}`);
    }
    for (const [index, { id, owner, signals }] of releases.entries())
      if (answer.releases[index] === "taken") judge(id, owner, signals);
  }

  #follows(it: Transition, before: ExecutionRecord): void {
    const { status, position } = before;
    this.#migrations.follows(it, before);
    if (this.#timers.hasLostTimeout({ ...it, history: inAllLegs(it.history) }, position))
      this.#wrong(`${it.id} has lost the timeout of its wait in revision ${it.revision}`);
    if (it.history.backTo !== undefined && position.until !== undefined && status !== "stuck")
      this.#wrong(`${it.id} is rewound in a rewind, in revision ${it.revision}`);
  }

  #written(batch: Batch, answer: BatchResult): BatchResult {
    for (const [index, create] of batch.creates.entries()) this.#creates(create, answer.creates[index]!.created);
    for (const [index, arrival] of batch.arrivals.entries()) {
      if (answer.arrivals[index]!.result !== "stored") continue;
      this.recalls.arrived(arrival);
      this.#migrations.arrived(arrival);
    }
    for (const [index, it] of (batch.publications ?? []).entries())
      this.#publications.answered(it, answer.publications[index]!, answer.at);
    for (const [index, { id, parks }] of batch.releases.entries())
      if (parks === true && answer.releases[index] === "taken") this.#gates.left(id);
    for (const [index, it] of batch.transitions.entries()) if (answer.transitions[index] === "taken") this.#took(it);
    return answer;
  }

  #creates(create: NewExecution, isNew: boolean): void {
    const { id, workflow, status } = create;
    if (isNew) {
      this.#gates.created(create);
      this.recalls.created(id);
      if (this.#created.has(id)) this.#wrong(`${id} is created twice`);
      this.#created.add(id);
      if (create.version === "2") this.seen.note("sight", "launched in version 2");
      if (this.#forgotten.has(id)) this.seen.note("sight", "pruned: launched again");
    }
    if (this.#workflows.has(id)) return;
    const shape = this.#shapes.get(workflow);
    if (shape !== undefined) this.#workflows.set(id, shape);
    this.#statuses.set(id, status);
  }

  #advanced(advances: readonly Advance[], answers: readonly (readonly CreateResult[] | null)[]): void {
    for (const [index, { begins }] of advances.entries())
      for (const [at, create] of begins.entries())
        if (answers[index]?.[at]?.created === true) this.#creates(create, true);
    this.#families.advanced(advances, answers);
  }

  #transacted(
    call: (work: unknown) => unknown,
    work: (connection: unknown) => MaybePromise<Transition | null>,
  ): unknown {
    const given: { transition: Transition | null } = { transition: null };
    const keep = (it: Transition | null): Transition | null => (given.transition = it);
    const taken = (answer: unknown): unknown => {
      if (answer === "taken" && given.transition !== null) this.#took(given.transition);
      return answer;
    };
    const answer = call((connection: unknown) => {
      const done = work(connection);
      return done instanceof Promise ? done.then(keep) : keep(done);
    });
    return answer instanceof Promise ? answer.then(taken) : taken(answer);
  }

  #took(transition: Transition): void {
    const { id, status } = transition;
    this.#gates.took(transition);
    this.#timers.committed(transition);
    this.#migrations.took(transition);
    this.recalls.took(id);
    const shape = this.#workflows.get(id);
    const before = this.#statuses.get(id);
    if (shape !== undefined) this.seen.note("edge", edgeOf(transition, before, shape));
    this.#statuses.set(id, status);
    this.#families.took(transition, before);
  }

  /** A commit meets with a fault. */
  met(transitions: readonly Transition[], fault: CommitFault): void {
    for (const it of transitions) {
      const shape = this.#workflows.get(it.id);
      if (shape !== undefined) this.seen.note("pair", `${it.history.direction} ${whatOf(it, shape.count)} x ${fault}`);
      if (it.list !== undefined) this.seen.note("pair", `${listAct(it.list)} x ${fault}`);
    }
  }

  /** What launchers do to lists of children meets with a fault. */
  metAdvance(advances: readonly Advance[], fault: CommitFault): void {
    for (const what of advances.flatMap(actsOf)) this.seen.note("pair", `${what} x ${fault}`);
  }
}

/** As they are before the batch. */
function standingOf(store: Store, { transitions, releases, arrivals }: Batch): ReadonlyMap<string, ExecutionRecord> {
  const bound = arrivals.filter(({ only }) => only !== undefined).map(({ execution }) => execution);
  const ids = [...transitions, ...releases].map(({ id }) => id).concat(bound);
  if (ids.length === 0) return new Map();
  const records = store.load(ids) as readonly (ExecutionRecord | undefined)[];
  return new Map(records.flatMap((record) => (record === undefined ? [] : [[record.id, record]])));
}
