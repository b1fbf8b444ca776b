/** The invariants of the promises, held against what was committed and against the participants' own records. */
import { initialFlow } from "../../src/execution/position.js";
import type { ExecutionRecord, HistoryRecord, MailboxRecord } from "../../src/execution/records.js";
import type { Effect } from "./effects.js";
import type { Plan } from "./plan.js";

export interface Trial {
  readonly plan: Plan;
  /** Its rollback request was accepted. */
  readonly recalled: boolean;
  readonly record: ExecutionRecord;
  readonly history: readonly HistoryRecord[];
  readonly mailbox: readonly MailboxRecord[];
  readonly effects: readonly Effect[];
  /** The messages whose send was acknowledged. */
  readonly sent: readonly string[];
}

export function violationsOf(trial: Trial): string[] {
  const { id, status } = trial.record;
  // What has not come to rest can't be held against its end; all that is known of it is said.
  const found =
    status === "completed" || status === "rolledBack"
      ? [...ends(trial), ...history(trial), ...timers(trial), ...books(trial), ...messages(trial)]
      : [`is ${status}: ${described(trial)}`];
  if (found.length > 0 && status !== "waiting") found.push(described(trial));
  return found.map((what) => `${id}: ${what}`);
}

function described({ plan, recalled, record, history: rows, mailbox, effects }: Trial): string {
  const { position, owner, dueAt, claims, signals } = record;
  return JSON.stringify({
    ...{ plan, recalled, position, owner, dueAt, claims, signals },
    history: rows.map(
      ({ func, step, result, attempt, message }) => `${func} ${step} ${result} #${attempt} ${message?.id ?? ""}`,
    ),
    effects: effects.map(({ key, cancelled }) => `${key} ${cancelled}`),
    mailbox: mailbox.map(({ kind, name, messageId, status, step }) => `${kind} ${name} ${messageId} ${status} ${step}`),
  });
}

/** The known answer. */
function ends({ plan, recalled, record }: Trial): string[] {
  const { status, position } = record;
  if (plan.failsAt === null && !recalled) return status === "completed" ? [] : [`should be completed, is ${status}`];
  if (status !== "rolledBack") return [`should be rolled back, is ${status}`];
  const reasons = [...(recalled ? ["recalled"] : []), ...(plan.failsAt === null ? [] : [`broken-${plan.failsAt}`])];
  return reasons.includes(position.reason)
    ? []
    : [`rolled back for ${position.reason}, not for ${reasons.join(" or ")}`];
}

/** 1: gapless revisions. 2: one turn. 3: up 0, 1, 2 …; down f … 0. 4: honest ends. 8: nothing stranded. */
function history({ record, history: rows }: Trial): string[] {
  const found: string[] = [];
  rows.forEach(({ revision }, index) => {
    if (revision !== index + 1) found.push(`revision ${revision} stands at place ${index + 1}`);
  });
  if (record.revision !== rows.length) found.push(`${rows.length} rows of history for revision ${record.revision}`);
  if (record.owner !== null || record.dueAt !== null) found.push("is stranded: owned or due after the end");
  const done = (direction: "up" | "down"): number[] =>
    rows.filter((row) => row.direction === direction && row.result === "ok").map(({ stepIndex }) => stepIndex);
  const [up, down] = [done("up"), done("down")];
  up.forEach((stepIndex, index) => {
    if (stepIndex !== index) found.push(`went up to step ${stepIndex} as number ${index}`);
  });
  const turned = rows.findIndex(({ direction }) => direction === "down");
  if (turned >= 0 && rows.slice(turned).some(({ direction }) => direction === "up"))
    found.push("went up after it had turned");
  if (record.status === "completed" && down.length > 0) found.push("is completed, and something was undone");
  if (record.status === "rolledBack" && record.position.lifecycle !== initialFlow.lifecycle) {
    const first = down[0] ?? -1;
    if (down.some((stepIndex, index) => stepIndex !== first - index)) found.push(`undid ${down.join(", ")}`);
    if (down.length > 0 && down.at(-1) !== 0) found.push(`stopped undoing at step ${down.at(-1)}`);
    if (up.length > 0 && first < up.at(-1)!) found.push(`did step ${up.at(-1)} and began undoing at ${first}`);
  }
  return found;
}

/** 7: no timer fires early; a wait is ended once, by its timer or by a message. */
function timers({ plan, history: rows }: Trial): string[] {
  return plan.legs.flatMap((_, index) => {
    const ended = endsOfWait(rows, index);
    const early = ended.filter(({ at, patch }) => at < wokenAt(patch));
    return [
      ...(ended.length > 1 ? [`ended the wait of step ${index} ${ended.length} times`] : []),
      ...early.map(({ at, patch }) => `woke step ${index} at ${at}, ${wokenAt(patch) - at} ms early`),
      ...ended
        .filter(({ message, patch }) => message !== undefined && wokenAt(patch) > -Infinity)
        .map(() => `ended the wait of step ${index} by a message and by its timer`),
    ];
  });
}

/** The commits by which a handler ended a wait on the way up; failures that were tried again ended nothing. */
function endsOfWait(rows: readonly HistoryRecord[], index: number): HistoryRecord[] {
  return rows.filter(
    ({ func, stepIndex, result }) =>
      func === "runContinue" && stepIndex === index && (result === "ok" || result === `broken-${index}`),
  );
}

/** When a wait was to end, by the key that its `onTimeout` had; -Infinity: it was not a timer that ended it. */
function wokenAt(patch: HistoryRecord["patch"]): number {
  const { woke } = (patch?.value ?? {}) as { readonly woke?: string };
  return woke === undefined ? -Infinity : Number(woke.split("/").at(-1));
}

/** 5: one effect for a key; completed: each step's effect stands; rolled back: none does. */
function books({ record, effects, plan, history: rows }: Trial): string[] {
  const standing = effects.filter(({ cancelled }) => cancelled === 0);
  if (record.status === "rolledBack") return standing.map(({ key }) => `is rolled back, and ${key} still stands`);
  return plan.legs.flatMap(({ kind }, index) => {
    const count = standing.filter(({ step }) => step === `leg-${index}`).length;
    const byMessage = endsOfWait(rows, index).some(({ message }) => message !== undefined);
    const wanted = kind === "waits" || byMessage ? 2 : 1;
    return count === wanted ? [] : [`is completed, and step ${index} has ${count} effects, not ${wanted}`];
  });
}

/** 6: what was accepted is there once, and at the end nothing is pending. */
function messages({ mailbox, sent }: Trial): string[] {
  const ids = mailbox.filter(({ kind }) => kind === "message").map(({ messageId }) => messageId);
  return [
    ...sent.filter((id) => !ids.includes(id)).map((id) => `lost message ${id}`),
    ...(new Set(ids).size === ids.length ? [] : ["has a message twice"]),
    ...mailbox.filter(({ status }) => status === "pending").map(({ name }) => `ended with ${name} pending`),
    ...mailbox
      .filter(({ status, step }) => status === "consumed" && step === null)
      .map(({ name }) => `consumed ${name} in no step`),
  ];
}
