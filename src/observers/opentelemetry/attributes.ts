/** The attributes of spans and measurements, in the words of `docs/observers.md`. */
import type { Attributes } from "@opentelemetry/api";
import type { CommittedTransition, ExecutionIdentity, MessageIdentity } from "../../definition/observer.js";

export function identityOf({ id, workflow, version, root }: ExecutionIdentity): Attributes {
  return {
    "stepwell.workflow.name": workflow,
    "stepwell.workflow.version": version,
    "stepwell.execution.id": id,
    ...(root !== undefined && { "stepwell.execution.root": root }),
  };
}

export function transitionOf(transition: CommittedTransition): Attributes {
  const { step, stepIndex, func, direction, attempt, result, revision, round, backTo, upInto } = transition;
  const type = errorTypeOf(transition);
  return {
    "stepwell.step.name": step,
    "stepwell.step.index": stepIndex,
    "stepwell.func": func,
    "stepwell.direction": direction,
    "stepwell.attempt": attempt,
    "stepwell.result": result,
    "stepwell.revision": revision,
    ...(round !== undefined && { "stepwell.round": round }),
    ...(backTo !== undefined && { "stepwell.rewind.to": backTo }),
    ...(upInto !== undefined && { "stepwell.rewind.round": upInto }),
    ...(type !== undefined && { "error.type": type }),
  };
}

/** By the semantic conventions. A mailbox has no name, so the workflow is the destination and the execution is the conversation. */
export function messageAttributes({ id, name }: MessageIdentity, execution: ExecutionIdentity): Attributes {
  return {
    "messaging.system": "stepwell",
    "messaging.operation.type": "process",
    "messaging.operation.name": "process",
    "messaging.destination.name": execution.workflow,
    "messaging.message.id": id,
    "messaging.message.conversation_id": execution.id,
    "stepwell.message.name": name,
  };
}

/** A short word for what failed: an error's code or name, or the reason that `fail` was given. Never a message. */
export function errorTypeOf({ error, result }: CommittedTransition): string | undefined {
  if (error === undefined || result === "skipped") return undefined;
  const isFail = error.name === "Fail" && error.message === result;
  return error.code ?? (isFail ? result : error.name);
}
