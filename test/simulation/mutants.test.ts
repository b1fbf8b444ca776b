import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fits, mutants } from "./mutants.js";

test("each mistake that is planted fits into the source as it is now, and no two are the same", () => {
  const lost = mutants.filter(
    ({ file, text }) => !fits(readFileSync(new URL(`../../src/${file}`, import.meta.url), "utf8"), text),
  );
  expect(lost).toEqual([]);
  expect(new Set(mutants.map(({ file, text }) => `${file}\n${text}`)).size).toBe(mutants.length);
});
