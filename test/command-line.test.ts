/** The built command line beside a launcher that runs elsewhere: what operators look at, follow and do. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { fail, Launcher, pause, workflow } from "../src/index.js";
import { postgresHealth } from "../src/stores/postgres/index.js";
import { sqliteStore } from "../src/stores/sqlite/index.js";
import { freshSchema, postgresUrl } from "./support/postgres.js";

// Each command is a process.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const root = fileURLToPath(new URL("..", import.meta.url));
const binary = join(root, "dist", "cli", "main.js");
const zod = pathToFileURL(createRequire(import.meta.url).resolve("zod")).href;

const order = workflow("order", { input: z.object({ sku: z.string() }) })
  .step("reserve", { run: () => ({ reserved: 1 }), rollback: () => undefined })
  .step("charge", {
    run: () => ({ charged: 1 }),
    rollback: () => fail("the bank\u001b[2J is closed"),
    rollbackRetry: { attempts: 1 },
  })
  .step("ship", {
    messages: { shipped: z.object({ parcel: z.string() }) },
    run: ({ subscribe, execution }) => subscribe(`parcels:${execution.id}`).then(() => pause()),
    onMessage: ({ message }) => ({ parcel: message.payload.parcel }),
    rollback: () => undefined,
  });

const moduleText = `
import { workflow } from ${JSON.stringify(pathToFileURL(join(root, "dist", "index.js")).href)};
import { z } from ${JSON.stringify(zod)};
export const order = workflow("order", { input: z.object({ sku: z.string() }) })
  .step("reserve", { run: () => ({ reserved: 1 }), rollback: () => undefined })
  .step("charge", { run: () => ({ charged: 1 }), rollback: () => undefined, rollbackRetry: { attempts: 1 } })
  .step("ship", { messages: { shipped: z.object({ parcel: z.string() }) }, run: () => {}, onMessage: () => ({}), rollback: () => undefined });
`;

let folder: string;
let launcher: Launcher;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stepwell-command-line-"));
  await writeFile(join(folder, "order.mjs"), moduleText);
  launcher = new Launcher({
    store: sqliteStore(join(folder, "orders.db")),
    workflows: [order],
    pollInterval: "50ms",
    onError: () => undefined,
  });
  await launcher.start();
});

afterAll(async () => {
  await launcher.stop();
  await rm(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  ...{ STEPWELL_STORE: "orders.db", DEBUG: "", NO_COLOR: undefined, FORCE_COLOR: undefined },
});

function stepwell(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [binary, ...args], { cwd: folder, env: environment() }, (error, output, errors) =>
      resolve({ code: error === null ? 0 : Number(error.code), output, errors }),
    );
  });
}

async function json(...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { output } = await stepwell(...args, "--json");
  return output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** An order that waits to be shipped. */
async function waits(id: string): Promise<void> {
  await launcher.launch(order, { sku: "tea" }, { id });
  await vi.waitFor(async () => expect((await launcher.execution(id).summary()).status).toBe("waiting"));
}

async function isStuck(id: string): Promise<void> {
  await waits(id);
  await launcher.rollback(id, "wrong address", { by: "ada" });
  expect((await launcher.execution(id).outcome()).status).toBe("stuck");
}

describe("stepwell launch", () => {
  test("stores an execution that the module's workflow has checked, once for an id", async () => {
    const launched = ["launch", "order.mjs", '{"sku":"tea"}', "--id", "l-1", "--tag", "eu", "--tag", "new"];
    expect(await stepwell(...launched)).toEqual({
      code: 0,
      output: 'Execution "l-1" of workflow "order" is stored.\n',
      errors: "",
    });
    expect(await json(...launched)).toEqual([{ accepted: true, execution: "l-1", workflow: "order" }]);
    expect((await launcher.execution("l-1").summary()).tags).toEqual(["eu", "new"]);
    const [wrong, other, text] = await Promise.all([
      stepwell("launch", "order.mjs", '{"sku":1}'),
      stepwell("launch", "order.mjs", '{"sku":"coffee"}', "--id", "l-1"),
      stepwell("launch", "order.mjs", "{sku"),
    ]);
    expect(wrong).toMatchObject({ code: 2, errors: expect.stringContaining("STEPWELL_INVALID_INPUT") as string });
    expect(other).toMatchObject({ code: 1, errors: expect.stringContaining("STEPWELL_LAUNCH_CONFLICT") as string });
    expect(text).toMatchObject({ code: 2, errors: expect.stringContaining("must be JSON") as string });
  });
});

describe("stepwell show", () => {
  test("draws both lanes, says why, and what each act would do, without colours in a pipe", async () => {
    await isStuck("s-1");
    const { code, output } = await stepwell("show", "s-1");
    expect(code).toBe(0);
    expect(output).toMatch(/^ +step +way up +way down$/m);
    expect(output).toMatch(/^ +1 {2}reserve {2}✓ done.* {2}○ still to undo$/m);
    expect(output).toMatch(/^▶ {2}2 {2}charge {3}✓ done.* {2}‼ stuck.* {2}the bank \[2J is closed$/m);
    expect(output).toMatch(/^ +3 {2}ship {5}◐ half done.* {2}✓ undone/m);
    expect(output).toMatch(/^Stuck on the way down.*"charge" is not undone/m);
    expect(output).toMatch(/^stepwell retry s-1\n {2}Runs the undo of "charge" again/m);
    expect(output).toContain("reserved: 1");
    // eslint-disable-next-line no-control-regex
    expect(output).not.toMatch(/\u001b/);
    const [shown] = await json("show", "s-1");
    expect(shown).toMatchObject({
      id: "s-1",
      status: "stuck",
      lanes: { whole: true, rounds: [{ rows: [{ step: "reserve" }, { here: true, down: { mark: "stuck" } }, {}] }] },
      state: { sku: "tea", reserved: 1, charged: 1 },
      pending: [],
    });
  });

  test("names a hundred messages that nobody has taken, and counts the others", async () => {
    await isStuck("s-2");
    for (let n = 0; n < 103; n++) await launcher.send("s-2", "shipped", { parcel: `p-${n}` });
    const { output } = await stepwell("show", "s-2");
    expect(output.match(/^ {2}shipped, /gm)).toHaveLength(100);
    expect(output).toMatch(/^ {2}and 3 others$/m);
    const [shown] = await json("show", "s-2");
    expect(shown).toMatchObject({ pendingInAll: { count: 103, more: false } });
  });
});

describe("stepwell tail", () => {
  test("follows one execution to its end, from any revision", async () => {
    await waits("t-1");
    const tailing = stepwell("tail", "t-1");
    const rest = stepwell("tail", "t-1", "--from", "2", "--json");
    await launcher.send("t-1", "shipped", { parcel: "p-1" });
    const { code, output, errors } = await tailing;
    expect({ code, errors }).toEqual({ code: 0, errors: 'Execution "t-1" has ended: completed.\n' });
    expect(output.split("\n").map((line) => line.split("  ").slice(1).join(" ").trim())).toEqual([
      expect.stringMatching(/^1 ↑ "reserve" done/),
      expect.stringMatching(/^2 ↑ "charge" done/),
      expect.stringMatching(/^3 ↑ "ship" waits/),
      expect.stringMatching(/^4 ↑ "ship" done, by the message "shipped"/),
      "",
    ]);
    const lines = (await rest).output.trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { revision: number }).revision)).toEqual([3, 4]);
    expect(await stepwell("tail", "nobody")).toMatchObject({ code: 1, output: "" });
  });

  test("follows many until it is interrupted, and then ends well", async () => {
    const child = spawn(process.execPath, [binary, "tail", "--workflow", "order", "--json"], {
      cwd: folder,
      env: environment(),
    });
    let output = "";
    child.stdout.on("data", (part: Buffer) => (output += part.toString()));
    await vi.waitFor(() => expect(output).toContain("\n"), { timeout: 20_000 });
    await waits("t-2");
    await vi.waitFor(() => expect(output).toMatch(/"id":"t-2".*"status":"waiting"/), { timeout: 20_000 });
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

describe("acts", () => {
  test("that can't be taken back are asked about; where nobody can be asked, --yes is needed", async () => {
    await isStuck("a-1");
    const [asked, skipped] = await Promise.all([
      stepwell("rollback", "a-1", "returned"),
      stepwell("skip", "a-1", "by hand", "--json"),
    ]);
    expect(asked).toMatchObject({
      code: 2,
      output: "",
      errors: expect.stringMatching(/This undoes everything that "a-1" has done.*give --yes/) as string,
    });
    expect(skipped).toMatchObject({ code: 2, errors: expect.stringContaining("give --yes") as string });
    expect(await json("skip", "a-1", "by hand", "--yes", "--by", "eve")).toEqual([
      { accepted: true, execution: "a-1", act: "skip", by: "eve" },
    ]);
    expect((await launcher.execution("a-1").outcome()).status).toBe("rolledBack");
  });

  test("patch mends the state of a stuck execution, checked by the launcher that has its workflow", async () => {
    await isStuck("a-2");
    const patched = await stepwell("patch", "a-2", '{"sku":"coffee"}', "the customer chose again", "--by", "ada");
    expect(patched).toMatchObject({
      code: 0,
      output: expect.stringContaining("was patched. It stays stuck") as string,
    });
    expect(await launcher.execution("a-2").state()).toMatchObject({ sku: "coffee" });
    const [row] = (await launcher.execution("a-2").history()).slice(-1);
    expect(row).toMatchObject({ result: "patched", by: "ada", why: "the customer chose again" });
    const [refused, none] = await Promise.all([
      stepwell("patch", "a-2", '{"sku":7}', "why", "--json"),
      stepwell("patch", "nobody", '{"a":1}', "why"),
    ]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.output)).toMatchObject({ accepted: false, code: "STEPWELL_INVALID_PATCH" });
    expect(none).toMatchObject({ code: 1, errors: expect.stringContaining("STEPWELL_EXECUTION_NOT_FOUND") as string });
  });

  test("publish reaches all that are subscribed, once for a message id", async () => {
    await waits("a-3");
    const published = ["publish", "parcels:a-3", "shipped", '{"parcel":"p-3"}', "--message-id", "m-1", "--keep", "1h"];
    expect(await stepwell(...published)).toEqual({
      code: 0,
      output: 'Published to "parcels:a-3": 1 executions have it by now.\n',
      errors: "",
    });
    expect(await launcher.execution("a-3").outcome()).toMatchObject({ status: "completed", state: { parcel: "p-3" } });
    expect(await json(...published)).toMatchObject([{ accepted: true, topic: "parcels:a-3", duplicate: true }]);
  });
});

describe("stepwell recall", () => {
  test("counts, starts, shows, pauses and stops a recall, which launchers elsewhere go on with", async () => {
    const item = workflow("item", { input: z.object({ n: z.number() }) }).step("1", {
      run: () => undefined,
      rollback: () => undefined,
    });
    const place = join(folder, "recalls.db");
    await using other = new Launcher({ store: sqliteStore(place), workflows: [item], pollInterval: "50ms" });
    await other.start();
    await other.launchMany(
      item,
      [1, 2, 3, 4].map((n) => ({ input: { n }, id: `i${n}`, tags: [n < 3 ? "low" : "high"] })),
    );
    await vi.waitFor(async () =>
      expect(await other.select({ status: "completed" }).count()).toMatchObject({ count: 4 }),
    );
    const recall = (...words: string[]) => stepwell("recall", ...words, "--store", place);
    expect((await recall()).output).toBe("No recalls.\n");
    const asked = ["--tag", "low", "--reason", "wrong-price"];
    expect((await recall("start", ...asked, "--dry-run")).output).toBe(
      "2 executions would be asked to go back. Nothing was changed.\n",
    );
    expect(await recall("start", ...asked)).toMatchObject({
      code: 2,
      errors: expect.stringContaining("give --yes") as string,
    });
    expect((await recall("start", "low", ...asked, "--yes", "--by", "ada")).output).toContain(`Recall "low" is stored`);
    await other.recalls.get("low").outcome();
    const shown = (await recall("show", "low")).output;
    for (const text of [`Recall "low", for "wrong-price", by ada: done`, "rolled back", "10/s, 100 at once"])
      expect(shown).toContain(text);
    await writeFile(join(folder, "ids.txt"), "i3\n\ni4\nnone\n");
    const slow = ["--ids", join(folder, "ids.txt"), "--reason", "x", "--rate", "1/h", "--canary", "0", "--yes"];
    expect(JSON.parse((await recall("start", "high", ...slow, "--by", "bob", "--json")).output)).toEqual({
      ...{ accepted: true, recall: "high", by: "bob" },
    });
    await vi.waitFor(async () => expect(await other.recalls.get("high").progress()).toMatchObject({ asked: 1 }));
    expect((await recall("pause", "high", "--by", "eve", "--reason", "the bank called")).output).toContain(
      "until it is resumed",
    );
    await vi.waitFor(async () => expect((await recall("show", "high")).output).toContain("Paused by eve"), 20_000);
    expect((await recall("resume", "high")).output).toContain("goes on");
    expect((await recall("stop", "high")).code).toBe(2);
    expect((await recall("stop", "high", "--yes")).output).toContain("asks no more");
    await other.recalls.get("high").outcome();
    const lines = (await recall("list", "--json")).output
      .trim()
      .split("\n")
      .map((it) => JSON.parse(it) as unknown);
    expect(lines).toMatchObject([
      { id: "high", status: "done", counted: 3, asked: 1, left: 2, stopped: { by: expect.any(String) as string } },
      { id: "low", status: "done", counted: 2, rolledBack: 2 },
    ]);
    expect((await recall("pause", "high")).code).toBe(1);
    expect((await recall("show", "none")).code).toBe(1);
    expect((await recall("show")).errors).toContain("needs the id of a recall");
    expect((await recall("start", "--reason", "x")).errors).toContain("needs to know what is recalled");
  });
});

describe("stepwell schedules and stats", () => {
  test("list, pause, resume, trigger and delete schedules", async () => {
    expect((await stepwell("schedules")).output).toBe("No schedules.\n");
    await launcher.schedules.set("nightly", order, { sku: "tea" }, { cron: "0 2 * * *", timezone: "Europe/Berlin" });
    expect((await stepwell("schedules")).output).toMatch(
      /nightly +│ order +│ 0 2 \* \* \* \(Europe\/Berlin\) +│ \S+Z +│ never/,
    );
    expect((await stepwell("schedules", "pause", "nightly")).output).toContain("is paused");
    expect(await json("schedules")).toMatchObject([{ name: "nightly", paused: true, nextAt: null }]);
    const [stats] = await json("stats", "--workflow", "order");
    expect(stats).toMatchObject({ schedules: { count: 1, paused: 1 }, deadLetters: [] });
    expect((await stepwell("schedules", "resume", "nightly")).output).toContain("It launches next at");
    const [triggered] = await json("schedules", "trigger", "nightly", "--module", "order.mjs");
    expect((await launcher.execution(triggered!["execution"] as string).summary()).workflow).toBe("order");
    const [unasked, deleted, unknown, nameless] = await Promise.all([
      stepwell("schedules", "delete", "nightly"),
      stepwell("schedules", "delete", "nightly", "--yes"),
      stepwell("schedules", "pause", "none"),
      stepwell("schedules", "pause"),
    ]);
    expect([unasked.code, deleted.code, unknown.code, nameless.code]).toEqual([2, 0, 1, 2]);
    expect(await launcher.schedules.list()).toEqual([]);
  });

  test("count executions by status", async () => {
    await waits("c-1");
    const [stats] = await json("stats");
    const counts = stats!["executions"] as Record<string, { count: number; more: boolean }>;
    for (const [status, { count, more }] of Object.entries(counts)) {
      const found = await launcher.list({ status: status as "stuck", limit: 1000, children: status === "stuck" });
      expect([status, count, more]).toEqual([status, found.executions.length, false]);
    }
    expect((await stepwell("stats")).output).toMatch(/waiting +│ +\d+ │/);
  });
});

describe("stepwell doctor", () => {
  test("says what is wrong, with what mends it, and nothing where all is well", async () => {
    await isStuck("d-1");
    const told = await stepwell("doctor");
    expect(told.code).toBe(1);
    expect(told.output).toMatch(
      /^‼ act +(?:One execution is stuck: it needs|\d+ executions are stuck: they need) a person\.\n +stepwell list --status stuck --children$/m,
    );
    const kinds = (await json("doctor")).map(({ kind }) => kind);
    expect(kinds).toContain("stuck");
    expect(kinds).not.toContain("no-launcher");

    const empty = join(folder, "empty.db");
    const store = sqliteStore(empty);
    await store.open();
    await store.close();
    const [alone, missing] = await Promise.all([
      stepwell("doctor", "--store", empty, "--json"),
      stepwell("doctor", "--store", join(folder, "none.db")),
    ]);
    expect(JSON.parse(alone.output)).toMatchObject({ kind: "no-launcher", urgency: "act" });
    expect(missing).toMatchObject({ code: 2, errors: expect.stringContaining("there is no file") as string });
    await using other = new Launcher({ store: sqliteStore(empty), workflows: [order] });
    await other.start();
    expect(await stepwell("doctor", "--store", empty)).toEqual({
      code: 0,
      output: "Nothing is wrong, as far as can be seen from here.\n",
      errors: "",
    });
    await store.open();
    for (const place of ["boot-1", "boot-2"]) await store.register({ host: `${place}/pid:[1]@7@worker`, pid: 5 });
    await store.close();
    expect((await stepwell("doctor", "--store", empty)).output).toMatch(
      /^… watch +Launchers on 2 machines or containers go by the same host name, "worker"[^\n]*\n +Give each its own/m,
    );
  });

  test("looks at a PostgreSQL server, and does not touch tables that are behind", async () => {
    const schema = freshSchema();
    const where = ["--store", postgresUrl(), "--schema", schema];
    const behind = await stepwell("doctor", ...where, "--json");
    expect(behind.code).toBe(1);
    expect(JSON.parse(behind.output)).toMatchObject({ kind: "tables-behind" });
    expect((await stepwell("migrate", ...where)).code).toBe(0);
    const { code, output } = await stepwell("doctor", ...where, "--json");
    expect(code).toBe(1);
    expect(output).toContain('"kind":"no-launcher"');
    const health = await postgresHealth(postgresUrl(), { schema });
    expect(health.tables.map(({ name }) => name)).toContain("stepwell_executions");
    expect(health.mostConnections).toBeGreaterThan(0);
    expect(health.hears).toBe(true);
    expect(output).not.toContain('"kind":"listener"');
  });
});

describe("stepwell completion", () => {
  test("gives bash a script, and says what may follow", async () => {
    const [script, commands, options, statuses] = await Promise.all([
      stepwell("completion", "bash"),
      stepwell("complete", "--", "sho"),
      stepwell("complete", "--", "list", "--st"),
      stepwell("complete", "--", "list", "--status", ""),
    ]);
    await writeFile(join(folder, "completion.bash"), script.output);
    const checked = spawn("bash", ["-n", join(folder, "completion.bash")]);
    expect(await once(checked, "exit")).toEqual([0, null]);
    expect(commands.output).toMatch(/^show\tShows what was done/);
    expect(options.output).toMatch(/^--status\t/m);
    expect(statuses.output).toMatch(/^stuck\t?$/m);
  });
});
