/** How mail stands in the tables. */
import type { ArrivalKind, ArrivalStatus } from "../../execution/records.js";
import { Encoded } from "../../values/encode.js";
import type { MailRecord } from "../contract.js";

export interface MailRow {
  readonly execution_id: string;
  readonly workflow: string;
  readonly sequence: number;
  readonly id: string;
  readonly kind: ArrivalKind | "resend";
  readonly name: string;
  readonly payload: string;
  readonly message_id: string | null;
  readonly status: ArrivalStatus;
  readonly received_at: number;
  readonly step: string | null;
  readonly carried: string | null;
  readonly topic: string | null;
}

/** What a query for `MailRow` selects, from the mailbox `m` and its execution `e`. */
export const mailColumns =
  "m.sequence, m.id, m.kind, m.name, m.payload, m.message_id, m.status, m.received_at, m.step, m.carried, m.topic, " +
  "e.id AS execution_id, e.workflow";

export function mailOf(row: MailRow): MailRecord {
  return {
    id: row.id,
    execution: row.execution_id,
    workflow: row.workflow,
    sequence: row.sequence,
    kind: row.kind,
    name: row.name,
    payload: Encoded.ofText(row.payload),
    messageId: row.message_id,
    status: row.status,
    receivedAt: row.received_at,
    step: row.step,
    carried: row.carried,
    topic: row.topic,
  };
}
