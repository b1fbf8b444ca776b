/** Lists and counts read what they show, and little else: what would read thousands of rows is refused. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow, type ListOptions } from "../../src/index.js";
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

/** Copies of one that waits, made by hand, with its tag; `n` counts them. */
async function copy({ sql, store }: Rig, count: number, changes: Readonly<Record<string, string>> = {}): Promise<void> {
  const [row] = await sql("SELECT * FROM stepwell_executions WHERE status = 'waiting' LIMIT 1");
  const isServer = store.name === "postgres";
  // A server fills the shelf by itself.
  const names = Object.keys(row as object).filter((name) => !(isServer && name === "shelf"));
  const special: Record<string, string> = {
    id: "'copy-' || n",
    sequence: isServer ? "nextval('stepwell_sequence')" : "NULL",
    ...changes,
  };
  await sql(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
     INSERT INTO stepwell_executions (${names.join(", ")}) SELECT ${names.map((name) => special[name] ?? name).join(", ")}
     FROM (SELECT * FROM stepwell_executions WHERE status = 'waiting' LIMIT 1) AS one CROSS JOIN numbers`,
  );
  await sql(
    `INSERT INTO stepwell_tags (tag, created_at, execution)
     SELECT 'many', created_at, sequence FROM stepwell_executions WHERE id LIKE 'copy-%' ON CONFLICT DO NOTHING`,
  );
}

/** Of all pages. */
async function listed({ launcher }: Rig, filter: Omit<ListOptions, "after">): Promise<string[]> {
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const page = await launcher.list({ ...filter, ...(after !== undefined && { after }) });
    ids.push(...page.executions.map(({ id }) => id));
    after = page.cursor ?? undefined;
  } while (after !== undefined);
  return ids;
}

/** Of a child. */
const line = `'["l",0,"top",1]'`;

const tooWide = { code: "STEPWELL_FILTER_TOO_WIDE" };

onEverySqlStore("a list or a count", (start) => {
  test("of few among many of one tag is refused, save where a time says where they are; acts on them find them", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    const { launcher } = rig;
    const between = await waiting(rig, 6_000);
    const filter = { tags: ["many"], status: "stuck" } as const;
    const message = expect.stringMatching(/stuck.*many/s) as string;
    await expect(launcher.list(filter)).rejects.toMatchObject({ ...tooWide, message });
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

  test("fills its pages past the rows of a tree that is being pruned, however many they are", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    await waiting(rig, 1);
    const all = await listed(rig, {});
    expect(all).toHaveLength(3);
    await copy(rig, 5_000, { root: "'gone'", created_at: "created_at + n" });
    expect(await rig.launcher.list({ limit: 2 })).toMatchObject({ executions: [{ id: "copy-5000" }, {}] });
    await rig.sql("INSERT INTO stepwell_pruning (root) VALUES ('gone')");
    for (const limit of [1, 3]) {
      expect(await listed(rig, { limit })).toEqual(all);
      expect(await listed(rig, { limit, children: true, workflow: "steps" })).toEqual(all);
      expect(await listed(rig, { limit, tags: ["many"] })).toEqual(all);
      expect(await listed(rig, { limit, tags: ["many"], status: "waiting" })).toEqual(all.slice(0, 1));
      expect(await listed(rig, { limit, status: ["waiting", "completed", "stuck"] })).toEqual(all);
    }
    expect((await rig.launcher.list({ limit: 2 })).executions).toHaveLength(2);
    expect((await rig.store.list({ limit: 3, oldestFirst: true })).records.map(({ id }) => id)).toEqual(
      all.toReversed(),
    );
  });

  test("without children goes on past thousands of them", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    await waiting(rig, 1);
    const all = await listed(rig, {});
    await copy(rig, 4_200, {
      root: "'top'",
      line,
      workflow: "'other-' || n % 7",
      created_at: "created_at + n",
    });
    for (const limit of [1, 2, 3, 100]) {
      expect(await listed(rig, { limit })).toEqual(all);
      expect(await listed(rig, { limit, status: ["completed", "stuck"] })).toEqual(all.slice(1));
    }
    expect(await listed(rig, { children: true, limit: 1000 })).toHaveLength(4_203);
    expect(await rig.launcher.select({ all: true }).count()).toEqual({ count: 3, more: false });
  });

  test("of a tag gives up where it has looked at four thousand more than it may find, and not where they fit", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    const { launcher } = rig;
    await waiting(rig, 1);
    // Two are stuck, one waits, and one more comes below.
    const looked = rig.store.name === "postgres" ? 8_000 : 14_000;
    await copy(rig, looked - 4);
    const all = launcher.select({ tags: ["many"] });
    if (looked > 10_000) expect(await all.count()).toEqual({ count: 10_000, more: true });
    else expect(await all.count()).toEqual({ count: looked - 1, more: false });
    const few = launcher.select({ tags: ["many"], status: "stuck" });
    expect(await few.count()).toEqual({ count: 2, more: false });
    await rig.sql(
      "INSERT INTO stepwell_tags (tag, created_at, execution) SELECT 'many', created_at + 1, sequence FROM stepwell_executions WHERE id = 'copy-1'",
    );
    await expect(few.count()).rejects.toMatchObject(tooWide);
  });

  test("of a tree and a workflow gives up as well; of a tree alone it does not", async () => {
    const rig = await start([steps], { ...patient, onError: () => undefined });
    const { launcher } = rig;
    await waiting(rig, 1);
    const [top] = await listed(rig, {});
    const many = { root: `'${top}'`, line, workflow: "'other'", created_at: "created_at + n" };
    await copy(rig, 4_099, many);
    expect(await launcher.list({ root: top!, workflow: "steps" })).toMatchObject({ executions: [], cursor: null });
    await copy(rig, 1, { ...many, id: "'one-more'" });
    await expect(launcher.list({ root: top!, workflow: "steps" })).rejects.toMatchObject(tooWide);
    const none = { root: top!, workflow: "steps" } as const;
    expect(await launcher.select(none).count()).toEqual({ count: 0, more: false });
    expect(await launcher.select({ root: top! }).count()).toEqual({ count: 4_100, more: false });
    expect((await launcher.list({ root: top!, status: "stuck" })).executions).toEqual([]);
  });
});
