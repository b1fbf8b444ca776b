/** Finds the workflow in a user's module. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { diagram, StepwellError, type AnyWorkflow } from "../index.js";
import { messageOf } from "./text.js";

export interface LoadedWorkflow {
  readonly workflow: AnyWorkflow;
  /** All exported versions of the workflow: an execution goes on with the version that it started with. */
  readonly versions: readonly AnyWorkflow[];
}

/**
 * Imports the module and picks its only workflow, or the one that is called `name`: as a workflow or as an export.
 *
 * @throws STEPWELL_INVALID_MODULE
 */
export async function loadWorkflow(path: string, name?: string): Promise<LoadedWorkflow> {
  const found = workflowsOf(await importModule(path), path);
  const fitting = name === undefined ? [...found] : named(found, name);
  const [first, second] = fitting;
  if (first === undefined) {
    const missing = name === undefined ? "no workflow" : `no workflow ${JSON.stringify(name)}`;
    throw invalid(path, `exports ${missing}. ${found.size === 0 ? howToExport : `It has: ${listed(found)}.`}`);
  }
  if (second !== undefined) {
    throw invalid(
      path,
      `exports several workflows: ${listed(fitting)}. Pick one with --workflow <name of the export>.`,
    );
  }
  const [workflow] = first;
  return { workflow, versions: [...found.keys()].filter((other) => other.name === workflow.name) };
}

/**
 * Imports the module and gives all its workflows, each once: those that it exports, and those in the lists and objects
 * that it exports, one level deep.
 *
 * @throws STEPWELL_INVALID_MODULE, also where the module exports no workflow
 */
export async function loadWorkflows(path: string): Promise<readonly AnyWorkflow[]> {
  const found = new Set<AnyWorkflow>();
  for (const value of Object.values(await importModule(path))) {
    for (const one of [value, ...insideOf(value)]) if (isWorkflow(one, path)) found.add(one);
  }
  if (found.size === 0) throw invalid(path, `exports no workflow. ${howToExport}`);
  return [...found];
}

/** The values in a list or a plain object. Other objects are left alone: to look into them may have effects. */
function insideOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (typeof value !== "object" || value === null) return [];
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return [];
  return Object.values(Object.getOwnPropertyDescriptors(value)).map(
    (property: PropertyDescriptor) => property.value as unknown,
  );
}

const howToExport = `Export one: export const fulfilOrder = workflow("fulfil-order", { … }).step(…).`;

async function importModule(path: string): Promise<object> {
  const file = resolve(path);
  if (!existsSync(file)) throw invalid(path, `does not exist. It is looked for at ${JSON.stringify(file)}.`);
  try {
    return await settledOr(import(pathToFileURL(file).href) as Promise<object>, neverLoaded);
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code === "ERR_UNKNOWN_FILE_EXTENSION") {
      throw invalid(
        path,
        `is of a kind that this Node does not run. Compile it to .js, or for TypeScript set NODE_OPTIONS="--import tsx".`,
        cause,
      );
    }
    throw invalid(path, `could not be loaded: ${messageOf(cause)}`, cause);
  }
}

const neverLoaded = "it awaits something at its top level that never comes";

/** Rejects when nothing is left that could settle the promise. Without this, Node would end the process without an error of ours. */
async function settledOr<T>(promise: Promise<T>, problem: string): Promise<T> {
  let giveUp: (() => void) | undefined;
  const idle = new Promise<never>((_resolve, reject) => {
    giveUp = () => reject(new Error(problem));
    process.once("beforeExit", giveUp);
  });
  try {
    return await Promise.race([promise, idle]);
  } finally {
    process.off("beforeExit", giveUp!);
  }
}

/** Each workflow with the names that it is exported by. */
type Found = ReadonlyMap<AnyWorkflow, readonly string[]>;

function workflowsOf(module: object, path: string): Found {
  const found = new Map<AnyWorkflow, string[]>();
  for (const [exported, value] of Object.entries(module)) {
    if (isWorkflow(value, path)) found.set(value, [...(found.get(value) ?? []), exported]);
  }
  return found;
}

function isWorkflow(value: unknown, path: string): value is AnyWorkflow {
  try {
    diagram(value as AnyWorkflow);
    return true;
  } catch (cause) {
    if (cause instanceof StepwellError && cause.code === "STEPWELL_INVALID_ARGUMENT") return false;
    throw invalid(path, `exports a workflow that can't run: ${messageOf(cause)}`, cause);
  }
}

/** The name of an export is exact; several versions may share the name of a workflow. */
function named(found: Found, name: string): [AnyWorkflow, readonly string[]][] {
  const all = [...found];
  const exported = all.filter(([, names]) => names.includes(name));
  return exported.length > 0 ? exported : all.filter(([workflow]) => workflow.name === name);
}

function listed(found: Iterable<readonly [AnyWorkflow, readonly string[]]>): string {
  return [...found]
    .map(([{ name, version }, [exported]]) => `${exported} (workflow "${name}", version "${version}")`)
    .join(", ");
}

function invalid(path: string, what: string, cause?: unknown): StepwellError {
  return new StepwellError("STEPWELL_INVALID_MODULE", `The module ${JSON.stringify(path)} ${what}`, { cause });
}
