/** The groups of figures, each with its purpose. A round of a group is a process of its own. */
import type { Figure, GroupOptions } from "./figures.js";

export interface Group {
  readonly purpose: string;
  /** How many rounds there are, unless the command says otherwise. */
  readonly rounds: number;
  /** Loaded by the round: a group may need what an older commit does not have. */
  readonly load: () => Promise<(options: GroupOptions) => Promise<Figure[]>>;
}

const usual = 3;

export const groups: Readonly<Record<string, Group>> = {
  memory: {
    purpose: "throughput on the memory store",
    rounds: usual,
    load: async () => (await import("./groups/memory.js")).memory,
  },
  sqlite: {
    purpose: "throughput on SQLite, beside a plain loop that writes the same bytes",
    rounds: usual,
    load: async () => (await import("./groups/sqlite.js")).sqlite,
  },
  postgres: {
    purpose: "throughput on PostgreSQL, beside plain batched statements that write the same bytes",
    rounds: usual,
    load: async () => (await import("./groups/postgres.js")).postgres,
  },
  latency: {
    purpose: "one execution at a time, beside a plain loop that writes the same rows",
    rounds: usual,
    load: async () => (await import("./groups/latency.js")).latency,
  },
  launch: {
    purpose: "launches on PostgreSQL that are only stored, beside plain inserts of the same bytes",
    rounds: usual,
    load: async () => (await import("./groups/launch.js")).launch,
  },
  state: {
    purpose: "bytes written for a small patch of a large state, and throughput with one",
    rounds: usual,
    load: async () => (await import("./groups/state.js")).state,
  },
  steps: {
    purpose: "bytes written for a transition of a long workflow, beside a short one",
    rounds: usual,
    load: async () => (await import("./groups/steps.js")).steps,
  },
  observers: {
    purpose: "throughput with observers, beside none",
    rounds: usual,
    load: async () => (await import("./groups/observers.js")).observers,
  },
  mailbox: {
    purpose: "a send into a full mailbox, beside one into an empty mailbox",
    rounds: 1,
    load: async () => (await import("./groups/mailbox.js")).mailbox,
  },
  wake: {
    purpose: "from a message to its handler in another process",
    rounds: 1,
    load: async () => (await import("./groups/wake.js")).wake,
  },
  scale: {
    purpose: "throughput of several processes on one PostgreSQL server",
    rounds: 1,
    load: async () => (await import("./groups/scale.js")).scale,
  },
  parts: {
    purpose: "what one execution takes of a launcher, of the server and of its log (Linux)",
    rounds: usual,
    load: async () => (await import("./groups/parts.js")).parts,
  },
  simulated: {
    purpose: "throughput of launchers and servers on machines that are not here, by a model of the parts (Linux)",
    rounds: 1,
    load: async () => (await import("./groups/simulated.js")).simulated,
  },
  desk: {
    purpose: "the desk's page, from request to paint, with a million executions and with one of 20,000 transitions",
    rounds: 1,
    load: async () => (await import("./groups/desk.js")).deskPage,
  },
  waiters: {
    purpose: "records read for each outcome that is waited for",
    rounds: 1,
    load: async () => (await import("./groups/waiters.js")).waiters,
  },
  clock: {
    purpose: "how long a virtual month takes",
    rounds: 1,
    load: async () => (await import("./groups/clock.js")).clock,
  },
  children: {
    purpose: "a step of a thousand children, beside launches of the same, and what a family that waits costs",
    rounds: 1,
    load: async () => (await import("./groups/children.js")).children,
  },
  explore: {
    purpose: "histories of a workflow that are explored in a second, all single faults and all pairs of eight steps",
    rounds: 1,
    load: async () => (await import("./groups/explore.js")).exploring,
  },
  rewind: {
    purpose: "executions that go back three steps and up again, beside launches of as many that are undone",
    rounds: 1,
    load: async () => (await import("./groups/rewind.js")).rewind,
  },
  parked: {
    purpose: "memory, start and throughput beside many executions that wait",
    rounds: 1,
    load: async () => (await import("./groups/parked.js")).parked,
  },
  lists: {
    purpose: "the slowest list page or count with a million executions",
    rounds: 1,
    load: async () => (await import("./groups/lists.js")).lists,
  },
  soak: {
    purpose: "a mixed load for a while: HOT updates, size of the heap, drift of throughput",
    rounds: 1,
    load: async () => (await import("./groups/soak.js")).soak,
  },
};
