/** A step's work in the store's own transaction, and the transition that it leads to: one commit. */
import { isDeepStrictEqual } from "node:util";
import { sleep } from "../clock.js";
import type { Transacted } from "../definition/outcome.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { isRetryable, StepwellError, type ErrorDetails } from "../errors.js";
import type { CommitResult } from "../stores/batch.js";
import type { Transition } from "../execution/records.js";
import type { Store } from "../stores/contract.js";
import type { ActiveExecution, Happening } from "../execution/execution.js";
import type { Host } from "../session/host.js";
import { isPromise } from "../values/promise.js";
import type { StepContext } from "./step-context.js";
import type { Conclusion } from "../execution/transition.js";

/** How long before the store is asked again what became of a commit, in milliseconds. */
const pause = 200;

/**
 * What came of it. With an answer, the store has judged: `signalled` also where all of it was rolled back
 * since nobody wanted it any more, or since the store failed (`isOutage`). Without one, what the work wrote
 * was rolled back for a failure, and `happening` is still to be committed.
 */
export class Within {
  readonly answer: CommitResult | undefined;
  readonly happening: Happening | undefined;
  readonly conclusion: Conclusion | undefined;
  readonly isOutage: boolean;

  constructor(
    answer: CommitResult | undefined,
    happening: Happening | undefined,
    conclusion: Conclusion | undefined,
    isOutage = false,
  ) {
    this.answer = answer;
    this.happening = happening;
    this.conclusion = conclusion;
    this.isOutage = isOutage;
  }
}

export interface Judge {
  /** What the work gave, as a happening, and merged into the course. */
  readonly judge: (value: unknown) => Happening;
  /** Takes what was merged by that out of the course again: it was rolled back. */
  readonly takeBack: () => void;
  /** That happening, as what is to be committed. */
  readonly conclude: (happening: Happening) => Conclusion;
  /** Whether the engine still waits for it. */
  readonly isWanted: () => boolean;
  /** It waits for its turn, or for a connection: that is no time of the attempt's. */
  readonly waits: () => void;
  /** The work begins. */
  readonly begins: () => void;
}

/** Rejects with what the work threw: that is a failed attempt, like any other. */
export async function transactWithin(
  { store, work }: Transacted,
  course: ActiveExecution,
  host: Host,
  context: StepContext,
  { judge, takeBack, conclude, isWanted, waits, begins }: Judge,
): Promise<Within> {
  if (host.transact === undefined || host.storeName !== store) {
    const { id, workflow } = course.identity;
    throw wrongStore(store, host.storeName, { execution: id, workflow, step: course.position.step });
  }
  let happening: Happening | undefined;
  let conclusion: Conclusion | undefined;
  const settle = (value: unknown): Transition | null => {
    if (!isWanted()) return null;
    happening = judge(value);
    if (happening.event.type === "stepFailed") return null;
    conclusion = conclude(happening);
    return conclusion.transition;
  };
  let thrown: { readonly error: unknown } | undefined;
  const threw = (error: unknown): never => {
    thrown = { error };
    throw error;
  };
  let answer: CommitResult | null;
  let isOutage = false;
  waits();
  try {
    answer = await host.transact((connection) => {
      begins();
      if (!isWanted()) return null;
      let given: unknown;
      try {
        given = work(connection as never, context as never);
      } catch (error) {
        return threw(error);
      }
      return isPromise(given) ? Promise.resolve(given).then(settle, threw) : settle(given);
    });
  } catch (error) {
    // What the work threw is a failed attempt, also where it says that something is away.
    if ((thrown !== undefined && error === thrown.error) || !isRetryable(error)) {
      takeBack();
      throw error;
    }
    // Nothing was committed, or it is not known: the row tells, as soon as the store answers.
    answer = conclusion === undefined ? "signalled" : await answerOf(conclusion.transition, course, host);
    isOutage = true;
  }
  if (answer === "signalled") {
    takeBack();
    if (!isOutage && conclusion !== undefined && (await isOwnMail(conclusion.transition, host))) throw ownMail(course);
  }
  if (answer !== null) return new Within(answer, happening, conclusion, isOutage);
  return new Within(happening === undefined ? "signalled" : undefined, happening, undefined);
}

/** What became of a commit whose answer was lost. Only this launcher can have made that revision, while it owns the row. */
async function answerOf(transition: Transition, course: ActiveExecution, host: Host): Promise<CommitResult> {
  const { revision, owner, rests } = transition;
  for (;;) {
    try {
      const record = await host.load(course.identity.id);
      if (record === undefined || record.revision > revision) return "lost";
      if (record.revision === revision) {
        // One that rests has no owner any more: then only where it stands tells whose commit it was.
        const isOurs = rests ? isDeepStrictEqual(record.position, transition.position) : record.owner === owner;
        return isOurs ? "taken" : "lost";
      }
      return record.owner === owner ? "signalled" : "lost";
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await sleep(host.clock, pause);
    }
  }
}

/** Whether nothing has arrived but what the work sent itself: that is gone with the transaction, and would come again each time. */
async function isOwnMail({ id, owner, revision, signals }: Transition, host: Host): Promise<boolean> {
  try {
    const record = await host.load(id);
    return record?.owner === owner && record.revision === revision - 1 && record.signals === signals;
  } catch (error) {
    if (isRetryable(error)) return false;
    throw error;
  }
}

function ownMail({ identity, position }: ActiveExecution): StepwellError {
  return new StepwellError(
    "STEPWELL_INVALID_RETURN_VALUE",
    `The work of a transaction(…) sent something to its own execution "${identity.id}", or published it to a topic that the execution ` +
      `is subscribed to. It can't commit with what it has not seen yet. Do that in another step, or without "tx".`,
    { execution: identity.id, workflow: identity.workflow, step: position.step },
  );
}

/** @throws STEPWELL_WRONG_STORE where a step is a transaction that the store can't have */
export function checkStores({ steps, name }: WorkflowDefinition, store: Pick<Store, "name" | "transact">): void {
  for (const { name: step, stores } of steps) {
    const other = stores.find((it) => store.transact === undefined || it !== store.name);
    if (other !== undefined) throw wrongStore(other, store.name, { workflow: name, step });
  }
}

function wrongStore(wanted: string, there: string, about: ErrorDetails): StepwellError {
  const advice =
    there === "memory"
      ? `The memory store has no transactions: test such a step on the store that it is written for, such as sqliteStore(":memory:").`
      : "Use the transaction function of the store that the launcher has.";
  return new StepwellError(
    "STEPWELL_WRONG_STORE",
    `Step "${about.step}" of workflow "${about.workflow}" is or gave back a transaction(…) of "stepwell/${wanted}", ` +
      `but the launcher's store is "${there}". ${advice}`,
    about,
  );
}
