/** Finds gaps in a workflow that matter on the day something fails. Pure: it looks, and calls no function of a step. */
import type { StepDefinition, StepFunction, WorkflowDefinition } from "../definition/definition.js";
import { familyOf } from "../definition/children.js";
import { defaultRollbackRetry } from "../definition/retry-policy.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { writtenFor } from "../definition/step.js";
import { definitionOf } from "../definition/definition-of.js";

/**
 * What kind of gap it is:
 *
 * - `no-undo`: the step has a `run`, but neither a `rollback` nor `irreversible`
 * - `wait-without-timeout`: the step may wait for a message for ever
 * - `rollback-without-retries`: an undo that fails once parks the execution
 */
export type FindingKind = "no-undo" | "wait-without-timeout" | "rollback-without-retries";

export interface Finding {
  readonly workflow: string;
  readonly version: string;
  readonly step: string;
  readonly kind: FindingKind;
  /** What is missing, and what to do about it. */
  readonly problem: string;
}

/**
 * The gaps in a workflow, in the order of its steps: steps that nothing undoes, waits without end, rollbacks that are tried only once.
 * Those of the workflows of its children follow, each workflow once. Empty: nothing was found. `stepwell check` prints the same.
 *
 * Whether a wait has a timeout is read from the text of the step's functions, since only they say it. A pause that can't be seen there
 * (in a function elsewhere, in a function that was bound) is found as one that can't be seen.
 *
 * @example
 * it("leaves nothing open", () => expect(findings(fulfilOrder)).toEqual([]));
 *
 * @throws STEPWELL_INVALID_ARGUMENT for a value that is no workflow; STEPWELL_INVALID_DEFINITION for a workflow without steps
 */
export function findings(workflow: AnyWorkflow): readonly Finding[] {
  return [...familyOf(definitionOf(workflow))].flatMap((definition) =>
    definition.steps.flatMap((step, index) =>
      problemsOf(step, index, definition).map(({ kind, problem }) => ({
        workflow: definition.name,
        version: definition.version,
        step: step.name,
        kind,
        problem,
      })),
    ),
  );
}

type Gap = Pick<Finding, "kind" | "problem">;

function problemsOf(step: StepDefinition, index: number, { pivot, deadline }: WorkflowDefinition): Gap[] {
  const isPastPivot = pivot >= 0 && index > pivot;
  const found: Gap[] = [];
  const mayHaveDone = step.run !== undefined && step.waits === undefined;
  // A pivot that is done is never undone.
  if (mayHaveDone && step.rollback === undefined && step.irreversible === undefined && index !== pivot) {
    const why = isPastPivot ? " Nothing turns after the pivot, but readers should know that it was meant." : "";
    found.push({
      kind: "no-undo",
      problem: `It has a run, but nothing undoes it. Give it a rollback, or say with irreversible: "…" why it can't be undone.${why}`,
    });
  }
  // The deadline ends a wait on the way up; from the pivot on it has no effect.
  const ends = step.deadline !== undefined || (deadline !== undefined && !isPastPivot);
  const up = ends ? undefined : waitUp(step);
  if (up !== undefined) found.push({ kind: "wait-without-timeout", problem: up });
  const down = waitDown(step);
  if (down !== undefined) found.push({ kind: "wait-without-timeout", problem: down });
  if (step.rollback !== undefined && isTriedOnce(step)) {
    found.push({
      kind: "rollback-without-retries",
      problem:
        "Its rollback is tried only once: the first error parks the execution. Give rollbackRetry more attempts.",
    });
  }
  return found;
}

function waitUp({ waits, messages, run, onMessage, onTimeout }: StepDefinition): string | undefined {
  if (Object.keys(messages).length === 0 || waits === "messages, with a timeout") return undefined;
  if (waits !== undefined) return "It may wait for ever. Give it a timeout, or a deadline.";
  const begun = pausesIn(run);
  if (begun.includes("none")) return endless("run", `Give the pause a timeout, or the workflow a deadline`);
  if (begun.length === 0 && onTimeout === undefined && ![run, onMessage].some(namesTimeout)) {
    return unseen("run", "timeout, onTimeout or deadline");
  }
  // A pause in onMessage keeps the timeout that runs, unless it clears it; one in onTimeout has none of its own.
  if (pausesIn(onMessage).includes("cleared")) return endless("onMessage", "Give the pause a timeout instead of null");
  if (pausesIn(onTimeout).some((timeout) => timeout !== "given")) {
    return endless("onTimeout", "The timeout that it answers is over: give the pause a new one");
  }
  return begun.includes("cleared") ? endless("run", "Give the pause a timeout instead of null") : undefined;
}

function waitDown({ rollbackMessages, rollback, onRollbackMessage }: StepDefinition): string | undefined {
  if (Object.keys(rollbackMessages).length === 0) return undefined;
  const begun = pausesIn(rollback);
  if (begun.some((timeout) => timeout !== "given")) {
    return endless("rollback", "Give the pause a timeout: a deadline has no effect on the way down");
  }
  if (begun.length === 0 && ![rollback, onRollbackMessage].some(namesTimeout)) return unseen("rollback", "timeout");
  if (!pausesIn(onRollbackMessage).includes("cleared")) return undefined;
  return endless("onRollbackMessage", "Give the pause a timeout instead of null");
}

function endless(where: string, advice: string): string {
  return `A pause in ${where} has no timeout, so it may wait for ever. ${advice}.`;
}

function unseen(where: string, what: string): string {
  return `It waits for messages, and no ${what} for that can be seen. Write pause(…, { timeout }) in ${where} itself.`;
}

/** Whether the policy never leaves room for a second try. Jitter may halve the first wait. */
function isTriedOnce({ rollbackRetry = defaultRollbackRetry }: StepDefinition): boolean {
  const { attempts, within, delay, jitter } = rollbackRetry;
  return attempts === 1 || within < (jitter ? delay / 2 : delay);
}

type Timeout = "given" | "none" | "cleared";

/** What each `pause(…)` in the function's text says about its timeout. Options from elsewhere are taken as having one. */
function pausesIn(fn: StepFunction | undefined): Timeout[] {
  if (fn === undefined) return [];
  const code = codeOf(fn);
  return [...code.matchAll(/\bpause\b\s*\)?\s*\(/g)].map((call) => {
    const [, options = ""] = argumentsFrom(code, call.index + call[0].length);
    if (/^\{[^]*\btimeout\s*:\s*(?:null|undefined|void 0)\b/.test(options)) return "cleared";
    const isOpen = options !== "" && (!options.startsWith("{") || options.includes("..."));
    return isOpen || /\btimeout\b/.test(options) ? "given" : "none";
  });
}

function namesTimeout(fn: StepFunction | undefined): boolean {
  return fn !== undefined && /\btimeout\b/i.test(codeOf(fn));
}

const commentsAndTexts = /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`/g;

/** The function's text without its comments, and with its texts emptied: what stands in them calls nothing. */
function codeOf(fn: StepFunction): string {
  return Function.prototype.toString.call(writtenFor(fn)).replace(commentsAndTexts, (part) => {
    if (part.startsWith("/")) return " ";
    return /^["']timeout["']$/.test(part) ? "timeout" : '""';
  });
}

/** The arguments of a call, from behind its parenthesis: split at the commas that are not inside of brackets. */
function argumentsFrom(code: string, start: number): string[] {
  const found = [""];
  let depth = 0;
  for (const character of code.slice(start)) {
    if (")]}".includes(character) && depth-- === 0) break;
    if ("([{".includes(character)) depth++;
    if (character === "," && depth === 0) found.push("");
    else found[found.length - 1] += character;
  }
  return found.map((argument) => argument.trim());
}
