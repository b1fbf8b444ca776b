// Runs every check but the tests, goes on after a failure, and closes with `N passed, N failed`.
import { spawnSync } from "node:child_process";

// The build comes first: the examples import the built package by its name, as users do.
const checks = ["build", "format:check", "types", "lint", "knip", "publint", "attw"];

const failed = checks.filter((check) => {
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync("npm", ["run", "--silent", check], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    shell: process.platform === "win32",
  });
  const passed = status === 0;
  console.log(`${passed ? "passed" : "FAILED"}  ${check}  ${((performance.now() - start) / 1000).toFixed(1)} s`);
  if (!passed) console.log([error?.message, stdout, stderr].filter(Boolean).join("\n"));
  return !passed;
});

if (failed.length > 0) console.log(`Failed: ${failed.join(", ")}. Run one alone with \`npm run <name>\`.`);
console.log(`${checks.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length > 0 ? 1 : 0;
