import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { AnyWorkflow } from "./bag.js";
import { familyOf } from "./children.js";
import type { ChildrenDefinition } from "./definition.js";
import { definitionOf } from "./definition-of.js";
import { outlineOf } from "./outline.js";
import { workflow } from "./workflow.js";

const input = z.object({});
const run = (): object => ({});
const plain = (name: string, version = "1"): AnyWorkflow => workflow(name, { input, version }).step("work", { run });
const pivoted = workflow("pay", { input }).step("charge", { run, pivot: true });
const item = plain("item");

/** As written in JavaScript: what the compiler would refuse is tested here. */
interface Loose extends AnyWorkflow {
  step(name: string, options: object): Loose;
  child(name: string, workflow: unknown, options?: object): Loose;
  parallel(name: string, workflows: unknown, options?: object): Loose;
  forEach(name: string, workflow: unknown, options?: object): Loose;
}
const order = workflow("order", { input }) as unknown as Loose;
const stepOf = (made: Loose, index = 0) => definitionOf(made).steps[index]!;
const refusal = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });
const invalid = (message: string) => refusal("STEPWELL_INVALID_DEFINITION", message);

describe("a step of children", () => {
  it("has the workflows that it was given and the functions that say what they begin with", () => {
    const items = (): object[] => [];
    const key = (): string => "a";
    const join = (): object => ({});
    const made = stepOf(
      order.forEach("items", item, {
        items,
        input: run,
        key,
        join,
        concurrency: 3,
        onFailure: "settle",
        undo: "one-by-one",
      }),
    );
    expect(made.children).toEqual({
      kind: "forEach",
      workflows: { "": definitionOf(item) },
      below: new Set([definitionOf(item)]),
      generations: 1,
      input: run,
      items,
      key,
      join,
      onFailure: "settle",
      concurrency: 3,
      undo: "one-by-one",
    });
    expect(made).toMatchObject({ name: "items", run: undefined, rollback: undefined, messages: {}, waits: undefined });
  });

  it("turns at the first failure, and undoes its children together, unless it says otherwise", () => {
    const { children } = stepOf(order.parallel("both", { a: item, b: plain("other") }, { input: run }));
    expect(children).toMatchObject({ kind: "parallel", onFailure: "turn", concurrency: undefined, undo: "together" });
    expect(Object.keys(children!.workflows)).toEqual(["a", "b"]);
    expect(stepOf(order.child("one", item, { input: run })).children).toMatchObject({ kind: "child", join: undefined });
  });

  it("may be passed over, recover, have a deadline, be the pivot or irreversible", () => {
    const more = { when: () => true, otherwise: run, recover: run, deadline: "1h", irreversible: "It is gone." };
    const made = stepOf(order.child("one", item, { input: run, ...more }));
    expect(made).toMatchObject({ ...more, deadline: 3_600_000 });
    expect(stepOf(order.child("one", item, { input: run, pivot: true })).pivot).toBe(true);
  });

  it("gives the children of a parallel step by their keys too", () => {
    const { join } = stepOf(
      order.parallel(
        "both",
        { a: item, b: item },
        { input: run, join: ({ state, children, byKey }: Record<string, unknown>) => ({ state, children, byKey }) },
      ),
    ).children!;
    const a = { key: "a", status: "completed" };
    expect(join!({ state: 1, children: [a] } as never)).toEqual({ state: 1, children: [a], byKey: { a } });
  });

  it("keeps a child as it was when the step was added", () => {
    const made = order.child("one", item, { input: run });
    expect(stepOf(made).children!.workflows[""]).toBe(definitionOf(item));
    expect(Object.isFrozen(stepOf(made).children)).toBe(true);
  });
});

describe("what is refused of a step of children", () => {
  it.each<[string, () => unknown, string]>([
    ["a child without input", () => order.child("one", item, {}), 'lacks "input"'],
    ["a parallel without input", () => order.parallel("one", { a: item }, {}), 'lacks "input"'],
    ["a forEach without items", () => order.forEach("one", item, { input: run }), 'lacks "items"'],
    [
      "an input that is no function",
      () => order.child("one", item, { input: {} }),
      '"input" a function, not an object',
    ],
    ["no workflows", () => order.parallel("one", {}, { input: run }), "with one at least, not an empty object"],
    ["a workflow for many", () => order.parallel("one", item, { input: run }), "not a workflow itself"],
    ["a key that is no name", () => order.parallel("one", { "a\n": item }, { input: run }), "a key must be a name"],
    [
      "a workflow without steps",
      () => order.child("one", workflow("empty", { input }), { input: run }),
      'Workflow "empty" has no steps',
    ],
    ["settle without join", () => order.child("one", item, { input: run, onFailure: "settle" }), 'no "join"'],
    ["another onFailure", () => order.child("one", item, { input: run, onFailure: "stop" }), '"turn" or "settle"'],
    ["no concurrency", () => order.forEach("one", item, { items: run, concurrency: 0 }), "a whole number from 1 on"],
    ["another undo", () => order.forEach("one", item, { items: run, undo: "together" }), 'nothing but "one-by-one"'],
    [
      "recover on a pivot",
      () => order.child("one", item, { input: run, pivot: true, recover: run }),
      'is a pivot and has "recover"',
    ],
    ["otherwise without when", () => order.child("one", item, { input: run, otherwise: run }), 'there is no "when"'],
    [
      "a name that is taken",
      () => order.step("one", { run }).child("one", item, { input: run }),
      'two steps named "one"',
    ],
  ])("%s", (_what, build, message) => {
    expect(build).toThrow(invalid(message));
  });

  it.each([
    ["child", "retry"],
    ["child", "rollback"],
    ["child", "messages"],
    ["child", "timeout"],
    ["child", "probe"],
    ["child", "concurrency"],
    ["child", "undo"],
    ["parallel", "concurrency"],
    ["parallel", "items"],
    ["forEach", "run"],
  ] as const)("%s with the option %s", (kind: ChildrenDefinition["kind"], option) => {
    expect(() => order[kind]("one", item, { [option]: 1 })).toThrow(
      refusal("STEPWELL_UNKNOWN_OPTION", `.${kind}(…) has no option "${option}"`),
    );
  });

  it.each([undefined, {}, "item", run])("a child that is no workflow", (given) => {
    expect(() => order.child("one", given, { input: run })).toThrow(
      refusal("STEPWELL_INVALID_ARGUMENT", "is not a workflow"),
    );
    expect(() => order.parallel("one", { a: given }, { input: run })).toThrow(
      refusal("STEPWELL_INVALID_ARGUMENT", 'what stands under "a" is not a workflow'),
    );
  });

  it("no options at all", () => {
    expect(() => order.child("one", item)).toThrow(refusal("STEPWELL_INVALID_ARGUMENT", "takes an object of options"));
  });
});

describe("what may stand below a workflow", () => {
  it("is never a workflow of its own name, in whatever version and however deep", () => {
    const below = order.child("one", item, { input: run });
    expect(() => order.child("one", plain("order", "7"), { input: run })).toThrow(invalid("a child of itself"));
    const between = (workflow("between", { input }) as unknown as Loose).child("orders", below, { input: run });
    const again = workflow("order", { input, version: "2" }) as unknown as Loose;
    expect(() => again.parallel("two", { x: item, y: between }, { input: run })).toThrow(
      invalid('workflow "between" has "order" below it'),
    );
  });

  it("is sixteen generations at most", () => {
    let deep: unknown = plain("leaf");
    for (let depth = 1; depth <= 16; depth++) {
      deep = (workflow(`at-${depth}`, { input }) as unknown as Loose).child("next", deep, { input: run });
    }
    expect(() => order.child("next", deep, { input: run })).toThrow(invalid("17 generations below; at most 16"));
    expect(() => order.child("next", item, { input: run }).forEach("more", deep, { items: run })).toThrow(
      invalid('step "more"'),
    );
  });

  it("is looked through once, however often the same workflow stands in it", () => {
    let wide: unknown = plain("leaf");
    for (let depth = 1; depth <= 16; depth++) {
      const both = Object.fromEntries(Array.from({ length: 9 }, (_, key) => [`k${key}`, wide]));
      wide = (workflow(`at-${depth}`, { input }) as unknown as Loose).parallel("next", both, { input: run });
    }
    expect([...familyOf(definitionOf(wide as AnyWorkflow))].map(({ name }) => name)).toEqual([
      ...Array.from({ length: 16 }, (_, index) => `at-${16 - index}`),
      "leaf",
    ]);
  });

  it("may have a pivot as the one child that is the pivot, after the pivot, and where it says that it stays", () => {
    const pay = { input: run };
    expect(() => order.child("pay", pivoted, { ...pay, pivot: true })).not.toThrow();
    expect(() => order.child("pay", pivoted, { ...pay, irreversible: "Paid is paid." })).not.toThrow();
    const after = order.step("hand-over", { run, pivot: true });
    expect(() => after.child("pay", pivoted, pay).forEach("more", pivoted, { items: run })).not.toThrow();
  });

  it.each<[string, (from: Loose) => unknown]>([
    ["before the pivot", (from) => from.child("pay", pivoted, { input: run })],
    ["among others in the pivot step", (from) => from.parallel("pay", { pivoted }, { input: run, pivot: true })],
    ["in a list in the pivot step", (from) => from.forEach("pay", pivoted, { items: run, pivot: true })],
    ["one of several", (from) => from.parallel("pay", { item, pivoted }, { input: run })],
  ])("has no pivot %s", (_where, build) => {
    expect(() => build(order)).toThrow(invalid('workflow "pay" has a pivot, "charge"'));
  });

  it("may have below it what says that it stays", () => {
    const shipping = (workflow("shipping", { input }) as unknown as Loose).child("pay", pivoted, {
      input: run,
      irreversible: "Paid is paid.",
    });
    expect(() => order.child("ship", shipping, { input: run })).not.toThrow();
  });
});

describe("the outline of a step of children", () => {
  const outline = (made: Loose) => outlineOf(definitionOf(made).steps);
  const a = plain("a");
  const b = plain("b");

  it("holds its kind and the names of its workflows, sorted by key and without their versions", () => {
    const made = outline(order.parallel("both", { b, a }, { input: run }));
    expect(made).toEqual([{ name: "both", children: { kind: "parallel", workflows: { a: "a", b: "b" } } }]);
    const newer = outline(order.parallel("both", { a: plain("a", "2"), b }, { input: run }));
    expect(JSON.stringify(newer)).toBe(JSON.stringify(made));
    expect(outline(order.child("one", a, { input: run }))).toEqual([
      { name: "one", children: { kind: "child", workflows: { "": "a" } } },
    ]);
  });

  it("is held against an older version's when that one migrates", () => {
    const older = order.child("one", a, { input: run });
    const newer = (made: AnyWorkflow, steps: object): (() => unknown) => {
      const loose = made as unknown as { migrate(older: AnyWorkflow, options: object): unknown };
      return () => loose.migrate(older, { steps });
    };
    const second = workflow("order", { input, version: "2" }) as unknown as Loose;
    expect(newer(second.child("first", a, { input: run }), { one: "first" })).not.toThrow();
    expect(newer(second.step("other", { run }), { one: null })).not.toThrow();
    expect(newer(second.forEach("one", a, { items: run }), {})).toThrow(invalid("was a .child and is a .forEach now"));
    expect(newer(second.child("one", b, { input: run }), {})).toThrow(invalid('was made of workflow "a"'));
    expect(newer(second.step("other", { run }), {})).toThrow(invalid('say in "steps" what became of it'));
  });
});
