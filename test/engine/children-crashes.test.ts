import { expect, test } from "vitest";
import { z } from "zod";
import { StepwellError, observer, workflow } from "../../src/index.js";
import { through } from "../../src/testing/faults/through.js";
import { dies, diesOfEach, nobodys, often, plans } from "../support/family-crashes.js";
import { onEveryStore } from "../support/rig.js";

onEveryStore(
  "a parent with two children whose launcher dies after any change",
  (start) => {
    test.each(Object.keys(plans))(
      "is whole or without trace: %s",
      async (name) => expect(await diesOfEach(await start([nobodys], often), plans[name]!)).toBeGreaterThan(2),
      120_000,
    );
  },
  ["memory", "sqlite"],
);

/** Each change costs time here, so each run tries one, another each time; the long trials try all. */
onEveryStore(
  "a parent with two children whose launcher dies after some change",
  (start) => {
    test("is whole or without trace", async () => {
      const rig = await start([nobodys], often);
      for (const [name, plan] of Object.entries(plans)) {
        const { hasDied, changes } = await dies(rig, plan, Infinity, `${name}, unharmed`);
        expect(hasDied).toBe(false);
        // What comes together is one change, so there may be fewer another time.
        let last = 1 + Math.floor(Math.random() * changes);
        while (!(await dies(rig, plan, last, `${name}, ${last}`)).hasDied) last--;
        expect(last).toBeGreaterThan(0);
      }
    }, 120_000);
  },
  ["postgres"],
);

onEveryStore("a parent that is taken from its launcher while that one reads its children", (start) => {
  test("is told to the observers of the one who goes on with it, and to nobody else", async () => {
    const heard: string[] = [];
    const family = (by: string) => {
      const child = workflow("child", { input: z.object({}) }).step("work", { run: () => undefined });
      return workflow("parent", { input: z.object({}) })
        .observe(
          observer({ name: "guard", guard: true, afterStep: ({ flow }) => void heard.push(`${by} ${flow.stepIndex}`) }),
        )
        .child("child", child, { input: () => ({}), join: () => undefined });
    };
    const { store, clock, another } = await start([nobodys], often);
    let isCutOff = false;
    let goOn = (): void => undefined;
    const looks = new Set(["beat", "claim", "register"]);
    const cutOff = through(store, (call, name) => {
      if (name !== "lists.lines" && !looks.has(name)) return call;
      return async (...given) => {
        if (looks.has(name) && isCutOff) throw new StepwellError("STEPWELL_STORE_UNREACHABLE", "It is away.");
        if (name === "lists.lines") {
          isCutOff = true;
          await new Promise<void>((resolve) => (goOn = resolve));
        }
        return call(...given);
      };
    });
    const first = await another([family("first")], { store: cutOff, ...often });
    const execution = await first.launch(family("first"), {}, { id: "p" });
    await clock.advance("1s");
    expect(isCutOff).toBe(true);
    await another([family("second")], often);
    await clock.advance("1m");
    expect(await execution.summary()).toMatchObject({ status: "completed" });
    isCutOff = false;
    await clock.advance("10s");
    goOn();
    await clock.advance("1s");
    expect(heard).toEqual(["second 0"]);
  });
});
