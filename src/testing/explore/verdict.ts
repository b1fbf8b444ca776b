/** What is held against a history that has come to its end: what the library promises, what a world shows, what the user says. */
import type { AnyWorkflow, HalfDoneOf } from "../../definition/bag.js";
import type { Certificate, CertifiedExecution } from "../../client/certificate.js";
import type { WhyLeft } from "../../execution/certificate.js";
import type { HistoryRow } from "../../execution/history.js";
import type { RollbackPreview } from "../../client/preview.js";
import type { Status } from "../../definition/flow.js";
import { exploredId } from "./calls.js";
import type { Asked } from "./others.js";
import type { History } from "./history.js";
import { participantsOf } from "./participant.js";

/** Where a history has ended, for the invariant of its user. */
export interface Ended<World, W extends AnyWorkflow = AnyWorkflow> {
  readonly world: World;
  readonly status: Status;
  readonly reason: string;
  readonly state: HalfDoneOf<W>;
  readonly history: readonly HistoryRow[];
  /** What is left in the world, as the history tells. */
  readonly certificate: Certificate;
  /** What the steps have asked of other executions by their `client`, in order: each once, however often it was asked for. */
  readonly asked: readonly Asked[];
}

export type Invariant<World, W extends AnyWorkflow = AnyWorkflow> = (ended: Ended<World, W>) => void | Promise<void>;

/** What is wrong. Empty: nothing. */
export async function verdictOn<World>(
  history: History<World>,
  invariant: Invariant<World> | undefined,
): Promise<readonly string[]> {
  if (history.violations.length > 0) return history.violations;
  const { operator, world, script, others } = history;
  const record = history.record();
  if (record === undefined) return ["It was never launched."];
  if (record.status !== "completed" && record.status !== "rolledBack")
    return [`It has not come to rest: it is ${record.status}.`];
  const execution = operator.client.execution(exploredId);
  const certificate = await execution.certificate();
  const rows = await execution.history();
  const found = [
    ...worldProblems(world, certificate),
    ...(history.isPreviewSure ? previewProblems(operator.preview, rows) : []),
  ];
  if (found.length > 0 || invariant === undefined || script.missed.length > 0) return found;
  const { status, position, state } = record;
  try {
    await invariant({
      world,
      status,
      reason: position.reason,
      state: state.value as object,
      history: rows,
      certificate,
      asked: others.asked,
    });
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  return [];
}

/** Why something stands after a rollback that nobody has said is to stay. */
const lost: Readonly<Partial<Record<WhyLeft, string>>> = {
  "no-undo": "its step has no rollback; if it can't be undone, say that it is irreversible",
  dropped: "a migration has dropped its step",
};

/** Nothing stands twice, nothing stands that the certificate does not name, and what was done stands. */
function worldProblems(world: unknown, certificate: Certificate): readonly string[] {
  const left = new Map(certificate.left.map((one) => [one.key, one]));
  const known = new Set(keysOf(certificate));
  const found: string[] = [];
  const participants = participantsOf(world);
  for (const [name, participant] of participants) {
    const counts = new Map<string, number>();
    for (const { effect, key } of participant.standing) {
      const one = `"${effect}" under "${key}"`;
      const count = (counts.get(one) ?? 0) + 1;
      counts.set(one, count);
      if (count === 2) found.push(`${one} stands twice at ${name}.`);
      const why = certificate.status === "rolledBack" ? lost[left.get(key)?.why ?? "stands"] : undefined;
      if (why !== undefined) {
        found.push(`${one} still stands at ${name}, for ${why}.`);
        continue;
      }
      const isKnown = known.has(key) ? left.has(key) : certificate.status !== "rolledBack" || left.size > 0;
      if (isKnown || count > 1) continue;
      const after = certificate.status === "rolledBack" ? "though all was rolled back" : "though it was undone";
      found.push(`${one} still stands at ${name}, ${after}.`);
    }
  }
  for (const { key, step, why } of left.values()) {
    if (why !== "stands" || !participants.some(([, one]) => one.knows(key))) continue;
    if (participants.some(([, one]) => one.standing.some((standing) => standing.key === key))) continue;
    found.push(`"${step}" was done, but what it did under "${key}" does not stand any more.`);
  }
  return found;
}

function keysOf({ doings, children }: CertifiedExecution): readonly string[] {
  return [...doings.map(({ key }) => key), ...children.flatMap(keysOf)];
}

/** What was done after a rollback was asked for is what its preview has said. */
function previewProblems(preview: RollbackPreview | undefined, rows: readonly HistoryRow[]): readonly string[] {
  if (preview === undefined || preview.refused !== undefined) return [];
  // Of what is in doubt it depends on the answer.
  const doubtful = new Set(preview.steps.flatMap(({ step, what }) => (what === "in-doubt" ? [step] : [])));
  const after = rows.filter(({ revision, step }) => revision > preview.revision && !doubtful.has(step));
  // What an operator skips is gone past like the others: no preview knows that there will be a skip.
  const isOver = ({ direction, result }: HistoryRow): boolean =>
    direction === "down" && (result === "ok" || result === "skipped");
  const done = after.filter(isOver).map(({ step }) => step);
  const told = preview.steps.flatMap(({ step, what }) => (what === "never-ran" || doubtful.has(step) ? [] : [step]));
  if (done.join() === told.join()) return [];
  return [
    `The preview has said that ${told.join(", ") || "nothing"} would go back; it was ${done.join(", ") || "nothing"}.`,
  ];
}
