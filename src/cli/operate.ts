/** What operators do from a terminal: look at executions, and act on one. No workflow is needed, and no step runs here. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { inspect } from "node:util";
import Table from "cli-table3";
import {
  Client,
  StepwellError,
  type ErrorCode,
  type Execution,
  type ExecutionSummary,
  type HistoryRow,
  type ListOptions,
} from "../index.js";
import type { Screen } from "./screen.js";
import { existingStoreOn } from "./store.js";
import { clean, described, jsonLine, messageOf } from "./text.js";

export interface OperateOptions {
  readonly store: string;
  readonly schema?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

export interface ActOptions extends OperateOptions {
  /** Default: the user of the machine. */
  readonly by?: string;
  /** For how long a launcher is waited for, where only a launcher can decide. */
  readonly patience?: string;
  /** JSON, or `@` and the path of a file with it. */
  readonly patch?: string;
}

export interface ListCommandOptions extends OperateOptions {
  readonly workflow?: string;
  readonly status?: string[];
  readonly tag?: string[];
  readonly limit?: number;
  readonly count?: boolean;
}

/** The exit codes. Errors in the usage and of the store end the process with 2. */
const operateCodes = { done: 0, refused: 1, undecided: 3 } as const;

/** Codes of errors that refuse a request: nothing was changed. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STEPWELL_EXECUTION_NOT_FOUND",
  "STEPWELL_EXECUTION_NOT_STUCK",
  "STEPWELL_EXECUTION_STUCK",
  "STEPWELL_EXECUTION_ENDED",
  "STEPWELL_INVALID_PATCH",
  "STEPWELL_PAST_PIVOT",
  "STEPWELL_ROLLBACK_REFUSED",
]);

/** The largest page of `list`. */
const largestPage = 1000;

/** Does the work with a client on the store, which must be there. Gives back the exit code. */
async function asking(
  options: ActOptions,
  screen: Screen,
  work: (client: Client) => Promise<number | void>,
): Promise<number> {
  const { store, schema, patience, json = false, debug = false } = options;
  const client = new Client({
    store: existingStoreOn(store, schema),
    onError: (error) => screen.note(described(error, debug)),
    ...(patience !== undefined && { patience: patience as `${number}s` }),
  });
  try {
    return (await work(client)) ?? operateCodes.done;
  } catch (error) {
    if (!(error instanceof StepwellError)) throw error;
    const isUndecided = error.code === "STEPWELL_UNDECIDED";
    if (!isUndecided && !refusals.has(error.code)) throw error;
    if (json) screen.result(jsonLine({ accepted: isUndecided ? null : false, ...error.toJSON() }));
    else screen.note(isUndecided ? clean(error.message) : described(error, debug));
    return isUndecided ? operateCodes.undecided : operateCodes.refused;
  } finally {
    await client.stop();
  }
}

export function list(options: ListCommandOptions, screen: Screen): Promise<number> {
  const { workflow, status, tag, limit = 100, count = false, json = false } = options;
  const conditions = {
    ...(workflow !== undefined && { workflow }),
    // The client refuses a word that is no status.
    ...(status !== undefined && { status: status as NonNullable<ListOptions["status"]> }),
    ...(tag !== undefined && { tags: tag }),
  };
  return asking(options, screen, async (client) => {
    if (count) {
      const all = Object.keys(conditions).length === 0;
      const found = await client.select(all ? { all: true } : conditions).count();
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

export function show(id: string, options: OperateOptions, screen: Screen): Promise<number> {
  return asking(options, screen, async (client) => {
    const execution = client.execution(id);
    const [summary, state, mailbox] = await Promise.all([execution.summary(), execution.state(), execution.mailbox()]);
    const pending = mailbox.filter((message) => message.status === "pending");
    if (options.json === true) screen.result(jsonLine({ ...summary, state, pending }));
    else screen.result([...linesOf(summary), ...stateLines(state), ...pendingLines(pending)].map(clean).join("\n"));
  });
}

export function history(id: string, options: OperateOptions, screen: Screen): Promise<number> {
  return asking(options, screen, async (client) => {
    const rows = await client.execution(id).history();
    if (options.json === true) for (const row of rows) screen.result(jsonLine(row));
    else screen.result(rows.length === 0 ? "Nothing was committed yet." : told(rows));
  });
}

export interface RetryCommandOptions extends ActOptions {
  readonly reason?: string;
}

export function retry(id: string, options: RetryCommandOptions, screen: Screen): Promise<number> {
  return acting("retry", id, options, screen, async (execution, by) => {
    const patch = patchOf(options);
    await execution.retry({ by, ...patch, ...(options.reason !== undefined && { reason: options.reason }) });
    return `Execution "${id}" tries its step again as soon as a launcher takes it up.`;
  });
}

export function skip(id: string, reason: string, options: ActOptions, screen: Screen): Promise<number> {
  return acting("skip", id, options, screen, async (execution, by) => {
    await execution.skip(reason, { by, ...patchOf(options) });
    return `Execution "${id}" takes its step as done and goes on as soon as a launcher takes it up.`;
  });
}

export interface RollbackCommandOptions extends ActOptions {
  readonly ifCompleted?: string;
}

export function rollback(id: string, reason: string, options: RollbackCommandOptions, screen: Screen): Promise<number> {
  return acting("rollback", id, options, screen, async (execution, by) => {
    const { ifCompleted } = options;
    const answer = await execution.rollback(reason, {
      by,
      ...(ifCompleted !== undefined && { ifCompleted: ifCompleted as "undo" }),
    });
    if (!answer.accepted) throw answer.error;
    return `Execution "${id}" is being rolled back.`;
  });
}

export interface SendCommandOptions extends OperateOptions {
  readonly messageId?: string;
}

export function send(
  id: string,
  name: string,
  payload: string | undefined,
  options: SendCommandOptions,
  screen: Screen,
): Promise<number> {
  return asking(options, screen, async (client) => {
    const { messageId, json = false } = options;
    const value = payload === undefined ? null : valueOf(payload, "the payload");
    const sent = await client.send(id, name, value, messageId === undefined ? {} : { messageId });
    if (json) screen.result(jsonLine({ accepted: true, execution: id, ...sent }));
    else if (sent.duplicate) screen.result(clean(`The message had been sent to "${id}" before. Nothing was stored.`));
    else screen.result(clean(`Sent to "${id}", as message "${sent.id}".`));
  });
}

/** An act on one execution, told in a sentence. */
function acting(
  act: string,
  id: string,
  options: ActOptions,
  screen: Screen,
  work: (execution: Execution, by: string) => Promise<string>,
): Promise<number> {
  return asking(options, screen, async (client) => {
    const by = options.by ?? userInfo().username;
    const sentence = await work(client.execution(id), by);
    screen.result(options.json === true ? jsonLine({ accepted: true, execution: id, act, by }) : clean(sentence));
  });
}

function patchOf({ patch }: ActOptions): { patch?: object } {
  return patch === undefined ? {} : { patch: valueOf(patch, "--patch") as object };
}

/** From the text of an argument, or from a file: a secret need not stand in the list of processes. */
function valueOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text);
  } catch (cause) {
    throw new StepwellError(
      "STEPWELL_INVALID_ARGUMENT",
      `${what} must be JSON, or @ and the path of a file with it: ${messageOf(cause)}`,
      { cause },
    );
  }
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

function whyOf(reason: string, error: ExecutionSummary["error"]): string {
  const message = error?.message ?? "";
  if (reason === "normal" || reason === message) return message;
  return message === "" ? reason : `${reason}: ${message}`;
}

function linesOf(summary: ExecutionSummary): string[] {
  const { id, workflow, version, status, flow, tags, error, createdAt, updatedAt } = summary;
  const way = flow.direction === "up" ? "going up" : "going down";
  const lines = [
    `execution  ${id}`,
    `workflow   ${workflow}, version ${version}`,
    `status     ${status} since ${updatedAt.toISOString()}`,
    `at         step ${flow.stepIndex + 1}, "${flow.step}", ${way}`,
    ...(flow.reason === "normal" ? [] : [`reason     ${flow.reason}`]),
    ...(error === undefined ? [] : [`error      ${error.code === undefined ? "" : `${error.code}: `}${error.message}`]),
    ...(tags.length === 0 ? [] : [`tags       ${tags.join(", ")}`]),
    `created    ${createdAt.toISOString()}`,
  ];
  if (status !== "stuck") return lines;
  return [
    ...lines,
    `acts       retry: its step is tried again, from its beginning`,
    `           skip: its step is taken as done, for a reason that is kept`,
  ];
}

function stateLines(state: unknown): string[] {
  return [
    "state",
    ...inspect(state, { depth: 6 })
      .split("\n")
      .map((line) => `  ${line}`),
  ];
}

function pendingLines(
  pending: readonly { readonly name: string; readonly id: string; readonly receivedAt: Date }[],
): string[] {
  if (pending.length === 0) return [];
  return [
    "messages that no step has taken yet",
    ...pending.map(({ name, id, receivedAt }) => `  ${name}, ${id}, ${receivedAt.toISOString()}`),
  ];
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
