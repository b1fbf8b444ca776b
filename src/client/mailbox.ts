/** What was sent to an execution, as its handle gives it. */
import type { ArrivalStatus, MailboxRecord } from "../execution/records.js";
import { invalidArgument, refuseUnknownOptions, shown } from "../values/options.js";
import type { ResendNote } from "./dead-letters.js";

/** Which part of a mailbox. */
export type MailboxOptions =
  /** What is among the last so many arrivals, requests counted too. */
  | { readonly last?: number }
  /** The one with this id, as `send` gives it. */
  | { readonly id: string }
  /** What no step has taken yet; of more than `limit` the oldest of each name. Default: all of it. */
  | { readonly status: "pending"; readonly limit?: number };

export interface MailboxRow {
  readonly id: string;
  readonly name: string;
  /** As it was sent. */
  readonly payload: unknown;
  readonly receivedAt: Date;
  /** `dead`: no step took it before the execution ended, or the schema of its step refused it. */
  readonly status: ArrivalStatus;
  /** The step that took it. */
  readonly step?: string;
  /** The topic that it was published to; left out where it was sent to this execution. */
  readonly topic?: string;
  /** For a dead letter that was sent again: to which execution, under which name, when, and by whom where that was given. */
  readonly resent?: { readonly to: string; readonly as: string; readonly by?: string; readonly at: Date };
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
export function mailFilterOf(options: MailboxOptions): MailboxOptions {
  refuseUnknownOptions(options, ["last", "id", "status", "limit"], "mailbox");
  const { last, id, status, limit }: { last?: unknown; id?: unknown; status?: unknown; limit?: unknown } = options;
  const refuse = (problem: string): never => {
    throw invalidArgument(`mailbox: ${problem}`);
  };
  if ([last, id, status].filter((it) => it !== undefined).length > 1)
    refuse(`give "last", "id" or "status", one of them`);
  if (status !== undefined && status !== "pending")
    refuse(`"status" must be "pending" or left out, not ${shown(status)}`);
  if (id !== undefined && typeof id !== "string") refuse(`"id" must be the id of a message, not ${shown(id)}`);
  if (limit !== undefined && status === undefined)
    refuse(`"limit" goes with "status"; say with "last" how many you want`);
  for (const [name, count] of Object.entries({ last, limit }))
    if (count !== undefined && !(Number.isSafeInteger(count) && (count as number) >= 1))
      refuse(`"${name}" must be a whole number from 1 on, not ${shown(count)}`);
  return options;
}

export function mailboxRowsOf(rows: readonly MailboxRecord[]): MailboxRow[] {
  const notes = new Map<string, MailboxRow["resent"]>();
  for (const { kind, payload, receivedAt } of rows) {
    if (kind !== "resend") continue;
    const { letter, ...note } = payload.value as ResendNote;
    notes.set(letter, { ...note, at: new Date(receivedAt) });
  }
  return rows
    .filter(({ kind }) => kind === "message")
    .map(({ id, messageId, name, payload, receivedAt, status, step, topic }) => {
      const resent = notes.get(id);
      return {
        id: messageId ?? id,
        name,
        payload: payload.value,
        receivedAt: new Date(receivedAt),
        status,
        ...(step !== null && { step }),
        ...(topic !== null && { topic }),
        ...(resent !== undefined && { resent }),
      };
    });
}
