/** By itself: commits of old, beside which others are measured, have no `again`. */
import { again, workflow } from "stepwell";
import { type order, unchecked } from "./work.js";

/** So many transitions in one step, each with a field of the state. */
export const long = workflow("long", { input: unchecked<typeof order>() }).step("count", {
  run: ({ polls }) => (polls < 20_000 - 1 ? again({ counted: polls }, { after: 0 }) : { counted: polls }),
});
