/** Another commit to measure against: a worktree of it in a temporary folder, built, with this bench in it. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Tree {
  readonly ref: string;
  /** The short hash of its commit. */
  readonly commit: string;
  readonly folder: string;
  remove(): void;
}

/** What the bench needs besides the package. */
const copied = ["bench", "test/support/postgres-server.ts"];

/** @throws where the ref is none, or its commit can't be built */
export function treeOf(ref: string, root: string): Tree {
  const git = (...words: readonly string[]): string =>
    execFileSync("git", words, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  const commit = git("rev-parse", "--short", "--verify", "--end-of-options", `${ref}^{commit}`);
  const outer = mkdtempSync(join(tmpdir(), "stepwell-bench-against-"));
  // The PostgreSQL server of the bench may run as another user, and its programs lie in here.
  chmodSync(outer, 0o755);
  const folder = join(outer, "tree");
  const remove = (): void => {
    rmSync(outer, { recursive: true, force: true });
    git("worktree", "prune");
  };
  try {
    git("worktree", "add", "--detach", folder, commit);
    const npm = (...words: readonly string[]): void => {
      execFileSync("npm", words, {
        cwd: folder,
        stdio: ["ignore", "ignore", "pipe"],
        shell: process.platform === "win32",
      });
    };
    npm("ci", "--prefer-offline", "--no-audit", "--no-fund");
    npm("run", "build");
    // All of the bench is the present one: both are asked the same.
    rmSync(join(folder, "bench"), { recursive: true, force: true });
    for (const path of copied) cpSync(join(root, path), join(folder, path), { recursive: true });
  } catch (error) {
    remove();
    throw error;
  }
  return { ref, commit, folder, remove };
}
