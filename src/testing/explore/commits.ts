/** What of the store's calls is a commit, under which name. */
import type { Batch } from "../../stores/batch.js";
import type { Advance } from "../../stores/lists.js";
import type { StepFunc } from "../../definition/flow.js";
import type { StoreCall } from "../faults/faulty-store.js";
import { exploredId, whereOf } from "./calls.js";

export interface Commit {
  /** "commit of charge". */
  readonly name: string;
  readonly ids: readonly string[];
  /** The execution that is explored goes up with it, or has begun. */
  readonly isUp: boolean;
  /** At which step it then stands. */
  readonly step: string | undefined;
}

const words: Readonly<Record<StepFunc, string>> = {
  run: "",
  runContinue: "handler of ",
  probe: "probe of ",
  rollback: "undo of ",
  rollbackContinue: "handler of the undo of ",
};

const known = new WeakMap<StoreCall, Commit | undefined>();

/** Undefined: nothing of an execution changes with it. */
export function commitOf(call: StoreCall): Commit | undefined {
  if (known.has(call)) return known.get(call);
  const commit = call.name === "write" ? written(call.given[0] as Batch) : advanced(call);
  known.set(call, commit);
  return commit;
}

function written({ transitions, creates }: Batch): Commit | undefined {
  const ids = [...creates, ...transitions].map(({ id }) => id);
  const [first] = transitions;
  if (first === undefined) {
    return creates.length === 0 ? undefined : { name: "launch", ids, isUp: true, step: creates[0]!.position.step };
  }
  const { step, func, result } = first.history;
  const what = result === "ok" || result.includes(" ") ? "" : ` (${result})`;
  const own = transitions.find(({ id }) => id === exploredId);
  return {
    name: `commit of ${words[func]}${step}${whereOf(first.id)}${what}`,
    ids,
    isUp: own !== undefined && own.position.direction === "up",
    step: own?.position.step,
  };
}

function advanced({ name, given }: StoreCall): Commit | undefined {
  if (name !== "lists.advance") return undefined;
  const begins = (given[0] as readonly Advance[]).flatMap((one) => one.begins.map(({ id }) => id));
  return { name: "advance of the children", ids: begins, isUp: false, step: undefined };
}
