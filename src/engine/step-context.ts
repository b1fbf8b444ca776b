/** What a step function is called with. Built lazily where building costs: most steps use two or three fields. */
import type { Logger } from "../definition/logger.js";
import type { ExecutionIdentity } from "../definition/observer.js";
import type { Direction } from "../definition/flow.js";
import { StepwellError, type ErrorCode } from "../errors.js";

export interface StepIdentity {
  readonly name: string;
  readonly index: number;
}

export interface DeliveredMessage {
  readonly name: string;
  readonly payload: unknown;
  readonly id: string;
}

export interface ContextParts {
  readonly state: object;
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly execution: ExecutionIdentity;
  readonly step: StepIdentity;
  readonly direction: Direction;
  readonly message: DeliveredMessage | undefined;
  readonly given: object | undefined;
  readonly runKey: string | undefined;
  readonly reason: string | undefined;
  readonly logger: Logger;
}

export class StepContext {
  readonly state: object;
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly execution: ExecutionIdentity;
  readonly step: StepIdentity;
  readonly direction: Direction;
  readonly message: DeliveredMessage | undefined;
  readonly given: object | undefined;
  readonly runKey: string | undefined;
  readonly reason: string | undefined;
  readonly logger: Logger;
  #controller: AbortController | undefined;

  constructor(parts: ContextParts) {
    this.state = parts.state;
    this.idempotencyKey = parts.idempotencyKey;
    this.attempt = parts.attempt;
    this.execution = parts.execution;
    this.step = parts.step;
    this.direction = parts.direction;
    this.message = parts.message;
    this.given = parts.given;
    this.runKey = parts.runKey;
    this.reason = parts.reason;
    this.logger = parts.logger;
  }

  /** Aborted when the attempt times out, a rollback is requested, or the launcher stops or loses the execution. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: StepwellError): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  isAbortedBy(code: ErrorCode): boolean {
    const reason: unknown = this.#controller?.signal.reason;
    return reason instanceof StepwellError && reason.code === code;
  }
}
