import { StepwellError } from "../../errors.js";

/** SQLite's result codes, as far as they are told apart: https://www.sqlite.org/rescode.html */
export const codes = {
  busy: 5,
  locked: 6,
  memory: 7,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  notDatabase: 26,
} as const;

const busy: readonly number[] = [codes.busy, codes.locked];

/** The disk, its folder or the machine is at fault: it may be mended while the engine waits. */
const outage: readonly number[] = [
  codes.memory,
  codes.readOnly,
  codes.io,
  codes.full,
  codes.cannotOpen,
  codes.protocol,
];

/** What the driver threw as an error of ours. Nothing was written, so what may pass can be tried again. */
export function storeError(error: unknown, path: string): StepwellError {
  if (error instanceof StepwellError) return error;
  const code = resultCode(error);
  if (busy.includes(code)) {
    return new StepwellError(
      "STEPWELL_STORE_BUSY",
      `The SQLite file ${JSON.stringify(path)} is being written by another process. Nothing was changed; try again after a short pause.`,
      { cause: error, retryable: true },
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  return new StepwellError(
    "STEPWELL_STORE_FAILED",
    `SQLite failed on ${JSON.stringify(path)}: ${message}. Nothing was changed.`,
    { cause: error, retryable: outage.includes(code) },
  );
}

/** The primary code; the higher bits only say more about it. */
export function resultCode(error: unknown): number {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return 0;
  return typeof error.errcode === "number" ? error.errcode & 0xff : 0;
}
