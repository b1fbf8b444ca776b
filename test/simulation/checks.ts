/** The invariants of the promises, held against what was committed, and against what callers and the other side know. */
import { isDeepStrictEqual } from "node:util";
import { merge } from "../../src/values/isolate.js";
import { idempotencyKey } from "../../src/ids.js";
import type { Connection } from "../../src/stores/sqlite/driver.js";
import {
  isRequest,
  type ExecutionRecord,
  type HistoryRecord,
  type MailboxRecord,
} from "../../src/execution/records.js";
import type { OperatorAct } from "../../src/execution/mail.js";
import type { Store } from "../../src/stores/contract.js";
import { roundOfKey, type Books } from "./books.js";
import { isKept } from "./families.js";
import type { FamilyWatch } from "./family-checks.js";
import type { Trip } from "./plan.js";
import type { Case } from "./callers.js";
import { isChilds } from "./edges.js";
import { wrongMigrations } from "./deployments.js";
import { wrongCounts } from "./timers.js";
import {
  inAllLegs,
  launchedIn,
  legsIn,
  nameIn,
  nextIn,
  numberOf,
  plainName,
  takenInAllLegs,
  wrongPlaces,
  type Version,
} from "./versions.js";

interface Evidence {
  readonly it: Case;
  readonly trip: Trip;
  readonly record: ExecutionRecord;
  /** As the list of all legs has them. */
  readonly rows: readonly HistoryRecord[];
  /** In which version it was launched: others know its steps by the names of that one. */
  readonly launched: Version;
  readonly mailbox: readonly MailboxRecord[];
  readonly books: Books;
  readonly store: Store;
}

export function violationsOf(it: Case, store: Store, books: Books, families: FamilyWatch): string[] {
  const { trip } = it;
  const [record] = store.load([it.id]) as (ExecutionRecord | undefined)[];
  if (record === undefined) return ["was never launched"];
  const history = store.history(it.id) as readonly HistoryRecord[];
  const rows = history.map(inAllLegs);
  const mailbox = (store.mail({ executions: [it.id] }) as readonly MailboxRecord[]).map(takenInAllLegs);
  const evidence: Evidence = { it, trip, record, rows, launched: launchedIn(record, rows), mailbox, books, store };
  for (const row of history)
    books.note(
      () =>
        `${it.id} history ${row.revision}: ${row.direction} ${row.func} ${row.step} #${row.attempt} ${row.result} ${row.message?.id ?? ""} ${row.by ?? ""} ${row.guardErrors?.[0]?.message ?? ""}`,
    );
  books.note(() => `${it.id} ends ${record.status} ${record.position.reason}`);
  for (const row of mailbox)
    books.note(() => `${it.id} mail ${row.kind} ${row.name} ${row.id} ${row.messageId} ${row.status}`);
  const found = [
    ...course(evidence),
    ...passedOver(evidence),
    ...rewinds(evidence),
    ...state(evidence),
    ...messages(evidence),
    ...answers(evidence),
    // In a later life the other side still knows what came of the earlier one.
    ...(books.isGone(it.id) ? [] : beside(evidence)),
    ...wrongPlaces(record, history, trip),
    ...wrongMigrations(rows, record.version, trip),
    ...wrongCounts(rows, trip),
    ...families.judge(record, trip, rows),
  ];
  if (record.status !== "completed" && record.status !== "rolledBack") found.push(`is ${record.status}`);
  // The engine has found a fault in itself.
  if (rows.some(({ result }) => result === "STEPWELL_INVARIANT_VIOLATED")) found.push("was parked by an invariant");
  return found;
}

function beside(evidence: Evidence): string[] {
  const { record, rows, trip, books } = evidence;
  return [...effects(evidence), ...entries(evidence), ...books.timers.early(record, rows, trip)];
}

const advances = ({ result, direction }: HistoryRecord): boolean =>
  result === "ok" ||
  result === "skipped" ||
  result === "passed-over" ||
  result === "recovered" ||
  result === (direction === "up" ? "happened" : "did-not-happen");

/** 1: gapless revisions. 4: honest ends. */
function course(evidence: Evidence): string[] {
  const { it, record, rows, trip, books } = evidence;
  const found = wayOf(evidence);
  rows.forEach(({ revision }, index) => {
    if (revision !== index + 1) found.push(`has revision ${revision} at place ${index + 1}`);
  });
  if (record.revision !== rows.length) found.push(`has ${rows.length} rows of history for revision ${record.revision}`);
  const end = record.status === "completed" ? "success" : "failure";
  if (trip.hasWatcher && !books.ends.includes(`${end} ${it.id}`)) found.push(`told nobody of its ${end}`);
  if (record.status === "completed" && record.position.reason !== "normal")
    found.push(`is completed for ${record.position.reason}`);
  const deadline = rows.find((row) => row.result === "deadline" && row.why === undefined && !isChilds(row));
  if (deadline !== undefined && deadline.at < record.deadlineAt!) found.push("turned before its deadline");
  return found;
}

/**
 * 2: down once in a round, and up again by a rewind alone, at its step. 3: up step by step, and down the same way, to the first step, or
 * the one of a rewind. A migration goes on from where it has placed the execution, in the newer list; what comes before that counts as done.
 */
function wayOf({ it, record, rows, trip, launched, books }: Evidence): string[] {
  const found: string[] = [];
  let list = legsIn(trip, launched);
  let isUp = it.from === null;
  /** The step that is to be done, or undone, next. */
  let next = isUp ? list[0]! : null;
  let last = -1;
  let to: number | null = null;
  /** What comes before is not run. */
  let from = -1;
  for (const row of rows) {
    const { direction, stepIndex, revision, backTo, upInto, migration } = row;
    if (isUp && direction === "down") {
      isUp = false;
      next = null;
    } else if (!isUp && direction === "up") found.push(`went up again in revision ${revision}`);
    if (backTo !== undefined) to = numberOf(backTo);
    if (advances(row) || (upInto !== undefined && direction === "down")) {
      if (isUp && stepIndex !== next) found.push(`went up to ${stepIndex} where ${next} was due`);
      if (!isUp && next !== null && stepIndex !== next) found.push(`went down to ${stepIndex} where ${next} was due`);
      if (!isUp && next === null && it.from === null && stepIndex < last)
        found.push(`did ${last} and undid from ${stepIndex}`);
      if (isUp) last = stepIndex;
      next = nextIn(list, stepIndex, isUp ? 1 : -1);
    }
    if (direction === "up" && stepIndex < from)
      found.push(`was at ${stepIndex} in revision ${revision}, behind ${from}`);
    if (migration !== undefined) {
      list = legsIn(trip, migration.to as Version);
      const place = books.placeOf(it.id)!;
      const isCompleted = isUp && stepIndex === last;
      if (!isCompleted && next !== null && stepIndex !== next)
        found.push(`is migrated at ${stepIndex} where ${next} was due`);
      if (next === null && it.from === null && stepIndex < last)
        found.push(`did ${last} and was migrated at ${stepIndex}`);
      if (isUp) last = isCompleted ? place : nextIn(list, place, -1);
      next = isCompleted ? nextIn(list, place, 1) : place;
      from = place;
    }
    if (upInto === undefined) continue;
    if (stepIndex !== to && direction === "down") found.push(`went up at ${stepIndex}, and the rewind was to ${to}`);
    isUp = true;
    next = to;
    last = nextIn(list, to!, -1);
    from = -1;
  }
  if (record.status === "completed" && !isUp) found.push("is completed and went down");
  if (record.status === "rolledBack" && next !== null && next !== -1 && !isUp)
    found.push(`stopped undoing before ${next}`);
  return found;
}

interface Given {
  readonly value: object;
  /** Of a step on its way up; null: of somebody else, or of an undo. */
  readonly stepIndex: number | null;
}

/** What was passed over on the way up is not undone. */
function passedOver({ rows }: Evidence): string[] {
  const found: string[] = [];
  let passed: readonly number[] = [];
  for (const { direction, stepIndex, result, upInto, revision, migration, why } of rows) {
    if (upInto !== undefined) passed = passed.filter((index) => index < stepIndex);
    // A request and a migration do nothing with a step.
    else if (migration !== undefined || why !== undefined) continue;
    else if (direction === "up")
      passed = [...passed.filter((index) => index !== stepIndex), ...(result === "passed-over" ? [stepIndex] : [])];
    else if (passed.includes(stepIndex) && (result === "ok" || result === "continue" || result === "Error"))
      found.push(`undid ${stepIndex} in revision ${revision}, which was passed over`);
  }
  return found;
}

/** A rewind goes back over no pivot that is done, and over what is irreversible only where it was said that it may be done again. */
function rewinds({ it, rows, trip }: Evidence): string[] {
  const found: string[] = [];
  let done: readonly number[] = [];
  for (const row of rows) {
    const { direction, stepIndex, result, backTo, upInto, by, revision, migration } = row;
    // What is dropped is neither undone nor done again.
    if (migration !== undefined) done = done.filter((index) => index !== trip.changes!.dropped);
    const to = backTo === undefined ? Infinity : numberOf(backTo);
    const over = done.filter((index) => index >= to);
    if (over.some((index) => index === trip.pivot)) found.push(`goes back over its pivot in revision ${revision}`);
    if (
      over.some((index) => trip.legs[index] !== undefined && isKept(trip.legs[index])) &&
      !it.repeating.includes(by ?? "")
    )
      found.push(`goes back over what is irreversible in revision ${revision}, and nobody said that it may`);
    if (upInto !== undefined) done = done.filter((index) => index < stepIndex);
    else if (direction === "up" && advances(row) && result !== "passed-over") done = [...done, stepIndex];
  }
  return found;
}

/** The state is what the history says that steps, guards and operators gave; what a rewind undoes is as if it had not been given. */
function state({ record, rows, trip }: Evidence): string[] {
  const initial = (rows[0]?.initial ?? (rows.length === 0 ? record.state : record.input)).value as object;
  let given: Given[] = [];
  let then: object | undefined;
  let to = 0;
  let isDroppedUndone = false;
  for (const row of rows) {
    const { direction, result, stepIndex, patch, others, backTo, patchThen, upInto, replaced, migration } = row;
    const { dropped = null } = trip.changes ?? {};
    const isOfRun = direction === "up" || result === "happened";
    if (patch !== null) given.push({ value: patch.value as object, stepIndex: isOfRun ? stepIndex : null });
    if (others !== undefined) given.push({ value: others.value as object, stepIndex: null });
    // That is all that a migration changes here.
    if (migration !== undefined && replaced !== undefined) given.push({ value: { moved: true }, stepIndex: null });
    if (stepIndex === dropped) isDroppedUndone = direction === "down" && advances(row);
    // What is dropped is not undone any more, so what it gave stays.
    if (migration !== undefined && !isDroppedUndone)
      given = given.map((one) => (one.stepIndex === dropped ? { ...one, stepIndex: null } : one));
    if (backTo !== undefined) {
      to = numberOf(backTo);
      then = patchThen?.value as object | undefined;
    }
    if (upInto === undefined) continue;
    given = given.filter((one) => one.stepIndex === null || one.stepIndex < to);
    if (then !== undefined) given.push({ value: then, stepIndex: null });
  }
  let folded = initial;
  for (const { value } of given) folded = merge(folded, value);
  return isDeepStrictEqual(folded, record.state.value) ? [] : ["has a state that its history does not give"];
}

/**
 * Its probe has said on the way up that it did not happen, and it was turned before it ran again: there was nothing to undo. A launcher
 * that was taken for dead may have done it after that, of which nobody can know.
 */
function isDisowned(own: readonly HistoryRecord[], round: number): boolean {
  const rows = own.filter((row) => (row.round ?? 0) === round);
  const last = rows.findLastIndex(({ func }) => func === "probe");
  if (rows[last]?.result !== "did-not-happen" || rows[last].direction === "down") return false;
  return rows.slice(last + 1).every(({ by, result }) => by !== undefined || result === "deadline");
}

/** 5: completed: each step's effect stands once for a key; rolled back: none does. */
function effects(evidence: Evidence): string[] {
  const { it, trip, record, rows, launched, books } = evidence;
  const isMigrated = rows.some(({ migration }) => migration !== undefined);
  return trip.legs.flatMap((leg, index) => {
    if (leg.isIrreversible || leg.group !== null) return [];
    if (isMigrated && index === trip.changes!.dropped) return effectsOfDropped(evidence, index);
    const standing = books.standing(it.id, plainName(index));
    const own = rows.filter((row) => row.stepIndex === index);
    if (own.some(({ result }) => result === "skipped")) return [];
    const undone = standing.filter((key) => !isDisowned(own, roundOfKey(key)));
    if (record.status === "rolledBack") return undone.map((key) => `is rolled back and ${key} stands`);
    const round = own.findLast(({ direction }) => direction === "up")?.round ?? 0;
    const before = undone.filter((key) => roundOfKey(key) !== round);
    if (before.length > 0) return before.map((key) => `is completed in round ${round}, and ${key} stands`);
    const last = own.filter((row) => row.direction === "up" && (row.round ?? 0) === round);
    // It may have had an effect before it failed.
    if (last.some(({ result }) => result === "recovered")) return [];
    const key = idempotencyKey(it.id, nameIn(launched, index, trip), "run", undefined, round);
    // A rewind has undone it, and the execution ended at a step before it.
    const isUndone = own.at(-1)?.direction === "down";
    const isDone = !isUndone && last.some(({ result }) => result === "ok" || result === "happened");
    return isDone === standing.includes(key)
      ? []
      : [`is completed, ${plainName(index)} ${isDone ? "done" : "not done"}, and has ${standing.length} effects`];
  });
}

/**
 * Of a step that the migration has dropped: what was done stands, and what was not reached, or was undone before, does not. Where the
 * execution stood in it, it may have been half done or half undone.
 */
function effectsOfDropped({ it, rows, trip, launched, books }: Evidence, index: number): string[] {
  const migrated = rows.findIndex(({ migration }) => migration !== undefined);
  if (rows[migrated]!.stepIndex === index) return [];
  const own = rows.slice(0, migrated).filter((row) => row.stepIndex === index);
  if (own.some(({ result }) => result === "skipped")) return [];
  const name = plainName(index);
  const round = own.findLast(({ direction }) => direction === "up")?.round ?? 0;
  const ofRound = own.filter((row) => row.direction === "up" && (row.round ?? 0) === round);
  const isUndone = own.at(-1)?.direction !== "up";
  const standing = books.standing(it.id, name).filter((key) => !isDisowned(own, roundOfKey(key)));
  const wrong = standing.filter((key) => isUndone || roundOfKey(key) !== round);
  const found = wrong.map((key) => `was migrated when ${name} was not done, and ${key} stands`);
  const key = idempotencyKey(it.id, nameIn(launched, index, trip), "run", undefined, round);
  const isDone = !isUndone && ofRound.some(({ result }) => result === "ok" || result === "happened");
  if (isDone && !standing.includes(key)) found.push(`was migrated when ${name} was done, and ${key} does not stand`);
  return found;
}

/** What a step wrote in its own transaction is there exactly where that was committed, and once. */
function entries({ it, trip, rows, launched, store }: Evidence): string[] {
  const found: string[] = [];
  const keys = keysOf(store).filter((key) => key.startsWith(idempotencyKey(it.id, "", "run").slice(0, -"/run".length)));
  if (new Set(keys).size !== keys.length) found.push(`has an entry twice: ${keys.join(", ")}`);
  for (const func of ["run", "rollback"] as const) {
    for (const [index, leg] of trip.legs.entries()) {
      if ((func === "run" ? leg.run : leg.undo).gives !== "transaction" || leg.isIrreversible || leg.group !== null)
        continue;
      for (const round of new Set(rows.map((row) => row.round ?? 0))) {
        const key = idempotencyKey(it.id, nameIn(launched, index, trip), func, undefined, round);
        const own = rows.filter((row) => row.stepIndex === index && row.func === func && (row.round ?? 0) === round);
        const isThere = keys.includes(key);
        if (own.some(({ patch, result }) => patch !== null && result === "ok") && !isThere) found.push(`lost ${key}`);
        if (isThere && !own.some(({ patch }) => patch !== null)) found.push(`wrote ${key} without a commit`);
      }
    }
  }
  return found;
}

function keysOf(store: Store): string[] {
  let keys: string[] = [];
  void store.transactions?.run((connection) => {
    const database = connection as Connection;
    const all = (sql: string): { key: string }[] => database.prepare(sql).all() as { key: string }[];
    const isThere = all("SELECT name AS key FROM sqlite_master WHERE name = 'entries'").length > 0;
    if (isThere) keys = all("SELECT key FROM entries").map(({ key }) => key);
    return null;
  });
  return keys;
}

/** 6: what was accepted is there once, was consumed once, in the order of acceptance, and nothing is pending. */
function messages({ it, rows, mailbox }: Evidence): string[] {
  const found: string[] = [];
  const own = mailbox.filter(({ kind }) => kind === "message");
  const ids = own.map(({ id, messageId }) => messageId ?? id);
  if (new Set(ids).size !== ids.length) found.push(`has a message twice: ${ids.join(", ")}`);
  for (const id of it.sent) if (!ids.includes(id)) found.push(`lost message ${id}`);
  for (const { status, kind, name } of mailbox)
    if (status === "pending") found.push(`ended with ${kind} ${name} pending`);
  const taking = rows.filter(({ message, result }) => message !== undefined && result !== "cut-off");
  for (const { id, messageId, status, name } of own) {
    const takers = taking.filter(({ message }) => message!.id === (messageId ?? id));
    if (status === "consumed" && takers.length === 0) found.push(`consumed ${name} in no step`);
    if (status === "consumed" && isTriedAgain(rows, takers.at(-1)))
      found.push(`consumed ${name} where it was tried again`);
  }
  const taken = own.filter(({ status }) => status === "consumed");
  for (const [place, one] of taken.entries()) {
    const other = taken.slice(place + 1).find(({ name, step }) => name === one.name && step === one.step);
    if (other === undefined) continue;
    const at = ({ id, messageId }: MailboxRecord): number =>
      rows.findLastIndex(({ message }) => message?.id === (messageId ?? id));
    if (at(one) > at(other)) found.push(`consumed ${one.name} out of order`);
  }
  return found;
}

/** The handler has failed, and is called once more with what nobody has taken from it. */
function isTriedAgain(rows: readonly HistoryRecord[], taker: HistoryRecord | undefined): boolean {
  if (taker?.result !== "Error") return false;
  const next = rows.find(({ revision, migration }) => revision > taker.revision && migration === undefined);
  const isOther = next?.direction !== taker.direction || next.step !== taker.step || next.func !== taker.func;
  return !isOther && next.by === undefined && next.result !== "deadline";
}

/** What callers were told has come true, unless an accepted rewind undid it. */
function answers(evidence: Evidence): string[] {
  const { it, record, rows, mailbox } = evidence;
  const found: string[] = [];
  const turned = record.position.direction === "down";
  const isRewound = it.rewound.length > 0;
  // Then an act is dead, and may be asked for again.
  const isTurnedAway = rows.some(({ result }) => result === "STEPWELL_MIGRATION_FAILED");
  for (const { reason, accepted, why, hasDoubts } of it.requests) {
    const hasTurned = turned || (isRewound && rows.some(({ result }) => result === reason));
    if (accepted && !hasTurned) found.push(`accepted ${reason} and did not turn`);
    // A request whose answer was lost was sent again, and found itself on its way.
    const own = why?.startsWith("already-") === true && hasDoubts;
    if (!accepted && !own && record.position.reason === reason)
      found.push(`refused ${reason} (${why}) and turned for it`);
  }
  const followed = rows.filter(({ backTo }) => backTo !== undefined).length;
  const consumed = mailbox.filter(({ kind, status }) => kind === "rewind" && status === "consumed").length;
  if (consumed > followed) found.push(`consumed ${consumed} rewinds, and followed ${followed}`);
  for (const by of it.rewound)
    if (!rows.some((row) => row.by === by && row.backTo !== undefined)) found.push(`accepted ${by} and did not follow`);
  for (const by of it.refused)
    if (rows.some((row) => row.by === by)) found.push(`followed ${by}, whose patch is refused`);
  // A request that came at the same time goes first, and turns it.
  const isOvertaken = turned && mailbox.some(({ kind, status }) => isRequest(kind) && status === "dead");
  for (const by of it.operated)
    if (!isOvertaken && !isTurnedAway && !isOfStepLeft(by, evidence) && !rows.some((row) => row.by === by))
      found.push(`accepted ${by} and did not follow`);
  for (const { outcome, requested } of it.outcomes) {
    if (isRewound) continue;
    if (outcome.status === "completed" && requested) found.push("gave an outcome from before an accepted request");
    if (outcome.status === "rolledBack" && record.status !== "rolledBack")
      found.push("gave an outcome that did not stay");
  }
  return found;
}

/**
 * An operator has skipped or resolved a step, and before anybody followed that a migration moved the execution to another step; or has
 * begun the same step again, of which nothing is in doubt then.
 */
function isOfStepLeft(by: string, { it, rows, mailbox, books, trip }: Evidence): boolean {
  const migrated = rows.find(({ migration }) => migration !== undefined);
  if (migrated === undefined) return false;
  const isLeft = migrated.stepIndex !== books.placeOf(it.id);
  const restarts = trip.deployment?.restarts === true;
  return mailbox.some(
    ({ kind, status, payload }) =>
      (kind === "resolve" ? isLeft || restarts : kind === "skip" && isLeft) &&
      status === "dead" &&
      (payload.value as OperatorAct).by === by,
  );
}
