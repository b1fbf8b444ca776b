/** Answers of the desk, each with the headers that keep a browser from doing more with it than show it. */
import { StepwellError, type ErrorCode } from "../../index.js";
import type { DeskCode, Refusal } from "./act-shapes.js";

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const always: Readonly<Record<string, string>> = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
};

export function answer(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
  type: string,
  {
    status = 200,
    headers = {},
  }: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  return new Response(body, {
    status,
    headers: { ...always, "cache-control": "no-store", "content-type": type, ...headers },
  });
}

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return answer(JSON.stringify(value), "application/json; charset=utf-8", { status, headers });
}

/** Why the desk does not answer as it was asked. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  readonly code: DeskCode | ErrorCode;
  readonly changed: Refusal["changed"];

  constructor(status: number, code: DeskCode | ErrorCode, message: string, changed?: Refusal["changed"]) {
    super(message);
    this.status = status;
    this.code = code;
    this.changed = changed;
  }
}

export function badRequest(message: string): Refused {
  return new Refused(400, "DESK_BAD_REQUEST", message);
}

export function refusal({ status, code, message, changed }: Refused): Response {
  const body: Refusal = { error: { code, message }, ...(changed !== undefined && { changed }) };
  // A browser that is told by this header to ask for a password would show a window of its own.
  return json(body, status);
}

const notThere: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STEPWELL_EXECUTION_NOT_FOUND",
  "STEPWELL_REVISION_NOT_FOUND",
  "STEPWELL_SCHEDULE_NOT_FOUND",
]);

const ofTheRequest: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STEPWELL_INVALID_ARGUMENT",
  "STEPWELL_UNKNOWN_OPTION",
  "STEPWELL_FILTER_TOO_WIDE",
  "STEPWELL_INVALID_INPUT",
  "STEPWELL_INVALID_LIMIT_KEY",
  "STEPWELL_INVALID_MESSAGE",
  "STEPWELL_INVALID_PATCH",
  "STEPWELL_UNKNOWN_MESSAGE",
  "STEPWELL_UNKNOWN_WORKFLOW",
  "STEPWELL_NOT_ENCODABLE",
  "STEPWELL_CAPABILITY_MISSING",
]);

const away: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STEPWELL_CLIENT_STOPPED",
  "STEPWELL_LAUNCHER_NOT_RUNNING",
  "STEPWELL_STORE_BUSY",
  "STEPWELL_STORE_CLOSED",
  "STEPWELL_STORE_UNREACHABLE",
]);

/** What the engine refused, as an answer. Undefined: it is no refusal, but a fault. */
export function refusedBy(error: unknown): Refused | undefined {
  if (error instanceof Refused) return error;
  if (!(error instanceof StepwellError)) return undefined;
  const { code, message } = error;
  if (code === "STEPWELL_STORE_FAILED") return undefined;
  if (notThere.has(code)) return new Refused(404, code, message);
  if (ofTheRequest.has(code)) return new Refused(400, code, message);
  if (code === "STEPWELL_TOO_LARGE") return new Refused(413, code, message);
  return new Refused(away.has(code) ? 503 : 409, code, message);
}
