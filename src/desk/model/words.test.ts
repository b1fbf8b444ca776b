import { expect, test } from "vitest";
import { z } from "zod";
import { again, fail, pause, unknown, workflow, type Execution } from "../../index.js";
import type { Words } from "./words.js";
import { sentenceOf } from "./timeline.js";
import { scene, seen } from "../../../test/support/seen.js";

const input = z.object({});
const undo = () => ({});

test("stuck on the way down: which step, since when, the last error, what is left, and what each act would do", async () => {
  const made = workflow("w", { input })
    .step("reserve", { run: () => ({}), rollback: undo })
    .step("charge", { run: () => ({}), rollback: () => fail("no-account") })
    .step("letter", { run: () => ({}), irreversible: "The letter has left." })
    .step("ship", { run: () => fail("sold-out"), rollback: undo });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  await clock.advance(7_200_000);
  const { words } = await seen(execution, clock);
  expect(words.headline).toBe('Stuck on the way down for 2 h: "charge" is not undone.');
  expect(words.lines).toEqual([
    "The last error: no-account",
    'It turned back at "ship": sold-out.',
    'Undone: "ship".',
    'Still to undo: "charge" and "reserve".',
    '"letter" stays: The letter has left.',
  ]);
  expect(words.urgency).toBe("act");
  expect(words.acts.map(({ act, reason, grave }) => ({ act, reason, grave }))).toEqual([
    { act: "retry", reason: "optional", grave: false },
    { act: "patch", reason: "required", grave: false },
    { act: "skip", reason: "required", grave: true },
    { act: "rewind", reason: "required", grave: true },
  ]);
  expect(words.acts[2]!.consequence).toBe(
    'Takes "charge" as undone though its undo failed: what it did stays in the world. Then it goes on undoing "reserve".',
  );
});

test("in doubt: which call, under which key, what the probe said last, and that somebody who knows may say it", async () => {
  const made = workflow("w", { input })
    .step("pay", {
      run: (): { paid: boolean } => {
        throw new Error("socket hang up");
      },
      probe: ({ polls }) => (polls === 0 ? again({ after: "1h" }) : unknown()),
    })
    .step("ship", { run: () => ({}) });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  const asked = (await seen(execution, clock)).words;
  expect(asked.headline).toBe('In doubt whether "pay" was done: its probe is asked in 1 h.');
  expect(asked.lines[0]).toMatch(
    /^In doubt: the attempt under the key ".*\/pay\/run", since .*Z, gave nothing back\. /,
  );
  expect(asked.lines[0]).toMatch(/Its probe was asked once, and said again last\.$/);
  await clock.advance(7_200_000);
  const { words } = await seen(execution, clock);
  expect(words.urgency).toBe("act");
  expect(words.headline).toBe('Stuck on the way up for 1 h: nobody knows whether "pay" was done.');
  expect(words.lines.find((line) => line.startsWith("In doubt"))).toContain("asked 2 times, and said unknown last");
  expect(words.acts.map(({ act }) => act)).toEqual(["resolve", "retry", "patch", "skip", "rollback", "rewind"]);
  expect(words.acts[0]!.consequence).toBe(
    'Says whether "pay" was done. If it was: Then it goes on with "ship". If not, it is tried again, or the execution turns.',
  );
  expect(words.acts[1]!.consequence).toBe('Asks the probe of "pay" again what became of its last attempt.');
  await execution.resolve({ happened: { paid: true } }, "statement of 3 May", { by: "ada" });
  await clock.advance(1_000);
  const rows = await execution.history();
  expect(rows.filter(({ func }) => func === "probe").map(sentenceOf)).toEqual([
    'the probe of "pay" does not know yet, and is asked again',
    'the probe of "pay" does not know what became of it',
    'ada found that "pay" had happened: statement of 3 May',
  ]);
});

test("stuck past the pivot: no rollback is offered", async () => {
  const made = workflow("w", { input })
    .step("hand-over", { run: () => ({}), irreversible: "It has left.", pivot: true })
    .step("notify", { run: () => fail("unknown") });
  const { launch, clock } = await scene([made]);
  const { words } = await seen(await launch(made), clock);
  expect(words.headline).toBe(
    'Stuck on the way up, since just now: "notify" failed, and past the pivot nothing is undone.',
  );
  expect(words.acts.map(({ act }) => act)).toEqual(["retry", "patch", "skip", "rewind"]);
  expect(words.acts[2]!.consequence).toContain("Then it ends as completed.");
});

test("waiting: for which message, until when, and what a rollback would undo", async () => {
  const made = workflow("w", { input })
    .step("charge", { run: () => ({}), rollback: undo })
    .step("approve", {
      messages: { yes: z.object({}), no: z.object({}) },
      run: () => pause({}, { timeout: "1h" }),
      onMessage: () => ({}),
      rollback: undo,
    });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  await clock.advance(600_000);
  const { words } = await seen(execution, clock);
  expect(words.headline).toBe('At "approve" it waits for the message "no" or "yes", for another 50 min.');
  expect(words.acts.map(({ act }) => act)).toEqual(["rollback", "rewind", "send"]);
  expect(words.acts[0]!.consequence).toBe(
    `Undoes "approve" and "charge", in this order. What can't be undone stays, and a rollback is not taken back.`,
  );
});

test("waiting for children: how many are not settled, which are stuck, and on the way down how many are left", async () => {
  const child = workflow("child", { input: z.object({ n: z.number() }) }).step("work", {
    messages: { go: z.boolean() },
    run: () => pause(),
    onMessage: ({ message }) => (message.payload ? undefined : fail("no")),
    rollbackRetry: { attempts: 1 },
    rollback: ({ state }) => (state.n === 1 ? fail("no-answer") : undefined),
  });
  const made = workflow("w", { input }).forEach("items", child, {
    items: () => [{ n: 0 }, { n: 1 }, { n: 2 }],
    concurrency: 2,
  });
  const { launch, launcher, clock } = await scene([made]);
  const execution = await launch(made);
  await clock.settle();
  await launcher.send("e/items/0", "go", true);
  await clock.settle();
  const { words } = await seen(execution, clock);
  expect(words.headline).toBe('At "items" it waits for its children: 2 of 3 are not settled.');
  expect(words.lines).toEqual(["Children: 2 under way, 1 completed."]);
  expect(words.urgency).toBe("calm");
  await launcher.send("e/items/1", "go", false);
  await clock.settle();
  expect((await seen(execution, clock)).words).toMatchObject({
    lines: expect.arrayContaining(["It waits until somebody mends what is stuck: one child."]) as unknown,
    urgency: "act",
  });
  await launcher.rollback("e", "enough");
  await clock.settle();
  const down = (await seen(execution, clock)).words;
  expect(down.headline).toBe('On the way down at "items" it waits until its children are undone: 1 of 3 are left.');
});

test("struggling: which attempt, when the next one comes, what the last error said", async () => {
  const made = workflow("w", { input }).step("charge", {
    run: () => {
      throw Object.assign(new Error("the bank is away"), { code: "EBANK" });
    },
    retry: { attempts: 50, delay: "10m", factor: 1, jitter: false },
    rollback: undo,
  });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  expect((await seen(execution, clock)).words).toMatchObject({
    headline: 'Tries "charge" again: attempt 1 failed, the next one comes in 10 min.',
    lines: ["The last error: EBANK: the bank is away"],
    urgency: "calm",
  });
  await clock.advance(2_400_000);
  expect((await seen(execution, clock)).words).toMatchObject({
    headline: 'Struggling: attempt 5 of "charge" failed, the next one comes in 10 min.',
    lines: ["The last error: EBANK: the bank is away"],
    urgency: "watch",
  });
});

test("rolled back: why, who asked, and what stays in the world", async () => {
  const made = workflow("w", { input })
    .step("letter", { run: () => ({}), irreversible: "The letter has left." })
    .step("ship", { run: () => ({}), rollback: undo });
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  expect((await seen(execution, clock)).words).toMatchObject({ headline: "Completed.", urgency: "calm" });
  expect((await seen(execution, clock)).words.acts.map(({ act }) => act)).toEqual(["rollback", "rewind"]);
  await launcher.rollback("e", "returned", { by: "ada" });
  await clock.advance(0);
  const { words } = await seen(execution, clock);
  expect(words.headline).toBe("Rolled back: returned.");
  expect(words.lines).toEqual([
    'ada asked for a rollback at "ship": returned.',
    '"letter" stays: The letter has left.',
  ]);
  expect(words.acts).toEqual([]);
});

test("delayed, and waiting for a place", async () => {
  const limited = workflow("w", { input, concurrency: 1 }).step("hold", {
    run: () => pause({}),
    messages: { go: input },
    onMessage: () => ({}),
  });
  const { clock, launcher } = await scene([limited]);
  await launcher.launchMany(limited, [
    { id: "a", input: {} },
    { id: "b", input: {} },
    { id: "c", input: {}, delay: "2h" },
  ]);
  await clock.advance(0);
  expect((await seen(launcher.execution("b"), clock)).words.headline).toBe(
    "Waits for a place: the limits of its workflow are full.",
  );
  expect((await seen(launcher.execution("c"), clock)).words.headline).toBe("Begins in 2 h.");
  expect((await seen(launcher.execution("a"), clock)).words.headline).toBe(
    'At "hold" it waits for the message "go", without end.',
  );
});

const offered = ({ acts }: Words): string[] => acts.map(({ act }) => act);

test("a child is not rewound, and once it has completed its parent alone may undo it", async () => {
  const child = workflow("child", { input }).step("work", {
    messages: { go: input },
    run: () => pause(),
    onMessage: () => ({}),
    rollback: undo,
  });
  const made = workflow("w", { input })
    .child("part", child, { input: () => ({}) })
    .waitFor("end", { end: input });
  const { launch, clock, launcher } = await scene([made]);
  await launch(made);
  await clock.settle();
  const part = launcher.execution("e/part/0");
  expect(offered((await seen(part, clock)).words)).toEqual(["rollback", "send"]);
  await part.send("go", {});
  await clock.settle();
  expect((await part.summary()).status).toBe("completed");
  expect(offered((await seen(part, clock)).words)).toEqual([]);
  expect(offered((await seen(launcher.execution("e"), clock)).words)).toEqual(["rollback", "rewind", "send"]);
});

test("going down: a rewind is offered where it is stuck and nobody had asked, a rollback only where it is being rewound", async () => {
  const made = workflow("w", { input: z.object({ fails: z.boolean() }) })
    .step("reserve", { run: () => ({}), rollback: undo })
    .step("charge", { run: () => ({}), rollback: () => fail("no-account") })
    .step("ship", { run: ({ state }) => (state.fails ? fail("sold-out") : {}), rollback: undo });
  const words = async (fails: boolean, back?: (execution: Execution) => Promise<unknown>): Promise<Words> => {
    const { launch, clock } = await scene([made]);
    const execution = await launch(made, { fails });
    await back?.(execution);
    await clock.advance(0);
    const { words } = await seen(execution, clock);
    expect(words.headline).toMatch(/^Stuck on the way down/);
    return words;
  };
  const mends = ["retry", "patch", "skip"];
  expect(offered(await words(true))).toEqual([...mends, "rewind"]);
  // Without "by": who asked was told that it goes back all the same.
  expect(offered(await words(false, (it) => it.rollback("returned")))).toEqual(mends);
  const rewound = await words(false, (it) => it.rewind({ to: "charge", reason: "wrong card", by: "ada" }));
  expect(offered(rewound)).toEqual([...mends, "rollback", "rewind"]);
  expect(rewound.acts.find(({ act }) => act === "rollback")?.consequence).toBe(
    `It does not go up again. Undoes "charge" and "reserve", in this order. What can't be undone stays, and a rollback is not taken back.`,
  );
  expect(rewound.acts.find(({ act }) => act === "rewind")?.steps?.map(({ name }) => name)).toEqual([
    "reserve",
    "charge",
  ]);
});

test("past the pivot no rollback is offered of a rewind that goes down either", async () => {
  const made = workflow("w", { input })
    .step("hand-over", { run: () => ({}), irreversible: "It has left.", pivot: true })
    .step("notify", { run: () => ({}), rollback: () => fail("no-answer"), rollbackRetry: { attempts: 1 } });
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  expect(await execution.rewind({ to: "notify", reason: "wrong text", by: "ada" })).toEqual({ accepted: true });
  await clock.advance(0);
  expect(offered((await seen(execution, clock)).words)).toEqual(["retry", "patch", "skip", "rewind"]);
});

test("a recall is neither rolled back nor rewound", async () => {
  const made = workflow("w", { input }).step("1", { run: () => ({}), rollback: undo });
  const { launch, clock, launcher } = await scene([made]);
  await launch(made);
  const recalling = launcher.recall({ filter: { all: true }, reason: "wrong", by: "ada", id: "r" });
  await clock.advance(0);
  await recalling;
  expect(offered((await seen(launcher.execution("r"), clock)).words)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^(rollback|rewind)$/)]),
  );
});
