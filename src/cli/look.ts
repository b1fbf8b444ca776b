/** What operators look at from a terminal. No workflow is needed, and no step runs here. */
import Table from "cli-table3";
import type { Client, ExecutionSummary, HistoryRow, ListConditions } from "../index.js";
import { asking, type OperateOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { stuckBelow } from "./stuck-below.js";
import { clean, jsonLine, shellWord } from "./text.js";

export interface ListCommandOptions extends OperateOptions {
  readonly workflow?: string;
  readonly status?: string[];
  readonly tag?: string[];
  readonly root?: string;
  readonly children?: boolean;
  readonly limit?: number;
  readonly count?: boolean;
}

/** The largest page of `list`. */
const largestPage = 1000;

export function list(options: ListCommandOptions, screen: Screen): Promise<number> {
  const { workflow, status, tag, root, children, limit = 100, count = false, json = false } = options;
  const conditions = {
    ...(workflow !== undefined && { workflow }),
    // The client refuses a word that is no status.
    ...(status !== undefined && { status: status as NonNullable<ListConditions["status"]> }),
    ...(tag !== undefined && { tags: tag }),
    ...(root !== undefined && { root }),
    ...(children !== undefined && { children }),
  };
  return asking(options, screen, async (client) => {
    if (count) {
      const all = Object.keys(conditions).every((name) => name === "children");
      const found = await client.select(all ? { ...conditions, all: true } : conditions).count();
      const { count: executions, more } = found;
      screen.result(json ? jsonLine({ executions, more }) : more ? `more than ${executions}` : String(executions));
      return executions === 0 ? hintAtChildren(client, conditions, screen) : undefined;
    }
    const found: ExecutionSummary[] = [];
    let after: string | undefined;
    do {
      const more = Math.min(limit - found.length, largestPage);
      const page = await client.list({ ...conditions, limit: more, ...(after !== undefined && { after }) });
      found.push(...page.executions);
      after = page.cursor ?? undefined;
    } while (after !== undefined && found.length < limit);
    const stuck = await stuckBelow(client, found);
    if (json) for (const one of found) screen.result(jsonLine({ ...one, ...named(stuck.get(one.id)) }));
    else screen.result(found.length === 0 ? "No executions." : listed(found, stuck));
    if (found.length === 0) await hintAtChildren(client, conditions, screen);
    if (after !== undefined) screen.note(`There are more than ${found.length}. Show more of them with --limit.`);
  });
}

/** Nothing was found that was launched by itself. */
async function hintAtChildren(client: Client, conditions: ListConditions, screen: Screen): Promise<void> {
  if (conditions.children !== undefined || conditions.root !== undefined) return;
  const { executions } = await client.list({ ...conditions, children: true, limit: 1 });
  if (executions.length > 0) screen.note("There are children that fit. See them with --children.");
}

function named(stuck: ExecutionSummary | undefined): { readonly stuckBelow?: string } {
  return stuck === undefined ? {} : { stuckBelow: stuck.id };
}

export function history(id: string, options: OperateOptions, screen: Screen): Promise<number> {
  return asking(options, screen, async (client) => {
    const rows = await client.execution(id).history();
    if (options.json === true) for (const row of rows) screen.result(jsonLine(row));
    else screen.result(rows.length === 0 ? "Nothing was committed yet." : told(rows));
  });
}

/** Without colours: this may go into a file. */
const plain = { style: { head: [], border: [] } };

function listed(found: readonly ExecutionSummary[], stuck: ReadonlyMap<string, ExecutionSummary>): string {
  const table = new Table({ head: ["id", "workflow", "status", "way", "step", "since", "why"], ...plain });
  table.push(
    ...found.map(({ id, workflow, status, struggling, flow, updatedAt, error }) => {
      const why = [whyOf(flow.reason, error), ...waitsFor(stuck.get(id))].filter((it) => it !== "").join("; ");
      const where = struggling ? `${status}, struggling` : status;
      return [id, workflow, where, flow.direction, flow.step, updatedAt.toISOString(), why].map(clean);
    }),
  );
  return table.toString();
}

function waitsFor(stuck: ExecutionSummary | undefined): string[] {
  return stuck === undefined ? [] : [`waits for a child that is stuck: stepwell show ${shellWord(stuck.id)}`];
}

export function whyOf(reason: string, error: ExecutionSummary["error"]): string {
  const message = error?.message ?? "";
  if (reason === "normal" || reason === message) return message;
  return message === "" ? reason : `${reason}: ${message}`;
}

function told(rows: readonly HistoryRow[]): string {
  const head = ["revision", "at", "way", "step", "function", "attempt", "result", "ms", "by", "why"];
  const table = new Table({ head, ...plain });
  table.push(
    ...rows.map(({ revision, at, direction, step, func, attempt, result, durationMs, by = "", why, error }) =>
      [
        ...[String(revision), at.toISOString(), direction, step, func, String(attempt), result, String(durationMs), by],
        why ?? error?.message ?? "",
      ].map(clean),
    ),
  );
  return table.toString();
}
