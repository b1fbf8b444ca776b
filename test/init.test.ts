/** `stepwell init` and `stepwell dev`, by the built command: what they make runs, tests and type-checks. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Client } from "../src/index.js";
import { sqliteStore } from "../src/stores/sqlite/index.js";

vi.setConfig({ testTimeout: 120_000 });

const root = fileURLToPath(new URL("..", import.meta.url));
const binary = join(root, "dist", "cli", "main.js");
const run = promisify(execFile);

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-init-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What `npm install` would bring. */
async function install(folder: string): Promise<void> {
  for (const scope of ["@types", "@photostructure"])
    await mkdir(join(folder, "node_modules", scope), { recursive: true });
  const link = (name: string, target: string): Promise<void> => symlink(target, join(folder, "node_modules", name));
  await link("stepwell", root);
  for (const name of ["zod", "tsx", "typescript", "@types/node", "@photostructure/sqlite"]) {
    await link(name, join(root, "node_modules", name));
  }
}

async function script(folder: string, name: string): Promise<string> {
  const env = { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env["PATH"]}`, NO_COLOR: "1" };
  const { stdout } = await run("npm", ["run", "--silent", name], { cwd: folder, env });
  return stdout;
}

const projects: Record<string, (folder: string) => Promise<void>> = {
  "an empty folder": () => Promise.resolve(),
  "a project of CommonJS modules": async (folder) => {
    const manifest = { name: "shop", scripts: { "workflows:types": "tsc -p ." }, dependencies: { zod: "^3.25.0" } };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest, null, "\t"));
  },
};

describe("stepwell init", () => {
  test.each(Object.keys(projects))("makes of %s a project that type-checks, runs and passes its test", async (kind) => {
    const folder = await emptyFolder();
    await projects[kind]!(folder);
    const before = existsSync(join(folder, "package.json"))
      ? await readFile(join(folder, "package.json"), "utf8")
      : "{}";
    const { stdout } = await run(process.execPath, [binary, "init", "--json"], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({ written: expect.arrayContaining(["package.json"]) as unknown });
    const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Record<string, object>;
    const given = JSON.parse(before) as Record<string, object>;
    for (const [key, value] of Object.entries(given)) {
      expect(manifest[key]).toEqual(typeof value === "string" ? value : (expect.objectContaining(value) as unknown));
    }
    await install(folder);
    await script(folder, "workflows:types");
    expect(await script(folder, "workflows:test")).toMatch(/pass 3/);
    const lines = (await script(folder, "workflows:start")).trim().split("\n");
    expect(lines.toSorted()).toEqual([
      "order-1 completed normal",
      "order-2 rolledBack over the limit",
      "refund nothing",
      "release order-2/reserve/run",
    ]);
    const again = run(process.execPath, [binary, "init"], { cwd: folder });
    await expect(again).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is there already") as string,
    });
  });
});

describe("stepwell dev", () => {
  test("drives the workflows of a module, shows the desk, and starts anew when a file changes", async () => {
    const folder = await emptyFolder();
    await run(process.execPath, [binary, "init", folder]);
    await install(folder);
    const file = join(folder, "stepwell", "fulfil-order.ts");
    const child = spawn(process.execPath, [binary, "dev", file, "--store", "dev.db", "--port", "0"], { cwd: folder });
    let [output, errors] = ["", ""];
    child.stdout.on("data", (part: Buffer) => (output += part.toString()));
    child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
    onTestFinished(() => void child.kill("SIGKILL"));
    const soon = { timeout: 40_000, interval: 50 };
    await vi.waitFor(() => expect(errors).toContain("Driving fulfil-order, version 1."), soon);
    await vi.waitFor(() => expect(output).toMatch(/^Desk: http:\/\/127\.0\.0\.1:\d+\/\S*token=/m), soon);
    await writeFile(
      file,
      (await readFile(file, "utf8")).replace('workflow("fulfil-order", {', 'workflow("fulfil-order", { version: "2",'),
    );
    await vi.waitFor(() => expect(errors).toContain("Driving fulfil-order, version 2."), soon);
    const launch = [binary, "launch", file, '{"sku":"tea","cents":1}', "--id", "o-1", "--store", "dev.db"];
    await run(process.execPath, ["--import", import.meta.resolve("tsx"), ...launch], { cwd: folder });
    const client = new Client({ store: sqliteStore(join(folder, "dev.db")) });
    expect((await client.execution("o-1").outcome({ timeout: "30s" })).status).toBe("completed");
    await client.stop();
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
