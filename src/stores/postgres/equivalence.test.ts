import { expect, test } from "vitest";
import { answersLikeMemory } from "../../../test/support/equivalence.js";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import type { Clock } from "../../clock.js";
import type { Store } from "../contract.js";
import { postgresStore } from "./index.js";

/** Each call goes to a server, so there are fewer than on SQLite. */
const runs = { numRuns: Number(process.env["STEPWELL_EQUIVALENCE_RUNS"] ?? 25), calls: 40 };

test("PostgreSQL answers every call as the memory store does, and reads back the same", async () => {
  const makeStore = (clock: Clock): Store => postgresStore(postgresUrl(), { schema: freshSchema(), clock });
  await expect(answersLikeMemory(makeStore, runs)).resolves.toBeUndefined();
}, 120_000);
