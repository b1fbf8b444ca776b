/** Certificates: what was done, by which key, what undid it, and what is left in the world. */
import { expect, test } from "vitest";
import { z } from "zod";
import {
  again,
  certificateMarkdown,
  certificateText,
  Client,
  didNotHappen,
  fail,
  happened,
  pause,
  unknown,
  workflow,
  type Certificate,
  type CertifiedExecution,
  type Execution,
  type Launcher,
} from "../../src/index.js";
import { errorOf, onEverySqlStore, onEveryStore, patient, type Rig } from "../support/rig.js";

const input = z.object({ card: z.string() });
const undo = (): void => undefined;

const secret = "4111-canary-1111";

/** With a stack of its own: that of a real one says through which code of the engine the step was called. */
const early = (): Error => Object.assign(new Error(`not ${secret} yet`), { stack: "Error: not yet" });

const order = workflow("order", { input })
  .step("charge", { run: ({ state, idempotencyKey }) => ({ paid: `${state.card} ${idempotencyKey}` }), rollback: undo })
  .step("letter", { run: () => undefined, irreversible: "The letter has left." })
  .step("note", { run: () => ({ note: secret }) })
  .step("gift", { when: () => false, run: () => undefined, rollback: undo })
  .sleep("cool-off", 10)
  .step("pack", {
    retry: { attempts: 2, delay: 1, jitter: false },
    run: ({ attempt }) => (attempt < 2 ? Promise.reject(early()) : undefined),
    rollback: () => fail("no-hands"),
  })
  .step("ship", { run: () => fail("no-carrier"), rollback: undo });

/** Rolled back, by a failure, and by an operator who skipped what could not be undone. */
async function rolledBack({ launcher, clock }: Rig): Promise<Execution> {
  const execution = await launcher.launch(order, { card: secret }, { id: "e" });
  await clock.advance("10s");
  await execution.skip("unpacked by hand", { by: "ada" });
  await clock.advance("1s");
  return execution;
}

type Says = "happened" | "not" | "unknown" | "found" | "not found" | "later: happened" | "later: not";

/** Its only attempt gives nothing back. */
const paying = workflow("paying", {
  input: z.object({ says: z.string(), card: z.string() }),
}).step("pay", {
  run: ({ state }): { paid: string } => {
    throw new Error(`socket hang up, ${state.card}`);
  },
  probe: ({ state: { says }, polls }) => {
    if (says.startsWith("later") && polls === 0) return again({ after: "1h" });
    if (says.endsWith("happened")) return happened({ paid: "t-1" });
    return says === "not" || says === "later: not" ? didNotHappen() : unknown();
  },
  rollback: undo,
});

const plain = (certificate: Certificate): Certificate => JSON.parse(JSON.stringify(certificate)) as Certificate;

/** What the first store said. */
let digest: string | undefined;

onEveryStore("a certificate", (start) => {
  test("says what was done, when and by which key, what undid it, and lists what is left in the world", async () => {
    const rig = await start([order]);
    const execution = await rolledBack(rig);
    const certificate = await execution.certificate();
    expect(certificate).toMatchObject({
      format: 1,
      execution: "e",
      workflow: "order",
      status: "rolledBack",
      untold: 0,
    });
    expect(certificate).toMatchObject({ reason: "no-carrier", revision: 17, children: [] });
    const told = certificate.doings.map(({ step, outcome, attempts, undo: undone, left }) => [
      ...[step, outcome, attempts, undone?.outcome, left],
    ]);
    expect(told).toEqual([
      ["charge", "done", 1, "undone", undefined],
      ["letter", "done", 1, undefined, "irreversible"],
      ["note", "done", 1, undefined, "no-undo"],
      ["cool-off", "done", 1, undefined, undefined],
      ["pack", "done", 2, "skipped", "skipped"],
      ["ship", "failed", 1, "undone", undefined],
    ]);
    expect(certificate.doings[0]).toMatchObject({
      round: 0,
      key: "e/charge/run",
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      undo: { key: "e/charge/rollback", attempts: 1 },
    });
    expect(certificate.left).toEqual([
      {
        execution: "e",
        step: "letter",
        round: 0,
        key: "e/letter/run",
        why: "irreversible",
        said: "The letter has left.",
      },
      { execution: "e", step: "note", round: 0, key: "e/note/run", why: "no-undo" },
      {
        execution: "e",
        step: "pack",
        round: 0,
        key: "e/pack/run",
        why: "skipped",
        said: "unpacked by hand",
        by: "ada",
      },
    ]);
    digest ??= certificate.digest;
    // The same on every store.
    expect(certificate.digest).toBe(digest);
  });

  test("holds no value, and is the same for a client without the workflow", async () => {
    const rig = await start([order]);
    const execution = await rolledBack(rig);
    const certificate = await execution.certificate();
    for (const told of [JSON.stringify(certificate), certificateText(certificate), certificateMarkdown(certificate)])
      expect(told).not.toContain("canary");
    const client = new Client({ store: rig.store });
    expect(await client.execution("e").certificate()).toEqual(certificate);
    expect(certificateText(certificate)).toContain(
      "  e, pack: an operator took it as undone, by ada: unpacked by hand (e/pack/run)",
    );
    expect(certificateMarkdown(certificate)).toContain(
      "| e | letter | can't be undone: The letter has left. | e/letter/run |",
    );
    await client.stop();
  });

  test("of one that has completed lists all that stands; of one that has not come to rest there is none", async () => {
    const open = workflow("open", { input: z.object({ waits: z.boolean() }) })
      .step("charge", { run: undo, rollback: undo })
      .step("ask", {
        messages: { go: z.null() },
        run: ({ state }) => (state.waits ? pause() : undefined),
        onMessage: undo,
      });
    const { launcher, clock } = await start([open]);
    const done = await launcher.launch(open, { waits: false });
    const waits = await launcher.launch(open, { waits: true });
    await clock.advance("1s");
    const { left } = await done.certificate();
    expect(left.map(({ step, why }) => [step, why])).toEqual([
      ["charge", "stands"],
      ["ask", "stands"],
    ]);
    expect(await errorOf(waits.certificate())).toMatchObject({ code: "STEPWELL_NOT_AT_REST" });
  });

  test("tells of children, and lists what is left of them too", async () => {
    const item = workflow("item", { input: z.object({}) })
      .step("pack", { run: undo, rollback: undo })
      .step("label", { run: undo });
    const many = workflow("many", { input: z.object({}) })
      .forEach("items", item, { items: () => [{}, {}] })
      .step("ship", { run: () => fail("no") });
    const { launcher, clock } = await start([many]);
    const execution = await launcher.launch(many, {}, { id: "m" });
    await clock.advance("10s");
    const certificate = await execution.certificate();
    expect(certificate.children.map((it) => [it.execution, it.status])).toEqual([
      ["m/items/0", "rolledBack"],
      ["m/items/1", "rolledBack"],
    ]);
    expect(certificate.left.map((it) => [it.execution, it.step, it.why])).toEqual([
      ["m", "ship", "no-undo"],
      ["m/items/0", "label", "no-undo"],
      ["m/items/1", "label", "no-undo"],
    ]);
    expect(certificateText(certificate)).toContain("    m/items/1, item 1: rolledBack, no");
    expect(await launcher.verifyCertificate(plain(certificate))).toEqual({ valid: true });
    const [first, second] = certificate.children as [CertifiedExecution, CertifiedExecution];
    // A child that is left out, or says something else, is in the digest of its parent.
    for (const children of [[second], [{ ...first, digest: "0" }, second]]) {
      const left = certificate.left.filter((it) => children.length > 1 || it.execution !== first.execution);
      const found = await launcher.verifyCertificate({ ...plain(certificate), children, left });
      expect(found).toEqual({ valid: false, why: "changed", execution: "m" });
    }
  });

  test("is verified against the store, and a word in it that was changed is found", async () => {
    const rig = await start([order], patient);
    const execution = await rolledBack(rig);
    const { launcher } = rig;
    const certificate = plain(await execution.certificate());
    expect(await launcher.verifyCertificate(certificate)).toEqual({ valid: true });
    const changed = { valid: false, why: "changed", execution: "e" };
    const forged: readonly Certificate[] = [
      { ...certificate, left: [] },
      { ...certificate, reason: "another" },
      { ...certificate, digest: certificate.digest.replace(/^./, "x") },
      { ...certificate, doings: certificate.doings.slice(1) },
      { ...certificate, revision: 99 },
      { ...certificate, untold: 5 },
    ];
    for (const one of forged) expect(await launcher.verifyCertificate(one)).toEqual(changed);
    expect(await errorOf(launcher.verifyCertificate({} as never))).toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    await rig.clock.advance("2d");
    await launcher.prune({ rolledBack: "1d" });
    expect(await launcher.verifyCertificate(certificate)).toEqual({ valid: false, why: "pruned", execution: "e" });
  });

  test("of one that has gone on since is still what it was", async () => {
    const done = workflow("done", { input: z.object({}) }).step("charge", { run: undo, rollback: undo });
    const { launcher, clock } = await start([done]);
    const execution = await launcher.launch(done, {});
    await clock.advance("1s");
    const certificate = plain(await execution.certificate());
    await execution.rollback("returned", { details: { percent: 30 } });
    await clock.advance("1s");
    expect(await launcher.verifyCertificate(certificate)).toEqual({ valid: true, why: "gone-on" });
    const forged = { ...certificate, doings: [], left: [] };
    expect(await launcher.verifyCertificate(forged)).toMatchObject({ valid: false, why: "changed" });
    expect((await execution.certificate()).left).toEqual([]);
  });

  test("tells each doing by its round, with the keys that it had", async () => {
    const twice = workflow("twice", { input: z.object({}) })
      .step("charge", { run: undo, rollback: undo })
      .step("label", { run: undo })
      .step("ship", { run: undo, rollback: undo });
    const { launcher, clock } = await start([twice]);
    const execution = await launcher.launch(twice, {}, { id: "e" });
    await clock.advance("1s");
    const rewinding = execution.rewind({ to: "label", reason: "wrong-address", by: "ada" });
    await clock.advance("1s");
    expect(await rewinding).toEqual({ accepted: true });
    const certificate = await execution.certificate();
    const told = certificate.doings.map(({ step, round, key, undo: undone, left }) => [
      step,
      round,
      key,
      undone?.key,
      left,
    ]);
    expect(told).toEqual([
      ["charge", 0, "e/charge/run", undefined, "stands"],
      ["label", 0, "e/label/run", undefined, "no-undo"],
      ["ship", 0, "e/ship/run", "e/ship/rollback", undefined],
      ["label", 1, "e/label/run@1", undefined, "stands"],
      ["ship", 1, "e/ship/run@1", undefined, "stands"],
    ]);
    expect(await launcher.verifyCertificate(plain(certificate))).toEqual({ valid: true });
  });

  test("says of a step in doubt what was found of it, and by whom; what nobody knows may be left in the world", async () => {
    const rig = await start([paying]);
    const { launcher, clock } = rig;
    const told = async (says: Says, act?: (execution: Execution) => Promise<unknown>) => {
      const execution = await launcher.launch(paying, { says, card: secret }, { id: says });
      await clock.advance("10s");
      const acting = act?.(execution);
      await clock.advance("10s");
      await acting;
      const certificate = await execution.certificate();
      expect(JSON.stringify(certificate)).not.toContain("canary");
      expect(await launcher.verifyCertificate(plain(certificate))).toEqual({ valid: true });
      const [pay] = certificate.doings;
      const { outcome, attempts, why, by, undo: undone } = pay!;
      return [certificate.status, outcome, attempts, why, by, undone?.outcome, certificate.left[0]?.why];
    };
    const none = undefined;
    expect(await told("happened")).toEqual(["completed", "done", 1, none, none, none, "stands"]);
    expect(await told("not")).toEqual(["rolledBack", "failed", 1, "Error", none, none, none]);
    expect(await told("unknown")).toEqual(["stuck", "in-doubt", 1, "Error", none, none, "in-doubt"]);
    const ada = { by: "ada" };
    const seen = "statement of 3 May";
    const found = (execution: Execution) => execution.resolve({ happened: { paid: "t-1" } }, seen, ada);
    expect(await told("found", found)).toEqual(["completed", "done", 1, seen, "ada", none, "stands"]);
    const notFound = (execution: Execution) => execution.resolve({ didNotHappen: true }, seen, ada);
    expect(await told("not found", notFound)).toEqual(["rolledBack", "failed", 1, seen, "ada", none, none]);
    const certificate = await launcher.execution("unknown").certificate();
    expect(certificateText(certificate)).toContain(
      "  unknown, pay: nobody knows whether it was done (unknown/pay/run)",
    );
    expect(certificateText(certificate)).toMatch(/pay: in doubt .*; stays: nobody knows whether it was done/);
  });

  test("says so too where it was found on the way down", async () => {
    const { launcher, clock } = await start([paying]);
    const told = async (says: Says) => {
      const execution = await launcher.launch(paying, { says, card: secret }, { id: says });
      await clock.advance("10s");
      await execution.rollback("cancelled");
      await clock.advance("2h");
      const { doings, left } = await execution.certificate();
      return [...doings.map((it) => [it.step, it.outcome, it.undo?.outcome]), left.length];
    };
    expect(await told("later: happened")).toEqual([["pay", "done", "undone"], 0]);
    expect(await told("later: not")).toEqual([["pay", "failed", undefined], 0]);
  });

  test("lists what a migration has dropped, and keeps the key of a step that has another name now", async () => {
    const [older, newer] = versions();
    const first = await start([older]);
    const execution = await first.launcher.launch(older, {}, { id: "e" });
    await first.clock.settle();
    await first.launcher.stop();
    if (!first.store.isOpen) await first.store.open();
    const second: Launcher = await first.another([newer]);
    await second.send("e", "go", null);
    await first.clock.advance("10s");
    await second.rollback("e", "returned");
    await first.clock.advance("10s");
    const certificate = await second.execution(execution.id).certificate();
    expect(certificate.status).toBe("rolledBack");
    expect(certificate.left).toEqual([{ execution: "e", step: "stamp", round: 0, key: "e/stamp/run", why: "dropped" }]);
    expect(certificate.doings.map(({ step, key }) => [step, key])).toContainEqual(["bill", "e/charge/run"]);
    expect(await second.verifyCertificate(plain(certificate))).toEqual({ valid: true });
  });
});

function versions() {
  const older = workflow("moved", { input: z.object({}), version: "1" })
    .step("charge", { run: undo, rollback: undo })
    .step("stamp", { run: undo, rollback: undo })
    .waitFor("ask", { go: z.null() });
  const newer = workflow("moved", { input: z.object({}), version: "2" })
    .step("bill", { run: undo, rollback: undo })
    .waitFor("ask", { go: z.null() })
    .migrate(older, { steps: { charge: "bill", stamp: null } });
  return [older, newer] as const;
}

onEverySqlStore("a history that somebody changes by hand", (start) => {
  test("does not verify any more", async () => {
    const rig = await start([order]);
    const certificate = await (await rolledBack(rig)).certificate();
    await rig.sql(`UPDATE stepwell_history SET entry = replace(entry, '"by":"ada"', '"by":"bob"')`);
    expect(await rig.launcher.verifyCertificate(certificate)).toMatchObject({ valid: false, why: "changed" });
  });
});
