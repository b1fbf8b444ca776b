import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { positionAt } from "../../../test/support/executions.js";
import type { Position } from "../../execution/position.js";
import type { HistoryEntry, Transition } from "../../execution/records.js";
import { encode } from "../../values/encode.js";
import { entryWhole, positionText, positionWhole, revisionsIn, transitionTexts } from "./json-columns.js";

const noError = (): undefined => undefined;

const entry: HistoryEntry = {
  ...{ direction: "up", step: "a", stepIndex: 0, func: "run", attempt: 1, result: "ok", durationMs: 3, patch: null },
};

function transitionTo(position: Position, history: HistoryEntry, revision = 1): Transition {
  return {
    ...{ id: "one", owner: 1, revision, signals: 0, status: "running", position, state: null, rests: false },
    ...{ dueInMs: null, settled: [], ends: false, carried: null, history },
  };
}

describe("a position", () => {
  test("has nothing in its text that is as usual", () => {
    expect(positionText(positionAt(), "one", "compact")).toBe('{"step":"a"}');
    expect(positionText(positionAt({ step: 'b"', stepIndex: 1, lifecycle: "step" }), "one", "compact")).toBe(
      '{"step":"b\\"","stepIndex":1,"lifecycle":"step"}',
    );
  });

  test("is the same when it is read, whatever it holds", () => {
    const time = fc.option(fc.integer({ min: 0, max: 2 ** 45 }));
    const counts = { attempts: fc.nat(), uncounted: fc.nat(), stepIndex: fc.nat() };
    const words = { reason: fc.string(), lastResult: fc.string(), step: fc.string() };
    const usual = {
      ...{ ...counts, ...words, firstAttemptAt: time, waitUntil: time, resumeAt: time },
      direction: fc.constantFrom("up", "down"),
      stepFunc: fc.constantFrom("run", "runContinue", "rollback", "rollbackContinue"),
      lifecycle: fc.constantFrom("init", "beforeStep", "step", "startRollback", "rollback", "success", "failure"),
      error: fc.option(fc.record({ name: fc.string(), message: fc.string() })),
      stuckBy: fc.option(fc.record({ name: fc.string(), message: fc.string() })),
    } as const;
    const rare = {
      inDoubt: fc.constant(true),
      passed: fc.array(fc.nat()),
      keys: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
      stepDeadlineAt: fc.nat(),
      polls: fc.nat(),
    } as const;
    const positions = fc.tuple(fc.record(usual), fc.record(rare, { requiredKeys: [], noNullPrototype: true }));
    fc.assert(
      fc.property(positions, ([some, more]) => {
        const position = { ...some, ...more } as Position;
        const text = positionText(position, "one", "compact");
        expect(positionWhole(JSON.parse(text), noError)).toEqual(JSON.parse(JSON.stringify(position)));
      }),
    );
  });

  test("refers to the error of a transition that turned it, and goes on doing so", () => {
    const error = { name: "Error", message: "no carrier", stack: "x".repeat(500) };
    const turned = positionAt({ direction: "down", reason: "no-carrier", stepFunc: "rollback", error });
    const { position, entry: kept } = transitionTexts(
      transitionTo(turned, { ...entry, result: "no-carrier", error }, 3),
      "compact",
    );
    expect(position).toBe('{"step":"a","direction":"down","reason":"no-carrier","errorAt":3}');
    expect(kept).toContain(error.stack);
    const later = positionText({ ...turned, attempts: 1 }, "one", "compact");
    expect(revisionsIn(later)).toEqual([3]);
    expect(positionWhole(JSON.parse(later), (revision) => (revision === 3 ? error : undefined))).toEqual({
      ...turned,
      attempts: 1,
    });
  });

  test("has the error written out where it does not stand in the history of that execution", () => {
    const error = { name: "Error", message: 'no "errorAt":7' };
    const turned = positionAt({ error });
    expect(revisionsIn(positionText(turned, "one", "compact"))).toEqual([]);
    transitionTexts(transitionTo(turned, { ...entry, error }), "compact");
    expect(JSON.parse(positionText(turned, "another", "compact"))).toMatchObject({ error });
  });

  test("is written out for a process that knows no compact rows", () => {
    expect(JSON.parse(positionText(positionAt(), "one", "full"))).toEqual(positionAt());
  });
});

test("an entry has nothing in its text that is as usual, and is the same when it is read", () => {
  const full: HistoryEntry = {
    ...entry,
    ...{ direction: "down", func: "rollbackContinue", attempt: 2, result: "late", by: "ada" },
    others: encode({ b: 1 }, { what: "A patch" }),
  };
  const texts = (history: HistoryEntry): string =>
    transitionTexts(transitionTo(positionAt(), history), "compact").entry;
  const { patch: _patch, ...usual } = entry;
  expect(texts(entry)).toBe('{"step":"a","stepIndex":0,"durationMs":3}');
  expect(entryWhole(JSON.parse(texts(entry)))).toEqual(usual);
  expect(entryWhole(JSON.parse(texts(full)))).toEqual({
    ...usual,
    ...{ direction: "down", func: "rollbackContinue", attempt: 2, result: "late", by: "ada", others: '{"b":1}' },
  });
});
