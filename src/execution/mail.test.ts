import { describe, expect, test } from "vitest";
import { arrival, executionAt, mailOf, now, positionAt, time } from "../../test/support/executions.js";
import type { Status } from "../definition/flow.js";
import {
  deadlinePassed,
  judgeRewind,
  mailAfter,
  refuseRollback,
  requestProblem,
  sift,
  turnOf,
  withDead,
} from "./mail.js";
import type { RollbackRequest } from "./mail.js";
import type { Position } from "./position.js";
import type { Line } from "./records.js";

const shape = { count: 3, pivot: 1 };
const undo = { reason: "returned", ifCompleted: "undo" } as const;
const request = arrival("rollback", undo);
const retry = arrival("retry", {});

describe("requests", () => {
  test("the oldest that applies is followed; those before it come too late and are dead", () => {
    const { request: found, mail } = sift(mailOf(retry, request), executionAt(), shape)!;
    expect(found).toMatchObject({ type: "rollback", request: undo });
    expect(mail).toEqual({ signals: 2, pending: [request], dead: ["retry retry"] });
  });

  test("what comes after it is judged by what it leaves", () => {
    const { mail } = sift(mailOf(request, retry), executionAt(), shape)!;
    expect(mail.dead).toEqual([]);
  });

  test("an operator's act is for what is stuck", () => {
    expect(
      sift(mailOf(retry), { status: "stuck", position: positionAt(), line: null, owner: null, admission: null }, shape)
        ?.request?.type,
    ).toBe("retry");
  });

  test("a rewind to the first step is refused where that has not begun: it waits, and a launcher only looks at it", () => {
    const steps = ["a", "b", "c"].map((name) => ({ name, irreversible: false }));
    const first = { status: "running", position: positionAt(), line: null, owner: 1, admission: null } as const;
    const judged = (more: Partial<Parameters<typeof judgeRewind>[0]>) =>
      judgeRewind({ ...first, ...more }, { ...shape, steps }, { reason: "wrong", by: "ada", to: "a" }, now);
    expect(judged({})).toBe(0);
    expect(judged({ owner: null })).toBe("step-not-begun");
    expect(judged({ admission: "queued" })).toBe("step-not-begun");
    expect(judged({ position: positionAt({ resumeAt: now + 1 }) })).toBe("step-not-begun");
    // It is due, and its first attempt may be under way.
    expect(judged({ position: positionAt({ resumeAt: now }) })).toBe(0);
    expect(judged({ position: positionAt({ resumeAt: now + 1, attempts: 1 }) })).toBe(0);
  });

  test("a rewind of what is stuck on its way down is refused where it would repeat what it has come past and left done", () => {
    const steps = ["a", "b", "c"].map((name) => ({ name, irreversible: name === "c" }));
    const stuck = (more: Partial<Position>): Parameters<typeof judgeRewind>[0] => ({
      ...{ status: "stuck", line: null, owner: null, admission: null },
      position: positionAt({
        direction: "down",
        stepIndex: 1,
        irreversible: [{ step: "c", reason: "marked" }],
        ...more,
      }),
    });
    const to = (name: string, execution: Parameters<typeof judgeRewind>[0], repeat: readonly string[] = []) =>
      judgeRewind(execution, { ...shape, pivot: -1, steps }, { reason: "wrong", by: "ada", to: name, repeat }, now);
    expect(to("a", stuck({}))).toBe("would-repeat");
    expect(to("a", stuck({}), ["c"])).toBe(0);
    expect(to("a", stuck({ irreversible: [] }))).toBe(0);
    // It never ran.
    expect(to("a", stuck({ passed: [2] }))).toBe(0);
  });

  test("a rollback request is refused once nothing turns any more", () => {
    const refused = (status: Status, position: Position, request: RollbackRequest, line: Line | null = null) =>
      refuseRollback({ status, position, line }, shape, request, now);
    expect(refused("running", positionAt({ stepIndex: 2 }), undo)).toBe("past-pivot");
    expect(refused("running", positionAt({ direction: "down" }), undo)).toBe("already-rolling-back");
    expect(refused("rolledBack", positionAt(), undo)).toBe("already-rolled-back");
    expect(refused("completed", positionAt(), { ...undo, ifCompleted: "refuse" })).toBe("completed");
    expect(refused("running", positionAt(), undo)).toBeUndefined();
    const line = { list: "p/s", position: 0, parent: "p", depth: 1 };
    expect(refused("completed", positionAt(), undo, line)).toBe("belongs-to-parent");
    expect(refused("completed", positionAt(), { ...undo, isParents: true }, line)).toBeUndefined();
    expect(refused("running", positionAt(), undo, line)).toBeUndefined();
    const sealed = positionAt({ sealedAt: now });
    expect(refused("completed", sealed, undo)).toBe("sealed");
    expect(refused("completed", sealed, { ...undo, isParents: true }, line)).toBeUndefined();
    expect(refused("completed", positionAt({ sealedAt: now + 1 }), undo)).toBeUndefined();
  });

  test("one that was damaged says what is wrong with it", () => {
    expect(requestProblem(arrival("rollback", {}))).toBe("it gives no reason");
    expect(requestProblem(request)).toBeUndefined();
  });
});

describe("a turn from outside", () => {
  test("comes from a request, else from the deadline", () => {
    const due = executionAt({}, { deadlineAt: now });
    const found = sift(mailOf(request), due, shape)?.request;
    expect(turnOf(due, found, shape, time)).toMatchObject({ reason: "returned", arrival: request.id });
    expect(turnOf(due, undefined, shape, time)).toMatchObject({ reason: "deadline", arrival: undefined });
    expect(turnOf(executionAt(), undefined, shape, time)).toBeUndefined();
  });

  test("never comes from a deadline on the way down, past the pivot or at the end", () => {
    for (const position of [{ direction: "down" }, { stepIndex: 2 }, { lifecycle: "success" }] as const)
      expect(deadlinePassed(executionAt(position, { deadlineAt: now }), shape, time)).toBe(false);
  });
});

test("a transition takes what it settles out of the mail", () => {
  const mail = withDead(mailOf(request, retry), [retry.id]);
  expect(
    mailAfter(mail, {
      settled: [
        { arrival: request.id, as: "consumed" },
        { arrival: retry.id, as: "dead" },
      ],
    }),
  ).toEqual({
    signals: 2,
    pending: [],
    dead: [],
  });
});
