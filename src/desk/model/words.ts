/** The words for where an execution stands, and for what each act on it would do. */

export type ActName =
  | "send"
  | "publish"
  | "rollback"
  | "retry"
  | "skip"
  | "patch"
  | "launch"
  | "schedule-pause"
  | "schedule-resume"
  | "schedule-trigger"
  | "resend"
  | "bulk-rollback"
  | "bulk-retry"
  | "bulk-resend";

/** How urgent it is that a person looks: `act`: a person is needed; `watch`: it may become so; `calm`: nothing to do. */
export type Urgency = "act" | "watch" | "calm";

export interface Words {
  /** One sentence: what is the matter. */
  readonly headline: string;
  /** More of it, a sentence each: since when, the last error, what stays in the world. */
  readonly lines: readonly string[];
  readonly urgency: Urgency;
  /** What can be done about it now, the likeliest first. */
  readonly acts: readonly Offer[];
}

/** An act that is possible now, and what it would do. */
export interface Offer {
  readonly act: ActName;
  /** For a button: "Try again". */
  readonly label: string;
  /** What it would do, for the question before it. */
  readonly consequence: string;
  readonly reason: "required" | "optional";
  /** It undoes something, or takes something as done that nobody has done. */
  readonly grave: boolean;
}
