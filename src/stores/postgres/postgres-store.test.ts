import { describe, expect, test } from "vitest";
import { storeContract } from "../../testing/store-contract/index.js";
import { freshSchema, postgresUrl } from "../../../test/support/postgres.js";
import { postgresStore } from "./index.js";

describe("the PostgreSQL store", () => {
  test.each(storeContract)("$name", async ({ run }) => {
    await expect(
      run((clock) => postgresStore(postgresUrl(), { schema: freshSchema(), clock })),
    ).resolves.toBeUndefined();
  });
});
