/** Lists and counts read what they show, and little else: what would read thousands of rows is refused. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow } from "../../src/index.js";
import { onEverySqlStore, patient, type Rig } from "../support/rig.js";

const input = z.object({ sticks: z.boolean() });

const steps = workflow("steps", { input }).step("1", {
  messages: { go: z.null() },
  run: ({ state }) => (state.sticks ? fail("no") : pause()),
  onMessage: () => undefined,
  rollbackRetry: { attempts: 1 },
  rollback: () => {
    throw new Error("not now");
  },
});

/** Two that are stuck, and then so many that wait; all with one tag. */
async function waiting({ launcher, clock }: Rig, count: number): Promise<Date> {
  const many = (sticks: boolean, length: number) =>
    launcher.launchMany(
      steps,
      Array.from({ length }, () => ({ input: { sticks }, tags: ["many"] })),
    );
  for (const execution of await many(true, 2)) expect((await execution.outcome()).status).toBe("stuck");
  await clock.advance("1m");
  const between = new Date(clock.now());
  for (let left = count; left > 0; left -= 1000) await many(false, Math.min(left, 1000));
  await clock.settle();
  return between;
}

/** Copies of one that waits, made by hand. */
async function copy({ sql, store }: Rig, count: number): Promise<void> {
  const [row] = await sql("SELECT * FROM stepwell_executions WHERE status = 'waiting' LIMIT 1");
  const isServer = store.name === "postgres";
  // A server fills the shelf by itself.
  const names = Object.keys(row as object).filter((name) => !(isServer && name === "shelf"));
  const special: Record<string, string> = {
    id: "'copy-' || n",
    sequence: isServer ? "nextval('stepwell_sequence')" : "NULL",
  };
  await sql(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
     INSERT INTO stepwell_executions (${names.join(", ")}) SELECT ${names.map((name) => special[name] ?? name).join(", ")}
     FROM (SELECT * FROM stepwell_executions WHERE status = 'waiting' LIMIT 1) AS one CROSS JOIN numbers`,
  );
}

onEverySqlStore("a list or a count", (start) => {
  test("of few among many of one tag is refused, save where a time says where they are; acts on them find them", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    const { launcher } = rig;
    const between = await waiting(rig, 6_000);
    const filter = { tags: ["many"], status: "stuck" } as const;
    const tooWide = { code: "STEPWELL_FILTER_TOO_WIDE", message: expect.stringMatching(/stuck.*many/s) as string };
    await expect(launcher.list(filter)).rejects.toMatchObject(tooWide);
    // A count may look at more rows than a page.
    expect(await launcher.select(filter).count()).toEqual({ count: 2, more: false });
    const near = { ...filter, createdBefore: between };
    expect((await launcher.list(near)).executions).toHaveLength(2);
    expect(await launcher.select(near).count()).toEqual({ count: 2, more: false });
    // Without the tag they stand on a shelf of their own.
    expect((await launcher.list({ status: "stuck" })).executions).toHaveLength(2);
    expect(await launcher.select(filter).retry({ dryRun: true })).toMatchObject({ accepted: 2 });
  });

  test("counts exactly up to ten thousand, and says of more that there are more", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    const { launcher } = rig;
    await waiting(rig, 1);
    await copy(rig, 9_999);
    const count = async (filter: object): Promise<unknown> => launcher.select(filter).count();
    expect(await count({ status: "waiting" })).toEqual({ count: 10_000, more: false });
    expect(await count({ workflow: "steps", status: ["stuck", "completed"] })).toEqual({ count: 2, more: false });
    expect(await count({ all: true })).toEqual({ count: 10_000, more: true });
    expect(await count({ workflow: "steps" })).toEqual({ count: 10_000, more: true });
    // Pages go through all of them, each once.
    const seen = new Set<string>();
    for (let after: string | undefined, pages = 0; pages < 11; pages++) {
      const page = await launcher.list({ status: "waiting", limit: 1000, ...(after !== undefined && { after }) });
      for (const { id } of page.executions) seen.add(id);
      expect(page.cursor === null).toBe(seen.size === 10_000);
      if (page.cursor === null) break;
      after = page.cursor;
    }
    expect(seen.size).toBe(10_000);
  });

  test("goes on where the looking ended, also where it ended at one that fits", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    const { launcher, store } = rig;
    // The 4,003rd of the newest is the last that a page of three may look at.
    await waiting(rig, 4_002);
    const filter = { tags: ["many"], status: ["stuck"], limit: 3 } as const;
    const found: string[] = [];
    for (let after: string | undefined, pages = 0; pages < 5; pages++) {
      const page = await store.list({ ...filter, after });
      found.push(...page.records.map(({ id }) => id));
      if (page.cursor === null) break;
      after = page.cursor;
    }
    expect(found).toHaveLength(2);
    expect((await launcher.list({ status: "stuck" })).executions.map(({ id }) => id)).toEqual(found);
  });
});
