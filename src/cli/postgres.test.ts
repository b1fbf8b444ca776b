import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { stepwell } from "../../test/support/command.js";
import { freshSchema, postgresUrl, query } from "../../test/support/postgres.js";
import { migrations } from "../stores/postgres/migrations.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);
const canary = "canary-7f3a";

async function folderWith(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-cli-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

describe("stepwell migrate", () => {
  test("shows the SQL with --dry-run, applies it without, and has nothing to do then", async () => {
    const folder = await folderWith();
    const schema = freshSchema();
    const place = ["migrate", "--store", postgresUrl(), "--schema", schema];
    const shown = await stepwell(folder, ...place, "--dry-run");
    expect(shown).toMatchObject({ code: 0, errors: "" });
    expect(shown.output).toMatch(/^BEGIN;\n[^]*CREATE TABLE [^]*COMMIT;\n$/);
    expect(await query(postgresUrl(), "SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema])).toEqual([]);
    expect(await stepwell(folder, ...place)).toEqual({
      code: 0,
      output: `Applied: ${migrations.map(({ name }) => name).join("; ")}\n`,
      errors: "",
    });
    for (const more of [[], ["--dry-run"]]) {
      const again = await stepwell(folder, ...place, ...more);
      expect(again).toEqual({ code: 0, output: "", errors: "Nothing to do: the tables are up to date.\n" });
    }
  });

  test("is for PostgreSQL only", async () => {
    const { code, errors } = await stepwell(await folderWith(), "migrate", "--store", "orders.db");
    expect(code).toBe(2);
    expect(errors).toMatch(/^error STEPWELL_INVALID_ARGUMENT: migrate is for PostgreSQL/);
  });

  test.each([["--debug"], ["--schema", "No Schema"], []])("prints no password, whatever fails: %s", async (...more) => {
    const url = new URL(postgresUrl());
    url.password = canary;
    url.port = "1";
    const { code, output, errors } = await stepwell(await folderWith(), "migrate", "--store", url.href, ...more);
    expect(code).toBe(2);
    expect(errors).toMatch(/^error STEPWELL_/);
    expect(output + errors).not.toContain(canary);
  });
});

test.each([
  ["run", "shop.mjs", "--input", "orders.jsonl"],
  ["check", "shop.mjs"],
  ["dead-letters"],
  ["resend", "order-1", "evt-1"],
  ["migrate"],
])("%s prints nothing of a --store that it does not understand", async (...command) => {
  const folder = await folderWith({ "shop.mjs": shop, "orders.jsonl": `{"cents":1}\n` });
  const places = [
    `mysql://me:${canary}@db.example/shop`,
    `postgres:/me:${canary}@db.example/shop`,
    `host=db.example password=${canary}`,
    `postgres://me:p@${canary}?7@db.example/shop`,
  ];
  for (const place of places) {
    const { code, output, errors } = await stepwell(folder, ...command, "--store", place, "--debug");
    expect(errors).toMatch(/^error STEPWELL_INVALID_ARGUMENT/);
    expect(code).toBe(2);
    expect(output + errors).not.toMatch(new RegExp(`${canary}|db\\.example`));
  }
});

const shop = `
  import { workflow } from ${JSON.stringify(pathToFileURL(join(root, "src", "index.ts")).href)};
  import { z } from ${JSON.stringify(pathToFileURL(require.resolve("zod")).href)};
  export const buy = workflow("buy", { input: z.object({ cents: z.number() }) }).step("pay", { run: () => ({ paid: true }) });
`;

describe("stepwell run", () => {
  test("keeps the executions in a PostgreSQL database where the store is a connection string", async () => {
    const folder = await folderWith({ "shop.mjs": shop, "orders.jsonl": `{"cents":1}\n{"cents":2}\n` });
    const schema = freshSchema();
    const place = [
      "run",
      "shop.mjs",
      "--input",
      "orders.jsonl",
      "--store",
      postgresUrl(),
      "--schema",
      schema,
      "--json",
    ];
    for (const _ of ["once", "again"]) {
      const { code, output, errors } = await stepwell(folder, ...place);
      expect({ code, errors }).toEqual({ code: 0, errors: "" });
      expect(JSON.parse(output)).toMatchObject({ launched: 2, completed: 2 });
    }
    const rows = await query(
      postgresUrl(),
      `SELECT id, status, revision FROM ${schema}.stepwell_executions ORDER BY id`,
    );
    expect(rows).toEqual([
      { id: "orders.jsonl:1", status: "completed", revision: 1 },
      { id: "orders.jsonl:2", status: "completed", revision: 1 },
    ]);
  });

  test("has no schema for a file", async () => {
    const folder = await folderWith({ "shop.mjs": shop, "orders.jsonl": `{"cents":1}\n` });
    const place = ["run", "shop.mjs", "--input", "orders.jsonl", "--store", "orders.db", "--schema", "x"];
    expect(await stepwell(folder, ...place)).toMatchObject({
      code: 2,
      errors: expect.stringContaining("--schema is for PostgreSQL") as string,
    });
  });
});
