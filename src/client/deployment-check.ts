/** What the registered workflows would do to the executions in a store: to be asked before the workflows are deployed. */
import type { Direction, Status } from "../definition/flow.js";
import type { StepOutline } from "../definition/outline.js";
import { changeInTheWay, shapeOf, type Standing } from "../execution/definition-change.js";
import { slice, tallyOf } from "../execution/children.js";
import { recallName } from "../execution/recall.js";
import { isPastPivot } from "../execution/router.js";
import type { ExecutionRecord } from "../execution/records.js";
import type { ListedExecution, Store } from "../stores/contract.js";
import { hasBegun } from "../execution/execution.js";
import { workflowOf } from "../runtime/child-launches.js";
import { mismatchOf } from "../runtime/definition-check.js";
import { migrationPathsOf, moved, type MigrationPath } from "../runtime/upgrade.js";
import { registryKey, type Registered } from "../session/registry.js";
import { StoredStepLists } from "../session/step-lists.js";
import { isUndecodable, stateOf } from "../session/damaged-rows.js";

/**
 * - `goes-on`: with the list of steps that the execution began with, or with a changed list whose change is not in its way
 * - `migrates`: the execution becomes one of another version first
 * - `parks`: a change of the list is in its way, or its migration fails; `why` says what
 * - `unknown`: its workflow and version are not registered, or those of children that it still is to begin; the execution waits
 *   until a launcher has them
 */
export type Forecast = "goes-on" | "migrates" | "parks" | "unknown";

/** Executions that stand alike, and what would become of them. */
export interface CompatibilityGroup {
  readonly workflow: string;
  readonly version: string;
  readonly status: Status;
  /** `unknown`, as the step: the executions can't be read back. */
  readonly direction: Direction | "unknown";
  /** The step at which the executions stand. */
  readonly step: string;
  readonly count: number;
  /** The ids of some of them, at most three. */
  readonly examples: readonly string[];
  /** What becomes of them if they go on. */
  readonly forward: Forecast;
  /** What becomes of them if they are rolled back. Past a pivot nothing is rolled back: then the same as `forward`. */
  readonly back: Forecast;
  /** For executions that migrate: the version, and the step, that they come to. */
  readonly to?: { readonly version: string; readonly step: string };
  /** Why they can't go on, or not go back. Left out: they can. */
  readonly why?: string;
}

const live: readonly Status[] = ["scheduled", "running", "waiting", "stuck"];

const pageSize = 500;
const mostExamples = 3;

/** Reads all live executions, a page at a time. A store that is not open is opened for it. */
export async function compatibilityOf(
  store: Store,
  registry: ReadonlyMap<string, Registered>,
  sizeLimit: number,
): Promise<CompatibilityGroup[]> {
  const wasOpen = store.isOpen;
  if (!wasOpen) await store.open();
  try {
    return await groupsIn(store, migrationPathsOf(registry), new StoredStepLists(store), sizeLimit);
  } finally {
    if (!wasOpen) await store.close();
  }
}

async function groupsIn(
  store: Store,
  paths: ReadonlyMap<string, MigrationPath>,
  lists: StoredStepLists,
  sizeLimit: number,
): Promise<CompatibilityGroup[]> {
  const groups = new Map<string, CompatibilityGroup & { count: number; examples: string[] }>();
  let after: string | undefined;
  do {
    const { records: all, cursor } = await store.list({ status: live, limit: pageSize, after });
    // Every launcher brings its own.
    const records = all.filter(({ workflow }) => workflow !== recallName);
    const wholes = await wholesOf(records, paths, store);
    for (const record of records) {
      const group = await groupOf(record, paths, lists, sizeLimit, wholes.get(record.id));
      // What can't be read says nothing of children either.
      const isRead = group.direction !== "unknown";
      const missing = isRead ? await missingChild(record, paths, store) : undefined;
      const found = missing === undefined ? group : { ...group, forward: "unknown" as const, why: missing };
      const key = JSON.stringify(found);
      const alike = groups.get(key) ?? { ...found, count: 0, examples: [] };
      alike.count += 1;
      if (alike.examples.length < mostExamples) alike.examples.push(record.id);
      groups.set(key, alike);
    }
    after = cursor ?? undefined;
  } while (after !== undefined);
  return [...groups.values()].toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

/**
 * A child of an open list that could not go on where it began now. Those that have begun are executions, with a forecast of their
 * own. Children of one key have one version, so that few lines say it for all.
 */
async function missingChild(
  { id, workflow, version, position }: ListedExecution,
  paths: ReadonlyMap<string, MigrationPath>,
  store: Store,
): Promise<string | undefined> {
  const path = paths.get(registryKey(workflow, version));
  const definition = path?.hops[0]?.migration.older ?? path?.registered.definition;
  const step = definition?.steps.find(({ name }) => name === position.step);
  if (step?.children === undefined || position.stepFunc !== "runContinue") return undefined;
  for (const record of (await store.lists?.of(id)) ?? []) {
    const tally = tallyOf(record);
    const lines = record.status === "open" ? ((await store.lists?.launches(record.id, tally.next, slice)) ?? []) : [];
    const missing = lines
      .map((line) => workflowOf(line, tally))
      .find((child) => !paths.has(registryKey(child.name, child.version)));
    if (missing === undefined) continue;
    const { name, version } = missing;
    return `children of step "${step.name}" that have not begun are of workflow "${name}" version "${version}", which is not registered`;
  }
  return undefined;
}

/** The whole records of executions that are migrated: their state matters, and a list does not hold it. */
async function wholesOf(
  records: readonly ListedExecution[],
  paths: ReadonlyMap<string, MigrationPath>,
  store: Store,
): Promise<ReadonlyMap<string, ExecutionRecord>> {
  const ids = records.flatMap(({ id, workflow, version }) =>
    (paths.get(registryKey(workflow, version))?.hops.length ?? 0) > 0 ? id : [],
  );
  const loaded = ids.length === 0 ? [] : await store.load(ids);
  return new Map(loaded.flatMap((it) => (it === undefined ? [] : [[it.id, it] as const])));
}

async function groupOf(
  record: ListedExecution,
  paths: ReadonlyMap<string, MigrationPath>,
  lists: StoredStepLists,
  sizeLimit: number,
  whole: ExecutionRecord | undefined,
): Promise<Omit<CompatibilityGroup, "count" | "examples">> {
  const { workflow, version, status } = record;
  try {
    const { direction, step } = record.position;
    const forecast = await forecastOf(
      takenUp(record),
      paths.get(registryKey(workflow, version)),
      lists,
      sizeLimit,
      whole,
    );
    return { workflow, version, status, direction, step, ...forecast };
  } catch (error) {
    if (!isUndecodable(error)) throw error;
    return { workflow, version, status, direction: "unknown", step: "unknown", ...parks("it can't be read back") };
  }
}

/** An execution that a launcher works on may have been begun: the launcher that takes it up next counts one more claim. */
function takenUp(record: ListedExecution): ListedExecution {
  return record.owner === null ? record : { ...record, claims: record.claims + 1 };
}

type Forecasts = Pick<CompatibilityGroup, "forward" | "back" | "why" | "to">;

async function forecastOf(
  record: ListedExecution,
  path: MigrationPath | undefined,
  lists: StoredStepLists,
  sizeLimit: number,
  whole: ExecutionRecord | undefined,
): Promise<Forecasts> {
  if (path === undefined) return { forward: "unknown", back: "unknown" };
  if (mismatchOf(record, path) === undefined) return goesOn;
  const { workflow, version, position, fingerprint } = record;
  const { registered, hops } = path;
  const before = fingerprint === null ? undefined : await lists.find(workflow, version, fingerprint);
  if (hops.length > 0) return migrates(record, path, before, sizeLimit, whole);
  if (!hasBegun({ ...record, uncommittedAttempts: 0 })) return goesOn;
  if (before === undefined) {
    // Only the name of its step can be compared.
    if (registered.definition.steps[position.stepIndex]?.name === position.step) return goesOn;
    return parks(`step "${position.step}" is not there any more`);
  }
  const turned: Standing = { ...position, direction: "down", stepFunc: "rollback", waitUntil: null };
  const after = registered.stepList.outline;
  const ahead = changeInTheWay(before, after, position);
  // An execution past the pivot is never rolled back, so only the way ahead counts.
  const turns = position.direction === "up" && !isPastPivot(position, shapeOf(before));
  const behind = turns ? changeInTheWay(before, after, turned) : ahead;
  const why = ahead ?? behind;
  return {
    forward: ahead === undefined ? "goes-on" : "parks",
    back: behind === undefined ? "goes-on" : "parks",
    ...(why !== undefined && { why }),
  };
}

const goesOn: Forecasts = { forward: "goes-on", back: "goes-on" };

function parks(why: string): Forecasts {
  return { forward: "parks", back: "parks", why };
}

/** Tries the migration out, and keeps nothing of it. An execution that has migrated goes on and rolls back like any other. */
function migrates(
  record: ListedExecution,
  path: MigrationPath,
  before: readonly StepOutline[] | undefined,
  sizeLimit: number,
  whole: ExecutionRecord | undefined,
): Forecasts {
  const { id, workflow, version } = record;
  if (whole === undefined) return parks("it was pruned meanwhile");
  let state: object;
  try {
    state = stateOf(whole);
  } catch {
    return parks("its state can't be read back");
  }
  const moving = {
    ...record,
    identity: { id, workflow, version },
    state,
    uncommittedAttempts: 0,
    changedAt: record.updatedAt,
  };
  const it = moved(moving, path, before, sizeLimit);
  if ("problem" in it) return parks(it.problem);
  const to = { version: it.migration.to, step: it.position.step };
  return { forward: "migrates", back: "migrates", to };
}

function keyOf({ workflow, version, status, step }: CompatibilityGroup): string {
  return [workflow, version, status, step].join("\n");
}
