import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { Launcher, type AnyWorkflow } from "../index.js";
import { sqliteStore } from "../stores/sqlite/index.js";
import { check, type CheckOptions } from "./check.js";
import type { Screen } from "./screen.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);
const moduleOf = (file: string): string => JSON.stringify(pathToFileURL(file).href);
const prelude = `
  import { pause, workflow } from ${moduleOf(join(root, "src", "index.ts"))};
  import { z } from ${moduleOf(require.resolve("zod"))};
  const input = z.object({});
`;

const sound = `const sound = workflow("sound", { input }).step("one", { run: () => ({}), rollback: () => undefined });`;
const open = `
  const open = (version) => workflow("open", { input, version })
    .step("ask", { run: () => pause({}), messages: { answer: input }, onMessage: () => ({}), irreversible: "Asked is asked." })
    .step("pay", { run: () => ({}), rollback: () => undefined, rollbackRetry: { attempts: 1 } })
    .step("te\\u200e\\u202ell", { run: () => ({}) });
`;

async function written(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-check-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "module.mjs");
  await writeFile(path, prelude + text);
  return path;
}

async function checked(text: string, options: CheckOptions = {}): Promise<{ code: number; output: string }> {
  let output = "";
  const screen: Screen = {
    begin: async () => undefined,
    end: () => undefined,
    note: () => undefined,
    result: (it) => (output += it),
  };
  return { code: await check(await written(text), options, screen), output };
}

it("says that nothing was found, with 0", async () => {
  expect(await checked(`${sound} export { sound };`)).toEqual({ code: 0, output: "Nothing was found in 1 workflow." });
});

it("lists what was found as a table, with 1", async () => {
  const { code, output } = await checked(`${open} export const one = open("3");`);
  expect(code).toBe(1);
  expect(output).toMatch(/open +│ 3 +│ ask +│ wait-without-timeout: /);
  expect(output).toMatch(/open +│ 3 +│ pay +│ rollback-without-retries: /);
  expect(output).toMatch(/open +│ 3 +│ te\S? ll +│ no-undo: /);
  expect(output).not.toContain("\u202e");
});

it("finds workflows in lists and objects, each once, and leaves other things alone", async () => {
  const { code, output } = await checked(
    `${sound} ${open}
    const first = open("1");
    export { first };
    export const list = [first, sound, null, 3];
    export const byName = { sound, second: open("2"), deeper: { third: open("3") }, get trap() { throw new Error("touched"); } };
    export default new Map([["x", open("4")]]);`,
    { json: true },
  );
  expect(code).toBe(1);
  const { checked: all, findings } = JSON.parse(output);
  expect(all).toEqual(
    expect.arrayContaining([
      { workflow: "open", version: "1" },
      { workflow: "open", version: "2" },
      { workflow: "sound", version: "1" },
    ]),
  );
  expect(all).toHaveLength(3);
  expect(findings).toHaveLength(6);
  expect(findings[0]).toMatchObject({ workflow: "open", step: "ask", kind: "wait-without-timeout" });
  expect(output).not.toContain("\n");
});

it("finds the gaps of children under their own names, each once", async () => {
  const { code, output } = await checked(
    `${sound} ${open}
    const child = open("1");
    export { child };
    export const parent = workflow("parent", { input })
      .parallel("both", { child, sound }, { input: () => ({ child: {}, sound: {} }) })
      .child("again", child, { input: () => ({}) });`,
    { json: true },
  );
  expect(code).toBe(1);
  const { findings } = JSON.parse(output) as { findings: { workflow: string; step: string }[] };
  expect(findings.map(({ workflow, step }) => `${workflow} ${step}`)).toEqual([
    "open ask",
    "open pay",
    "open te\u200e\u202ell",
  ]);
});

it.each([
  ["no workflow", `export const x = 3;`, "exports no workflow"],
  ["one that throws", `throw new Error("no database");`, "could not be loaded: no database"],
  ["one without steps", `export const all = [workflow("x", { input })];`, `can't run: Workflow "x" has no steps`],
])("refuses a module with %s", async (_what, text, message) => {
  await expect(checked(text)).rejects.toMatchObject({
    code: "STEPWELL_INVALID_MODULE",
    message: expect.stringContaining(message),
  });
});

it("is a command with exit codes", async () => {
  const run = (path: string): Promise<{ code: number | string | null; errors: string }> =>
    new Promise((resolve) => {
      const loader = pathToFileURL(require.resolve("tsx")).href;
      const main = join(root, "src", "cli", "main.ts");
      execFile(process.execPath, ["--import", loader, main, "check", path], (error, _output, errors) =>
        resolve({ code: error?.code ?? 0, errors }),
      );
    });
  expect(await run(await written(`${open} export const one = open("1");`))).toEqual({ code: 1, errors: "" });
  expect(await run("no/such/module.js")).toEqual({
    code: 2,
    errors: expect.stringMatching(/^error STEPWELL_INVALID_MODULE: /),
  });
});

it("says what the workflows would do to the executions of a store, with 1 where one could not go on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-check-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const store = join(folder, "orders.db");
  const waiting = (steps: string): string => `
    const order = workflow("order", { input })${steps}
      .step("ask", { run: () => pause(), messages: { answer: input }, onMessage: () => ({}), rollback: () => undefined });
    export { order };`;
  const before = (await import(pathToFileURL(await written(waiting(""))).href)) as { order: AnyWorkflow };
  const launcher = new Launcher({ store: sqliteStore(store), workflows: [before.order] });
  await launcher.start();
  await launcher.launch(before.order, {}, { id: "order-1" });
  await launcher.stop();

  const same = await checked(waiting(""), { store, json: true });
  expect(same.code).toBe(0);
  expect(JSON.parse(same.output)).toMatchObject({ executions: [{ forward: "goes-on", back: "goes-on", count: 1 }] });
  const changed = await checked(waiting(`.step("look", { run: () => ({}) })`), { store });
  expect(changed.code).toBe(1);
  expect(changed.output).toContain('step 1 was "ask" and is "look" now');
  const newer = (migration: string): string => `
    const order = workflow("order", { input, version: "2" })
      .step("answered", { run: () => pause(), messages: { answer: input }, onMessage: () => ({}), rollback: () => undefined })
      .migrate("1", ${migration});
    export { order };`;
  const moved = await checked(newer(`{ steps: { ask: "answered" } }`), { store });
  expect(moved.code).toBe(0);
  expect(moved.output).toMatch(
    /order +│ 1 +│ waiting +│ ask +│ 1 +│ migrates +│ migrates +│ to version 2, at answered/,
  );
  const unmoved = await checked(newer("{}"), { store });
  expect(unmoved.code).toBe(1);
  expect(unmoved.output).toContain('step "ask", where it stands, is not there any more');
  await expect(checked(waiting(""), { store: join(folder, "none.db") })).rejects.toMatchObject({
    code: "STEPWELL_INVALID_ARGUMENT",
  });
});
