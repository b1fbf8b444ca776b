/** What no step took is found, counted, and sent again. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deadLettersIn, fail, memoryStore, pause, workflow } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({});
const order = workflow("order", { input })
  .step("pay", {
    messages: { paid: z.string() },
    run: () => pause(),
    onMessage: ({ message }) => ({ by: message.payload }),
  })
  .step("pack", {
    messages: { packed: z.string(), lost: z.null() },
    run: () => pause(),
    onMessage: ({ message }) => (message.name === "lost" ? fail("lost") : { box: message.payload }),
    rollbackMessages: { unpacked: z.string() },
    rollback: () => pause(),
    onRollbackMessage: () => undefined,
  });

onEveryStore("dead letters", (start) => {
  async function withLetter() {
    const rig = await start([order]);
    const { launcher, clock } = rig;
    const ended = await launcher.launch(order, {}, { id: "ended" });
    await ended.send("paid", "ada", { messageId: "p1" });
    await ended.send("paid", "eve", { messageId: "p2" });
    await ended.send("packed", "b1");
    await ended.outcome();
    const waiting = await launcher.launch(order, {}, { id: "waiting" });
    await clock.settle();
    return { ...rig, ended, waiting };
  }
  const letter = { execution: "ended", id: "p2" };

  test("are listed with all that is known of them, and counted", async () => {
    const { launcher } = await withLetter();
    expect(await launcher.deadLetters()).toEqual({
      letters: [{ ...letter, workflow: "order", name: "paid", payload: "eve", receivedAt: expect.any(Date) as Date }],
      cursor: null,
      damaged: [],
    });
    expect(await launcher.countDeadLetters()).toEqual({ count: 1, more: false });
    expect(await launcher.countDeadLetters({ workflow: "order", execution: "ended", name: "paid" })).toEqual({
      count: 1,
      more: false,
    });
    expect(await launcher.countDeadLetters({ name: "packed" })).toEqual({ count: 0, more: false });
    expect(await launcher.countDeadLettersByWorkflow()).toEqual([{ workflow: "order", count: 1, more: false }]);
  });

  test("are counted by workflow, in the order of the names", async () => {
    const names = ["b", "a\u{10000}", "a\uffff", "a"];
    const all = names.map((name) =>
      workflow(name, { input }).step("1", {
        messages: { x: z.null() },
        run: () => pause(),
        onMessage: () => undefined,
      }),
    );
    const { launcher } = await start(all);
    expect(await launcher.countDeadLettersByWorkflow()).toEqual([]);
    for (const steps of all) {
      const one = await launcher.launch(steps, {}, { delay: "1s" });
      for (let i = 0; i < steps.name.length; i++) await one.send("x", null);
      await one.rollback("never-mind");
      await one.outcome();
    }
    expect(await launcher.countDeadLettersByWorkflow()).toEqual([
      { workflow: "a", count: 1, more: false },
      { workflow: "a\u{10000}", count: 3, more: false },
      { workflow: "a\uffff", count: 2, more: false },
      { workflow: "b", count: 1, more: false },
    ]);
  });

  test("are sent again to another execution, once, and are not counted any more", async () => {
    const { launcher, clock, ended, waiting } = await withLetter();
    expect(await launcher.resend(letter, { to: "waiting" })).toMatchObject({ duplicate: false });
    expect(await launcher.resend(letter, { to: "waiting" })).toMatchObject({ duplicate: true });
    await clock.settle();
    expect(await waiting.state()).toMatchObject({ by: "eve" });
    expect((await waiting.mailbox()).map(({ status }) => status)).toEqual(["consumed"]);
    expect((await ended.mailbox()).map(({ status }) => status)).toEqual(["consumed", "resent", "consumed"]);
    expect(await launcher.countDeadLetters()).toEqual({ count: 0, more: false });
    await launcher.launch(order, {}, { id: "other" });
    await expect(launcher.resend(letter, { to: "other" })).rejects.toMatchObject({ code: "STEPWELL_NOT_DEAD" });
    expect(await launcher.execution("other").mailbox()).toEqual([]);
  });

  test("say where they went, when, under which name, and who sent them; what is sent is what it was", async () => {
    const { launcher, clock, ended, waiting } = await withLetter();
    await waiting.send("paid", "ada");
    await clock.advance("1h");
    await launcher.resend(letter, { to: "waiting", as: "packed", by: "ada" });
    await launcher.resend(letter, { to: "waiting", as: "packed", by: "eve" });
    const resent = { to: "waiting", as: "packed", by: "ada", at: new Date(clock.now()) };
    expect((await ended.mailbox()).map((row) => row.resent)).toEqual([undefined, resent, undefined]);
    expect(await waiting.outcome()).toMatchObject({ status: "completed", state: { box: "eve" } });
    const mail = await waiting.mailbox();
    expect(mail.map((row) => ({ payload: row.payload, resent: row.resent }))).toEqual([
      { payload: "ada", resent: undefined },
      { payload: "eve", resent: undefined },
    ]);
    // The note is no request: it wakes nobody.
    expect((await ended.summary()).status).toBe("completed");
  });

  test("that nobody signs say where they went; each death has its own note", async () => {
    const { launcher, ended, waiting } = await withLetter();
    await waiting.send("paid", "ada");
    const { id } = await launcher.resend(letter, { to: "waiting" });
    await waiting.send("packed", "b1");
    await waiting.outcome();
    await launcher.launch(order, {}, { id: "third" });
    await launcher.resend({ execution: "waiting", id }, { to: "third", by: "eve" });
    const at = expect.any(Date) as Date;
    expect((await ended.mailbox())[1]!.resent).toEqual({ to: "waiting", as: "paid", at });
    expect((await waiting.mailbox())[1]!.resent).toEqual({ to: "third", as: "paid", by: "eve", at });
  });

  test("are pruned with the notes on them", async () => {
    const { launcher, clock, store } = await withLetter();
    await launcher.resend(letter, { to: "waiting" });
    expect(await store.mail({ executions: ["ended"] })).toHaveLength(4);
    await clock.advance("1h");
    expect(await launcher.prune({ completed: "30m" })).toMatchObject({ completed: 1 });
    expect(await store.mail({ executions: ["ended"] })).toEqual([]);
  });

  test("are sent again to one execution only, however many try at once", async () => {
    const { launcher } = await withLetter();
    const targets = ["a", "b", "c", "d"];
    for (const id of targets) await launcher.launch(order, {}, { id });
    const tries = await Promise.allSettled([...targets, "a"].map((to) => launcher.resend(letter, { to })));
    const mail = await Promise.all(targets.map((id) => launcher.execution(id).mailbox()));
    expect(mail.flat()).toHaveLength(1);
    expect(tries.some(({ status }) => status === "fulfilled")).toBe(true);
  });

  test("are sent again to another step, under a name that it declares", async () => {
    const { launcher, waiting } = await withLetter();
    await waiting.send("paid", "ada");
    await launcher.resend(letter, { to: "waiting", as: "packed" });
    expect(await waiting.outcome()).toMatchObject({ status: "completed", state: { box: "eve" } });
  });

  test("of the way up are never given to an undo that does not declare them", async () => {
    const { launcher, clock, waiting } = await withLetter();
    await waiting.send("paid", "ada");
    await waiting.send("lost", null);
    await clock.settle();
    expect((await waiting.flow()).direction).toBe("down");
    await launcher.resend(letter, { to: "waiting" });
    await clock.settle();
    expect((await waiting.summary()).status).toBe("waiting");
    await waiting.send("unpacked", "all");
    expect(await waiting.outcome()).toMatchObject({ status: "rolledBack" });
    expect((await launcher.deadLetters()).letters).toMatchObject([{ execution: "waiting", name: "paid" }]);
    const [again] = (await launcher.deadLetters()).letters;
    await launcher.launch(order, {}, { id: "third" });
    await launcher.resend({ execution: "waiting", id: again!.id }, { to: "third" });
    await clock.settle();
    expect(await launcher.execution("third").state()).toMatchObject({ by: "eve" });
  });

  test("stay dead where they are refused", async () => {
    const { launcher, waiting } = await withLetter();
    const refused = (given: Parameters<typeof launcher.resend>[1]): Promise<unknown> => launcher.resend(letter, given);
    await expect(refused({})).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_ENDED" });
    await expect(refused({ to: "nobody" })).rejects.toMatchObject({ code: "STEPWELL_EXECUTION_NOT_FOUND" });
    await expect(refused({ to: "waiting", as: "none" })).rejects.toMatchObject({ code: "STEPWELL_UNKNOWN_MESSAGE" });
    await expect(refused({ to: "waiting", as: "lost" })).rejects.toMatchObject({ code: "STEPWELL_INVALID_MESSAGE" });
    await expect(refused({ to: "waiting", as: "" })).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    await expect(refused({ to: "waiting", by: "a\nb" })).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    await expect(refused({ into: "x" } as object)).rejects.toMatchObject({ code: "STEPWELL_UNKNOWN_OPTION" });
    expect(await waiting.mailbox()).toEqual([]);
    expect(await launcher.countDeadLetters()).toEqual({ count: 1, more: false });
  });

  test("what is none is not sent again, and what can't be meant is refused", async () => {
    const { launcher } = await withLetter();
    for (const id of ["p1", "none"]) {
      await expect(launcher.resend({ execution: "ended", id }, { to: "waiting" })).rejects.toMatchObject({
        code: "STEPWELL_NOT_DEAD",
      });
    }
    for (const bad of [{ limit: 0 }, { after: "x" }, { after: 1 }, { workflow: "" }, { name: "a\nb" }]) {
      await expect(launcher.deadLetters(bad as object)).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    }
    await expect(launcher.countDeadLetters({ limit: 1 } as object)).rejects.toMatchObject({
      code: "STEPWELL_UNKNOWN_OPTION",
    });
  });

  describe("of a store, without a launcher", () => {
    test("are listed, counted and sent again as a launcher does it, checked where the workflow is known", async () => {
      const { launcher, store, waiting, ended } = await withLetter();
      await waiting.send("paid", "ada");
      const letters = deadLettersIn(store);
      expect(await letters.list()).toEqual(await launcher.deadLetters());
      expect(await letters.count({ name: "paid" })).toEqual({ count: 1, more: false });
      expect(await letters.countByWorkflow()).toEqual([{ workflow: "order", count: 1, more: false }]);
      const checked = deadLettersIn(store, { workflows: [order] });
      await expect(checked.resend(letter, { to: "waiting", as: "none" })).rejects.toMatchObject({
        code: "STEPWELL_UNKNOWN_MESSAGE",
      });
      await expect(letters.resend({ execution: "ended", id: "p1" })).rejects.toMatchObject({
        code: "STEPWELL_NOT_DEAD",
      });
      expect(await checked.resend(letter, { to: "waiting", as: "packed", by: "ada" })).toMatchObject({
        duplicate: false,
      });
      expect(await letters.resend(letter, { to: "waiting", as: "packed" })).toMatchObject({ duplicate: true });
      expect(await waiting.outcome()).toMatchObject({ status: "completed", state: { box: "eve" } });
      expect((await ended.mailbox())[1]!.resent).toMatchObject({ to: "waiting", by: "ada" });
    });

    test("are sent unchecked where no workflow is given: then the step judges", async () => {
      const { launcher, clock, store, waiting } = await withLetter();
      await waiting.send("paid", "ada");
      const letters = deadLettersIn(store);
      await letters.resend(letter, { to: "waiting", as: "lost" });
      await clock.settle();
      expect((await waiting.mailbox()).map(({ status }) => status)).toEqual(["consumed", "dead"]);
      expect((await launcher.deadLetters()).letters).toMatchObject([{ execution: "waiting", name: "lost" }]);
    });
  });
});

test("deadLettersIn refuses what is no store, and options that it does not have", () => {
  expect(() => deadLettersIn({} as never)).toThrow(/deadLettersIn takes a store, not an object/);
  expect(() => deadLettersIn(memoryStore(), { workflow: [] } as never)).toThrow(/Did you mean "workflows"/);
  expect(() => deadLettersIn(memoryStore(), { workflows: [] })).toThrow(/deadLettersIn: "workflows" must list/);
});
