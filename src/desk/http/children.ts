/** The children of one step, one by one, as their list has them. */
import type { ChildGroup, ChildLine, Client, Execution } from "../../index.js";
import { badRequest, Refused } from "./answers.js";
import type { ChildrenPage } from "./child-shapes.js";
import { needed, numberIn } from "./query.js";

const defaultPage = 50;

/** A list is read in its order: for those of one status so many lines are looked at in one request, so many at a time. */
const mostLookedAt = 10_000;
const atOnce = 1000;

const statuses: readonly string[] = [
  "notBegun",
  "underWay",
  "stuck",
  "completed",
  "rolledBack",
] satisfies readonly ChildLine["status"][];

export async function childrenOf(client: Client, search: URLSearchParams): Promise<ChildrenPage> {
  const limit = numberIn(search, "limit", 1, 200) ?? defaultPage;
  const status = search.get("status") || undefined;
  if (status !== undefined && !statuses.includes(status)) throw badRequest(`"status" is ${statuses.join(", ")}.`);
  const execution = client.execution(needed(search, "id"));
  const group = await groupOf(execution, search);
  const lines: ChildLine[] = [];
  let next = numberIn(search, "from", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  let lookedAt = 0;
  while (lines.length < limit && next < group.count && lookedAt < mostLookedAt) {
    const slice = {
      round: group.round,
      number: group.number,
      from: next,
      limit: status === undefined ? limit : atOnce,
    };
    const found = await execution.childrenOf(group.step, slice);
    if (found.length === 0) next = group.count;
    for (const line of found) {
      if (lines.length === limit) break;
      next = line.position + 1;
      lookedAt += 1;
      if (status === undefined || line.status === status) lines.push(line);
    }
  }
  const isLast = next >= group.count;
  const isCut = !isLast && lines.length < limit;
  return { execution: execution.id, group, lines, next: isLast ? null : next, ...(isCut && { lookedAt }) };
}

/** The last one that fits. */
async function groupOf(execution: Execution, search: URLSearchParams): Promise<ChildGroup> {
  const step = needed(search, "step");
  const [round, number] = ["round", "number"].map((name) => numberIn(search, name, 0, Number.MAX_SAFE_INTEGER));
  const group = (await execution.children()).findLast(
    (it) =>
      it.step === step && (round === undefined || it.round === round) && (number === undefined || it.number === number),
  );
  if (group !== undefined) return group;
  throw new Refused(404, "DESK_NOT_FOUND", `Execution "${execution.id}" has begun no such children at step "${step}".`);
}
