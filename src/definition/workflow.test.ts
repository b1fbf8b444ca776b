import { type } from "arktype";
import * as v from "valibot";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { diagram } from "../inspect/diagram.js";
import { observer } from "./observer.js";
import { complete, fail, patchProblem, pause } from "./outcome.js";
import { validate } from "./schema.js";
import { step } from "./step.js";
import { definitionOf } from "./definition-of.js";
import { workflow } from "./workflow.js";

const input = z.object({ sku: z.string() });
const empty = workflow("order", { input });
const one = empty.step("reserve", { run: () => ({ id: "r" }), rollback: () => undefined });
const untyped = (name: unknown, options?: unknown): unknown =>
  (empty.step as (...given: unknown[]) => unknown)(name, options);

const coded = (code: string, ...parts: string[]): object =>
  expect.objectContaining({ code, message: expect.stringMatching(new RegExp(parts.join(".*"), "s")) });

describe("a bad definition fails when it is built", () => {
  test.each([
    ["an empty name", () => workflow("", { input }), "STEPWELL_INVALID_DEFINITION", "name"],
    ["a name with a line break", () => workflow("a\nb", { input }), "STEPWELL_INVALID_DEFINITION", "control"],
    ["an empty version", () => workflow("a", { input, version: " " }), "STEPWELL_INVALID_DEFINITION", "version"],
    [
      "an input that is no schema",
      () => workflow("a", { input: {} as never }),
      "STEPWELL_INVALID_DEFINITION",
      "Standard Schema",
    ],
    [
      "an onExit that is no function",
      () => workflow("a", { input, onExit: 1 as never }),
      "STEPWELL_INVALID_DEFINITION",
      "onExit",
    ],
    [
      "an unknown option",
      () => workflow("a", { input, verson: "2" } as never),
      "STEPWELL_UNKNOWN_OPTION",
      'mean "version"',
    ],
    ["a bad deadline", () => workflow("a", { input, deadline: "soon" as never }), "STEPWELL_INVALID_DURATION", "soon"],
    ["a bad undoFor", () => workflow("a", { input, undoFor: "long" as never }), "STEPWELL_INVALID_DURATION", "undoFor"],
    [
      "a deadline that has no length",
      () => workflow("a", { input, deadline: 0 }),
      "STEPWELL_INVALID_DEFINITION",
      "turn at once",
    ],
    ["a step without a name", () => untyped("", { run: () => 1 }), "STEPWELL_INVALID_DEFINITION", "name"],
    ["a step without options", () => untyped("a"), "STEPWELL_INVALID_ARGUMENT", "options"],
    ["a step that does nothing", () => untyped("a", {}), "STEPWELL_INVALID_DEFINITION", "neither"],
    ["a run that is no function", () => untyped("a", { run: 1 }), "STEPWELL_INVALID_DEFINITION", "function"],
    [
      "an unknown option of a step",
      () => untyped("a", { run: () => 1, rolback: 1 }),
      "STEPWELL_UNKNOWN_OPTION",
      'mean "rollback"',
    ],
    [
      "messages without a handler",
      () => untyped("a", { run: () => 1, messages: { m: input } }),
      "STEPWELL_INVALID_DEFINITION",
      "onMessage",
    ],
    [
      "a handler without messages",
      () => untyped("a", { run: () => 1, onMessage: () => 1 }),
      "STEPWELL_INVALID_DEFINITION",
      "messages",
    ],
    [
      "rollback messages without a handler",
      () => untyped("a", { run: () => 1, rollbackMessages: { m: input } }),
      "STEPWELL_INVALID_DEFINITION",
      "onRollbackMessage",
    ],
    [
      "a message without a schema",
      () => untyped("a", { run: () => 1, messages: { m: 1 }, onMessage: () => 1 }),
      "STEPWELL_INVALID_DEFINITION",
      '"m" is not a schema',
    ],
    [
      "a bad timeout",
      () => untyped("a", { run: () => 1, timeout: "5 minutes" }),
      "STEPWELL_INVALID_DURATION",
      "5 minutes",
    ],
    [
      "a timeout of nothing",
      () => untyped("a", { run: () => 1, timeout: 0 }),
      "STEPWELL_INVALID_DEFINITION",
      "longer than 0",
    ],
    [
      "a pivot that is no boolean",
      () => untyped("a", { run: () => 1, pivot: "yes" }),
      "STEPWELL_INVALID_DEFINITION",
      "pivot",
    ],
    [
      "an empty reason to be irreversible",
      () => untyped("a", { run: () => 1, irreversible: "" }),
      "STEPWELL_INVALID_DEFINITION",
      "irreversible",
    ],
    [
      "a rollback of what is irreversible",
      () => untyped("a", { run: () => 1, rollback: () => 1, irreversible: "sent" }),
      "STEPWELL_INVALID_DEFINITION",
      "only one",
    ],
    [
      "zero attempts",
      () => untyped("a", { run: () => 1, retry: { attempts: 0 } }),
      "STEPWELL_INVALID_RETRY_POLICY",
      "attempts",
    ],
    [
      "a shrinking factor",
      () => untyped("a", { run: () => 1, retry: { factor: 0.5 } }),
      "STEPWELL_INVALID_RETRY_POLICY",
      "factor",
    ],
    [
      "an endless factor",
      () => untyped("a", { run: () => 1, retry: { factor: Infinity } }),
      "STEPWELL_INVALID_RETRY_POLICY",
      "factor",
    ],
    [
      "a delay above its maximum",
      () => untyped("a", { run: () => 1, retry: { delay: "2m", maxDelay: "1m" } }),
      "STEPWELL_INVALID_RETRY_POLICY",
      "maxDelay",
    ],
    [
      "an endless maximum delay",
      () => untyped("a", { run: () => 1, rollbackRetry: { maxDelay: Infinity } }),
      "STEPWELL_INVALID_DURATION",
      "maxDelay",
    ],
    [
      "an unknown option of a retry policy",
      () => untyped("a", { run: () => 1, retry: { atempts: 2 } }),
      "STEPWELL_UNKNOWN_OPTION",
      'mean "attempts"',
    ],
    ["an observer that is none", () => empty.observe({} as never), "STEPWELL_INVALID_DEFINITION", "observer"],
    ["an observer without callbacks", () => observer({ name: "deaf" }), "STEPWELL_INVALID_DEFINITION", "no callback"],
    [
      "an unknown option of an observer",
      () => observer({ name: "a", befourStep: () => 1 } as never),
      "STEPWELL_UNKNOWN_OPTION",
      'mean "beforeStep"',
    ],
    [
      "a callback of an observer that is no function",
      () => observer({ name: "a", init: 5 } as never),
      "STEPWELL_INVALID_DEFINITION",
      'Observer "a": "init" must be a function, not 5',
    ],
    [
      "a guard that is neither true nor false",
      () => observer({ name: "a", guard: "yes", init: () => 1 } as never),
      "STEPWELL_INVALID_DEFINITION",
      '"guard" must be true or false, not "yes"',
    ],
    ["an observer without a name", () => observer({ init: () => 1 } as never), "STEPWELL_INVALID_DEFINITION", "name"],
  ] as const)("%s", (_, build, code, part) => {
    expect(build).toThrow(coded(code, part));
  });

  test("two steps of one name", () => {
    expect(() => one.step("reserve" as string, { run: () => undefined })).toThrow(
      coded("STEPWELL_INVALID_DEFINITION", "two steps"),
    );
  });

  test("two pivots", () => {
    const pivoted = one.step("capture", { run: () => undefined, pivot: true });
    expect(() => pivoted.step("again", { run: () => undefined, pivot: true })).toThrow(
      coded("STEPWELL_INVALID_DEFINITION", "capture"),
    );
  });

  test("no steps, as soon as it is used", () => {
    expect(() => definitionOf(empty)).toThrow(coded("STEPWELL_INVALID_DEFINITION", "no steps"));
    expect(() => diagram(empty)).toThrow(coded("STEPWELL_INVALID_DEFINITION", "no steps"));
  });

  test("what is not a workflow at all", () => {
    for (const value of [undefined, null, {}, "order"]) {
      expect(() => definitionOf(value as never)).toThrow(coded("STEPWELL_INVALID_ARGUMENT", "is not a workflow but"));
    }
  });

  test("the error names the workflow and the step", () => {
    try {
      untyped("charge", { run: 1 });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ workflow: "order", step: "charge" });
    }
  });
});

describe("a workflow", () => {
  test("is never changed: each call gives a new one", () => {
    const two = one.step("charge", { run: () => undefined });
    expect(definitionOf(one).steps.map(({ name }) => name)).toEqual(["reserve"]);
    expect(definitionOf(two).steps.map(({ name }) => name)).toEqual(["reserve", "charge"]);
    expect(Object.isFrozen(two)).toBe(true);
    expect(Object.isFrozen(definitionOf(two).steps)).toBe(true);
  });

  test("takes a step's run as an argument of its own, before the other options", () => {
    const run = (): object => ({ parcel: "p" });
    const rollback = (): void => undefined;
    const made = one.step("ship", run, { rollback, timeout: "1s" });
    expect(definitionOf(made).steps[1]).toMatchObject({ name: "ship", run, rollback, timeout: 1000 });
    const ship = step<{ id: string }>()("ship", run, { rollback });
    expect(definitionOf(one.step(ship)).steps[1]).toMatchObject({ name: "ship", run, rollback });
    expect(() => one.step("ship", run, { run } as never)).toThrow(coded("STEPWELL_UNKNOWN_OPTION", '"run"'));
    expect(() => one.step("ship", run, null as never)).toThrow(coded("STEPWELL_INVALID_ARGUMENT", "options"));
  });

  test("takes observers made before, or their options, which it checks", () => {
    const init = (): void => undefined;
    const { guards, watchers } = definitionOf(
      one.observe({ name: "own", init }, observer({ name: "made", init }), { name: "guard", guard: true, init }),
    );
    expect(watchers.map(({ name }) => name)).toEqual(["own", "made"]);
    expect(guards.map(({ name }) => name)).toEqual(["guard"]);
    expect(() => one.observe({ name: "own", inti: init } as never)).toThrow(coded("STEPWELL_UNKNOWN_OPTION", '"inti"'));
    expect(() => one.observe(5 as never)).toThrow(coded("STEPWELL_INVALID_DEFINITION", "takes observers"));
  });

  test("takes steps from modules", () => {
    const ship = step<{ id: string }>()("ship", { run: ({ state }) => ({ parcel: state.id }) });
    expect(definitionOf(one.step(ship)).steps[1]).toMatchObject({ name: "ship", run: expect.any(Function) });
  });

  test("sorts guards from watchers and keeps the order of each", () => {
    const make = (name: string, guard: boolean): ReturnType<typeof observer> =>
      observer({ name, guard, init: () => undefined });
    const observed = one.observe(make("w1", false), make("g1", true)).observe(make("g2", true), make("w2", false));
    expect(definitionOf(observed).guards.map(({ name }) => name)).toEqual(["g1", "g2"]);
    expect(definitionOf(observed).watchers.map(({ name }) => name)).toEqual(["w1", "w2"]);
  });

  test("has no limit in time for a rollback that says how often it is tried", () => {
    const { steps } = definitionOf(
      workflow("a", { input }).step("s", { rollback: () => undefined, rollbackRetry: { attempts: Infinity } }),
    );
    expect(steps[0]!.rollbackRetry).toMatchObject({ attempts: Infinity, within: Infinity });
  });

  test("has durations in milliseconds and retry policies filled in", () => {
    const { deadline, steps } = definitionOf(
      workflow("a", { input, deadline: "2 h" }).step("s", {
        run: () => undefined,
        timeout: "1.5s",
        retry: { attempts: Infinity, delay: "1m", within: "1d" },
        rollbackRetry: { jitter: false },
      }),
    );
    expect(deadline).toBe(7_200_000);
    expect(steps[0]).toMatchObject({
      timeout: 1500,
      retry: { attempts: Infinity, delay: 60_000, factor: 2, maxDelay: 60_000, jitter: true, within: 86_400_000 },
      rollbackRetry: {
        attempts: Infinity,
        delay: 200,
        factor: 2,
        maxDelay: 300_000,
        jitter: false,
        within: 86_400_000,
      },
    });
  });
});

describe("printing and drawing", () => {
  const whole = one
    .step("charge", {
      messages: { settled: input, declined: input },
      run: () => pause(),
      onMessage: () => undefined,
      rollback: () => pause(),
      rollbackMessages: { refunded: input },
      onRollbackMessage: () => undefined,
      retry: { attempts: 3 },
      rollbackRetry: { attempts: Infinity },
      timeout: "10s",
      pivot: true,
    })
    .step('say "thanks" <b>', { run: () => undefined, irreversible: "a mail is sent" })
    .observe(observer({ name: "limit", guard: true, init: () => undefined }));

  test("a printed workflow shows its steps with run, rollback, messages, retry and pivot marks", () => {
    expect(inspect(whole)).toBe(String(whole));
    expect(String(whole).split("\n")).toEqual([
      "workflow order (version 1)",
      "  1. reserve           run, rollback",
      "  2. charge            run, rollback, messages: settled | declined, rollback messages: refunded, " +
        "retry: 3 attempts, rollback retry: without end, timeout: 10000 ms, pivot",
      '  3. say "thanks" <b>  run, irreversible: a mail is sent',
      "  observed by limit (guard)",
    ]);
  });

  test("a diagram has the way up, the way down as far as the pivot, and escapes names", () => {
    const text = diagram(whole);
    expect(text).toContain("flowchart TB");
    expect(text).toContain("up0 --> up1".replace(" -->", '["reserve"] -->'));
    expect(text).toContain('up1{{"charge<br/>waits for settled or declined"}} --> up2');
    expect(text).toContain('down1["undo: charge<br/>waits for refunded"] --> down0');
    expect(text).toContain("up2 -. fails .-> stuck");
    expect(text).not.toContain("down2");
    expect(text).not.toContain("<b>");
    expect(text).toContain("say #34;thanks#34; #60;b#62;");
  });

  test("a diagram says of a step what can't be undone, on the way up and, before a pivot, on the way down", () => {
    expect(diagram(whole)).toContain("#60;b#62;<br/>irreversible: a mail is sent");
    const mail = workflow("mail", { input }).step("send", { run: () => undefined, irreversible: "It is read." });
    expect(diagram(mail)).toContain('up0["send<br/>irreversible: It is read."] --> completed');
    expect(diagram(mail)).toContain(`down0["can't be undone: send"] --> rolledBack`);
  });
});

describe("steps of children", () => {
  const part = (name: string) => workflow(name, { input: z.object({}) }).step("do", { run: () => undefined });
  const both = workflow("both", { input })
    .parallel(
      "book",
      { flight: part("flight"), hotel: part("book-hotel") },
      { input: () => ({ flight: {}, hotel: {} }), join: () => undefined, onFailure: "settle", undo: "one-by-one" },
    )
    .forEach("items", part("item"), { items: () => [], concurrency: 5 })
    .child("ship", part("shipping"), { input: () => ({}), pivot: true });

  test("are printed with the workflows that they are made of", () => {
    expect(String(both).split("\n").slice(1)).toEqual([
      "  1. book   parallel: flight = flight | hotel = book-hotel, join, when all are settled, undone one by one",
      "  2. items  forEach: item, at most 5 at a time",
      "  3. ship   child: shipping, pivot",
    ]);
  });

  test("are groups in a diagram, on the way up and down", () => {
    const text = diagram(both);
    expect(text).toContain(
      'subgraph up0 ["book"]\n    up0_0[["flight"]]\n    up0_1[["hotel: book-hotel"]]\n  end\n  up0 --> up1',
    );
    expect(text).toContain('up1_0[["item<br/>one for each item<br/>at most 5 at a time"]]');
    expect(text).toContain('subgraph up2 ["ship<br/>point of no return"]');
    expect(text).toContain("up1 -. fails .-> down1");
    expect(text).toContain('subgraph down0 ["undo: book"]');
    expect(text).toContain("down0 --> rolledBack");
    const kept = workflow("kept", { input }).child("one", part("item"), { input: () => ({}), irreversible: "Sent." });
    expect(diagram(kept)).toContain(`down0["can't be undone: one"] --> rolledBack`);
  });
});

describe("what a step function may give back", () => {
  test("pause, complete and fail refuse what makes no sense", () => {
    expect(() => pause({}, { timeout: "later" as never })).toThrow(coded("STEPWELL_INVALID_DURATION", "later"));
    expect(() => pause({}, { timout: 1 } as never)).toThrow(coded("STEPWELL_UNKNOWN_OPTION", "timeout"));
    expect(() => fail("")).toThrow(coded("STEPWELL_INVALID_ARGUMENT", "reason"));
    expect(() => fail("normal")).toThrow(coded("STEPWELL_INVALID_ARGUMENT", "normal"));
    expect(() => fail(" ok ")).toThrow(coded("STEPWELL_INVALID_ARGUMENT", 'Got " ok "'));
    expect(() => fail(5n as never)).toThrow(coded("STEPWELL_INVALID_ARGUMENT", "Got 5n"));
    expect(() => fail("x", { detail: 1 } as never)).toThrow(coded("STEPWELL_UNKNOWN_OPTION", "details"));
  });

  test("their values are frozen", () => {
    for (const value of [pause({ a: 1 }), complete({ a: 1 }), fail("no")]) expect(Object.isFrozen(value)).toBe(true);
  });

  test.each([
    [1, "a number"],
    ["text", "a string"],
    [null, "a null"],
    [[1], "an array"],
    [new Date(), "an instance of Date"],
    [new Map(), "an instance of Map"],
    [JSON.parse('{"__proto__": {"polluted": true}}'), "reserved key"],
  ])("%o is not a patch", (value, problem) => {
    expect(patchProblem(value)).toContain(problem);
  });

  test("plain objects are patches, with or without a prototype", () => {
    expect(patchProblem({})).toBeUndefined();
    expect(patchProblem(Object.create(null))).toBeUndefined();
    expect(patchProblem({ constructor: "a field like any other" })).toBeUndefined();
  });
});

describe("schemas of any Standard Schema library", () => {
  const libraries = {
    zod: z.object({ order: z.object({ cents: z.number().positive() }) }),
    valibot: v.object({ order: v.object({ cents: v.pipe(v.number(), v.minValue(1)) }) }),
    arktype: type({ order: { cents: "number > 0" } }),
  };

  test.each(Object.entries(libraries))("%s accepts, and refuses with the path of the mistake", async (_, schema) => {
    expect(await validate(schema, { order: { cents: 5 } })).toEqual({ ok: true, value: { order: { cents: 5 } } });
    const refused = await validate(schema, { order: { cents: -5 } });
    expect(refused).toMatchObject({ ok: false, problem: expect.stringContaining("order.cents: ") });
  });

  test("a schema may answer later", async () => {
    const later = z.string().refine(async (text) => text === "yes");
    expect(await validate(later, "yes")).toEqual({ ok: true, value: "yes" });
    expect(await validate(later, "no")).toMatchObject({ ok: false });
  });

  test("a schema that throws refuses", async () => {
    const broken = z.string().transform(() => {
      throw new TypeError("broken");
    });
    expect(await validate(broken, "x")).toMatchObject({ ok: false, problem: expect.stringContaining("broken") });
  });

  test("a thousand mistakes are not listed all", async () => {
    const refused = await validate(
      z.array(z.string()),
      Array.from({ length: 1000 }, () => 1),
    );
    expect(refused).toMatchObject({ ok: false, problem: expect.stringMatching(/and 995 more$/) });
  });
});
