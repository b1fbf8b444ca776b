/** Real launchers, one of which is killed each second, over a parent of many children. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { Client, type Execution } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { atOnce, crowdOf, effectsTable } from "./crowd.js";
import { freshSchema, postgresUrl, query } from "./postgres.js";

const program = fileURLToPath(new URL("crowd.ts", import.meta.url));

async function started(schema: string): Promise<ChildProcess> {
  const child = fork(program, [postgresUrl(), schema], { execArgv: ["--import", "tsx"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

/** What was done or undone: how often it was entered, of how many items. */
interface Effects {
  readonly rows: number;
  readonly items: number;
}

class Crowd {
  readonly #schema = freshSchema();
  readonly #over = new AbortController();
  #killing: Promise<void> | undefined;
  kills = 0;

  /** @param fails the last item does so */
  async begin(count: number, fails: boolean): Promise<Execution> {
    const client = new Client({ store: postgresStore(postgresUrl(), { schema: this.#schema }) });
    onTestFinished(() => client.stop());
    const execution = await client.launch(
      crowdOf(() => Promise.resolve()),
      { count, fails },
      { id: "crowd" },
    );
    await query(postgresUrl(), effectsTable.replace("effects (", `${this.#schema}.effects (`));
    const launchers = [await started(this.#schema), await started(this.#schema)];
    this.#killing = this.#kill(launchers);
    onTestFinished(() => this.#over.abort());
    return execution;
  }

  async #kill(launchers: ChildProcess[]): Promise<void> {
    while (!this.#over.signal.aborted) {
      await sleep(1_000);
      if (this.#over.signal.aborted) return;
      launchers.shift()!.kill("SIGKILL");
      this.kills++;
      launchers.push(await started(this.#schema));
    }
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.#killing;
  }

  async effects(what: string): Promise<Effects> {
    const [found] = await this.#ask(`count(*)::int AS rows, count(DISTINCT item)::int AS items`, `what = '${what}'`);
    return found as Effects;
  }

  /** Items that were done and not undone. */
  async left(): Promise<readonly unknown[]> {
    const undone = `SELECT item FROM ${this.#schema}.effects WHERE what = 'undone'`;
    return this.#ask("item", `what = 'done' AND item NOT IN (${undone})`);
  }

  #ask(columns: string, where: string): Promise<readonly unknown[]> {
    return query(postgresUrl(), `SELECT ${columns} FROM ${this.#schema}.effects WHERE ${where}`);
  }
}

async function expectFewCommits(execution: Execution): Promise<void> {
  const rows = await execution.history();
  for (const direction of ["up", "down"])
    expect(rows.filter((row) => row.direction === direction).length).toBeLessThan(9);
}

const patienceFor = (count: number): number => 60_000 + 60 * count;

export function testRolledBack(count: number): void {
  const patience = patienceFor(count);
  test(
    `each of ${count} children is done once, and undone once, though one of two launchers is killed each second`,
    async () => {
      const crowd = new Crowd();
      const execution = await crowd.begin(count, false);
      expect(await execution.outcome({ timeout: patience })).toMatchObject({ status: "completed" });
      expect(await crowd.effects("done")).toEqual({ rows: count, items: count });
      expect(await crowd.effects("undone")).toEqual({ rows: 0, items: 0 });
      expect(await execution.rollback("all of it")).toMatchObject({ accepted: true });
      expect(await execution.outcome({ timeout: patience })).toMatchObject({ status: "rolledBack" });
      await crowd.end();
      expect(await crowd.effects("done")).toEqual({ rows: count, items: count });
      expect(await crowd.effects("undone")).toEqual({ rows: count, items: count });
      expect(crowd.kills).toBeGreaterThan(0);
      await expectFewCommits(execution);
    },
    2 * patience,
  );
}

export function testFailingLate(count: number): void {
  const patience = 2 * patienceFor(count);
  test(
    `where the last of ${count} children fails, all are undone once, though one of two launchers is killed each second`,
    async () => {
      const crowd = new Crowd();
      const execution = await crowd.begin(count, true);
      expect(await execution.outcome({ timeout: patience })).toMatchObject({
        status: "rolledBack",
        reason: "bad-item",
      });
      await crowd.end();
      const [done, undone] = [await crowd.effects("done"), await crowd.effects("undone")];
      // Of those that were under way when it failed, some had done nothing yet.
      expect(done.items).toBeGreaterThan(count - atOnce);
      expect(done.rows).toBe(done.items);
      expect(undone.rows).toBe(undone.items);
      expect(await crowd.left()).toEqual([]);
      expect(crowd.kills).toBeGreaterThan(0);
      await expectFewCommits(execution);
    },
    patience,
  );
}
