import { expect, test } from "vitest";
import { executionAt } from "../../test/support/executions.js";
import { encode, type Encoded } from "../values/encode.js";
import { Contributions, rewound } from "./contributions.js";
import { eventAt } from "./events.js";
import { patchOptions } from "./execution.js";
import type { HistoryEntry } from "./records.js";

function encoded(fields: object): Encoded {
  return encode(fields, { what: "A patch" });
}

const usual = { stepIndex: 0, func: "run", attempt: 1, result: "ok", durationMs: 0, patch: null } as const;

function up(step: string, patch: object, more: Partial<HistoryEntry> = {}): HistoryEntry {
  return { ...usual, direction: "up", step, patch: encoded(patch), ...more };
}

function down(step: string, more: Partial<HistoryEntry> = {}): HistoryEntry {
  return { ...usual, direction: "down", func: "rollback", step, ...more };
}

function after(...rows: readonly HistoryEntry[]): Contributions {
  const all = new Contributions({ n: 0 });
  for (const row of rows) all.add(row);
  return all;
}

test("what the undone steps gave is gone, also where it had taken the place of something", () => {
  const all = after(up("a", { n: 1, a: 1 }), up("b", { n: 2, b: 1 }), up("c", { n: 3, c: 1 }), down("c"));
  expect(all.without("b")).toEqual({ state: { n: 1, a: 1 }, patch: undefined, undone: ["c", "b"] });
});

test("what a step gave that had not happened, and at which it turned, is gone with what was undone before it", () => {
  const failed = up("c", { asked: true }, { stepIndex: 2, result: "no" });
  const all = after(up("a", { a: 1 }), up("b", { b: 1 }, { stepIndex: 1 }), failed, down("b", { stepIndex: 1 }));
  expect(all.without("b").state).toEqual({ n: 0, a: 1 });
  // What is done is there as long as nobody has come past it.
  const under = after(up("a", { a: 1 }), down("b", { stepIndex: 1, result: "rewind-1", backTo: "b" }));
  expect(under.without("b").state).toEqual({ n: 0, a: 1 });
});

test("what guards, operators and undos changed stays", () => {
  const all = after(
    up("a", { n: 1 }),
    up("b", { n: 2 }, { others: encoded({ seal: "b" }) }),
    down("b", { patch: encoded({ undone: 1 }) }),
  );
  expect(all.without("a").state).toEqual({ n: 0, seal: "b", undone: 1 });
});

test("what a migration changed counts as its own, and what it took away stays away", () => {
  const migration = { from: "1", to: "2", steps: { b: "bee", c: null } };
  const all = after(up("a", { a: 1, old: 1 }), up("b", { b: 1 }), up("c", { c: 1 }), {
    ...usual,
    direction: "up",
    step: "c",
    migration,
    replaced: encoded({ n: 0, a: 1, b: 1, c: 1, fresh: 1 }),
  });
  expect(all.without("bee").state).toEqual({ n: 0, a: 1, c: 1, fresh: 1 });
});

test("what a dropped step gave stays, but for one that was undone before", () => {
  const all = after(up("a", { a: 1 }), up("b", { b: 1 }), up("c", { c: 1 }), up("d", { d: 1 }), down("d"), down("c"), {
    ...down("c"),
    migration: { from: "1", to: "2", steps: { b: null, c: null, d: null } },
  });
  // "c" may be undone in part.
  expect(all.without("a").state).toEqual({ n: 0, b: 1, c: 1 });
});

test("in the next round what was done before counts no more, and what was asked to be merged is in the state", () => {
  const all = after(
    up("a", { a: 1 }),
    up("b", { b: 1 }, { backTo: "b", patchThen: encoded({ n: 9 }) }),
    down("b", { upInto: 1, replaced: encoded({ n: 9, a: 1 }) }),
    up("b", { b: 2 }, { round: 1 }),
  );
  expect(all.without("b").state).toEqual({ n: 9, a: 1 });
  expect(all.without("b").patch).toBeUndefined();
  all.add(down("b"));
  expect(all.without("a").state).toEqual({ n: 9 });
});

test("an execution goes up with what its last undo gave and what was asked, and its whole state is written", () => {
  const execution = executionAt({ direction: "down", stepFunc: "rollback", until: 0 });
  const event = { ...eventAt(execution, { type: "stepOk" }, "ok"), patch: encode({ undone: 1 }, patchOptions) };
  const rewindBase = { state: { n: 0 }, patch: { n: 5 }, undone: ["a"] };
  const it = rewound(execution, event, rewindBase, Infinity);
  expect(it.state).toEqual({ n: 5, undone: 1 });
  expect(it.unsaved?.value).toEqual({ n: 5, undone: 1 });
  expect(it.changed).toBeNull();
  expect(() => rewound(execution, event, { ...rewindBase, patch: { n: "x".repeat(100) } }, 50)).toThrow("too large");
});
