import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import { Progress } from "./test/support/progress.js";

const { CI } = process.env;

const all = "{src,test,examples}/**/*.test.ts";
/** Trials that repeat what the other tests show once: many crashes, many outages, many random plans. */
const long = "{src,test,examples}/**/*.long.test.ts";

/** Some tests start processes, which is slow on a busy machine. */
const timeouts = { testTimeout: 60_000, hookTimeout: 60_000 };

/** Names of tests are whole sentences, also where they come from a table; not whole texts. */
const chaiConfig = { truncateThreshold: 200 };

export default defineConfig({
  test: {
    // Many tests wait for processes and servers: on two cores, too, two files at a time are faster than one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Steps that fail on purpose are told of on the console, as for users.
    silent: "passed-only",
    // Here, not in the projects: they share the server.
    globalSetup: ["test/support/postgres-run.ts"],
    projects: [
      { test: { name: "main", include: [all], exclude: [...configDefaults.exclude, long], ...timeouts, chaiConfig } },
      { test: { name: "long", include: [long], ...timeouts, chaiConfig } },
    ],
    // `.ci/run` counts the tests from the file.
    reporters: ["default", new Progress({ minutes: { main: 5, long: 5 } }), ...(CI ? ["json"] : [])],
    outputFile: { json: ".tmp/tests.json" },
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["src/**/*.test.ts", "src/**/*.test-d.ts"] },
  },
});
