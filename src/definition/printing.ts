/** A workflow as text, for `console.log`. */
import type { ChildrenDefinition, StepDefinition, WorkflowDefinition } from "./definition.js";

/** One line for the workflow, one for each step with its marks. */
export function printed({ name, version, steps, guards, watchers, migrations }: WorkflowDefinition): string {
  const width = Math.max(0, ...steps.map((step) => step.name.length));
  const lines = steps.map((step, index) =>
    `  ${String(index + 1).padStart(String(steps.length).length)}. ${step.name.padEnd(width)}  ${marks(step).join(", ")}`.trimEnd(),
  );
  const observers = [...guards.map((it) => `${it.name} (guard)`), ...watchers.map((it) => it.name)];
  if (observers.length > 0) lines.push(`  observed by ${observers.join(", ")}`);
  const older = migrations.map(({ from }) => from);
  if (older.length > 0) lines.push(`  migrates from version${older.length === 1 ? "" : "s"} ${older.join(", ")}`);
  return [`workflow ${name} (version ${version})`, ...lines].join("\n");
}

function marks(step: StepDefinition): string[] {
  const found: string[] = [];
  if (step.waits === "time") found.push("sleep");
  else if (step.waits !== undefined) found.push("wait");
  else if (step.run !== undefined) found.push("run");
  else if (step.children !== undefined) found.push(...childrenMarks(step.children));
  if (step.when !== undefined) found.push(step.otherwise === undefined ? "when" : "when, otherwise");
  if (step.recover !== undefined) found.push("recover");
  if (step.probe !== undefined) found.push("probe");
  if (step.inDoubt !== (step.probe === undefined ? "rerun" : "park")) found.push(`in doubt: ${step.inDoubt}`);
  if (step.rollback !== undefined) found.push("rollback");
  const messages = Object.keys(step.messages);
  if (messages.length > 0) found.push(`messages: ${messages.join(" | ")}`);
  const rollbackMessages = Object.keys(step.rollbackMessages);
  if (rollbackMessages.length > 0) found.push(`rollback messages: ${rollbackMessages.join(" | ")}`);
  if (step.retry !== undefined) found.push(`retry: ${times(step.retry.attempts)}`);
  if (step.rollbackRetry !== undefined) found.push(`rollback retry: ${times(step.rollbackRetry.attempts)}`);
  if (step.timeout !== undefined) found.push(`timeout: ${step.timeout} ms`);
  if (step.deadline !== undefined) found.push(`deadline: ${step.deadline} ms`);
  if (step.pivot) found.push("pivot");
  if (step.irreversible !== undefined) found.push(`irreversible: ${step.irreversible}`);
  return found;
}

function childrenMarks({ kind, workflows, join, onFailure, concurrency, undo }: ChildrenDefinition): string[] {
  const names = Object.entries(workflows).map(([key, { name }]) => (key === "" ? name : `${key} = ${name}`));
  const found = [`${kind}: ${names.join(" | ")}`];
  if (concurrency !== undefined) found.push(`at most ${concurrency} at a time`);
  if (join !== undefined) found.push(onFailure === "settle" ? "join, when all are settled" : "join");
  if (undo === "one-by-one") found.push("undone one by one");
  return found;
}

function times(attempts: number): string {
  return attempts === Infinity ? "without end" : `${attempts} attempts`;
}
