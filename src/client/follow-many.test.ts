import { expect, test } from "vitest";
import { position } from "../testing/store-contract/bench.js";
import type { ListedExecution, Store } from "../stores/contract.js";
import { chosenBy, ManyFollower } from "./follow-many.js";

const listed = (id: number, more: Partial<ListedExecution> = {}): ListedExecution => ({
  ...{ id: `e-${id}`, workflow: "sell", version: "1", fingerprint: null, tags: [], status: "waiting", position },
  ...{ revision: 1, signals: 0, owner: null, claims: 0, dueAt: null, deadlineAt: null, createdAt: id, updatedAt: id },
  ...{ carried: null, subscribed: 0, admission: null, line: null, root: null, ...more },
});

/** A store that lists so many, the newest first. */
const holding = (count: number): Pick<Store, "list"> => ({
  list: ({ limit, after }) => {
    const begin = Number(after ?? 0);
    const records = Array.from({ length: Math.min(limit, count - begin) }, (_, n) => listed(count - begin - n));
    return { records, cursor: begin + limit < count ? String(begin + limit) : null };
  },
});

async function foundIn(store: Pick<Store, "list">): Promise<number> {
  const follower = new ManyFollower(chosenBy({}), () => 0);
  let found = 0;
  for await (const page of follower.found(async (work) => work(store as Store))) found += page.length;
  return found;
}

test("follows ten thousand that have not ended, and refuses to keep where more of them stand", async () => {
  expect(await foundIn(holding(10_000))).toBe(10_000);
  await expect(foundIn(holding(10_001))).rejects.toMatchObject({ code: "STEPWELL_FILTER_TOO_WIDE" });
});

test("refuses a filter of which few of many fit", async () => {
  const store: Pick<Store, "list"> = { list: () => ({ records: [listed(1)], cursor: "1" }) };
  await expect(foundIn(store)).rejects.toMatchObject({ code: "STEPWELL_FILTER_TOO_WIDE" });
});

test("keeps a thousand of those that have ended, and gives none of them twice", async () => {
  let [now, count] = [0, 0];
  const ended = (n: number): ListedExecution => listed(n, { status: "completed", createdAt: 1 });
  const newestFirst = (): ListedExecution[] => Array.from({ length: count }, (_, n) => ended(count - n));
  const store: Pick<Store, "list" | "load"> = {
    list: ({ status, limit, after }) => {
      const begin = Number(after ?? 0);
      const records = status === undefined ? newestFirst().slice(begin, begin + limit) : [];
      return { records, cursor: status === undefined && begin + limit < count ? String(begin + limit) : null };
    },
    load: (ids) => ids.map((id) => ended(Number(id.slice(2)))) as never,
  };
  const follower = new ManyFollower(chosenBy({}), () => now);
  const found = async (): Promise<string[]> => {
    const ids: string[] = [];
    for await (const page of follower.found(async (work) => work(store as Store)))
      ids.push(...page.map(({ id }) => id));
    return ids;
  };
  expect(await found()).toEqual([]);
  count = 3_000;
  expect(follower.newestIs("e-3000")).toBe(true);
  expect(new Set(await found()).size).toBe(3_000);
  expect(follower.seen.size).toBe(1_000);
  now = 1_000;
  follower.heardOf(["e-1", "e-2999"]);
  follower.newestIs(undefined);
  expect(await found()).toEqual([]);
});
