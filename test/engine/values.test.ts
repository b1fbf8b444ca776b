/** What is given comes back as it was: inputs, patches, payloads, what a step gave, and the history made of it. */
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, pause, workflow } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const anything = z.object({ value: z.any() });

/** Each alone: what is beside it must not be what saves it. */
const values: Record<string, unknown> = {
  "-0": -0,
  "-0 in an array": [-0],
  "-0 deep in an object": { a: { b: -0 } },
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  undefined: undefined,
  "undefined in an array": [undefined],
  "a bigint": 2n ** 70n,
  "a date": new Date(1),
  "a map": new Map<unknown, unknown>([[-0, undefined]]),
  "a set": new Set([Number.NaN]),
  bytes: new Uint8Array([0, 255]),
  "a text like the rich form": "~[1]",
  "NUL and half a pair": "\0\ud800",
};

onEveryStore("a value that is given", (start) => {
  test.each(Object.keys(values))("comes back as it was, alone: %s", async (name) => {
    const value = values[name];
    const seen: Record<string, unknown> = {};
    const flow = workflow("flow", { input: anything })
      .step("1", {
        messages: { go: anything },
        run: ({ state }) => {
          seen["input"] = state.value;
          return pause({ patched: value });
        },
        onMessage: ({ message, state }) => {
          seen["patch"] = state.patched;
          seen["payload"] = message.payload.value;
          return { handled: message.payload.value };
        },
        rollback: ({ given }) => void (seen["given"] = given.patched),
      })
      .step("2", { run: () => fail("no", { patch: { failed: value } }) });
    const { launcher, clock, another } = await start([flow]);
    const first = await launcher.launch(flow, { value }, { id: "e" });
    await clock.settle();
    // Another process reads all of it from the store.
    await launcher.stop();
    const second = await another();
    const execution = second.execution(first.id);
    await execution.send("go", { value });
    const outcome = await execution.outcome();
    expect(outcome.status).toBe("rolledBack");
    const state = outcome.state as Record<string, unknown>;
    for (const it of ["value", "patched", "handled", "failed"]) seen[`state ${it}`] = state[it];
    seen["state at 1"] = ((await execution.stateAt(1)) as Record<string, unknown>)["patched"];
    // The same again is the same launch, whatever is in it.
    await second.launch(flow, { value }, { id: "e" });
    const wrong = Object.keys(seen).filter((where) => !isDeepStrictEqual(seen[where], value));
    expect(wrong).toEqual([]);
    expect(Object.keys(seen)).toHaveLength(9);
    expect(Object.hasOwn(state, "patched")).toBe(true);
  });
});
