/** Connection strings hold passwords: what is said of a database comes from here. */
import { StepwellError } from "../../errors.js";

const scheme = /^postgres(?:ql)?:\/\//i;

const unknownPlace = "the PostgreSQL database";

/** The user and the password end at the last `@` before the options, so they may hold every sign but `?`. */
const shape = /^(postgres(?:ql)?:\/\/)(?:([^?]*)@)?([^?@]*)(\?[^@]*)?$/i;

/** @throws STEPWELL_INVALID_ARGUMENT */
export function checkUrl(url: string): void {
  if (!scheme.test(url) || url.includes("\0")) {
    throw invalid("needs a connection string such as postgres://user:password@host:5432/database, or a pool of pg.");
  }
  if (!shape.test(url)) {
    throw invalid(
      `can't tell where the password in the connection string ends: write "?" in it as %3F, and "@" in an option as %40.`,
    );
  }
}

/** For the driver: what has a meaning in an address has none in the user and the password. */
export function escaped(url: string): string {
  const [, begin = "", who, place = "", options = ""] = shape.exec(url) ?? [];
  if (who === undefined) return url;
  const plain = who.replace(/%(?![0-9a-f]{2})/gi, "%25").replace(/[/#@[\]\\\s]/g, encodeURIComponent);
  return `${begin}${plain}@${place}${options}`;
}

/** Where a database is, without the user, the password and the options. */
export function placeOf(url: string): string {
  const [, , , place, options = ""] = shape.exec(url) ?? [];
  if (place === undefined) return unknownPlace;
  try {
    // An address must have a host; PostgreSQL's may leave it out.
    const { hostname, port, pathname, searchParams } = new URL(
      `postgres://${place.startsWith("/") ? "local" : ""}${place}${options}`,
    );
    const host = searchParams.get("host") ?? (hostname === "" ? "the default host" : hostname);
    return `${unknownPlace} ${pathname.slice(1)} on ${host}${port === "" ? "" : `:${port}`}`.replace("  ", " ");
  } catch {
    return unknownPlace;
  }
}

/** Why a connection string could not be read, by code only: the text may hold a part of it. */
export function explained(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return error instanceof Error ? error.name : "an unknown error";
}

function invalid(problem: string): StepwellError {
  return new StepwellError("STEPWELL_INVALID_ARGUMENT", `postgresStore ${problem}`);
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
