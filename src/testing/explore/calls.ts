/** What may become of a call of a step's function. */
import type { StepDefinition } from "../../definition/definition.js";
import { defaultRetry } from "../../definition/retry-policy.js";
import { unknown } from "../../definition/outcome.js";
import type { Fault } from "./course.js";
import type { Called, CalledFunction } from "./instrumented.js";
import { never } from "../faults/never.js";

const words: Readonly<Record<CalledFunction, string>> = {
  run: "",
  onMessage: "handler of ",
  onTimeout: "timeout of ",
  probe: "probe of ",
  rollback: "undo of ",
  onRollbackMessage: "handler of the undo of ",
};

/** The execution that is explored. */
export const exploredId = "explored";

/** "undo of charge", "charge in items/0". */
export function nameOfCall({ func, step, context }: Pick<Called, "func" | "step" | "context">): string {
  return `${words[func]}${step.name}${whereOf(context.execution.id)}`;
}

/** Nothing for the execution that is explored; of one below it, which. */
export function whereOf(id: string): string {
  return id === exploredId ? "" : ` in ${id.slice(exploredId.length + 1)}`;
}

/**
 * @param mayTurn its rollback could still be requested
 * @param mayHang something ends it where it does not answer
 */
export function faultsOfCall({ func, step, context }: Called, mayTurn: boolean, mayHang: boolean): readonly Fault[] {
  const isUp = func === "run" || func === "onMessage" || func === "onTimeout";
  const attempts = isUp ? (step.retry ?? defaultRetry).attempts : 2;
  const once = attempts > 1 ? (["fails", "answer lost"] as const) : [];
  const held = mayHang ? (["hangs", "late", "very late"] as const) : [];
  if (func === "probe") return ["fails", "says unknown", "dies before it"];
  const asked = isUp && mayTurn && context.attempt === 1 ? (["rollback requested"] as const) : [];
  return [
    ...once,
    "fails for good",
    ...(isTransaction(step, func) ? [] : (["answers lost for good", "dies after it", "taken for dead"] as const)),
    ...held,
    "dies before it",
    ...asked,
  ];
}

function isTransaction(step: StepDefinition, func: CalledFunction): boolean {
  return func === "run" && step.transactional;
}

/** What the process and the world give to a call that is not as usual. */
export interface Stage {
  /** The process is gone; nothing of it goes on. */
  die(): Promise<never>;
  /** The process stands still until another one has taken it for dead, and a minute longer. */
  freeze(effect: () => unknown): Promise<unknown>;
  /** Its effect comes a minute after it was given up, or when all else is over. */
  later(when: "a-minute" | "at-the-end", effect: () => unknown): void;
  /** From now on each call of this function goes like that. */
  always(fault: "fails" | "answer lost"): void;
  requestRollback(): Promise<void>;
}

class PlannedFailure extends Error {
  override readonly name = "PlannedFailure";
}

export function callWith(fault: Fault, go: () => unknown, stage: Stage): unknown {
  switch (fault) {
    case "fails for good":
      stage.always("fails");
      return failing();
    case "fails":
      return failing();
    case "answers lost for good":
      stage.always("answer lost");
      return after(go, failing);
    case "answer lost":
      return after(go, failing);
    case "hangs":
      return never();
    case "late":
      stage.later("a-minute", go);
      return never();
    case "very late":
      stage.later("at-the-end", go);
      return never();
    case "dies before it":
      return stage.die();
    case "dies after it":
      return after(go, () => stage.die());
    case "taken for dead":
      return stage.freeze(go);
    case "says unknown":
      return unknown();
    case "rollback requested":
      return stage.requestRollback().then(go);
    default:
      return go();
  }
}

function failing(): never {
  throw new PlannedFailure("This call fails, as the exploration has it.");
}

/** What follows the effect; where there was none, the call ends as it did. */
function after(go: () => unknown, then: () => unknown): unknown {
  const given = go();
  return given instanceof Promise ? given.then(then) : then();
}
