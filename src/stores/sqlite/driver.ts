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

export interface Connection {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

export interface Driver {
  readonly name: DriverName;
  connect(path: string): Connection;
}

export const driverNames = ["node:sqlite", "@photostructure/sqlite"] as const;

export type DriverName = (typeof driverNames)[number];

interface Binding {
  readonly DatabaseSync: new (path: string) => Connection;
}

/**
 * The first binding that is there: Node's own, else the package.
 *
 * @throws STEPWELL_SQLITE_MISSING
 */
export function findDriver(names: readonly DriverName[] = driverNames): Driver {
  let cause: unknown;
  for (const name of names) {
    try {
      const binding = name === "node:sqlite" ? nodesOwn() : installed();
      if (binding !== undefined) return { name, connect: (path) => new binding.DatabaseSync(path) };
    } catch (error) {
      cause = error;
    }
  }
  throw new StepwellError(
    "STEPWELL_SQLITE_MISSING",
    `The SQLite store needs Node 22.13 or newer, which brings SQLite, or the package @photostructure/sqlite; this is Node ` +
      `${process.versions.node} without it. Run: npm install @photostructure/sqlite@1.2.1`,
    { cause },
  );
}

/** An import would break Nodes without it, and bundlers. */
function nodesOwn(): Binding | undefined {
  return (process.getBuiltinModule as ((id: string) => Binding | undefined) | undefined)?.("node:sqlite");
}

function installed(): Binding {
  return createRequire(import.meta.url)("@photostructure/sqlite") as Binding;
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
