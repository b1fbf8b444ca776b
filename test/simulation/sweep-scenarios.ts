/** What is played in a sweep: few workflows that together use what the engine has, with what callers ask, and how it must end. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Clock } from "../../src/clock.js";
import type { Status } from "../../src/definition/flow.js";
import { didNotHappen, fail, happened, pause, workflow, type AnyWorkflow, type Client } from "../../src/index.js";
import type { Transacted } from "../../src/definition/outcome.js";
import type { Asker, Outside, Undoer } from "./sweep-outside.js";
import { takes } from "./sweep-process.js";

/** A table of the user's own, in the store's database, written within the transactions of steps. */
export interface Entries {
  /** Writes the key down, or takes it away, and gives that patch. */
  enter(key: string, patch: object): Transacted;
  remove(key: string, patch: object): Transacted;
  all(): Promise<readonly string[]>;
}

/** What the steps of one process work with. */
export interface Stage {
  readonly outside: Outside;
  readonly clock: Clock;
  readonly entries: Entries | undefined;
  /** To be told at the beginning of each call. */
  readonly called: (by: Asker) => void;
}

/** What an acceptance promises. */
export type Promised =
  | { readonly type: "launch" }
  | { readonly type: "message"; readonly id: string }
  | { readonly type: "rollback"; readonly reason: string }
  | { readonly type: "rewind"; readonly by: string }
  | { readonly type: "other" };

/** What a caller asks at a time, again and again until it is answered. */
export interface Ask {
  /** In milliseconds from the beginning. */
  readonly at: number;
  readonly execution: string;
  readonly promised: Promised;
  readonly ask: (client: Client, workflows: readonly AnyWorkflow[]) => Promise<unknown>;
  /** So must the execution stand: before that it is not asked. */
  readonly when?: Status;
  /** Codes of errors that are an answer, too: what was asked came too late. */
  readonly tooLate?: readonly string[];
}

/** How an execution must end. */
export interface End {
  readonly id: string;
  readonly status: "completed" | "rolledBack";
  readonly reason?: string;
  /** What stands of it on the other side, in the order in which it was done. */
  readonly effects: readonly string[];
  /** Its steps whose entry stands in the user's table. */
  readonly entries?: readonly string[];
}

export interface Scenario {
  /** For the command line. */
  readonly id: string;
  readonly name: string;
  /** It writes into a table of the user's. */
  readonly needsTransactions?: true;
  readonly workflows: (stage: Stage) => readonly AnyWorkflow[];
  readonly asks: readonly Ask[];
  readonly ends: readonly End[];
}

interface Going {
  readonly fails?: boolean;
}

const input: StandardSchemaV1<Going, Going> = {
  "~standard": { version: 1, vendor: "sweep", validate: (value) => ({ value: value as Going }) },
};

const anything: StandardSchemaV1<object, object> = {
  "~standard": { version: 1, vendor: "sweep", validate: (value) => ({ value: value as object }) },
};

function launches(id: string, given: Going = {}, which = 0, at = 100): Ask {
  return {
    ...{ at, execution: id, promised: { type: "launch" } },
    ask: (client, workflows) => client.launch(workflows[which]!, given, { id }),
  };
}

function sends(at: number, to: string, name: string, messageId: string): Ask {
  return {
    ...{ at, execution: to, promised: { type: "message", id: messageId } },
    ask: (client) => client.send(to, name, { at }, { messageId }),
    tooLate: ["STEPWELL_EXECUTION_ENDED"],
  };
}

const late = { type: "other" } as const;

function does({ outside, called }: Stage, context: Asker): void {
  called(context);
  outside.do(context);
}

function undoes({ outside, called }: Stage, context: Undoer): void {
  called(context);
  outside.undo(context);
}

/** A step whose effect is done under its key, and undone. */
function effect({ outside, clock, called }: Stage, milliseconds = 0) {
  return {
    run: async (context: Asker) => {
      called(context);
      if (milliseconds > 0) await takes(clock, milliseconds);
      outside.do(context);
      return { [context.step.name]: true };
    },
    rollback: async (context: Undoer) => {
      called(context);
      if (milliseconds > 0) await takes(clock, milliseconds);
      outside.undo(context);
    },
  };
}

/** Up, with a wait for a message in the middle, an attempt that throws, and a message that nobody takes. */
const order: Scenario = {
  id: "order",
  name: "an order that waits for its payment, and completes",
  workflows: (stage) => [
    workflow("order", { input })
      .step("reserve", effect(stage))
      .step("pay", {
        messages: { paid: anything },
        run: (context) => {
          does(stage, context);
          return pause({ asked: true }, { timeout: "10m" });
        },
        onMessage: ({ message }) => ({ paidBy: message.id }),
        rollback: (context) => undoes(stage, context),
      })
      .step("ship", {
        retry: { attempts: 4, delay: 300, jitter: false },
        run: (context) => {
          does(stage, context);
          if (stage.outside.count("ship") === 1) throw new Error("not at the first time");
        },
        rollback: (context) => undoes(stage, context),
      }),
  ],
  asks: [launches("o"), sends(600, "o", "paid", "first"), sends(600, "o", "paid", "second")],
  ends: [{ id: "o", status: "completed", effects: ["reserve", "pay", "ship"] }],
};

/** Fails at its last step and goes down, where an undo throws and another one waits for a message. */
const refused: Scenario = {
  id: "refused",
  name: "an order that is refused at its last step, and goes down",
  workflows: (stage) => [
    workflow("refused", { input })
      .step("reserve", {
        run: (context) => does(stage, context),
        rollbackMessages: { returned: anything },
        rollback: () => pause(undefined, { timeout: "10m" }),
        onRollbackMessage: (context) => undoes(stage, context),
      })
      .step("pay", {
        run: (context) => does(stage, context),
        rollbackRetry: { attempts: 5, delay: 300, jitter: false },
        rollback: (context) => {
          stage.called(context);
          if (stage.outside.count("pay back") === 1) throw new Error("not at the first time");
          stage.outside.undo(context);
        },
      })
      .step("ship", {
        run: (context) => {
          does(stage, context);
          return fail("no-carrier");
        },
        rollback: (context) => undoes(stage, context),
      }),
  ],
  asks: [launches("r"), sends(700, "r", "returned", "back")],
  ends: [{ id: "r", status: "rolledBack", reason: "no-carrier", effects: [] }],
};

/** Somebody asks for a rollback while a step runs, and of another one that waits. */
const changedMind: Scenario = {
  id: "changed-mind",
  name: "two orders whose rollback is requested, while a step runs and while one waits",
  workflows: (stage) => [
    workflow("changed-mind", { input })
      .step("reserve", effect(stage))
      .step("pack", effect(stage, 300))
      .step("hand-over", {
        messages: { fetched: anything },
        run: (context) => {
          does(stage, context);
          return pause();
        },
        onMessage: () => undefined,
        rollback: (context) => undoes(stage, context),
      }),
  ],
  asks: [launches("b"), launches("c"), asksBack(250, "b"), asksBack(900, "c"), sends(900, "c", "fetched", "too-late")],
  ends: ["b", "c"].map((id) => ({ id, status: "rolledBack", reason: "changed-my-mind", effects: [] })),
};

function asksBack(at: number, execution: string): Ask {
  const reason = "changed-my-mind";
  return {
    ...{ at, execution, promised: { type: "rollback", reason } },
    ask: (client) => client.rollback(execution, reason, { by: "a customer" }),
  };
}

/** Steps that write into the user's own table, in the store's transaction, on the way up and down. */
const booked: Scenario = {
  id: "booked",
  name: "two bookings in the store's own transaction, of which one is undone",
  needsTransactions: true,
  workflows: (stage) => {
    const entry = {
      run: (context: Asker) => {
        stage.called(context);
        return stage.entries!.enter(context.idempotencyKey, { [context.step.name]: true }) as never;
      },
      rollback: (context: Undoer) => {
        stage.called(context);
        return stage.entries!.remove(context.runKey, {}) as never;
      },
    };
    return [
      workflow("booked", { input })
        .step("debit", entry)
        .step("notify", effect(stage))
        .step("credit", entry)
        .step("close", { run: ({ state }) => (state.fails === true ? fail("not-in-balance") : undefined) }),
    ];
  },
  asks: [launches("k"), launches("l", { fails: true })],
  ends: [
    { id: "k", status: "completed", effects: ["notify"], entries: ["debit", "credit"] },
    { id: "l", status: "rolledBack", reason: "not-in-balance", effects: [], entries: [] },
  ],
};

/** Parents with two children each, together and one after the other; of the second parent, a child fails. */
const family: Scenario = {
  id: "family",
  name: "two parents with two children each, of which one child fails",
  workflows: (stage) => {
    const parcel = workflow("parcel", { input })
      .step("fetch", effect(stage))
      .step("deliver", {
        ...effect(stage, 100),
        run: async (context) => {
          stage.called(context);
          await takes(stage.clock, 100);
          stage.outside.do(context);
          return context.state.fails === true ? fail("nobody-home") : undefined;
        },
      });
    const parcels = (name: string, inTurn: object) =>
      workflow(name, { input })
        .step("pack", effect(stage))
        .forEach("parcels", parcel, {
          items: ({ state }) => [{}, { fails: state.fails === true }],
          ...inTurn,
        })
        .step("bill", effect(stage));
    return [parcels("parcels", {}), parcels("parcels-in-turn", { concurrency: 1 })];
  },
  asks: [launches("p"), launches("q", { fails: true }, 1)],
  ends: [
    { id: "p", status: "completed", effects: ["pack", "bill"] },
    { id: "p/parcels/0", status: "completed", effects: ["fetch", "deliver"] },
    { id: "p/parcels/1", status: "completed", effects: ["fetch", "deliver"] },
    { id: "q", status: "rolledBack", effects: [] },
    { id: "q/parcels/0", status: "rolledBack", effects: [] },
    { id: "q/parcels/1", status: "rolledBack", reason: "nobody-home", effects: [] },
  ],
};

/** An operator goes back to a step of what has completed, and it is done a second time from there. */
const secondRound: Scenario = {
  id: "rewound",
  name: "an order that is rewound, and completes a second time",
  workflows: (stage) => [
    workflow("rewound", { input })
      .step("reserve", effect(stage))
      .step("pay", effect(stage, 50))
      .step("ship", effect(stage)),
  ],
  asks: [
    launches("w"),
    {
      ...{ at: 500, execution: "w", promised: { type: "rewind", by: "an operator" } },
      ask: (client) => client.execution("w").rewind({ to: "pay", reason: "wrong-price", by: "an operator" }),
    },
  ],
  ends: [{ id: "w", status: "completed", effects: ["reserve", "pay", "ship"] }],
};

/** The other side knows no keys. Its answer is lost once, and a probe asks it what has happened. */
const inDoubt: Scenario = {
  id: "in-doubt",
  name: "two transfers through a bank that knows no keys, whose answers are lost",
  workflows: (stage) => [
    workflow("transfer", { input })
      .step("transfer", {
        retry: { attempts: 4, delay: 200, jitter: false },
        run: (context) => {
          stage.called(context);
          stage.outside.doAnew(context);
          if (stage.outside.count(context.idempotencyKey) === 1) throw new Error("socket hang up");
          return { transferred: true };
        },
        probe: (context) => {
          if (stage.outside.has(context.idempotencyKey)) return happened({ transferred: true });
          if (context.reason !== undefined) stage.outside.close(context.idempotencyKey);
          return didNotHappen();
        },
        rollback: (context) => undoes(stage, context),
      })
      .step("note", {
        run: async ({ state }) => {
          await takes(stage.clock, 50);
          return state.fails === true ? fail("not-noted") : undefined;
        },
      }),
  ],
  asks: [launches("t"), launches("u", { fails: true })],
  ends: [
    { id: "t", status: "completed", effects: ["transfer"] },
    { id: "u", status: "rolledBack", reason: "not-noted", effects: [] },
  ],
};

/** One after the other, each with a message of a topic that it has subscribed to; then both are recalled. */
const recalled: Scenario = {
  id: "recalled",
  name: "two orders of which one may go at a time, of a topic, launched by a schedule and recalled",
  workflows: (stage) => [
    workflow("limited", { input, concurrency: 1 }).step("listen", {
      messages: { price: anything },
      run: async (context) => {
        stage.called(context);
        await context.subscribe("prices");
        stage.outside.do(context);
        return pause();
      },
      onMessage: () => undefined,
      rollback: (context) => undoes(stage, context),
    }),
  ],
  asks: [
    launches("s"),
    {
      ...{ at: 150, execution: "d@2026-01-01T12:00:01.000Z", promised: late },
      ask: (client, [limited]) => client.schedules.set("d", limited!, {}, { at: new Date("2026-01-01T12:00:01Z") }),
    },
    {
      ...{ at: 700, execution: "s", promised: late },
      ask: (client) => client.publish("prices", "price", {}, { messageId: "p-1" }),
    },
    {
      ...{ at: 2500, execution: "s", promised: late },
      when: "completed",
      ask: (client) => client.recall({ ids: ["s"], reason: "broken-part", by: "quality", id: "recall" }),
    },
  ],
  ends: [
    { id: "s", status: "rolledBack", reason: "broken-part", effects: [] },
    { id: "d@2026-01-01T12:00:01.000Z", status: "completed", effects: ["listen"] },
  ],
};

export const scenarios: readonly Scenario[] = [
  order,
  refused,
  changedMind,
  booked,
  family,
  secondRound,
  inDoubt,
  recalled,
];

/** Those that a store can play. */
export function scenariosOn(hasTransactions: boolean): readonly Scenario[] {
  return scenarios.filter(({ needsTransactions }) => needsTransactions !== true || hasTransactions);
}
