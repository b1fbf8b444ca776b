/** Launches at times to come. */
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { StepwellError, workflow, type Launcher, type ScheduleOptions } from "../../src/index.js";
import { onEveryStore } from "../support/rig.js";

const input = z.object({ region: z.string() });
const report = workflow("report", { input }).step("1", { run: () => ({ written: true }) });
const other = workflow("report", { input, version: "2" }).step("1", { run: () => undefined });

const eu = { region: "eu" };
const hourly = { cron: "0 * * * *" };

const hour = 60 * 60 * 1000;

async function launched(launcher: Launcher): Promise<string[]> {
  const { executions } = await launcher.list({ limit: 1000 });
  return executions.map(({ id }) => id).toReversed();
}

onEveryStore("a schedule", (start) => {
  test("launches at each time, with its input, and says when it does next", async () => {
    const { clock, launcher } = await start([report]);
    const set = await launcher.schedules.set("tidy", report, eu, { cron: "* * * * *", tags: ["night"] });
    const first = set.nextAt!.getTime();
    expect([first % 60_000, first - clock.now() <= 60_000]).toEqual([0, true]);
    await clock.advance(first - clock.now() - 1);
    expect(await launched(launcher)).toEqual([]);
    await clock.advance(1);
    const [found] = (await launcher.list({ tags: ["schedule:tidy", "night"] })).executions;
    expect(found!.id).toBe(`tidy@${new Date(first).toISOString()}`);
    expect(await launcher.execution(found!.id).state()).toMatchObject({ region: "eu", written: true });
    await clock.advance("2m");
    expect((await launched(launcher)).length).toBe(3);
    expect(await launcher.schedules.get("tidy")).toMatchObject({
      name: "tidy",
      workflow: "report",
      version: "1",
      input: eu,
      cron: "* * * * *",
      timezone: "UTC",
      missed: "once",
      paused: false,
      lastAt: new Date(first + 120_000),
      nextAt: new Date(first + 180_000),
    });
  });

  test("is fired once, however many launchers there are", async () => {
    const rig = await start([report]);
    const { clock, launcher, another } = rig;
    await another();
    await another();
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await clock.advance("1m");
    const { executions } = await launcher.list();
    expect(executions.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => "completed"));
    expect(rig.errors).toEqual([]);
  });

  test("that another process has set is found", async () => {
    const { clock, launcher, another } = await start([report]);
    const second = await another();
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await launcher.stop();
    await clock.advance("30s");
    expect((await second.list()).executions.length).toBe(3);
  });

  test("for one time is over when that has come, also when it is set again", async () => {
    const { clock, launcher } = await start([report]);
    const at = new Date(clock.now() + 5_000);
    await launcher.schedules.set("then", report, eu, { at });
    await clock.advance("4999ms");
    expect(await launched(launcher)).toEqual([]);
    await clock.advance("1ms");
    expect(await launcher.execution(`then@${at.toISOString()}`).summary()).toMatchObject({ status: "completed" });
    await launcher.schedules.set("then", report, eu, { at });
    await clock.advance("10s");
    expect((await launched(launcher)).length).toBe(1);
    expect(await launcher.schedules.get("then")).toMatchObject({ at, nextAt: null, lastAt: at });
  });

  test.each([
    ["skip", []],
    ["once", [0]],
    ["all", [0, 1, 2]],
  ] as const)("whose times were missed while nobody was there: %s", async (missed, expected) => {
    const { clock, launcher, another } = await start([report]);
    const { nextAt } = await launcher.schedules.set("tidy", report, eu, { ...hourly, missed });
    await launcher.stop();
    const first = nextAt!.getTime();
    clock.skip(first - clock.now() + 2.5 * hour);
    const second = await another();
    await clock.settle();
    await clock.advance(10);
    expect(await launched(second)).toEqual(expected.map((n) => `tidy@${new Date(first + n * hour).toISOString()}`));
    expect((await second.schedules.get("tidy")).nextAt).toEqual(new Date(first + 3 * hour));
  });

  test("launches nothing while it is paused, and goes on from when it is resumed", async () => {
    const { clock, launcher } = await start([report]);
    await launcher.schedules.set("often", report, eu, { every: "10s", missed: "all" });
    expect(await launcher.schedules.pause("often")).toMatchObject({ paused: true, nextAt: null });
    await clock.advance("30s");
    expect((await launcher.list()).executions).toEqual([]);
    // A change does not wake it up.
    await launcher.schedules.set("often", report, eu, { every: "20s", missed: "all" });
    await clock.advance("30s");
    expect((await launcher.list()).executions).toEqual([]);
    expect((await launcher.schedules.resume("often")).nextAt).toEqual(new Date(clock.now() + 10_000));
    await clock.advance("40s");
    expect((await launcher.list()).executions.length).toBe(2);
  });

  test("can be triggered, beside its times and also while it is paused", async () => {
    const { clock, launcher } = await start([report]);
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await launcher.schedules.pause("often");
    const execution = await launcher.schedules.trigger("often");
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { region: "eu" } });
    expect((await launcher.list({ tags: ["schedule:often"] })).executions.length).toBe(1);
    await launcher.schedules.resume("often");
    await clock.advance("10s");
    expect((await launcher.list({ tags: ["schedule:often"] })).executions.length).toBe(2);
  });

  test("that is deleted launches no more, and what it has launched stays", async () => {
    const { clock, launcher } = await start([report]);
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await clock.advance("10s");
    await launcher.schedules.delete("often");
    await clock.advance("1m");
    expect((await launcher.list()).executions.length).toBe(1);
    await expect(launcher.schedules.get("often")).rejects.toMatchObject({ code: "STEPWELL_SCHEDULE_NOT_FOUND" });
  });

  test("set again as it is changes nothing; set in another way it is another one", async () => {
    const { clock, launcher, another } = await start([report]);
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await clock.advance("5s");
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await clock.advance("5s");
    expect((await launcher.list()).executions.length).toBe(1);
    const second = await another([other]);
    await second.schedules.set("often", other, { region: "us" }, { every: "10s" });
    await clock.advance("10s");
    const [newest] = (await launcher.list()).executions;
    expect(newest).toMatchObject({ version: "2" });
    expect((await launcher.list()).executions.length).toBe(2);
    expect((await launcher.schedules.list()).map(({ name, version }) => [name, version])).toEqual([["often", "2"]]);
  });

  test("is fired only by who knows its workflow and version", async () => {
    const { clock, launcher, another } = await start([report]);
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await launcher.stop();
    const second = await another([other]);
    await clock.advance("1m");
    expect((await second.list()).executions).toEqual([]);
    await expect(second.schedules.trigger("often")).rejects.toMatchObject({ code: "STEPWELL_UNKNOWN_WORKFLOW" });
  });

  test("of a version that nobody knows any more is told of, once, and not while it is paused", async () => {
    const { clock, launcher, another, errors } = await start([report]);
    await launcher.schedules.set("often", report, eu, { every: "10s" });
    await launcher.schedules.set("paused", report, eu, { every: "10s" });
    await launcher.schedules.pause("paused");
    await launcher.stop();
    const second = await another([other]);
    for (let i = 0; i < 20; i++) await clock.advance("5s");
    expect(errors).toMatchObject([
      {
        code: "STEPWELL_UNKNOWN_WORKFLOW",
        workflow: "report",
        message: expect.stringMatching(/^Schedules of workflow "report" version "1" are due/) as string,
      },
    ]);
    await second.schedules.set("often", other, eu, { every: "10s" });
    await clock.advance("10s");
    expect((await second.list()).executions).toMatchObject([{ version: "2" }]);
  });

  test("whose input the schema refuses by now stays due, is told of, and does not hold up others", async () => {
    const { clock, launcher, another, errors, store } = await start([report]);
    await launcher.schedules.set("old", report, eu, { every: "10s" });
    await launcher.stop();
    const strict = workflow("report", { input: z.object({ region: z.literal("us") }) }).step("1", {
      run: () => undefined,
    });
    const second = await another([strict]);
    await second.schedules.set("new", strict, { region: "us" }, { every: "10s" });
    await clock.advance("30s");
    expect((await second.list()).executions.map(({ id }) => id.split("@")[0])).toEqual(["new", "new", "new"]);
    expect(errors).toMatchObject([
      { code: "STEPWELL_SCHEDULE_FAILED", message: expect.stringContaining('"old"') as string },
    ]);
    // Once it is gone, nothing of its failure is remembered.
    const looks = vi.spyOn(store.schedules!, "due");
    await clock.advance("20s");
    expect(looks.mock.lastCall?.[0].limit).toBe(51);
    await second.schedules.delete("old");
    await clock.advance("20s");
    expect(looks.mock.lastCall?.[0].limit).toBe(50);
    looks.mockRestore();
    await second.schedules.set("old", strict, { region: "us" }, { every: "10s" });
    await clock.advance("1m");
    expect((await second.list({ tags: ["schedule:old"] })).executions.length).toBeGreaterThan(0);
  });
});

onEveryStore("a schedule, when the store fails for a moment,", (start) => {
  test("is launched as soon as the store is there again", async () => {
    const { clock, launcher, store, errors } = await start([report], { pollInterval: "1h" });
    await launcher.schedules.set("tidy", report, eu, { every: "10s" });
    await launcher.schedules.set("tidy too", report, eu, { every: "10s" });
    const outage = new StepwellError("STEPWELL_STORE_UNREACHABLE", "It is away.", { retryable: true });
    const change = vi.spyOn(store.schedules!, "change").mockRejectedValue(outage);
    await clock.advance("11s");
    expect(await launched(launcher)).toEqual([]);
    change.mockRestore();
    await clock.advance("1s");
    expect((await launched(launcher)).length).toBe(2);
    expect(errors).toEqual([outage]);
  });
});

onEveryStore("what makes no schedule is refused, and nothing is stored", (start) => {
  test.each<[unknown, string]>([
    [{}, `give one of "cron", "every" and "at"`],
    [{ cron: "* * * * *", every: "1m" }, "give one of"],
    [{ cron: "every day" }, "five or six fields"],
    [{ cron: "99 * * * *" }, "no expression that can be read"],
    [{ cron: "0 0 30 2 *" }, "names no time to come"],
    [{ cron: "2026-01-01T00:00:00" }, "five or six fields"],
    [{ cron: "? * * * *" }, "five or six fields"],
    [{ cron: 7 }, "five or six fields"],
    [{ ...hourly, timezone: "Mars/Olympus" }, "IANA name"],
    [{ every: "1m", timezone: "UTC" }, `"timezone" goes with "cron"`],
    [{ every: "10ms" }, "at least a second"],
    [{ at: new Date(Number.NaN) }, "valid Date"],
    [{ at: "tomorrow" }, "valid Date"],
    [{ ...hourly, missed: "some" }, `"skip", "once" or "all"`],
    [{ ...hourly, timezone: null }, "IANA name"],
    [{ ...hourly, tags: "night" }, `schedule "x": "tags" must be`],
    [{ ...hourly, tags: null }, `"tags" must be`],
    [{ ...hourly, tags: Array.from({ length: 32 }, (_, n) => `t${n}`) }, "at most 31 texts"],
  ])("%j", async (options, part) => {
    const { launcher } = await start([report]);
    await expect(launcher.schedules.set("x", report, eu, options as ScheduleOptions)).rejects.toMatchObject({
      code: "STEPWELL_INVALID_ARGUMENT",
      message: expect.stringContaining(part) as string,
    });
    expect(await launcher.schedules.list()).toEqual([]);
  });

  test("unknown options, names, durations, workflows and inputs", async () => {
    const { launcher } = await start([report]);
    const set = (name: unknown, given: unknown, options: unknown): Promise<unknown> =>
      launcher.schedules.set(name as string, report, given as typeof eu, options as ScheduleOptions);
    await expect(set("x", eu, { corn: "* * * * *" })).rejects.toMatchObject({ code: "STEPWELL_UNKNOWN_OPTION" });
    await expect(set("x", eu, { every: "soon" })).rejects.toMatchObject({ code: "STEPWELL_INVALID_DURATION" });
    await expect(set("x", { region: 7 }, hourly)).rejects.toMatchObject({ code: "STEPWELL_INVALID_INPUT" });
    for (const name of ["", "a\nb", "x".repeat(101), 7]) {
      await expect(set(name, eu, hourly)).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
    }
    await expect(launcher.schedules.set("x", other, eu, hourly)).rejects.toMatchObject({
      code: "STEPWELL_UNKNOWN_WORKFLOW",
    });
    for (const act of ["pause", "resume", "trigger", "delete", "get"] as const) {
      await expect(launcher.schedules[act]("x")).rejects.toMatchObject({ code: "STEPWELL_SCHEDULE_NOT_FOUND" });
    }
    expect(await launcher.schedules.list()).toEqual([]);
  });
});
