/** A workflow as a Mermaid flowchart. */
import type { AnyWorkflow } from "../definition/bag.js";
import type { ChildrenDefinition, StepDefinition } from "../definition/definition.js";
import { definitionOf } from "../definition/definition-of.js";

/**
 * A workflow as Mermaid text, for a README or a page: the way up, the way down, and where it can get stuck.
 *
 * @example
 * console.log(diagram(fulfilOrder));
 */
export function diagram(workflow: AnyWorkflow): string {
  const { name, steps, pivot } = definitionOf(workflow);
  const lines = ["flowchart TB", `  launched([${quoted(name)}]) --> up0`];
  steps.forEach((step, i) => {
    const label = quoted(step.name + waits(step) + marked(step));
    const next = i === steps.length - 1 ? "completed" : `up${i + 1}`;
    if (step.children !== undefined) lines.push(...group(`up${i}`, label, step.children), `  up${i} --> ${next}`);
    else lines.push(`  up${i}${step.pivot ? `{{${label}}}` : `[${label}]`} --> ${next}`);
    const turns = pivot < 0 || i <= pivot;
    lines.push(turns ? `  up${i} -. fails .-> down${i}` : `  up${i} -. fails .-> stuck`);
  });
  const last = pivot < 0 ? steps.length - 1 : pivot;
  for (let i = last; i >= 0; i--) {
    const step = steps[i]!;
    const label = quoted(undoing(step));
    const next = i === 0 ? "rolledBack" : `down${i - 1}`;
    const isGroup = step.children !== undefined && step.irreversible === undefined;
    if (isGroup) lines.push(...group(`down${i}`, label, step.children), `  down${i} --> ${next}`);
    else lines.push(`  down${i}[${label}] --> ${next}`);
    if (step.rollback !== undefined) lines.push(`  down${i} -. fails .-> stuck`);
  }
  lines.push("  completed([completed])", "  rolledBack([rolled back])", "  stuck([stuck: an operator decides])");
  return lines.join("\n");
}

/** The children of a step, in a box of their own. */
function group(id: string, label: string, { kind, workflows, concurrency }: ChildrenDefinition): string[] {
  const each = kind === "forEach" ? "\none for each item" : "";
  const most = concurrency === undefined ? "" : `\nat most ${concurrency} at a time`;
  const nodes = Object.entries(workflows).map(([key, { name }], index) => {
    const what = key === "" || key === name ? name : `${key}: ${name}`;
    return `    ${id}_${index}[[${quoted(what + each + most)}]]`;
  });
  return [`  subgraph ${id} [${label}]`, ...nodes, "  end"];
}

function undoing({ name, rollback, irreversible, rollbackMessages, children }: StepDefinition): string {
  if (irreversible !== undefined) return `can't be undone: ${name}`;
  return `${rollback === undefined && children === undefined ? "nothing to undo" : "undo"}: ${name}${waitsFor(rollbackMessages)}`;
}

function marked({ irreversible, children, pivot }: StepDefinition): string {
  // A box has no shape of its own that says it.
  const point = pivot && children !== undefined ? "\npoint of no return" : "";
  return point + (irreversible === undefined ? "" : `\nirreversible: ${irreversible}`);
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
