import { describe, expect, test } from "vitest";
import { z } from "zod";
import { workflow } from "../index.js";
import { definitionOf } from "../definition/definition-of.js";
import { arrival, decided, executionAt, factsOf, mailOf, now, positionAt } from "../../test/support/executions.js";
import { encode } from "../values/encode.js";
import { patchOptions } from "./execution.js";
import { dueIn } from "./decide.js";
import type { MailboxRecord } from "./records.js";

const functions = { run: () => undefined, rollback: () => undefined };
const definition = definitionOf(
  workflow("flow", { input: z.object({}) })
    .step("a", { ...functions, messages: { paid: z.object({}) }, onMessage: () => undefined })
    .step("b", { run: () => undefined, pivot: true })
    .step("c", { run: () => undefined }),
);
const facts = factsOf(definition);
const asked = mailOf(arrival("rollback", { reason: "returned", ifCompleted: "undo" }));

describe("a result against what came while the step ran", () => {
  test("a rollback request turns it, and what the step gave is kept", () => {
    const { transition } = decided(
      executionAt(),
      { type: "stepOk" },
      { ...facts, mail: asked },
      { patch: encode({ a: 1 }, patchOptions) },
    );
    expect(transition.position).toMatchObject({ direction: "down", stepIndex: 0, reason: "returned" });
    expect(transition.settled).toEqual([{ arrival: "rollback rollback", as: "consumed" }]);
    expect(transition.history.patch?.value).toEqual({ a: 1 });
  });

  test("a request that came while the pivot ran is too late where the pivot succeeded", () => {
    const { transition } = decided(executionAt({ stepIndex: 1 }), { type: "stepOk" }, { ...facts, mail: asked });
    expect(transition.position).toMatchObject({ direction: "up", stepIndex: 2 });
    expect(transition.settled).toEqual([{ arrival: "rollback rollback", as: "dead" }]);
  });

  test("an operator's act stands in the history, with who did it, though the deadline has passed", () => {
    const skip = arrival("skip", { reason: "done by hand", by: "ada" });
    const stuck = executionAt({ lifecycle: "step" }, { status: "stuck", deadlineAt: now - 1 });
    const details = { cause: skip, by: "ada", result: "skipped" };
    const { transition } = decided(stuck, { type: "stepOk" }, { ...facts, mail: mailOf(skip) }, details);
    expect(transition.history).toMatchObject({ result: "skipped", by: "ada" });
    expect(transition.position).toMatchObject({ direction: "up", stepIndex: 1 });
    expect(transition.settled).toEqual([{ arrival: skip.id, as: "consumed" }]);
  });

  test.each([[-1], [60_000]])(
    "a parent's ask that came while an operator's act completed it is kept, and not ended with it: deadline %i",
    (inMs) => {
      const single = definitionOf(workflow("single", { input: z.object({}) }).step("a", functions));
      const skip = arrival("skip", { reason: "done by hand", by: "ada" });
      const parents = arrival("rollback", { reason: "returned", ifCompleted: "undo", isParents: true });
      const stuck = executionAt({ lifecycle: "step" }, { status: "stuck", deadlineAt: now + inMs });
      const details = { cause: skip, by: "ada", result: "skipped" };
      const skipped = (...mail: MailboxRecord[]) =>
        decided(stuck, { type: "stepOk" }, { ...factsOf(single), mail: mailOf(...mail) }, details).transition;
      expect(skipped(skip)).toMatchObject({ status: "completed", ends: true, rests: true });
      expect(skipped(skip, parents)).toMatchObject({
        ...{ status: "completed", ends: false, rests: false },
        settled: [{ arrival: skip.id, as: "consumed" }],
      });
    },
  );

  test.each([
    ["rollback", { reason: "returned", ifCompleted: "undo" }, true],
    ["rewind", { to: "a", reason: "again", by: "ada" }, true],
    ["rollback", { reason: "returned", ifCompleted: "refuse" }, false],
    ["rewind", { to: "nowhere", reason: "again", by: "ada" }, false],
  ] as const)(
    "a %s that came while an operator's act completed it goes on where it may: %o",
    (kind, request, goesOn) => {
      const single = definitionOf(workflow("single", { input: z.object({}) }).step("a", functions));
      const skip = arrival("skip", { reason: "done by hand", by: "ada" });
      const stuck = executionAt({ lifecycle: "step" }, { status: "stuck" });
      const mail = mailOf(skip, arrival(kind, request));
      const shape = { count: 1, pivot: -1, steps: [{ name: "a", irreversible: false }] };
      const details = { cause: skip, by: "ada", result: "skipped" };
      const { transition } = decided(stuck, { type: "stepOk" }, { ...factsOf(single), mail, shape }, details);
      expect(transition).toMatchObject({ status: "completed", ends: !goesOn, rests: !goesOn });
    },
  );

  test("a rollback that takes over from a rewind at a step of children looks at them again: the rewind may have heard of their end", () => {
    const child = workflow("child", { input: z.object({}) }).step("a", functions);
    const parent = definitionOf(workflow("parent", { input: z.object({}) }).child("s", child, { input: () => ({}) }));
    const waits = {
      direction: "down",
      stepFunc: "rollbackContinue",
      lifecycle: "rollback",
      lastResult: "continue",
    } as const;
    const stood = executionAt({ ...waits, step: "s", until: 0 }, { status: "running" });
    const takesOver = { type: "rollbackRequested", reason: "returned", begun: true } as const;
    const details = { cause: asked.pending[0]! };
    const { transition } = decided(stood, takesOver, { ...factsOf(parent), mail: asked }, details);
    expect(transition.position).toMatchObject({ direction: "down", stepFunc: "rollbackContinue", reason: "returned" });
    expect(transition.rests).toBe(false);
  });

  const rarely = { ...functions, when: () => false };
  const optional = definitionOf(
    workflow("flow", { input: z.object({}) })
      .step("a", rarely)
      .step("b", { ...rarely, pivot: true })
      .step("c", rarely),
  );

  test.each([0, 1, 2])(
    "a request that came while step %i was passed over turns it, and finds it passed over",
    (stepIndex) => {
      const { transition } = decided(
        executionAt({ stepIndex, step: "abc"[stepIndex]!, ...(stepIndex === 2 && { passed: [1] }) }),
        { type: "stepPassedOver" },
        { ...factsOf(optional), mail: asked },
      );
      expect(transition.settled).toEqual([{ arrival: "rollback rollback", as: "consumed" }]);
      expect(transition.position).toMatchObject({ direction: "down", reason: "returned", stepIndex });
      expect(transition.position.passed).toContain(stepIndex);
    },
  );

  test("it turns a pivot that failed", () => {
    const failed = { type: "stepFailed", reason: "no" } as const;
    const { transition } = decided(executionAt({ stepIndex: 1 }), failed, { ...facts, mail: asked });
    expect(transition.position).toMatchObject({ direction: "down", stepIndex: 1, reason: "returned" });
  });

  test.each([
    { type: "rollbackRequested", reason: "deadline", begun: true },
    { type: "beforeStepVetoed", reason: "closed", begun: true },
    { type: "initVetoed", reason: "closed", begun: true },
  ] as const)("a rewind that came when a $type had turned it already is refused", (what) => {
    const rewind = arrival("rewind", { to: "a", reason: "wrong-address", by: "ada" });
    const steps = definition.steps.map(({ name }) => ({ name, irreversible: false }));
    const known = { ...facts, shape: { ...facts.shape, steps }, mail: mailOf(rewind) };
    const { transition } = decided(executionAt({ lifecycle: "step" }), what, known);
    expect(transition.settled).toEqual([{ arrival: rewind.id, as: "dead" }]);
    expect(transition.position).toMatchObject({ direction: "down", reason: what.reason });
    expect(transition.position).not.toHaveProperty("request");
    expect(transition.position).not.toHaveProperty("until");
  });

  test("a rollback that the deadline came before was asked for all the same, so that no rewind takes it back", () => {
    const mail = mailOf(arrival("rollback", { reason: "returned", ifCompleted: "undo", by: "ada" }));
    const turned = { type: "rollbackRequested", reason: "deadline", begun: true } as const;
    const { transition } = decided(executionAt(), turned, { ...facts, mail });
    expect(transition.position).toMatchObject({ reason: "deadline", request: { reason: "returned", by: "ada" } });
    expect(transition.settled).toMatchObject([{ as: "consumed" }]);
  });

  test("undos are told of the request that turned it, and of one that a guard's veto came before", () => {
    const request = { reason: "returned", by: "ada", details: "30" };
    const mail = mailOf(arrival("rollback", { ...request, ifCompleted: "undo" }));
    const failed = { type: "stepFailed", reason: "no" } as const;
    expect(decided(executionAt(), failed, { ...facts, mail }).transition).toMatchObject({
      position: { reason: "returned", request },
      history: { by: "ada", why: "returned" },
    });
    const vetoed = { type: "beforeStepVetoed", reason: "closed", begun: true } as const;
    const { transition } = decided(executionAt(), vetoed, { ...facts, mail });
    expect(transition.position).toMatchObject({ reason: "closed", request });
    expect(transition.settled).toEqual([{ arrival: "rollback rollback", as: "consumed" }]);
    expect(decided(executionAt(), failed, facts).transition.position).not.toHaveProperty("request");
  });

  test("a request of its parent says what was asked of that, or that nothing was", () => {
    const own = { reason: "failed", ifCompleted: "undo", isParents: true };
    const turned = (payload: object) =>
      decided(executionAt(), { type: "stepOk" }, { ...facts, mail: mailOf(arrival("rollback", payload)) }).transition;
    expect(turned(own).position).not.toHaveProperty("request");
    const request = { reason: "returned", by: "ada" };
    expect(turned({ ...own, asked: request })).toMatchObject({ position: { request }, history: { by: "ada" } });
  });

  test("the workflow's deadline turns it as a request does", () => {
    const { transition } = decided(executionAt({}, { deadlineAt: now }), { type: "stepOk" }, facts);
    expect(transition.position).toMatchObject({ direction: "down", reason: "deadline" });
  });
});

describe("status, and when it is due again", () => {
  test("a pause lets go of it until its timeout, unless its message is there already", () => {
    const paused = { type: "stepPaused" } as const;
    const waits = decided(executionAt(), paused, facts).transition;
    expect(waits).toMatchObject({ status: "waiting", rests: true, dueInMs: null });
    const there = decided(executionAt(), paused, { ...facts, mail: mailOf(arrival("message", {}, "paid")) }).transition;
    expect(there.rests).toBe(false);
  });

  test("a rollback that takes over from a rewind whose undo waits does not let go of it while another request is pending", () => {
    const waits = {
      direction: "down",
      until: 0,
      stepIndex: 0,
      stepFunc: "rollbackContinue",
      lifecycle: "rollback",
    } as const;
    const cause = arrival("rollback", { reason: "returned", ifCompleted: "undo" });
    const turned = { type: "rollbackRequested", reason: "returned", begun: true } as const;
    const rests = (...mail: MailboxRecord[]) =>
      decided(executionAt(waits, { status: "stuck" }), turned, { ...facts, mail: mailOf(...mail) }, { cause })
        .transition;
    expect(rests(cause)).toMatchObject({ status: "waiting", rests: true });
    expect(rests(cause, arrival("skip", { reason: "done by hand" }))).toMatchObject({
      status: "waiting",
      rests: false,
    });
  });

  test("a retry is due after its wait", () => {
    const retry = { type: "retry", reason: "away", wait: 500, afresh: false } as const;
    expect(decided(executionAt(), retry, facts).transition).toMatchObject({ status: "scheduled", dueInMs: 500 });
  });

  test("a launcher that stops lets go of it with its next commit, due at once", () => {
    const { transition } = decided(executionAt(), { type: "stepOk" }, { ...facts, stopping: true });
    expect(transition).toMatchObject({ status: "running", rests: true, dueInMs: 0 });
  });

  test("where observers hear of its end, it is not let go of before they have heard", () => {
    const last = executionAt({ direction: "down", stepFunc: "rollback", lifecycle: "rollback" });
    const told = decided(last, { type: "stepOk" }, { ...facts, observing: { hears: (name) => name === "failure" } });
    expect(told.transition).toMatchObject({ status: "rolledBack", rests: false, ends: true });
    expect(decided(last, { type: "stepOk" }, facts).transition.rests).toBe(true);
  });

  test("a deadline that turns nothing any more wakes nobody", () => {
    const execution = { deadlineAt: now + 5 };
    const waiting = positionAt({ stepIndex: 2, waitUntil: now + 100 });
    expect(dueIn(execution, waiting, facts.shape, facts.time)).toBe(100);
    expect(dueIn(execution, positionAt({ waitUntil: now + 100 }), facts.shape, facts.time)).toBe(5);
  });
});

describe("what else is written", () => {
  test("an execution that is parked keeps the list of steps that it knows, and gives its place back", () => {
    const list = { version: "2", fingerprint: "f" };
    const limited = executionAt({}, { admission: "admitted" });
    const parked = { type: "parked", reason: "broken", untouched: true } as const;
    const { transition } = decided(limited, parked, { ...facts, list });
    expect(transition).toMatchObject({ status: "stuck", leaves: true });
    expect(transition.definition).toBeUndefined();
    expect(decided(limited, { type: "stepOk" }, { ...facts, list }).transition.definition).toEqual(list);
  });

  test("subscriptions of a step end when it is done, all with the execution", () => {
    const subscribed = executionAt({}, { subscribed: 3 });
    expect(decided(subscribed, { type: "stepOk" }, facts).transition.unsubscribes).toBe("step");
    expect(decided(subscribed, { type: "stepCompleted" }, facts).transition.unsubscribes).toBe("all");
    expect(decided(subscribed, { type: "stepPaused" }, facts).transition.unsubscribes).toBeUndefined();
  });
});
