import { expect, test } from "vitest";
import { z } from "zod";
import { pause, workflow } from "../../index.js";
import { faultKinds } from "./course.js";
import { explore } from "./explore.js";
import { Participant } from "./participant.js";

const input = z.object({ order: z.string() });
const start = { input: { order: "1" } };

const invoice = workflow("invoice", { input }).step("print", { run: () => undefined });

const telling = () =>
  workflow("order", { input }).step("tell", {
    retry: { attempts: 3, delay: "1s" },
    timeout: "10s",
    run: async ({ state, client }) => {
      const { id } = await client.launch(invoice, { order: state.order });
      await client.send("accounts", "ordered", { order: state.order });
      await client.publish("orders", "ordered", { order: state.order });
      return { invoice: id };
    },
    rollback: async ({ client }) => {
      await client.send("accounts", "cancelled", {});
    },
  });

test("an invariant sees what steps have asked of others, each once in every history", async () => {
  const seen = new Set<string>();
  const report = await explore(telling, {
    ...start,
    invariant: ({ status, state, asked }) => {
      const ids = asked.map(({ what, to, name, id }) => [what, to, name, id].filter(Boolean).join(" "));
      if (new Set(ids).size < ids.length) throw new Error(`Asked twice: ${ids.join(", ")}`);
      if (status !== "completed") return;
      expect(state).toMatchObject({
        invoice: expect.stringMatching(/^explored\/tell\/run(?:@\d+)?\/invoice$/) as string,
      });
      seen.add(asked.map(({ what, to, value }) => `${what} ${to} ${JSON.stringify(value)}`).join("; "));
    },
  });
  expect(report.histories).toBe(report.of);
  expect(report.of).toBeGreaterThan(15);
  const all = 'launch invoice {"order":"1"}; send accounts {"order":"1"}; publish orders {"order":"1"}';
  // After a rewind the undo has told of itself, and the new round of its own.
  expect([...seen]).toEqual([all, `${all}; send accounts {}; ${all}`]);
});

test("finds a message that a later attempt sends anew, since its id is drawn each time", async () => {
  let drawn = 0;
  const careless = () =>
    workflow("order", { input }).step("tell", {
      run: async ({ client }) => {
        await client.send("accounts", "ordered", {}, { messageId: `m-${drawn++}` });
      },
      rollback: () => undefined,
    });
  const explored = explore(careless, {
    ...start,
    without: ["rewinds"],
    invariant: ({ asked }) => {
      if (asked.length > 1) throw new Error(`Told ${asked.length} times.`);
    },
  });
  await expect(explored).rejects.toMatchObject({ code: "STEPWELL_COUNTEREXAMPLE", message: /Told 2 times/ });
});

test("a message to an execution that is explored arrives there", async () => {
  const bank = (): Participant => new Participant();
  const one = workflow("order", { input }).step("ask", {
    timeout: "10s",
    messages: { answered: z.object({ n: z.number() }) },
    run: async ({ client, execution }) => {
      await client.send(execution.id, "answered", { n: 7 });
      return pause();
    },
    onMessage: ({ message }) => ({ n: message.payload.n }),
    rollback: () => undefined,
  });
  const report = await explore(one, {
    ...start,
    world: bank,
    invariant: ({ status, state, asked }) => {
      expect(asked).toEqual([]);
      if (status === "completed") expect(state).toMatchObject({ n: 7 });
    },
  });
  expect(report.histories).toBe(report.of);
});

test("refuses what the launch of another workflow would refuse", async () => {
  const wrong = workflow("order", { input }).step("tell", {
    run: async ({ client }) => {
      await client.launch(invoice, {} as never);
    },
    rollback: () => undefined,
  });
  const reasons = new Set<string | undefined>();
  const explored = explore(wrong, {
    ...start,
    without: faultKinds,
    unreached: ["tell"],
    invariant: ({ status, history }) => {
      reasons.add(`${status} ${history[0]?.error?.code}`);
    },
  });
  await explored;
  expect([...reasons]).toEqual(["rolledBack STEPWELL_INVALID_INPUT"]);
});
