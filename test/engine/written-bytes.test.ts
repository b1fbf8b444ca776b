/** What executions write into an SQLite file, and into PostgreSQL's log. Bytes are no time: they are the same on every machine. */
import { randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { findDriver } from "../../src/stores/sqlite/driver.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { query } from "../support/postgres.js";

const input = z.object({ given: z.string() });

interface Load {
  readonly steps: number;
  readonly fields: number;
  readonly executions: number;
  /** Of the input, in characters. */
  readonly given: number;
  /** What each step gives, in characters. */
  readonly gives: number;
  /** PostgreSQL compresses what is long: what the texts are made of. */
  readonly textOf?: (length: number) => string;
}

interface AnySteps {
  step(name: string, definition: { readonly run: () => object }): AnySteps;
}

const sameCharacter = (length: number): string => "x".repeat(length);

/** Which nothing makes smaller. */
const randomText = (length: number): string => randomBytes(length).toString("base64").slice(0, length);

/** Names, amounts and dates, as programs keep them. */
function records(length: number): string {
  let text = "";
  while (text.length < length) {
    const [number, cents] = [randomInt(1e9), randomInt(1e6)];
    text += `order ${number} of customer ${randomInt(1e6)}, ${cents} cents, paid at 2024-0${1 + (number % 9)}-1${cents % 10}; `;
  }
  return text.slice(0, length);
}

/** Each step gives one field of these. */
function stepsOf({ steps, fields, gives, textOf = sameCharacter }: Load) {
  const made = workflow("load", { input });
  let more = made as unknown as AnySteps;
  for (let n = 0; n < steps; n++) more = more.step(`s${n}`, { run: () => ({ [`f${n % fields}`]: textOf(gives) }) });
  return more as unknown as typeof made;
}

/** Bytes for each transition of many executions at once, with what their launches write. */
async function written(load: Load): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bytes-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "test.db");
  const it = stepsOf(load);
  const launcher = new Launcher({ store: sqliteStore(path), workflows: [it] });
  await launcher.start();
  // While somebody reads what was there before, the log is not begun anew: it holds all that is written.
  const reader = findDriver().connect(path);
  reader.exec("BEGIN");
  reader.prepare("SELECT id FROM stepwell_executions").all();
  const size = (): number => statSync(`${path}-wal`).size;
  const before = size();
  const one = async (): Promise<void> => {
    const execution = await launcher.launch(it, { given: "x".repeat(load.given) });
    expect((await execution.outcome()).status).toBe("completed");
  };
  await Promise.all(Array.from({ length: load.executions }, one));
  const bytes = size() - before;
  reader.close();
  await launcher.stop();
  return bytes / (load.executions * load.steps);
}

test("a transition of an execution of a hundred steps writes hardly more than one of three", async () => {
  const few = await written({ steps: 3, fields: 3, executions: 200, given: 20, gives: 20 });
  const many = await written({ steps: 100, fields: 3, executions: 200, given: 20, gives: 20 });

  expect(many / few).toBeLessThan(1.3);
});

/** Each step changes another field: they add up to where the whole is written again. */
const distinct = { steps: 100, fields: 100, given: 100_000, gives: 100 };

test("a transition that changes a hundred bytes of a hundred kilobytes writes no more than eight, whole writes counted", async () => {
  expect(await written({ ...distinct, executions: 50 })).toBeLessThan(8_192);
});

/** Nobody else writes into the log of a server of its own; it writes no images of pages, and its vacuum is off. */
describe("on PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => void (server = await startPostgres({ fsync: false, settings: { autovacuum: "off" } })));
  afterAll(() => server.stop());

  async function logged(): Promise<number> {
    const text = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS bytes";
    return (await query<{ readonly bytes: number }>(server.url, text))[0]!.bytes;
  }

  /** Bytes for each launch, and for each transition after it, of many executions at once. */
  async function weighed(load: Load): Promise<{ readonly launch: number; readonly transition: number }> {
    const { textOf = sameCharacter, executions, steps } = load;
    const it = stepsOf(load);
    const launcher = new Launcher({ store: postgresStore(server.url, { schema: `s${++schemas}` }), workflows: [it] });
    await launcher.start();
    const all = Array.from({ length: executions }, () => ({ given: textOf(load.given) }));
    const before = await logged();
    await Promise.all(all.map((given) => launcher.launch(it, given, { delay: "1d" })));
    const launched = await logged();
    await Promise.all(
      all.map(async (given) => {
        const execution = await launcher.launch(it, given);
        expect((await execution.outcome()).status).toBe("completed");
      }),
    );
    const ended = await logged();
    await launcher.stop();
    const launches = launched - before;
    return { launch: launches / executions, transition: (ended - launched - launches) / (executions * steps) };
  }
  let schemas = 0;

  test("a transition of a hundred bytes of a hundred kilobytes writes no more than four, whole writes counted", async () => {
    expect((await weighed({ ...distinct, executions: 10, textOf: records })).transition).toBeLessThan(4_096);
  });

  test("where nothing can be compressed it writes no more than six", async () => {
    expect((await weighed({ ...distinct, executions: 10, textOf: randomText })).transition).toBeLessThan(6_144);
  });

  test("a launch writes its input once, also where the schema makes a copy of it", async () => {
    const load = { steps: 1, fields: 1, executions: 10, given: 100_000, gives: 1, textOf: randomText };
    expect((await weighed(load)).launch).toBeLessThan(120_000);
  });
});
