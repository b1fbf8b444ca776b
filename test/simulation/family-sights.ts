/** What has to be seen of families: what becomes of groups, who acts upon children, and which faults meet what is done to lists. */
import type { ListChange } from "../../src/execution/records.js";
import type { Advance } from "../../src/stores/lists.js";

export const familySights = [
  ...["child", "parallel", "forEach"].flatMap((kind) => [
    ...["up ok", "up recovered", "up otherwise", "down ok", "down otherwise"].map((what) => `${kind} ${what}`),
  ]),
  ...["a list is opened", "a list is closed up", "a list is closed down", "a list is advanced too late"],
  ...["begun", "stuck", "completed", "rolledBack"].map((phase) => `a child tells: ${phase}`),
  ...["children begin", "children are asked to go back", "a parent is told", "the id of a child is taken"],
  ...["a stuck child is counted", "a completed child goes back", "those that failed begin anew"],
  ...["send", "rollback", "rewind", "operate", "outcome"].map((act) => `a child's ${act}`),
  ...["belongs-to-parent", "not-begun"].map((why) => `of a child refused: ${why}`),
];

/** What is done to a list, by its parent and by who advances it. */
const listActs = ["opens", "closes", "begins", "asks", "tells", "counts"];

export const familyPairs = listActs.flatMap((act) =>
  ["refused", "lost", "dies-before", "dies-after"].map((fault) => `children: ${act} x ${fault}`),
);

export function listAct(change: ListChange): string {
  return `children: ${"opens" in change ? "opens" : "closes"}`;
}

export function actsOf({ begins, asks, arrivals, counts }: Advance): string[] {
  return [
    ...(begins.length > 0 ? ["begins"] : []),
    ...(asks.length > 0 ? ["asks"] : []),
    ...(arrivals.length > asks.length ? ["tells"] : []),
    ...(counts.length > 0 ? ["counts"] : []),
  ].map((act) => `children: ${act}`);
}
