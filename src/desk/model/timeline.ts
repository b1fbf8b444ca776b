/** The timeline: the transitions of an execution in order, with long gaps written as such and dull steps folded. */
import type { TransitionFacts } from "./facts.js";

export type TimelineEntry<Row extends TransitionFacts = TransitionFacts> =
  /** Nothing happened for some time: "2 h". */
  | { readonly type: "gap"; readonly ms: number; readonly text: string }
  /** Steps that took one attempt and no wait, one after the other in one direction. */
  | {
      readonly type: "fold";
      readonly direction: TransitionFacts["direction"];
      readonly steps: readonly string[];
      readonly durationMs: number;
      readonly rows: readonly Row[];
    }
  | { readonly type: "row"; readonly row: Row; readonly sentence: string };
