/** Mistakes that people make in workflows: each is found, soon, and shown in a few rows. */
import { expect, test } from "vitest";
import { z } from "zod";
import { again, complete, didNotHappen, fail, happened, pause, workflow, type AnyWorkflow } from "../../index.js";
import { systemClock } from "../../clock.js";
import { ExploreError } from "./explore-error.js";
import { explore, type ExploreOptions } from "./explore.js";
import { Participant } from "./participant.js";

const input = z.object({});

interface Context {
  readonly idempotencyKey: string;
  readonly runKey: string;
  readonly halfDone: boolean;
  readonly attempt: number;
  readonly state: Readonly<Record<string, unknown>>;
  readonly given: Readonly<Record<string, unknown>>;
}

/** A step that does it as it should, but for what is given. */
function sound(bank: Participant, name: string, more: object = {}) {
  return {
    run: async ({ idempotencyKey }: Context) => ({ [name]: bank.do(name, idempotencyKey, name) }),
    rollback: async ({ runKey }: Context) => bank.undo(name, runKey),
    ...more,
  };
}

/** Steps that are added one by one, without their types. */
interface Loose extends AnyWorkflow {
  step(name: string, options: object): Loose;
  waitFor(name: string, messages: object, options?: object): Loose;
  forEach(name: string, child: AnyWorkflow, options: object): Loose;
  migrate(older: string, options: object): Loose;
}

const begun = (name = "order", options: object = {}): Loose => workflow(name, { input, ...options });

/** "charge" as given, before a step that is sound. */
const charging =
  (charge: (bank: Participant) => object) =>
  (bank: Participant): AnyWorkflow =>
    begun()
      .step("charge", sound(bank, "charge", charge(bank)))
      .step("ship", sound(bank, "ship"));

const keyless = (): Participant => new Participant({ keys: false });

/** An other side that forgets what was called off. */
class Forgetful {
  readonly standing = new Set<string>();
  snapshot = (): unknown => [...this.standing];
}

const thrice = { retry: { attempts: 3, delay: "1s" } } as const;

interface Planted {
  readonly of: (world: never) => AnyWorkflow;
  readonly options?: Partial<ExploreOptions<never>>;
  /** What the problem says. */
  readonly says: RegExp;
}

const nothingStands = ({ world, status }: { readonly world: Forgetful; readonly status: string }): void => {
  if (status === "rolledBack" && world.standing.size > 0) throw new Error(`Still there: ${[...world.standing].join()}`);
};

const planted: Readonly<Record<string, Planted>> = {
  "an undo is missing": { of: charging(() => ({ rollback: undefined })), says: /has no rollback/ },
  "an undo does nothing": { of: charging(() => ({ rollback: () => undefined })), says: /"charge" .* still stands/ },
  "an undo forgets that an answer may be lost": {
    of: charging((bank) => ({
      rollback: ({ given, runKey }: Context) =>
        given["charge"] === undefined ? undefined : bank.undo("charge", runKey),
    })),
    says: /"charge" .* still stands/,
  },
  "an undo thinks of lost answers only": {
    of: charging((bank) => ({
      rollback: ({ halfDone, runKey }: Context) => (halfDone ? bank.undo("charge", runKey) : undefined),
    })),
    says: /"charge" .* still stands/,
  },
  "an undo has its own key": {
    of: charging((bank) => ({ rollback: ({ idempotencyKey }: Context) => bank.undo("charge", idempotencyKey) })),
    says: /"charge" .* still stands/,
  },
  "an undo is of another effect": {
    of: charging((bank) => ({ rollback: ({ runKey }: Context) => bank.undo("chagre", runKey) })),
    says: /"charge" .* still stands/,
  },
  "two undos are swapped": {
    of: (bank: Participant) =>
      begun()
        .step("charge", sound(bank, "charge", { rollback: ({ runKey }: Context) => bank.undo("ship", runKey) }))
        .step("ship", sound(bank, "ship", { rollback: ({ runKey }: Context) => bank.undo("charge", runKey) })),
    says: /still stands/,
  },
  "an undo dies where nothing happened": {
    of: charging((bank) => ({
      rollback: ({ runKey }: Context) => {
        if (bank.find("charge", runKey) === undefined) throw new Error("no such charge");
        bank.undo("charge", runKey);
      },
    })),
    says: /stuck at "charge" for good/,
  },
  "a crash charges twice": { of: charging(() => ({})), options: { world: keyless as never }, says: /stands twice/ },
  "a key changes with each attempt": {
    of: charging((bank) => ({
      ...thrice,
      run: async ({ idempotencyKey, attempt }: Context) => ({
        charge: bank.do("charge", `${idempotencyKey}/${attempt}`, 1),
      }),
      rollback: ({ given }: Context) => (given["charge"] === undefined ? undefined : bank.undo("charge", "none")),
    })),
    says: /still stands/,
  },
  "a retry of what knows no keys": {
    of: charging(() => thrice),
    options: { world: keyless as never, without: ["deaths", "late-effects"] },
    says: /stands twice/,
  },
  "of two effects of a step one is undone": {
    of: charging((bank) => ({
      run: async ({ idempotencyKey }: Context) => {
        bank.do("fee", `${idempotencyKey}/fee`);
        bank.do("charge", idempotencyKey);
      },
    })),
    says: /"fee" .* still stands/,
  },
  "what a handler did is not undone": {
    of: (bank: Participant) =>
      begun()
        .step("pay", {
          run: () => pause(undefined, { timeout: "1d" }),
          messages: { paid: z.null() },
          onMessage: ({ idempotencyKey }: Context) => bank.do("book", idempotencyKey),
          rollback: () => undefined,
        })
        .step("ship", sound(bank, "ship")),
    options: { messages: { paid: null } },
    says: /"book" .* still stands/,
  },
  "a wait has no end": {
    of: (bank: Participant) => begun().step("charge", sound(bank, "charge")).waitFor("approve", { approved: z.null() }),
    options: { messages: { approved: null } },
    says: /waits for ever at "approve"/,
  },
  "a timeout is taken for a yes": {
    of: (bank: Participant) =>
      begun()
        .waitFor(
          "approve",
          { approved: z.null() },
          { timeout: "1d", onMessage: () => ({ yes: true }), onTimeout: () => undefined },
        )
        .step("ship", sound(bank, "ship")),
    options: {
      messages: { approved: null },
      invariant: ({ status, state }: { readonly status: string; readonly state: unknown }) => {
        if (status === "completed" && (state as { yes?: true }).yes !== true) throw new Error("Shipped without a yes.");
      },
    },
    says: /Shipped without a yes/,
  },
  "a no is taken for a yes": {
    of: (bank: Participant) =>
      begun()
        .waitFor(
          "approve",
          { approved: z.null(), rejected: z.null() },
          {
            timeout: "1d",
            onMessage: ({ message }: { readonly message: { readonly name: string } }) => ({ answer: message.name }),
          },
        )
        .step("ship", sound(bank, "ship")),
    options: {
      messages: { approved: null, rejected: null },
      invariant: ({ status, state }: { readonly status: string; readonly state: unknown }) => {
        if (status === "completed" && (state as { answer?: string }).answer !== "approved")
          throw new Error("Shipped after a no.");
      },
    },
    says: /Shipped after a no/,
  },
  "a join swallows what failed": {
    of: (bank: Participant) =>
      begun()
        .forEach("items", begun("item").step("pack", sound(bank, "pack")), {
          items: () => [{}, {}],
          onFailure: "settle",
          join: () => ({ packed: true }),
        })
        .step("ship", sound(bank, "ship")),
    options: {
      invariant: ({ world, status }: { readonly world: Participant; readonly status: string }) => {
        const packed = world.standing.filter(({ effect }) => effect === "pack").length;
        if (status === "completed" && packed < 2) throw new Error(`Shipped with ${packed} items.`);
      },
    },
    says: /Shipped with 1 items/,
  },
  "a child has no undo": {
    of: (bank: Participant) =>
      begun()
        .forEach("items", begun("item").step("pack", sound(bank, "pack", { rollback: () => undefined })), {
          items: () => [{}],
        })
        .step("ship", sound(bank, "ship")),
    says: /"pack" .* still stands/,
  },
  "a probe says no to everything": {
    of: charging(() => ({ ...thrice, probe: () => didNotHappen() })),
    options: { world: keyless as never },
    says: /stands twice/,
  },
  "a probe says yes to everything": {
    of: charging(() => ({ ...thrice, probe: () => happened({}) })),
    options: {
      world: keyless as never,
      invariant: ({ world, status }: { readonly world: Participant; readonly status: string }) => {
        const hasPaid = world.standing.some(({ effect }) => effect === "charge");
        if (status === "completed" && !hasPaid) throw new Error("Shipped without a charge.");
      },
    },
    says: /Shipped without a charge|stands twice/,
  },
  "a probe says no too soon": {
    of: (bank: Participant) =>
      begun().step(
        "charge",
        sound(bank, "charge", {
          ...thrice,
          timeout: "10s",
          probe: ({ idempotencyKey }: Context) =>
            bank.find("charge", idempotencyKey) === undefined ? didNotHappen() : happened({}),
        }),
      ),
    options: { world: keyless as never, without: ["deaths", "very-late-effects"] },
    says: /stands twice|still stands/,
  },
  "memory is taken for state": {
    of: (bank: Participant) => {
      let key: string | undefined;
      const charge = {
        run: async ({ idempotencyKey }: Context) => bank.do("charge", (key = idempotencyKey)),
        rollback: async () => (key === undefined ? undefined : bank.undo("charge", key)),
      };
      return begun().step("charge", charge).step("ship", sound(bank, "ship"));
    },
    options: { depth: 2 },
    says: /"charge" .* still stands/,
  },
  "a letter is sent before all is certain": {
    of: (bank: Participant) =>
      begun()
        .step("letter", {
          run: ({ idempotencyKey }: Context) => bank.do("letter", idempotencyKey),
          irreversible: "It is gone.",
        })
        .step("charge", sound(bank, "charge")),
    options: {
      invariant: ({ world, status }: { readonly world: Participant; readonly status: string }) => {
        if (status === "rolledBack" && world.standing.length > 0) throw new Error("A letter about nothing.");
      },
    },
    says: /A letter about nothing/,
  },
  "the other side forgets what was called off": {
    of: (world: Forgetful) =>
      begun().step("charge", {
        timeout: "10s",
        run: async ({ idempotencyKey }: Context) => void world.standing.add(idempotencyKey),
        rollback: async ({ runKey }: Context) => void world.standing.delete(runKey),
      }),
    options: { world: (() => new Forgetful()) as never, invariant: nothingStands },
    says: /Still there/,
  },
  "an undo reads a field that another step has overwritten": {
    of: (bank: Participant) => {
      const step = (name: string): object => ({
        run: async ({ idempotencyKey }: Context) => {
          bank.do(name, idempotencyKey);
          return { id: idempotencyKey };
        },
        rollback: async ({ state, runKey, halfDone }: Context) =>
          bank.undo(name, halfDone ? runKey : (state["id"] as string)),
      });
      return begun().step("charge", step("charge")).step("ship", step("ship"));
    },
    says: /"charge" .* still stands/,
  },
  "a second way is taken while the first one may have worked": {
    of: (bank: Participant) =>
      begun()
        .step("courier", sound(bank, "courier", { recover: () => ({ courier: undefined }) }))
        .step("post", {
          when: ({ state }: Context) => state["courier"] === undefined,
          ...sound(bank, "post"),
        }),
    options: {
      unreached: ["post"],
      invariant: ({ world, status }: { readonly world: Participant; readonly status: string }) => {
        if (status === "completed" && world.standing.length !== 1)
          throw new Error(`Sent ${world.standing.length} times.`);
      },
    },
    says: /Sent 2 times/,
  },
  "a key is kept over a rewind": {
    of: (bank: Participant) => {
      const charge = {
        run: async ({ state, execution }: Context & { readonly execution: { readonly id: string } }) => {
          bank.do("charge", `charge-${execution.id}`);
          return { tries: Number(state["tries"] ?? 0) + 1 };
        },
        rollback: async ({ execution }: Context & { readonly execution: { readonly id: string } }) =>
          bank.undo("charge", `charge-${execution.id}`),
      };
      return begun().step("charge", charge).step("ship", sound(bank, "ship"));
    },
    options: {
      invariant: ({
        status,
        history,
      }: {
        readonly status: string;
        readonly history: readonly { readonly upInto?: number }[];
      }) => {
        if (status === "rolledBack" && history.some(({ upInto }) => upInto !== undefined))
          throw new Error("It did not go up again.");
      },
      without: ["rollbacks", "failures", "lost-answers"],
    },
    says: /did not go up again/,
  },
  "a step does two things and undoes them in the wrong order": {
    of: charging((bank) => ({
      run: async ({ idempotencyKey }: Context) => {
        bank.do("account", `${idempotencyKey}/account`);
        bank.do("charge", idempotencyKey);
      },
      rollback: ({ runKey }: Context) => {
        if (bank.find("charge", runKey) !== undefined) throw new Error("The account has a charge.");
        bank.undo("account", `${runKey}/account`);
        bank.undo("charge", runKey);
      },
    })),
    says: /stuck at "charge" for good/,
  },
  "it asks again without end": {
    of: charging(() => ({ run: () => again({ after: "1s" }) })),
    says: /does not come to rest/,
  },
  "it ends early and leaves a step out": {
    of: charging((bank) => ({
      run: async ({ idempotencyKey }: Context) => {
        bank.do("charge", idempotencyKey);
        return complete({});
      },
    })),
    options: {
      unreached: ["ship"],
      invariant: ({ world, status }: { readonly world: Participant; readonly status: string }) => {
        if (status === "completed" && world.standing.length === 1) throw new Error("Charged and not shipped.");
      },
    },
    says: /Charged and not shipped/,
  },
  "a new version drops a step that was done": {
    of: (bank: Participant) => begun().step("charge", sound(bank, "charge")).step("ship", sound(bank, "ship")),
    options: {
      next: (bank: Participant) =>
        begun("order", { version: "2" })
          .step("ship", sound(bank, "ship"))
          .step("bill", sound(bank, "bill", { run: () => fail("no") }))
          .migrate("1", { steps: { charge: null } }),
    },
    says: /"charge" .* still stands/,
  },
};

test("there are at least thirty", () => {
  expect(Object.keys(planted).length).toBeGreaterThanOrEqual(30);
});

test.each(Object.keys(planted))("is found: %s", async (name) => {
  const { of, options = {}, says } = planted[name]!;
  const since = systemClock.monotonic();
  const error: unknown = await explore<AnyWorkflow, never>(of, {
    input: {},
    world: (() => new Participant()) as never,
    ...options,
  }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ExploreError);
  const { counterexample } = error as ExploreError;
  expect(counterexample?.problems.join("\n")).toMatch(says);
  const table = counterexample!.text.split("\n\n")[2]!;
  expect(table.split("\n").length).toBeLessThanOrEqual(12);
  // Ten times what it may take: this machine may have other things to do.
  expect(systemClock.monotonic() - since).toBeLessThan(50_000);
  const replayed = explore<AnyWorkflow, never>(of, {
    input: {},
    ...{ world: (() => new Participant()) as never, ...options, history: counterexample!.history },
  });
  await expect(replayed).rejects.toMatchObject({ code: "STEPWELL_COUNTEREXAMPLE" });
});
