/** What operators look at from a terminal. No workflow is needed, and no step runs here. */
import Table from "cli-table3";
import type { ExecutionSummary, HistoryRow, ListOptions } from "../index.js";
import { asking, type OperateOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

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
    ...(status !== undefined && { status: status as NonNullable<ListOptions["status"]> }),
    ...(tag !== undefined && { tags: tag }),
    ...(root !== undefined && { root }),
    ...(children !== undefined && { children }),
  };
  return asking(options, screen, async (client) => {
    if (count) {
      const all = Object.keys(conditions).every((name) => name === "children");
      const found = await client.select(all ? { ...conditions, all: true } : conditions).count();
      const { count: executions, more } = found;
      return screen.result(
        json ? jsonLine({ executions, more }) : more ? `more than ${executions}` : String(executions),
      );
    }
    const found: ExecutionSummary[] = [];
    let after: string | undefined;
    do {
      const more = Math.min(limit - found.length, largestPage);
      const page = await client.list({ ...conditions, limit: more, ...(after !== undefined && { after }) });
      found.push(...page.executions);
      after = page.cursor ?? undefined;
    } while (after !== undefined && found.length < limit);
    if (json) for (const one of found) screen.result(jsonLine(one));
    else screen.result(found.length === 0 ? "No executions." : listed(found));
    if (after !== undefined) screen.note(`There are more than ${found.length}. Show more of them with --limit.`);
  });
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

function listed(found: readonly ExecutionSummary[]): string {
  const table = new Table({ head: ["id", "workflow", "status", "way", "step", "since", "why"], ...plain });
  table.push(
    ...found.map(({ id, workflow, status, flow, updatedAt, error }) =>
      [id, workflow, status, flow.direction, flow.step, updatedAt.toISOString(), whyOf(flow.reason, error)].map(clean),
    ),
  );
  return table.toString();
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
