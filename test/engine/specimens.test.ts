import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { ExecutionLoop } from "../../src/runtime/loop.js";
import { specimens } from "../../src/runtime/specimens.js";
import { Launcher, memoryStore, workflow } from "../../src/index.js";

setFlagsFromString("--allow-natives-syntax");
const areAlike = runInThisContext("(one, other) => %HaveSameMap(one, other)") as (
  one: object,
  other: object,
) => boolean;

test("what is kept while nothing is in work is, to V8, of the same kind as what an execution in work is made of", async () => {
  const driven = vi.spyOn(ExecutionLoop.prototype, "go");
  const contexts: object[] = [];
  const once = workflow("once", { input: z.object({}) }).step("look", {
    run: (context) => void contexts.push(context),
    rollback: () => undefined,
  });
  await using launcher = new Launcher({ store: memoryStore(), workflows: [once] });
  await launcher.start();
  await (await launcher.launch(once, {})).outcome();
  const { loop, call } = specimens;
  expect(areAlike(driven.mock.contexts[0]!, loop)).toBe(true);
  expect(areAlike(contexts[0]!, call.context)).toBe(true);
});
