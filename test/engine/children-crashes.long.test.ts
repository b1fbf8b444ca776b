/** What `children-crashes.test.ts` tries one of on PostgreSQL, over all. */
import { expect, test } from "vitest";
import { dies, nobodys, often, plans } from "../support/family-crashes.js";
import { onEveryStore } from "../support/rig.js";

onEveryStore(
  "a parent with two children whose launcher dies after any change",
  (start) => {
    test.each(Object.keys(plans))(
      "is whole or without trace: %s",
      async (name) => {
        const rig = await start([nobodys], often);
        let last = 1;
        while ((await dies(rig, plans[name]!, last)).hasDied) last++;
        expect(last).toBeGreaterThan(3);
      },
      300_000,
    );
  },
  ["postgres"],
);
