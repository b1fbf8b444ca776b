import type { MailboxRecord } from "../../execution/records.js";
import type { MailFilter } from "../contract.js";
import type { Mutable } from "./rows.js";

/** One execution's rows, found by their ids, and those that nobody has taken by themselves: whatever else lies there. */
export class Mailbox implements Iterable<MailboxRecord> {
  /** By their own ids, in order of acceptance. */
  readonly #rows = new Map<string, Mutable<MailboxRecord>>();
  readonly #messages = new Map<string, Mutable<MailboxRecord>>();
  readonly #pending = new Set<Mutable<MailboxRecord>>();

  add(row: MailboxRecord): void {
    const kept = { ...row };
    this.#rows.set(row.id, kept);
    if (row.messageId !== null) this.#messages.set(row.messageId, kept);
    if (row.status === "pending") this.#pending.add(kept);
  }

  get(id: string): MailboxRecord | undefined {
    return this.#rows.get(id);
  }

  byMessageId(messageId: string): MailboxRecord | undefined {
    return this.#messages.get(messageId);
  }

  /** A dead letter is sent again. */
  resent(id: string): void {
    this.#rows.get(id)!.status = "resent";
  }

  settle(id: string, as: "consumed" | "dead", step: string | null): void {
    const row = this.#rows.get(id);
    if (row === undefined || !this.#pending.delete(row)) return;
    row.status = as;
    row.step = step;
  }

  /** Nobody will take messages of these names. */
  forget(names: readonly string[]): void {
    for (const { id, kind, name } of [...this.#pending])
      if (kind === "message" && names.includes(name)) this.settle(id, "dead", null);
  }

  /** Nobody will take what is left. */
  end(): void {
    for (const { id } of [...this.#pending]) this.settle(id, "dead", null);
  }

  [Symbol.iterator](): Iterator<MailboxRecord> {
    return this.#rows.values();
  }

  /** What nobody has taken. */
  get pending(): Iterable<MailboxRecord> {
    return this.#pending;
  }

  /** Those among which the filter chooses: no more than must be looked at. */
  candidates(filter: MailFilter): Iterable<MailboxRecord> {
    if ("status" in filter) return this.#pending;
    if ("last" in filter) return this.#rows.values();
    const { id, messageId } = filter;
    if (id === undefined && messageId === undefined) return this.#rows.values();
    return [id === undefined ? this.#messages.get(messageId!) : this.#rows.get(id)].filter((row) => row !== undefined);
  }
}
