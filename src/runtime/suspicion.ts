/** Whether an execution is what kills the launchers that drive it, by what became of those that had it before. */
import { mostDeaths } from "../execution/next.js";
import type { ActiveExecution } from "../execution/execution.js";
import type { StepwellError } from "../errors.js";
import type { Death } from "../stores/records.js";
import { killerError } from "./reports.js";

/** A launcher that was removed and has not come back for so long is taken for dead, in milliseconds. */
const longAbsence = 60 * 60 * 1000;

/** How long an execution is left alone that may have killed so many, while some of them may still come back, in milliseconds. */
const suspicionPause = 60_000;

/**
 * An error: it is parked. A number: it is left alone for so many milliseconds. Undefined: it is cleared. A launcher that was cut off,
 * frozen or starved comes back and says so: it is no death, and delays at most.
 */
export function suspicion(execution: ActiveExecution, deaths: readonly Death[]): StepwellError | number | undefined {
  const certain = deaths.filter(({ fate, sinceMs }) => fate === "died" || sinceMs >= longAbsence).length;
  if (certain >= mostDeaths) return killerError(execution, certain);
  return deaths.length >= mostDeaths ? suspicionPause : undefined;
}
