import { expect, test } from "vitest";
import { z } from "zod";
import { pause, workflow, type Launcher } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({ n: z.number() });
const wait = workflow("waiting", { input }).step("1", {
  messages: { go: z.null() },
  run: () => pause(),
  onMessage: () => ({ done: true }),
});

/** Calls as plain JavaScript may make them. */
type Untyped = Record<keyof Launcher, (...given: unknown[]) => Promise<unknown>>;

const refusal = (code: string, part: string): object => ({ code, message: expect.stringContaining(part) });
const invalid = (part: string): object => refusal("STEPWELL_INVALID_ARGUMENT", part);

onEveryStore("arguments that can't be used are refused where they come in", (start) => {
  async function untyped(): Promise<{ launcher: Launcher; call: Untyped }> {
    const { launcher } = await start([wait]);
    return { launcher, call: launcher as unknown as Untyped };
  }

  test.each([
    [null, "launch, rollback, takes an object"],
    ["1", "launch, rollback, takes an object"],
    [{ from: "1" }, "launch, rollback.reason must be a text of 1 to 1000 characters"],
    [{ from: "1", reason: "x", state: [1] }, `"rollback.state" is an array; give a plain object.`],
    [{ from: "1", reason: "x", state: new Date(0) }, `"rollback.state" is an instance of Date`],
    [{ from: "1", reason: "x", state: null }, `"rollback.state" is a null`],
    [{ from: 1, reason: "x" }, `Workflow "waiting" has no step 1 to roll back from`],
    [{ from: Symbol("1"), reason: "x" }, "has no step Symbol(1) to roll back from"],
  ])("launch with the rollback %o", async (rollback, part) => {
    const { launcher, call } = await untyped();
    await expect(call.launch(wait, { n: 1 }, { rollback })).rejects.toMatchObject(invalid(part));
    expect((await launcher.list()).executions).toEqual([]);
  });

  test("launch with an option in rollback that does not exist", async () => {
    const { call } = await untyped();
    const rollback = { from: "1", reason: "x", stat: {} };
    await expect(call.launch(wait, { n: 1 }, { rollback })).rejects.toMatchObject(
      refusal("STEPWELL_UNKNOWN_OPTION", 'Did you mean "state"?'),
    );
  });

  test.each([
    [undefined, 'launchMany of "waiting" takes an array of { input, id, … }, not undefined.'],
    [{}, "not an object."],
    [new Set([{ input: { n: 1 } }]), "not an object."],
    [[{ input: { n: 1 } }, null], "item 1, takes an object"],
    // eslint-disable-next-line no-sparse-arrays -- a hole is what is tested
    [[, { input: { n: 1 } }], "item 0, takes an object"],
  ])("launchMany of %o", async (items, part) => {
    const { launcher, call } = await untyped();
    await expect(call.launchMany(wait, items)).rejects.toMatchObject(invalid(part));
    expect((await launcher.list()).executions).toEqual([]);
  });

  test("launchMany with an option of an item that does not exist", async () => {
    const { call } = await untyped();
    await expect(call.launchMany(wait, [{ inputs: { n: 1 } }])).rejects.toMatchObject(
      refusal("STEPWELL_UNKNOWN_OPTION", 'Did you mean "input"?'),
    );
  });

  test.each([undefined, null, {}, "waiting", 5])(
    "launch and launchMany of what is no workflow: %o",
    async (nothing) => {
      const { call } = await untyped();
      await expect(call.launch(nothing, { n: 1 })).rejects.toMatchObject(invalid("is not a workflow"));
      await expect(call.launchMany(nothing, [])).rejects.toMatchObject(invalid("is not a workflow"));
      expect(() => call.execution(nothing, "id")).toThrow(
        expect.objectContaining(invalid("is not a workflow")) as Error,
      );
    },
  );

  test.each([
    [{ status: null }, `"status" must be one of scheduled, running, waiting, stuck, completed, rolledBack`],
    [{ status: "nope" }, `"nope" is none`],
    [{ status: ["stuck", "nope"] }, `"nope" is none`],
    [{ status: "toString" }, `"toString" is none`],
    [{ createdFrom: "2020-01-01" }, `"createdFrom" must be a valid Date, not "2020-01-01".`],
    [{ createdFrom: null }, "not null"],
    [{ createdFrom: new Date("nonsense") }, `"createdFrom" must be a valid Date, not an invalid one`],
    [{ createdBefore: 1 }, `"createdBefore" must be a valid Date, not 1.`],
    [{ createdBefore: new Date(Number.NaN) }, "not an invalid one"],
    [{ tags: "t" }, `list: "tags" must be an array`],
    [{ tags: null }, `list: "tags" must be an array`],
    [{ tags: [5] }, `list: "tags" must be an array`],
    [{ workflow: {} }, `"workflow" must be the name of a workflow, not an object.`],
    [{ workflow: null }, "not null"],
    [{ limit: null }, "not null"],
    [{ limit: "5" }, `not "5"`],
    [{ limit: 1.5 }, "not 1.5"],
    [{ after: "nonsense" }, `"after" must be the cursor of the page before, not "nonsense".`],
    [{ after: "1_x" }, `not "1_x"`],
    [{ after: "" }, `not ""`],
    [{ after: null }, "not null. Leave it out for the first page"],
    [{ after: ["1_1"] }, "not an array"],
    [{ after: 5 }, "not 5"],
    [null, "takes an object"],
  ])("list with %o", async (options, part) => {
    const { launcher, call } = await untyped();
    await launcher.launch(wait, { n: 1 });
    await expect(call.list(options)).rejects.toMatchObject(invalid(part));
  });

  test("but no status at all is a question with an answer: none", async () => {
    const { launcher } = await untyped();
    await launcher.launch(wait, { n: 1 });
    expect((await launcher.list({ status: [] })).executions).toEqual([]);
  });

  test.each([
    [undefined, "not undefined."],
    [null, "not null."],
    [5, "not a value of type number."],
    [["o-1"], "not a value of type object."],
    ["", `not "" (0 characters).`],
    ["a\nb", `not "a\\nb" (3 characters).`],
  ])("%o as the id of an execution", async (id, part) => {
    const { call } = await untyped();
    const refused = invalid(part);
    await expect(call.send(id, "go", null)).rejects.toMatchObject(refused);
    await expect(call.rollback(id, "back")).rejects.toMatchObject(refused);
    await expect(call.retry(id)).rejects.toMatchObject(refused);
    await expect(call.skip(id, "done by hand")).rejects.toMatchObject(refused);
    expect(() => call.execution(id)).toThrow(expect.objectContaining(refused) as Error);
    expect(() => call.execution(wait, id)).toThrow(expect.objectContaining(refused) as Error);
  });

  test.each([
    [undefined, "not undefined."],
    [5, "not 5."],
    ["", `not "".`],
    ["go\0", `not "go\\u0000".`],
  ])("%o as the name of a message, also where the workflow is not known", async (name, part) => {
    const { launcher, another } = await start([wait]);
    const { id } = await launcher.launch(wait, { n: 1 });
    const stranger = await another([workflow("other", { input }).step("1", { run: () => undefined })]);
    for (const sender of [launcher, stranger]) {
      await expect(sender.send(id, name as string, null)).rejects.toMatchObject(invalid(part));
    }
    expect(await launcher.execution(id).mailbox()).toEqual([]);
  });

  test("options of a handle that do not exist", async () => {
    const { launcher } = await untyped();
    const execution = await launcher.launch(wait, { n: 1 });
    const unknown = refusal("STEPWELL_UNKNOWN_OPTION", "has no option");
    await expect(execution.outcome({ timout: 5 } as never)).rejects.toMatchObject(unknown);
    await expect(execution.send("go", null, { id: "m" } as never)).rejects.toMatchObject(unknown);
    await expect(execution.rollback("back", { ifComplete: "refuse" } as never)).rejects.toMatchObject(unknown);
    await expect(execution.retry({ who: "ada" } as never)).rejects.toMatchObject(unknown);
    await expect(execution.skip("done", { state: {} } as never)).rejects.toMatchObject(unknown);
    await expect(execution.outcome(null as never)).rejects.toMatchObject(invalid("outcome takes an object"));
    await expect(execution.outcome({ timeout: "5" as never })).rejects.toMatchObject({
      code: "STEPWELL_INVALID_DURATION",
    });
  });
});
