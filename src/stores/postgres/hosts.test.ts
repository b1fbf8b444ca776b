import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { startPostgres, type PostgresServer } from "../../../test/support/postgres-server.js";
import { TcpProxy } from "../../../test/support/tcp-proxy.js";
import { checkUrl, eachHost, placeOf } from "./address.js";
import { Hosts, type HostClient } from "./hosts.js";
import { postgresHealth, postgresStore } from "./index.js";
import { connect } from "./open.js";

const several = "postgres://me:p@canary,1@one.example:6543,[::1],three/shop?target_session_attrs=read-write";

test("a connection string of several hosts is one for each of them, up to the last @", () => {
  expect(eachHost(several)).toEqual([
    "postgres://me:p@canary,1@one.example:6543/shop?target_session_attrs=read-write",
    "postgres://me:p@canary,1@[::1]/shop?target_session_attrs=read-write",
    "postgres://me:p@canary,1@three/shop?target_session_attrs=read-write",
  ]);
  expect(eachHost("postgres://me:a,b@one/shop?application_name=a,b")).toHaveLength(1);
  expect(placeOf(several)).toBe("the PostgreSQL database shop on one.example:6543, [::1], three");
  expect(placeOf("postgres://me:canary/7,two/shop")).toBe("the PostgreSQL database");
});

test("a server that takes no writes can't be asked for", () => {
  for (const wanted of ["read-write", "primary"]) checkUrl(`postgres://one,two/shop?target_session_attrs=${wanted}`);
  expect(() => checkUrl("postgres://one,two/shop?target_session_attrs=standby")).toThrow(
    expect.objectContaining({ code: "STEPWELL_INVALID_ARGUMENT", message: expect.stringContaining("read-write") }),
  );
});

/** To a client a standby is a server on which every transaction is read-only. */
async function lead(server: PostgresServer, leads: boolean): Promise<void> {
  const client = new pg.Client({ connectionString: server.url, options: "-c default_transaction_read_only=off" });
  await client.connect();
  await client.query("CREATE SEQUENCE IF NOT EXISTS writes");
  await client.query(`ALTER SYSTEM SET default_transaction_read_only = ${leads ? "off" : "on"}`);
  await client.query("SELECT pg_reload_conf()");
  await client.query("SELECT pg_sleep(0.05)");
  await client.end();
}

const portOf = ({ url }: PostgresServer): number => Number(new URL(url).port);

test("of several hosts the one is used that takes writes, and another one after a failover", async () => {
  const servers = [await startPostgres({ fsync: false }), await startPostgres({ fsync: false })] as const;
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.stop()))));
  const [one, two] = servers;
  await lead(one, true);
  await lead(two, false);
  // Nobody listens on the first.
  const url = `postgres://postgres@127.0.0.1:1,127.0.0.1:${portOf(two)},127.0.0.1:${portOf(one)}/postgres`;
  const opened = await connect(url, { schema: freshSchema(), sharedSessions: false, connections: 3 });
  onTestFinished(() => opened.close());
  const { database, driver } = opened;
  const written = async (): Promise<number> => {
    await database.unprepared("SELECT nextval('writes')");
    const [row] = await database.unprepared<{ port: number }>("SELECT inet_server_port() AS port");
    return row!.port;
  };
  expect(await Promise.all([written(), written(), written()])).toEqual([1, 1, 1].map(() => portOf(one)));
  expect(await postgresHealth(url)).toMatchObject({ hears: true });

  await lead(one, false);
  await lead(two, true);
  await expect.poll(() => written().catch((error: unknown) => error), { timeout: 10_000 }).toBe(portOf(two));
  const line = await driver!.client();
  expect((await line.query({ text: "SHOW port" })).rows).toEqual([{ port: String(portOf(two)) }]);
  await line.end();

  await one.kill();
  expect(await written()).toBe(portOf(two));
  await two.kill();
  await expect
    .poll(() => written().catch((error: unknown) => error), { timeout: 10_000 })
    .toMatchObject({
      code: "STEPWELL_STORE_UNREACHABLE",
      retryable: true,
      message: expect.stringContaining(`127.0.0.1:1, 127.0.0.1:${portOf(two)}, 127.0.0.1:${portOf(one)}`),
    });
}, 60_000);

test("a connection that is cut while its host is asked what it is, since another one leads, is made to that one", async () => {
  const hosts = new Hosts("postgres://one,two/shop?target_session_attrs=read-write");
  let cut = (): void => undefined;
  const answer = new Promise<never>(
    (_, reject) => (cut = () => reject(new Error("Connection terminated unexpectedly"))),
  );
  const standby = { numberOfHost: 0, query: () => answer, cut: () => cut() } as unknown as HostClient;
  const rows = [{ transaction_read_only: "off" }];
  const leader = { numberOfHost: 1, query: async () => ({ rows }), cut: () => undefined } as unknown as HostClient;
  hosts.opened(standby);
  hosts.opened(leader);
  const connecting = hosts.connect(async () => {
    const client = hosts.at === 0 ? standby : leader;
    await hosts.check(client);
    return client;
  });
  // Another one, at the same time.
  await hosts.check(leader);
  expect(await connecting).toBe(leader);
});

test("a connection to a host that accepts, and does not say what it is, is made to the next one", async () => {
  const hosts = new Hosts("postgres://one,two/shop?target_session_attrs=read-write");
  const asked: number[] = [];
  const connected = await hosts.connect(async () => {
    const numberOfHost = hosts.at;
    const query = async () => {
      asked.push(numberOfHost);
      if (numberOfHost === 0) throw new Error("Query read timeout");
      return { rows: [{ transaction_read_only: "off" }] };
    };
    await hosts.check({ numberOfHost, query, cut: () => undefined } as unknown as HostClient);
    return numberOfHost;
  });
  expect([connected, asked]).toEqual([1, [0, 1]]);
});

test("what was asked of a machine that is silent is given up once another host is found to lead", async () => {
  const servers = [await startPostgres({ fsync: false }), await startPostgres({ fsync: false })] as const;
  const proxy = await TcpProxy.before(servers[0].url);
  onTestFinished(async () => void (await Promise.all([proxy.close(), ...servers.map((server) => server.stop())])));
  await lead(servers[1], false);
  // The more hosts there are, the shorter each of them is waited for.
  const nobody = Array.from({ length: 7 }, () => "127.0.0.1:1").join(",");
  const url = `postgres://postgres@127.0.0.1:${new URL(proxy.url).port},127.0.0.1:${portOf(servers[1])},${nobody}/postgres`;
  const opened = await connect(url, { schema: freshSchema(), sharedSessions: false, connections: 3 });
  onTestFinished(() => opened.close());
  const { database, driver } = opened;
  await database.unprepared("SELECT 1");
  proxy.mode = "frozen";
  const silent = database.unprepared("SELECT 2");
  silent.catch(() => undefined);
  await lead(servers[1], true);
  await (await driver!.client()).end();
  await expect(silent).rejects.toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE", retryable: true });
  expect(await database.unprepared("SELECT 3 AS n")).toEqual([{ n: 3 }]);
}, 60_000);

test("where no host takes writes, a start says so, and may be tried again", async () => {
  const server = await startPostgres({ fsync: false, settings: { default_transaction_read_only: "on" } });
  onTestFinished(() => server.stop());
  await expect(postgresStore(`${server.url}?target_session_attrs=primary`).open()).rejects.toMatchObject({
    code: "STEPWELL_STORE_UNREACHABLE",
    retryable: true,
    message: expect.stringContaining("takes no writes"),
  });
}, 60_000);

test("who waits for a free connection does so no longer than a caller waits, and asks no other host for it", async () => {
  const { host } = new URL(postgresUrl());
  const url = postgresUrl().replace(host, `${host},127.0.0.1:1`);
  const opened = await connect(url, { schema: freshSchema(), sharedSessions: false, connections: 2 });
  onTestFinished(() => opened.close());
  const { database } = opened;
  const busy = Promise.all([1, 2].map(() => database.unprepared("SELECT pg_sleep(8)")));
  const late = database.unprepared("SELECT 1").catch((error: unknown) => error);
  expect(await Promise.race([busy, late])).toMatchObject({ code: "STEPWELL_STORE_UNREACHABLE", retryable: true });
  await busy;
}, 60_000);
