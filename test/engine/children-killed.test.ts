/** Real launchers, one of which is killed each second, over a parent of many children. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { Client } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { crowdOf, effectsTable } from "../support/crowd.js";
import { freshSchema, postgresUrl, query } from "../support/postgres.js";

const count = Number(process.env["STEPWELL_CROWD"] ?? 1_000);
const patience = 60_000 + 60 * count;

const program = fileURLToPath(new URL("../support/crowd.ts", import.meta.url));

async function started(schema: string): Promise<ChildProcess> {
  const child = fork(program, [postgresUrl(), schema], { execArgv: ["--import", "tsx"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

test(
  "each child of many is done once, and undone once, though one of two launchers is killed each second",
  async () => {
    const schema = freshSchema();
    const store = postgresStore(postgresUrl(), { schema });
    const client = new Client({ store });
    onTestFinished(() => client.stop());
    const crowd = crowdOf(() => Promise.resolve());
    const execution = await client.launch(crowd, { count }, { id: "crowd" });
    const effects = (what: string) =>
      query(
        postgresUrl(),
        `SELECT count(*)::int AS rows, count(DISTINCT item)::int AS items FROM ${schema}.effects WHERE what = '${what}'`,
      );
    await query(postgresUrl(), effectsTable.replace("effects (", `${schema}.effects (`));
    const launchers = [await started(schema), await started(schema)];
    const over = new AbortController();
    let kills = 0;
    const killing = (async () => {
      while (!over.signal.aborted) {
        await sleep(1_000);
        if (over.signal.aborted) break;
        const [oldest] = launchers.splice(0, 1);
        oldest!.kill("SIGKILL");
        kills++;
        launchers.push(await started(schema));
      }
    })();
    onTestFinished(() => over.abort());
    expect(await execution.outcome({ timeout: patience })).toMatchObject({ status: "completed" });
    expect(await effects("done")).toEqual([{ rows: count, items: count }]);
    expect(await effects("undone")).toEqual([{ rows: 0, items: 0 }]);
    expect(await execution.rollback("all of it")).toMatchObject({ accepted: true });
    expect(await execution.outcome({ timeout: patience })).toMatchObject({ status: "rolledBack" });
    over.abort();
    await killing;
    expect(await effects("done")).toEqual([{ rows: count, items: count }]);
    expect(await effects("undone")).toEqual([{ rows: count, items: count }]);
    expect(kills).toBeGreaterThan(0);
    const rows = await execution.history();
    for (const direction of ["up", "down"])
      expect(rows.filter((row) => row.direction === direction).length).toBeLessThan(9);
  },
  2 * patience,
);
