/** What the list of executions asks, as the address says it. */
import type { Status } from "../../../index.js";
import type { ExecutionsQuery } from "../../http/shapes.js";

export const statuses = [
  "running",
  "waiting",
  "scheduled",
  "stuck",
  "completed",
  "rolledBack",
] as const satisfies readonly Status[];

const isStatus = (value: string): value is Status => (statuses as readonly string[]).includes(value);

/** A day that was picked begins at midnight where the reader is. */
function timeOf(text: string | null): string | undefined {
  if (text === null || text === "") return undefined;
  const time = new Date(text.length === 10 ? `${text}T00:00` : text);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** @param asked the address's query */
export function queryOf(asked: URLSearchParams): ExecutionsQuery {
  const text = (name: string): string | undefined => asked.get(name) ?? undefined;
  const direction = asked.get("direction");
  const query = {
    workflow: text("workflow"),
    status: asked.getAll("status").filter(isStatus),
    tag: asked.getAll("tag").filter((tag) => tag !== ""),
    root: text("root"),
    children: asked.get("children") === "true" ? (true as const) : undefined,
    direction: direction === "up" || direction === "down" ? direction : undefined,
    reason: text("reason"),
    id: text("id"),
    from: timeOf(asked.get("from")),
    before: timeOf(asked.get("before")),
    after: text("after"),
  };
  // Without what is not asked.
  const isAsked = (value: string | readonly string[] | true | undefined): boolean =>
    value === true || (value !== undefined && value.length > 0);
  return Object.fromEntries(Object.entries(query).filter(([, value]) => isAsked(value)));
}

/** What is asked, in words: for the sentence before an act on all of it. */
export function askedInWords({
  workflow,
  root,
  children,
  status,
  tag,
  direction,
  reason,
  id,
  from,
  before,
}: ExecutionsQuery): string {
  const parts = [
    workflow === undefined ? "of any workflow" : `of ${workflow}`,
    ...(root === undefined ? [] : [`below ${root}`]),
    ...(children === undefined ? [] : ["children too"]),
    ...(status === undefined ? [] : [`that are ${status.map((one) => statusWords[one]).join(" or ")}`]),
    ...(direction === undefined ? [] : [`on the way ${direction}`]),
    ...(reason === undefined ? [] : [`with the reason “${reason}”`]),
    ...(tag === undefined ? [] : [`tagged ${tag.map((one) => `“${one}”`).join(" and ")}`]),
    ...(id === undefined ? [] : [`whose id begins with “${id}”`]),
    ...(from === undefined ? [] : [`launched from ${new Date(from).toLocaleString()} on`]),
    ...(before === undefined ? [] : [`launched before ${new Date(before).toLocaleString()}`]),
  ];
  return parts.join(", ");
}

const statusWords: Readonly<Record<Status, string>> = {
  running: "running",
  waiting: "waiting",
  scheduled: "scheduled",
  stuck: "stuck",
  completed: "completed",
  rolledBack: "rolled back",
};
