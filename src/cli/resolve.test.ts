import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { stepwell } from "../../test/support/command.js";
import { Launcher, unknown, workflow } from "../index.js";
import { storeOn } from "./store.js";

const order = workflow("order", { input: z.object({}) }).step("pay", {
  run: ({ state }): { paid: string } => {
    throw new Error(`no answer to ${Object.keys(state).length}`);
  },
  probe: () => unknown(),
});

test("stepwell show says what is in doubt, and stepwell resolve what became of it, with who says so", async () => {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-resolve-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const place = join(folder, "orders.db");
  await using launcher = new Launcher({
    store: await storeOn(place, undefined),
    workflows: [order],
    onError: () => undefined,
    pollInterval: "50ms",
  });
  await launcher.start();
  for (const id of ["went", "not"]) {
    await launcher.launch(order, {}, { id });
    expect((await launcher.execution(id).outcome()).status).toBe("stuck");
  }
  const shown = await stepwell(folder, "show", "went", "--store", place);
  expect(shown.output).toContain('In doubt: the attempt under the key "went/pay/run", since ');
  expect(shown.output).toContain(`stepwell resolve went "why" --happened '{"field":1}'`);
  const resolve = (...given: string[]) =>
    stepwell(folder, "resolve", ...given, "--store", place, "--by", "ada", "--yes");
  expect(await resolve("went", "seen")).toMatchObject({
    code: 2,
    errors: expect.stringContaining("{ happened: patch }, or { didNotHappen: true }") as string,
  });
  expect(await resolve("went", "seen", "--happened", '{"paid":"t-1"}')).toMatchObject({ code: 0, errors: "" });
  expect(await resolve("not", "not seen", "--did-not-happen")).toMatchObject({ code: 0, errors: "" });
  expect(await launcher.execution("went").outcome()).toMatchObject({ status: "completed", state: { paid: "t-1" } });
  expect((await launcher.execution("not").outcome()).status).toBe("rolledBack");
  const rows = await launcher.execution("went").history();
  expect(rows.at(-1)).toMatchObject({ func: "probe", result: "happened", by: "ada", why: "seen" });
});
