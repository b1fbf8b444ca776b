import { meansSuccess } from "../values/text.js";
import type { ActiveExecution } from "../execution/execution.js";
import type { Host } from "../session/host.js";
import type { Registered } from "../session/registry.js";
import { forgotten } from "../session/observer-calls.js";
import { isPromise } from "../values/promise.js";
import { errorAbout, messageOf } from "./reports.js";
import { shownState } from "./step-result.js";

/** The final reason, as the workflow's `onExit` maps it. One that fails maps nothing, and is reported. */
export function exitReason(reason: string, course: ActiveExecution, { definition }: Registered, host: Host): string {
  const { onExit, name } = definition;
  if (onExit === undefined) return reason;
  try {
    const mapped: unknown = onExit(reason, shownState(course) as never);
    if (isPromise(mapped)) throw new TypeError(`it gave back ${forgotten(mapped)}`);
    if (typeof mapped !== "string" || mapped === "") return reason;
    // What went back must not read as what succeeded.
    if (meansSuccess(mapped) && !meansSuccess(reason))
      throw new TypeError(`it gave "${mapped}" for what was rolled back`);
    return mapped;
  } catch (error) {
    const message = `onExit of workflow "${name}" failed; the reason stays "${reason}": ${messageOf(error)}.`;
    host.report(errorAbout(course, "STEPWELL_OBSERVER_FAILED", message, error));
    return reason;
  }
}
