import { expect, test } from "vitest";
import { z } from "zod";
import { pause, workflow } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({ n: z.number() });
const wait = workflow("waiting", { input }).step("1", {
  messages: { go: z.null() },
  run: () => pause(),
  onMessage: () => ({ done: true }),
});

const invalid = (part: string): object => ({
  code: "STEPWELL_INVALID_ARGUMENT",
  message: expect.stringContaining(part),
});

onEveryStore("a reason that would mislead is refused", (start) => {
  test.each([[5], [{}], [""], [null], ["ada\nbob"], ["x".repeat(256)]])("%o as who acts", async (by) => {
    const { launcher } = await start([wait]);
    const execution = await launcher.launch(wait, { n: 1 });
    const options = { by: by as string };
    await expect(execution.rollback("back", options)).rejects.toMatchObject(invalid("rollback: by must be"));
    await expect(execution.retry(options)).rejects.toMatchObject(invalid("retry: by must be"));
    await expect(execution.skip("done", options)).rejects.toMatchObject(invalid("skip: by must be"));
  });

  test.each([
    ["normal", `must not be "normal", which means success. Say why the execution is to be undone.`],
    ["ok", `must not be "ok", which means success`],
    [" ok ", `must not be " ok ", which means success`],
    ["returned\nok", "without control characters"],
    ["returned\u001b[2J", "without control characters"],
    ["   ", "must be a text of 1 to 1000 characters"],
    ["x".repeat(1001), "must be a text of 1 to 1000 characters"],
    ["\ud800", "must be a text of 1 to 1000 characters"],
    [undefined, "not undefined"],
    [7, "not 7"],
  ])("%j as the reason of a rollback", async (given, part) => {
    const { launcher } = await start([wait]);
    const reason = given as string;
    const execution = await launcher.launch(wait, { n: 1 }, { id: "o-1" });
    await expect(execution.rollback(reason)).rejects.toMatchObject(invalid(part));
    await expect(launcher.rollback("o-1", reason)).rejects.toMatchObject(invalid(part));
    await expect(launcher.launch(wait, { n: 1 }, { id: "o-2", rollback: { from: "1", reason } })).rejects.toMatchObject(
      invalid(part),
    );
    expect((await launcher.list()).executions.map(({ id }) => id)).toEqual(["o-1"]);
    expect((await execution.flow()).direction).toBe("up");
  });
});

onEveryStore("texts that are no reasons of a rollback", (start) => {
  test("a messageId may be what a reason may not", async () => {
    const { launcher } = await start([wait]);
    const execution = await launcher.launch(wait, { n: 1 });
    expect(await execution.send("go", null, { messageId: "ok" })).toEqual({ id: "ok", duplicate: false });
    expect((await execution.outcome()).status).toBe("completed");
  });

  test("so may the written reason of a skip, of several lines too", async () => {
    const torn = workflow("torn", { input }).step("1", {
      run: () => undefined,
      rollback: () => {
        throw new Error("no way back");
      },
      rollbackRetry: { attempts: 1 },
    });
    const { launcher } = await start([torn]);
    for (const reason of ["ok", "normal", "refunded by hand\nticket 7"]) {
      const execution = await launcher.launch(torn, { n: 1 }, { rollback: { from: "1", reason: "returned" } });
      expect((await execution.outcome()).status).toBe("stuck");
      await execution.skip(reason);
      expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "returned" });
    }
  });
});
