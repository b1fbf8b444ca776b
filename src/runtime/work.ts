/** An execution in the hands of this launcher. Beside the loop that drives it, this is all that changes. */
import type { Encoded } from "../values/encode.js";
import type { StepDefinition } from "../definition/definition.js";
import type { Contributions } from "../execution/contributions.js";
import type { Decision } from "../execution/decide.js";
import { activeExecution, committedAs, withoutPatches, type ActiveExecution } from "../execution/execution.js";
import { isLasting, isParents, mailAfter, withDead, type Mail } from "../execution/mail.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { CallFacts } from "../execution/step-result.js";
import type { Host } from "../session/host.js";
import type { Registered } from "../session/registry.js";

/** What a step gave on the way up: of a row of the history, so much. */
interface Given {
  readonly step: string;
  readonly patch: Encoded | null;
}

export class Work {
  readonly id: string;
  readonly registered: Registered;
  readonly host: Host;
  /** The execution as of its last commit. */
  committed: ActiveExecution;
  /** The execution as the next commit will find it: with what was merged into its state since the last one. */
  execution: ActiveExecution;
  mail: Mail;
  /** What each step gave on the way up; undefined until it is read from the history. */
  given: Given[] | undefined;
  /** What came into the state, for a rewind; undefined until it is read from the history. */
  contributions: Contributions | undefined;
  readonly callFacts: CallFacts;
  /** That the execution came to rest is committed, and those who want to know may not have heard of it. */
  isRestUntold: boolean;
  /** The launcher stops. */
  isStopping = false;
  /** This launcher has let go of the execution: what still comes of a call concerns nobody here. */
  isLeft = false;

  constructor(record: ExecutionRecord, state: object, owner: number, registered: Registered, host: Host) {
    this.id = record.id;
    this.registered = registered;
    this.host = host;
    this.committed = activeExecution(record, state, owner);
    this.execution = this.committed;
    this.mail = { signals: record.signals, pending: [], dead: [] };
    // An execution that is driven from its beginning need not read its own history.
    this.given = record.revision === 0 ? [] : undefined;
    // Taken up again when it had come to rest: a launcher died before it had told anyone.
    this.isRestUntold = record.claims > 1;
    this.callFacts = { shape: registered.shape, time: host, clock: host.clock, limit: host.sizeLimit };
  }

  /** The step where the execution stands. Undefined: a parked execution may stand where its list has none. */
  get step(): StepDefinition | undefined {
    return this.registered.definition.steps[this.execution.position.stepIndex];
  }

  /** The same work, to try something on that may be rolled back. */
  fork(): Work {
    return Object.assign(Object.create(Work.prototype) as Work, this);
  }

  /** Merged patches are given up: the state is again as it was at the last commit. */
  dropPatches(): void {
    this.execution = withoutPatches(this.execution, this.committed);
  }

  /** Rows of the mailbox that nobody will take. */
  markDead(dead: readonly string[]): void {
    this.mail = withDead(this.mail, dead);
  }

  /** The transition is committed: the execution is what that led to. */
  committedWith({ transition, isTurnedAway, rewound }: Omit<Decision, "action">): void {
    const { history } = transition;
    if (history.patch !== null && (history.direction === "up" || history.func === "probe")) this.given?.push(history);
    if (rewound === undefined) this.contributions?.add(history);
    else this.contributions = undefined;
    // By the names of the steps, which a migration may have changed.
    if (rewound !== undefined || history.migration !== undefined) this.given = undefined;
    this.committed = committedAs(rewound ?? this.execution, transition);
    this.execution = this.committed;
    this.mail = mailAfter(this.mail, transition);
    // What it could not follow, and is not dead, waits for an operator.
    if (transition.status === "stuck") {
      const waits = isTurnedAway ? isLasting : isParents;
      this.mail = { ...this.mail, pending: this.mail.pending.filter((it) => !waits(it)) };
    }
  }
}
