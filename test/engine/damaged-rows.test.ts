/** What somebody damaged by hand, or a disk did, concerns that execution alone. */
import { expect, test } from "vitest";
import { z } from "zod";
import { tallyOf } from "../../src/execution/children.js";
import { fail, pause, workflow } from "../../src/index.js";
import { errorOf, onEverySqlStore, type Rig, type Start } from "../support/rig.js";

const input = z.object({});

/** Two steps with a wait between them; the undo of the first one is told. */
function booking(undone: string[] = []) {
  return workflow("booking", { input })
    .step("reserve", {
      run: () => pause(),
      messages: { go: z.null() },
      onMessage: ({ message }) => ({ by: message.id }),
      rollback: ({ execution }) => void undone.push(execution.id),
    })
    .step("book", { run: () => ({ booked: true }) });
}

/** What a damaged column holds. */
const damages: readonly [what: string, column: string, value: string][] = [
  ["a position that is no JSON", "position", '{"direction":"up"'],
  ["a position that is null", "position", "null"],
  ["a position that is empty", "position", "{}"],
  ["a direction that nobody knows", "position", '{"direction":"sideways"}'],
  ["steps passed over that are no list", "position", '{"direction":"up","passed":5}'],
  ["a step in doubt that is no index", "position", '{"direction":"up","doubtful":["1"]}'],
  ["names of steps that are no object", "position", '{"direction":"up","keys":null}'],
  ["a number of polls that is none", "position", '{"direction":"up","polls":"many"}'],
  ["a deadline of a step that is no time", "position", '{"direction":"up","stepDeadlineAt":"soon"}'],
  ["a deadline that is no time", "position", '{"direction":"up","deadlineAt":"soon"}'],
  ["doubts that are no list", "position", '{"direction":"up","doubts":5}'],
  ["a doubt that is none", "position", '{"direction":"up","doubts":[null]}'],
  ["rounds that are no list", "position", '{"direction":"up","rounds":5}'],
  ["a round that is none", "position", '{"direction":"up","rounds":[null]}'],
  ["a number of its round that is none", "position", '{"direction":"up","round":"x"}'],
  ["a step to rewind to that is none", "position", '{"direction":"up","until":"x"}'],
  ["a failure kept for later that is none", "position", '{"direction":"up","failing":5}'],
  ["a flag that is none", "position", '{"direction":"up","partly":5}'],
  ["a function that nobody knows", "position", "runContinue -> sideways"],
  ["a stage of its life that nobody knows", "position", "step -> later"],
  ["tags that are no JSON", "tags", '["a'],
  ["tags that are null", "tags", "null"],
  ["a status that nobody knows", "status", "wandering"],
  ["an admission that nobody knows", "admission", "maybe"],
  ["a state that is no JSON", "state", '{"a":'],
  ["a state that is null", "state", "null"],
  ["a state that is a list", "state", "[]"],
  ["a state that holds itself", "state", '~[{"a":0}]'],
];

/** Of what stands beside a direction, the rest of the position stays as it is. */
async function damage({ sql }: Rig, id: string, column: string, value: string): Promise<void> {
  const [word, instead] = value.split(" -> ");
  const text =
    instead !== undefined
      ? `replace(position, ':"${word}"', ':"${instead}"')`
      : value.startsWith('{"direction"') && value.endsWith("}")
        ? `replace(position, '{"step"', '${value.slice(0, -1)},"step"')`
        : `'${value}'`;
  await sql(`UPDATE stepwell_executions SET ${column} = ${text} WHERE id = '${id}'`);
}

const undecodable = (id: string) => ({ code: "STEPWELL_NOT_DECODABLE", execution: id });

async function waiting(start: Start, count: number, undone: string[] = []): Promise<Rig & { ids: string[] }> {
  const flow = booking(undone);
  const rig = await start([flow]);
  const ids = Array.from({ length: count }, (_, index) => `e${index}`);
  await rig.launcher.launchMany(
    flow,
    ids.map((id) => ({ input: {}, id, tags: ["all"] })),
  );
  await rig.clock.settle();
  return { ...rig, ids };
}

onEverySqlStore("a damaged row", (start) => {
  test("among a thousand due ones is parked and named, and the others complete", async () => {
    const rig = await waiting(start, 1000);
    const { launcher, clock, errors, ids, sql } = rig;
    await damage(rig, "e500", "position", "null");
    // All are due at once, as after an outage.
    await sql("UPDATE stepwell_executions SET due_at = 0");
    for (const id of ids) await launcher.send(id, "go", null);
    await clock.advance("5s");
    expect(await launcher.select({ status: "completed" }).count()).toEqual({ count: 999, more: false });
    expect(errors).toMatchObject([undecodable("e500")]);
    expect(errors[0]!.message).toContain('position of execution "e500"');
    const { executions, damaged, cursor } = await launcher.list({ status: "stuck" });
    expect([executions, cursor]).toEqual([[], null]);
    expect(damaged).toMatchObject([{ id: "e500", workflow: "booking", code: "STEPWELL_NOT_DECODABLE" }]);
    const page = await launcher.list({ limit: 1000 });
    expect([page.executions.length, page.damaged.length]).toEqual([999, 1]);
  });

  test.each(damages)("with %s, due, is parked as it is, and never rolled back by a guess", async (_, column, value) => {
    const undone: string[] = [];
    const rig = await waiting(start, 3, undone);
    const { launcher, clock, errors, ids, store, sql } = rig;
    await damage(rig, "e1", column, value);
    await sql("UPDATE stepwell_executions SET due_at = 0");
    if (column === "status") await sql("UPDATE stepwell_executions SET due_at = NULL WHERE id <> 'e1'");
    for (const id of ids.filter((it) => it !== "e1")) await launcher.send(id, "go", null);
    const text = async (): Promise<unknown> =>
      sql(`SELECT ${column} AS found FROM stepwell_executions WHERE id = 'e1'`);
    const before = await text();
    await clock.advance("3s");
    expect(undone).toEqual([]);
    expect(await launcher.select({ status: "completed" }).count()).toEqual({ count: 2, more: false });
    expect(await launcher.select({ status: "stuck" }).count()).toEqual({ count: 1, more: false });
    expect(errors.map(({ execution }) => execution)).toEqual(["e1"]);
    const [standing] = await store.load(["e1"], "standing");
    expect(standing).toMatchObject({ status: "stuck", owner: null, dueAt: null });
    if (column !== "status" && column !== "admission") expect(await text()).toEqual(before);
  });

  test.each(damages)(
    "with %s, at rest, hides nobody else from lists, counts, bulk acts and checks",
    async (_, column, value) => {
      const rig = await waiting(start, 3);
      const { launcher, clock } = rig;
      await damage(rig, "e1", column, value);
      const isState = column === "state";
      const { executions, damaged } = await launcher.list({ tags: ["all"] });
      expect(executions.map(({ id }) => id)).toEqual(isState ? ["e2", "e1", "e0"] : ["e2", "e0"]);
      expect(damaged.map(({ id }) => id)).toEqual(isState ? [] : ["e1"]);
      expect(await launcher.select({ tags: ["all"] }).count()).toEqual({ count: 3, more: false });
      const groups = await launcher.compatibility();
      expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(column === "status" ? 2 : 3);
      const reader = launcher.execution("e1");
      const reads = isState ? [reader.state()] : [reader.summary()];
      for (const read of reads) expect(await errorOf(read)).toMatchObject(undecodable("e1"));
      const rolledBack = launcher.select({ tags: ["all"] }).rollback("recalled");
      await clock.advance("3s");
      const answer = await rolledBack;
      expect(answer).toMatchObject({ matched: 3 });
      for (const id of ["e0", "e2"])
        expect(await launcher.execution(id).outcome()).toMatchObject({ status: "rolledBack" });
      if (isState || column === "tags" || column === "admission") return;
      expect(answer.refused).toMatchObject([{ id: "e1", code: "STEPWELL_NOT_DECODABLE" }]);
    },
  );

  test.each([
    ["changes", "{"],
    ["changes", '~[{"a":0}]'],
    ["changes", "null"],
    ["changes", "[]"],
    ["state", "null"],
    ["state", "[]"],
    ["state", "{"],
  ])("with a large state, of which the %s are %s, is parked alone, and loses no field", async (column, value) => {
    const large = workflow("large", { input: z.object({ text: z.string() }) })
      .step("first", { run: () => ({ first: 1 }) })
      .step("wait", { messages: { go: z.null() }, run: () => pause({ paused: 1 }), onMessage: () => ({ went: 1 }) });
    const { launcher, clock, errors, sql } = await start([large]);
    for (const id of ["e0", "e1", "e2"]) await launcher.launch(large, { text: "x".repeat(5000) }, { id });
    await clock.settle();
    const rows = (await sql("SELECT changes FROM stepwell_executions")) as { readonly changes: unknown }[];
    expect(rows.filter(({ changes }) => changes === null)).toEqual([]);
    await sql(`UPDATE stepwell_executions SET ${column} = '${value}' WHERE id = 'e1'`);
    await sql("UPDATE stepwell_executions SET due_at = 0");
    for (const id of ["e0", "e1", "e2"]) await launcher.send(id, "go", null);
    await clock.advance("5s");
    expect(errors.map(({ execution }) => execution)).toEqual(["e1"]);
    expect(await errorOf(launcher.execution("e1").state())).toMatchObject(undecodable("e1"));
    expect((await launcher.execution("e1").summary()).status).toBe("stuck");
    for (const id of ["e0", "e2"])
      expect(await launcher.execution(id).outcome()).toMatchObject({
        status: "completed",
        state: { first: 1, went: 1 },
      });
  });

  test("that says of which list it is a line, and can't be read, is parked alone", async () => {
    const rig = await waiting(start, 3);
    const { launcher, clock, errors, store, sql } = rig;
    await damage(rig, "e1", "line", '["p/step",0]');
    await sql("UPDATE stepwell_executions SET due_at = 0");
    for (const id of ["e0", "e2"]) await launcher.send(id, "go", null);
    await clock.advance("3s");
    expect(await launcher.select({ status: "completed" }).count()).toEqual({ count: 2, more: false });
    expect(errors).toMatchObject([undecodable("e1")]);
    const [standing] = await store.load(["e1"], "standing");
    expect(standing).toMatchObject({ status: "stuck", owner: null, dueAt: null });
  });

  test("of a child tells its parent's list that the child is stuck, and goes on once it is mended", async () => {
    const flow = booking();
    const parent = workflow("parent", { input }).child("booked", flow, { input: () => ({}) });
    const rig = await start([flow, parent]);
    const { launcher, clock, errors, store, sql } = rig;
    await launcher.launch(parent, {}, { id: "p" });
    await clock.advance("5s");
    const lists = await store.lists!.of("p");
    const line = async () => store.lists!.lines(lists[0]!.id, 0, 1);
    const child = (await line())[0]!.execution;
    const kept = (await sql(`SELECT position FROM stepwell_executions WHERE id = '${child}'`)) as {
      readonly position: string;
    }[];
    await damage(rig, child, "position", "null");
    await launcher.send(child, "go", null);
    await clock.advance("5s");
    expect(errors).toMatchObject([undecodable(child)]);
    expect(await line()).toMatchObject([{ phase: "stuck" }]);
    expect(tallyOf((await store.lists!.of("p"))[0]!)).toMatchObject({ begun: 0, stuck: 1 });
    await sql(`UPDATE stepwell_executions SET position = '${kept[0]!.position}' WHERE id = '${child}'`);
    await launcher.retry(child);
    await clock.advance("5s");
    expect(await line()).toMatchObject([{ phase: "completed" }]);
    expect(await launcher.execution("p").outcome()).toMatchObject({ status: "completed" });
  });

  test("goes on once it is mended and retried, and one that is not is parked again", async () => {
    const rig = await waiting(start, 1);
    const { launcher, clock, errors, sql } = rig;
    const kept = (await sql("SELECT position FROM stepwell_executions")) as { readonly position: string }[];
    await damage(rig, "e0", "position", "null");
    await launcher.send("e0", "go", null);
    await clock.advance("2s");
    expect(await errorOf(launcher.execution("e0").outcome())).toMatchObject(undecodable("e0"));
    await launcher.retry("e0");
    await clock.advance("2s");
    expect(errors).toMatchObject([undecodable("e0"), undecodable("e0")]);
    await sql(`UPDATE stepwell_executions SET position = '${kept[0]!.position}'`);
    await launcher.retry("e0", { by: "ada" });
    await clock.advance("2s");
    expect(await launcher.execution("e0").outcome()).toMatchObject({ status: "completed", state: { booked: true } });
    expect(errors).toHaveLength(2);
  });

  test("can be pruned, and its state be read from its history", async () => {
    const rig = await waiting(start, 2);
    const { launcher, clock, sql } = rig;
    await launcher.send("e0", "go", null);
    await clock.settle();
    await damage(rig, "e0", "state", "null");
    expect(await errorOf(launcher.execution("e0").outcome())).toMatchObject(undecodable("e0"));
    expect(await launcher.execution("e0").stateAt(3)).toMatchObject({ booked: true });
    await damage(rig, "e1", "position", "null");
    await sql("UPDATE stepwell_executions SET due_at = 0 WHERE id = 'e1'");
    await clock.advance("1h");
    expect(await launcher.prune({ stuck: "30m" })).toMatchObject({ stuck: 1 });
    expect((await launcher.list()).damaged).toEqual([]);
  });

  test.each(['["a', "null", "5", '[5,"all"]'])(
    "whose tags are %s is pruned as the others are, with what is left of its tags",
    async (tags) => {
      const rig = await waiting(start, 3);
      const { launcher, clock, sql, ids } = rig;
      for (const id of ids) await launcher.send(id, "go", null);
      await clock.advance("1s");
      await damage(rig, "e1", "tags", tags);
      await clock.advance("1h");
      expect(await launcher.prune({ completed: "30m" })).toMatchObject({ completed: 3 });
      expect(await sql("SELECT tag FROM stepwell_tags")).toEqual([]);
      expect(await sql("SELECT id FROM stepwell_executions")).toEqual([]);
    },
  );

  test("that holds a place of a limit gives it back", async () => {
    const limited = workflow("limited", { input, concurrency: 1 }).step("wait", {
      messages: { go: z.null() },
      run: () => pause(),
      onMessage: () => undefined,
    });
    const rig = await start([limited]);
    const { launcher, clock, sql } = rig;
    await launcher.launch(limited, {}, { id: "first" });
    await clock.settle();
    await launcher.launch(limited, {}, { id: "second" });
    await clock.settle();
    await damage(rig, "first", "position", "null");
    await sql("UPDATE stepwell_executions SET due_at = 0 WHERE id = 'first'");
    await clock.advance("2s");
    await launcher.send("second", "go", null);
    await clock.advance("2s");
    expect(await launcher.execution("second").outcome()).toMatchObject({ status: "completed" });
  });

  test("of a history is the coded error of its execution, which is parked where it would have to know it", async () => {
    const undone: string[] = [];
    const rig = await waiting(start, 2, undone);
    const { launcher, clock, errors, sql } = rig;
    await sql(
      "UPDATE stepwell_history SET entry = '{' WHERE execution = (SELECT sequence FROM stepwell_executions WHERE id = 'e1')",
    );
    expect(await errorOf(launcher.execution("e1").history())).toMatchObject(undecodable("e1"));
    expect(await errorOf(launcher.execution("e1").stateAt(1))).toMatchObject(undecodable("e1"));
    const answers = ["e0", "e1"].map(async (id) => launcher.rollback(id, "recalled"));
    await clock.advance("5s");
    expect((await Promise.all(answers)).map(({ accepted }) => accepted)).toEqual([true, true]);
    expect(await launcher.execution("e0").outcome()).toMatchObject({ status: "rolledBack" });
    expect(await launcher.execution("e1").outcome()).toMatchObject({
      status: "stuck",
      direction: "down",
      error: { code: "STEPWELL_NOT_DECODABLE" },
    });
    expect(undone).toEqual(["e0"]);
    expect(errors.map(({ execution }) => execution)).toContain("e1");
  });

  test("of a mailbox is a dead letter where it is a message, and parks its execution where it is a request", async () => {
    const rig = await waiting(start, 4);
    const { launcher, clock, errors, sql } = rig;
    const at = (id: string): string => `execution = (SELECT sequence FROM stepwell_executions WHERE id = '${id}')`;
    // Nobody looks until the rows are as they are to be.
    await sql("UPDATE stepwell_executions SET owner = 4711, due_at = NULL");
    await launcher.send("e0", "go", null);
    await launcher.send("e2", "go", null);
    await launcher.send("e3", "go", null);
    await launcher.send("e3", "go", null);
    await launcher.rollback("e1", "recalled");
    await sql(`UPDATE stepwell_mailbox SET payload = '{' WHERE ${at("e0")} OR ${at("e1")}`);
    await sql("UPDATE stepwell_executions SET owner = NULL, due_at = 0");
    await clock.advance("3s");
    expect(await launcher.execution("e2").outcome()).toMatchObject({ status: "completed" });
    expect((await launcher.execution("e0").summary()).status).toBe("waiting");
    expect(await launcher.execution("e1").outcome()).toMatchObject({
      status: "stuck",
      direction: "up",
      error: { code: "STEPWELL_NOT_DECODABLE" },
    });
    expect(errors.map(({ execution }) => execution)).toEqual(expect.arrayContaining(["e0", "e1"]));
    expect(await launcher.countDeadLetters()).toEqual({ count: 2, more: false });
    const { letters, damaged } = await launcher.deadLetters();
    expect([letters, damaged]).toMatchObject([[{ execution: "e3" }], [{ id: "e0", workflow: "booking" }]]);
    expect(await errorOf(launcher.execution("e0").mailbox())).toMatchObject(undecodable("e0"));
    await launcher.send("e0", "go", null);
    await clock.advance("3s");
    expect(await launcher.execution("e0").outcome()).toMatchObject({ status: "completed" });
    await launcher.retry("e1");
    await launcher.send("e1", "go", null);
    await clock.advance("3s");
    expect(await launcher.execution("e1").outcome()).toMatchObject({ status: "completed" });
  });

  test("of a publication is a dead letter of those who are subscribed", async () => {
    const listening = workflow("listening", { input }).step("listen", {
      messages: { news: z.string() },
      run: async ({ subscribe }) => {
        await subscribe("topic");
        return pause();
      },
      onMessage: ({ message }) => ({ heard: message.payload }),
    });
    const { launcher, clock, sql } = await start([listening]);
    await launcher.publish("topic", "news", "old");
    await sql("UPDATE stepwell_publications SET payload = '{'");
    const execution = await launcher.launch(listening, {});
    await clock.settle();
    expect((await execution.summary()).status).toBe("waiting");
    await launcher.publish("topic", "news", "new");
    await clock.advance("1s");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { heard: "new" } });
  });

  test("of a schedule keeps no other schedule from launching, and is replaced where it is set again", async () => {
    const flow = workflow("planned", { input }).step("fails", { run: () => fail("no") });
    const { launcher, clock, errors, sql } = await start([flow]);
    for (const name of ["a", "b", "c"]) await launcher.schedules.set(name, flow, {}, { every: "1m" });
    await sql("UPDATE stepwell_schedules SET plan = 'null' WHERE name = 'b'");
    await clock.advance("2m");
    const launched = (await launcher.list({ workflow: "planned" })).executions.map(({ id }) => id.split("@")[0]);
    expect(launched.toSorted((one, other) => (one! < other! ? -1 : 1))).toEqual(["a", "a", "c", "c"]);
    expect(errors.map(({ code }) => code)).toContain("STEPWELL_SCHEDULE_FAILED");
    expect((await launcher.schedules.list()).map(({ name }) => name)).toEqual(["a", "c"]);
    expect(errors.at(-1)).toMatchObject({ code: "STEPWELL_NOT_DECODABLE" });
    expect(errors.at(-1)!.message).toContain('schedule "b"');
    expect(await errorOf(launcher.schedules.get("b"))).toMatchObject({ code: "STEPWELL_NOT_DECODABLE" });
    await launcher.schedules.set("b", flow, {}, { every: "1m" });
    await clock.advance("1m");
    expect((await launcher.list({ tags: ["schedule:b"] })).executions).toHaveLength(1);
    await sql("UPDATE stepwell_schedules SET plan = '{' WHERE name = 'c'");
    await launcher.schedules.delete("c");
    expect((await launcher.schedules.list()).map(({ name }) => name)).toEqual(["a", "b"]);
  });
});
