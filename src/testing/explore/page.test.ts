import { expect, test } from "vitest";
import { z } from "zod";
import { workflow } from "../../index.js";
import type { ExploreError } from "./explore-error.js";
import { explore } from "./explore.js";
import { pageOf } from "./page.js";
import { Participant } from "./participant.js";

test("a counterexample's page has the sentence, what happened, and the lanes after each commit", async () => {
  const make = (bank: Participant) =>
    workflow("order", { input: z.object({}) })
      .step("reserve", { run: () => undefined, rollback: () => undefined })
      .step("charge", {
        run: async ({ idempotencyKey }) => ({ charge: bank.do("charge", idempotencyKey, 1) }),
        rollback: async ({ given, runKey }) => (given.charge === undefined ? undefined : bank.undo("charge", runKey)),
      });
  const error: unknown = await explore(make, { input: {}, world: () => new Participant() }).catch(
    (caught: unknown) => caught,
  );
  const { counterexample } = error as ExploreError;
  const { page, lanes, transitions } = counterexample!;
  expect(page).toContain("<!doctype html>");
  expect(page).toContain("All goes well, except: the answer of charge is lost each time");
  const frames = JSON.parse(/id="frames">(.*)<\/script>/.exec(page)![1]!) as readonly string[];
  expect(frames).toHaveLength(transitions.length + 1);
  expect(frames[0]).toMatch(/▶ {2}1 {2}reserve {2}▸ working/);
  expect(frames[1]).toMatch(/▶ {2}2 {2}charge {3}▸ working/);
  expect(frames.at(-1)).toBe(lanes);
  expect(lanes).toMatch(/reserve {2}✓ done .*✓ undone/);
});

test("a page lets no name and no text out of its place", () => {
  const evil = `</script><img src=x onerror=alert(1)>"'&`;
  const row = { process: 1, what: evil, outcome: evil, isFault: true, revision: 0 };
  const page = pageOf({
    workflow: evil,
    problems: [evil],
    sentence: evil,
    history: [evil],
    rows: [row],
    frames: [evil],
  });
  expect(page).not.toContain("<img");
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  expect(JSON.parse(/id="frames">(.*)<\/script>/.exec(page)![1]!)).toEqual([evil]);
});
