import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { freshSchema, postgresUrl } from "../../test/support/postgres.js";
import { Launcher, pause, workflow } from "../index.js";
import { showDeadLetters, type ShowLettersOptions } from "./dead-letters.js";
import { main } from "./program.js";
import type { Screen } from "./screen.js";
import { storeOn } from "./store.js";

const order = workflow("order", { input: z.object({}) }).step("pay", {
  messages: { paid: z.any(), done: z.null() },
  run: () => pause(),
  onMessage: ({ message }) => (message.name === "done" ? undefined : pause()),
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "stepwell-letters-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function fill(place: string, schema?: string): Promise<void> {
  await using launcher = new Launcher({ store: await storeOn(place, schema), workflows: [order] });
  await launcher.start();
  for (const id of ["one", "two"]) {
    const execution = await launcher.launch(order, {}, { id });
    await execution.send("done", null);
    await execution.outcome();
  }
  await launcher.stop();
}

/** As if a message had come while the last step ended. */
async function late(place: string, schema: string | undefined, execution: string, messageId: string): Promise<void> {
  const late = workflow("late", { input: z.object({}) })
    .step("1", { messages: { go: z.null() }, run: () => pause(), onMessage: () => undefined })
    .step("2", { messages: { paid: z.any() }, run: () => undefined, onMessage: () => undefined });
  await using launcher = new Launcher({ store: await storeOn(place, schema), workflows: [late] });
  await launcher.start();
  const it = await launcher.launch(late, {}, { id: execution });
  await it.send("paid", { at: new Date(0), cents: 5n, by: new Set(["ada"]) }, { messageId });
  await it.send("go", null);
  await it.outcome();
}

async function shown(store: string, options: Omit<ShowLettersOptions, "store"> = {}): Promise<string[]> {
  const lines: string[] = [];
  const screen: Screen = {
    begin: async () => undefined,
    end: () => undefined,
    note: (text) => lines.push(`note: ${text}`),
    result: (text) => lines.push(text),
  };
  await showDeadLetters({ store, ...options }, screen);
  return lines;
}

test.each(["sqlite", "postgres"])("lists and counts what no step took, on %s", async (kind) => {
  const [place, schema] =
    kind === "sqlite" ? [join(await folder(), "orders.db"), undefined] : [postgresUrl(), freshSchema()];
  const where = schema === undefined ? {} : { schema };
  await fill(place, schema);
  expect(await shown(place, where)).toEqual(["No dead letters."]);
  await late(place, schema, "a", "evt-1");
  await late(place, schema, "b", "e\u001b[31m\u202evt");
  expect(await shown(place, { ...where, count: true })).toEqual(["2"]);
  expect(await shown(place, { ...where, count: true, json: true, execution: "a" })).toEqual([
    '{"deadLetters":1,"more":false}',
  ]);
  const [line] = await shown(place, { ...where, json: true, execution: "a" });
  expect(JSON.parse(line!)).toMatchObject({
    execution: "a",
    workflow: "late",
    id: "evt-1",
    name: "paid",
    payload: { at: "1970-01-01T00:00:00.000Z", cents: "5", by: ["ada"] },
  });
  const [table, note] = await shown(place, { ...where, workflow: "late", name: "paid", limit: 1 });
  expect(table).toMatch(/received.*workflow.*execution.*id.*name.*step/);
  expect(table).toMatch(/late.*b.*e \[31m vt.*paid/);
  expect(note).toMatch(/^note: There are more than 1\./);
});

test("shows more than a store gives at once", async () => {
  const place = join(await folder(), "orders.db");
  const [many, limit] = [1002, 1001];
  await using launcher = new Launcher({ store: await storeOn(place, undefined), workflows: [order] });
  await launcher.start();
  const execution = await launcher.launch(order, {}, { id: "full", delay: "1d" });
  for (let i = 0; i < many; i++) await execution.send("paid", i);
  await execution.rollback("never-mind");
  await execution.outcome();
  const lines = await shown(place, { json: true, limit });
  expect(lines.at(-1)).toBe("note: There are more than 1001. Show more of them with --limit.");
  const payloads = lines.slice(0, -1).map((line) => (JSON.parse(line) as { readonly payload: number }).payload);
  expect(payloads).toEqual(Array.from({ length: limit }, (_, index) => many - 1 - index));
  expect(await shown(place, { json: true, limit: many })).toHaveLength(many);
});

test("makes no file, and refuses what can't be meant", async () => {
  const place = join(await folder(), "none.db");
  await expect(shown(place)).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
  expect(await main(["dead-letters", "--store", place])).toBe(2);
  expect(existsSync(place)).toBe(false);
  expect(await main(["dead-letters", "--store", place, "--limit", "0"])).toBe(2);
  expect(await main(["dead-letters"])).toBe(2);
  await fill(place);
  expect(await main(["dead-letters", "--store", place, "--count"])).toBe(0);
  for (const bad of ["--name", "--workflow", "--execution"]) {
    expect(await main(["dead-letters", "--store", place, "--count", bad, ""])).toBe(2);
  }
});
