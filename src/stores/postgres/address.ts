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
  if (!["read-write", "primary", undefined].includes(target(url))) {
    throw invalid(`needs a server that takes writes: "target_session_attrs" must be "read-write" or "primary".`);
  }
}

/** For the driver: what has a meaning in an address has none in the user and the password. */
export function escaped(url: string): string {
  const [, begin = "", who, place = "", options = ""] = shape.exec(url) ?? [];
  if (who === undefined) return url;
  const plain = who.replace(/%(?![0-9a-f]{2})/gi, "%25").replace(/[/#@[\]\\\s]/g, encodeURIComponent);
  return `${begin}${plain}@${place}${options}`;
}

/** One connection string for each host that the given one names: `postgres://user@one:5432,two:5432/shop`. */
export function eachHost(url: string): readonly string[] {
  const [, begin = "", who, place = "", options = ""] = shape.exec(url) ?? [];
  const [hosts = "", ...database] = place.split("/");
  if (!hosts.includes(",")) return [url];
  return hosts.split(",").map((host) => {
    const there = [host, ...database].join("/");
    return `${begin}${who === undefined ? "" : `${who}@`}${there}${options}`;
  });
}

/** Whether only a server will do that takes writes: of several, or where the connection string says so. */
export function wantsPrimary(url: string): boolean {
  return eachHost(url).length > 1 || target(url) !== undefined;
}

/** libpq's option, which `pg` does not know. */
function target(url: string): string | undefined {
  return new URLSearchParams(shape.exec(url)?.[4]).get("target_session_attrs") ?? undefined;
}

/** Where a database is, without the user, the password and the options. */
export function placeOf(url: string): string {
  const places = eachHost(url).map(hostOf);
  const [first] = places;
  if (first === undefined || places.includes(undefined)) return unknownPlace;
  const [database] = first;
  const hosts = places.map((place) => place![1]).join(", ");
  return `${unknownPlace} ${database} on ${hosts}`.replace("  ", " ");
}

/** The database, and the host with its port. */
function hostOf(url: string): readonly [database: string, host: string] | undefined {
  const [, , , place, options = ""] = shape.exec(url) ?? [];
  if (place === undefined) return undefined;
  try {
    // An address must have a host; PostgreSQL's may leave it out.
    const { hostname, port, pathname, searchParams } = new URL(
      `postgres://${place.startsWith("/") ? "local" : ""}${place}${options}`,
    );
    const host = searchParams.get("host") ?? (hostname === "" ? "the default host" : hostname);
    return [pathname.slice(1), `${host}${port === "" ? "" : `:${port}`}`];
  } catch {
    return undefined;
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
