/** The recipes of docs/postgres.md, run against the real libraries and a real server. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl, query } from "./support/postgres.js";

const root = fileURLToPath(new URL("..", import.meta.url));

const tables = (schema: string): string =>
  `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.bookings (number integer NOT NULL, cents integer NOT NULL);
   CREATE TABLE ${schema}.offers (number integer NOT NULL)`;

/** Drives each recipe once, and prints what came of it. */
const driver = `
import pg from "pg";
import { Launcher, workflow } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import { z } from "zod";
import { book as withClient } from "./client.js";
import { book as withDrizzle } from "./drizzle.js";
import { withDrizzle as joinDrizzle, withKysely as joinKysely } from "./join.js";
import { book as withKysely } from "./kysely.js";

const url = process.env.RECIPES_URL!;
const schema = process.env.RECIPES_SCHEMA!;
const told: unknown[] = [];
for (const [index, book] of [withClient, withDrizzle, withKysely].entries()) {
  await using launcher = new Launcher({ store: postgresStore(url, { schema }), workflows: [book] });
  await launcher.start();
  const execution = await launcher.launch(book, { number: index, cents: 100 });
  told.push((await execution.outcome()).state);
}
const offer = workflow("offer", { input: z.object({ number: z.number() }) }).step("1", { run: () => ({ made: true }) });
const pool = new pg.Pool({ connectionString: url });
const launcher = new Launcher({ store: postgresStore(url, { schema }), workflows: [offer], pollInterval: 50 });
await launcher.start();
await joinDrizzle(launcher, pool, offer, { number: 1 });
await joinKysely(launcher, pool, offer, { number: 2 });
for (const id of ["offer-1", "offer-2"]) told.push((await launcher.execution(id).outcome()).state);
await launcher.stop();
await pool.end();
console.log(JSON.stringify(told));
`;

test("the recipes for pg, Drizzle and Kysely do what the page says", async () => {
  const page = await readFile(join(root, "docs/postgres.md"), "utf8");
  const blocks = [...page.matchAll(/^```ts ?(.*)\n([^]*?)^```$/gm)];
  const recipe = (name: string): string => blocks.find(([, info]) => info === name)![2]!;
  await mkdir(join(root, ".tmp"), { recursive: true });
  const folder = await mkdtemp(join(root, ".tmp", "recipes-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const paths = { stepwell: ["../../src/index.ts"], "stepwell/postgres": ["../../src/stores/postgres/index.ts"] };
  const config = {
    extends: "../../tsconfig.json",
    compilerOptions: { paths, moduleDetection: "force" },
    include: ["*.ts"],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  for (const name of ["client", "drizzle", "kysely", "join"]) await writeFile(join(folder, `${name}.ts`), recipe(name));
  await writeFile(join(folder, "driver.ts"), driver);
  const schema = freshSchema();
  await query(postgresUrl(), tables(schema));
  const url = new URL(postgresUrl());
  url.searchParams.set("options", `-csearch_path=${schema}`);
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "driver.ts"], {
    cwd: folder,
    env: { ...process.env, RECIPES_URL: url.href, RECIPES_SCHEMA: schema },
  });
  expect(JSON.parse(stdout)).toEqual([
    ...[0, 1, 2].map((number) => ({ number, cents: 100, entered: true })),
    ...[1, 2].map((number) => ({ number, made: true })),
  ]);
  const bookings = await query(postgresUrl(), `SELECT number, cents FROM ${schema}.bookings ORDER BY number`);
  expect(bookings).toEqual([0, 1, 2].map((number) => ({ number, cents: 100 })));
  expect(await query(postgresUrl(), `SELECT number FROM ${schema}.offers ORDER BY number`)).toEqual([
    { number: 1 },
    { number: 2 },
  ]);
}, 60_000);
