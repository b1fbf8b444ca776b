/** Which mail is read, and what a store answers. */
import type { MailboxRecord } from "../execution/records.js";

/** Which mail. What a read costs does not grow with the rows that its filter leaves out. */
export type MailFilter =
  | {
      /** In the mailboxes of these executions, in order of acceptance. */
      readonly executions: readonly string[];
      /** Only the one with this id. */
      readonly id?: string;
      /** Only the one with this id of its sender. */
      readonly messageId?: string;
    }
  | {
      /** Of each mailbox so many rows, by their ids the last: an id begins with the time at which it was made. In order of acceptance. */
      readonly last: number;
      readonly executions: readonly string[];
    }
  | {
      /** What nobody has taken yet, in order of acceptance. */
      readonly status: "pending";
      readonly executions: readonly string[];
      /** Only messages with this name. */
      readonly name?: string;
      /** Of each mailbox at most so many messages: of each name the oldest. All that is no message is given. */
      readonly limit?: number;
    };

/** Messages that are dead, of all executions: all of what is given must hold. */
export interface DeadMailConditions {
  readonly status: "dead";
  /** Of executions of this workflow. */
  readonly workflow?: string | undefined;
  /** In the mailbox of this execution. */
  readonly execution?: string | undefined;
  /** The name of the message. */
  readonly name?: string | undefined;
}

/** The last that was received first. */
export interface DeadMailFilter extends DeadMailConditions {
  readonly limit: number;
  /** So many dead messages, or of one execution so many of its own, are looked at for those that fit. */
  readonly lookAt: number;
  /** Only what was received before the one with this `sequence`. */
  readonly before?: number | undefined;
}

export interface DeadMailPage {
  readonly records: readonly MailRecord[];
  /**
   * `before` of the next page. Null: this was the last. A page that is not full and has one is where the looking ended.
   */
  readonly next: number | null;
}

export interface MailRecord extends MailboxRecord {
  /** Of its execution. */
  readonly workflow: string;
}

export interface MailCount {
  readonly workflow: string;
  /** From 1. */
  readonly count: number;
}

export interface MailCounts {
  /** In any order. */
  readonly counts: readonly MailCount[];
  /** There were more to look at. */
  readonly more: boolean;
}
