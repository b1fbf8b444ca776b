/** A step's work in the store's own transaction, and the transition that it leads to: one commit. */
import { isDeepStrictEqual } from "node:util";
import { sleep } from "../clock.js";
import type { Transacted } from "../definition/outcome.js";
import type { WorkflowDefinition } from "../definition/definition.js";
import { isRetryable, StepwellError, type ErrorDetails } from "../errors.js";
import type { CommitResult } from "../stores/batch.js";
import type { Transition } from "../execution/records.js";
import type { Store } from "../stores/contract.js";
import type { Decision } from "../execution/decide.js";
import type { Event } from "../execution/events.js";
import type { ActiveExecution } from "../execution/execution.js";
import type { Host } from "../session/host.js";
import { isPromise } from "../values/promise.js";
import type { StepContext } from "./step-context.js";
import type { Work } from "./work.js";

/** How long before the store is asked again what became of a commit, in milliseconds. */
const pause = 200;

/**
 * What came of work in the store's own transaction. With an answer, the store has judged: `signalled` also where all of it was rolled back since nobody
 * wanted it any more, or since the store failed (`isOutage`). Without one, what the work wrote was rolled back for a
 * failure, and the proposal is still to be committed.
 */
export class TransactionResult {
  readonly answer: CommitResult | undefined;
  readonly proposal: Proposal | undefined;
  readonly isOutage: boolean;

  constructor(answer: CommitResult | undefined, proposal: Proposal | undefined, isOutage = false) {
    this.answer = answer;
    this.proposal = proposal;
    this.isOutage = isOutage;
  }
}

/** What the work gave, as an event, and what is to be committed with it. */
export interface Proposal {
  readonly event: Event;
  /** The execution with what the work gave; the loop goes on with it once it is committed. */
  readonly execution: ActiveExecution;
  /** Undefined: the step has failed, so what its work wrote is rolled back. */
  readonly decision: Decision | undefined;
}

/** The call of the step function that does the work. */
export interface TransactionCall {
  /** Whether the engine still waits for the call. */
  readonly isWanted: boolean;
  /** The work waits for its turn, or for a connection, which does not count against the attempt's timeout. */
  waits(): void;
  /** The work begins. */
  begins(): void;
  /** What the work gave. */
  propose(value: unknown): Proposal;
}

/** Rejects with what the work threw: that is a failed attempt, like any other. */
export async function runInTransaction(
  { store, work }: Transacted,
  { execution, host }: Work,
  context: StepContext,
  call: TransactionCall,
): Promise<TransactionResult> {
  const { name, transactions } = host.store;
  if (transactions === undefined || name !== store) {
    const { id, workflow } = execution.identity;
    throw wrongStore(store, name, { execution: id, workflow, step: execution.position.step });
  }
  let proposal: Proposal | undefined;
  const settle = (value: unknown): Transition | null => {
    if (!call.isWanted) return null;
    proposal = call.propose(value);
    return proposal.decision?.transition ?? null;
  };
  let thrown: { readonly error: unknown } | undefined;
  const threw = (error: unknown): never => {
    thrown = { error };
    throw error;
  };
  let answer: CommitResult | null;
  let isOutage = false;
  call.waits();
  try {
    answer = await transactions.run((connection) => {
      call.begins();
      if (!call.isWanted) return null;
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
    if ((thrown !== undefined && error === thrown.error) || !isRetryable(error)) throw error;
    // Nothing was committed, or it is not known: the row tells, as soon as the store answers.
    const decision = proposal?.decision;
    answer = decision === undefined ? "signalled" : await answerOf(decision.transition, execution, host);
    isOutage = true;
  }
  if (answer === "signalled" && !isOutage && proposal?.decision !== undefined) {
    if (await isOwnMail(proposal.decision.transition, host)) throw ownMail(execution);
  }
  if (answer !== null) return new TransactionResult(answer, proposal, isOutage);
  return new TransactionResult(proposal === undefined ? "signalled" : undefined, proposal);
}

/** What became of a commit whose answer was lost. Only this launcher can have made that revision, while it owns the row. */
async function answerOf(transition: Transition, execution: ActiveExecution, host: Host): Promise<CommitResult> {
  const { revision, owner, rests } = transition;
  for (;;) {
    try {
      const [record] = await host.store.load([execution.identity.id]);
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
    const [record] = await host.store.load([id]);
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
export function checkStores({ steps, name }: WorkflowDefinition, store: Pick<Store, "name" | "transactions">): void {
  for (const { name: step, stores } of steps) {
    const other = stores.find((it) => store.transactions === undefined || it !== store.name);
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
