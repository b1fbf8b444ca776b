import { expect, test } from "vitest";
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { mortal } from "../support/dying.js";
import { Family, type Plan } from "../support/family.js";
import { onEveryStore } from "../support/rig.js";

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

onEveryStore(
  "a parent with two children whose launcher dies after any change",
  (start) => {
    test.each(Object.keys(plans))(
      "is whole or without trace: %s",
      async (name) => {
        const { store, clock } = await start([nobodys], often);
        for (let last = 1; ; last++) {
          const family = new Family(() => store, 2);
          const id = `o-${last}`;
          const dead = mortal(store, last);
          const first = new Launcher({
            store: dead.store,
            workflows: [family.top],
            onError: () => undefined,
            ...often,
          });
          void first.start().then(() => first.launch(family.top, { plan: plans[name] }, { id }));
          await clock.advance("1s");
          const hasDied = dead.isDead();
          const second = new Launcher({ store, workflows: [family.top], onError: () => undefined, ...often });
          await second.start();
          await second.launch(family.top, { plan: plans[name] }, { id });
          await clock.advance("30s");
          expect(await family.problems(id)).toEqual([]);
          const stopped = Promise.all([second.stop(), hasDied ? undefined : first.stop()]);
          await clock.advance("5s");
          await stopped;
          if (!hasDied) return expect(last).toBeGreaterThan(3);
        }
      },
      120_000,
    );
  },
  ["memory"],
);
