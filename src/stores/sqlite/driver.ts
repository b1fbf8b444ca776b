/**
 * The two SQLite bindings that Stepwell works with. They have the same API, and nothing of theirs is
 * used but what stands here.
 */
import { createRequire } from "node:module";
import { StepwellError } from "../../errors.js";

export type Value = string | number | null;

export interface Statement {
  run(...values: Value[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...values: Value[]): unknown;
  all(...values: Value[]): unknown[];
}

/** The handle of SQLite's own connection, as `node:sqlite` and `@photostructure/sqlite` have it. */
export interface Connection {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

export interface Driver {
  readonly name: string;
  connect(path: string): Connection;
}

interface Binding {
  readonly DatabaseSync: new (path: string) => Connection;
}

const bindings: readonly { readonly name: string; readonly load: () => Binding | undefined }[] = [
  { name: "node:sqlite", load: nodesOwn },
  { name: "@photostructure/sqlite", load: installed },
];

/** Those that are there, the best first. */
export function* drivers(): Generator<Driver, void> {
  for (const { name, load } of bindings) {
    const binding = load();
    if (binding !== undefined) yield { name, connect: (path) => new binding.DatabaseSync(path) };
  }
}

/** @throws STEPWELL_SQLITE_MISSING */
export function findDriver(found: Iterable<Driver> = drivers()): Driver {
  for (const driver of found) return driver;
  throw new StepwellError(
    "STEPWELL_SQLITE_MISSING",
    `The SQLite store needs Node 22.13 or newer, which brings SQLite, or the package @photostructure/sqlite; this is Node ` +
      `${process.versions.node} without it. Run: npm install @photostructure/sqlite@1.2.1`,
  );
}

/** An import would break Nodes without it, and bundlers. */
function nodesOwn(): Binding | undefined {
  return (process.getBuiltinModule as ((id: string) => Binding | undefined) | undefined)?.("node:sqlite");
}

function installed(): Binding | undefined {
  const require = createRequire(import.meta.url);
  try {
    require.resolve("@photostructure/sqlite");
  } catch {
    return undefined;
  }
  // One that is there but can't be loaded says why by itself.
  return require("@photostructure/sqlite") as Binding;
}

/** From here on a file may have several connections. */
export const safeVersion = "3.51.3";

/**
 * Whether a file may have several connections. SQLite before 3.51.3 (and its backport 3.50.7) has a
 * race between a writer and a checkpoint of another connection that can lose commits ("WAL-reset bug").
 */
export function sharesSafely(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  if (major !== 3) return major > 3;
  if (minor === 50) return patch >= 7;
  return minor === 51 ? patch >= 3 : minor > 51;
}
