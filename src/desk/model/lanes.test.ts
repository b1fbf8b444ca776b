import { expect, test } from "vitest";
import { z } from "zod";
import { again, complete, didNotHappen, fail, happened, pause, unknown, workflow } from "../../index.js";
import { marks, scene, seen } from "../../../test/support/seen.js";
import { lanesOf } from "./lanes.js";
import { joined, tallyOf } from "./tally.js";

const input = z.object({});
const undo = () => ({});
const yes = { yes: z.object({}) };

test("a way up is drawn as far as it has come", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("gift", { when: () => false, run: () => ({}), rollback: undo })
    .step("approve", { messages: yes, run: () => pause({}), onMessage: () => ({}), rollback: undo })
    .step("ship", { run: () => ({}), rollback: undo });
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  const { rows } = await seen(execution, clock);
  expect(marks(rows)).toEqual([
    "charge: done / none",
    "gift: passed-over / none",
    "approve: waiting / none, here",
    "ship: to-do / none",
  ]);
  expect(rows[2]!.up.note).toBe('for "yes"');
  await launcher.send("e", "yes", {});
  await clock.advance(0);
  expect(marks((await seen(execution, clock)).rows)).toEqual([
    "charge: done / none",
    "gift: passed-over / none",
    "approve: done / none",
    "ship: done / none",
  ]);
});

test("a way down says what is undone, what stays and why, and where it turned", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: () => fail("no-account") })
    .step("letter", { run: () => ({}), irreversible: "The letter has left." })
    .step("note", { run: () => ({}) })
    .step("pack", { run: () => ({}), rollback: undo })
    .step("ship", { run: () => fail("sold-out"), rollback: undo })
    .step("thank", { run: () => ({}) });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  const { rows } = await seen(execution, clock);
  expect(marks(rows)).toEqual([
    "charge: done / stuck, here",
    "letter: done / kept",
    "note: done / nothing",
    "pack: done / undone",
    "ship: failed / undone",
    "thank: to-do / none",
  ]);
  expect(rows[1]!.down.note).toBe("The letter has left.");
  expect(rows[0]!.down).toMatchObject({ attempts: 1, note: "no-account", error: { message: "no-account" } });
  const lanes = lanesOf(await execution.details(), await execution.history());
  expect(lanes.rounds[0]!.turned).toMatchObject({ step: "ship", reason: "sold-out" });
  await execution.skip("refunded by hand", { by: "ada" });
  await clock.advance(0);
  expect((await seen(execution, clock)).rows[0]!.down).toMatchObject({
    mark: "skipped",
    by: "ada",
    note: "refunded by hand",
  });
});

test("a step that somebody interrupts is half done; one that had not begun is not undone", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("approve", { messages: yes, run: () => pause({ asked: true }), onMessage: () => ({}), rollback: undo });
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  await launcher.rollback("e", "changed their mind", { by: "bob" });
  await clock.advance(0);
  const lanes = lanesOf(await execution.details(), await execution.history());
  expect(marks(lanes.rounds[0]!.rows)).toEqual(["charge: done / undone", "approve: half-done / undone"]);
  expect(lanes.rounds[0]!.turned).toMatchObject({ step: "approve", reason: "changed their mind", by: "bob" });
});

test("a completed execution that is undone was done all the way", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("ship", { run: () => complete({}), rollback: undo })
    .step("thank", { run: () => ({}), rollback: undo });
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  expect(marks((await seen(execution, clock)).rows)).toEqual([
    "charge: done / none",
    "ship: done / none",
    "thank: to-do / none",
  ]);
  await launcher.rollback("e", "returned");
  await clock.advance(0);
  expect(marks((await seen(execution, clock)).rows)).toEqual([
    "charge: done / undone",
    "ship: done / undone",
    "thank: to-do / none",
  ]);
});

test("a step of children waits for so many of them, and is undone when they are", async () => {
  const child = workflow("child", { input: z.object({ n: z.number() }) }).step("work", {
    messages: yes,
    run: () => pause({}),
    onMessage: () => ({}),
    rollbackMessages: yes,
    rollback: () => pause({}),
    onRollbackMessage: () => ({}),
  });
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .forEach("items", child, { items: () => [{ n: 0 }, { n: 1 }, { n: 2 }] })
    .child("label", child, { input: () => ({ n: 3 }) })
    .step("ship", { run: () => fail("sold-out"), rollback: undo });
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  const sent = async (id: string) => {
    await launcher.send(`e/${id}`, "yes", {});
    await clock.settle();
    return (await seen(execution, clock)).rows;
  };
  const going = await sent("items/0");
  expect(marks(going)[1]).toBe("items: waiting / none, here");
  expect(going[1]!.up.note).toBe("for 2 of 3 children");
  await sent("items/1");
  expect((await sent("items/2"))[2]!.up.note).toBe("for its child");
  expect(marks(await sent("label/0"))).toEqual([
    "charge: done / to-undo",
    "items: done / to-undo",
    "label: done / waiting, here",
    "ship: failed / undone",
  ]);
  await sent("label/0");
  await sent("items/2");
  const { rows, words } = await seen(execution, clock);
  expect(marks(rows)).toEqual([
    "charge: done / to-undo",
    "items: done / waiting, here",
    "label: done / undone",
    "ship: failed / undone",
  ]);
  expect(rows[1]!.down.note).toBe("for 2 of 3 children");
  expect(words.lines).toContain('Still to undo: "items" and "charge".');
  await sent("items/1");
  expect(marks(await sent("items/0"))).toEqual([
    "charge: done / undone",
    "items: done / undone",
    "label: done / undone",
    "ship: failed / undone",
  ]);
});

test("past the pivot nothing turns, and what fails there is stuck", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("hand-over", { run: () => ({}), irreversible: "It has left.", pivot: true })
    .step("notify", { run: () => fail("unknown") })
    .step("archive", { run: () => ({}) });
  const { launch, clock } = await scene([made]);
  const { rows } = await seen(await launch(made), clock);
  expect(marks(rows)).toEqual([
    "charge: done / none",
    "hand-over: done / none",
    "notify: stuck / none, here, past the pivot",
    "archive: to-do / none, past the pivot",
  ]);
  expect(rows.map(({ pivot }) => pivot)).toEqual([false, true, false, false]);
});

test("what fails and is tried again, or is asked again, is trying", async () => {
  const made = workflow("w", { input })
    .step("poll", { run: ({ polls }) => (polls < 1 ? again({}, { after: "1m" }) : {}), rollback: undo })
    .step("charge", {
      run: () => {
        throw new Error("the bank is away");
      },
      retry: { attempts: 10, delay: "1h" },
      rollback: undo,
    });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  expect(marks((await seen(execution, clock)).rows)[0]).toBe("poll: trying / none, here");
  await clock.advance(60_000);
  const [poll, charge] = (await seen(execution, clock)).rows;
  expect(poll!.up.mark).toBe("done");
  expect(charge!.up).toMatchObject({ mark: "trying", attempts: 1, note: "the bank is away" });
});

test("without a list of steps it draws those that the history names, and says so", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("ship", { run: () => fail("sold-out"), rollback: undo })
    .step("thank", { run: () => ({}) });
  const { launch } = await scene([made]);
  const execution = await launch(made);
  const { steps: _unknown, ...facts } = await execution.details();
  const lanes = lanesOf(facts, await execution.history());
  expect(lanes.whole).toBe(false);
  expect(marks(lanes.rounds[0]!.rows)).toEqual(["charge: done / undone", "ship: failed / undone"]);
});

test("the same comes of JSON, and of a history that is counted in two parts", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("ship", { run: () => fail("sold-out"), rollback: undo });
  const { launch } = await scene([made]);
  const execution = await launch(made);
  const [facts, rows] = [await execution.details(), await execution.history()];
  const lanes = lanesOf(facts, rows);
  expect(lanesOf(JSON.parse(JSON.stringify(facts)), JSON.parse(JSON.stringify(rows)))).toEqual(lanes);
  expect(lanesOf(facts, tallyOf(rows.slice(2), tallyOf(rows.slice(0, 2))))).toEqual(lanes);
  expect(tallyOf(rows).revision).toBe(facts.revision);
});

test("is the same whether a history is counted at once or part by part, from its end or its beginning", async () => {
  const made = workflow("w", { input })
    .step("reserve", { run: () => ({}), rollback: undo })
    .step("charge", {
      run: ({ polls }) => (polls < 2 ? again({}, { after: 0 }) : {}),
      rollback: () => fail("no-account"),
    })
    .step("ship", { run: () => fail("sold-out"), rollback: undo });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  await execution.retry({ by: "bob" });
  await clock.advance(0);
  await execution.skip("refunded by hand", { by: "bob" });
  await clock.advance(0);
  const rows = await execution.history();
  const whole = tallyOf(rows);
  expect(whole.after).toBe(0);
  for (let cut = 0; cut <= rows.length; cut++) {
    const [older, newer] = [tallyOf(rows.slice(0, cut)), tallyOf(rows.slice(cut))];
    if (cut < rows.length) expect(newer.after).toBe(cut);
    if (cut > 0 && cut < rows.length) expect(joined(older, newer)).toEqual(whole);
    expect(tallyOf(rows.slice(cut), cut === 0 ? undefined : older)).toEqual(whole);
  }
});

test("says of steps whose part of the history is not counted yet that it is so, and of no other", async () => {
  const made = workflow("w", { input })
    .step("reserve", { run: () => ({}), rollback: () => fail("no-account") })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("pack", { run: () => ({}), rollback: undo })
    .step("ship", { run: () => fail("sold-out"), rollback: undo });
  const { launch } = await scene([made]);
  const execution = await launch(made);
  const [facts, rows] = [await execution.details(), await execution.history()];
  const marksAfter = (revision: number) => marks(lanesOf(facts, tallyOf(rows.slice(revision))).rounds[0]!.rows);
  expect(marksAfter(rows.length - 2)).toEqual([
    "reserve: done / stuck, here",
    "charge: uncounted / undone",
    "pack: uncounted / uncounted",
    "ship: uncounted / uncounted",
  ]);
  expect(marksAfter(3)).toEqual(marksAfter(0));
  expect(lanesOf(facts, tallyOf(rows.slice(5))).countedAfter).toBe(5);
});

test("each round that a rewind ended is a line, and what it undid belongs to it", async () => {
  let isClosed = true;
  const made = workflow("w", { input })
    .step("reserve", { run: () => ({}), rollback: undo })
    .step("charge", {
      run: () => ({}),
      rollback: () => (isClosed ? fail("no-account") : {}),
      rollbackRetry: { attempts: 1 },
    })
    .step("approve", { messages: yes, run: () => pause({}), onMessage: () => ({}), rollback: undo })
    .step("ship", { run: ({ round }) => (round === 2 ? fail("sold-out") : {}), rollback: undo });
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  await launcher.send("e", "yes", {});
  await clock.advance(0);
  expect(await execution.rewind({ to: "charge", reason: "wrong address", by: "ada" })).toEqual({ accepted: true });
  await clock.advance(0);
  const down = await seen(execution, clock);
  expect(marks(down.rows)).toEqual([
    "reserve: done / none",
    "charge: done / stuck, here",
    "approve: done / undone",
    "ship: done / undone",
  ]);
  expect(down.words.lines).toContain('ada sent it back to step "charge", and then up again: wrong address.');
  isClosed = false;
  await execution.retry({ by: "bob" });
  await clock.advance(0);
  expect(marks((await seen(execution, clock)).rows)).toEqual([
    "reserve: done / none",
    "charge: done / none",
    "approve: waiting / none, here",
    "ship: to-do / none",
  ]);
  expect(await execution.rewind({ to: "approve", reason: "too slow", by: "bob" })).toEqual({ accepted: true });
  await clock.advance(0);
  await launcher.send("e", "yes", {});
  await clock.advance(0);
  const [facts, rows] = [await execution.details(), await execution.history()];
  const lanes = lanesOf(facts, rows);
  expect(lanes.rounds.map(({ number, open, line }) => [number, open, line])).toEqual([
    [1, false, "round 1: back from ship to charge, ada, wrong address"],
    [2, false, "round 2: back from approve to approve, bob, too slow"],
    [3, true, ""],
  ]);
  expect(marks(lanes.rounds[2]!.rows)).toEqual([
    "reserve: done / undone",
    "charge: done / undone",
    "approve: done / undone",
    "ship: failed / undone",
  ]);
  expect(lanes.rounds[2]!.turned).toMatchObject({ step: "ship", reason: "sold-out" });
  const whole = tallyOf(rows);
  for (let cut = 1; cut < rows.length; cut++) {
    const [older, newer] = [tallyOf(rows.slice(0, cut)), tallyOf(rows.slice(cut))];
    expect([cut, joined(older, newer)]).toEqual([cut, whole]);
    expect(tallyOf(rows.slice(cut), older)).toEqual(whole);
  }
});

test("in doubt: on the way up and down, while its probe is asked and where nobody knows, and what was found of it", async () => {
  let says: "again" | "unknown" | "happened" | "did-not-happen" = "again";
  const answers = {
    again: () => again({ after: "1h" }),
    unknown: () => unknown(),
    happened: () => happened({ paid: true }),
    "did-not-happen": () => didNotHappen(),
  };
  const made = workflow("w", { input })
    .step("reserve", { run: () => ({}), rollback: undo })
    .step("pay", {
      run: (): { paid: boolean } => {
        throw new Error("socket hang up");
      },
      probe: () => answers[says](),
      rollback: undo,
    });
  const ended: Readonly<Record<string, readonly string[]>> = {
    happened: ["reserve: done / undone", "pay: done / undone"],
    "did-not-happen": ["reserve: done / undone", "pay: failed / nothing"],
    unknown: ["reserve: done / to-undo", "pay: in-doubt / in-doubt, here"],
  };
  for (const found of ["happened", "did-not-happen", "unknown"] as const) {
    says = "again";
    const { launch, clock } = await scene([made]);
    const execution = await launch(made);
    const asked = (await seen(execution, clock)).rows;
    expect(marks(asked)).toEqual(["reserve: done / none", "pay: in-doubt / none, here"]);
    expect(asked[1]!.up).toMatchObject({ attempts: 1, note: "e/pay/run, its probe said again" });
    await execution.rollback("enough");
    await clock.advance(0);
    expect(marks((await seen(execution, clock)).rows)).toEqual([
      "reserve: done / to-undo",
      "pay: in-doubt / in-doubt, here",
    ]);
    says = found;
    await clock.advance("2h");
    const after = await seen(execution, clock);
    expect([found, marks(after.rows)]).toEqual([found, ended[found]]);
    if (found === "did-not-happen") expect(after.rows[1]!.down.note).toBe("did not happen");
    const rows = await execution.history();
    for (let cut = 1; cut < rows.length; cut++)
      expect(joined(tallyOf(rows.slice(0, cut)), tallyOf(rows.slice(cut)))).toEqual(tallyOf(rows));
  }
});
