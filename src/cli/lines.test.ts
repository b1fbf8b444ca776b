import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { workflow } from "../index.js";
import { checkLines, linesOf, type InputLine } from "./lines.js";

const buy = workflow("buy", { input: z.object({ cents: z.number() }) }).step("pay", { run: () => ({}) });

let file: string;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-lines-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  file = join(folder, "orders.jsonl");
});

async function lines(text: string | Buffer, idField?: string): Promise<InputLine[]> {
  await writeFile(file, text);
  const found: InputLine[] = [];
  for await (const line of linesOf(file, idField)) found.push(line);
  return found;
}

async function check(text: string | Buffer, idField?: string): Promise<number> {
  await writeFile(file, text);
  return checkLines(buy, file, idField);
}

const refusal = (message: string): object =>
  expect.objectContaining({ code: "STEPWELL_INVALID_LINE", message: expect.stringContaining(message) });

describe("linesOf", () => {
  it("numbers lines as an editor does, skips blank ones, and takes either line break", async () => {
    expect(await lines(`\ufeff{"cents":1}\n  \n{"cents":2}\r\n{"cents":3}`)).toEqual([
      { number: 1, id: "orders.jsonl:1", input: { cents: 1 } },
      { number: 3, id: "orders.jsonl:3", input: { cents: 2 } },
      { number: 4, id: "orders.jsonl:4", input: { cents: 3 } },
    ]);
  });

  it("reads any character, also where a chunk of the file ends in it or it looks like a line break", async () => {
    const text = "\u20ac\u2028".repeat(50_000);
    const [first, second] = await lines(`{"text":"${text}"}\n{"text":"x${text}"}`);
    expect(first!.input).toEqual({ text });
    expect(second!.input).toEqual({ text: `x${text}` });
  });

  it("takes the id from a field, be it a text or a whole number", async () => {
    const found = await lines(`{"number":"A-1"}\n{"number":17}`, "number");
    expect(found.map(({ id }) => id)).toEqual(["A-1", "17"]);
  });

  it.each([
    ["a field that is missing", `{}`],
    ["an empty text", `{"toString":""}`],
    ["half a number", `{"toString":0.5}`],
  ])("refuses %s as an id", async (_what, text) => {
    await expect(lines(text, "toString")).rejects.toEqual(refusal(`line 1 has no usable id: its field "toString"`));
  });
});

describe("checkLines", () => {
  it("counts the lines, be they many", async () => {
    expect(await check(`{"cents":1}\n`.repeat(2_500))).toBe(2_500);
    expect(await check("")).toBe(0);
  });

  it.each([
    ["a list", `[1]`, "line 2 must be a JSON object"],
    ["null", `null`, "line 2 must be a JSON object"],
    ["no JSON", `{cents:1}`, "line 2 is not JSON"],
    ["what the schema refuses", `{"cents":"1"}`, "line 2 can't be launched: The input of workflow"],
    ["another encoding", Buffer.from(`{"cents":1,"name":"J\u00f6rg"}`, "latin1"), "line 2 is not UTF-8"],
    ["too much", `{"cents":1,"text":"${"x".repeat(2 ** 20)}"}`, "line 2 can't be launched"],
  ])("refuses %s", async (_what, text, message) => {
    await expect(check(Buffer.concat([Buffer.from(`{"cents":1}\n`), Buffer.from(text)]))).rejects.toEqual(
      refusal(message),
    );
  });

  it("refuses an id that two lines have, and one that no execution can have", async () => {
    const same = `{"cents":1,"number":1}\n{"cents":2,"number":2}\n{"cents":3,"number":"1"}`;
    await expect(check(same, "number")).rejects.toEqual(refusal(`line 3 has the id "1", as line 1 has`));
    const long = `{"cents":1,"number":"${"x".repeat(300)}"}`;
    await expect(check(long, "number")).rejects.toEqual(refusal(`line 1 can't be launched: The id of an execution`));
  });
});
