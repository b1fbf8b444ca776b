/** What is known of an execution now, for the function that says what is due. */
import { sift, turns, type ActRequest, type Mail, type Request } from "../execution/mail.js";
import { nextTask, type Moment, type Task } from "../execution/next.js";
import type { Shape } from "../execution/router.js";
import type { StoreTime } from "../execution/time.js";
import type { StepDefinition } from "../definition/definition.js";
import type { StepwellError } from "../errors.js";
import type { DefinitionMismatch } from "./definition-check.js";
import type { Inbox } from "./inbox.js";
import { mustRecall } from "./rewinding.js";
import type { Work } from "./work.js";

/** One object for all turns: most of a moment is as it was. */
export class CurrentMoment implements Moment {
  readonly shape: Shape;
  readonly time: StoreTime;
  step: StepDefinition | undefined;
  mail: Mail;
  request: Request | undefined;
  unreadable: StepwellError | undefined;
  isRestUntold = false;
  isMismatched = false;
  stopping = false;
  isRecalled = false;
  isCleared = false;
  isNoted = false;
  /** Set: nobody has looked at it yet. */
  mismatch: DefinitionMismatch | undefined;
  readonly #work: Work;
  readonly #inbox: Inbox;

  constructor(work: Work, inbox: Inbox, mismatch: DefinitionMismatch | undefined) {
    this.shape = work.registered.shape;
    this.time = work.host;
    this.mail = work.mail;
    this.mismatch = mismatch;
    this.#work = work;
    this.#inbox = inbox;
  }

  /** What is due. */
  next(): Task {
    const work = this.#work;
    // Which requests come too late, another list of steps can't say.
    const sifted = this.mismatch === undefined ? sift(work.mail, work.execution, this.shape) : undefined;
    if (sifted !== undefined) work.mail = sifted.mail;
    this.step = work.step;
    this.mail = work.mail;
    this.request = sifted?.request;
    this.unreadable = this.#inbox.unreadable;
    this.isRestUntold = work.isRestUntold;
    this.isMismatched = this.mismatch !== undefined;
    this.stopping = work.isStopping;
    this.isRecalled = !mustRecall(work);
    return nextTask(work.execution, this);
  }

  /** The request for which a step that is running is aborted. */
  get interruption(): Exclude<Request, ActRequest> | undefined {
    const { execution, mail } = this.#work;
    const { direction, stepIndex } = execution.position;
    // What comes while the pivot runs is held: if the pivot succeeds, it is too late.
    if (direction === "down" || stepIndex === this.shape.pivot) return undefined;
    const request = sift(mail, execution, this.shape)?.request;
    return request !== undefined && turns(request) ? request : undefined;
  }
}
