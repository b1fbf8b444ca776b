/** The JSON of what happens: its events, and its figures. */
import type { Status } from "../../index.js";

/** The `data` of a server-sent event. `id:` is a cursor for `Last-Event-ID`. */
export type DeskEvent =
  /** A transition was committed. */
  | {
      readonly type: "transition";
      readonly execution: string;
      /** Of a child: its parent counts it, and its root is at the top. */
      readonly parent?: string;
      readonly root?: string;
      readonly workflow: string;
      readonly status: Status;
      readonly revision: number;
      readonly step: string;
    }
  /** Events may have been missed: read again. */
  | { readonly type: "gap" }
  /** Nothing; so that a proxy keeps the connection. */
  | { readonly type: "still-here" };

/** Figures of the last hour at most, by minute, of what this process has seen; the oldest minute first. */
export interface ActivityWindow {
  readonly since: string;
  readonly minutes: readonly ActivityMinute[];
}

export interface ActivityMinute {
  /** When the minute began. */
  readonly at: string;
  readonly transitions: number;
  readonly launched: number;
  readonly completed: number;
  readonly turned: number;
  readonly rolledBack: number;
  readonly stuck: number;
  readonly failedAttempts: number;
  /** How long executions took that came to rest in it, from their launch on, in milliseconds. Null: none did. */
  readonly p50: number | null;
  readonly p95: number | null;
}
