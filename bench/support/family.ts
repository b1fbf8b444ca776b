/** By itself: commits of old, beside which others are measured, have no children. */
import { workflow } from "stepwell";
import { parked, unchecked, type order } from "./work.js";

/** One step, that gives a small object. */
export const trivial = workflow("trivial", { input: unchecked<typeof order>() }).step("only", {
  run: () => ({ done: true }),
});

const items = unchecked<{ items: (typeof order)[] }>();

export const family = workflow("family", { input: items }).forEach("each", trivial, {
  items: ({ state }) => [...state.items],
});

/** Its children wait for a message that never comes. */
export const parkedFamily = workflow("parked-family", { input: items }).forEach("each", parked, {
  items: ({ state }) => [...state.items],
});
