/**
 * An operator at work, as it really is: launchers run in a process of their own, and the built command line, or a script
 * with a client, asks from another one.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { Client, pause, workflow, type Store } from "../src/index.js";
import { postgresStore } from "../src/stores/postgres/index.js";
import { sqliteStore } from "../src/stores/sqlite/index.js";
import { sale } from "../examples/client/refund.js";
import { freshSchema, postgresUrl } from "./support/postgres.js";

// Each command is a process.
vi.setConfig({ testTimeout: 120_000 });

const root = fileURLToPath(new URL("..", import.meta.url));
const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const binary = join(root, "dist", "cli", "main.js");

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

function ended(words: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, NO_COLOR: undefined, DEBUG: "", ...env } };
    execFile(process.execPath, words, options, (error, output, errors) =>
      resolve({ code: error === null ? 0 : Number(error.code), output, errors }),
    );
  });
}

interface Site {
  /** The folder with the bank in it. */
  readonly folder: string;
  readonly client: Client;
  /** How scripts are told of the store. */
  readonly place: readonly string[];
  /** Starts a launcher in a process of its own. Gives back how to stop it. */
  readonly work: () => Promise<() => Promise<void>>;
  /** Runs the built command on the store. */
  readonly stepwell: (...args: readonly string[]) => Promise<Ended>;
}

async function site(kind: string): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-operating-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const schema = kind === "sqlite" ? undefined : freshSchema();
  const place = schema === undefined ? join(folder, "orders.db") : postgresUrl();
  const store: Store = schema === undefined ? sqliteStore(place) : postgresStore(place, { schema });
  const client = new Client({ store, workflows: [sale] });
  onTestFinished(() => client.stop());
  const places = schema === undefined ? [place] : [place, schema];
  const work = async (): Promise<() => Promise<void>> => {
    const script = join(root, "examples", "client", "launcher.ts");
    const worker = spawn(process.execPath, ["--import", loader, script, ...places], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const exited = once(worker, "exit");
    const stop = async (): Promise<void> => {
      worker.kill();
      await exited;
    };
    onTestFinished(stop);
    await once(worker.stdout, "data");
    return stop;
  };
  const more = schema === undefined ? [] : ["--schema", schema];
  return {
    folder,
    client,
    place: places,
    work,
    stepwell: (...args) => ended([binary, ...args, ...more], { STEPWELL_STORE: place }),
  };
}

/** Sales that were rolled back while the bank is closed. */
async function stuckSales({ client, folder }: Site, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const execution = await client.launch(sale, { bank: folder }, { id, tags: ["recalled"] });
    expect((await execution.outcome()).status).toBe("completed");
    expect(await execution.rollback("recalled", { by: "bob" })).toEqual({ accepted: true });
    expect((await execution.outcome()).status).toBe("stuck");
  }
}

describe.each(["sqlite", "postgres"])("beside launchers elsewhere, on %s,", (kind) => {
  test("a script of five lines lists what is stuck and has it tried again", async () => {
    const it = await site(kind);
    await it.work();
    await stuckSales(it, ["sale-1", "sale-2"]);
    await writeFile(join(it.folder, "open"), "");
    const mend = ["--import", loader, join(root, "examples", "client", "mend.ts"), ...it.place];
    expect(await ended(mend)).toEqual({
      code: 0,
      output:
        "sale-2 is stuck at charge: the bank is closed\nsale-1 is stuck at charge: the bank is closed\ntried again: 2\n",
      errors: "",
    });
    for (const id of ["sale-1", "sale-2"]) {
      expect((await it.client.execution(id).outcome()).status).toBe("rolledBack");
    }
  });

  test("the command line lists executions and shows one", async () => {
    const it = await site(kind);
    await it.work();
    await stuckSales(it, ["sale-1", "sale-2"]);
    const rows = (await it.stepwell("list", "--status", "stuck", "--tag", "recalled", "--json")).output
      .trim()
      .split("\n");
    expect(rows.map((row) => JSON.parse(row) as unknown)).toMatchObject([
      { id: "sale-2", status: "stuck", error: { message: "the bank is closed" } },
      { id: "sale-1", status: "stuck", flow: { step: "charge", direction: "down", reason: "recalled" } },
    ]);
    expect((await it.stepwell("list", "--workflow", "sale")).output).toMatch(
      /sale-1 +│ sale +│ stuck +│ down +│ charge +│ \S+Z +│ recalled: the bank is closed/,
    );
    expect(await it.stepwell("list", "--count")).toEqual({ code: 0, output: "2\n", errors: "" });
    const shown = await it.stepwell("show", "sale-1");
    expect(shown.output).toMatch(/^stuck since \S+Z, launched \S+Z\nStuck on the way down/m);
    expect(shown.output).toMatch(/^▶ +1 +charge +✓ done.*‼ stuck.*the bank is closed$/m);
    expect(shown.output).toContain("paymentId: 'pay-1'");
  });

  test("the command line has one tried again, skips its step, and rolls one back", async () => {
    const it = await site(kind);
    await it.work();
    await stuckSales(it, ["sale-1"]);
    // The bank is still closed: what is tried again gets stuck again, and the history has who and why.
    expect(await it.stepwell("retry", "sale-1", "--by", "ada", "--reason", "call 17")).toMatchObject({ code: 0 });
    const state = (): Promise<string> =>
      it.client
        .execution("sale-1")
        .history()
        .then((all) => all.map(({ result }) => result).join());
    await expect.poll(state, { timeout: 20_000 }).toMatch(/retried,Error$/);
    expect((await it.stepwell("history", "sale-1")).output).toMatch(/retried +│ \d+ +│ ada +│ call 17/);
    expect(await it.stepwell("skip", "sale-1", "refunded by hand", "--yes", "--json")).toEqual({
      code: 0,
      output: `${JSON.stringify({ accepted: true, execution: "sale-1", act: "skip", by: userInfo().username })}\n`,
      errors: "",
    });
    expect((await it.client.execution("sale-1").outcome()).status).toBe("rolledBack");
    expect(await it.stepwell("skip", "sale-1", "again", "--yes")).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^error STEPWELL_EXECUTION_NOT_STUCK: /),
    });
    expect(await it.stepwell("rollback", "sale-1", "again", "--yes", "--json")).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^\{"accepted":false,.*"code":"STEPWELL_ROLLBACK_REFUSED"/),
    });
    await writeFile(join(it.folder, "open"), "");
    await it.client.launch(sale, { bank: it.folder }, { id: "sale-3" });
    await it.client.execution("sale-3").outcome();
    const { revision } = await it.client.execution("sale-3").summary();
    const preview = await it.stepwell("rollback", "sale-3", "--preview");
    expect(preview.output).toContain(
      `A rollback of "sale-3" as it stands at revision ${revision}:\n  charge  is undone\n`,
    );
    const back = ["rollback", "sale-3", "customer-returned", "--yes", "--by", "ada", "--details", '{"percent":30}'];
    expect(await it.stepwell(...back, "--if-revision", String(revision - 1))).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^error STEPWELL_EXECUTION_CHANGED: /),
    });
    expect(await it.stepwell(...back, "--if-revision", String(revision))).toMatchObject({ code: 0 });
    expect(await it.client.execution("sale-3").outcome()).toMatchObject({
      status: "rolledBack",
      reason: "customer-returned",
    });
    const turned = (await it.client.execution("sale-3").history()).find(({ why }) => why === "customer-returned");
    expect(turned).toMatchObject({ by: "ada", details: { percent: 30 } });
    const certificate = await it.stepwell("certificate", "sale-3", "--json");
    expect(JSON.parse(certificate.output)).toMatchObject({ execution: "sale-3", status: "rolledBack", left: [] });
    const path = join(it.folder, "sale-3.json");
    await writeFile(path, certificate.output);
    expect(await it.stepwell("certificate", "sale-3", "--verify", path)).toMatchObject({
      code: 0,
      output: "Valid: the store says the same.\n",
    });
    await writeFile(path, certificate.output.replace("customer-returned", "nobody-knows"));
    expect(await it.stepwell("certificate", "sale-3", "--verify", path)).toMatchObject({ code: 1 });
    expect((await it.stepwell("certificate", "sale-3", "--markdown")).output).toContain("# Certificate of sale-3\n");
    expect(await it.stepwell("rollback", "sale-3", "--preview")).toMatchObject({
      code: 1,
      output: expect.stringContaining("It would be refused."),
    });
  });

  test("the command line has one go back to a step and up again, and says why it is refused", async () => {
    const it = await site(kind);
    await it.work();
    await writeFile(join(it.folder, "open"), "");
    const execution = await it.client.launch(sale, { bank: it.folder }, { id: "sale-1" });
    expect((await execution.outcome()).status).toBe("completed");
    const { revision } = await execution.summary();
    const back = ["rewind", "sale-1", "--to", "charge", "--reason", "wrong account", "--by", "ada"];
    expect(await it.stepwell(...back)).toMatchObject({
      code: 2,
      errors: expect.stringContaining('This undoes what "sale-1" has done from step "charge" on'),
    });
    expect(await it.stepwell(...back, "--yes", "--if-revision", String(revision - 1))).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^error STEPWELL_EXECUTION_CHANGED: /),
    });
    expect(await execution.summary()).toMatchObject({ revision, status: "completed" });
    const patch = ["--patch", JSON.stringify({ bank: it.folder }), "--if-revision", String(revision)];
    expect(await it.stepwell(...back, ...patch, "--yes", "--json")).toEqual({
      code: 0,
      output: `${JSON.stringify({ accepted: true, execution: "sale-1", act: "rewind", by: "ada" })}\n`,
      errors: "",
    });
    await expect.poll(async () => (await execution.history()).at(-1)?.round, { timeout: 20_000 }).toBe(1);
    expect(await execution.outcome()).toMatchObject({ status: "completed" });
    const turned = (await execution.history()).find(({ backTo }) => backTo !== undefined);
    expect(turned).toMatchObject({ backTo: "charge", by: "ada", why: "wrong account" });
    expect((await it.stepwell("show", "sale-1")).output).toMatch(
      /^round 1: back from charge to charge, ada, wrong account\n +step +way up\n +1 +charge +✓ done$/m,
    );
    expect(await it.stepwell("rewind", "sale-1", "--to", "ship", "--reason", "x", "--yes")).toMatchObject({
      code: 2,
      errors: expect.stringContaining('has no step "ship". Its steps are "charge"'),
    });
    expect(await execution.rollback("returned")).toEqual({ accepted: true });
    expect((await execution.outcome()).status).toBe("rolledBack");
    const refused = await it.stepwell(...back, "--yes", "--json");
    expect({ ...refused, output: JSON.parse(refused.output) as unknown }).toMatchObject({
      code: 1,
      output: { accepted: false, code: "STEPWELL_REWIND_REFUSED", execution: "sale-1" },
    });
  });

  test("the command line says with 3 that no launcher has decided yet; a later one follows what was asked", async () => {
    const it = await site(kind);
    const stop = await it.work();
    await stuckSales(it, ["sale-1"]);
    await stop();
    await writeFile(join(it.folder, "bank.json"), JSON.stringify({ bank: it.folder }));
    await writeFile(join(it.folder, "open"), "");
    const patch = ["--patch", `@${join(it.folder, "bank.json")}`, "--by", "ada"];
    expect(await it.stepwell("retry", "sale-1", ...patch, "--patience", "200ms")).toEqual({
      code: 3,
      output: "",
      errors: expect.stringMatching(/^retry: no launcher has decided within 200 ms .* The request is stored/),
    });
    expect((await it.client.execution("sale-1").summary()).status).toBe("stuck");
    await it.work();
    await expect
      .poll(async () => (await it.client.execution("sale-1").summary()).status, { timeout: 20_000 })
      .toBe("rolledBack");
  });

  test("the command line has a patch checked by a launcher, and says with 1 that it was refused", async () => {
    const it = await site(kind);
    await it.work();
    await stuckSales(it, ["sale-1"]);
    const refused = await it.stepwell("retry", "sale-1", "--patch", '{"bank":5}', "--json");
    expect({ ...refused, output: JSON.parse(refused.output) as unknown }).toMatchObject({
      code: 1,
      output: { accepted: false, code: "STEPWELL_INVALID_PATCH", execution: "sale-1" },
      errors: "",
    });
  });

  test("the command line sends a message, once for each id, from an argument or a file", async () => {
    const it = await site(kind);
    const waiting = workflow("waiting", { input: z.object({}) }).step("ask", {
      messages: { answer: z.object({ yes: z.boolean() }) },
      run: () => pause(),
      onMessage: () => undefined,
    });
    await it.client.launch(waiting, {}, { id: "one" });
    await writeFile(join(it.folder, "answer.json"), '{"yes":true}');
    const sent = await it.stepwell(
      "send",
      "one",
      "answer",
      `@${join(it.folder, "answer.json")}`,
      "--message-id",
      "evt-1",
      "--json",
    );
    expect(JSON.parse(sent.output)).toEqual({ accepted: true, execution: "one", id: "evt-1", duplicate: false });
    expect((await it.stepwell("send", "one", "answer", '{"yes":true}', "--message-id", "evt-1")).output).toBe(
      'The message had been sent to "one" before. Nothing was stored.\n',
    );
    expect(await it.client.execution("one").mailbox()).toMatchObject([{ id: "evt-1", payload: { yes: true } }]);
    expect(await it.stepwell("send", "nobody", "answer")).toMatchObject({ code: 1 });
    expect(await it.stepwell("send", "one", "answer", "{yes}")).toMatchObject({
      code: 2,
      errors: expect.stringMatching(/^error STEPWELL_INVALID_ARGUMENT: the payload must be JSON/),
    });
  });
});

test("what users wrote can't forge what a terminal shows, as a table or as JSON", async () => {
  const it = await site("sqlite");
  const evil = "x\u001b[2J\u009b31m\u202eforged\u2028line";
  const forging = workflow("forging", { input: z.object({ text: z.string() }) }).step("one", {
    messages: { never: z.null() },
    run: () => pause(),
    onMessage: () => undefined,
  });
  await it.client.launch(forging, { text: evil }, { id: "e\u202evil", tags: ["t\u202eag"] });
  await it.client.send("e\u202evil", "never", null, { messageId: evil });
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  const unsafe = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
  for (const args of [["list"], ["show", "e\u202evil"], ["list", "--json"], ["show", "e\u202evil", "--json"]]) {
    const { code, output, errors } = await it.stepwell(...args);
    expect(code).toBe(0);
    expect(`${output}${errors}`).not.toMatch(unsafe);
  }
  // As JSON nothing is lost.
  expect(JSON.parse((await it.stepwell("show", "e\u202evil", "--json")).output)).toMatchObject({
    state: { text: evil },
  });
});

test("a store that is not there, or not said, is an error of the usage", async () => {
  const nowhere = await ended([binary, "list", "--store", "no/such/file.db"]);
  expect(nowhere).toMatchObject({
    code: 2,
    errors: expect.stringMatching(/^error STEPWELL_INVALID_ARGUMENT: --store/),
  });
  const unsaid = await ended([binary, "list"], { STEPWELL_STORE: "" });
  expect(unsaid.code).toBe(2);
});
