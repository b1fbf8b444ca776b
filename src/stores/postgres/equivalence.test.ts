import { expect, test } from "vitest";
import { answersLikeMemory } from "../../../test/support/equivalence.js";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import type { Clock } from "../../clock.js";
import type { Store } from "../contract.js";
import { postgresStore } from "./index.js";

/** Each call goes to a server: here each operation must succeed ten times, and with STEPWELL_EQUIVALENCE=100 a hundred times. */
const wanted = Number(process.env["STEPWELL_EQUIVALENCE"] ?? 10);
const runs = { numRuns: 2, calls: 100, wanted, mostRounds: 5 * wanted, every: 10 };

test(
  "PostgreSQL answers every call as the memory store does, and reads back the same: each often enough",
  async () => {
    const makeStore = (clock: Clock): Store => postgresStore(postgresUrl(), { schema: freshSchema(), clock });
    await expect(answersLikeMemory(makeStore, runs)).resolves.toBeUndefined();
  },
  30_000 * wanted,
);
