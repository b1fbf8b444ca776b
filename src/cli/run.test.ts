import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Launcher, workflow } from "../index.js";
import { sqliteStore } from "../stores/sqlite/index.js";
import { z } from "zod";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "src", "cli", "main.ts");
const require = createRequire(import.meta.url);
const loader = pathToFileURL(require.resolve("tsx")).href;

/** What a user's module looks like; it imports the sources, so that no build is needed. */
const prelude = `
  import { appendFileSync } from "node:fs";
  import { fail, pause, workflow } from ${JSON.stringify(pathToFileURL(join(root, "src", "index.ts")).href)};
  import { z } from ${JSON.stringify(pathToFileURL(require.resolve("zod")).href)};
  const order = z.object({ number: z.string().optional(), cents: z.number() });
`;

const shop = `${prelude}
  export const buy = workflow("buy", { input: order })
    .step("pay", {
      run: async ({ state, execution }) => {
        appendFileSync("ran.txt", execution.id + "\\n");
        if (state.cents < 0) throw new Error("no such price\\u001b[31m");
        if (state.cents === 7) await new Promise((resolve) => setTimeout(resolve, 60_000));
        return state.cents > 100 ? fail("too-\\u001b[31mdear") : {};
      },
      retry: { attempts: 1 },
      rollbackRetry: { attempts: 1 },
      rollback: ({ state }) => { if (state.cents < 0) throw new Error("no way back\\u001b[2J"); },
    });
`;

const waiting = `${prelude}
  export const ask = workflow("ask", { input: order })
    .step("ask", { run: () => pause({}), messages: { answer: z.object({}) }, onMessage: () => ({}) });
`;

const order = z.object({ cents: z.number() });
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stepwell-cli-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await save("shop.mjs", shop);
  await save("orders.jsonl", `{"cents":1}\n\n{"cents":2}\r\n{"cents":500}\n`);
});

const save = (name: string, text: string | Buffer): Promise<void> => writeFile(join(folder, name), text);
const ran = async (): Promise<string[]> => (await readFile(join(folder, "ran.txt"), "utf8")).trim().split("\n");

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once that has been written to standard error. */
  says(text: string): Promise<void>;
}

function start(...args: string[]): Started {
  const env = { ...process.env, DEBUG: "", NO_COLOR: undefined };
  const child = spawn(process.execPath, ["--import", loader, main, ...args], { cwd: folder, env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, output, errors }));
  const says = async (text: string): Promise<void> => {
    while (!errors.includes(text)) {
      if (child.exitCode !== null) throw new Error(`It has ended without saying ${JSON.stringify(text)}: ${errors}`);
      await Promise.race([once(child.stderr, "data"), ended]);
    }
  };
  return { child, ended, says };
}

const stepwell = (...args: string[]): Promise<Ended> => start(...args).ended;
const orders = ["--input", "orders.jsonl", "--store", "orders.db"];

describe("stepwell run", () => {
  it("launches each line and closes with a table", async () => {
    const { code, output, errors } = await stepwell("run", "shop.mjs", ...orders);
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    expect(output).toMatch(/completed +│ +2 │/);
    expect(output).toMatch(/rolled back: too- \[31mdear +│ +1 │/);
    expect(output).toMatch(/stuck +│ +0 │/);
    expect((await ran()).toSorted()).toEqual(["orders.jsonl:1", "orders.jsonl:3", "orders.jsonl:4"]);
  });

  it("prints nothing but one line of JSON with --json", async () => {
    const { code, output } = await stepwell("run", "shop.mjs", ...orders, "--json");
    expect(code).toBe(0);
    expect(output.trim().split("\n")).toHaveLength(1);
    const { seconds, ...counts } = JSON.parse(output);
    expect(counts).toEqual({ workflow: "buy", launched: 3, completed: 2, rolledBack: 1, stuck: 0, waiting: 0 });
    expect(seconds).toBeGreaterThan(0);
  });

  it("starts nothing twice when it is run again, and takes up the lines that were added", async () => {
    await stepwell("run", "shop.mjs", ...orders);
    await save("orders.jsonl", `{"cents":1}\n\n{"cents":2}\n{"cents":500}\n{"cents":3}`);
    const { output } = await stepwell("run", "shop.mjs", ...orders, "--json");
    expect(JSON.parse(output)).toMatchObject({ launched: 4, completed: 3, rolledBack: 1 });
    expect((await ran()).filter((id) => id === "orders.jsonl:1")).toHaveLength(1);
    expect(await ran()).toHaveLength(4);
  });

  it("refuses a line that has become another since it was launched", async () => {
    await stepwell("run", "shop.mjs", ...orders);
    await save("orders.jsonl", `{"cents":9}\n`);
    const { code, errors } = await stepwell("run", "shop.mjs", ...orders);
    expect({ code, errors }).toMatchObject({
      code: 2,
      errors: expect.stringContaining(`"orders.jsonl:1" exists already`),
    });
    expect(errors).toMatch(/^error STEPWELL_LAUNCH_CONFLICT: /);
  });

  it("goes on after it was killed", async () => {
    await save("orders.jsonl", `{"cents":1}\n{"cents":7}\n`);
    const first = start("run", "shop.mjs", ...orders);
    await vi.waitFor(async () => expect(await ran()).toHaveLength(2), { timeout: 20_000 });
    first.child.kill("SIGKILL");
    await first.ended;
    await save("shop.mjs", shop.replace("60_000", "1"));
    const { code, output } = await stepwell("run", "shop.mjs", ...orders, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ launched: 2, completed: 2 });
  });

  it("takes the ids from a field with --id", async () => {
    await save("orders.jsonl", `{"number":"A-1","cents":1}\n{"number":"A-2","cents":2}\n`);
    expect(await stepwell("run", "shop.mjs", ...orders, "--id", "number")).toMatchObject({ code: 0 });
    expect((await ran()).toSorted()).toEqual(["A-1", "A-2"]);
  });

  it("ends with 1 when an execution is stuck, and says where and why, without control characters", async () => {
    await save("orders.jsonl", `{"cents":-1}\n{"cents":1}\n`);
    const { code, output, errors } = await stepwell("run", "shop.mjs", ...orders);
    expect(code).toBe(1);
    // The first failure is told on standard error, in one line.
    expect(errors).toMatch(/^Step "pay" of execution "orders.jsonl:1" .*no such price \[31m.*\n$/);
    expect(output).toMatch(/stuck +│ +1 │/);
    expect(output).toContain("orders.jsonl:1 at pay (down): no way back [2J");
    expect(output).not.toContain("\u001b");
  });

  it("stops at SIGTERM with 3, and the same command goes on", async () => {
    await save("ask.mjs", waiting);
    const command = start("run", "ask.mjs", ...orders, "--json");
    await command.says("Not at rest: 3.");
    command.child.kill("SIGTERM");
    const { code, output, errors } = await command.ended;
    expect(code).toBe(3);
    expect(JSON.parse(output)).toMatchObject({ launched: 3, completed: 0, waiting: 3 });
    expect(errors).toContain("Run the same command again to go on.");

    const ask = workflow("ask", { input: z.object({}) }).step("ask", {
      run: () => ({}),
      messages: { answer: z.object({}) },
      onMessage: () => ({}),
    });
    await using launcher = new Launcher({ store: sqliteStore(join(folder, "orders.db")), workflows: [ask] });
    await launcher.start();
    for (const line of [1, 3, 4]) await launcher.send(`orders.jsonl:${line}`, "answer", {});
    await launcher.stop();
    const again = await stepwell("run", "ask.mjs", ...orders, "--json");
    expect(again.code).toBe(0);
    expect(JSON.parse(again.output)).toMatchObject({ launched: 3, completed: 3, waiting: 0 });
  });

  it("says that an execution can't go on where its version is missing", async () => {
    const old = workflow("buy", { input: order, version: "0" }).step("pay", { run: () => ({}) });
    await using launcher = new Launcher({ store: sqliteStore(join(folder, "orders.db")), workflows: [old] });
    await launcher.start();
    await launcher.launch(old, { cents: 1 }, { id: "orders.jsonl:1", delay: "1d" });
    await launcher.stop();
    const command = start("run", "shop.mjs", ...orders);
    await command.says("Not at rest: 1.");
    await expect(
      command.says(`was started with version "0", which the module does not export`),
    ).resolves.toBeUndefined();
  });

  it("ends although the module keeps the process busy", async () => {
    await save("shop.mjs", `${shop} setInterval(() => {}, 1000);`);
    expect(await stepwell("run", "shop.mjs", ...orders)).toMatchObject({ code: 0 });
  });
});

describe("the errors of stepwell run", () => {
  const refused = async (...args: string[]): Promise<string> => {
    const { code, output, errors } = await stepwell(...args);
    expect({ code, output }).toEqual({ code: 2, output: "" });
    return errors;
  };

  it.each([
    ["no JSON", `{"cents":1}\n\n{"cents":`, "line 3 is not JSON"],
    ["what the schema refuses", `{"cents":1}\n{"cents":"2"}\n`, "line 2 can't be launched: The input of workflow"],
  ])("tells the number of a line that is %s, and launches none", async (_what, text, message) => {
    await save("orders.jsonl", text);
    const errors = await refused("run", "shop.mjs", ...orders);
    expect(errors).toMatch(/^error STEPWELL_INVALID_LINE: orders\.jsonl, [^\n]*\n$/);
    expect(errors).toContain(message);
    expect(existsSync(join(folder, "ran.txt"))).toBe(false);
    expect(existsSync(join(folder, "orders.db"))).toBe(false);
  });

  it("tells a module that is not there", async () => {
    expect(await refused("run", "none.mjs", ...orders)).toMatch(
      /^error STEPWELL_INVALID_MODULE: [^\n]*"none\.mjs"[^\n]*\n$/,
    );
  });

  it.each([
    ["for ever", `await new Promise(() => {});`],
    ["for a module that waits for ever", `await import("./stalled.mjs");`],
  ])("tells a module that waits %s at its top level", async (_what, text) => {
    await save("stalled.mjs", `await new Promise(() => {});`);
    await save("stalls.mjs", `${shop} ${text}`);
    expect(await refused("run", "stalls.mjs", ...orders)).toMatch(
      /^error STEPWELL_INVALID_MODULE: The module "stalls\.mjs" could not be loaded: it awaits something at its top level that never comes\n$/,
    );
  });

  it("waits for a module that takes its time", async () => {
    await save("slow.mjs", `${shop} await new Promise((resolve) => setTimeout(resolve, 200));`);
    expect(await stepwell("run", "slow.mjs", ...orders)).toMatchObject({ code: 0, errors: "" });
  });

  it("leaves a module its own exit code", async () => {
    await save("exits.mjs", `process.exit(5);`);
    expect(await stepwell("run", "exits.mjs", ...orders)).toEqual({ code: 5, output: "", errors: "" });
  });

  it("tells a store that is none, and leaves it as it is", async () => {
    await save("orders.db", "this is a letter, and no database at all".repeat(100));
    expect(await refused("run", "shop.mjs", ...orders)).toMatch(
      /^error STEPWELL_STORE_FAILED: [^\n]*orders\.db[^\n]*\n$/,
    );
    expect(await readFile(join(folder, "orders.db"), "utf8")).toMatch(/^this is a letter/);
  });

  it("tells a store whose folder is missing", async () => {
    const errors = await refused("run", "shop.mjs", "--input", "orders.jsonl", "--store", "none/orders.db");
    expect(errors).toMatch(/^error STEPWELL_STORE_FAILED: /);
  });

  it("tells an input file that is not there", async () => {
    const errors = await refused("run", "shop.mjs", "--input", "none.jsonl", "--store", "orders.db");
    expect(errors).toMatch(/^error STEPWELL_INVALID_ARGUMENT: The input file "none\.jsonl" can't be read/);
  });

  it("shows stack and cause with --debug only", async () => {
    await save("broken.mjs", `throw new Error("the real cause");`);
    expect(await refused("run", "broken.mjs", ...orders)).not.toContain("    at ");
    expect(await refused("run", "broken.mjs", ...orders, "--debug")).toMatch(/ {4}at [^]*the real cause/);
  });

  it.each([
    ["a missing option", ["run", "shop.mjs", "--input", "orders.jsonl"], "--store <place>"],
    ["an unknown option", ["run", "shop.mjs", ...orders, "--jsno"], "--json"],
    ["a concurrency of zero", ["run", "shop.mjs", ...orders, "--concurrency", "0"], "whole number from 1"],
    [
      "a store in memory",
      ["run", "shop.mjs", "--input", "orders.jsonl", "--store", ":memory:"],
      "Give the path of a file",
    ],
    ["an unknown command", ["rnu"], "unknown command"],
  ])("end with 2 for %s", async (_what, args, message) => {
    expect(await refused(...args)).toContain(message);
  });

  it("ends with 0 for help and version", async () => {
    const help = await stepwell("run", "--help");
    expect(help).toMatchObject({ code: 0, errors: "", output: expect.stringContaining("Exit codes:") });
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    expect(await stepwell("--version")).toEqual({ code: 0, errors: "", output: `${version}\n` });
  });
});
