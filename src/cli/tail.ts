/** `stepwell tail`: executions as they go on, in whatever process they are driven. */
import type { Client, ExecutionSummary, HistoryRow } from "../index.js";
import { span } from "../desk/model/spans.js";
import { sentenceOf } from "../desk/model/timeline.js";
import { asking, type OperateOptions } from "./asking.js";
import { whyOf } from "./look.js";
import type { Screen } from "./screen.js";
import { clean, jsonLine } from "./text.js";

export interface TailOptions extends OperateOptions {
  readonly workflow?: string;
  readonly tag?: string[];
  readonly root?: string;
  readonly children?: boolean;
  readonly from?: number;
}

export function tail(id: string | undefined, options: TailOptions, screen: Screen): Promise<number> {
  return asking(options, screen, async (client) => {
    const ending = new AbortController();
    const end = (): void => ending.abort();
    process.once("SIGINT", end).once("SIGTERM", end);
    // Whoever reads the lines has seen enough: `stepwell tail | head`.
    process.stdout.once("error", end);
    try {
      await (id === undefined
        ? many(client, options, screen, ending.signal)
        : one(client, id, options, screen, ending.signal));
    } finally {
      process.off("SIGINT", end).off("SIGTERM", end);
    }
  });
}

async function one(
  client: Client,
  id: string,
  options: TailOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  const { from = 0, json = false } = options;
  const execution = client.execution(id);
  for await (const row of execution.follow({ from, signal })) screen.result(json ? jsonLine(row) : lineOf(row));
  if (signal.aborted || json) return;
  screen.note(clean(`Execution "${id}" has ended: ${(await execution.summary()).status}.`));
}

async function many(client: Client, options: TailOptions, screen: Screen, signal: AbortSignal): Promise<void> {
  const { workflow, tag, root, children, json = false } = options;
  const filter = {
    ...(workflow !== undefined && { workflow }),
    ...(tag !== undefined && { tags: tag }),
    ...(root !== undefined && { root }),
    ...(children !== undefined && { children }),
    signal,
  };
  for await (const summary of client.follow(filter)) screen.result(json ? jsonLine(summary) : summaryLine(summary));
}

const arrows = { up: "↑", down: "↓" };

function lineOf(row: HistoryRow): string {
  const { revision, at, direction, durationMs } = row;
  const words = [at.toISOString(), String(revision).padStart(4), arrows[direction], sentenceOf(row)];
  if (durationMs >= 1) words.push(span(durationMs));
  return words.map(clean).join("  ");
}

function summaryLine({ id, workflow, status, updatedAt, flow, error, struggling }: ExecutionSummary): string {
  const why = whyOf(flow.reason, error);
  const words = [
    updatedAt.toISOString(),
    status.padEnd(10),
    arrows[flow.direction],
    `${workflow} ${id}`,
    `at ${flow.step}`,
  ];
  if (struggling) words.push("struggling");
  return [...words, ...(why === "" ? [] : [why])].map(clean).join("  ");
}
