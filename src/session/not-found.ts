import { StepwellError } from "../errors.js";
import type { MaybePromise, Store } from "../stores/contract.js";
import type { ListRecord } from "../stores/lists.js";
import { andThen } from "./maybe-promise.js";

/** The error for an id without an execution: no such execution, or a child of this id that has not begun. */
export function missing({ lists }: Pick<Store, "lists">, id: string): MaybePromise<StepwellError> {
  const end = id.lastIndexOf("/");
  if (end < 0 || lists === undefined) return notFound(id);
  return andThen(lists.find([id.slice(0, end)]), ([list]) => notBegun(list, id));
}

function notBegun(list: ListRecord | undefined, id: string): StepwellError {
  if (list === undefined || list.status === "staged") return notFound(id);
  const says = list.status === "closed" ? "never will: its parent goes back" : "begins when its turn comes";
  return new StepwellError(
    "STEPWELL_CHILD_NOT_BEGUN",
    `Execution "${id}" is not there. If it is a child of "${list.of}", it has not begun, and ${says}. Nothing was stored.`,
    { execution: id },
  );
}

export function notFound(id: string): StepwellError {
  return new StepwellError("STEPWELL_EXECUTION_NOT_FOUND", `There is no execution "${id}" in this store.`, {
    execution: id,
  });
}
