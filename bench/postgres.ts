import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { Store } from "stepwell";
import { postgresStore } from "stepwell/postgres";
import type { Batch } from "./rows.js";
import { startPostgres, type PostgresServer } from "../test/support/postgres-server.js";
import { inFlight, launcherOn, type Measured } from "./load.js";
import { bareCommit, bareRate, type Row } from "./postgres-bare.js";
import type { Figure } from "./report.js";
import { down, echo, order, parked, up } from "./work.js";

const count = 15_000;
const busy = 256;
const latencies = 500;
const wakes = 300;
const manyParked = 1_000_000;

/** A real server with its defaults of durability: `fsync` and `synchronous_commit` on. */
export async function postgres(): Promise<Figure[]> {
  const server = await startPostgres({ fsync: true, settings: { max_wal_size: "4GB", shared_buffers: "512MB" } });
  try {
    return [
      ...(await throughput(server, "postgres.up", up)),
      ...(await throughput(server, "postgres.down", down)),
      ...(await launching(server)),
      ...(await latency(server)),
      ...(await scale(server)),
      ...(await wake(server, true)),
      ...(await wake(server, false)),
      ...(await parkedMany(server)),
    ];
  } finally {
    await server.stop();
  }
}

let schemas = 0;
const newSchema = (): string => `bench_${++schemas}`;

/** The engine, and a bare loop that writes the same rows, in turns; the best round of each. */
async function throughput(server: PostgresServer, name: string, workflow: Measured): Promise<Figure[]> {
  const best = { executions: 0, engineRows: 0, bareRows: 0 };
  for (let round = 0; round < 3; round++) {
    const { store, rows } = recorder(postgresStore(server.url, { schema: newSchema() }));
    const launcher = await launcherOn(store, [workflow]);
    const rate = await inFlight(launcher, workflow, count, busy);
    await launcher.stop();
    best.executions = Math.max(best.executions, rate);
    best.engineRows = Math.max(best.engineRows, (rate * rows.length) / count);
    best.bareRows = Math.max(best.bareRows, await bare(server, rows));
  }
  return [{ name, value: best.executions, unit: "executions/s", ratio: best.engineRows / best.bareRows }];
}

/** Launches that are stored and not driven: they are delayed. */
async function launching(server: PostgresServer): Promise<Figure[]> {
  const { store, rows } = recorder(postgresStore(server.url, { schema: newSchema() }));
  const launcher = await launcherOn(store, [up]);
  const began = performance.now();
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) await launcher.launch(up, order, { delay: "1h" });
  };
  await Promise.all(Array.from({ length: busy }, one));
  const rate = count / ((performance.now() - began) / 1000);
  await launcher.stop();
  return [{ name: "postgres.launch", value: rate, unit: "executions/s", ratio: rate / (await bare(server, rows)) }];
}

async function latency(server: PostgresServer): Promise<Figure[]> {
  const schema = newSchema();
  const launcher = await launcherOn(postgresStore(server.url, { schema }), [up]);
  const times: number[] = [];
  for (let index = 0; index < latencies; index++) {
    const began = performance.now();
    await (await launcher.launch(up, order)).outcome();
    times.push(performance.now() - began);
  }
  await launcher.stop();
  const commits = 4 * (await bareCommit(server.url, schema));
  const median = quantile(times, 0.5);
  return [
    { name: "postgres.latency", value: median, unit: "ms (median)", ratio: median / commits },
    { name: "postgres.latency.p99", value: quantile(times, 0.99), unit: "ms (p99)" },
  ];
}

async function scale(server: PostgresServer): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const processes of [1, 2, 4]) {
    const schema = newSchema();
    await prepared(server, schema);
    const each = Math.round(count / processes);
    const children = Array.from({ length: processes }, () => child("drive", server.url, schema, each));
    await Promise.all(children.map((it) => once(it.process, "message")));
    const began = performance.now();
    const done = children.map((it) => once(it.process, "message"));
    for (const it of children) it.process.send("go");
    await Promise.all(done);
    const value = (each * processes) / ((performance.now() - began) / 1000);
    figures.push({ name: `postgres.scale.${processes}`, value, unit: "executions/s" });
    await Promise.all(children.map((it) => it.exited));
  }
  return figures;
}

/** From a message that is stored to the commit of its handler, in another process. */
async function wake(server: PostgresServer, notifications: boolean): Promise<Figure[]> {
  const schema = newSchema();
  await prepared(server, schema);
  const waiter = child("wait", server.url, schema, notifications);
  await once(waiter.process, "message");
  const ids = Array.from({ length: wakes }, (_, index) => `echo-${index}`);
  const first = await launcherOn(postgresStore(server.url, { schema }), [echo]);
  await first.launchMany(
    echo,
    ids.map((id) => ({ input: order, id })),
  );
  await first.stop();
  // It does not know the workflow: what it sends wakes the other process.
  const store = postgresStore(server.url, { schema });
  const sender = await launcherOn(store, [up]);
  while (!(await allWait(store, ids))) await setTimeout(50);
  const times: number[] = [];
  for (const id of notifications ? ids : ids.slice(0, 20)) {
    await sender.send(id, "go", null);
    const began = performance.now();
    while ((await store.load([id]))[0]!.status === "waiting") await setTimeout(1);
    times.push(performance.now() - began);
  }
  waiter.process.send("stop");
  await waiter.exited;
  await sender.stop();
  const name = notifications ? "postgres.wake" : "postgres.wake.polling";
  return [
    { name, value: quantile(times, 0.5), unit: "ms (median)" },
    { name: `${name}.p99`, value: quantile(times, 0.99), unit: "ms (p99)" },
  ];
}

async function allWait(store: Store, ids: readonly string[]): Promise<boolean> {
  return (await store.load(ids)).every((record) => record?.status === "waiting");
}

/** The same work on an empty table, and beside a million executions that wait. */
async function parkedMany(server: PostgresServer): Promise<Figure[]> {
  const [empty, full] = [newSchema(), newSchema()];
  await prepared(server, empty);
  await prepared(server, full);
  await park(server, full);
  const best = { empty: 0, full: 0 };
  for (let round = 0; round < 3; round++) {
    best.empty = Math.max(best.empty, await rateOn(server, empty));
    best.full = Math.max(best.full, await rateOn(server, full));
  }
  const booted = child("boot", server.url, full);
  const [{ milliseconds }] = (await once(booted.process, "message")) as [{ milliseconds: number }];
  await booted.exited;
  return [
    { name: "postgres.parked", value: best.full, unit: "executions/s", ratio: best.full / best.empty },
    { name: "postgres.parked.boot", value: milliseconds, unit: "ms" },
  ];
}

async function rateOn(server: PostgresServer, schema: string): Promise<number> {
  const launcher = await launcherOn(postgresStore(server.url, { schema }), [up]);
  const rate = await inFlight(launcher, up, count, busy);
  await launcher.stop();
  return rate;
}

/** One execution is parked by the engine; the others are copies of its row. */
async function park(server: PostgresServer, schema: string): Promise<void> {
  const launcher = await launcherOn(postgresStore(server.url, { schema }), [parked]);
  const execution = await launcher.launch(parked, order, { id: "parked-0" });
  while ((await execution.summary()).status !== "waiting") await setTimeout(5);
  await launcher.stop();
  const client = new pg.Client(server.url);
  await client.connect();
  const table = `${schema}.stepwell_executions`;
  const { rows } = await client.query<{ column_name: string }>(
    "SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'stepwell_executions'",
    [schema],
  );
  const columns = rows.map(({ column_name: name }) => name);
  const values = columns.map((name) =>
    name === "id" ? "'parked-' || n" : name === "sequence" ? `nextval('${schema}.stepwell_sequence')` : `e.${name}`,
  );
  await client.query(
    `INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values.join(", ")} FROM ${table} AS e, generate_series(1, ${manyParked - 1}) AS n`,
  );
  await client.query(`VACUUM ANALYZE ${table}`);
  await client.end();
}

async function prepared(server: PostgresServer, schema: string): Promise<void> {
  const store = postgresStore(server.url, { schema });
  await store.open();
  await store.close();
}

async function bare(server: PostgresServer, rows: readonly Row[]): Promise<number> {
  const schema = newSchema();
  await prepared(server, schema);
  return bareRate(server.url, schema, rows);
}

/** The store, and what was written to it in the order in which it was. */
function recorder(store: Store): { readonly store: Store; readonly rows: Row[] } {
  const rows: Row[] = [];
  const write = store.write.bind(store);
  store.write = (batch: Batch) => {
    rows.push(...batch.creates, ...batch.transitions);
    return write(batch);
  };
  return { store, rows };
}

interface Child {
  readonly process: ChildProcess;
  readonly exited: Promise<unknown>;
}

function child(...words: readonly (string | number | boolean)[]): Child {
  const process = fork(fileURLToPath(new URL("postgres-child.ts", import.meta.url)), words.map(String), {
    execArgv: ["--import", "tsx"],
  });
  // Listened for from the start: it may end at any moment.
  return { process, exited: once(process, "exit") };
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length * share)]!;
}
