import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { loadWorkflow, type LoadedWorkflow } from "./load-workflow.js";

const require = createRequire(import.meta.url);
const prelude = `
  import { workflow } from ${JSON.stringify(new URL("../index.ts", import.meta.url).href)};
  import { z } from ${JSON.stringify(pathToFileURL(require.resolve("zod")).href)};
  const make = (name, version) => workflow(name, { input: z.object({}), version }).step("one", { run: () => ({}) });
`;

/** Writes a module and loads its workflow. */
async function load(text: string, name?: string, file = "module.ts"): Promise<LoadedWorkflow> {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-load-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, file), prelude + text);
  return loadWorkflow(join(folder, file), name);
}

const refusal = (message: string): object =>
  expect.objectContaining({ code: "STEPWELL_INVALID_MODULE", message: expect.stringContaining(message) });

it("takes the only workflow among the exports, whatever else is exported", async () => {
  const { workflow } = await load(`export const limit = 3; export const none = null; export const buy = make("buy");`);
  expect(workflow.name).toBe("buy");
});

it("takes a workflow that is exported twice as one", async () => {
  const { workflow } = await load(`const buy = make("buy"); export { buy }; export default buy;`);
  expect(workflow.name).toBe("buy");
});

const two = `export const buy = make("buy"); export const giveBack = make("give-back");`;

it.each(["giveBack", "give-back"])("picks one of several by the name %s", async (name) => {
  expect((await load(two, name)).workflow.name).toBe("give-back");
});

it("gives all versions of the workflow that was picked, and of no other", async () => {
  const versions = `export const buy1 = make("buy", "1"); export const buy2 = make("buy", "2"); export const other = make("other");`;
  const loaded = await load(versions, "buy2");
  expect(loaded.workflow.version).toBe("2");
  expect(loaded.versions.map(({ name, version }) => `${name} ${version}`)).toEqual(["buy 1", "buy 2"]);
  await expect(load(versions, "buy")).rejects.toEqual(refusal(`Pick one with --workflow`));
});

it.each([
  ["no workflow", `export const limit = 3;`, undefined, "exports no workflow. Export one"],
  ["several", two, undefined, `exports several workflows: buy (workflow "buy", version "1"), giveBack (`],
  ["none of that name", two, "sell", `exports no workflow "sell". It has: buy (`],
  ["one that throws", `throw new Error("no database");`, undefined, "could not be loaded: no database"],
  ["one that throws nothing", `throw undefined;`, undefined, "could not be loaded: undefined"],
  ["a bad definition", `export const buy = make("");`, undefined, "could not be loaded: The name of a workflow"],
  [
    "one without steps",
    `export const buy = workflow("buy", { input: z.object({}) });`,
    undefined,
    `can't run: Workflow "buy" has no steps`,
  ],
])("refuses a module with %s", async (_what, text, name, message) => {
  await expect(load(text, name)).rejects.toEqual(refusal(message));
});

it("refuses a module that is not there", async () => {
  await expect(loadWorkflow("no/such/module.js")).rejects.toEqual(refusal(`"no/such/module.js" does not exist`));
});
