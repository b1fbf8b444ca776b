/** Small mistakes that the simulation has to find: each is a text in a file of src/ that becomes another one. */
export interface Mutant {
  readonly file: string;
  readonly text: string;
  readonly instead: string;
}

const router = "execution/router.ts";
const decide = "execution/decide.ts";
const after = "execution/position-after.ts";
const memory = "stores/memory/write.ts";
const arrivals = "stores/memory/arrivals.ts";

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
  of(decide, '"stepOk", "stepPassedOver", "stepCompleted"', '"stepOk", "stepCompleted"'),
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
    "return stopping ? { status: statusOf[action], dueInMs: 0 } : undefined;",
    "return stopping ? { status: statusOf[action], dueInMs: null } : undefined;",
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
  of("worker/heartbeat.ts", "if (!alive) await this.#launcher.wasBuried(owner);", ""),
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
];
