/**
 * What PostgreSQL and its driver fail with, and whether it passes. One table; each line has its reason.
 * Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
import { StepwellError, type ErrorCode } from "../../errors.js";

/**
 * - `unreachable`: the connection is gone, or was never there; try another one
 * - `busy`: others were in the way; try again
 * - `failing`: the server can't at the moment
 * - `broken`: asking again would fail again
 */
export type Kind = "unreachable" | "busy" | "failing" | "broken";

/** By the whole code, else by its class, the first two characters. */
const kinds: Readonly<Record<string, Kind>> = {
  // The connection: lost, refused, or cut by somebody who may.
  "08": "unreachable",
  // Shut down by an administrator, by a crash, or not up yet; the database is restarted or fails over.
  "57P01": "unreachable",
  "57P02": "unreachable",
  "57P03": "unreachable",
  // The session was idle for too long, in a transaction (as after a pause of this process) or not.
  "57P05": "unreachable",
  "25P03": "unreachable",
  "25P04": "unreachable",
  // This server is a standby now: another one has taken over, and a new connection will find it.
  "25006": "unreachable",
  // A pooler gave the connection to somebody else, or reset it: what was prepared there is gone.
  "26000": "unreachable",
  "42P05": "unreachable",
  // Whoever wanted the same rows at the same time won.
  "40001": "busy",
  "40P01": "busy",
  "40003": "busy",
  "55P03": "busy",
  // Cancelled: by `statement_timeout`, mostly because a lock was held for so long.
  "57014": "busy",
  // No memory, no disk, no connection left.
  "53": "failing",
  // The machine below: files, input and output.
  "58": "failing",
};

/** What Node says of sockets and names. */
const socketCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  // No socket file: the server is not running.
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EMFILE",
]);

/** `pg` says these without a code. */
const socketTexts =
  /connection terminated|connection error|not queryable|timeout expired|read timeout|connection timeout|trying to connect/i;

export function kindOf(error: unknown): Kind {
  const code = codeOf(error);
  if (code !== undefined) {
    // Two processes stored one message at the same moment: asked again, it is a duplicate.
    if (code === "23505" && constraintOf(error).startsWith("stepwell_mailbox")) return "busy";
    if (socketCodes.has(code)) return "unreachable";
    return kinds[code] ?? kinds[code.slice(0, 2)] ?? "broken";
  }
  // Several addresses were tried.
  if (error instanceof AggregateError && error.errors.length > 0) return kindOf(error.errors[0]);
  return error instanceof Error && socketTexts.test(error.message) ? "unreachable" : "broken";
}

const codes: Readonly<Record<Kind, ErrorCode>> = {
  unreachable: "STEPWELL_STORE_UNREACHABLE",
  busy: "STEPWELL_STORE_BUSY",
  failing: "STEPWELL_STORE_FAILED",
  broken: "STEPWELL_STORE_FAILED",
};

/** Errors after which nobody knows whether the write was committed. */
const inDoubt = new WeakSet<StepwellError>();

/** Whether what was asked may have been done all the same. */
export function isInDoubt(error: unknown): boolean {
  return error instanceof StepwellError && inDoubt.has(error);
}

/** @param place of the database, without a secret */
export function storeError(error: unknown, place: string): StepwellError {
  if (error instanceof StepwellError) return error;
  const kind = kindOf(error);
  const doubtful = !isAnswer(error);
  const outcome = doubtful
    ? "Whether the last write was done is not known yet; it can be asked for again as it is."
    : "Nothing was changed.";
  const made = new StepwellError(codes[kind], `${sentence(kind, place)}: ${messageOf(error)}. ${outcome}`, {
    cause: error,
    retryable: kind !== "broken",
  });
  if (doubtful) inDoubt.add(made);
  return made;
}

/**
 * While no connection could be made. Nothing was asked, so nothing is in doubt. Everything may pass, a
 * refused password too: an execution must not be parked because one is being changed.
 */
export function connectionError(error: unknown, place: string): StepwellError {
  if (error instanceof StepwellError) return error;
  const message = `${sentence("unreachable", place)}: ${messageOf(error)}. Nothing was changed.`;
  return new StepwellError("STEPWELL_STORE_UNREACHABLE", message, { cause: error, retryable: true });
}

/** The server said so itself and goes on: the transaction is rolled back. */
function isAnswer(error: unknown): boolean {
  return sqlState(error) !== undefined && (error as { readonly severity?: unknown }).severity === "ERROR";
}

function sentence(kind: Kind, place: string): string {
  switch (kind) {
    case "unreachable":
      return `The connection to ${place} failed`;
    case "busy":
      return `Others were in the way on ${place}`;
    case "failing":
    case "broken":
      return `PostgreSQL failed on ${place}`;
  }
}

/** Five characters, as only the server gives them. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !socketCodes.has(code) ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function constraintOf(error: unknown): string {
  return String((error as { readonly constraint?: unknown }).constraint);
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return messageOf(error.errors[0]);
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\.$/, "");
}
