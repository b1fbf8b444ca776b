/** The JSON of recalls. */
import type { RecallActed, RecallProgress } from "../../index.js";

/** With times as texts. */
export interface RecallView extends Omit<RecallProgress, "launchedAt" | "endedAt" | "paused" | "stopped"> {
  readonly launchedAt: string;
  readonly endedAt: string | null;
  readonly paused?: RecallActedView & { readonly why: "asked" | "canary" | "stuck" };
  readonly stopped?: RecallActedView;
}

export interface RecallActedView extends Omit<RecallActed, "at"> {
  readonly at: string;
}

export interface RecallsView {
  readonly now: string;
  /** The newest first. */
  readonly recalls: readonly RecallView[];
  readonly cursor: string | null;
}
