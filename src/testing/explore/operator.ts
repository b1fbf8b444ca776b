/** Who asks from outside: for rollbacks and rewinds, by messages, and as an operator. None of it fails. */
import type { Client } from "../../client/client.js";
import type { RollbackPreview } from "../../client/preview.js";
import type { Execution } from "../../client/execution-handle.js";
import { StepwellError } from "../../errors.js";
import { exploredId } from "./calls.js";
import type { Fault } from "./course.js";

export class Operator {
  readonly client: Client;
  /** What the last rollback that was accepted was said to do. */
  preview: RollbackPreview | undefined;

  constructor(client: Client) {
    this.client = client;
  }

  get #execution(): Execution {
    return this.client.execution(exploredId);
  }

  /** What was answered. */
  async ask(fault: Fault): Promise<string> {
    if (fault === "rollback requested") {
      return this.#requestRollback();
    }
    const to = fault.slice("rewind ".length);
    this.preview = undefined;
    return told(this.#execution.rewind({ to, reason: "rewound", by: "explore" }));
  }

  /** What is asked for is what was seen: where it has gone on meanwhile, it is looked at again. */
  async #requestRollback(): Promise<string> {
    for (;;) {
      const preview = await this.#execution.previewRollback();
      const asked = this.#execution.rollback("requested", { by: "explore", ifRevision: preview.revision });
      const answer = await told(asked);
      if (answer === "refused: moved-on") continue;
      // Where its pivot runs a request is held, and perhaps refused in the end.
      this.preview = preview.held === true && answer !== accepted ? undefined : preview;
      return answer;
    }
  }

  send(id: string, name: string, payload: unknown): Promise<string> {
    const sent = this.client.execution(id).send(name as never, payload);
    return sent.then(() => "sent", refused);
  }

  /** What an operator does about one that is stuck. */
  mend(id: string, act: "retry" | "skip"): Promise<string> {
    const by = "explore";
    const execution = this.client.execution(id);
    const done = act === "retry" ? execution.retry({ by }) : execution.skip("explored", { by });
    return done.then(() => accepted, refused);
  }

  /** @param given what the step's function gave; undefined: nothing of it happened */
  resolve(id: string, given: object | undefined): Promise<string> {
    const what = given === undefined ? { didNotHappen: true as const } : { happened: given as never };
    return this.client
      .execution(id)
      .resolve(what, "explored", { by: "explore" })
      .then(() => accepted, refused);
  }
}

const accepted = "accepted";

function told(asked: Promise<{ readonly accepted: boolean; readonly why?: string }>): Promise<string> {
  return asked.then((answer) => (answer.accepted ? accepted : `refused: ${answer.why}`), refused);
}

function refused(error: unknown): string {
  if (error instanceof StepwellError) return `refused: ${error.code}`;
  throw error;
}
