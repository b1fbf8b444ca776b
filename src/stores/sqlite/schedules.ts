import { scheduleColumns, scheduleOf, type ScheduleRow } from "../sql/rows.js";
import type { ScheduleRecord } from "../records.js";
import type { ClaimOptions, DueSchedules, Hint, ScheduleChange, ScheduleStore } from "../contract.js";
import type { Database } from "./database.js";
import type { SqliteFile } from "./shared.js";
import { applyCreates } from "./write.js";

export function schedules(file: SqliteFile): ScheduleStore {
  return {
    find: (name) => file.patiently((database) => find(database, name)),
    due: (options) => file.patiently((database, at) => dueSchedules(database, options, at)),
    change: (change) => file.patiently((database, at, hints) => changeSchedule(database, change, at, hints)),
  };
}

function find(database: Database, name: string | undefined): ScheduleRecord[] {
  const rows =
    name === undefined
      ? database.rows<ScheduleRow>(`SELECT ${scheduleColumns} FROM stepwell_schedules ORDER BY name`)
      : database.rows<ScheduleRow>(`SELECT ${scheduleColumns} FROM stepwell_schedules WHERE name = ?`, name);
  return rows.map(scheduleOf);
}

/** Whether there are any: each launcher looks each second, for each of its workflows. */
const any = "SELECT 1 FROM stepwell_schedules LIMIT 1";
const due =
  `SELECT ${scheduleColumns} FROM stepwell_schedules WHERE workflow = ? AND version = ? AND next_at <= ? ` +
  "ORDER BY next_at, name LIMIT ? + 0";
const next = "SELECT min(next_at) AS at FROM stepwell_schedules WHERE workflow = ? AND version = ? AND next_at > ?";

function dueSchedules(database: Database, { workflows, limit }: Omit<ClaimOptions, "owner">, at: number): DueSchedules {
  return database.read(() => {
    if (database.statement(any).get() === undefined) return { records: [], at, nextDueInMs: null };
    const rows: ScheduleRow[] = [];
    let nextAt = Infinity;
    for (const { name, version } of workflows) {
      rows.push(...(database.statement(due).all(name, version, at, limit + 1) as ScheduleRow[]));
      const later = database.statement(next).get(name, version, at) as { readonly at: number | null };
      nextAt = Math.min(nextAt, later.at ?? Infinity);
    }
    rows.sort((one, other) => one.next_at! - other.next_at!);
    return {
      records: rows.slice(0, limit).map(scheduleOf),
      at,
      nextDueInMs: rows.length > limit ? 0 : nextAt === Infinity ? null : nextAt - at,
    };
  });
}

const insert =
  "INSERT INTO stepwell_schedules (workflow, version, input, plan, next_at, revision, name) " +
  "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING";
const update =
  "UPDATE stepwell_schedules SET workflow = ?, version = ?, input = ?, plan = ?, next_at = ?, revision = ? " +
  "WHERE name = ? AND revision = ?";

function changeSchedule(database: Database, change: ScheduleChange, at: number, hints: Hint[]): boolean {
  const { name, schedule, creates } = change;
  return database.transaction(() => {
    if (!changed(database, change)) {
      const row = database.statement("SELECT revision FROM stepwell_schedules WHERE name = ?").get(name);
      return row !== undefined && (row as ScheduleRow).revision === schedule?.revision;
    }
    applyCreates(database, creates, at, hints);
    return true;
  });
}

function changed(database: Database, { name, expected, schedule }: ScheduleChange): boolean {
  if (schedule === null) {
    const gone = database
      .statement("DELETE FROM stepwell_schedules WHERE name = ? AND revision = ?")
      .run(name, expected);
    return Number(gone.changes) > 0;
  }
  const { workflow, version, input, plan, nextAt, revision } = schedule;
  const values = [workflow, version, input.text, JSON.stringify(plan), nextAt, revision, name];
  const { changes } =
    expected === null ? database.statement(insert).run(...values) : database.statement(update).run(...values, expected);
  return Number(changes) > 0;
}
