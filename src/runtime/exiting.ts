import { meansSuccess } from "../values/text.js";
import { shownState } from "../execution/execution.js";
import { forgotten, isPromise } from "../values/promise.js";
import { errorAbout, messageOf } from "./reports.js";
import type { Work } from "./work.js";

/** The final reason, as the workflow's `onExit` maps it. One that fails maps nothing, and is reported. */
export function exitReason({ execution, registered, host }: Work, reason: string): string {
  const { onExit, name } = registered.definition;
  if (onExit === undefined) return reason;
  try {
    const mapped: unknown = onExit(reason, shownState(execution) as never);
    if (isPromise(mapped)) throw new TypeError(`it gave back ${forgotten(mapped)}`);
    if (typeof mapped !== "string" || mapped === "") return reason;
    // What went back must not read as what succeeded.
    if (meansSuccess(mapped) && !meansSuccess(reason))
      throw new TypeError(`it gave "${mapped}" for what was rolled back`);
    return mapped;
  } catch (error) {
    const message = `onExit of workflow "${name}" failed; the reason stays "${reason}": ${messageOf(error)}.`;
    host.report(errorAbout(execution, "STEPWELL_OBSERVER_FAILED", message, error));
    return reason;
  }
}
