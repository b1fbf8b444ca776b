import { expect, test } from "vitest";
import type { Database, Statement } from "./database.js";
import { WorkInHand } from "./work.js";

/** What the database is told to remove: how many handfuls at a time. */
function removals(): { readonly database: Database; readonly removed: number[] } {
  const removed: number[] = [];
  const rows = async (_: Statement, [owners]: unknown[]): Promise<unknown[]> => {
    removed.push((owners as Buffer).readInt32BE(12));
    return [];
  };
  return { database: { rows } as unknown as Database, removed };
}

test("a handful is over when all of it was let go of", async () => {
  const { database, removed } = removals();
  const work = new WorkInHand();
  work.took(1, 10, ["a", "b"]);
  work.letGo("a");
  await work.clear(database);
  expect(removed).toEqual([]);
  work.letGo("b");
  work.letGo("b");
  await work.clear(database);
  await work.clear(database);
  expect(removed).toEqual([1]);
});

test("what is taken up again is in the later handful only", async () => {
  const { database, removed } = removals();
  const work = new WorkInHand();
  work.took(1, 10, ["a", "b"]);
  work.took(1, 11, ["a"]);
  work.letGo("b");
  await work.clear(database);
  expect(removed).toEqual([1]);
  work.letGo("a");
  await work.clear(database);
  expect(removed).toEqual([1, 1]);
});
