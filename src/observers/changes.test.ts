import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, pause, workflow, type Observer, type StepwellError } from "../index.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { changes, jsonlFile, type ChangeRecord } from "./changes.js";

const input = z.object({ card: z.object({ number: z.string(), owner: z.string() }) });
const card = { number: "4711-secret", owner: "Ada" };

/** Runs one execution that goes up, waits, fails and is rolled back. Gives back what was reported. */
async function ordered(watcher: Observer, id = "order-1"): Promise<StepwellError[]> {
  const order = workflow("order", { input, version: "3" })
    .step("reserve", {
      run: () => ({ reservation: "r-1", at: new Date(0) }),
      rollback: () => ({ reservation: undefined }),
    })
    .step("charge", {
      messages: { paid: z.string() },
      run: ({ state }) => pause({ card: { ...state.card, number: "4712-secret" } }),
      onMessage: ({ message }) => ({ paid: message.payload }),
    })
    .step("ship", { run: () => fail("sold-out") })
    .observe(watcher);
  const clock = new VirtualClock();
  const errors: StepwellError[] = [];
  const launcher = new Launcher({
    store: memoryStore({ clock }),
    workflows: [order],
    onError: (error) => errors.push(error),
  });
  await launcher.start();
  const execution = await launcher.launch(order, { card }, { id });
  await execution.send("paid", "yes", { messageId: "m-1" });
  expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "sold-out" });
  await launcher.stop();
  return errors;
}

const at = "2026-01-01T12:00:00.000Z";
const every = { execution: "order-1", workflow: "order", version: "3", at, attempt: 1 };

describe("changes", () => {
  test("hands over one record for each committed transition, in order: who, when, and what changed", async () => {
    const records: ChangeRecord[] = [];
    expect(await ordered(changes((record) => records.push(record)))).toEqual([]);
    const up = { ...every, direction: "up", func: "run" };
    const down = { ...every, direction: "down", func: "rollback" };
    expect(records).toEqual([
      {
        ...up,
        ...{ revision: 1, step: "reserve", result: "ok" },
        changes: [
          { op: "add", path: "/at", value: "1970-01-01T00:00:00.000Z" },
          { op: "add", path: "/reservation", value: "r-1" },
        ],
      },
      {
        ...up,
        ...{ revision: 2, step: "charge", result: "continue" },
        changes: [{ op: "replace", path: "/card/number", value: "4712-secret" }],
      },
      {
        ...up,
        ...{ revision: 3, step: "charge", func: "runContinue", result: "ok", message: { id: "m-1", name: "paid" } },
        changes: [{ op: "add", path: "/paid", value: "yes" }],
      },
      { ...up, revision: 4, step: "ship", result: "sold-out", changes: [] },
      { ...down, revision: 5, step: "ship", result: "ok", changes: [] },
      { ...down, revision: 6, step: "charge", result: "ok", changes: [] },
      { ...down, revision: 7, step: "reserve", result: "ok", changes: [{ op: "remove", path: "/reservation" }] },
    ]);
    expect(JSON.parse(JSON.stringify(records))).toEqual(records);
  });

  test("says of a child whose it is, and which execution is at the top", async () => {
    const records: ChangeRecord[] = [];
    const watcher = changes((record) => void records.push(record));
    const none = z.object({});
    const grandchild = workflow("grandchild", { input: none })
      .step("work", { run: () => ({ done: true }) })
      .observe(watcher);
    const child = workflow("child", { input: none })
      .child("below", grandchild, { input: () => ({}) })
      .observe(watcher);
    const top = workflow("top", { input: none })
      .child("one", child, { input: () => ({}), join: ({ children }) => ({ joined: children.length }) })
      .observe(watcher);
    await using launcher = new Launcher({ store: memoryStore(), workflows: [top] });
    await launcher.start();
    await (await launcher.launch(top, {}, { id: "t" })).outcome();
    const kin = records.map(({ execution, parent, root, func }) => [execution, parent, root, func].join(" "));
    expect(kin).toEqual([
      "t   run",
      "t/one/0 t t run",
      "t/one/0/below/0 t/one/0 t run",
      "t/one/0 t t runContinue",
      "t   runContinue",
    ]);
    expect(records[0]).not.toHaveProperty("root");
    expect(records.at(-1)!.changes).toEqual([{ op: "add", path: "/joined", value: 1 }]);
  });

  test("says what an operator did, and who it was", async () => {
    const records: ChangeRecord[] = [];
    const stuck = workflow("stuck", { input: z.object({}) })
      .step("1", { run: () => fail("no"), rollback: () => fail("can't") })
      .observe(changes((record) => records.push(record)));
    await using launcher = new Launcher({ store: memoryStore(), workflows: [stuck], onError: () => undefined });
    await launcher.start();
    const execution = await launcher.launch(stuck, {});
    await execution.outcome();
    await execution.skip("by hand", { by: "ada", patch: { refund: "manual" } });
    await execution.outcome();
    expect(records.at(-1)).toMatchObject({
      ...{ revision: 3, result: "skipped", by: "ada", direction: "down" },
      changes: [{ op: "add", path: "/refund", value: "manual" }],
    });
  });

  test("never shows what is redacted, but that it changed", async () => {
    const records: ChangeRecord[] = [];
    await ordered(changes((record) => records.push(record), { redact: ["card.number", "reservation"] }));
    expect(records.flatMap((record) => record.changes)).toEqual([
      { op: "add", path: "/at", value: "1970-01-01T00:00:00.000Z" },
      { op: "add", path: "/reservation", value: "[REDACTED]" },
      { op: "replace", path: "/card/number", value: "[REDACTED]" },
      { op: "add", path: "/paid", value: "yes" },
      { op: "remove", path: "/reservation" },
    ]);
    expect(JSON.stringify(records)).not.toMatch(/secret|"r-1"/);
  });

  test("a sink that throws, or gives back a promise, is reported and disturbs nothing", async () => {
    const thrower = changes(() => {
      throw new Error("sink");
    });
    expect(await ordered(thrower)).toMatchObject([
      { code: "STEPWELL_OBSERVER_FAILED", message: expect.stringContaining("sink") as string },
    ]);
    expect(await ordered(changes((() => Promise.resolve()) as never))).toMatchObject([
      { code: "STEPWELL_OBSERVER_FAILED", message: expect.stringContaining("promise") as string },
    ]);
  });

  test("refuses what is no sink, and options that it does not have", () => {
    const invalid = expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }) as Error;
    for (const sink of [undefined, "changes.jsonl", {}]) expect(() => changes(sink as never)).toThrow(invalid);
    expect(() => changes(() => undefined, { redact: "card" as never })).toThrow(invalid);
    expect(() => changes(() => undefined, { redacted: [] } as never)).toThrow(
      expect.objectContaining({ code: "STEPWELL_UNKNOWN_OPTION" }),
    );
  });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "stepwell-changes-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const linesOf = (file: string): ChangeRecord[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ChangeRecord);

const record: ChangeRecord = {
  ...every,
  ...{ revision: 1, step: "reserve", direction: "up", func: "run", result: "ok", changes: [] },
};

describe("jsonlFile", () => {
  test("appends one line for each record, over restarts, and the file is for its owner only", async () => {
    const file = join(folder(), "changes.jsonl");
    for (const id of ["order-1", "order-2"]) expect(await ordered(changes(jsonlFile(file)), id)).toEqual([]);
    expect(linesOf(file).map(({ execution, revision }) => `${execution} ${revision}`)).toEqual(
      ["order-1", "order-2"].flatMap((id) => [1, 2, 3, 4, 5, 6, 7].map((revision) => `${id} ${revision}`)),
    );
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test.skipIf(process.platform === "win32")("leaves the mode of a file that is there", () => {
    const file = join(folder(), "changes.jsonl");
    writeFileSync(file, "");
    chmodSync(file, 0o640);
    jsonlFile(file)(record);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test("writes one line of printable text, whatever is in a record, and it reads back the same", () => {
    const file = join(folder(), "changes.jsonl");
    const odd = "a\nb\r\u0000\u001b[2J\u009b31m\u2028\u2029\u202e\u200f\u2066\ud800\"'\\😀é";
    const given: ChangeRecord = {
      ...record,
      ...{ execution: odd, step: odd, result: odd },
      changes: [{ op: "add", path: `/${odd}`, value: { [odd]: odd } }],
    };
    const write = jsonlFile(file);
    write(given);
    write(record);
    const text = readFileSync(file, "utf8");
    expect(text).toMatch(/^[\u0020-\u007e😀é]+\n[\u0020-\u007e]+\n$/u);
    expect(linesOf(file)).toEqual([given, record]);
  });

  test("begins a line of its own after one that was cut off", () => {
    const file = join(folder(), "changes.jsonl");
    writeFileSync(file, '{"execution":"ord');
    jsonlFile(file)(record);
    expect(readFileSync(file, "utf8").split("\n")).toEqual(['{"execution":"ord', JSON.stringify(record), ""]);
  });

  test("reports a line that it can't write, says which, disturbs nothing, and goes on when it can", async () => {
    const place = join(folder(), "logs");
    mkdirSync(place);
    const file = join(place, "changes.jsonl");
    const sink = jsonlFile(file);
    rmSync(place, { recursive: true });
    const errors = await ordered(changes(sink));
    expect(errors.map(({ code }) => code)).toEqual(["STEPWELL_OBSERVER_FAILED"]);
    expect(errors[0]!.message).toContain(`Revision 1 of execution "order-1" is missing in ${file}: ENOENT`);
    mkdirSync(place);
    sink(record);
    expect(linesOf(file)).toEqual([record]);
  });

  test("follows a file that is rotated by renaming it", () => {
    const place = folder();
    const file = join(place, "changes.jsonl");
    const sink = jsonlFile(file);
    sink(record);
    rmSync(file);
    sink(record);
    expect(linesOf(file)).toEqual([record]);
  });

  test("refuses at once what can't be appended to", () => {
    const invalid = expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT" }) as Error;
    const place = folder();
    for (const path of [join(place, "missing", "changes.jsonl"), place, "", 5, undefined]) {
      expect(() => jsonlFile(path as string)).toThrow(invalid);
    }
  });
});
