/** What observers tell of a step in doubt and of a rewind: the log, traces, metrics, and the record of changes. */
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { happened, observer, unknown, workflow, type Observer } from "../../src/index.js";
import { changes, type ChangeRecord } from "../../src/observers/changes.js";
import { logger } from "../../src/observers/logger.js";
import { metrics } from "../../src/observers/metrics.js";
import { onEveryStore } from "../support/rig.js";
import { register, short, telemetry, unregister } from "../support/telemetry.js";

beforeAll(register);
afterAll(unregister);

const secret = "canary-77";

/** Its only attempt gives nothing back. The probe finds it in the first round; in the second it fails once, and then does not know. */
const paying = (watchers: readonly Observer[]) => {
  const steps = workflow("paying", { input: z.object({ card: z.string() }) })
    .step("pay", {
      run: ({ state }): { paid: string } => {
        throw new Error(`no answer for ${state.card.length} digits`);
      },
      rollbackRetry: { attempts: 2, delay: "1s", jitter: false },
      probe: ({ round, attempt, state }) => {
        if (round === 0) return happened({ paid: `${state.card}-1` });
        if (attempt === 1) throw Object.assign(new Error("the bank is away"), { code: "EBANK" });
        return unknown();
      },
      rollback: () => undefined,
    })
    .step("ship", { run: () => undefined, rollback: () => undefined });
  return watchers.reduce((watched, watcher) => watched.observe(watcher), steps);
};

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly step?: string;
  readonly reason?: string;
  readonly errorCode?: string;
}

onEveryStore("observers of an execution that was in doubt, and rewound", (start) => {
  test("tell what was found of it, by whom, and that it goes up again", async () => {
    const lines: Line[] = [];
    const log = pino({ level: "debug", base: null }, { write: (line) => lines.push(JSON.parse(line) as Line) });
    const told = telemetry();
    const registry = new Registry();
    const records: ChangeRecord[] = [];
    const heard: string[] = [];
    const doubts = observer({
      name: "doubts",
      probed: ({ transition: { step, result }, called }) => void heard.push(`${step} ${result} ${called}`),
      rewound: ({ transition: { step, upInto }, flow }) =>
        void heard.push(`${step} up into ${upInto}, ${flow.direction}`),
    });
    const watchers = [logger(log), told.observer, metrics({ registry }), changes((it) => records.push(it)), doubts];
    const steps = paying(watchers);
    const { launcher, clock } = await start([steps]);
    const execution = await launcher.launch(steps, { card: secret }, { id: "e" });
    await clock.advance("1m");
    const rewinding = execution.rewind({ to: "pay", reason: "wrong-card", by: "ada", patch: { card: "none" } });
    await clock.advance("1m");
    expect(await rewinding).toEqual({ accepted: true });
    expect((await execution.summary()).status).toBe("stuck");
    const resolving = execution.resolve({ happened: { paid: "t-2" } }, "statement of 3 May", { by: "bob" });
    await clock.advance("1m");
    await resolving;
    expect(await execution.outcome()).toMatchObject({ status: "completed", state: { card: "none", paid: "t-2" } });

    expect(
      lines.map(({ level, msg, step, reason }) =>
        [`${pino.levels.labels[level]}: ${msg}`, step, reason === "normal" ? undefined : reason]
          .filter((it) => it !== undefined)
          .join(", "),
      ),
    ).toEqual([
      "info: execution started",
      "debug: step started, pay",
      "warn: step failed, pay, Error",
      "info: probe answered, pay, happened",
      "debug: step started, ship",
      "debug: step done, ship",
      "info: execution completed",
      "warn: rollback started, ship, wrong-card",
      "debug: step started, ship",
      "debug: step done, ship",
      "debug: step started, pay",
      "debug: step done, pay",
      "info: execution goes up again, pay",
      "debug: step started, pay",
      "warn: step failed, pay, Error",
      "warn: probe answered, pay, EBANK",
      "warn: probe answered, pay, unknown",
      "error: execution stuck, pay, in-doubt",
      "info: doubt resolved, pay, happened",
      "debug: step started, ship",
      "debug: step done, ship",
      "info: execution completed",
    ]);
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(heard).toEqual([
      "pay happened true",
      "pay up into 1, up",
      "pay EBANK true",
      "pay unknown true",
      "pay happened false",
    ]);

    const spans = told.named("probe pay").map(({ attributes }) => short(attributes));
    expect(spans).toMatchObject([
      { func: "probe", direction: "up", result: "happened", attempt: 1 },
      { func: "probe", direction: "up", result: "EBANK", round: 1, "error.type": "EBANK" },
      { func: "probe", direction: "up", result: "unknown", round: 1, "error.type": "STEPWELL_IN_DOUBT" },
    ]);
    expect(spans[0]).not.toHaveProperty(["error.type"]);
    const events = told.spans().flatMap((span) => span.events);
    const [turn, again] = ["stepwell.turn", "stepwell.up_again"].map((name) => events.filter((it) => it.name === name));
    expect(turn!.map(({ attributes }) => short(attributes!))).toMatchObject([
      { "step.name": "ship", "rewind.to": "pay", reason: "wrong-card" },
    ]);
    expect(again!.map(({ attributes }) => short(attributes!))).toMatchObject([
      { "step.name": "pay", func: "rollback", "rewind.round": 1 },
    ]);
    const about = { "workflow.name": "paying" };
    expect(await told.measured("stepwell.execution.rewinds")).toEqual([[about, 1]]);
    const answers = ["happened", "failed", "unknown"];
    expect(await told.measured("stepwell.step.probes")).toEqual(
      answers.map((result) => [{ ...about, "step.name": "pay", result }, 1]),
    );
    expect(await told.everything()).not.toContain(secret);

    const text = await registry.metrics();
    for (const result of answers)
      expect(text).toContain(`stepwell_probes_total{workflow="paying",step="pay",result="${result}"} 1`);
    expect(text).toContain('stepwell_rewinds_total{workflow="paying"} 1');
    expect(text).toContain('stepwell_executions_total{workflow="paying",status="completed"} 2');

    const rows = await execution.history({ changes: true });
    expect(records.map(({ revision }) => revision)).toEqual(rows.map(({ revision }) => revision));
    expect(records.filter(({ backTo }) => backTo !== undefined)).toMatchObject([
      { step: "ship", backTo: "pay", by: "ada", why: "wrong-card", changes: [] },
    ]);
    expect(records.filter(({ upInto }) => upInto !== undefined)).toMatchObject([
      {
        step: "pay",
        func: "rollback",
        upInto: 1,
        changes: [
          { op: "remove", path: "/paid" },
          { op: "replace", path: "/card", value: "none" },
        ],
      },
    ]);
    expect(records.filter(({ func }) => func === "probe")).toMatchObject([
      { result: "happened", changes: [{ op: "add", path: "/paid", value: `${secret}-1` }] },
      { result: "EBANK", round: 1, changes: [] },
      { result: "unknown", round: 1, changes: [] },
      { result: "happened", round: 1, by: "bob", why: "statement of 3 May", changes: [{ op: "add", path: "/paid" }] },
    ]);
    expect(records.map((it) => it.changes)).toEqual(rows.map((it) => it.changes));
  });
});
