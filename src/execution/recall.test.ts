import { describe, expect, test } from "vitest";
import { acted, filled, judged, mayAsk, newRecall, nextTokenIn, type RecallPlan, type RecallState } from "./recall.js";

const plan: RecallPlan = {
  ...{ reason: "wrong-price", by: "ada", filter: {}, order: "newest", rate: { count: 10, perMs: 1_000 } },
  ...{ atOnce: 20, canary: 2, onStuck: 3 },
};

function at(changes: Partial<RecallState> = {}, counts: Partial<RecallState["counts"]> = {}): RecallState {
  const fresh = newRecall(plan);
  const bucket = { tokens: 10, at: 0 };
  return { ...fresh, phase: "asking", next: ["next"], bucket, ...changes, counts: { ...fresh.counts, ...counts } };
}

describe("the rate of a recall", () => {
  test("fills up with time, to what a second gives and no further", () => {
    expect(filled({ tokens: 0, at: 1_000 }, plan, 1_250)).toEqual({ tokens: 2.5, at: 1_250 });
    expect(filled({ tokens: 0, at: 1_000 }, plan, 60_000)).toEqual({ tokens: 10, at: 60_000 });
  });

  test("is saved up to one where it is slower than one a second", () => {
    const slow = { ...plan, rate: { count: 2, perMs: 60_000 } };
    expect(filled({ tokens: 0, at: 0 }, slow, 15_000)).toEqual({ tokens: 0.5, at: 15_000 });
    expect(filled({ tokens: 0, at: 0 }, slow, 600_000)).toEqual({ tokens: 1, at: 600_000 });
    expect(nextTokenIn({ tokens: 0.5, at: 0 }, slow)).toBe(15_000);
    expect(nextTokenIn({ tokens: 1, at: 0 }, slow)).toBe(0);
  });

  test("gives nothing, and takes nothing back, where the clock is behind", () => {
    expect(filled({ tokens: 3, at: 1_000 }, plan, 500)).toEqual({ tokens: 3, at: 1_000 });
  });
});

describe("how many a recall may ask", () => {
  test("is what is saved up, and what has a place", () => {
    expect(mayAsk(at())).toBe(10);
    expect(mayAsk(at({ bucket: { tokens: 0.9, at: 0 } }))).toBe(0);
    expect(mayAsk(at({ underWay: Array<string>(17).fill("x") }))).toBe(3);
    expect(mayAsk(at({ underWay: Array<string>(20).fill("x") }))).toBe(0);
  });

  test("is the canary first, where one that something else has turned counts for nothing", () => {
    expect(mayAsk(at({ phase: "canary" }))).toBe(2);
    expect(mayAsk(at({ phase: "canary", underWay: ["a"] }, { asked: 1 }))).toBe(1);
    expect(mayAsk(at({ phase: "canary" }, { asked: 2, turned: 1, rolledBack: 1 }))).toBe(1);
  });

  test("is none while it counts, is paused, was stopped or finishes", () => {
    expect(mayAsk(at({ phase: "counting" }))).toBe(0);
    expect(mayAsk(at({ paused: { why: "asked", at: 0 } }))).toBe(0);
    expect(mayAsk(at({ stopped: { at: 0 } }))).toBe(0);
    expect(mayAsk(at({ phase: "finishing" }))).toBe(0);
  });
});

describe("a recall", () => {
  test("goes on to the others once its canary is rolled back, and pauses where one is stuck", () => {
    expect(judged(at({ phase: "canary" }, { rolledBack: 2 }), 7)).toMatchObject({
      phase: "asking",
      bucket: { tokens: 1, at: 7 },
    });
    expect(judged(at({ phase: "canary" }, { rolledBack: 1 }), 7).phase).toBe("canary");
    expect(judged(at({ phase: "canary", underWay: ["a"] }, { rolledBack: 2 }), 7).phase).toBe("canary");
    const stuck = judged(at({ phase: "canary" }, { rolledBack: 1, stuck: 1 }), 7);
    expect(stuck).toMatchObject({ phase: "canary", paused: { why: "canary", at: 7 } });
  });

  test("pauses at so many that are stuck or struggle, and anew only at others", () => {
    const troubled = at({ underWay: ["a", "b"], struggling: ["a", "b"] }, { stuck: 1 });
    expect(judged(at({ underWay: ["a"], struggling: ["a"] }, { stuck: 1 }), 7).paused).toBeNull();
    const paused = judged(troubled, 7);
    expect(paused.paused).toEqual({ why: "stuck", at: 7 });
    const resumed = acted(paused, "resume", { at: 8, by: "ada" });
    expect(resumed.bucket).toEqual({ tokens: 1, at: 8 });
    const slow = { ...paused, bucket: { tokens: 0.25, at: 0 } };
    expect(acted(slow, "resume", { at: 8, by: "ada" }).bucket).toEqual({ tokens: 0.25, at: 8 });
    expect(judged(resumed, 9)).toMatchObject({ phase: "asking", paused: null });
    const more = { ...resumed, struggling: ["a", "b", "c", "d"], counts: { ...resumed.counts, stuck: 2 } };
    expect(judged(more, 9).paused).toEqual({ why: "stuck", at: 9 });
  });

  test("ends when all are reached and at rest, also where it is paused or was stopped", () => {
    const over = { next: [], isRead: true };
    expect(judged(at(over), 7).phase).toBe("done");
    expect(judged(at({ ...over, underWay: ["a"] }), 7).phase).toBe("finishing");
    expect(judged(at({ ...over, isRead: false }), 7).phase).toBe("asking");
    expect(judged(at({ ...over, paused: { why: "stuck", at: 1 } }), 7)).toMatchObject({ phase: "done", paused: null });
    const stopped = acted(at({ phase: "counting", underWay: ["a"] }), "stop", { at: 1, by: "eve" });
    expect(judged(stopped, 7)).toMatchObject({ phase: "finishing", next: [], stopped: { by: "eve" } });
    expect(judged({ ...stopped, underWay: [] }, 7).phase).toBe("done");
  });

  test("keeps its canary where somebody paused it, and leaves it where the canary did", () => {
    const asked = acted(at({ phase: "canary" }), "pause", { at: 1, by: "ada" });
    expect(asked.paused).toEqual({ why: "asked", at: 1, by: "ada" });
    expect(acted(asked, "resume", { at: 2, by: "ada" })).toMatchObject({ phase: "canary", paused: null });
    const failed = judged(at({ phase: "canary" }, { stuck: 1 }), 1);
    expect(acted(failed, "resume", { at: 2, by: "ada" })).toMatchObject({ phase: "asking", paused: null });
  });

  test("is not paused once it was stopped, nor stopped twice", () => {
    const stopped = acted(at(), "stop", { at: 1, by: "eve" });
    expect(acted(stopped, "pause", { at: 2, by: "ada" })).toBe(stopped);
    expect(acted(stopped, "stop", { at: 2, by: "ada" })).toBe(stopped);
    expect(acted(at(), "resume", { at: 2, by: "ada" }).paused).toBeNull();
  });
});
