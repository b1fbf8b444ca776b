import { StepwellError } from "../errors.js";

export function notFound(id: string): StepwellError {
  return new StepwellError("STEPWELL_EXECUTION_NOT_FOUND", `There is no execution "${id}" in this store.`, {
    execution: id,
  });
}
