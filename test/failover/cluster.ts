/** Three PostgreSQL servers on this machine that Patroni holds together, by what stands in etcd: the one that leads may be lost at any moment. */
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "../support/postgres-server.js";
import { give, Node, runningIn, signal, start, tree, until, type Member } from "./node.js";
import { installed, type Tools } from "./tools.js";

/**
 * - `machine`: all that runs on it is killed, and it is started again once another one leads
 * - `server`: PostgreSQL is killed, and its Patroni goes on
 * - `frozen`: all that runs on it stands still, and connections to it stay open; it is killed once work goes on elsewhere
 */
export const losses = ["machine", "server", "frozen"] as const;
export type Loss = (typeof losses)[number];

export interface Failover {
  readonly loss: Loss;
  /** For how long its standbys had heard nothing, in milliseconds. */
  readonly cutFor: number;
  readonly from: string;
  readonly to: string;
  readonly lostAt: number;
  /** When another server took its first write. */
  readonly promotedAt: number;
}

const prefix = "stepwell-failover-";

/** How long the cluster may take to lead again, and to be whole again, in milliseconds. */
const patience = 180_000;

export class Cluster {
  readonly #folder: string;
  readonly #isSynchronous: boolean;
  readonly #nodes: Node[] = [];
  #etcd: ChildProcess | undefined;

  private constructor(isSynchronous: boolean) {
    sweep();
    this.#folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
    this.#isSynchronous = isSynchronous;
    give(this.#folder);
    process.once("exit", this.#destroy);
  }

  static async start(isSynchronous: boolean): Promise<Cluster> {
    const cluster = new Cluster(isSynchronous);
    await cluster.#start(installed());
    return cluster;
  }

  /** With all hosts, as libpq writes it. */
  get url(): string {
    const hosts = this.#nodes.map(({ ports }) => `127.0.0.1:${ports.postgres}`).join(",");
    return `postgres://postgres@${hosts}/postgres?target_session_attrs=read-write`;
  }

  urlOf(name: string): string {
    return `postgres://postgres@127.0.0.1:${this.#nodes.find((node) => node.name === name)!.ports.postgres}/postgres`;
  }

  get folder(): string {
    return this.#folder;
  }

  async #start(tools: Tools): Promise<void> {
    const [clients, peers] = [await freePort(), await freePort()];
    const folder = join(this.#folder, "etcd");
    mkdirSync(folder, { mode: 0o700 });
    give(folder);
    const at = (port: number): string => `http://127.0.0.1:${port}`;
    this.#etcd = start(
      tools.etcd,
      [
        ...["--name", "etcd", "--data-dir", folder, "--log-level", "warn"],
        ...["--listen-client-urls", at(clients), "--advertise-client-urls", at(clients)],
        ...["--listen-peer-urls", at(peers), "--initial-advertise-peer-urls", at(peers)],
        ...["--initial-cluster", `etcd=${at(peers)}`],
      ],
      folder,
      join(this.#folder, "etcd.log"),
    );
    for (const name of ["one", "two", "three"]) {
      const ports = { postgres: await freePort(), rest: await freePort() };
      const where = join(this.#folder, name);
      const configuration = configurationOf(name, where, ports, clients, tools, this.#isSynchronous);
      this.#nodes.push(new Node(name, where, ports, tools, configuration));
    }
    const [first, ...others] = this.#nodes;
    first!.start();
    await until(
      () => "the first server leads",
      patience,
      async () => (await this.#members()).some(isLeader),
    );
    for (const node of others) node.start();
    await this.ready(3);
  }

  /** One leads, and one may take over; the other one may still be on its way back. At the beginning all must be there. */
  async ready(count: number): Promise<void> {
    let members: readonly Member[] = [];
    const seen = (): string => `all servers are there, but ${JSON.stringify(members)}`;
    await until(seen, patience, async () => {
      members = await this.#members();
      const leader = members.find(isLeader);
      if (leader === undefined || leader.state !== "running") return false;
      const following = members.filter(
        ({ role, state, timeline, lag }) =>
          // Each said where it is at another moment, so under load there is always some lag.
          role !== "leader" && /running|streaming/.test(state) && timeline === leader.timeline && Number(lag) < 2 ** 20,
      );
      const mayTakeOver = !this.#isSynchronous || following.some(({ role }) => role === "sync_standby");
      return mayTakeOver && following.length >= count - 1;
    });
  }

  /** Takes the primary away until another one leads. */
  async failOver(loss: Loss, cutFor: number): Promise<Failover> {
    const name = (await this.#members()).find(isLeader)!.name;
    const lost = this.#nodes.find((node) => node.name === name)!;
    const others = this.#nodes.filter((node) => node !== lost);
    const ends = new Map(others.map((node) => [node, node.end]));
    if (cutFor > 0) {
      lost.cutFromStandbys();
      await setTimeout(cutFor);
    }
    const lostAt = Date.now();
    if (loss === "machine") await lost.loseMachine();
    else if (loss === "server") lost.losePostgres();
    else lost.freeze();
    let found: { readonly to: string; readonly promotedAt: number } | undefined;
    await until(
      () => `another server leads than ${name}`,
      patience,
      () => {
        for (const [node, end] of ends) {
          const promotedAt = node.saidAt(end, "database system is ready to accept connections");
          if (promotedAt !== undefined) found = { to: node.name, promotedAt };
        }
        return found !== undefined;
      },
    );
    return { loss, cutFor, from: name, lostAt, ...found! };
  }

  /** What was lost comes back as a standby. */
  async comeBack({ loss, from }: Failover): Promise<void> {
    const node = this.#nodes.find(({ name }) => name === from)!;
    // Nothing is thawed: Patroni 3.0 without a watchdog takes the lead back from the new primary if its process goes on after so long.
    if (loss === "frozen") await node.loseMachine();
    if (loss !== "server") node.start();
    await this.ready(2);
  }

  async stop(): Promise<void> {
    process.off("exit", this.#destroy);
    this.#destroy();
    await setTimeout(100);
    this.#destroy();
  }

  async #members(): Promise<readonly Member[]> {
    for (const node of this.#nodes) {
      if (!node.isStarted) continue;
      const members = await node.members().catch(() => undefined);
      if (members !== undefined) return members;
    }
    return [];
  }

  readonly #destroy = (): void => {
    for (const node of this.#nodes) node.destroy();
    if (this.#etcd?.pid !== undefined) signal([this.#etcd.pid], "SIGKILL");
    remove(this.#folder);
  };
}

/** What a trial that was killed has left: its number stands in the name of the folder. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const folder = join(tmpdir(), name);
    signal(runningIn(folder).flatMap(tree), "SIGKILL");
    remove(folder);
  }
}

/** What ends at this moment may still write there: then the next trial removes it. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  } catch (error) {
    if (!["ENOTEMPTY", "ENOENT"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

function isLeader({ role }: Member): boolean {
  return role === "leader";
}

function configurationOf(
  name: string,
  folder: string,
  ports: { readonly postgres: number; readonly rest: number },
  etcd: number,
  tools: Tools,
  isSynchronous: boolean,
): object {
  const at = (port: number): string => `127.0.0.1:${port}`;
  return {
    scope: "stepwell",
    name,
    restapi: { listen: at(ports.rest), connect_address: at(ports.rest) },
    etcd3: { host: at(etcd) },
    bootstrap: {
      dcs: {
        // A machine is taken for lost after so many seconds.
        ttl: 7,
        loop_wait: 1,
        retry_timeout: 3,
        // A server that died is not started again where it was, if another one can lead at once.
        primary_start_timeout: 0,
        synchronous_mode: isSynchronous,
        maximum_lag_on_failover: 2 ** 40,
        // Without slots a standby can follow the new primary at once; what it may still need is kept by size.
        postgresql: { use_pg_rewind: true, use_slots: false, parameters: serverParameters },
      },
      initdb: [{ encoding: "UTF8" }, { locale: "C" }, { auth: "trust" }, "data-checksums"],
    },
    postgresql: {
      listen: at(ports.postgres),
      connect_address: at(ports.postgres),
      data_dir: join(folder, "data"),
      bin_dir: tools.postgres,
      pgpass: join(folder, "pgpass"),
      authentication: { superuser: { username: "postgres" }, replication: { username: "postgres" } },
      pg_hba: ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
      basebackup: [{ checkpoint: "fast" }],
      remove_data_directory_on_rewind_failure: true,
      remove_data_directory_on_diverged_timelines: true,
      parameters: { unix_socket_directories: "" },
    },
  };
}

const serverParameters = {
  max_connections: 100,
  shared_buffers: "64MB",
  max_wal_size: "256MB",
  wal_keep_size: "512MB",
  wal_retrieve_retry_interval: "200ms",
  synchronous_commit: "on",
  log_line_prefix: "%n ",
};
