/**
 * What an execution that is rewound goes up again with: the state as it would be had the steps that were undone given nothing. What
 * guards, operators, undos and migrations changed stays. Pure: the rows of the history come in, in their order.
 */
import { encode } from "../values/encode.js";
import { merge } from "../values/isolate.js";
import type { Event } from "./events.js";
import { type ActiveExecution, executionWith } from "./execution.js";
import { stateAfter } from "./history.js";
import type { HistoryEntry } from "./records.js";

/** What a row of the history changed in the state. */
interface Contribution {
  /** The step that gave it, under the name that it has now. Undefined: it was no step on its way up. */
  readonly step: string | undefined;
  readonly fields: object;
  /** Fields that a migration took away. */
  readonly gone?: readonly string[];
}

/** What a rewound execution goes up again with. */
export interface RewindBase {
  readonly state: object;
  /** The patch that the rewind asked to merge into the state. */
  readonly patch: object | undefined;
  /** The steps that were undone. */
  readonly undone: readonly string[];
}

export class Contributions {
  readonly #start: object;
  #all: Contribution[] = [];
  /** Steps that were undone since the execution went up last. */
  #undone = new Set<string>();
  /** Where it was on its way up, until it turns. */
  #reached: { readonly step: string; readonly index: number } | undefined;
  /** The state as it is. */
  #state: object;
  /** What the rewind that is under way was asked to merge. */
  #patch: object | undefined;

  /** @param start the state as it began */
  constructor(start: object) {
    this.#start = start;
    this.#state = start;
  }

  add(row: HistoryEntry): void {
    const { direction, func, step, stepIndex, patch, others, migration, replaced, backTo, patchThen, upInto } = row;
    if (direction === "down") this.#undone.add(step);
    // Where it turned at a step that had not happened, nothing of that was undone; it gave nothing all the same.
    if (direction === "down" && this.#reached !== undefined && this.#reached.index > stepIndex)
      this.#undone.add(this.#reached.step);
    this.#reached = direction === "up" ? { step, index: stepIndex } : undefined;
    // What a probe has found on the way down was done on the way up.
    const isSteps = direction === "up" || func === "probe";
    if (patch !== null) this.#all.push({ step: isSteps ? step : undefined, fields: patch.value as object });
    if (others !== undefined) this.#all.push({ step: undefined, fields: others.value as object });
    if (backTo !== undefined) this.#patch = patchThen?.value as object | undefined;
    const before = this.#state;
    this.#state = stateAfter(before, row);
    if (migration !== undefined) {
      this.#renamed(migration.steps ?? {}, step);
      if (replaced !== undefined) this.#all.push(difference(before, this.#state));
    }
    if (upInto === undefined) return;
    this.#all = this.#standing(this.#undone);
    if (this.#patch !== undefined) this.#all.push({ step: undefined, fields: this.#patch });
    this.#undone = new Set();
    this.#patch = undefined;
  }

  /** @param step the one that is undone last. Undefined: nothing is there of the one where the execution stands, as it never was */
  without(step: string | undefined): RewindBase {
    const undone = new Set(this.#undone);
    if (step !== undefined) undone.add(step);
    const state = this.#standing(undone).reduce(withContribution, this.#start);
    return { state, patch: this.#patch, undone: [...undone] };
  }

  #standing(undone: ReadonlySet<string>): Contribution[] {
    return this.#all.filter(({ step }) => step === undefined || !undone.has(step));
  }

  /**
   * What a step gave that a migration dropped stays, since nobody undoes it; unless it was undone before.
   *
   * @param at where the execution stood: that step may be undone in part, and no more
   */
  #renamed(steps: Readonly<Record<string, string | null>>, at: string): void {
    const now = (step: string): string | undefined => (Object.hasOwn(steps, step) ? (steps[step] ?? undefined) : step);
    const isBack = (step: string): boolean => step !== at && this.#undone.has(step) && now(step) === undefined;
    this.#all = this.#all.filter((it) => it.step === undefined || !isBack(it.step));
    this.#all = this.#all.map((it) => (it.step === undefined ? it : { ...it, step: now(it.step) }));
    this.#undone = new Set([...this.#undone].flatMap((step) => now(step) ?? []));
  }
}

function withContribution(state: object, { fields, gone = [] }: Contribution): object {
  const merged = merge(state, fields);
  if (gone.length === 0) return merged;
  return Object.freeze(Object.fromEntries(Object.entries(merged).filter(([name]) => !gone.includes(name))));
}

/** A migration gives the whole state; what it changed counts as its own. */
function difference(before: object, after: object): Contribution {
  const textOf = (value: unknown): string => encode(value, { what: "A field", limit: Infinity }).text;
  const was = new Map(Object.entries(before));
  const changed = Object.entries(after).filter(
    ([name, value]) => !was.has(name) || textOf(was.get(name)) !== textOf(value),
  );
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  return { step: undefined, fields: Object.fromEntries(changed), gone };
}

/**
 * The execution as it goes up again.
 *
 * @param limit the largest encoded state, in bytes
 * @throws STEPWELL_TOO_LARGE
 */
export function rewound(
  execution: ActiveExecution,
  event: Event,
  rewindBase: RewindBase,
  limit: number,
): ActiveExecution {
  const { position, outsideFields = [] } = execution;
  const own = new Map(Object.entries(execution.state));
  // What a step gave on its way up of which nothing is there is undone with it.
  const undo = position.direction === "down" ? (event.patch?.value ?? {}) : {};
  const guards = Object.fromEntries(outsideFields.flatMap((name) => (own.has(name) ? [[name, own.get(name)]] : [])));
  const patch = event.patchThen ?? rewindBase.patch ?? {};
  const state = [undo, guards, patch].reduce(merge, rewindBase.state);
  const unsaved = encode(state, { what: "The state", limit });
  return executionWith(execution, { state, sizeAtMost: unsaved.sizeAtMost, unsaved, changed: null });
}
