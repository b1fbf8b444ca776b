/** Why a rollback request is refused: as a word for programs to decide by, and as an error to throw or to show. */
import { StepwellError, type ErrorCode } from "../errors.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { Registered } from "../session/registry.js";
import type { RefusedRollback } from "../execution/pending-mail.js";
import { notFound } from "../session/not-found.js";

/** `parked-again`: no launcher could go on with the execution, so that it is stuck where it was. */
type Why = RefusedRollback | "parked-again";

export interface RefusedAnswer {
  readonly accepted: false;
  readonly why: Why | "not-found";
  /** The same as an error with a code, for a caller that throws it: nothing was changed. */
  readonly error: StepwellError;
}

export function refusedAsUnknown(id: string): RefusedAnswer {
  return { accepted: false, why: "not-found", error: notFound(id) };
}

export function refused(record: ExecutionRecord, why: Why, registered: Registered | undefined): RefusedAnswer {
  const { code, says } = explained(record, why, registered);
  const { id: execution, workflow, position } = record;
  const message = `Execution "${execution}" was not asked to roll back: ${says}`;
  return {
    accepted: false,
    why,
    error: new StepwellError(code, message, { execution, workflow, step: position.step }),
  };
}

function explained(
  { position }: ExecutionRecord,
  why: Why,
  registered: Registered | undefined,
): { readonly code: ErrorCode; readonly says: string } {
  switch (why) {
    case "past-pivot": {
      const pivot = registered?.definition.steps[registered.shape.pivot]?.name;
      const which = pivot === undefined ? "its pivot" : `its pivot, step "${pivot}",`;
      return {
        code: "STEPWELL_PAST_PIVOT",
        says: `${which} is done, and nothing turns it after that. Make good what it did in a workflow of its own.`,
      };
    }
    case "already-rolling-back":
      return {
        code: "STEPWELL_ROLLBACK_REFUSED",
        says: "it is going back already, or is about to; a second reason would disguise the first one.",
      };
    case "already-rolled-back":
      return {
        code: "STEPWELL_ROLLBACK_REFUSED",
        says: `it was rolled back already, for the reason ${JSON.stringify(position.reason)}.`,
      };
    case "completed":
      return {
        code: "STEPWELL_ROLLBACK_REFUSED",
        says: `it has completed, and the request said ifCompleted: "refuse".`,
      };
    case "parked-again":
      return {
        code: "STEPWELL_EXECUTION_STUCK",
        says: `no launcher could go on with it, so it stays at step "${position.step}" as it was.`,
      };
  }
}
