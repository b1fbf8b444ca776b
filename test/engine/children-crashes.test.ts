import { expect, test } from "vitest";
import { z } from "zod";
import { Launcher, StepwellError, observer, workflow } from "../../src/index.js";
import { through } from "../../src/testing/faults/through.js";
import { mortal } from "../support/dying.js";
import { Family, type Plan } from "../support/family.js";
import { onEveryStore, type Rig } from "../support/rig.js";

const plans: Readonly<Record<string, Plan>> = {
  "all goes well": { below: [{ below: [] }, { below: [] }] },
  "the parent fails first": { fails: "first", below: [{ below: [] }, { below: [] }] },
  "the first child fails at its first step": { below: [{ fails: "first", below: [] }, { below: [] }] },
  "the first child fails at its last step": { below: [{ fails: "last", below: [] }, { below: [] }] },
  "the second child fails at its first step": { below: [{ below: [] }, { fails: "first", below: [] }] },
  "the second child fails at its last step": { below: [{ below: [] }, { fails: "last", below: [] }] },
  "the parent fails last": { fails: "last", below: [{ below: [] }, { below: [] }] },
};

/** The launcher of the rig has no part in it. */
const nobodys = workflow("nobodys", { input: z.object({}) }).step("1", { run: () => undefined });

const often = { pollInterval: "2s", heartbeat: { interval: "5s", timeout: "20s" } } as const;

/** Its launcher dies right after change number `last`, and another one goes on. False: there were not so many changes. */
async function dies({ store, clock }: Rig, plan: Plan, last: number, id = `o-${last}`): Promise<boolean> {
  const family = new Family(() => store, 2);
  const dead = mortal(store, last);
  const options = { workflows: [family.top], onError: () => undefined, ...often };
  const first = new Launcher({ store: dead.store, ...options });
  // Its caller may have died with it.
  const launched = first.start().then(() => first.launch(family.top, { plan }, { id }));
  launched.catch(() => undefined);
  await clock.advance("1s");
  const hasDied = dead.isDead();
  const second = new Launcher({ store, ...options });
  await second.start();
  await second.launch(family.top, { plan }, { id });
  await clock.advance("30s");
  expect(await family.problems(id), `after change ${last}`).toEqual([]);
  const stopped = Promise.all([second.stop(), hasDied ? undefined : first.stop()]);
  await clock.advance("5s");
  await stopped;
  return hasDied;
}

onEveryStore(
  "a parent with two children whose launcher dies after any change",
  (start) => {
    test.each(Object.keys(plans))(
      "is whole or without trace: %s",
      async (name) => {
        const rig = await start([nobodys], often);
        let last = 1;
        while (await dies(rig, plans[name]!, last)) last++;
        expect(last).toBeGreaterThan(3);
      },
      120_000,
    );
  },
  ["memory"],
);

/** Each change costs time here, so each run tries some of them, others each time. */
onEveryStore(
  "a parent with two children whose launcher dies after some change",
  (start) => {
    test("is whole or without trace", async () => {
      const rig = await start([nobodys], often);
      for (const [name, plan] of Object.entries(plans)) {
        const last = 1 + Math.floor(Math.random() * 12);
        expect(await dies(rig, plan, last, name)).toBeTypeOf("boolean");
      }
    }, 120_000);
  },
  ["sqlite", "postgres"],
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
