/**
 * What the desk's HTTP interface answers, made by hand for the tests of its page: states that a real store takes long to come to, and
 * texts that nobody well-meaning would store. Typed by the shapes that the handler answers with.
 */
import type {
  DeadLettersPage,
  ExecutionLine,
  ExecutionsPage,
  ExecutionView,
  HistoryPage,
  LaunchersView,
  LimitsView,
  Mailbox,
  Overview,
  SchedulesView,
  Session,
  StateView,
  TransitionView,
  WorkflowsView,
  WorkflowView,
} from "../../src/desk/http/shapes.js";
import type { ChildrenPage } from "../../src/desk/http/child-shapes.js";
import type { RecallsView, RecallView } from "../../src/desk/http/recall-shapes.js";
import type { ShownError, ShownValue } from "../../src/desk/http/value-shapes.js";
import type { LaneRow } from "../../src/desk/model/lanes.js";

const noon = Date.parse("2026-03-02T12:00:00.000Z");

/** So many seconds before the moment at which the fixtures are looked at. */
const before = (seconds: number): string => new Date(noon - seconds * 1000).toISOString();

const now = before(0);

const text = (text: string): ShownValue => ({ text, bytes: Buffer.byteLength(text) });

export const line = (given: Partial<ExecutionLine> = {}): ExecutionLine => ({
  id: "order-1",
  workflow: "fulfil-order",
  version: "3",
  status: "running",
  struggling: false,
  queued: false,
  direction: "up",
  reason: "normal",
  step: "charge",
  stepIndex: 2,
  tags: ["region:eu"],
  createdAt: before(4000),
  updatedAt: before(60),
  revision: 7,
  attempts: 0,
  ...given,
});

const stuck = line({
  id: "order-1041",
  status: "stuck",
  direction: "down",
  reason: "no-carrier",
  step: "reserve-stock",
  stepIndex: 1,
  tags: ["region:eu", "vip"],
  error: "Warehouse answered 503: maintenance until 06:00",
  attempts: 5,
  updatedAt: before(2520),
});

const lines: readonly ExecutionLine[] = [
  stuck,
  line({ id: "order-2", status: "waiting" }),
  line({ id: "order-3", status: "completed", step: "notify" }),
  line({ id: "order-4", status: "rolledBack", direction: "down", reason: "out-of-stock" }),
  line({ id: "order-5", direction: "down", reason: "fraud" }),
  line({ id: "order-6", status: "scheduled", struggling: true, attempts: 9, error: "connect ECONNREFUSED" }),
  line({ id: "order-7", queued: true }),
];

const failure: ShownError = {
  name: "WarehouseError",
  message: "Warehouse answered 503: maintenance until 06:00",
  code: "E_WAREHOUSE",
  stack: "WarehouseError: Warehouse answered 503: maintenance until 06:00\n    at release (/app/stock.ts:44:11)",
  cause: { name: "Error", message: "connect ECONNREFUSED 10.0.3.7:443" },
};

const steps = ["check-order", "reserve-stock", "charge", "book-carrier", "notify"] as const;

const laneRow = (index: number, up: LaneRow["up"]["mark"], down: LaneRow["down"]["mark"], note?: string): LaneRow => ({
  index,
  step: steps[index]!,
  pivot: index === 3,
  pastPivot: false,
  here: index === 1,
  up: { mark: up, attempts: 1, durationMs: 120 },
  down: { mark: down, attempts: down === "stuck" ? 5 : 1, durationMs: 80, ...(note !== undefined && { note }) },
});

const transition = (revision: number): TransitionView => ({
  revision,
  at: before(100_000 - revision),
  direction: revision % 100 < 60 ? "up" : "down",
  step: steps[revision % 5]!,
  stepIndex: revision % 5,
  func: "run",
  attempt: 1,
  result: revision % 13 === 0 ? "no-carrier" : "ok",
  durationMs: 40,
  ...(revision % 13 === 0 && { error: failure, by: "ada", why: "the customer called" }),
});

export function historyPage(beneath: number, limit: number): HistoryPage {
  const count = Math.min(limit, beneath - 1);
  const rows = Array.from({ length: count }, (_, index) => transition(beneath - 1 - index));
  const oldest = rows.at(-1)?.revision ?? 1;
  return { rows, before: oldest > 1 ? oldest : null };
}

const children: ChildrenPage["group"] = {
  ...{ step: "ship-items", round: 0, number: 1, count: 3, isClosed: false },
  ...{ notBegun: 1, underWay: 1, stuck: 1, completed: 0, rolledBack: 0 },
};

export const childrenPage: ChildrenPage = {
  execution: "order-1041",
  group: children,
  lines: [
    { position: 0, key: "A-1", id: "order-1041/ship-items/A-1", status: "stuck", isAsked: true },
    { position: 1, key: "B-2", id: "order-1041/ship-items/B-2", status: "underWay", isAsked: false },
    { position: 2, key: "C-3", id: "order-1041/ship-items/C-3", status: "notBegun", isAsked: false },
  ],
  next: null,
};

export const executionView = (revision = 40): ExecutionView => ({
  ...stuck,
  parent: "batch-7",
  root: "day-2",
  children: [children],
  revision,
  now,
  deadlineAt: before(-3600),
  words: {
    headline: "Stuck on the way down: reserve-stock could not be undone",
    lines: ["Since 42 min. Five attempts failed, the last one with “Warehouse answered 503”."],
    urgency: "act",
    acts: [
      {
        act: "retry",
        label: "Try again",
        consequence: "The rollback of reserve-stock is called again.",
        reason: "optional",
        grave: false,
      },
      {
        act: "skip",
        label: "Take as undone",
        consequence: "Nothing is called. What reserve-stock did stays in the world.",
        reason: "required",
        grave: true,
      },
    ],
  },
  lanes: {
    whole: true,
    countedAfter: 0,
    rounds: [
      { number: 1, open: false, line: "round 1: back from notify to charge, ada, wrong address", rows: [] },
      {
        number: 2,
        open: true,
        line: "",
        rows: [
          laneRow(0, "done", "to-undo"),
          laneRow(1, "done", "stuck", "Warehouse answered 503: maintenance until 06:00"),
          laneRow(2, "half-done", "undone"),
          laneRow(3, "failed", "kept", "A parcel that left has left."),
          laneRow(4, "to-do", "none"),
        ],
        turned: { step: "book-carrier", reason: "no-carrier", by: "ada" },
      },
    ],
  },
  failure,
  state: text("{ sku: 'A-1', cents: 1999n }"),
  messages: ["settled", "declined"],
  pending: { count: 1, more: false },
  history: historyPage(revision + 1, 100),
});

export const stateView = (revision: number): StateView => ({
  revision,
  state: { text: "{ sku: 'A-1', cents: 1999n, …", bytes: 80_000, whole: "api/execution/value?id=order-1041&of=state" },
  changes: [
    { op: "add", path: "/paymentId", value: text("'pay-1'") },
    { op: "replace", path: "/status", value: text("'charged'") },
    { op: "remove", path: "/draft" },
  ],
});

const session: Session = {
  by: "ada",
  rights: ["read", "act-one", "act-many", "launch"],
  now,
  store: "sqlite",
  version: "0.1.0",
  live: true,
};

const count = (count: number, more = false) => ({ count, more });

const overview: Overview = {
  now,
  counts: {
    running: count(214),
    waiting: count(1208),
    scheduled: count(31),
    stuck: count(1),
    completed: count(10_000, true),
    rolledBack: count(641),
  },
  deadLetters: [{ workflow: "fulfil-order", count: 12, more: false }],
  stuck: [stuck],
  struggling: [lines[5]!],
  window: {
    since: before(3600),
    minutes: Array.from({ length: 60 }, (_, index) => ({
      at: before(3600 - index * 60),
      transitions: 200 + (index % 7) * 20,
      launched: 20,
      completed: 18,
      turned: index % 5,
      rolledBack: 1,
      stuck: 0,
      failedAttempts: index % 3,
      p50: index % 11 === 0 ? null : 20,
      p95: index % 11 === 0 ? null : 120,
    })),
  },
};

const executions: ExecutionsPage = {
  now,
  executions: lines,
  damaged: [{ id: "order-9", workflow: "fulfil-order", problem: "its state is no JSON" }],
  cursor: "older",
};

const mailbox: Mailbox = {
  more: false,
  messages: [
    { id: "evt-9", name: "settled", payload: text("{ at: 1 }"), receivedAt: before(500), status: "pending" },
    {
      id: "evt-8",
      name: "declined",
      payload: text("{}"),
      receivedAt: before(900),
      status: "dead",
      step: "charge",
      topic: "payments",
      resent: { to: "order-2", as: "settled", by: "ada", at: before(100) },
    },
  ],
};

const workflows: WorkflowsView = {
  workflows: [
    {
      name: "fulfil-order",
      versions: ["3", "2"],
      launchable: true,
      running: count(12),
      waiting: count(1208),
      scheduled: count(3),
      stuck: count(1),
      findings: 1,
    },
  ],
};

const workflow: WorkflowView = {
  name: "fulfil-order",
  version: "3",
  versions: [
    { version: "3", inFlight: count(1221), known: true },
    { version: "2", inFlight: count(4), known: false },
  ],
  steps: [
    { name: "reserve-stock", rollback: true },
    { name: "charge", rollback: true, messages: ["settled", "declined"], when: true },
    { name: "book-carrier", pivot: true, transactional: true },
    { name: "ship-items", children: { kind: "forEach", workflows: { "": "ship-item" } } },
    { name: "notify", irreversible: "A mail that was sent stays sent." },
    { name: "log" },
  ],
  findings: [{ step: "charge", kind: "wait-without-timeout", problem: "It may wait for ever. Give it a timeout." }],
  launchable: true,
};

const schedules: SchedulesView = {
  now,
  schedules: [
    {
      name: "nightly",
      workflow: "report",
      version: "1",
      timing: "0 2 * * *, Europe/Berlin",
      missed: "once",
      tags: [],
      paused: false,
      nextAt: before(-30_000),
      lastAt: before(50_000),
      setAt: before(500_000),
      input: text("{}"),
      triggerable: true,
    },
    {
      name: "poll-bank",
      workflow: "poll",
      version: "1",
      timing: "every 5 min",
      missed: "skip",
      tags: [],
      paused: true,
      nextAt: null,
      lastAt: null,
      setAt: before(5),
      input: text("{}"),
      triggerable: false,
    },
  ],
};

const letters: DeadLettersPage = {
  letters: [
    {
      execution: "order-1041",
      workflow: "fulfil-order",
      id: "evt-8",
      name: "declined",
      payload: text("{ code: 'limit' }"),
      receivedAt: before(900),
      step: "charge",
      topic: "payments",
    },
  ],
  damaged: [{ id: "order-9", workflow: "fulfil-order", problem: "its payload is no JSON" }],
  cursor: null,
};

const limits: LimitsView = {
  limits: [
    { workflow: "fulfil-order", limit: 50, keyLimit: 2, rate: "100 per 1 min", held: 42, queued: count(17) },
    { workflow: "report", limit: null, keyLimit: null, rate: null, held: 0, queued: count(0) },
  ],
};

const launchers: LaunchersView = {
  launchers: [
    { number: 1, host: "desk-1", place: "boot-1/pid:[1]", pid: 4242, silentMs: 900 },
    { number: 2, host: "desk-2", place: "boot-2/pid:[1]", pid: 118, silentMs: 42_000 },
  ],
  unattended: [{ what: "executions", workflow: "report", version: "1" }],
};

const recall: RecallView = {
  id: "recall-7",
  status: "paused",
  reason: "wrong-price",
  by: "ada",
  launchedAt: before(600),
  endedAt: null,
  counted: 500,
  left: 431,
  asked: 60,
  underWay: 12,
  rolledBack: 46,
  stuck: 2,
  struggling: 1,
  turned: 5,
  notFound: 1,
  notCompleted: 0,
  refused: { "past-pivot": 3 },
  paused: { why: "stuck", at: before(60) },
  troubled: [
    { id: "order-1041", is: "stuck" },
    { id: "order-1042", is: "stuck" },
    { id: "order-1043", is: "struggling" },
  ],
  unattended: [{ workflow: "fulfil-order", version: "3", count: 2 }],
  order: "newest",
  rate: "10/s",
  atOnce: 100,
  canary: 5,
  onStuck: 3,
};

const { paused: _paused, ...goesOn } = recall;

const recalls: RecallsView = {
  now,
  recalls: [
    recall,
    { ...goesOn, id: "recall-6", status: "asking", reason: "wrong-address" },
    { ...goesOn, id: "recall-5", status: "done", rolledBack: 500, left: 0, endedAt: before(100) },
  ],
  cursor: "older",
};

/** An answer, or what makes it of the query. */
export type Answers = Readonly<Record<string, (query: URLSearchParams) => unknown>>;

export const answers: Answers = {
  "api/session": () => session,
  "api/overview": () => overview,
  "api/executions": () => executions,
  "api/executions/count": () => count(10_000, true),
  "api/execution": () => executionView(),
  "api/execution/history": (query) => historyPage(Number(query.get("before")), Number(query.get("limit") ?? 100)),
  "api/execution/state": (query) => stateView(Number(query.get("revision"))),
  "api/execution/mailbox": () => mailbox,
  "api/execution/children": () => childrenPage,
  "api/workflows": () => workflows,
  "api/workflows/names": () => ({ names: workflows.workflows.map(({ name }) => name) }),
  "api/workflow": () => workflow,
  "api/schedules": () => schedules,
  "api/recalls": () => recalls,
  "api/recall": () => recall,
  "api/dead-letters": () => letters,
  "api/limits": () => limits,
  "api/launchers": () => launchers,
};

/** Nothing has ever happened in this store. */
export const nothing: Answers = {
  ...answers,
  "api/overview": () => ({
    now,
    counts: Object.fromEntries(Object.keys(overview.counts).map((status) => [status, count(0)])),
    deadLetters: [],
    stuck: [],
    struggling: [],
    window: null,
  }),
  "api/executions": () => ({ now, executions: [], damaged: [], cursor: null }),
  "api/executions/count": () => count(0),
  "api/execution/mailbox": () => ({ messages: [], more: false }),
  "api/workflows": () => ({ workflows: [] }),
  "api/workflows/names": () => ({ names: [] }),
  "api/schedules": () => ({ now, schedules: [] }),
  "api/recalls": () => ({ now, recalls: [], cursor: null }),
  "api/dead-letters": () => ({ letters: [], damaged: [], cursor: null }),
  "api/limits": () => ({ limits: [] }),
  "api/launchers": () => ({ launchers: [], unattended: [] }),
};

/** What the engine makes: words of its own, numbers and times. All else is a user's. */
const own = new Set(
  "status direction mark type op act urgency func missed now at createdAt updatedAt receivedAt setAt nextAt lastAt since dueAt deadlineAt rights store whole kind cursor launchedAt endedAt is order rate".split(
    " ",
  ),
);

/** The same answers, with a hostile text in every field that a user can fill. */
export function poisoned(value: unknown, poison: string, key = ""): unknown {
  if (typeof value === "string") return own.has(key) ? value : `${value}${poison}`;
  if (Array.isArray(value)) return value.map((one) => poisoned(one, poison, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, poisoned(one, poison, name)]));
}
