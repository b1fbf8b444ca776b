import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { stepwell, type Ended } from "../../test/support/command.js";
import { freshSchema, postgresUrl } from "../../test/support/postgres.js";
import { Launcher, pause, workflow } from "../index.js";
import { storeOn } from "./store.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);

const order = workflow("order", { input: z.object({}) }).step("pay", {
  messages: { paid: z.number(), refused: z.null() },
  run: () => pause(),
  onMessage: ({ message }) => ({ cents: message.payload ?? 0 }),
});

const moduleText = (version: string): string => `
  import { workflow, pause } from ${JSON.stringify(pathToFileURL(join(root, "src", "index.ts")).href)};
  import { z } from ${JSON.stringify(pathToFileURL(require.resolve("zod")).href)};
  export const order = workflow("order", { version: "${version}", input: z.object({}) }).step("pay", {
    messages: { paid: z.number(), refused: z.null() },
    run: () => { throw new Error("must not run"); },
    onMessage: () => undefined,
  });
`;

interface Scene {
  readonly folder: string;
  /** The options that say which store. */
  readonly where: readonly string[];
  readonly launcher: () => Promise<Launcher>;
}

/** "gone" has the dead letter evt-2; "open" begins in an hour, so that nothing happens meanwhile. */
async function scene(kind: string): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "stepwell-resend-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const version of ["1", "2"]) await writeFile(join(folder, `order-${version}.mjs`), moduleText(version));
  const [place, schema] = kind === "postgres" ? [postgresUrl(), freshSchema()] : [join(folder, "orders.db"), undefined];
  const launcher = async (): Promise<Launcher> => {
    const started = new Launcher({ store: await storeOn(place, schema), workflows: [order] });
    await started.start();
    return started;
  };
  await using first = await launcher();
  const gone = await first.launch(order, {}, { id: "gone", delay: "1h" });
  await gone.send("paid", 700, { messageId: "evt-2" });
  await gone.rollback("never-mind");
  await gone.outcome();
  await first.launch(order, {}, { id: "open", delay: "1h" });
  const where = ["--store", place, ...(schema === undefined ? [] : ["--schema", schema])];
  return { folder, where, launcher };
}

describe.each(["sqlite", "postgres"])("stepwell resend, on %s", (kind) => {
  test("sends a dead letter again, once, and keeps who did it", async () => {
    const { folder, where, launcher } = await scene(kind);
    const resend = async (...more: string[]): Promise<Ended> =>
      stepwell(folder, "resend", "gone", "evt-2", ...where, "--to", "open", "--by", "ada", ...more);
    const first = await resend();
    expect(first).toMatchObject({ code: 0, errors: "" });
    expect(first.output).toMatch(/^Sent again to "open", as message "resent:gone:[^"]+"\.\n$/);
    expect(await resend()).toEqual({
      code: 0,
      output: 'The message had been sent again to "open" before. Nothing was stored.\n',
      errors: "",
    });
    const told = await resend("--json");
    const [id] = /resent:gone:[^"]+/.exec(first.output)!;
    expect(JSON.parse(told.output)).toEqual({ id, duplicate: true, to: "open" });
    await using later = await launcher();
    const at = expect.any(Date) as Date;
    expect((await later.execution("gone").mailbox())[0]).toMatchObject({
      status: "resent",
      resent: { to: "open", as: "paid", by: "ada", at },
    });
    expect((await later.execution("open").mailbox()).map(({ payload, status }) => [payload, status])).toEqual([
      [700, "pending"],
    ]);
  });

  test("checks the message where a module is given, and then runs nothing of it", async () => {
    const { folder, where, launcher } = await scene(kind);
    const resend = async (...more: string[]): Promise<Ended> =>
      stepwell(folder, "resend", "gone", "evt-2", ...where, "--to", "open", ...more);
    const refused = async (code: string, ...more: string[]): Promise<void> => {
      const { errors, ...ended } = await resend(...more);
      expect(ended).toEqual({ code: 2, output: "" });
      expect(errors).toMatch(new RegExp(`^error ${code}: `));
    };
    await refused("STEPWELL_INVALID_MESSAGE", "--module", "order-1.mjs", "--as", "refused");
    await refused("STEPWELL_UNKNOWN_MESSAGE", "--module", "order-1.mjs", "--as", "nothing");
    await refused("STEPWELL_UNKNOWN_WORKFLOW", "--module", "order-2.mjs");
    await refused("STEPWELL_INVALID_MODULE", "--module", "none.mjs");
    expect(await resend("--module", "order-1.mjs")).toMatchObject({ code: 0, errors: "" });
    await using later = await launcher();
    expect((await later.execution("open").summary()).status).toBe("scheduled");
    expect(await later.execution("open").mailbox()).toHaveLength(1);
  });

  test("sends unchecked without a module", async () => {
    const { folder, where, launcher } = await scene(kind);
    const place = ["resend", "gone", "evt-2", ...where, "--to", "open", "--as", "nothing"];
    expect(await stepwell(folder, ...place)).toMatchObject({ code: 0, errors: "" });
    await using later = await launcher();
    expect((await later.execution("open").mailbox()).map(({ name }) => name)).toEqual(["nothing"]);
  });
});

test("what can't be sent stays dead, is told with a code, and ends with 2", async () => {
  const { folder, where, launcher } = await scene("sqlite");
  const refused = async (code: string, ...words: string[]): Promise<void> => {
    const { code: exit, output, errors } = await stepwell(folder, "resend", ...words);
    expect({ exit, output }).toEqual({ exit: 2, output: "" });
    expect(errors).toMatch(new RegExp(`^error:? ${code}`));
  };
  await refused("STEPWELL_EXECUTION_ENDED", "gone", "evt-2", ...where);
  await refused("STEPWELL_EXECUTION_NOT_FOUND", "gone", "evt-2", ...where, "--to", "nobody");
  await refused("STEPWELL_NOT_DEAD", "gone", "evt-3", ...where, "--to", "open");
  await refused("STEPWELL_INVALID_ARGUMENT", "gone", "evt-2", ...where, "--to", "open", "--by", "");
  await refused("STEPWELL_INVALID_ARGUMENT", "gone", "evt-2", "--store", "none.db");
  await refused("required option '--store", "gone", "evt-2");
  await refused("missing required argument 'id'", "gone", ...where);
  expect(existsSync(join(folder, "none.db"))).toBe(false);
  await using later = await launcher();
  expect(await later.countDeadLetters()).toEqual({ count: 1, more: false });
});
