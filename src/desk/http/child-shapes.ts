/** The JSON of the children of one step. */
import type { ChildGroup, ChildLine } from "../../index.js";

export interface ChildrenPage {
  /** Their parent. */
  readonly execution: string;
  readonly group: ChildGroup;
  /** In the order of their list, those too that have not begun. */
  readonly lines: readonly ChildLine[];
  /** The `from` of the next page. Null: this was the last. */
  readonly next: number | null;
  /** The page is not full, and there is a next one: so many were looked at for those of this status. */
  readonly lookedAt?: number;
}
