import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { Launcher, workflow } from "../index.js";
import { rewind, rollback } from "./acts.js";
import { sqliteStore } from "../stores/sqlite/index.js";
import type { Screen } from "./screen.js";

const undo = () => undefined;
const order = workflow("order", { input: z.object({}) })
  .step("charge", { run: undo, rollback: undo })
  .step("ship", { run: undo, rollback: undo })
  .step("letter", { run: undo, irreversible: "The letter has left." });

/** Somebody sits at the terminal. */
function terminal(): PassThrough {
  const [input, output] = [new PassThrough(), new PassThrough()];
  for (const [name, stream] of [
    ["stdin", input],
    ["stderr", output],
  ] as const)
    vi.spyOn(process, name, "get").mockReturnValue(Object.assign(stream, { isTTY: true }) as never);
  onTestFinished(() => void vi.restoreAllMocks());
  return input;
}

test("somebody at a terminal is shown what would be done before they are asked, and it is done as it was shown", async () => {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-asking-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const place = join(folder, "orders.db");
  const launcher = new Launcher({ store: sqliteStore(place), workflows: [order] });
  await launcher.start();
  onTestFinished(() => launcher.stop());
  const execution = await launcher.launch(order, {}, { id: "o-1" });
  await execution.outcome();
  const ask = async (
    act: (screen: Screen) => Promise<number>,
    answer: string,
    meanwhile?: () => Promise<unknown>,
  ): Promise<readonly [number, string]> => {
    const input = terminal();
    const told: string[] = [];
    const screen = { note: (text: string) => told.push(text), result: (text: string) => told.push(text) } as never;
    const acting = act(screen);
    await vi.waitFor(() => expect(told).not.toEqual([]));
    await meanwhile?.();
    input.write(`${answer}\n`);
    return [await acting, told.join("\n")];
  };
  const on = { store: place, by: "ada" };
  const back = (more: object) => (screen: Screen) =>
    rewind("o-1", { ...on, to: "ship", reason: "wrong address", ...more }, screen);
  const { revision } = await execution.summary();
  const [code, told] = await ask(back({}), "n");
  expect(code).toBe(1);
  expect(told).toContain(`A rewind of "o-1" to "ship" as it stands at revision ${revision}:\nIt would be refused.`);
  expect(told).toContain(
    "\n  letter  stays: can't be undone: The letter has left.\n  ship    is undone\nThen it goes up again",
  );
  expect(told).toContain("Nothing was changed.");
  expect((await execution.summary()).revision).toBe(revision);
  const [done, shown] = await ask(back({ repeat: ["letter"] }), "y");
  expect(shown).toContain("  ship    is undone\nThen it goes up again");
  expect(shown).not.toContain("refused");
  expect(done).toBe(0);
  await vi.waitFor(async () => expect((await execution.summary()).status).toBe("completed"));
  const moves = () => execution.rewind({ to: "ship", reason: "again", by: "bob", repeat: ["letter"] });
  const [late, refused] = await ask((screen) => rollback("o-1", "returned", on, screen), "y", moves);
  expect(late).toBe(1);
  expect(refused).not.toContain("Nothing was changed.");
  expect((await execution.outcome()).status).toBe("completed");
  expect(await execution.flow()).toMatchObject({ direction: "up", round: 2 });
});
