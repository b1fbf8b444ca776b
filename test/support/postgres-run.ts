/** One server for all ordinary tests of a run. What they write need not survive anything. */
import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres-server.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the tests' server is; or why there is none. */
    readonly postgres: { readonly url: string } | { readonly missing: string };
  }
}

export async function setup({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env["STEPWELL_TEST_POSTGRES_URL"];
  if (given !== undefined && given !== "") {
    provide("postgres", { url: given });
    return undefined;
  }
  try {
    const server = await startPostgres({ fsync: false });
    provide("postgres", { url: server.url });
    return () => server.stop();
  } catch (error) {
    // Most tests do without; those that need it say why they can't have it.
    provide("postgres", { missing: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}
