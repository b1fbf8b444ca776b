/**
 * Positions and entries of the history as JSON in a row. They are written with each transition, so they hold what is not as
 * usual, and no more; and an error stands once, in the history, where the position refers to it.
 */
import type { Direction, StepFunc } from "../../definition/flow.js";
import type { NewExecution } from "../batch.js";
import type { Position } from "../../execution/position.js";
import type { HistoryEntry, Transition } from "../../execution/records.js";
import { Encoded } from "../../values/encode.js";
import type { SerializedError } from "../../values/serialize-error.js";

/** `full`: as a process reads it that was made before rows were compact, and may still be at work on the same tables. */
export type RowFormat = "compact" | "full";

/** What a position is where its text says nothing else. */
const usualPosition: { readonly [Field in keyof Position]?: Position[Field] } = {
  stepIndex: 0,
  lifecycle: "init",
  direction: "up",
  reason: "normal",
  lastResult: "ok",
  attempts: 0,
  firstAttemptAt: null,
  uncounted: 0,
  waitUntil: null,
  resumeAt: null,
  error: null,
  stuckBy: null,
};

const usualEntry = { direction: "up", attempt: 1, result: "ok" } satisfies Partial<HistoryEntry>;

/** Which function is called where nothing special happens. */
const usualFunc: Readonly<Record<Direction, StepFunc>> = { up: "run", down: "rollback" };

/** The rows of the history in which errors stand that positions hold: one that is not here is written out. */
const standing = new WeakMap<SerializedError, { readonly id: string; readonly revision: number }>();

export function positionText(position: Position, id: string, format: RowFormat): string {
  if (format === "full") return JSON.stringify(position);
  const { direction } = position;
  let text = `{"step":${JSON.stringify(position.step)}`;
  for (const field in position) {
    const value = position[field as keyof Position];
    if (value === undefined || value === usualPosition[field as keyof Position] || field === "step") continue;
    if (field === "stepFunc" && value === usualFunc[direction]) continue;
    if (field === "error" || field === "stuckBy") text += errorText(field, value as SerializedError, id);
    else text += `,"${field}":${typeof value === "number" ? value : JSON.stringify(value)}`;
  }
  return `${text}}`;
}

function errorText(field: "error" | "stuckBy", error: SerializedError, id: string): string {
  const revision = revisionOf(error, id);
  if (revision === undefined) return `,"${field}":${JSON.stringify(error)}`;
  return `,"${field === "error" ? "errorAt" : "stuckAt"}":${revision}`;
}

function revisionOf(error: SerializedError, id: string): number | undefined {
  const place = standing.get(error);
  return place?.id === id ? place.revision : undefined;
}

/** What a transition's position and its entry become. */
export function transitionTexts(
  { id, revision, position, history }: Transition,
  format: RowFormat,
): { readonly position: string; readonly entry: string } {
  const { error } = history;
  if (error !== undefined && (error === position.error || error === position.stuckBy)) {
    standing.set(error, { id, revision });
  }
  return { position: positionText(position, id, format), entry: entryText(history, format) };
}

/** The patch has a column of its own. */
function entryText(entry: HistoryEntry, format: RowFormat): string {
  const isCompact = format === "compact";
  let text = `{"step":${JSON.stringify(entry.step)}`;
  for (const field in entry) {
    const value = entry[field as keyof HistoryEntry];
    if (value === undefined || field === "patch" || field === "step") continue;
    if (isCompact && value === usualEntry[field as keyof typeof usualEntry]) continue;
    if (isCompact && field === "func" && value === usualFunc[entry.direction]) continue;
    text += `,"${field}":${typeof value === "number" ? value : JSON.stringify(value instanceof Encoded ? value.text : value)}`;
  }
  return `${text}}`;
}

/** With what is usual in its place. To be called before anything of it is checked. */
export function entryWhole(parsed: unknown): unknown {
  return withUsual(usualEntry, "func", parsed);
}

/** As `entryWhole`, of a position; an error that it refers to is taken from those given. */
export function positionWhole(parsed: unknown, errorOf: (revision: number) => SerializedError | undefined): unknown {
  const whole = withUsual(usualPosition, "stepFunc", parsed);
  if (typeof whole !== "object" || whole === null || !("errorAt" in whole || "stuckAt" in whole)) return whole;
  const { errorAt, stuckAt, ...position } = whole as Record<string, unknown>;
  return {
    ...position,
    ...(errorAt !== undefined && { error: errorOf(errorAt as number) }),
    ...(stuckAt !== undefined && { stuckBy: errorOf(stuckAt as number) }),
  };
}

/** Field by field, into what was parsed: a page of a list has a thousand of them. */
function withUsual(usual: object, func: string, parsed: unknown): unknown {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return parsed;
  const whole = parsed as Record<string, unknown> & { readonly direction?: Direction };
  if (whole[func] === undefined) whole[func] = usualFunc[whole.direction ?? "up"];
  for (const field in usual) if (whole[field] === undefined) whole[field] = usual[field as keyof typeof usual];
  return whole;
}

/** In the column of the state: it is the same as the input. No value has this text. */
const sameAsInput = "=";

/** Most schemas give back a copy of what they check: it is another object with the same text. */
export function newStateText({ state, input }: Pick<NewExecution, "state" | "input">, format: RowFormat): string {
  return format === "compact" && (state.isSame(input) || state.text === input.text) ? sameAsInput : state.text;
}

export function stateTextOf({ state, input }: { readonly state: string; readonly input: string }): string {
  return state === sameAsInput ? input : state;
}

/** Which rows of the history a stored position refers to. */
export function revisionsIn(position: unknown): number[] {
  if (typeof position !== "string" || !position.includes('At":')) return [];
  return [...position.matchAll(/"(?:errorAt|stuckAt)":(\d+)/g)].map(([, revision]) => Number(revision));
}

/** An error that was read from the history: what refers to it goes on doing so. */
export function errorThatStands(error: SerializedError, id: string, revision: number): SerializedError {
  standing.set(error, { id, revision });
  return error;
}
