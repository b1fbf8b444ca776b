/** A workflow as text: for `console.log`, and as a Mermaid diagram. */
import type { StepDefinition, WorkflowDefinition } from "./definition.js";

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
  if (step.when !== undefined) found.push(step.otherwise === undefined ? "when" : "when, otherwise");
  if (step.recover !== undefined) found.push("recover");
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

function times(attempts: number): string {
  return attempts === Infinity ? "without end" : `${attempts} attempts`;
}

/** Mermaid text of a flowchart: the way up on one side, the way down on the other. */
export function diagrammed({ name, steps, pivot }: WorkflowDefinition): string {
  const lines = ["flowchart TB", `  launched([${quoted(name)}]) --> up0`];
  steps.forEach((step, i) => {
    const label = quoted(step.name + waits(step) + marked(step));
    lines.push(
      `  up${i}${step.pivot ? `{{${label}}}` : `[${label}]`} --> ${i === steps.length - 1 ? "completed" : `up${i + 1}`}`,
    );
    const turns = pivot < 0 || i <= pivot;
    lines.push(turns ? `  up${i} -. fails .-> down${i}` : `  up${i} -. fails .-> stuck`);
  });
  const last = pivot < 0 ? steps.length - 1 : pivot;
  for (let i = last; i >= 0; i--) {
    const step = steps[i]!;
    const label = quoted(undoing(step));
    lines.push(`  down${i}[${label}] --> ${i === 0 ? "rolledBack" : `down${i - 1}`}`);
    if (step.rollback !== undefined) lines.push(`  down${i} -. fails .-> stuck`);
  }
  lines.push("  completed([completed])", "  rolledBack([rolled back])", "  stuck([stuck: an operator decides])");
  return lines.join("\n");
}

function undoing({ name, rollback, irreversible, rollbackMessages }: StepDefinition): string {
  if (irreversible !== undefined) return `can't be undone: ${name}`;
  return `${rollback === undefined ? "nothing to undo" : "undo"}: ${name}${waitsFor(rollbackMessages)}`;
}

function marked({ irreversible }: StepDefinition): string {
  return irreversible === undefined ? "" : `\nirreversible: ${irreversible}`;
}

function waits({ waits, messages, when, recover }: StepDefinition): string {
  const sleeps = waits === "time" ? "\nsleeps" : waitsFor(messages);
  return sleeps + (when === undefined ? "" : "\nmay be passed over") + (recover === undefined ? "" : "\nmay recover");
}

function waitsFor(messages: StepDefinition["messages"]): string {
  const names = Object.keys(messages);
  return names.length === 0 ? "" : `\nwaits for ${names.join(" or ")}`;
}

/** Mermaid reads entities with a `#`; a name must not end a label or become markup. */
function quoted(text: string): string {
  const escaped = text.replace(/[#"<>&]/g, (character) => `#${character.codePointAt(0)!};`);
  return `"${escaped.replaceAll("\n", "<br/>")}"`;
}
