import { defineConfig } from "vitest/config";

const { CI } = process.env;

export default defineConfig({
  test: {
    include: ["{src,test,examples}/**/*.test.ts"],
    globalSetup: ["test/support/postgres-run.ts"],
    // Some tests start processes, which is slow on a busy machine.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // `.ci/run` counts the tests from the file.
    reporters: CI ? ["default", ["json", { outputFile: ".tmp/tests.json" }]] : ["default"],
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["src/**/*.test.ts", "src/**/*.test-d.ts"] },
  },
});
