/** `stepwell doctor`: what is wrong around the executions of a store, a sentence each, with what mends it. */
import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { memoryStore, type Client, type LauncherSummary } from "../index.js";
import { listed, quoted, span } from "../desk/model/spans.js";
import { migratePostgres, postgresHealth, type PostgresHealth } from "../stores/postgres/index.js";
import { asking, operateCodes, type OperateOptions } from "./asking.js";
import type { Screen } from "./screen.js";
import { isPostgres } from "./store.js";
import { clean, jsonLine, paintFor, shellWord } from "./text.js";

interface Finding {
  /** Stable, for scripts. */
  readonly kind: string;
  /** `act`: something does not go on, or soon will not. `watch`: it may become so. */
  readonly urgency: "act" | "watch";
  readonly message: string;
  /** What mends it: mostly a command. */
  readonly mend: string;
}

/** Longer than a launcher needs between two heartbeats, in milliseconds. */
const silence = 30_000;

const largestClockDifference = 5_000;

const longestTransaction = 5 * 60_000;

/** With fewer rows it does not matter. */
const fewestDead = 10_000;

const leastDisk = 1024 ** 3;

/** How many executions are looked at for those that struggle. */
const lookedAt = 1_000;

export async function doctor(options: OperateOptions, screen: Screen): Promise<number> {
  const { store, schema, json = false } = options;
  const found: Finding[] = [];
  // Asked before the store is opened, which would bring the tables up to date.
  const isBehind =
    isPostgres(store) &&
    (await migratePostgres(store, { dryRun: true, ...(schema !== undefined && { schema }) })) !== "";
  if (isBehind) {
    found.push({
      kind: "tables-behind",
      urgency: "act",
      message: "The tables are not there, or not those of this version of Stepwell: nothing else was looked at.",
      mend: "stepwell migrate, or start a launcher of this version",
    });
  } else {
    const code = await asking(options, screen, async (client) => {
      found.push(...(await ofLaunchers(client)), ...(await ofExecutions(client)), ...(await ofClocks(client)));
    });
    if (code !== operateCodes.done) return code;
    found.push(
      ...(isPostgres(store)
        ? ofServer(await postgresHealth(store, schema === undefined ? {} : { schema }))
        : ofDisk(store)),
    );
  }
  if (json) for (const one of found) screen.result(jsonLine(one));
  else screen.result(found.length === 0 ? "Nothing is wrong, as far as can be seen from here." : told(found));
  return found.length === 0 ? operateCodes.done : operateCodes.refused;
}

function told(found: readonly Finding[]): string {
  const paint = paintFor(process.stdout);
  const signs = { act: paint("red", "‼ act  "), watch: paint("yellow", "… watch") };
  return found
    .toSorted((one, other) => (one.urgency < other.urgency ? -1 : one.urgency === other.urgency ? 0 : 1))
    .map(({ urgency, message, mend }) => `${signs[urgency]}  ${clean(message)}\n         ${clean(mend)}`)
    .join("\n");
}

async function ofLaunchers(client: Client): Promise<Finding[]> {
  const launchers = await client.fleet.launchers();
  const found: Finding[] = [];
  const alive = launchers.filter(({ silentMs }) => silentMs < silence);
  if (alive.length === 0) {
    found.push({
      kind: "no-launcher",
      urgency: "act",
      message: "No launcher runs on this store: nothing is driven.",
      mend: "Start one: new Launcher({ store, workflows }).start()",
    });
  }
  for (const { host, pid, silentMs } of launchers) {
    if (silentMs < silence) continue;
    found.push({
      kind: "silent-launcher",
      urgency: "watch",
      message: `The launcher of process ${pid} on ${host} has been silent for ${span(silentMs)}; the others take it for dead after their heartbeat's timeout.`,
      mend: "See whether the process is there, and whether it is kept busy or paused",
    });
  }
  found.push(...ofNames(alive));
  const unattended = await client.fleet.unattended();
  for (const { what, workflow, version } of unattended) {
    found.push({
      kind: "unattended",
      urgency: "act",
      message: `${what === "executions" ? "Executions" : "Schedules"} of workflow "${workflow}" version "${version}" have been due for more than a minute, and no launcher takes them.`,
      mend: `Start a launcher that has version "${version}" of "${workflow}", or one with a version that migrates from it`,
    });
  }
  return found;
}

/** Machines that go by one name can't be told apart in what people read. */
function ofNames(launchers: readonly LauncherSummary[]): Finding[] {
  const places = new Map<string, Set<string>>();
  for (const { host, place } of launchers) places.set(host, (places.get(host) ?? new Set()).add(place));
  return [...places].flatMap(([host, { size }]) =>
    size < 2
      ? []
      : {
          kind: "shared-name",
          urgency: "watch" as const,
          message: `Launchers on ${size} machines or containers go by the same host name, ${quoted(host)}: what they say of themselves can't be told apart.`,
          mend: "Give each its own: hostnamectl set-hostname, docker run --hostname, or hostname in the pod",
        },
  );
}

async function ofExecutions(client: Client): Promise<Finding[]> {
  const found: Finding[] = [];
  const stuck = await client.select({ status: "stuck", children: true }).count();
  if (stuck.count > 0) {
    found.push({
      kind: "stuck",
      urgency: "act",
      message:
        stuck.count === 1
          ? "One execution is stuck: it needs a person."
          : `${stuck.count}${stuck.more ? "+" : ""} executions are stuck: they need a person.`,
      mend: "stepwell list --status stuck --children",
    });
  }
  const { executions, damaged } = await client.list({
    status: ["running", "waiting", "scheduled"],
    children: true,
    limit: lookedAt,
  });
  const struggling = executions.filter((it) => it.struggling);
  if (struggling.length > 0) {
    found.push({
      kind: "struggling",
      urgency: "watch",
      message: `${struggling.length} of the newest ${executions.length} executions that go on have failed five times or more and are tried again, such as ${listed(
        struggling.map(({ id }) => id),
        "and",
        3,
      )}.`,
      mend: `stepwell show ${shellWord(struggling[0]!.id)}`,
    });
  }
  if (damaged.length > 0) {
    found.push({
      kind: "damaged",
      urgency: "act",
      message: `${damaged.length} executions can't be read: ${damaged[0]!.message}`,
      mend: "Mend their rows from a backup, then: stepwell retry",
    });
  }
  const { count: letters, more } = await client.countDeadLetters();
  if (letters > 0) {
    found.push({
      kind: "dead-letters",
      urgency: "watch",
      message: `${letters}${more ? " or more" : ""} messages were never taken by a step.`,
      mend: "stepwell dead-letters",
    });
  }
  return found;
}

/** The store's time is known up to the length of a question; the memory store has the clock of this process. */
async function ofClocks(client: Client): Promise<Finding[]> {
  const difference = Math.abs((await client.fleet.now()).getTime() - memoryStore().clock!.now());
  if (difference < largestClockDifference) return [];
  return [
    {
      kind: "clocks",
      urgency: "watch",
      message: `The clock of this machine and that of the store differ by ${span(difference)}. Launchers correct theirs; logs and what people read do not.`,
      mend: "Let both machines set their clocks by NTP",
    },
  ];
}

function ofServer(health: PostgresHealth): Finding[] {
  const found: Finding[] = [];
  const { oldestTransactionMs: age, oldestTransactionBy: who, connections, mostConnections } = health;
  if (age !== null && age > longestTransaction) {
    found.push({
      kind: "old-transaction",
      urgency: "watch",
      message: `A transaction of "${who}" has been open for ${span(age)}: until it ends, no table is cleaned up.`,
      mend: "Find it in pg_stat_activity by its xact_start, and end it: SELECT pg_terminate_backend(pid)",
    });
  }
  const bloated = health.tables.filter(({ live, dead }) => dead > fewestDead && dead > live);
  if (bloated.length > 0) {
    found.push({
      kind: "bloat",
      urgency: "watch",
      message: `${listed(bloated.map(({ name }) => name))} have more dead rows than live ones.`,
      mend: `VACUUM ${bloated[0]!.name}; and look for old transactions, and for autovacuum_max_workers`,
    });
  }
  if (!health.hears) {
    found.push({
      kind: "listener",
      urgency: "watch",
      message:
        "What one connection tells, another one does not hear: launchers learn of what others have done only when they look for it, some seconds later.",
      mend: `Give launchers the address of the server itself, or of a pooler in session mode. Behind one in transaction mode say so: postgresStore(url, { pooler: "transaction" })`,
    });
  }
  if (!health.autovacuum) {
    found.push({
      kind: "no-autovacuum",
      urgency: "watch",
      message: "Autovacuum is off: tables grow without end.",
      mend: "ALTER SYSTEM SET autovacuum = on",
    });
  }
  if (connections > 0.9 * mostConnections) {
    found.push({
      kind: "connections",
      urgency: "act",
      message: `${connections} of ${mostConnections} connections of the server are in use.`,
      mend: `Give launchers fewer "connections", or the server more max_connections`,
    });
  }
  return found;
}

function ofDisk(path: string): Finding[] {
  const { bavail, bsize } = statfsSync(dirname(resolve(path)));
  const free = bavail * bsize;
  if (free >= leastDisk) return [];
  return [
    {
      kind: "disk",
      urgency: "act",
      message: `The disk of the file has ${Math.round(free / 1024 ** 2)} MiB left.`,
      mend: "Make room, or prune what has ended: the option retention of a launcher",
    },
  ];
}
