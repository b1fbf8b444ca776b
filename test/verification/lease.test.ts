/** The lease and commit protocol as a model, every history of which is looked at. See verification/README.md. */
import { describe, expect, test } from "vitest";
import { check, missing } from "./spin.js";
import { mutants, scenes, trouble } from "./scenes.js";

const lacking = missing();
// In CI it must run.
if (lacking !== undefined && process.env["CI"]) throw new Error(lacking);

describe.skipIf(lacking !== undefined)(`two launchers${lacking === undefined ? "" : `, skipped: ${lacking}`}`, () => {
  test.each(Object.entries(scenes))("keep every promise and come to rest where %s", async (_, macros) => {
    const { violation, trail } = await check(macros);
    expect(violation, trail).toBeNull();
  });

  test("never go round in circles", async () => {
    const { violation, trail } = await check({ ...trouble, MISTAKES: 0, LOSSES: 1 }, true);
    expect(violation, trail).toBeNull();
  });

  test.each(Object.entries(mutants))("break a promise %s", async (_, macros) => {
    const { violation } = await check({ ...trouble, ...macros });
    expect(violation).not.toBeNull();
  });
});
