/** The children of each step, counted; each count is a link to these. */
import { Link } from "wouter";
import type { ChildGroup, ChildLine } from "../../../index.js";
import type { ExecutionView } from "../../http/shapes.js";
import type { Tone } from "./badge.js";
import type { IconName } from "../base/icons.js";
import { listPath, numberText } from "./pieces.js";
import { Section } from "./section.js";

export const childStatuses: readonly ChildLine["status"][] = [
  "underWay",
  "stuck",
  "completed",
  "rolledBack",
  "notBegun",
];

/** In a closed list nothing begins any more. */
export function standingOfChild(
  status: ChildLine["status"],
  { isClosed }: ChildGroup,
): readonly [string, Tone, IconName] {
  if (status === "notBegun") return [isClosed ? "Never begun" : "Not begun", "idle", "dash"];
  return begun[status];
}

const begun: Readonly<Record<Exclude<ChildLine["status"], "notBegun">, readonly [string, Tone, IconName]>> = {
  underWay: ["Under way", "water", "running"],
  stuck: ["Stuck", "bad", "stuck"],
  completed: ["Completed", "good", "done"],
  rolledBack: ["Rolled back", "back", "back"],
};

export const groupName = ({ step, round, number }: ChildGroup): string =>
  `${step}${round > 0 ? `, round ${round + 1}` : ""}${number > 1 ? `, time ${number}` : ""}`;

function childrenPath(id: string, { step, round, number }: ChildGroup, status?: ChildLine["status"]): string {
  const query = { id, step, round: String(round), number: String(number), ...(status !== undefined && { status }) };
  return `/children?${new URLSearchParams(query).toString()}`;
}

export function ChildGroups({ execution: { id, root, children } }: { readonly execution: ExecutionView }) {
  return (
    <Section
      title="Children"
      aside={
        <Link className="rounded text-sm text-water-deep hover:underline" href={listPath({ root: root ?? id })}>
          {root === undefined ? "all that is below it" : "all of its tree"}
        </Link>
      }
    >
      <ul className="flex flex-col gap-2 px-4 py-3">
        {children.map((group) => (
          <li key={groupName(group)} className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
            <span className="text-any font-medium">{groupName(group)}</span>
            <Link className="num rounded text-soft hover:underline" href={childrenPath(id, group)}>
              {numberText(group.count)} in all
            </Link>
            {childStatuses.map(
              (status) =>
                group[status] > 0 && (
                  <Link
                    key={status}
                    className={`num rounded hover:underline ${status === "stuck" ? "font-semibold text-bad" : "text-water-deep"}`}
                    href={childrenPath(id, group, status)}
                  >
                    {numberText(group[status])} {standingOfChild(status, group)[0].toLowerCase()}
                  </Link>
                ),
            )}
            {group.isClosed && <span className="text-faint">asked to go back</span>}
          </li>
        ))}
      </ul>
    </Section>
  );
}
