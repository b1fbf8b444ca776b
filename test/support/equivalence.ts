/** Random calls, given to the memory store and to another one: both must answer the same. */
import fc from "fast-check";
import { expect } from "vitest";
import { systemClock, type Clock } from "../../src/clock.js";
import { Encoded } from "../../src/values/encode.js";
import { initialFlow, type Position } from "../../src/execution/position.js";
import type { Status } from "../../src/definition/flow.js";
import { memoryStore } from "../../src/stores/memory/memory-store.js";
import type {
  Arrival,
  Batch,
  BatchResult,
  NewExecution,
  Publication,
  Release,
  Subscription,
} from "../../src/stores/batch.js";
import type { ExecutionRecord, Transition } from "../../src/execution/records.js";
import type { Beat, DeadMailFilter, MailCounts, MailRecord, MaybePromise, Store } from "../../src/stores/contract.js";
import type { GateState, ScheduleRecord } from "../../src/stores/records.js";
import { operations, Tally } from "./equivalence-tally.js";
import { bornAs, countedBy, drawing, Lawful, listReads, readLists } from "./equivalence-lists.js";

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
/** Null: whoever has it. */
const claimed = fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: owner });
const status = fc.constantFrom(...statuses);
const delay = fc.constantFrom(0, 5, 20.5);
const age = fc.constantFrom(0, 0, 5);
const count = fc.nat({ max: 3 });
const someStatuses = fc.subarray([...statuses]);
/** Any text but one that the tables keep for "the same as the input": nothing that is encoded is like it. */
const encoded = fc
  .string({ unit: "grapheme", maxLength: 8 })
  .filter((it) => it !== "=")
  .map((it) => Encoded.ofText(it));
const text = fc.string({ unit: "grapheme", maxLength: 8 });
const name = fc.oneof(text, fc.constantFrom("paid", "seen"));

const key = fc.option(fc.constantFrom("k1", "k2"));
const rate = fc.option(fc.record({ limit: fc.constantFrom(1, 2), perMs: fc.constantFrom(10, 30.5) }));

const queueing = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record({ gate: fc.constant("sell"), key, rateKey: key, leadMs: fc.constantFrom(0, 10) }),
  },
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
    owner: fc.option(owner, { freq: 5 }),
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
  owner: claimed,
  revision: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -1),
  signals: fc.constantFrom(0, 0, 0, 0, 0, -1),
  status,
  reason: text,
  state: fc.option(encoded),
  rests: fc.constantFrom(false, false, true),
  dueInMs: fc.option(delay, { freq: 3 }),
  settled: fc.array(fc.record({ arrival: count, as: fc.constantFrom("consumed" as const, "dead" as const) }), {
    maxLength: 3,
  }),
  ends: fc.constantFrom(true, false, false, false),
  definition: fc.option(
    fc.record({ version: fc.constantFrom("1", "2"), fingerprint: fc.constantFrom("f1", "f2", "f3") }),
    { freq: 2 },
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
  owner: claimed,
  signals: fc.constantFrom(0, 0, 0, -1, null),
  dueInMs: fc.option(delay, { freq: 3 }),
  dead: fc.array(count, { maxLength: 2 }),
  resumeAt: fc.option(count, { freq: 2 }),
  parks: fc.constantFrom(false, false, false, true),
  line: lists.line,
});

/** Null in most cases. */
const seldom = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

const arrival = fc.record({
  execution: fc.constantFrom(...ids, ...ids, "nobody"),
  kind: fc.constantFrom("message" as const, "message" as const, "message" as const, "told" as const, "retry" as const),
  name,
  payload: encoded,
  carried: fc.option(text),
  messageId: seldom(fc.constantFrom("m1", "m2")),
  acceptedIn: fc.oneof({ weight: 4, arbitrary: fc.constant([...statuses]) }, { weight: 1, arbitrary: someStatuses }),
  wakes: fc.oneof(fc.constant([...statuses]), someStatuses),
  only: seldom(fc.record({ revision: fc.constantFrom(0, 0, 1), signals: fc.constantFrom(0, 0, 1) })),
  /** Which one of a mailbox is sent again. */
  resends: seldom(fc.record({ of: id, index: count })),
});

/** `revision` as in a transition. */
const subscription = fc.record({
  execution: fc.constantFrom(...ids, "nobody"),
  owner: claimed,
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
  nextAt: fc.option(
    delay.map((it) => start + it),
    { freq: 4 },
  ),
  revision: revisions,
});

const definition = fc.record({
  workflow: fc.constantFrom("sell", "buy"),
  version: fc.constantFrom("1", "2"),
  fingerprint: fc.constantFrom("f1", "f2", "f3"),
  steps: text,
});

const batch = {
  creates: fc.array(createInTree, { maxLength: 3 }),
  transitions: fc.array(transition, { maxLength: 3 }),
  releases: fc.array(release, { maxLength: 2 }),
  arrivals: fc.array(arrival, { maxLength: 3 }),
  subscriptions: fc.array(subscription, { maxLength: 3 }),
  publications: fc.array(publication, { maxLength: 3 }),
};

const drawn = {
  write: fc.record({ act: fc.constant("write" as const), ...batch }),
  claim: fc.record({
    act: fc.constant("claim" as const),
    owner,
    limit: fc.constantFrom(0, 1, 2, 10, 100),
    workflows: fc.shuffledSubarray(
      [
        { name: "sell", version: "1" },
        { name: "sell", version: "2" },
        { name: "buy", version: "1" },
        { name: "buy", version: "2" },
      ],
      { minLength: 2 },
    ),
  }),
  admit: fc.record({
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
  stage: lists.stage,
  advance: lists.advance,
  register: fc.record({ act: fc.constant("register" as const), formerly: fc.option(owner, { nil: undefined }) }),
  beat: fc.record({ act: fc.constant("beat" as const), owner }),
  begin: fc.record({ act: fc.constant("begin" as const), id, owner: claimed }),
  prunePublications: fc.record({ act: fc.constant("prunePublications" as const), forMs: delay, limit: count }),
  prune: fc.record({
    act: fc.constant("prune" as const),
    olderThanMs: fc.record({ completed: age, rolledBack: age, stuck: age }, { requiredKeys: ["completed", "stuck"] }),
    limit: fc.constantFrom(1, 2, 10),
    dry: fc.boolean(),
  }),
  keep: fc.record({ act: fc.constant("keep" as const), definitions: fc.array(definition, { maxLength: 3 }) }),
  changeSchedule: fc.record({
    act: fc.constant("changeSchedule" as const),
    name: fc.constantFrom("s1", "s2"),
    isLate: fc.constantFrom(false, false, false, true),
    schedule: fc.option(schedule),
    creates: fc.array(create, { maxLength: 2 }),
  }),
  dueSchedules: fc.record({ act: fc.constant("dueSchedules" as const), limit: fc.constantFrom(0, 1, 2, 100) }),
  bury: fc.record({
    act: fc.constant("bury" as const),
    owners: fc.subarray(owners, { minLength: 1, maxLength: 2 }),
    isReplaced: fc.constantFrom(true, true, true, false),
    fate: fc.constantFrom(undefined, "died" as const, "silent" as const, "left" as const),
  }),
  transact: fc.record({
    act: fc.constant("transact" as const),
    ...batch,
    how: fc.constantFrom("commit", "commit", "commit", "commit", "give nothing", "throw"),
  }),
  /** All that an execution can meet, one after the other: random calls alone are refused too often. */
  life: fc.record({ act: fc.constant("life" as const), create, transition, arrival, publication, schedule }),
  wait: fc.record({ act: fc.constant("wait" as const), milliseconds: fc.constantFrom(1, 10, 20.5, 40) }),
  list: fc.record(
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
      oldestFirst: fc.constant(true as const),
    },
    { requiredKeys: ["act", "limit"] },
  ),
  read: fc.record({
    act: fc.constant("read" as const),
    of: fc.constantFrom(...ids, "nobody"),
    workflow: seldom(fc.constantFrom("sell", "buy")).map((it) => it ?? undefined),
    execution: seldom(id).map((it) => it ?? undefined),
    name: seldom(name).map((it) => it ?? undefined),
    limit: fc.constantFrom(1, 2, 10),
    lookAt: fc.constantFrom(1, 3, 100),
    upTo: count,
    after: count,
    index: count,
  }),
};

const weights: Readonly<Record<keyof typeof drawn, number>> = {
  ...{
    write: 20,
    claim: 6,
    admit: 3,
    stage: 4,
    advance: 4,
    register: 2,
    beat: 1,
    begin: 1,
    prunePublications: 1,
    prune: 2,
  },
  ...{ keep: 1, changeSchedule: 2, dueSchedules: 1, bury: 1, transact: 4, life: 1, wait: 5, list: 2, read: 2 },
};

type Act = (typeof drawn)[keyof typeof drawn] extends fc.Arbitrary<infer Value> ? Value : never;
type Of<Name extends Act["act"]> = Extract<Act, { readonly act: Name }>;

/** Of an execution that may take it, where there is any. */
function aimed<Key extends string, Drawn extends { readonly [K in Key]: string }>(
  drawn: Drawn,
  key: Key,
  mayTake: (id: string) => boolean,
): Drawn {
  const fitting = ids.filter(mayTake);
  return fitting.length === 0 || !ids.includes(drawn[key])
    ? drawn
    : { ...drawn, [key]: fitting[ids.indexOf(drawn[key]) % fitting.length]! };
}

type DrawnBatch = Pick<Of<"write">, keyof typeof batch>;

/** What a run has made so far. */
interface Made {
  readonly serial: () => number;
  /** Which launcher each of the three drawn owners stands for. */
  readonly numbers: number[];
  readonly removed: Set<number>;
}

/** Turns what was drawn into what the rows as they are would take, or nearly. */
function batchOf(given: DrawnBatch, reference: Store, { serial, numbers }: Made, of: readonly string[] = ids): Batch {
  const numberOf = (owner: number): number => numbers[owner - 1]!;
  const rows = new Map(of.map((id, index) => [id, (reference.load(of) as ReturnType<typeof rowsOf>[number][])[index]]));
  const boxes = new Map(
    of.map((id) => [
      id,
      (reference.mail({ executions: [id] }) as readonly { readonly id: string }[]).map((it) => it.id),
    ]),
  );
  const isOwned = (id: string): boolean => typeof rows.get(id)?.owner === "number";
  const isFree = (id: string): boolean => rows.get(id) === undefined;
  const drawn: DrawnBatch = {
    ...given,
    creates: given.creates.map((it) => aimed(it, "id", isFree)),
    transitions: given.transitions.map((it) => aimed(it, "id", isOwned)),
    releases: given.releases.map((it) => aimed(it, "id", isOwned)),
    subscriptions: given.subscriptions.map((it) => (it.execution === "nobody" ? it : aimed(it, "execution", isOwned))),
  };
  const mayRun = (id: string): boolean =>
    rows.get(id)?.status === "running" ||
    [...drawn.creates, ...drawn.transitions].some((it) => it.id === id && it.status === "running");
  const lawful = new Lawful(reference);
  const ownerOf = (id: string, other: number | null): number =>
    other === null ? (rows.get(id)?.owner ?? 1) : numberOf(other);
  return {
    creates: drawn.creates.map((it) => ({ ...it, owner: it.owner === null ? null : numberOf(it.owner) })),
    transitions: drawn.transitions.map((it): Transition => ({
      id: it.id,
      owner: ownerOf(it.id, it.owner),
      revision: (rows.get(it.id)?.revision ?? 0) + 1 + it.revision,
      signals: (rows.get(it.id)?.signals ?? 0) + it.signals,
      status: it.ends && it.status === "running" ? "completed" : it.status,
      position: {
        ...position,
        reason: it.reason,
        ...(it.ends && { passed: [0, 2], begins: true, stepDeadlineAt: 7.5 }),
      },
      state: it.state,
      rests: it.rests || it.ends,
      dueInMs: it.rests && it.status === "running" ? 0 : it.ends ? null : it.dueInMs,
      settled: it.settled.map(({ arrival, as }) => ({ arrival: boxes.get(it.id)?.[arrival] ?? "none", as })),
      ends: it.ends,
      leaves: it.ends || ["stuck", "completed", "rolledBack"].includes(it.status),
      carried: it.carried,
      ...(it.definition !== null && { definition: it.definition }),
      ...(it.unsubscribes !== undefined && { unsubscribes: it.unsubscribes }),
      ...(it.forgets !== null && { forgets: it.forgets }),
      ...lawful.line(it.line),
      ...lawful.list(it.id, it.list, ids),
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
      dueInMs: it.parks ? null : mayRun(it.id) ? 0 : it.dueInMs,
      ...(it.parks && { parks: true }),
      ...(it.resumeAt !== null && { position: { ...position, polls: 2, resumeAt: it.resumeAt } }),
      dead: it.dead.map((index) => boxes.get(it.id)?.[index] ?? "none"),
      ...(it.parks && lawful.line(it.line)),
    })),
    arrivals: drawn.arrivals.map(({ only, resends, ...it }): Arrival => {
      const row = rows.get(it.execution);
      return {
        ...it,
        id: `arrival-${serial()}`,
        ...(resends !== null && {
          resends: {
            execution: resends.of,
            arrival: boxes.get(resends.of)?.at(-1 - resends.index) ?? "none",
            note: { id: `note-${serial()}`, payload: it.payload },
          },
        }),
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
    publications: drawn.publications.map((it): Publication => {
      const number = serial();
      // Which of two goes first that are over at the same time is each store's own.
      return { ...it, id: `publication-${number}`, keepForMs: it.keepForMs + number / 1024 };
    }),
  };
}

function rowsOf(store: Store) {
  return store.load(ids) as Awaited<ReturnType<Store["load"]>>;
}

/** All that is there, read in all the ways that the engine reads it. */
async function readBack(store: Store, tally: Tally): Promise<unknown> {
  const counting = async <Value>(
    operation: string,
    asked: MaybePromise<readonly Value[]>,
  ): Promise<readonly Value[]> => {
    const found = await asked;
    tally.count(
      operation,
      found.some((it) => it !== undefined),
    );
    return found;
  };
  const list = async (): Promise<unknown> => counting("list", (await store.list({ limit: 100 })).records);
  const each = async <Value>(read: (id: string) => Promise<Value>): Promise<Value[]> => Promise.all(ids.map(read));
  return {
    rows: await counting("load", store.load(ids)),
    list: await list(),
    schedules: await counting("schedules: find", store.schedules!.find()),
    lists: await readLists(store, ids, tally),
    history: await each(async (id) => counting("history", store.history(id))),
    mailbox: await each(async (id) => inTurn(await counting("mail", store.mail({ executions: [id] })))),
    pending: await each(async (id) => inTurn(await store.mail({ executions: [id], status: "pending" }))),
    nobody: [await store.load(["nobody"]), await store.history("nobody"), await store.mail({ executions: ["nobody"] })],
    definitions: await counting("definitions: of", store.definitions!.of()),
  };
}

/** Parts and pages of what is there. */
async function readParts(store: Store, drawn: Of<"read">, tally: Tally): Promise<unknown> {
  const { of, workflow, execution, limit, lookAt, upTo, after, index } = drawn;
  const counting = <Value>(operation: string, isFound: boolean, value: Value): Value => {
    tally.count(operation, isFound);
    return value;
  };
  const counted = await store.count({ workflow, status: ["completed", "running", "stuck"] }, upTo);
  const all = await store.mail({ executions: [of] });
  const one = all.at(index % Math.max(1, all.length));
  const history = await store.history(of, { after, limit });
  const dead = { status: "dead" as const, workflow, execution, name: drawn.name };
  const countedDead = await store.countDeadMail(dead, lookAt);
  const pending = await store.countPending(of, upTo);
  const standing = await store.load([of, ...ids], "standing");
  const listed = await store.load([...ids, of], "listed");
  const definitions = await store.definitions!.of(workflow);
  const deaths = await Promise.all([...ids, "nobody"].map(async (id) => store.deaths(id)));
  for (const it of deaths) tally.count("deaths", it.length > 0);
  return {
    count: counting("count", (counted ?? 0) > 0, counted),
    history: counting("history", history.length > 0, history),
    letters: await letters(store, { ...dead, limit, lookAt }, tally),
    countedDead: counting("countDeadMail", countedDead.counts.length > 0, [
      countedDead.counts.toSorted((a, b) => (a.workflow < b.workflow ? -1 : 1)),
      countedDead.more,
    ]),
    pending: counting("countPending", pending > 0, pending),
    standing: standing.map((it) => it && pick(it, standingFields)),
    listed: listed.map((it) => it && pick(it, listedFields)),
    definitions: counting("definitions: of", definitions.length > 0, definitions),
    byId: inTurn(await store.mail({ executions: [of], id: one?.id ?? "none" })),
    byMessage: inTurn(await store.mail({ executions: [of], messageId: one?.messageId ?? "none" })),
    named: inTurn(await store.mail({ executions: [of], status: "pending", name: one?.name ?? "none" })),
    last: inTurn(await store.mail({ executions: [of], last: limit })),
    others: inTurn(await store.mail({ executions: [of], status: "pending", limit: 0 })),
    deaths,
  };
}

const standingFields = ["id", "workflow", "version", "status", "revision", "signals", "owner", "dueAt"] as const;
const listedFields = [
  ...standingFields,
  "tags",
  "position",
  "claims",
  "createdAt",
  "updatedAt",
  "line",
  "root",
] as const;

function pick<Key extends string>(it: { readonly [K in Key]: unknown }, fields: readonly Key[]): unknown {
  return Object.fromEntries(fields.map((field) => [field, it[field]]));
}

/** As `pages`; where a page ends that is not full is each store's own, too. */
async function letters(store: Store, filter: DeadMailFilter, tally: Tally): Promise<readonly MailRecord[]> {
  const found: MailRecord[] = [];
  let before: number | undefined;
  do {
    const { records, next } = await store.deadMail({ ...filter, before });
    tally.count("deadMail", records.length > 0);
    found.push(...records);
    before = next ?? undefined;
  } while (before !== undefined);
  return inTurn(found);
}

/** @returns the answer, and whether anything was done or found */
async function answer(
  store: Store,
  drawn: Exclude<
    Act,
    Of<"write"> | Of<"transact"> | Of<"life"> | Of<"wait"> | Of<"stage"> | Of<"advance"> | Of<"read">
  >,
  numbers: readonly number[],
): Promise<readonly [operation: string, answer: unknown, isDone: boolean]> {
  const numberOf = (owner: number): number => numbers[owner - 1]!;
  switch (drawn.act) {
    case "claim": {
      const claimed = await store.claim({ ...drawn, owner: numberOf(drawn.owner) });
      return ["claim", sorted(claimed), claimed.records.length > 0];
    }
    case "admit": {
      const query = { ...drawn.query, gate: "sell" };
      const state = await store.limits!.read(query);
      const perMs = drawn.counts ? (query.rate?.perMs ?? 30.5) : null;
      const revision = state.revision - drawn.late;
      const admitted = await store.limits!.admit({ gate: "sell", revision, ids: drawn.ids, perMs });
      return ["limits: admit", [state, admitted, await store.limits!.read(query)], (admitted ?? 0) > 0];
    }
    case "register": {
      const formerly = drawn.formerly === undefined ? undefined : numberOf(drawn.formerly);
      return ["register", await store.register({ host: "here", pid: 1 }, formerly), true];
    }
    case "beat": {
      const beaten = await store.beat(numberOf(drawn.owner), 0);
      return ["beat", inOrder(beaten), beaten.alive];
    }
    case "begin": {
      const rows = await store.load(ids);
      const owned = ids.filter((_, index) => typeof rows[index]?.owner === "number");
      const id = owned[ids.indexOf(drawn.id)] ?? owned[0] ?? drawn.id;
      const owner = rows[ids.indexOf(id)]?.owner ?? 1;
      const begun = await store.begin(id, drawn.owner === null ? owner : numberOf(drawn.owner));
      return ["begin", begun, begun];
    }
    case "prunePublications": {
      const pruned = await store.topics!.prune(drawn.forMs, drawn.limit);
      return ["topics: prune", pruned, pruned > 0];
    }
    case "prune": {
      const pruned = await rounds(store, drawn);
      return ["prune", pruned, Object.keys(pruned).length > 0];
    }
    case "keep":
      await store.definitions!.keep(drawn.definitions);
      return ["definitions: keep", undefined, drawn.definitions.length > 0];
    case "changeSchedule": {
      const { name, isLate, schedule: row, creates } = drawn;
      const isChanged = await store.schedules!.change({
        name,
        expected: isLate ? "r0" : ((await store.schedules!.find(name))[0]?.revision ?? (row === null ? "r1" : null)),
        // Which of two goes first that are due at the same time is each store's own.
        schedule: row === null ? null : { ...row, name, nextAt: row.nextAt && row.nextAt + (name === "s1" ? 0 : 0.25) },
        creates: creates.map((it) => lawful({ ...it, owner: null })),
      });
      return ["schedules: change", isChanged, isChanged];
    }
    case "dueSchedules": {
      const due = await store.schedules!.due({
        limit: drawn.limit,
        workflows: [
          { name: "sell", version: "1" },
          { name: "sell", version: "2" },
          { name: "buy", version: "2" },
        ],
      });
      return ["schedules: due", due, due.records.length > 0];
    }
    case "bury": {
      const freed = await store.removeLaunchers(drawn.owners.map(numberOf), drawn.fate);
      return ["removeLaunchers", freed, freed > 0];
    }
    case "list": {
      const { act: _, createdFrom, createdBefore, ...filter } = drawn;
      const found = await pages(store, {
        ...filter,
        createdFrom: createdFrom === undefined ? undefined : start + createdFrom,
        createdBefore: createdBefore === undefined ? undefined : start + createdBefore,
      });
      return ["list", found, found.some((it) => it.length > 0)];
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

/** The order of acceptance counts, not its numbers: those of rows that were pruned may be given again. */
function inTurn(rows: readonly MailRecord[]): readonly MailRecord[] {
  return rows.map((row, sequence) => ({ ...row, sequence }));
}

/** Of several mailboxes the order within each one counts. */
function byMailbox(rows: readonly MailRecord[]): readonly (readonly MailRecord[])[] {
  return ids.map((id) => inTurn(rows.filter(({ execution }) => execution === id)));
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
async function pages(store: Store, filter: Parameters<Store["list"]>[0]): Promise<(readonly unknown[])[]> {
  const found: (readonly unknown[])[] = [];
  let after: string | undefined;
  do {
    const { records, cursor } = await store.list({ ...filter, after });
    found.push(records);
    after = cursor ?? undefined;
  } while (after !== undefined);
  return found;
}

/** As `pages`; and a page may be behind the last row. */
async function rounds(store: Store, drawn: Of<"prune">): Promise<Readonly<Record<string, number>>> {
  const { olderThanMs, limit, dry } = drawn;
  const counts: Record<string, number> = {};
  let after: string | null = null;
  do {
    const pruned = await store.prune({ olderThanMs, limit, dry, after });
    for (const [status, count] of Object.entries(pruned.counts)) counts[status] = (counts[status] ?? 0) + count;
    after = pruned.cursor;
  } while (after !== null);
  return counts;
}

const nothing: Batch = { creates: [], transitions: [], releases: [], arrivals: [] };

/** A memory store and another one, asked the same. */
class Pair {
  readonly #memory: Store;
  readonly #other: Store;
  readonly #tally: Tally;
  readonly #made: Made;
  readonly #heard: { readonly memory: string[]; readonly other: string[] } = { memory: [], other: [] };
  readonly #moved: { readonly memory: string[]; readonly other: string[] } = { memory: [], other: [] };

  constructor(memory: Store, other: Store, tally: Tally) {
    this.#memory = memory;
    this.#other = other;
    this.#tally = tally;
    let serial = 0;
    this.#made = { serial: () => serial++, numbers: [...owners], removed: new Set() };
    for (const [name, store] of [
      ["memory", memory],
      ["other", other],
    ] as const) {
      store.watch((hint) => this.#heard[name].push(JSON.stringify(hint)));
      store.follow!("all", (moved) => this.#moved[name].push(...moved));
    }
  }

  async #both<Answer>(
    operation: string,
    ask: (store: Store) => MaybePromise<Answer>,
    isDone: (answer: Answer) => boolean,
  ): Promise<Answer> {
    const answer = await ask(this.#memory);
    expect(compared(await ask(this.#other)), operation).toEqual(compared(answer));
    this.#tally.count(operation, isDone(answer));
    return answer;
  }

  async act(drawn: Exclude<Act, Of<"wait">>): Promise<unknown> {
    switch (drawn.act) {
      case "write":
        return this.#write(batchOf(drawn, this.#memory, this.#made));
      case "transact":
        return this.#transact(drawn);
      case "life":
        return this.#life(drawn);
      case "stage": {
        const staging = new Lawful(this.#memory).staging(drawn, ids);
        if (staging === undefined) return;
        return this.#both(
          "lists: stage",
          (store) => store.lists!.stage(staging),
          (isStaged: boolean) => isStaged,
        );
      }
      case "advance": {
        const advance = new Lawful(this.#memory).advance(drawn, ids, this.#made.serial);
        return this.#both(
          "lists: advance",
          async (store) =>
            store.lists!.advance([{ ...advance, counts: await countedBy(store, advance.list, drawn.counts) }]),
          ([answer]: readonly unknown[]) => answer !== null,
        );
      }
      case "read": {
        const expected = compared(await readParts(this.#memory, drawn, this.#tally));
        expect(compared(await readParts(this.#other, drawn, new Tally())), "read").toEqual(expected);
        return undefined;
      }
      default: {
        const { numbers } = this.#made;
        const [operation, expected, isDone] = await answer(this.#memory, drawn, numbers);
        const [, given] = await answer(this.#other, drawn, numbers);
        expect(compared(given), operation).toEqual(compared(expected));
        this.#tally.count(operation, isDone);
        if (drawn.act === "admit")
          this.#tally.count("limits: read", (expected as readonly GateState[])[0]!.candidates.length > 0);
        const { removed } = this.#made;
        if (drawn.act === "bury") {
          for (const owner of drawn.owners) removed.add(numbers[owner - 1]!);
          if (drawn.isReplaced) for (const _ of drawn.owners) await this.act({ act: "register", formerly: undefined });
        }
        // Whoever registers takes the place of one that is gone.
        const place = drawn.act === "register" ? numbers.findIndex((number) => removed.has(number)) : -1;
        if (place >= 0) numbers[place] = expected as number;
        return undefined;
      }
    }
  }

  async #write(given: Batch): Promise<void> {
    const expected = await this.#memory.write(given);
    expect(compared(await this.#other.write(given)), "write").toEqual(compared(expected));
    this.#countParts(expected);
    for (const [index, answer] of expected.transitions.entries()) {
      if (answer !== "taken") continue;
      for (const moved of Object.values(this.#moved)) expect(moved, "follow").toContain(given.transitions[index]!.id);
    }
  }

  #countParts(result: BatchResult): void {
    const parts: Readonly<Record<string, readonly boolean[]>> = {
      create: result.creates.map((it) => it.created),
      transition: result.transitions.map((it) => it === "taken"),
      release: result.releases.map((it) => it === "taken"),
      arrival: result.arrivals.map((it) => it.result === "stored"),
      subscription: result.subscriptions.map((it) => it === "taken"),
      publication: result.publications.map((it) => it.result === "stored"),
    };
    for (const [part, answers] of Object.entries(parts)) {
      for (const isDone of answers) this.#tally.count(`write: ${part}`, isDone);
    }
    this.#tally.count(
      "write",
      Object.values(parts).some((answers) => answers.includes(true)),
    );
  }

  /** A transition, and what the work of its transaction writes of other executions. The memory store has no transactions, so it is asked for the same in two calls. */
  async #transact(drawn: Of<"transact">): Promise<void> {
    const { transactions } = this.#other;
    if (transactions === undefined) return;
    const all = batchOf(drawn, this.#memory, this.#made);
    const transition = drawn.how === "commit" ? (all.transitions[0] ?? null) : null;
    const inside: Batch = {
      ...nothing,
      creates: all.creates.filter(({ id }) => id !== transition?.id).map((it) => lawful({ ...it, owner: null })),
      arrivals: all.arrivals.filter(
        (it) => it.execution !== transition?.id && it.resends?.execution !== transition?.id,
      ),
    };
    const [row] = await this.#memory.load([transition?.id ?? "none"]);
    const isTaken =
      transition !== null &&
      row?.owner === transition.owner &&
      row.revision === transition.revision - 1 &&
      row.signals === transition.signals;
    const expected = isTaken ? await this.#memory.write(inside) : undefined;
    const seen = isTaken
      ? [await this.#memory.load(ids), byMailbox(await this.#memory.mail({ executions: ids }))]
      : undefined;
    const answer = isTaken
      ? (await this.#memory.write({ ...nothing, transitions: [transition] })).transitions[0]!
      : "lost";
    const thrown = new Error("the work's own");
    const run = async (): Promise<unknown> =>
      transactions.run((connection) => {
        const within = transactions.within(connection);
        return then(within.write(inside), (written) =>
          then(within.load(ids), (rows) =>
            then(within.mail({ executions: ids }), (mail) => {
              if (expected !== undefined)
                expect(compared(written), "write within").toMatchObject(compared(expected) as object);
              if (seen !== undefined) expect(compared([rows, byMailbox(mail)]), "read within").toEqual(compared(seen));
              this.#tally.count("transactions: write", inside.creates.length + inside.arrivals.length > 0);
              this.#tally.count(
                "transactions: load",
                rows.some((it) => it !== undefined),
              );
              this.#tally.count("transactions: mail", mail.length > 0);
              if (drawn.how === "throw") throw thrown;
              return transition;
            }),
          ),
        );
      });
    if (drawn.how === "throw") await expect(run()).rejects.toBe(thrown);
    else {
      const given = await run();
      if (transition === null) expect(given).toBeNull();
      else if (isTaken) expect(given).toBe(answer);
      else expect(["lost", "signalled"]).toContain(given);
    }
    this.#tally.count("transactions: run", isTaken);
    // What it makes due is told of when the caller commits, or found by polling.
    this.#heard.memory.length = this.#heard.other.length = 0;
  }

  async #life({ create, transition, arrival, publication, schedule }: Of<"life">): Promise<void> {
    const memory = this.#memory;
    const { numbers, serial } = this.#made;
    const id = `life-${serial()}`;
    const row = async (): Promise<ExecutionRecord> => (await memory.load([id]))[0]!;
    const some = (found: readonly unknown[]): boolean => found.some((it) => it !== undefined);
    const call = async (act: Exclude<Act, Of<"wait">>): Promise<unknown> => this.act(act);
    const takeUp = async (): Promise<number> => {
      const owner = await this.#both(
        "register",
        (store) => store.register({ host: "here", pid: 1 }),
        (it: number) => it > 0,
      );
      numbers[0] = owner;
      await this.#both(
        "beat",
        (store) => store.beat(owner),
        ({ alive }: Beat) => alive,
      );
      await call({ act: "claim", owner: 1, limit: 100, workflows: allWorkflows });
      return owner;
    };
    const queue = { gate: "sell", key: null, rateKey: null, leadMs: 0 };
    const born = { ...create, id, owner: null, status: "scheduled", dueInMs: 0, deadlineInMs: null, queue } as const;
    await this.#write({ ...nothing, creates: [born] });
    const query = { gate: "sell", versions: ["1", "2"], limit: 100, keyLimit: null, rate: null };
    const { revision: gate } = await memory.limits!.read(query);
    await this.#both(
      "limits: read",
      (store) => store.limits!.read(query),
      (it: GateState) => it.candidates.length > 0,
    );
    const admission = { gate: "sell", revision: gate, ids: [id], perMs: null };
    await this.#both(
      "limits: admit",
      (store) => store.limits!.admit(admission),
      (count) => (count ?? 0) > 0,
    );
    const first = await takeUp();
    await this.#both(
      "begin",
      (store) => store.begin(id, first),
      (isBegun: boolean) => isBegun,
    );
    await this.#both(
      "removeLaunchers",
      (store) => store.removeLaunchers([first], "died"),
      (freed: number) => freed > 0,
    );
    await this.#both("deaths", (store) => store.deaths(id), some);
    const owner = await takeUp();
    const topic = { execution: id, owner, revision: 0, topic: "life", until: "end", step: "first" } as const;
    const { payload, carried } = arrival;
    const message: Arrival = {
      ...{ id: `arrival-${serial()}`, execution: id, kind: "message", name: arrival.name, payload, carried },
      ...{ messageId: null, acceptedIn: statuses, wakes: [] },
    };
    await this.#write({
      ...nothing,
      arrivals: [message],
      subscriptions: [topic],
      publications: [{ ...publication, id: `publication-${serial()}`, topic: "life", messageId: null, keepForMs: 0 }],
    });
    await this.#both(
      "countPending",
      (store) => store.countPending(id, 5),
      (count) => (count ?? 0) > 0,
    );
    const list = `${id}/x`;
    const lines = [{ position: 0, key: "k", execution: "k-0", launch: Encoded.ofText("1") }];
    const staging = { list, of: id, owner, revision: 0, lines };
    await this.#both(
      "lists: stage",
      (store) => store.lists!.stage(staging),
      (isStaged: boolean) => isStaged,
    );
    const drawn = {
      ...transition,
      id,
      owner: null,
      revision: 0,
      signals: 0,
      line: undefined,
      list: undefined,
      forgets: null,
      definition: null,
      settled: [],
    };
    const next = async (more: object): Promise<Transition> => {
      const { transitions } = batchOf(
        { ...noDraws, transitions: [{ ...drawn, ...more } as Of<"life">["transition"]] },
        memory,
        this.#made,
        [id],
      );
      return transitions[0]!;
    };
    const opens = { list, opens: { count: 1, data: "opened", lines: [] } };
    const going = await next({ status: "running", rests: false, ends: false });
    await this.#write({ ...nothing, transitions: [{ ...going, leaves: true, list: opens }] });
    await this.#both("lists: due", async (store) => (await store.lists!.due(100)).toSorted(), some);
    for (const [name, ask] of Object.entries(listReads(id))) await this.#both(`lists: ${name}`, ask, some);
    const advance = {
      list,
      revision: 1,
      data: "d",
      isMarked: false,
      counts: [],
      begins: [],
      asks: [],
      arrivals: [],
      frees: [],
    };
    await this.#both(
      "lists: advance",
      (store) => store.lists!.advance([advance]),
      ([it]: readonly unknown[]) => it !== null,
    );
    const name = `life-${serial()}`;
    const planned = { ...schedule, name, workflow: "sell", version: "1", nextAt: start };
    const isChanged = (it: boolean): boolean => it;
    const change = (expected: string | null, schedule: ScheduleRecord | null) => (store: Store) =>
      store.schedules!.change({ name, expected, schedule, creates: [] });
    await this.#both("schedules: change", change(null, planned), isChanged);
    await this.#both("schedules: find", (store) => store.schedules!.find(name), some);
    await call({ act: "dueSchedules", limit: 100 });
    await this.#both("schedules: change", change(planned.revision, null), isChanged);
    const ending = { ...(await next({ status: "completed", rests: true, ends: true })), unsubscribes: "all" as const };
    const answer = (await memory.write({ ...nothing, transitions: [ending] })).transitions[0]!;
    if (this.#other.transactions === undefined) await this.#other.write({ ...nothing, transitions: [ending] });
    else {
      expect(await this.#other.transactions.run(() => ending)).toBe(answer);
      this.#tally.count("transactions: run", answer === "taken");
    }
    expect((await row()).status).toBe("completed");
    const dead = { status: "dead", execution: id, lookAt: 10, limit: 10 } as const;
    await this.#both("deadMail", async (store) => inTurn((await store.deadMail(dead)).records), some);
    await this.#both(
      "countDeadMail",
      (store) => store.countDeadMail(dead, 10),
      ({ counts }: MailCounts) => some(counts),
    );
    await this.#both(
      "count",
      (store) => store.count({ status: ["completed"] }, 5),
      (count) => (count ?? 0) > 0,
    );
    await this.#both("history", (store) => store.history(id), some);
    await call({ act: "prune", olderThanMs: { completed: 0, stuck: 0 }, limit: 10, dry: false });
    await call({ act: "prunePublications", forMs: 0, limit: 100 });
    // The answer of a transaction is the same, and not what it tells.
    this.#heard.memory.length = this.#heard.other.length = 0;
  }

  /** @param whole all that is there, besides what was heard */
  async compare(whole: boolean): Promise<void> {
    // Within a batch each store has its own order.
    expect(this.#heard.other.toSorted(), "watch").toEqual(this.#heard.memory.toSorted());
    for (const heard of [this.#heard, this.#moved]) heard.memory.length = heard.other.length = 0;
    if (!whole) return;
    const expected = compared(await readBack(this.#memory, this.#tally));
    expect(compared(await readBack(this.#other, new Tally())), "all that is there").toEqual(expected);
  }

  /** A store that is not open refuses everything. */
  async close(): Promise<void> {
    await this.#memory.close();
    await this.#other.close();
    for (const [operation, ask] of Object.entries(calls)) {
      for (const store of [this.#memory, this.#other]) {
        if (operation.startsWith("transactions") && store.transactions === undefined) continue;
        await expect((async () => ask(store))(), `${operation} of a closed store`).rejects.toMatchObject({
          code: "STEPWELL_STORE_CLOSED",
        });
      }
      this.#tally.count(operation, false);
    }
  }
}

const allWorkflows = ["sell", "buy"].flatMap((name) => ["1", "2"].map((version) => ({ name, version })));
const noDraws: DrawnBatch = {
  creates: [],
  transitions: [],
  releases: [],
  arrivals: [],
  subscriptions: [],
  publications: [],
};

/** At once, where the store answers at once: its transaction may not wait. */
function then<Value, Result>(
  value: MaybePromise<Value>,
  use: (value: Value) => MaybePromise<Result>,
): MaybePromise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** One call of each operation. */
const calls: Readonly<Record<string, (store: Store) => unknown>> = {
  write: (store) => store.write({ ...nothing, arrivals: [] }),
  register: (store) => store.register({ host: "here", pid: 1 }),
  beat: (store) => store.beat(1),
  removeLaunchers: (store) => store.removeLaunchers([1]),
  begin: (store) => store.begin("a", 1),
  deaths: (store) => store.deaths("a"),
  claim: (store) => store.claim({ owner: 1, limit: 1, workflows: [{ name: "sell", version: "1" }] }),
  prune: (store) => store.prune({ olderThanMs: { completed: 0 }, limit: 1, after: null, dry: true }),
  load: (store) => store.load(["a"]),
  list: (store) => store.list({ limit: 1 }),
  count: (store) => store.count({}, 1),
  history: (store) => store.history("a"),
  mail: (store) => store.mail({ executions: ["a"] }),
  deadMail: (store) => store.deadMail({ status: "dead", limit: 1, lookAt: 1 }),
  countDeadMail: (store) => store.countDeadMail({ status: "dead" }, 1),
  countPending: (store) => store.countPending("a", 1),
  "definitions: keep": (store) =>
    store.definitions!.keep([{ workflow: "sell", version: "1", fingerprint: "f1", steps: "" }]),
  "definitions: of": (store) => store.definitions!.of(),
  "limits: read": (store) =>
    store.limits!.read({ gate: "sell", versions: ["1"], limit: 1, keyLimit: null, rate: null }),
  "limits: admit": (store) => store.limits!.admit({ gate: "sell", revision: 0, ids: ["a"], perMs: null }),
  "lists: stage": (store) => store.lists!.stage({ list: "a/x", of: "a", owner: 1, revision: 0, lines: [] }),
  "lists: due": (store) => store.lists!.due(1),
  "lists: advance": (store) =>
    store.lists!.advance([
      {
        ...{
          list: "a/x",
          revision: 1,
          data: "",
          isMarked: false,
          counts: [],
          begins: [],
          asks: [],
          arrivals: [],
          frees: [],
        },
      },
    ]),
  "lists: find": (store) => store.lists!.find(["a/x"]),
  "lists: of": (store) => store.lists!.of("a"),
  "lists: news": (store) => store.lists!.news("a/x", 1),
  "lists: lines": (store) => store.lists!.lines("a/x", 0, 1),
  "lists: launches": (store) => store.lists!.launches("a/x", 0, 1),
  "schedules: find": (store) => store.schedules!.find(),
  "schedules: due": (store) => store.schedules!.due({ limit: 1, workflows: [{ name: "sell", version: "1" }] }),
  "schedules: change": (store) => store.schedules!.change({ name: "s1", expected: "r1", schedule: null, creates: [] }),
  "topics: prune": (store) => store.topics!.prune(0, 1),
  "transactions: run": (store) => store.transactions!.run(() => null),
};

export interface Runs {
  /** In one round. Rounds follow each other, with other seeds, until each operation was seen often enough. */
  readonly numRuns: number;
  /** How many calls in a run, at most. */
  readonly calls: number;
  /** How often each operation must have succeeded. */
  readonly wanted: number;
  /** After how many rounds what is lacking fails. */
  readonly mostRounds: number;
  /** After every how many calls all that is there is read. */
  readonly every: number;
}

/** What is lacking comes more often. */
function actsFor(tally: Tally): fc.Arbitrary<Act> {
  const kinds = Object.keys(drawn) as (keyof typeof drawn)[];
  const wants = (kind: keyof typeof drawn): number => {
    if (!operationsOf[kind].some((it) => tally.lacks(it))) return 0;
    return kind === "life" ? 40 : 3;
  };
  return fc.oneof(
    ...kinds.map((kind) => ({ weight: weights[kind] + wants(kind), arbitrary: drawn[kind] as fc.Arbitrary<Act> })),
  );
}

const operationsOf: Readonly<Record<keyof typeof drawn, readonly string[]>> = {
  write: operations.filter((it) => it.startsWith("write")),
  claim: ["claim"],
  admit: ["limits: admit", "limits: read"],
  stage: ["lists: stage"],
  advance: ["lists: advance", "lists: due"],
  register: ["register"],
  beat: ["beat"],
  begin: ["begin"],
  prunePublications: ["topics: prune"],
  prune: ["prune"],
  keep: ["definitions: keep"],
  changeSchedule: ["schedules: change"],
  dueSchedules: ["schedules: due"],
  bury: ["removeLaunchers"],
  transact: operations.filter((it) => it.startsWith("transactions")),
  life: operations,
  wait: [],
  list: [],
  read: ["count", "deadMail", "countDeadMail", "countPending", "deaths"],
};

/** @param makeStore one that is empty and keeps the time of the clock */
export async function answersLikeMemory(
  makeStore: (clock: Clock) => Store,
  { numRuns, calls, wanted, mostRounds, every }: Runs,
): Promise<void> {
  const tally = new Tally(wanted);
  for (let round = 0; round < mostRounds && tally.lacking.length > 0; round++) {
    const acts = fc.array(actsFor(tally), { minLength: 5, maxLength: calls, size: "max" });
    await fc.assert(
      fc.asyncProperty(acts, async (acts) => {
        let time = start;
        const clock: Clock = { ...systemClock, now: () => time };
        const memory = memoryStore({ clock });
        const other = makeStore(clock);
        await memory.open();
        await other.open();
        try {
          const pair = new Pair(memory, other, tally);
          for (const store of [memory, other]) for (const _ of owners) await store.register({ host: "here", pid: 1 });
          for (const [index, drawn] of acts.entries()) {
            if (drawn.act === "wait") time += drawn.milliseconds;
            else await pair.act(drawn);
            await pair.compare(index % every === every - 1 || index === acts.length - 1);
          }
          await pair.close();
        } finally {
          if (other.isOpen) await other.close();
        }
      }),
      // A failure that is still being made smaller is told of as it is, before the test's own time is over.
      { numRuns, unbiased: true, interruptAfterTimeLimit: 90_000 },
    );
  }
  expect(tally.lacking, "operations that were not seen often enough").toEqual([]);
}
