import type * as OpenTelemetry from "@opentelemetry/api";
import { createRequire } from "node:module";
import { StepwellError } from "../../errors.js";

type Api = typeof OpenTelemetry;

let api: Api | undefined;

/**
 * `@opentelemetry/api`, loaded when it is needed: importing the observer must not fail where the package is not
 * installed. All copies of the package in a process share what is registered with one of them.
 */
export function loadApi(): Api {
  try {
    return (api ??= createRequire(import.meta.url)("@opentelemetry/api") as Api);
  } catch (cause) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `opentelemetry() needs the package "@opentelemetry/api", which could not be loaded. Install it: npm install @opentelemetry/api`,
      { cause },
    );
  }
}
