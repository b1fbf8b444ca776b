/** What the store itself can do at most: the rows that the engine wrote, written again by a loop that does nothing else. */
import { findDriver, type Value } from "../src/stores/sqlite/driver.js";
import { sqliteStore } from "stepwell/sqlite";
import type { NewExecution, Transition } from "./rows.js";

const batch = 200;

const insert =
  "INSERT INTO stepwell_executions (id, workflow, version, status, revision, signals, seen, owner, claims, created_at, " +
  "updated_at, tags, position, state, input) VALUES (?, ?, ?, ?, 0, 0, 0, ?, 1, ?, ?, '[]', ?, ?, ?)";
const update =
  "UPDATE stepwell_executions SET status = ?, position = ?, state = coalesce(?, state), revision = ?, updated_at = ?";
const updateKept = `${update} WHERE id = ?`;
const updateResting = `${update}, owner = NULL WHERE id = ?`;
const history = "INSERT INTO stepwell_history (execution, revision, at, entry, patch) VALUES (?, ?, ?, ?, ?)";

/** Executions inserted or updated a second, in transactions of 200 of them, with everything encoded beforehand. */
export async function bareRate(path: string, rows: readonly (NewExecution | Transition)[]): Promise<number> {
  const store = sqliteStore(path);
  await store.open();
  await store.close();
  const connection = findDriver().connect(path);
  connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  const writes = prepared(rows);
  const statements = { insert, updateKept, updateResting, history };
  const run = Object.fromEntries(
    Object.entries(statements).map(([name, sql]) => [name, connection.prepare(sql)]),
  ) as Record<keyof typeof statements, ReturnType<typeof connection.prepare>>;
  const began = performance.now();
  for (let start = 0; start < writes.length; start += batch) {
    connection.exec("BEGIN IMMEDIATE");
    for (const { kind, values, entry } of writes.slice(start, start + batch)) {
      run[kind].run(...values);
      if (entry !== undefined) run.history.run(...entry);
    }
    connection.exec("COMMIT");
  }
  const seconds = (performance.now() - began) / 1000;
  connection.close();
  return rows.length / seconds;
}

interface Write {
  readonly kind: "insert" | "updateKept" | "updateResting";
  readonly values: Value[];
  readonly entry?: Value[];
}

function prepared(rows: readonly (NewExecution | Transition)[]): Write[] {
  const sequences = new Map<string, number>();
  const now = Date.now();
  return rows.map((row): Write => {
    const position = JSON.stringify(row.position);
    if (!("history" in row)) {
      sequences.set(row.id, sequences.size + 1);
      const { id, workflow, version, status, owner, state, input } = row;
      return {
        kind: "insert",
        values: [id, workflow, version, status, owner, now, now, position, state.text, input.text],
      };
    }
    const { patch, ...entry } = row.history;
    return {
      kind: row.rests ? "updateResting" : "updateKept",
      values: [row.status, position, row.state?.text ?? null, row.revision, now, row.id],
      entry: [sequences.get(row.id)!, row.revision, now, JSON.stringify(entry), patch?.text ?? null],
    };
  });
}
