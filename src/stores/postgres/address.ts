/** Connection strings hold passwords: what is said of a database comes from here. */
import { StepwellError } from "../../errors.js";

const scheme = /^postgres(?:ql)?:\/\//i;

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkUrl(url: string): void {
  if (scheme.test(url) && !url.includes("\0")) return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    "postgresStore needs a connection string such as postgres://user:password@host:5432/database, or a pool of pg.",
  );
}

/** Where a database is, without the user, the password and the options. */
export function placeOf(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url.replace("@/", "@local/"));
    const host = searchParams.get("host") ?? (hostname === "" ? "the default host" : hostname);
    return `the PostgreSQL database ${pathname.slice(1)} on ${host}${port === "" ? "" : `:${port}`}`.replace("  ", " ");
  } catch {
    return "the PostgreSQL database";
  }
}

/** Why a connection string could not be read, by code only: the text may hold a part of it. */
export function explained(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return error instanceof Error ? error.name : "an unknown error";
}

const longestSchema = 50;

/** Nothing that would have to be quoted, and nothing that PostgreSQL keeps for itself. */
const schemaName = /^(?!pg_)[a-z_][a-z0-9_]*$/;

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkSchema(schema: unknown): asserts schema is string {
  if (typeof schema === "string" && schema.length <= longestSchema && schemaName.test(schema)) return;
  const given = typeof schema === "string" ? JSON.stringify(schema.slice(0, longestSchema)) : typeof schema;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `postgresStore: "schema" must be 1 to ${longestSchema} small letters, digits and "_", begin with no digit and not with ` +
      `"pg_", not ${given}.`,
  );
}
