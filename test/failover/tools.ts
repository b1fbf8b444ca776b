/** Debian's programs for a cluster that fails over. Nothing is installed on a machine that somebody works on: then it is said what is missing. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface Tools {
  /** The folder with PostgreSQL's programs. */
  readonly postgres: string;
  readonly patroni: string;
  readonly etcd: string;
}

const versions = "/usr/lib/postgresql";
const packages = ["patroni", "etcd-server", "postgresql"];

export function installed(): Tools {
  const found = look();
  if (found !== undefined) return found;
  // In a container that lets no service start: elsewhere Debian would start a server and etcd on their usual ports.
  const mayInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get") && existsSync("/usr/sbin/policy-rc.d");
  if (mayInstall) install();
  const now = look();
  if (now !== undefined) return now;
  throw new Error(
    `The trial of failovers needs PostgreSQL with its server programs, Patroni and etcd, and does not find all of them. ` +
      `On Debian: apt-get install ${packages.join(" ")}. The services that this starts are not needed, and may be disabled.`,
  );
}

function look(): Tools | undefined {
  const [patroni, etcd] = ["/usr/bin/patroni", "/usr/bin/etcd"];
  const newest = (existsSync(versions) ? readdirSync(versions) : []).toSorted((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined || !existsSync(patroni) || !existsSync(etcd)) return undefined;
  const postgres = join(versions, newest, "bin");
  return existsSync(join(postgres, "pg_rewind")) ? { postgres, patroni, etcd } : undefined;
}

function install(): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: string[]): boolean => spawnSync("apt-get", args, { env, stdio: "ignore" }).status === 0;
  const get = (): boolean => apt("install", "-y", "--no-install-recommends", ...packages);
  // The list of packages may be old, or not there.
  if (!get()) {
    apt("update");
    get();
  }
}
