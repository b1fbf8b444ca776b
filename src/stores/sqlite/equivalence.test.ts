import { describe, expect, test } from "vitest";
import { answersLikeMemory } from "../../../test/support/equivalence.js";
import type { Clock } from "../../clock.js";
import { drivers } from "./driver.js";
import { sqliteStoreOn, type SqliteStore } from "./sqlite-store.js";

describe.each([...drivers()])("SQLite through $name", (driver) => {
  test("answers every call as the memory store does, and reads back the same: each often enough", async () => {
    const makeStore = (clock: Clock): SqliteStore => sqliteStoreOn(":memory:", clock, "full", () => driver);
    await expect(
      answersLikeMemory(makeStore, { numRuns: 20, calls: 80, wanted: 100, mostRounds: 100, every: 2 }),
    ).resolves.toBeUndefined();
  }, 300_000);
});
