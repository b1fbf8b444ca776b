/** What goes back, up again, or is in doubt has the same history on every store, to the byte; also where its launcher dies on the way. */
import { expect, test } from "vitest";
import { z } from "zod";
import {
  again,
  didNotHappen,
  fail,
  happened,
  Launcher,
  pause,
  unknown,
  workflow,
  type Execution,
} from "../../src/index.js";
import { dying } from "../support/dying.js";
import { onEveryStore, type Rig } from "../support/rig.js";

/** With a stack of its own: that of a real one says through which code of the engine the step was called. */
const lost = (): Error => Object.assign(new Error("socket hang up"), { stack: "Error: socket hang up" });

const undo = (): void => undefined;
const soon = { attempts: 2, delay: "1s", jitter: false } as const;

/** Without children: when a parent sees what became of them depends on how a store tells it. */
const order = workflow("order", { input: z.object({ address: z.string(), says: z.string() }) })
  .step("charge", { run: ({ idempotencyKey }) => ({ paid: idempotencyKey }), rollback: undo })
  .step("transfer", {
    retry: soon,
    rollbackRetry: soon,
    run: ({ state, attempt, idempotencyKey }): { sent: string } => {
      if (state.says !== "" && attempt === 1) throw lost();
      return { sent: idempotencyKey };
    },
    probe: ({ state: { says }, round, polls, attempt, idempotencyKey }) => {
      if (says === "later" && polls === 0) return again({ after: "1m" });
      if (says === "fails" && attempt === 1) throw lost();
      if (says === "unknown" && round === 0) return unknown();
      return says === "not" ? didNotHappen() : happened({ sent: `found ${idempotencyKey}` });
    },
    rollback: ({ given }) => ({ undone: given.sent ?? "nothing" }),
  })
  .step("ship", {
    messages: { arrived: z.null() },
    rollbackMessages: { returned: z.null() },
    run: ({ state }) => pause({ parcel: state.address }),
    onMessage: undo,
    rollbackRetry: { attempts: 1 },
    rollback: ({ state }) => (state.says === "stuck" ? fail("no-carrier") : pause()),
    onRollbackMessage: undo,
  });

const ada = { by: "ada" } as const;

interface Life {
  /** What becomes of the transfer. */
  readonly says: string;
  readonly live: (execution: Execution<typeof order>, clock: Rig["clock"]) => Promise<unknown>;
}

/** Asks, and lets it be followed. */
async function asked<Answer>(clock: Rig["clock"], asking: Promise<Answer>): Promise<Answer> {
  asking.catch(() => undefined);
  await clock.advance("3m");
  return asking;
}

const rewound: Life["live"] = async (execution, clock) => {
  const rewinding = execution.rewind({
    to: "transfer",
    reason: "wrong-address",
    ...ada,
    patch: { address: "Oak Street" },
  });
  await asked(clock, rewinding);
  await asked(clock, execution.send("returned", null, { messageId: "m-1" }));
};

const lives: Readonly<Record<string, Life>> = {
  "sent back while it waits": { says: "", live: rewound },
  "sent back twice, then rolled back": {
    says: "",
    live: async (execution, clock) => {
      await rewound(execution, clock);
      await asked(clock, execution.send("arrived", null, { messageId: "m-2" }));
      await asked(clock, execution.rewind({ to: "ship", reason: "lost", ...ada }));
      await asked(clock, execution.send("returned", null, { messageId: "m-3" }));
      await asked(clock, execution.rollback("cancelled", { details: { percent: 30 }, ...ada }));
      await asked(clock, execution.send("returned", null, { messageId: "m-4" }));
    },
  },
  "taken over by a rollback": {
    says: "",
    live: async (execution, clock) => {
      await asked(clock, execution.rewind({ to: "transfer", reason: "wrong-address", ...ada }));
      await asked(clock, execution.rollback("cancelled", ada));
      await asked(clock, execution.send("returned", null, { messageId: "m-1" }));
    },
  },
  "stuck on its way back, and sent further back": {
    says: "stuck",
    live: async (execution, clock) => {
      await asked(clock, execution.rewind({ to: "ship", reason: "wrong-size", ...ada }));
      await asked(clock, execution.patchState({ says: "" }, "the carrier is back", ada));
      await asked(clock, execution.rewind({ to: "charge", reason: "wrong-card", ...ada }));
      await asked(clock, execution.send("returned", null, { messageId: "m-1" }));
    },
  },
  "found by its probe, then sent back": { says: "found", live: rewound },
  "found later, then sent back": { says: "later", live: rewound },
  "found not to have happened, then sent back": { says: "not", live: rewound },
  "in doubt, with a probe that fails once": { says: "fails", live: rewound },
  "in doubt, and resolved": {
    says: "unknown",
    live: async (execution, clock) => {
      await asked(clock, execution.resolve({ happened: { sent: "by hand" } }, "statement of 3 May", ada));
      await rewound(execution, clock);
    },
  },
  "in doubt, and sent back from there": {
    says: "unknown",
    live: async (execution, clock) => {
      await asked(clock, execution.rewind({ to: "charge", reason: "wrong-card", ...ada }));
      await asked(clock, execution.resolve({ didNotHappen: true }, "not on the statement", ada));
    },
  },
};

/** By life: what the first store had. */
const first = new Map<string, unknown>();

function sameAsFirst(name: string, had: unknown): void {
  if (!first.has(name)) first.set(name, had);
  expect(had, name).toEqual(first.get(name));
}

async function linesOf(execution: Execution): Promise<string[]> {
  const rows = await execution.history();
  return rows.map(({ func, step, result, direction, round = 0 }) => `${direction} ${func} ${step}@${round}: ${result}`);
}

onEveryStore("an execution that goes back, up again, or is in doubt", (start) => {
  test.each(Object.keys(lives))("has the same history on every store: %s", async (name) => {
    const { launcher, clock } = await start([order]);
    const { says, live } = lives[name]!;
    const execution = await launcher.launch(order, { address: "Elm Street", says }, { id: "e" });
    await clock.advance("5m");
    await live(execution, clock);
    const summary = await execution.summary();
    if (summary.status === "waiting") await asked(clock, execution.send("arrived", null, { messageId: "m-9" }));
    const { digest, status } = await execution.certificate();
    sameAsFirst(name, { lines: await linesOf(execution), state: await execution.state(), digest, status });
    expect(status).toMatch(/^(completed|rolledBack)$/);
  });
});

type Row = Parameters<Parameters<typeof dying>[2]>[0]["transitions"][number]["history"];

/** Which commit its launcher dies at. */
const deaths: Readonly<Record<string, (row: Row) => boolean>> = {
  "the request": ({ backTo }) => backTo !== undefined,
  "the last undo, with which it goes up again": ({ upInto }) => upInto !== undefined,
  "an undo": ({ func, step }) => func === "rollback" && step === "transfer",
  "the second doing": ({ round, func }) => round === 1 && func === "run",
  "the answer of its probe": ({ func }) => func === "probe",
};

const short = workflow("short", { input: z.object({}) })
  .step("charge", { run: undo, rollback: undo })
  .step("transfer", {
    run: ({ idempotencyKey, attempt }): { sent: string } => {
      if (attempt === 1) throw lost();
      return { sent: idempotencyKey };
    },
    probe: ({ idempotencyKey }) => happened({ sent: `found ${idempotencyKey}` }),
    rollback: undo,
  })
  .step("ship", {
    messages: { arrived: z.null() },
    run: () => pause(),
    onMessage: undo,
    rollback: undo,
  });

const often = { pollInterval: "2s", heartbeat: { interval: "5s", timeout: "20s" } } as const;
const nobodys = workflow("nobodys", { input: z.object({}) }).step("1", { run: undo });
const silent = { debug: undo, info: undo, warn: undo, error: undo };

onEveryStore("a doubt and a rewind whose launcher dies", (start) => {
  test.each(Object.keys(deaths))("have the same history on every store: before and after %s", async (name) => {
    const { store, clock } = await start([nobodys], often);
    for (const when of ["before", "after"] as const) {
      let hasDied = false;
      const fatal = dying(store, when, ({ transitions }) => {
        hasDied ||= transitions.some(({ id, history }) => id === when && deaths[name]!(history));
        return hasDied;
      });
      const options = { workflows: [short], onError: undo, logger: silent, ...often };
      const mortal = new Launcher({ store: fatal, ...options });
      await mortal.start();
      const launched = mortal.launch(short, {}, { id: when });
      launched.catch(() => undefined);
      await clock.advance("30s");
      // Who asks dies with the launcher: the request counts where it was stored.
      const again = { to: "charge", reason: "wrong-card", ...ada } as const;
      if (!hasDied)
        void mortal
          .execution(short, when)
          .rewind(again)
          .catch(() => undefined);
      await clock.advance("5s");
      const other = new Launcher({ store, ...options });
      await other.start();
      await clock.advance("1m");
      const execution = other.execution(short, when);
      if (!(await execution.history()).some(({ backTo }) => backTo !== undefined))
        await asked(clock, execution.rewind(again));
      await execution.send("arrived", null);
      await clock.advance("1m");
      expect((await execution.summary()).status).toBe("completed");
      sameAsFirst(`${when} ${name}`, { lines: await linesOf(execution), state: await execution.state() });
      expect(hasDied).toBe(true);
      const stopped = other.stop();
      await clock.advance("5s");
      await stopped;
    }
  });
});
