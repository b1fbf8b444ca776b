/** Lists and figures of the desk. Every one of them reads a bounded part of the store. */
import { findings, type Client, type ExecutionSummary, type StepOutline, type Status } from "../../index.js";
import type { Feed } from "./feed.js";
import { Refused } from "./answers.js";
import type { DeskSettings } from "./options.js";
import type { Printer } from "./print.js";
import { conditionsOf, executionsQuery, isEverything, needed, numberIn } from "./query.js";
import type {
  Count,
  DeadLettersPage,
  ExecutionsPage,
  ExecutionsQuery,
  LaunchersView,
  LimitsView,
  Overview,
  SchedulesView,
  WorkflowLine,
  WorkflowNames,
  WorkflowsView,
  WorkflowView,
} from "./shapes.js";
import { damagedLine, letterView, lineOf, scheduleView } from "./views.js";
import { span } from "../model/spans.js";

export interface Reading {
  readonly client: Client;
  readonly settings: DeskSettings;
  readonly printer: Printer;
  readonly feed: Feed;
}

const live = ["scheduled", "running", "waiting", "stuck"] as const satisfies readonly Status[];

const statuses = [...live, "completed", "rolledBack"] as const satisfies readonly Status[];

/** So many are shown of what needs a person. */
const mostTroubled = 20;

/** So many of those that are not at rest are looked at for those that struggle: no index knows them. */
const lookedAtForTrouble = 500;

/** So many are looked at in one request for what no index serves. */
const mostLookedAt = 2_000;

const defaultPage = 50;

export async function overview({ client, feed }: Reading): Promise<Overview> {
  const all = { children: true } as const;
  const count = async (status: Status): Promise<[Status, Count]> => [status, await countOf(client, { status, ...all })];
  const moving = { status: ["scheduled", "running", "waiting"], limit: lookedAtForTrouble } as const;
  const [now, counts, deadLetters, stuck, free, any] = await Promise.all([
    client.fleet.now(),
    Promise.all(statuses.map(count)),
    client.countDeadLettersByWorkflow(),
    client.list({ status: "stuck", ...all, limit: mostTroubled }),
    // By themselves too: the children of one step may be more than are looked at.
    client.list(moving),
    client.list({ ...moving, ...all }),
  ]);
  const others = new Map([...any.executions, ...free.executions].map((it) => [it.id, it]));
  return {
    now: now.toISOString(),
    counts: Object.fromEntries(counts) as unknown as Overview["counts"],
    deadLetters,
    stuck: stuck.executions.map(lineOf),
    struggling: [...others.values()]
      .filter(({ struggling }) => struggling)
      .toSorted((one, other) => other.createdAt.getTime() - one.createdAt.getTime())
      .slice(0, mostTroubled)
      .map(lineOf),
    window: feed.window(),
  };
}

type Conditions = ReturnType<typeof conditionsOf>;

export async function countOf(client: Client, conditions: Conditions): Promise<Count> {
  try {
    return await client.select(isEverything(conditions) ? { ...conditions, all: true } : conditions).count();
  } catch (error) {
    if ((error as { code?: unknown }).code === "STEPWELL_FILTER_TOO_WIDE")
      return { count: 0, more: true, unknown: true };
    throw error;
  }
}

export async function countExecutions({ client }: Reading, search: URLSearchParams): Promise<Count> {
  const query = executionsQuery(search);
  if (isSlow(query)) return { count: 0, more: true, unknown: true };
  return countOf(client, conditionsOf(query));
}

/** Asks for what no index serves. */
function isSlow({ id, direction, reason }: ExecutionsQuery): boolean {
  return (id ?? direction ?? reason) !== undefined;
}

export async function executions({ client }: Reading, search: URLSearchParams): Promise<ExecutionsPage> {
  const query = executionsQuery(search);
  const conditions = conditionsOf(query);
  const { limit = defaultPage } = query;
  const now = (await client.fleet.now()).toISOString();
  const exact = query.after === undefined && query.id !== undefined ? await found(client, query.id) : undefined;
  const lines = exact === undefined || !fits(exact, query) ? [] : [lineOf(exact)];
  const damaged = [];
  let cursor = query.after ?? null;
  let lookedAt = 0;
  do {
    const page = await client.list({ ...conditions, limit, ...(cursor !== null && { after: cursor }) });
    lookedAt += page.executions.length + page.damaged.length;
    cursor = page.cursor;
    lines.push(...page.executions.filter((it) => it.id !== exact?.id && fits(it, query)).map(lineOf));
    damaged.push(
      ...page.damaged.filter(({ id }) => query.id === undefined || id.startsWith(query.id)).map(damagedLine),
    );
  } while (cursor !== null && lines.length < limit && lookedAt < mostLookedAt);
  const isCut = isSlow(query) && cursor !== null;
  return { now, executions: lines, damaged, cursor, ...(isCut && { lookedAt }) };
}

function fits(
  it: ExecutionSummary,
  { id, direction, reason, workflow, root, status, tag, from, before }: ExecutionsQuery,
): boolean {
  return (
    (id === undefined || it.id.startsWith(id)) &&
    (direction === undefined || it.flow.direction === direction) &&
    (reason === undefined || it.flow.reason === reason) &&
    (workflow === undefined || it.workflow === workflow) &&
    (root === undefined || it.root === root) &&
    (status === undefined || status.includes(it.status)) &&
    (tag ?? []).every((one) => it.tags.includes(one)) &&
    (from === undefined || it.createdAt >= new Date(from)) &&
    (before === undefined || it.createdAt < new Date(before))
  );
}

/** The one with this very id, also where it is a child and the list is not of children. Undefined: there is none, or it can't be read. */
async function found(client: Client, id: string): Promise<ExecutionSummary | undefined> {
  try {
    return await client.execution(id).summary();
  } catch {
    return undefined;
  }
}

/** By name, with their versions. */
async function workflowsSeen({ client, settings }: Reading): Promise<(readonly [string, ReadonlySet<string>])[]> {
  const names = new Map<string, Set<string>>();
  for (const { name, version } of [...(await client.fleet.workflows()), ...settings.workflows]) {
    names.set(name, (names.get(name) ?? new Set()).add(version));
  }
  return [...names].toSorted(([one], [other]) => (one < other ? -1 : 1));
}

export async function workflowNames(reading: Reading): Promise<WorkflowNames> {
  return { names: (await workflowsSeen(reading)).map(([name]) => name) };
}

export async function workflows(reading: Reading): Promise<WorkflowsView> {
  const { client, settings } = reading;
  const sorted = await workflowsSeen(reading);
  return {
    workflows: await Promise.all(
      sorted.map(async ([name, versions]): Promise<WorkflowLine> => {
        const count = (status: Status): Promise<Count> => countOf(client, { workflow: name, status, children: true });
        const [running, waiting, scheduled, stuck] = await Promise.all([
          count("running"),
          count("waiting"),
          count("scheduled"),
          count("stuck"),
        ]);
        const here = settings.workflows.filter((it) => it.name === name);
        const gaps = here.at(-1) === undefined ? 0 : findings(here.at(-1)!).length;
        return {
          ...{ name, running, waiting, scheduled, stuck },
          versions: [...versions].toSorted(byVersion),
          launchable: here.length > 0,
          findings: gaps,
        };
      }),
    ),
  };
}

const byVersion = new Intl.Collator("en", { numeric: true }).compare;

export async function workflow({ client, settings }: Reading, search: URLSearchParams): Promise<WorkflowView> {
  const name = needed(search, "name");
  const kept = (await client.fleet.workflows()).filter((it) => it.name === name);
  const here = settings.workflows.filter((it) => it.name === name);
  const { executions: moving, cursor } = await client.list({
    workflow: name,
    status: live,
    children: true,
    limit: 1000,
  });
  const versions = new Set([...kept, ...here, ...moving].map(({ version }) => version));
  if (versions.size === 0)
    throw new Refused(404, "DESK_NOT_FOUND", `No workflow ${JSON.stringify(name)} was seen here.`);
  const sorted = [...versions].toSorted(byVersion);
  const version = search.get("version") ?? sorted.at(-1)!;
  const known = here.find((it) => it.version === version);
  const steps: readonly StepOutline[] = kept.find((it) => it.version === version)?.lists.at(-1) ?? [];
  return {
    name,
    version,
    steps,
    versions: sorted.map((it) => {
      const count = moving.filter((one) => one.version === it).length;
      return {
        version: it,
        inFlight: { count, more: cursor !== null },
        known: here.some((one) => one.version === it),
      };
    }),
    findings: known === undefined ? [] : findings(known),
    launchable: known !== undefined,
  };
}

export async function schedules({ client, printer, settings }: Reading): Promise<SchedulesView> {
  const [now, all] = await Promise.all([client.fleet.now(), client.schedules.list()]);
  const isHere = (schedule: { readonly workflow: string; readonly version: string }): boolean =>
    settings.workflows.some(({ name, version }) => name === schedule.workflow && version === schedule.version);
  return { now: now.toISOString(), schedules: all.map((it) => scheduleView(it, printer, isHere(it))) };
}

export async function deadLetters({ client, printer }: Reading, search: URLSearchParams): Promise<DeadLettersPage> {
  const given = { workflow: search.get("workflow"), execution: search.get("execution"), name: search.get("name") };
  const conditions = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== ""));
  const after = search.get("after");
  const limit = numberIn(search, "limit", 1, 200) ?? defaultPage;
  const { letters, damaged, cursor } = await client.deadLetters({
    ...conditions,
    limit,
    ...(after !== null && after !== "" && { after }),
  });
  return { letters: letters.map((it) => letterView(it, printer)), damaged: damaged.map(damagedLine), cursor };
}

export async function limits({ client }: Reading): Promise<LimitsView> {
  const all = await client.fleet.limits();
  return {
    limits: await Promise.all(
      all.map(async ({ workflow: name, concurrency, perKey, rate, held, waiting }) => ({
        workflow: name,
        limit: concurrency,
        keyLimit: perKey,
        rate: rate === null ? null : `${rate.limit} per ${span(rate.perMs)}`,
        held,
        queued: waiting ? await queuedOf(client, name) : { count: 0, more: false },
      })),
    ),
  };
}

async function queuedOf(client: Client, workflow: string): Promise<Count> {
  const queued = { workflow, status: "scheduled", children: true, limit: 1000 } as const;
  const { executions: all, cursor } = await client.list(queued);
  return { count: all.filter(({ queued }) => queued).length, more: cursor !== null };
}

export async function launchers({ client }: Reading): Promise<LaunchersView> {
  const [all, unattended] = await Promise.all([client.fleet.launchers(), client.fleet.unattended()]);
  return { launchers: all, unattended };
}
