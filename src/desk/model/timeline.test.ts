import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow } from "../../index.js";
import { scene, seen } from "../../../test/support/seen.js";
import { span } from "./spans.js";
import { timelineOf, type TimelineEntry } from "./timeline.js";

const undo = () => ({});

const made = workflow("w", { input: z.object({}) })
  .step("reserve", { run: () => ({}), rollback: undo })
  .step("charge", { run: () => ({}), rollback: undo })
  .step("pack", { run: () => ({}), rollback: undo })
  .step("approve", {
    messages: { no: z.object({}) },
    run: () => pause({}),
    onMessage: () => fail("refused"),
    rollback: undo,
  });

const told = (entries: readonly TimelineEntry[]): string[] =>
  entries.map((entry) =>
    entry.type === "gap"
      ? `(${entry.text})`
      : entry.type === "fold"
        ? `${entry.direction} ${entry.steps.join(", ")}`
        : entry.sentence,
  );

test("dull steps are folded, and a long gap is written", async () => {
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  await clock.advance(7_200_000);
  await launcher.send("e", "no", {});
  await clock.advance(0);
  expect(told((await seen(execution, clock)).timeline)).toEqual([
    "up reserve, charge, pack",
    '"approve" waits',
    "(2 h)",
    '"approve" failed: refused',
    "down approve, pack, charge, reserve",
  ]);
});

test("what an operator did is told with who and why", async () => {
  let works = false;
  const failing = workflow("w", { input: z.object({}) })
    .step("charge", { run: () => ({}), rollback: () => (works ? {} : fail("no-account")) })
    .step("ship", { run: () => fail("sold-out") });
  const { launch, clock } = await scene([failing]);
  const execution = await launch(failing);
  const patched = execution.patchState({ iban: "good" }, "mistyped", { by: "ada" });
  await clock.advance(0);
  await patched;
  works = true;
  await execution.retry({ by: "bob", reason: "it is known now" });
  await clock.advance(0);
  expect(told((await seen(execution, clock)).timeline).slice(1)).toEqual([
    '"ship" failed: sold-out',
    '"ship" undone',
    'the undo of "charge" failed: no-account',
    "ada changed the state: mistyped",
    'bob had the undo of "charge" tried again: it is known now',
    '"charge" undone at attempt 2',
  ]);
});

test("every transition of the history stands in the timeline, once and in order", async () => {
  const { launch, clock, launcher } = await scene([made]);
  const execution = await launch(made);
  await launcher.rollback("e", "wrong address", { by: "ada" });
  await clock.advance(0);
  const rows = await execution.history();
  const entries = timelineOf(rows);
  expect(entries.flatMap((it) => (it.type === "row" ? it.row : it.type === "fold" ? it.rows : []))).toEqual(rows);
  expect(told(entries)).toContain("ada asked for a rollback: wrong address");
});

test("a rewind is told with who goes back where and why, and where it goes up again", async () => {
  const { launch, clock } = await scene([made]);
  const execution = await launch(made);
  expect(await execution.rewind({ to: "charge", reason: "wrong address", by: "ada" })).toEqual({ accepted: true });
  await clock.advance(0);
  expect(told((await seen(execution, clock)).timeline)).toEqual([
    "up reserve, charge, pack",
    '"approve" waits',
    'ada sent it back to "charge": wrong address',
    '"approve" undone',
    '"pack" undone',
    '"charge" undone; it goes up again from "charge"',
    '"charge" done',
    '"pack" done',
    '"approve" waits',
  ]);
});

test("a length of time is written in the unit that fits", () => {
  const lengths = [0, 340, 1_000, 61_000, 119_000, 600_000, 5_400_000, 7_200_000, 90_000_000, 864_000_000, -5];
  expect(lengths.map(span)).toEqual([
    "0 ms",
    "340 ms",
    "1 s",
    "1 min 1 s",
    "1 min 59 s",
    "10 min",
    "1 h 30 min",
    "2 h",
    "1 d 1 h",
    "10 d",
    "0 ms",
  ]);
});
