/** The launcher of a parent with two children dies after a change, and another one goes on. */
import { expect } from "vitest";
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { mortal } from "./dying.js";
import { Family, type Plan } from "./family.js";
import type { Rig } from "./rig.js";

/** What becomes of a parent with two children. */
export const plans: Readonly<Record<string, Plan>> = {
  "all goes well": { below: [{ below: [] }, { below: [] }] },
  "the parent fails first": { fails: "first", below: [{ below: [] }, { below: [] }] },
  "the first child fails at its first step": { below: [{ fails: "first", below: [] }, { below: [] }] },
  "the first child fails at its last step": { below: [{ fails: "last", below: [] }, { below: [] }] },
  "the second child fails at its first step": { below: [{ below: [] }, { fails: "first", below: [] }] },
  "the second child fails at its last step": { below: [{ below: [] }, { fails: "last", below: [] }] },
  "the parent fails last": { fails: "last", below: [{ below: [] }, { below: [] }] },
};

/** The launcher of the rig has no part in it. */
export const nobodys = workflow("nobodys", { input: z.object({}) }).step("1", { run: () => undefined });

export const often = { pollInterval: "2s", heartbeat: { interval: "5s", timeout: "20s" } } as const;

interface Life {
  /** False: there were not so many changes. */
  readonly hasDied: boolean;
  /** How many changes it had made until then, or until it had nothing more to do. */
  readonly changes: number;
}

/** Its launcher dies right after change number `last`, and another one goes on. */
export async function dies({ store, clock }: Rig, plan: Plan, last: number, id = `o-${last}`): Promise<Life> {
  const family = new Family(() => store, 2);
  const dead = mortal(store, last);
  const options = { workflows: [family.top], onError: () => undefined, ...often };
  const first = new Launcher({ store: dead.store, ...options });
  // Its caller may have died with it.
  const launched = first.start().then(() => first.launch(family.top, { plan }, { id }));
  launched.catch(() => undefined);
  await clock.advance("1s");
  const [hasDied, changes] = [dead.isDead(), dead.made()];
  const second = new Launcher({ store, ...options });
  await second.start();
  await second.launch(family.top, { plan }, { id });
  await clock.advance("30s");
  expect(await family.problems(id), `after change ${last}`).toEqual([]);
  const stopped = Promise.all([second.stop(), hasDied ? undefined : first.stop()]);
  await clock.advance("5s");
  await stopped;
  return { hasDied, changes };
}

/** It dies after each change that there is, in a life of its own. Gives back how many there were. */
export async function diesOfEach(rig: Rig, plan: Plan): Promise<number> {
  let last = 1;
  while ((await dies(rig, plan, last)).hasDied) last++;
  return last - 1;
}
