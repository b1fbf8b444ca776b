import { expect, test } from "vitest";
import { WorkInHand } from "./work.js";

/** How many handfuls are said to be over. */
function said(work: WorkInHand): number {
  const { owners } = work.over();
  return owners.length === 12 ? 0 : owners.readInt32BE(12);
}

test("a handful is over when all of it was let go of, and said to be once", () => {
  const work = new WorkInHand();
  work.took(1, 10, ["a", "b"]);
  work.letGo("a");
  expect(said(work)).toBe(0);
  work.letGo("b");
  work.letGo("b");
  expect(said(work)).toBe(1);
  expect(said(work)).toBe(0);
});

test("what is taken up again is in the later handful only", () => {
  const work = new WorkInHand();
  work.took(1, 10, ["a", "b"]);
  work.took(1, 11, ["a"]);
  work.letGo("b");
  expect(said(work)).toBe(1);
  work.letGo("a");
  expect(said(work)).toBe(1);
});
