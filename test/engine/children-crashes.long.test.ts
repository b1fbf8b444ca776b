/** What `children-crashes.test.ts` tries one of on PostgreSQL, over all. */
import { expect, test } from "vitest";
import { diesOfEach, nobodys, often, plans } from "../support/family-crashes.js";
import { onEveryStore } from "../support/rig.js";

onEveryStore(
  "a parent with two children whose launcher dies after any change",
  (start) => {
    test.each(Object.keys(plans))(
      "is whole or without trace: %s",
      async (name) => expect(await diesOfEach(await start([nobodys], often), plans[name]!)).toBeGreaterThan(2),
      300_000,
    );
  },
  ["postgres"],
);
