/** Executions that another process drives, followed by real time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { Client, type ExecutionSummary, type HistoryRow, type Store } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { rounds } from "../support/followed.js";
import { freshSchema, postgresUrl } from "../support/postgres.js";

const program = fileURLToPath(new URL("../support/followed.ts", import.meta.url));

async function driving(...place: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, ["--import", "tsx", program, ...place], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(async () => {
    const ended = once(child, "exit");
    child.stdin.end();
    await ended;
  });
  await once(child.stdout, "data");
}

const places: Record<string, () => { readonly store: Store; readonly place: readonly string[] }> = {
  sqlite: () => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-follow-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "test.db");
    return { store: sqliteStore(path), place: [path] };
  },
  postgres: () => {
    const schema = freshSchema();
    return { store: postgresStore(postgresUrl(), { schema }), place: [postgresUrl(), schema] };
  },
};

describe.each(Object.keys(places))("what another process drives, on the %s store", (kind) => {
  test("is followed to its end: every transition of one, and the last state of many", async () => {
    const { store, place } = places[kind]!();
    const client = new Client({ store });
    onTestFinished(() => client.stop());
    await client.list();
    await driving(...place);

    const ids = Array.from({ length: 8 }, (_, n) => `e-${n}`);
    const over = new AbortController();
    const last = new Map<string, ExecutionSummary>();
    const seen = (async () => {
      for await (const summary of client.follow({ workflow: "rounds", signal: over.signal })) {
        last.set(summary.id, summary);
        if (ids.every((id) => last.get(id)?.status === "rolledBack")) over.abort();
      }
    })();
    const executions = await Promise.all(ids.map((id, n) => client.launch(rounds, { n }, { id })));
    const rows = await Promise.all(
      executions.map(async (execution) => {
        const found: HistoryRow[] = [];
        for await (const row of execution.follow()) found.push(row);
        return found;
      }),
    );
    for (const [index, execution] of executions.entries()) expect(rows[index]).toEqual(await execution.history());
    await Promise.all(executions.map((execution) => execution.rollback("returned")));
    await seen;
    for (const execution of executions) expect(last.get(execution.id)).toEqual(await execution.summary());
  }, 60_000);
});
