/** Random calls, given to the memory store and to another one: both must answer the same. */
import fc from "fast-check";
import { expect } from "vitest";
import { systemClock, type Clock } from "../../src/clock.js";
import { Encoded } from "../../src/values/encode.js";
import { initialFlow, type Position } from "../../src/execution/position.js";
import type { Status } from "../../src/definition/flow.js";
import { memoryStore } from "../../src/stores/memory/memory-store.js";
import type { Arrival, Batch, NewExecution, Publication, Release, Subscription } from "../../src/stores/batch.js";
import type { Transition } from "../../src/execution/records.js";
import type { Beat, MailRecord, Store } from "../../src/stores/contract.js";
import { bornAs, drawing, Lawful, readLists } from "./equivalence-lists.js";

const statuses: readonly Status[] = ["scheduled", "running", "waiting", "stuck", "completed", "rolledBack"];
const ids = ["a", "b", "c"];
const owners = [1, 2, 3];
const start = 1_000;
const position: Position = {
  ...initialFlow,
  step: "first",
  attempts: 0,
  firstAttemptAt: null,
  uncounted: 0,
  waitUntil: null,
  resumeAt: null,
  error: null,
  stuckBy: null,
};

const id = fc.constantFrom(...ids);
const owner = fc.constantFrom(...owners);
const status = fc.constantFrom(...statuses);
const delay = fc.constantFrom(0, 5, 20.5);
const count = fc.nat({ max: 3 });
const someStatuses = fc.subarray([...statuses]);
const encoded = fc.string({ unit: "grapheme", maxLength: 8 }).map((it) => Encoded.ofText(it));
const text = fc.string({ unit: "grapheme", maxLength: 8 });
const name = fc.oneof(text, fc.constantFrom("paid", "seen"));

const key = fc.option(fc.constantFrom("k1", "k2"));
const rate = fc.option(fc.record({ limit: fc.constantFrom(1, 2), perMs: fc.constantFrom(10, 30.5) }));

const queueing = fc.option(
  fc.record({ gate: fc.constant("sell"), key, rateKey: key, leadMs: fc.constantFrom(0, 10) }),
  { nil: undefined },
);

/** One that waits is nobody's, and not at rest. What is running and nobody's is due at once. */
const lawful = ({ queue, ...it }: NewExecution): NewExecution => {
  if (queue !== undefined) return { ...it, owner: null, status: "scheduled", queue };
  return it.status === "running" && it.owner === null ? { ...it, dueInMs: 0 } : it;
};

const create: fc.Arbitrary<NewExecution> = fc
  .record({
    id,
    workflow: fc.constantFrom("sell", "buy"),
    version: fc.constantFrom("1", "2"),
    fingerprint: fc.option(fc.constantFrom("f1", "f2")),
    tags: fc.subarray(["red", "green", "blue"]),
    status,
    position: fc.constant(position),
    state: encoded,
    input: encoded,
    owner: fc.option(owner),
    dueInMs: delay,
    deadlineInMs: fc.option(delay),
    carried: fc.option(text),
    queue: queueing,
  })
  .map(lawful);

const lists = drawing(ids, create);

const createInTree = fc
  .tuple(create, lists.born)
  .map(([it, born]): NewExecution => ({ ...it, ...bornAs(it.id, born) }));

/** `revision` and `signals` are how far off the row's own they are; 0 is right. */
const transition = fc.record({
  id,
  owner: fc.option(owner, { freq: 1 }),
  revision: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1),
  signals: fc.constantFrom(0, 0, 0, -1),
  status,
  reason: text,
  state: fc.option(encoded),
  rests: fc.boolean(),
  dueInMs: fc.option(delay),
  settled: fc.array(fc.record({ arrival: count, as: fc.constantFrom("consumed" as const, "dead" as const) }), {
    maxLength: 2,
  }),
  ends: fc.boolean(),
  definition: fc.option(
    fc.record({ version: fc.constantFrom("1", "2"), fingerprint: fc.constantFrom("f1", "f2", "f3") }),
    { freq: 1 },
  ),
  patch: fc.option(encoded),
  others: fc.option(encoded),
  carried: fc.option(text),
  unsubscribes: fc.constantFrom(undefined, undefined, "step" as const, "all" as const),
  forgets: fc.option(
    fc.record({
      subscriptionsOf: fc.subarray(["first", "second"]),
      messages: fc.subarray(["paid", "seen"]),
    }),
    { freq: 3 },
  ),
  line: lists.line,
  list: lists.list,
});

const release = fc.record({
  id,
  owner: fc.option(owner),
  signals: fc.constantFrom(0, 0, -1, null),
  dueInMs: fc.option(delay),
  dead: fc.array(count, { maxLength: 2 }),
  resumeAt: fc.option(count, { freq: 1 }),
  line: lists.line,
});

const arrival = fc.record({
  execution: fc.constantFrom(...ids, "nobody"),
  kind: fc.constantFrom("message" as const, "rollback" as const, "retry" as const),
  name,
  payload: encoded,
  carried: fc.option(text),
  messageId: fc.option(fc.constantFrom("m1", "m2")),
  acceptedIn: fc.oneof(fc.constant([...statuses]), someStatuses),
  wakes: someStatuses,
  only: fc.option(fc.record({ revision: fc.constantFrom(0, 0, 1), signals: fc.constantFrom(0, 0, 1) })),
});

/** `revision` as in a transition. */
const subscription = fc.record({
  execution: fc.constantFrom(...ids, "nobody"),
  owner: fc.option(owner, { freq: 1 }),
  revision: fc.constantFrom(0, 0, 0, 0, -1),
  topic: fc.constantFrom("t1", "t2"),
  until: fc.constantFrom("step" as const, "end" as const),
  step: fc.constantFrom("first", "second"),
});

const publication = fc.record({
  topic: fc.constantFrom("t1", "t2"),
  name,
  payload: encoded,
  messageId: fc.option(fc.constantFrom("m1", "m2")),
  keepForMs: delay,
  wakes: someStatuses,
  carried: fc.option(text),
});

const revisions = fc.constantFrom("r1", "r2");
const schedule = fc.record({
  workflow: fc.constantFrom("sell", "buy"),
  version: fc.constantFrom("1", "2"),
  input: encoded,
  plan: fc.record({
    timing: fc.constant({ every: 1_000, from: 0 }),
    missed: fc.constantFrom("skip" as const, "all" as const),
    tags: fc.subarray(["red", "green"]),
    paused: fc.boolean(),
    setAt: fc.constant(0),
    lastAt: fc.option(count),
  }),
  nextAt: fc.option(delay.map((it) => start + it)),
  revision: revisions,
});

const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("write" as const),
      creates: fc.array(createInTree, { maxLength: 3 }),
      transitions: fc.array(transition, { maxLength: 3 }),
      releases: fc.array(release, { maxLength: 2 }),
      arrivals: fc.array(arrival, { maxLength: 3 }),
      subscriptions: fc.array(subscription, { maxLength: 3 }),
      publications: fc.array(publication, { maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("claim" as const),
      owner,
      limit: fc.constantFrom(0, 1, 2, 10),
      workflows: fc.subarray(
        [
          { name: "sell", version: "1" },
          { name: "sell", version: "2" },
          { name: "buy", version: "1" },
        ],
        { minLength: 1 },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("admit" as const),
      query: fc.record({
        versions: fc.subarray(["1", "2"], { minLength: 1 }),
        limit: fc.constantFrom(1, 10),
        keyLimit: fc.option(fc.constantFrom(1, 2)),
        rate,
      }),
      ids: fc.subarray(ids),
      counts: fc.boolean(),
      late: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  { weight: 2, arbitrary: lists.stage },
  { weight: 4, arbitrary: lists.advance },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("register" as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("beat" as const), owner }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("prunePublications" as const), forMs: delay, limit: count }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant("prune" as const),
      olderThanMs: fc.record({ completed: delay, rolledBack: delay, stuck: delay }, { requiredKeys: ["completed"] }),
      limit: fc.constantFrom(1, 2, 10),
      dry: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("changeSchedule" as const),
      name: fc.constantFrom("s1", "s2"),
      expected: fc.option(revisions),
      schedule: fc.option(schedule),
      creates: fc.array(create, { maxLength: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("dueSchedules" as const), limit: count }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant("bury" as const), owners: fc.subarray(owners, { maxLength: 2 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant("wait" as const), milliseconds: fc.constantFrom(1, 10, 20.5) }),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        act: fc.constant("list" as const),
        workflow: fc.constantFrom("sell", "buy"),
        status: someStatuses,
        tags: fc.subarray(["red", "green", "blue"]),
        createdFrom: delay,
        createdBefore: delay,
        isFree: fc.constant(true as const),
        root: id,
        limit: fc.constantFrom(1, 2, 10),
      },
      { requiredKeys: ["act", "limit"] },
    ),
  },
);

type Act = typeof act extends fc.Arbitrary<infer Value> ? Value : never;
type Of<Name extends Act["act"]> = Extract<Act, { readonly act: Name }>;

/** Turns what was drawn into what the rows as they are would take, or nearly. */
function batchOf(drawn: Of<"write">, reference: Store, serial: () => number): Batch {
  const rows = new Map(
    ids.map((id, index) => [id, (reference.load(ids) as ReturnType<typeof rowsOf>[number][])[index]]),
  );
  const boxes = new Map(
    ids.map((id) => [
      id,
      (reference.mail({ executions: [id] }) as readonly { readonly id: string }[]).map((it) => it.id),
    ]),
  );
  const mayRun = (id: string): boolean =>
    rows.get(id)?.status === "running" ||
    [...drawn.creates, ...drawn.transitions].some((it) => it.id === id && it.status === "running");
  const lawful = new Lawful(reference);
  const ownerOf = (id: string, other: number | null): number => other ?? rows.get(id)?.owner ?? 1;
  return {
    creates: drawn.creates,
    transitions: drawn.transitions.map((it): Transition => ({
      id: it.id,
      owner: ownerOf(it.id, it.owner),
      revision: (rows.get(it.id)?.revision ?? 0) + 1 + it.revision,
      signals: (rows.get(it.id)?.signals ?? 0) + it.signals,
      status: it.status,
      position: {
        ...position,
        reason: it.reason,
        ...(it.ends && { passed: [0, 2], begins: true, stepDeadlineAt: 7.5 }),
      },
      state: it.state,
      rests: it.rests,
      dueInMs: it.rests && it.status === "running" ? 0 : it.dueInMs,
      settled: it.settled.map(({ arrival, as }) => ({ arrival: boxes.get(it.id)?.[arrival] ?? "none", as })),
      ends: it.ends,
      leaves: it.ends || ["stuck", "completed", "rolledBack"].includes(it.status),
      carried: it.carried,
      ...(it.definition !== null && { definition: it.definition }),
      ...(it.unsubscribes !== undefined && { unsubscribes: it.unsubscribes }),
      ...(it.forgets !== null && { forgets: it.forgets }),
      ...lawful.line(it.line),
      ...lawful.list(it.id, it.list),
      history: {
        direction: "up",
        step: "first",
        stepIndex: 0,
        func: "run",
        attempt: 1,
        result: it.reason,
        durationMs: 0.25,
        patch: it.patch,
        ...(it.others !== null && { others: it.others, initial: it.others, replaced: it.others }),
        ...(it.ends && { error: { name: "Error", message: it.reason }, by: "someone" }),
      },
    })),
    releases: drawn.releases.map((it): Release => ({
      id: it.id,
      owner: ownerOf(it.id, it.owner),
      signals: it.signals === null ? null : (rows.get(it.id)?.signals ?? 0) + it.signals,
      dueInMs: mayRun(it.id) ? 0 : it.dueInMs,
      ...(it.resumeAt !== null && { position: { ...position, polls: 2, resumeAt: it.resumeAt } }),
      dead: it.dead.map((index) => boxes.get(it.id)?.[index] ?? "none"),
      ...lawful.line(it.line),
    })),
    arrivals: drawn.arrivals.map(({ only, ...it }): Arrival => {
      const row = rows.get(it.execution);
      return {
        ...it,
        id: `arrival-${serial()}`,
        ...(only !== null && {
          only: { revision: (row?.revision ?? 0) + only.revision, signals: (row?.signals ?? 0) + only.signals },
        }),
      };
    }),
    subscriptions: drawn.subscriptions.map((it): Subscription => ({
      ...it,
      owner: ownerOf(it.execution, it.owner),
      revision: (rows.get(it.execution)?.revision ?? 0) + it.revision,
    })),
    publications: drawn.publications.map((it): Publication => ({ ...it, id: `publication-${serial()}` })),
  };
}

function rowsOf(store: Store) {
  return store.load(ids) as Awaited<ReturnType<Store["load"]>>;
}

/** The order of acceptance counts, not its numbers: those of rows that were pruned may be given again. */
function inTurn(rows: readonly MailRecord[]): readonly MailRecord[] {
  return rows.map((row, sequence) => ({ ...row, sequence }));
}

/** After other calls lists are not read, since each look takes its time. */
const changesLists = new Set<Act["act"]>(["write", "stage", "advance", "prune"]);

/** All that can be read. */
async function readBack(store: Store, { act }: Act): Promise<unknown> {
  return {
    rows: await store.load(ids),
    list: await store.list({ limit: 100 }),
    schedules: await store.schedules!.find(),
    ...(changesLists.has(act) && { lists: await readLists(store, ids) }),
    history: await Promise.all(ids.map(async (id) => store.history(id))),
    mailbox: await Promise.all(ids.map(async (id) => inTurn(await store.mail({ executions: [id] })))),
    pending: await Promise.all(
      ids.map(async (id) => inTurn(await store.mail({ executions: [id], status: "pending" }))),
    ),
    nobody: [await store.load(["nobody"]), await store.history("nobody"), await store.mail({ executions: ["nobody"] })],
  };
}

async function answer(
  store: Store,
  drawn: Exclude<Act, Of<"write"> | Of<"wait"> | Of<"stage"> | Of<"advance">>,
): Promise<unknown> {
  switch (drawn.act) {
    case "claim":
      return sorted(await store.claim(drawn));
    case "admit": {
      const query = { ...drawn.query, gate: "sell" };
      const state = await store.limits!.read(query);
      const perMs = drawn.counts ? (query.rate?.perMs ?? 30.5) : null;
      const revision = state.revision - drawn.late;
      const admitted = await store.limits!.admit({ gate: "sell", revision, ids: drawn.ids, perMs });
      return [state, admitted, await store.limits!.read(query)];
    }
    case "register":
      return store.register({ host: "here", pid: 1 });
    case "beat":
      return inOrder(await store.beat(drawn.owner, 0));
    case "prunePublications":
      return store.topics!.prune(drawn.forMs, drawn.limit);
    case "prune":
      return rounds(store, drawn);
    case "changeSchedule": {
      const { name, expected, schedule: row, creates } = drawn;
      return store.schedules!.change({
        name,
        // What is not there is never asked to go.
        expected: row === null ? (expected ?? "r1") : expected,
        schedule: row === null ? null : { ...row, name },
        creates: creates.map((it) => ({ ...it, owner: null })),
      });
    }
    case "dueSchedules":
      return store.schedules!.due({
        limit: drawn.limit,
        workflows: [
          { name: "sell", version: "1" },
          { name: "buy", version: "2" },
        ],
      });
    case "bury":
      return store.removeLaunchers(drawn.owners);
    case "list": {
      const { act: _, createdFrom, createdBefore, ...filter } = drawn;
      return pages(store, {
        ...filter,
        createdFrom: createdFrom === undefined ? undefined : start + createdFrom,
        createdBefore: createdBefore === undefined ? undefined : start + createdBefore,
      });
    }
  }
}

/** An answer with the encoded values as texts, to be compared. */
function compared(value: unknown): unknown {
  if (value instanceof Encoded) return value.text;
  if (Array.isArray(value)) return value.map(compared);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, compared(field)]));
}

/** The order of the signalled ones is nobody's business. */
function sorted<Claimed extends { readonly signalled: readonly string[] }>(claimed: Claimed): Claimed {
  return { ...claimed, signalled: claimed.signalled.toSorted() };
}

/** So is the order of what waits. */
function inOrder({ waiting, ...beaten }: Beat): unknown {
  const overdue = waiting?.overdue.map(({ what, name, version }) => `${what} ${name} ${version}`);
  return { ...beaten, overdue: overdue?.toSorted(), gates: waiting?.gates.toSorted() };
}

/** Cursors are each store's own. */
async function pages(store: Store, filter: Parameters<Store["list"]>[0]): Promise<unknown[]> {
  const found: unknown[] = [];
  let after: string | undefined;
  do {
    const { records, cursor } = await store.list({ ...filter, after });
    found.push(records);
    after = cursor ?? undefined;
  } while (after !== undefined);
  return found;
}

/** As `pages`. */
async function rounds(store: Store, drawn: Of<"prune">): Promise<unknown[]> {
  const { olderThanMs, limit, dry } = drawn;
  const found: unknown[] = [];
  let after: string | null = null;
  do {
    const pruned = await store.prune({ olderThanMs, limit, dry, after });
    found.push(pruned.counts);
    after = pruned.cursor;
  } while (after !== null);
  return found;
}

export interface Runs {
  readonly numRuns: number;
  /** How many calls, at most, in a run. */
  readonly calls: number;
}

/** @param makeStore one that is empty and keeps the time of the clock */
export async function answersLikeMemory(makeStore: (clock: Clock) => Store, { numRuns, calls }: Runs): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: calls }), async (acts) => {
      let time = start;
      const clock: Clock = { ...systemClock, now: () => time };
      const memory = memoryStore({ clock });
      const other = makeStore(clock);
      const heard: { readonly memory: string[]; readonly other: string[] } = { memory: [], other: [] };
      await memory.open();
      await other.open();
      memory.watch((hint) => heard.memory.push(JSON.stringify(hint)));
      other.watch((hint) => heard.other.push(JSON.stringify(hint)));
      for (const store of [memory, other]) for (const _ of [1, 2]) await store.register({ host: "here", pid: 1 });
      let arrivals = 0;
      try {
        for (const drawn of acts) {
          if (drawn.act === "wait") time += drawn.milliseconds;
          else if (drawn.act === "write") {
            const batch = batchOf(drawn, memory, () => arrivals++);
            expect(compared(await other.write(batch))).toEqual(compared(await memory.write(batch)));
          } else if (drawn.act === "stage") {
            const staging = new Lawful(memory).staging(drawn);
            if (staging !== undefined)
              expect(await other.lists!.stage(staging)).toBe(await memory.lists!.stage(staging));
          } else if (drawn.act === "advance") {
            const advance = new Lawful(memory).advance(drawn, () => arrivals++);
            const answered = compared(await other.lists!.advance([advance]));
            expect(answered).toEqual(compared(await memory.lists!.advance([advance])));
          } else expect(compared(await answer(other, drawn))).toEqual(compared(await answer(memory, drawn)));
          expect(compared(await readBack(other, drawn))).toEqual(compared(await readBack(memory, drawn)));
          // Within a batch each store has its own order.
          expect(heard.other.toSorted()).toEqual(heard.memory.toSorted());
        }
      } finally {
        await other.close();
      }
    }),
    // A failure that is still being made smaller is told of as it is, before the test's own time is over.
    { numRuns, interruptAfterTimeLimit: 90_000 },
  );
}
