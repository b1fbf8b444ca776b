/** What the desk tells and does, through its handler. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, fail, pause, unknown, workflow, type Launcher } from "../../src/index.js";
import type {
  CertificateView,
  Count,
  DeadLettersPage,
  ExecutionsPage,
  ExecutionView,
  HistoryPage,
  LaunchersView,
  LimitsView,
  Mailbox,
  Overview,
  PreviewView,
  RecallsView,
  RecallView,
  SchedulesView,
  StateView,
  WorkflowsView,
  WorkflowView,
} from "../../src/desk/index.js";
import { ada, deskRig } from "../support/desk.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({ cents: z.number().default(1) });

const refund = workflow("refund", { input })
  .step("charge", {
    run: () => ({ big: 12345678901234567890n, at: new Date(0), tags: new Set(["a"]), by: new Map([["k", 1]]) }),
    rollback: ({ state }) => ("iban" in state ? {} : fail("no-account", { details: { iban: null } })),
  })
  .step("ship", { run: () => fail("sold-out"), rollback: () => ({}) });

const approve = workflow("approve", { input, concurrency: 2 }).step("ask", {
  messages: { yes: z.object({}).loose() },
  run: () => pause({}, { timeout: "1h" }),
  onMessage: ({ message }) => ({ said: message.payload }),
  rollback: () => ({}),
});

async function launch(launcher: Launcher): Promise<void> {
  await launcher.launch(refund, {}, { id: "r-1", tags: ["bank"] });
  await launcher.launchMany(approve, [
    { id: "a-1", input: {} },
    { id: "a-2", input: {} },
    { id: "a-3", input: {} },
  ]);
}

onEveryStore("the desk", (start) => {
  test("counts by status, and shows what needs a person first", async () => {
    const { launcher, clock, store } = await start([refund, approve]);
    await launch(launcher);
    await clock.advance(0);
    const { get } = deskRig(new Client({ store }));
    const { body } = await get<Overview>("overview");
    expect(body.counts.stuck).toEqual({ count: 1, more: false });
    expect(body.counts.waiting).toEqual({ count: 2, more: false });
    expect(body.counts.completed).toEqual({ count: 0, more: false });
    expect(body.stuck.map(({ id, step, direction, error }) => ({ id, step, direction, error }))).toEqual([
      { id: "r-1", step: "charge", direction: "down", error: "no-account" },
    ]);
    expect(body.now).toBe(new Date(clock.now()).toISOString());
  });

  test("shows children under their step, each with its parent, and lists what is below one execution", async () => {
    const many = workflow("many", { input }).forEach("each", approve, {
      items: () => [{ cents: 1 }, { cents: 2 }, { cents: 3 }],
    });
    const { launcher, clock, store } = await start([many]);
    await launcher.launch(many, {}, { id: "m" });
    await clock.settle();
    const { get } = deskRig(new Client({ store }));
    const { body } = await get<ExecutionView>("execution", { id: "m" });
    expect(body.children).toMatchObject([{ step: "each", count: 3, underWay: 3, isClosed: false }]);
    expect(body.words.headline).toBe('At "each" it waits for its children: 3 of 3 are not settled.');
    const child = (await get<ExecutionView>("execution", { id: "m/each/1" })).body;
    expect(child).toMatchObject({ parent: "m", root: "m", children: [] });
    const ids = async (query: Record<string, string>): Promise<string[]> =>
      (await get<ExecutionsPage>("executions", query)).body.executions.map(({ id }) => id).toSorted();
    expect(await ids({})).toEqual(["m"]);
    expect(await ids({ root: "m" })).toEqual(["m/each/0", "m/each/1", "m/each/2"]);
  });

  test("lists executions by what a store finds, and looks through them for the rest, page by page", async () => {
    const { launcher, clock, store } = await start([refund, approve]);
    await launch(launcher);
    await clock.advance(0);
    const { get } = deskRig(new Client({ store }));
    const ids = async (query: Record<string, string | number>): Promise<string[]> =>
      (await get<ExecutionsPage>("executions", query)).body.executions.map(({ id }) => id);
    expect((await ids({})).toSorted()).toEqual(["a-1", "a-2", "a-3", "r-1"]);
    expect(await ids({ status: "stuck" })).toEqual(["r-1"]);
    expect(await ids({ tag: "bank" })).toEqual(["r-1"]);
    expect(await ids({ direction: "down" })).toEqual(["r-1"]);
    expect(await ids({ reason: "sold-out", workflow: "refund" })).toEqual(["r-1"]);
    expect((await ids({ id: "a-" })).toSorted()).toEqual(["a-1", "a-2", "a-3"]);
    expect(await ids({ id: "a-2" })).toEqual(["a-2"]);
    expect(await ids({ id: "../a-2" })).toEqual([]);
    const first = (await get<ExecutionsPage>("executions", { limit: 3 })).body;
    const second = (await get<ExecutionsPage>("executions", { limit: 3, after: first.cursor! })).body;
    expect([first.executions.length, second.executions.length, second.cursor]).toEqual([3, 1, null]);
    expect((await get<Count>("executions/count", { workflow: "approve" })).body).toEqual({ count: 3, more: false });
    expect((await get<Count>("executions/count", { direction: "up" })).body).toMatchObject({ unknown: true });
    expect((await get("executions", { status: "lost" })).status).toBe(400);
    expect((await get("executions", { limit: "1e3" })).status).toBe(400);
  });

  test("shows one execution: words, lanes, history, state, errors, values as what they are", async () => {
    const { launcher, clock, store } = await start([refund, approve]);
    await launch(launcher);
    await clock.advance(0);
    const { get } = deskRig(new Client({ store }));
    const { body } = await get<ExecutionView>("execution", { id: "r-1" });
    expect(body.words.headline).toContain("Stuck on the way down");
    expect(body.words.acts.map(({ act }) => act)).toEqual(["retry", "patch", "skip", "rewind"]);
    expect(body.lanes.rounds[0]!.rows.map(({ step, up, down }) => [step, up.mark, down.mark])).toEqual([
      ["charge", "done", "stuck"],
      ["ship", "failed", "undone"],
    ]);
    expect(body.state.text).toBe(
      "{\n  cents: 1,\n  big: 12345678901234567890n,\n  at: 1970-01-01T00:00:00.000Z,\n  tags: Set(1) { 'a' },\n  by: Map(1) { 'k' => 1 }\n}",
    );
    expect(body.failure).toMatchObject({ message: "no-account", details: { text: "{ iban: null }" } });
    expect(body.history.rows.map(({ revision }) => revision)).toEqual([4, 3, 2, 1]);
    expect(body.history.before).toBeNull();
    const older = (await get<HistoryPage>("execution/history", { id: "r-1", before: 4, limit: 2 })).body;
    expect(older.rows.map(({ revision }) => revision)).toEqual([3, 2]);
    expect(older.before).toBe(2);
    const at = (await get<StateView>("execution/state", { id: "r-1", revision: 1 })).body;
    expect(at.changes.map(({ op, path, value }) => [op, path, value?.text])).toContainEqual([
      "add",
      "/big",
      "'12345678901234567890'",
    ]);
    expect((await get<StateView>("execution/state", { id: "r-1", revision: 0 })).body).toMatchObject({
      state: { text: "{ cents: 1 }" },
      changes: [],
    });
    expect((await get("execution/state", { id: "r-1", revision: 99 })).status).toBe(404);
    expect((await get("execution", { id: "nobody" })).body).toMatchObject({
      error: { code: "STEPWELL_EXECUTION_NOT_FOUND" },
    });
  });

  test("a preview tells in lanes what a rollback would do, and why it would be refused; a certificate what was done", async () => {
    const { launcher, clock, store } = await start([refund, approve]);
    await launcher.launch(approve, {}, { id: "w-1" });
    await launch(launcher);
    await clock.advance(0);
    const { get } = deskRig(new Client({ store }));
    const stuck = (await get<PreviewView>("execution/preview", { id: "r-1" })).body;
    expect(stuck.said).toContain("is not rolled back");
    const { said, revision, lanes } = (await get<PreviewView>("execution/preview", { id: "w-1" })).body;
    expect(said).toBeUndefined();
    expect(revision).toBe((await launcher.execution("w-1").summary()).revision);
    expect(lanes.rounds.at(-1)!.rows.map(({ step, down }) => [step, down.mark])).toEqual([["ask", "to-undo"]]);
    const certificate = (await get<CertificateView>("execution/certificate", { id: "r-1" })).body;
    expect(certificate.sections[0]).toMatchObject({
      execution: "r-1",
      level: 0,
      rested: expect.stringContaining("stuck"),
    });
    expect((await get("execution/certificate", { id: "w-1" })).body).toMatchObject({
      error: { code: "STEPWELL_NOT_AT_REST" },
    });
  });

  test("an act is done by who asks, for the execution as it was shown; gone on, it says what has happened", async () => {
    const { launcher, clock, store } = await start([refund, approve]);
    await launch(launcher);
    await clock.advance(0);
    const { get, act } = deskRig(new Client({ store }));
    const { revision } = (await get<ExecutionView>("execution", { id: "r-1" })).body;
    const on = { execution: "r-1", revision };
    const retried = await act("retry", { ...on, reason: "the bank is back", by: "mallory" } as never);
    expect(retried).toMatchObject({ status: 200, body: { decided: "done", execution: "r-1" } });
    await clock.advance(0);
    const stale = await act("skip", { ...on, reason: "done by hand" });
    expect(stale).toMatchObject({ status: 409, body: { error: { code: "DESK_CHANGED" } } });
    expect(stale.body.changed?.since?.map(({ result, by }) => [result, by])).toEqual([
      ["no-account", undefined],
      ["retried", "ada"],
    ]);
    expect(stale.body.changed?.execution).toMatchObject({ status: "stuck", revision: revision + 2 });
    expect(stale.body.changed?.words?.headline).toContain("Stuck");
    const patched = act("retry", { ...on, revision: revision + 2, patch: '{"iban":"good"}' });
    // The client is not told what the launcher decides: it looks.
    await clock.advance(1_000);
    expect((await patched).status).toBe(200);
    await clock.advance(0);
    expect((await launcher.execution("r-1").summary()).status).toBe("rolledBack");
    const late = await act("rollback", { ...on, revision: revision + 4, reason: "again" });
    expect(late.status).toBe(409);
  });

  test("who knows what became of a step in doubt says it, by their own name", async () => {
    const paying = workflow("paying", { input }).step("pay", {
      run: ({ state }): { paid: boolean } => {
        throw new Error(`no answer ${Object.keys(state).length}`);
      },
      probe: () => unknown(),
    });
    const { launcher, clock, store } = await start([paying]);
    await launcher.launch(paying, {}, { id: "p-1" });
    await launcher.launch(paying, {}, { id: "p-2" });
    await clock.advance(0);
    const { get, act } = deskRig(new Client({ store }));
    const on = async (execution: string) => ({
      execution,
      revision: (await get<ExecutionView>("execution", { id: execution })).body.revision,
      reason: "statement of 3 May",
    });
    expect(await act("resolve", { ...(await on("p-1")), happened: '{"paid":true}' })).toMatchObject({ status: 200 });
    expect(await act("resolve", await on("p-2"))).toMatchObject({ status: 200 });
    await clock.advance(1_000);
    const said = async (id: string) =>
      (await launcher.execution(id).history()).flatMap(({ result, by }) => (by === undefined ? [] : `${by} ${result}`));
    expect(await said("p-1")).toEqual(["ada happened"]);
    expect(await said("p-2")).toEqual(["ada did-not-happen"]);
    expect(await launcher.execution("p-1").outcome()).toMatchObject({ status: "completed", state: { paid: true } });
    expect((await launcher.execution("p-2").outcome()).status).toBe("rolledBack");
  });

  test("an execution is sent back to a step by who asks, as it was shown, and each round is told", async () => {
    const done = workflow("done", { input })
      .step("book", { run: () => ({}), rollback: () => ({}) })
      .step("ship", { run: ({ state }) => ({ sent: state.cents }), rollback: () => ({}) })
      .step("letter", { run: () => ({}), irreversible: "The letter has left." });
    const { launcher, clock } = await start([done]);
    await launcher.launch(done, {}, { id: "d-1" });
    await clock.advance("1s");
    const { get, act } = deskRig(launcher);
    const shown = (await get<ExecutionView>("execution", { id: "d-1" })).body;
    expect(shown.words.acts.find((one) => one.act === "rewind")?.steps).toEqual([
      { name: "book", irreversible: false },
      { name: "ship", irreversible: false },
      { name: "letter", irreversible: true },
    ]);
    const on = { execution: "d-1", revision: shown.revision, to: "ship", reason: "wrong address" };
    expect(await act("rewind", { ...on, revision: shown.revision - 1 })).toMatchObject({
      status: 409,
      body: { error: { code: "DESK_CHANGED" } },
    });
    const preview = (await get<PreviewView>("execution/preview", { id: "d-1", to: "ship" })).body;
    expect(preview).toMatchObject({ refused: "would-repeat", upAgain: { step: "ship", round: 1 } });
    expect(preview.lanes.rounds.at(-1)!.rows.map(({ down }) => down.mark)).toEqual(["none", "to-undo", "kept"]);
    expect((await act("rewind", on)).body.error.code).toBe("STEPWELL_WOULD_REPEAT");
    const asked = act("rewind", { ...on, patch: '{"cents":7}', repeat: ["letter"], by: "mallory" } as never);
    await clock.advance("1s");
    expect(await asked).toMatchObject({ status: 200, body: { decided: "done", execution: "d-1" } });
    const { lanes, status } = (await get<ExecutionView>("execution", { id: "d-1" })).body;
    expect(status).toBe("completed");
    expect(await launcher.execution("d-1").state()).toMatchObject({ cents: 7, sent: 7 });
    expect(lanes.rounds.map(({ line }) => line)).toEqual(["round 1: back from letter to ship, ada, wrong address", ""]);
  });

  test("recalls what a filter finds among what has completed, and acts on recalls by who asks", async () => {
    const done = workflow("done", { input }).step("1", { run: () => ({}), rollback: () => ({}) });
    const { launcher, clock } = await start([done]);
    for (const id of ["d-1", "d-2", "d-3"]) await launcher.launch(done, {}, { id });
    await clock.advance("1s");
    const { get, act } = deskRig(launcher);
    expect((await get<RecallsView>("recalls")).body.recalls).toEqual([]);
    const filter = { workflow: "done" };
    const begin = { filter, reason: "wrong-price", rate: "1/m", canary: 0 };
    const changed = await act("recall", { ...begin, expected: 2 });
    expect(changed).toMatchObject({
      status: 409,
      body: { error: { code: "DESK_CHANGED" }, changed: { count: { count: 3 } } },
    });
    expect((await act("recall", { ...begin, filter: {} })).status).toBe(400);
    expect((await act("recall", { ...begin, filter: { ...filter, status: ["stuck"] } })).status).toBe(400);
    expect((await act("recall", { ...begin, rate: "often" })).body.error.code).toBe("STEPWELL_INVALID_ARGUMENT");
    const begun = await act("recall", { ...begin, filter: { ...filter, status: ["completed"] }, expected: 3 });
    const recall = begun.body.recall!;
    await clock.advance("5s");
    expect((await get<RecallView>("recall", { id: recall })).body).toMatchObject({
      ...{ id: recall, status: "asking", by: "ada", counted: 3, asked: 1, rolledBack: 1, rate: "1/m", endedAt: null },
    });
    expect((await act("recall-pause", { recall, reason: "the bank called" })).status).toBe(200);
    await clock.advance("2s");
    expect((await get<RecallsView>("recalls")).body.recalls).toMatchObject([
      {
        status: "paused",
        paused: { why: "asked", by: "ada", reason: "the bank called", at: expect.any(String) as string },
      },
    ]);
    expect((await act("recall-resume", { recall })).body.said).toBe("It goes on.");
    expect((await act("recall-stop", { recall })).status).toBe(200);
    await clock.advance("2s");
    expect((await get<RecallView>("recall", { id: recall })).body).toMatchObject({ status: "done", left: 2 });
    expect((await act("recall-stop", { recall: "nobody" })).status).toBe(404);
    expect((await get("recall", { id: "d-1" })).status).toBe(400);
  });

  test("messages, dead letters, schedules, workflows, limits and launchers are told and acted on", async () => {
    const { launcher, clock } = await start([refund, approve]);
    await launch(launcher);
    await clock.advance(0);
    await launcher.schedules.set("nightly", approve, {}, { cron: "0 2 * * *", timezone: "Europe/Berlin" });
    const { get, act } = deskRig(launcher, { authorize: ada, workflows: [approve] });
    // It waits for a place, and takes one message when it has one.
    await launcher.send("a-3", "yes", { n: 2 });
    await launcher.send("a-3", "yes", { n: 3 });
    const { revision } = await launcher.execution("a-1").summary();
    const sent = { execution: "a-1", revision, name: "yes", payload: '{"n": 1}' };
    expect((await act("send", sent)).status).toBe(200);
    expect((await act("send", { ...sent, payload: "{" })).body.error.code).toBe("DESK_BAD_REQUEST");
    expect((await act("send", { ...sent, payload: '{"n": 12345678901234567890}' })).body.error.message).toContain(
      "digits",
    );
    await clock.advance(0);
    const mailbox = (await get<Mailbox>("execution/mailbox", { id: "a-1" })).body;
    expect(mailbox.messages).toMatchObject([{ name: "yes", status: "consumed", payload: { text: "{ n: 1 }" } }]);
    const letters = (await get<DeadLettersPage>("dead-letters")).body.letters;
    expect(letters).toMatchObject([{ execution: "a-3", name: "yes", payload: { text: "{ n: 3 }" } }]);
    expect((await act("resend", { execution: "a-3", id: letters[0]!.id, to: "a-2" })).status).toBe(200);
    const schedules = (await get<SchedulesView>("schedules")).body.schedules;
    expect(schedules).toMatchObject([{ name: "nightly", timing: "0 2 * * *, Europe/Berlin", triggerable: true }]);
    expect((await act("schedule-pause", { name: "nightly" })).status).toBe(200);
    expect((await get<SchedulesView>("schedules")).body.schedules[0]).toMatchObject({ paused: true, nextAt: null });
    expect((await act("schedule-trigger", { name: "nightly" })).body.execution).toMatch(/^nightly@/);
    expect((await act("schedule-resume", { name: "nightly" })).body.said).toContain("launches next at");
    expect((await act("schedule-pause", { name: "daily" })).status).toBe(404);
    const all = (await get<WorkflowsView>("workflows")).body.workflows;
    expect(all.map(({ name, launchable, stuck }) => [name, launchable, stuck.count])).toEqual([
      ["approve", true, 0],
      ["refund", false, 1],
    ]);
    const one = (await get<WorkflowView>("workflow", { name: "refund" })).body;
    expect(one.steps.map(({ name }) => name)).toEqual(["charge", "ship"]);
    expect(one.versions).toEqual([{ version: "1", inFlight: { count: 1, more: false }, known: false }]);
    expect((await get<LimitsView>("limits")).body.limits).toMatchObject([{ workflow: "approve", limit: 2 }]);
    expect((await get<LaunchersView>("launchers")).body.launchers).toMatchObject([{ pid: process.pid }]);
    const launched = await act("launch", {
      workflow: "approve",
      version: "1",
      input: "{}",
      id: "new",
      tags: ["by-hand"],
    });
    expect(launched.body).toMatchObject({ execution: "new", decided: "done" });
    expect((await act("launch", { workflow: "refund", version: "1", input: "{}" })).status).toBe(400);
  });

  test("an act on many is counted first, and refused where there are more than were shown", async () => {
    const { launcher, clock, store } = await start([refund, approve]);
    await launch(launcher);
    await clock.advance(0);
    const { act } = deskRig(new Client({ store }));
    const filter = { workflow: "approve", status: ["waiting"] as const };
    const dry = await act("bulk-rollback", { filter, reason: "recalled", dry: true });
    expect(dry.body.bulk).toMatchObject({ dry: true, matched: 2, accepted: 2, refusedInAll: 0 });
    const fewer = await act("bulk-rollback", { filter, reason: "recalled", expected: 1 });
    expect(fewer).toMatchObject({ status: 409, body: { changed: { count: { count: 2, more: false } } } });
    expect((await act("bulk-rollback", { filter: {}, reason: "recalled" })).status).toBe(400);
    expect((await act("bulk-retry", { filter: { reason: "x" } as never })).status).toBe(400);
    const done = await act("bulk-rollback", { filter, reason: "recalled", expected: 2 });
    expect(done.body.bulk).toMatchObject({ dry: false, matched: 2, accepted: 2 });
    await clock.advance(0);
    expect(await launcher.execution("a-1").flow()).toMatchObject({ direction: "down", reason: "recalled" });
    await launcher.launchMany(
      approve,
      Array.from({ length: 101 }, (_, index) => ({ id: `m-${index}`, input: {}, tags: ["many"] })),
    );
    for (const dry of [true, false]) {
      const many = await act("bulk-rollback", { filter: { tag: ["many"] }, reason: "recalled", dry });
      expect([many.status, many.body.error.code]).toEqual([400, "DESK_TOO_MANY"]);
      expect(many.body.error.message).toMatch(/^101 executions fit, and the desk acts on at most 100 at a time/);
    }
    expect(await launcher.execution("m-7").flow()).toMatchObject({ direction: "up" });
    const retried = await act("bulk-retry", { filter: { status: ["stuck"] }, reason: "again" });
    expect(retried.body.bulk).toMatchObject({ accepted: 1 });
  });
});
