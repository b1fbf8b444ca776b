/** Small mistakes that the simulation has to find: each is a text in a file of src/ that becomes another one. */
export interface Mutant {
  readonly file: string;
  readonly text: string;
  readonly instead: string;
}

/** Whether a file has the text, and where is no question. */
export function fits(file: string, text: string): boolean {
  return file.split(text).length === 2;
}

const router = "execution/router.ts";
const decide = "execution/decide.ts";
const after = "execution/position-after.ts";
const memory = "stores/memory/write.ts";
const arrivals = "stores/memory/arrivals.ts";
const next = "execution/next.ts";
const mail = "execution/mail.ts";
const children = "execution/children.ts";
const move = "execution/move.ts";
const encode = "values/encode.ts";

const of = (file: string, text: string, instead: string): Mutant => ({ file, text, instead });

export const mutants: readonly Mutant[] = [
  // The way.
  of(
    router,
    "event.leftNothing === true ? turnBefore(failed, event.reason) : turn(failed, event.reason, i)",
    "turnBefore(failed, event.reason)",
  ),
  of(
    router,
    'if (i === 0) return { flow: at(flow, "rollback", 0, "failure", "ok")',
    'if (i <= 1) return { flow: at(flow, "rollback", 0, "failure", "ok")',
  ),
  of(router, "passed: [...(flow.passed ?? []), i]", "passed: [...(flow.passed ?? [])]"),
  of(router, "if (from < to) return upAgain", "if (from <= to) return upAgain"),
  of(router, "if (i === flow.until) return upAgain(flow, i);", "if (i === flow.until) return upAgain(flow, i + 1);"),
  of(router, "round: round + 1,", "round: round + 0,"),
  of(
    router,
    "return event.begun ? turn(vetoed, event.reason, i) : turnBefore(vetoed, event.reason);",
    "return turnBefore(vetoed, event.reason);",
  ),
  // What is decided.
  of(
    decide,
    'what.type !== "rewindRequested")\n    return { arrival: turn.arrival, as: "dead" };',
    'what.type !== "rewindRequested")\n    return { arrival: turn.arrival, as: "consumed" };',
  ),
  of(
    decide,
    "if (turn.arrival === undefined && event.cause !== undefined && isRequest(event.cause.kind)) return event;",
    "",
  ),
  of(
    decide,
    'if (tooLate) return { arrival: turn.arrival, as: "dead" };',
    'if (tooLate) return { arrival: turn.arrival, as: "consumed" };',
  ),
  of(decide, "revision: execution.revision + 1,", "revision: execution.revision + (execution.revision === 3 ? 2 : 1),"),
  of(
    decide,
    "return stopping ? { status: statusOf(action), dueInMs: 0 } : undefined;",
    "return stopping ? { status: statusOf(action), dueInMs: null } : undefined;",
  ),
  of(
    decide,
    'if (waits) return { status: "waiting", dueInMs: dueIn(execution, position, shape, time) };',
    'if (waits) return { status: "waiting", dueInMs: null };',
  ),
  // Counts and times.
  of(
    after,
    "numbered(execution, takenOver(execution, what.reason, event.asked, definition))",
    "takenOver(execution, what.reason, event.asked, definition)",
  ),
  of(after, "attempts: stays ? position.attempts + (failed ? 1 : 0) : 0,", "attempts: stays ? position.attempts : 0,"),
  of(after, "uncounted: uncounted(execution, what, stays),", "uncounted: 0,"),
  of(
    after,
    "pause.timeout === null ? null : time.storeNowAtMost() + pause.timeout",
    "pause.timeout === null ? null : time.storeNowAtMost() + pause.timeout / 2",
  ),
  of(
    after,
    "if (pause.timeout === undefined) return isTimeoutHandler ? null : position.waitUntil;",
    "if (pause.timeout === undefined) return null;",
  ),
  of(
    "execution/retry.ts",
    "if (failures >= policy.attempts) return undefined;",
    "if (failures > policy.attempts) return undefined;",
  ),
  of("execution/retry.ts", "delay * (0.5 + random / 2)", "delay * (0.1 + random / 2)"),
  of(
    "execution/transition.ts",
    'if (cause !== undefined && what.type !== "retry" && what.type !== "cutOff")',
    "if (cause !== undefined)",
  ),
  of(
    "execution/mail.ts",
    'if (status === "rolledBack") return "already-rolled-back";\n  // What it has done',
    "// What it has done",
  ),
  // Who owns an execution.
  of(memory, "record.owner !== it.owner || record.revision !== it.revision - 1", "record.revision !== it.revision - 1"),
  of(memory, 'if (record.signals !== it.signals) return "signalled";', ""),
  of(memory, "if (it.state !== null) record.state = it.state;", ""),
  of(memory, "if (it.ends) row.mailbox.end();", ""),
  of(
    memory,
    "if (existing !== undefined) return { created: false",
    "if (existing !== undefined && existing.record.revision > 0) return { created: false",
  ),
  of(
    memory,
    "const isOwned = it.owner !== null && data.launchers.has(it.owner);",
    "const isOwned = it.owner !== null;",
  ),
  of(memory, 'if (it.signals !== null && row.record.signals !== it.signals) return "signalled";', ""),
  of("stores/memory/launchers.ts", "dueQueue.free(row, at);\n", ""),
  of("worker/loops.ts", "if (this.#current.has(id)) return void this.#successors.set(id, loop);", ""),
  // Mail.
  of(arrivals, 'if (known !== undefined) return { result: "duplicate", id: known.id };', ""),
  of(arrivals, 'if (!it.acceptedIn.includes(status)) return { result: "ended" };', ""),
  of(
    arrivals,
    'if (data.dueQueue.signal(row, it.wakes, at, hints)) hints.push({ type: "due", inMs: 0 });\n  return { result: "stored", id };',
    'return { result: "stored", id };',
  ),
  of(arrivals, "it.only !== undefined && (it.only.revision", "it.only === null && (it.only.revision"),
  // Limits.
  of("worker/limits.ts", "Infinity : concurrency - held)", "Infinity : concurrency - held + 1)"),
  of("worker/limits.ts", "slots >= perKey) continue;", "slots > perKey) continue;"),
  of("worker/limits.ts", "admissions >= rate.limit) continue;", "admissions > rate.limit) continue;"),
  // What is deleted.
  of("stores/held.ts", "record.updatedAt > at - age) continue;", "record.createdAt > at - age) continue;"),
  of("stores/held.ts", "if (row.sequence <= sequence ||", "if (row.sequence <= sequence + 1 ||"),
  // Schedules.
  of("session/schedule-timing.ts", "standsIn ? { ...onTime, times: [due] } : onTime", "onTime"),
  of("session/schedule-timing.ts", "next !== null && next <= now && times", "next !== null && next < now && times"),
  // What is due.
  of(next, 'if (isOverdue(execution, action, moment)) return { type: "stepOverdue" };', ""),
  of(next, 'if (position.direction === "down" && !moment.isRecalled) return { type: "recall" };', ""),
  of("execution/recall.ts", "plan.atOnce - underWay.length", "plan.atOnce + 1 - underWay.length"),
  of("execution/recall.ts", "plan.canary - proofs", "plan.canary + 1 - proofs"),
  // Requests.
  of(mail, 'if (isPastPivot(position, shape)) return "past-pivot";', ""),
  of(mail, 'if (isPivotDone(position, pivot) && pivot >= to) return "past-pivot";', ""),
  of(mail, 'if (position.until !== undefined && status !== "stuck") return "already-rewinding";', ""),
  of(mail, 'return repeats ? "would-repeat" : to;', "return to;"),
  of(mail, "pending: mail.pending.filter(({ id }) => !dead.includes(id)),", "pending: mail.pending,"),
  // Migrations.
  of(move, "successor !== key ? [[successor, key]] : [];", "successor !== key ? [] : [];"),
  of(move, "isAt >= 0 && isAt <= last ? isAt : [];", "isAt >= 0 && isAt <= last ? index : [];"),
  of(move, "if (!begun) return 0;", "return 0;"),
  of("runtime/upgrade.ts", "...(until !== undefined && { until }),", ""),
  of(
    "runtime/work.ts",
    "if (rewound !== undefined || history.migration !== undefined) this.given = undefined;",
    "if (rewound !== undefined) this.given = undefined;",
  ),
  of("execution/transition.ts", "if (leavesItsStep(step, what)) {", 'if (what.type === "parked") {'),
  of(
    "execution/history.ts",
    "given = given.flatMap((it) => namesNow(it.step).map((now) => ({ ...it, step: now })));",
    "",
  ),
  // Children.
  of(children, 'return isSettled && next === count ? "settled" : "waits";', 'return isSettled ? "settled" : "waits";'),
  of(
    children,
    'if (isClosed) return isSettled && (keeps || completed === 0) ? "back" : "waits";',
    'if (isClosed) return isSettled ? "back" : "waits";',
  ),
  of(children, "(width ?? Infinity) - begun - stuck)", "(width ?? Infinity))"),
  of(children, "asked -= news.asked.length;", ""),
  of("runtime/children.ts", 'if (standingOf(true, tallyOf(record)) === "waits") return undefined;', ""),
  of(
    "stores/memory/lists.ts",
    "if (list?.record.revision !== advance.revision) return null;",
    "if (list === undefined) return null;",
  ),
  // Limits, topics, schedules.
  of("stores/memory/gates.ts", "gate.revision++;", ""),
  of("stores/memory/gates.ts", "gate.places.delete(id);", ""),
  of("stores/memory/gates.ts", "const heldByKey = key === null ? 0 : (held.get(key) ?? 0);", "const heldByKey = 0;"),
  of("stores/memory/topics.ts", "if (known !== undefined && known.expiresAt > at) return known;", ""),
  of(
    "stores/memory/schedules.ts",
    "if ((row?.revision ?? null) !== expected)",
    "if (row === undefined && expected !== null)",
  ),
  of("stores/memory/mailbox.ts", "if (row.messageId !== null) this.#messages.set(row.messageId, kept);", ""),
  of("stores/memory/claim.ts", "alive ? limit : 0", "limit"),
  of("session/group-commit.ts", "this.release({ id, owner, signals: null, dueInMs: 0, dead: [] }, nobody);", ""),
  // SQLite.
  of("stores/sqlite/write.ts", "AND revision = ?5 - 1 AND signals = ?11", "AND revision = ?5 - 1 AND ?11 = ?11"),
  of(
    "stores/sqlite/claim.ts",
    "SET owner = ?, claims = claims + 1, due_at = NULL WHERE",
    "SET owner = ?, claims = claims + 1 WHERE",
  ),
  of(
    "stores/sqlite/arrivals.ts",
    "SET signals = signals + 1, due_at = min(coalesce(due_at, ?1), ?1) WHERE",
    "SET signals = signals + 1, due_at = min(due_at, ?1) WHERE",
  ),
  of(
    "stores/sqlite/launchers.ts",
    'SET owner = NULL, due_at = ? WHERE owner = ?";',
    'SET owner = NULL, due_at = nullif(?1, ?1) WHERE owner = ?2";',
  ),
  of(
    "stores/sqlite/gates.ts",
    'database.statement("DELETE FROM stepwell_places WHERE execution = ?").run(execution);',
    "",
  ),
  of("stores/sqlite/gates.ts", "if (revisionOf(database, gate) !== revision) return null;", ""),
  of("stores/sqlite/lines.ts", "WHERE id = ?3 AND revision = ?4 RETURNING", "WHERE id = ?3 AND ?4 = ?4 RETURNING"),
  of(
    "stores/sqlite/lines.ts",
    "if (counts.length > 0) database.statement(deleteNews).run(sequence, JSON.stringify(counts));",
    "",
  ),
  // What is stored.
  of(encode, "(value !== 0 || 1 / value > 0)", "true"),
  of(encode, "return value - value === 0 && (value", "return (value"),
  of(encode, "richTag + stringify(value)", "stringify(value)"),
  of(
    encode,
    "this.isPlain ? this.#text!.length * bytesOfCharacter : Infinity",
    "this.#text!.length * bytesOfCharacter",
  ),
  of("values/isolate.ts", "{ ...state, ...patch }", "{ ...patch, ...state }"),
  of("stores/sql/rows.ts", "...(replaced !== undefined && { replaced: Encoded.ofText(replaced) }),", ""),
];
