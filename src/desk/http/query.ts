/** What the query of an address asks, read and checked. */
import type { ListConditions, Status } from "../../index.js";
import { badRequest } from "./answers.js";
import type { ExecutionsQuery } from "./shapes.js";

export function executionsQuery(search: URLSearchParams): ExecutionsQuery {
  const one = (name: string): string | undefined => search.get(name) || undefined;
  const many = (name: string): readonly string[] | undefined => {
    const values = search.getAll(name).filter((it) => it !== "");
    return values.length === 0 ? undefined : values;
  };
  const direction = one("direction");
  if (direction !== undefined && direction !== "up" && direction !== "down") {
    throw badRequest(`"direction" is up or down.`);
  }
  const children = one("children");
  if (children !== undefined && children !== "true") throw badRequest(`"children" is true, or left out.`);
  const given = {
    workflow: one("workflow"),
    // The client refuses a word that is no status.
    status: many("status") as readonly Status[] | undefined,
    tag: many("tag"),
    root: one("root"),
    children: children === undefined ? undefined : (true as const),
    direction,
    reason: one("reason"),
    id: one("id"),
    from: one("from"),
    before: one("before"),
    limit: numberIn(search, "limit", 1, 200),
    after: one("after"),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Those that a store can find. */
export function conditionsOf({ workflow, status, tag, root, children, from, before }: ExecutionsQuery): ListConditions {
  return {
    ...(workflow !== undefined && { workflow }),
    ...(status !== undefined && { status }),
    ...(tag !== undefined && { tags: tag }),
    ...(root !== undefined && { root }),
    ...(children !== undefined && { children }),
    ...(from !== undefined && { createdFrom: timeIn(from, "from") }),
    ...(before !== undefined && { createdBefore: timeIn(before, "before") }),
  };
}

/** Where nothing is chosen, or only that children are too. */
export function isEverything(conditions: ListConditions): boolean {
  return Object.keys(conditions).every((name) => name === "children");
}

/** @throws Refused */
export function needed(search: URLSearchParams, name: string): string {
  const value = search.get(name);
  if (value !== null && value !== "") return value;
  throw badRequest(`"${name}" is missing.`);
}

/** @throws Refused */
export function numberIn(search: URLSearchParams, name: string, least: number, most: number): number | undefined {
  const text = search.get(name);
  if (text === null || text === "") return undefined;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && value >= least && value <= most) return value;
  throw badRequest(`"${name}" must be a whole number from ${least} to ${most}.`);
}

function timeIn(text: string, name: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw badRequest(`"${name}" must be a time in ISO 8601.`);
  return time;
}
