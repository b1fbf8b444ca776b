import { escapeUnprintable, messageOf } from "../values/text.js";
import { appendFileSync, closeSync, fstatSync, openSync, readSync } from "node:fs";
import { checkedObserver, type CommitEvent, type Observer, type Synchronous } from "../definition/observer.js";
import type { Mutable } from "../values/mutable.js";
import { refuseUnknownOptions, shown } from "../values/options.js";
import { StepwellError } from "../errors.js";
import { stateDifference, type ChangeOperation } from "../values/state-changes.js";

/** One committed transition: when, by whom, and what it changed. Plain JSON. */
export interface ChangeRecord {
  /** The execution's id. */
  readonly execution: string;
  readonly workflow: string;
  readonly version: string;
  /** For a child: the execution whose step it is part of. */
  readonly parent?: string;
  /** For a child: the execution at the top of its tree. */
  readonly root?: string;
  /** Counts the transitions of the execution, from 1, without a gap. */
  readonly revision: number;
  /** The store's time of the commit: ISO 8601, UTC. */
  readonly at: string;
  readonly step: string;
  readonly direction: CommitEvent["transition"]["direction"];
  readonly func: CommitEvent["transition"]["func"];
  readonly attempt: number;
  /** As in a row of the history: `ok`, `continue`, `retried`, `skipped`, `patched`, `cut-off`, a probe's answer, or a reason. */
  readonly result: string;
  /** Who acted, for an operator's act or a rollback request. */
  readonly by?: string;
  /** Why, for an operator's act or a rollback request. */
  readonly why?: string;
  /** In which round the step was begun. Left out: before any rewind. */
  readonly round?: number;
  /** A rewind was asked for: the step to which it goes back. */
  readonly backTo?: string;
  /** The last undo of a rewind: the execution goes up again from this step, in this round. */
  readonly upInto?: number;
  /** The message that was handled. */
  readonly message?: { readonly id: string; readonly name: string };
  /** What the transition changed in the state, as JSON Patch (RFC 6902); empty where nothing changed. */
  readonly changes: readonly ChangeOperation[];
}

/** Takes one record after the other, at once. An error that it throws is reported to `onError` and disturbs nothing. */
export type ChangeSink = (record: ChangeRecord) => Synchronous;

export interface ChangesOptions {
  /**
   * Paths into the state whose values must never show: `card.number`, `items[*].price`, `*.secret`,
   * `["a.b"]`; `cards[*][1].number` in the values of a Map. A record then has `[REDACTED]` instead, so it
   * still says that the value was set, changed or removed. Default: none.
   */
  readonly redact?: readonly string[];
}

/**
 * A watcher that hands over one record for each committed transition, in the order of an execution's
 * revisions: who did it, when, and what it changed in the state.
 *
 * The watcher is called right after the commit. A crash in between loses the record, never the row of the history:
 * a gap in the revisions shows it, and `execution.history({ changes: true })` fills it.
 *
 * @param sink a function, or `jsonlFile(path)`
 * @example
 * fulfilOrder.observe(changes(jsonlFile("changes.jsonl"), { redact: ["card.number", "*.secret"] }));
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 */
export function changes(sink: ChangeSink, options: ChangesOptions = {}): Observer {
  if (typeof sink !== "function") {
    const message = `changes(…) takes a function or jsonlFile(path), not ${shown(sink)}.`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message);
  }
  refuseUnknownOptions(options, ["redact"], "changes(…)");
  const difference = stateDifference(options.redact, "changes(…)");
  return checkedObserver<unknown>({
    name: "changes",
    commit: (event) => sink(recordOf(event, difference(event.before as object, event.state as object))),
  });
}

function recordOf({ execution, transition }: CommitEvent, operations: ChangeOperation[]): ChangeRecord {
  const { revision, at, step, direction, func, attempt, result, by, why, message, round, backTo, upInto } = transition;
  const { id, workflow, version, parent, root } = execution;
  // Field by field, in the order in which they are written: each commit makes one, and spreading costs.
  const record: Partial<Mutable<ChangeRecord>> = {
    execution: id,
    workflow,
    version,
    revision,
    at: at.toISOString(),
    step,
    direction,
    func,
    attempt,
    result,
  };
  if (parent !== undefined) record.parent = parent;
  if (root !== undefined) record.root = root;
  if (by !== undefined) record.by = by;
  if (why !== undefined) record.why = why;
  if (round !== undefined) record.round = round;
  if (backTo !== undefined) record.backTo = backTo;
  if (upInto !== undefined) record.upInto = upInto;
  if (message !== undefined) record.message = { id: message.id, name: message.name };
  record.changes = operations;
  return record as ChangeRecord;
}

/**
 * A sink for `changes`: appends each record to a file, as one line of JSON. Several processes of one
 * machine may share it. The file is created readable for its owner only (mode 0600); its folder must exist.
 *
 * Each line is handed to the operating system before the next step runs: some microseconds, and nothing
 * is lost when the process stops or crashes. A power failure may take the last lines. The file is opened
 * anew for each line, so it may be rotated by renaming it.
 *
 * A line that can't be written is reported to `onError` and not tried again; the execution goes on.
 *
 * @throws STEPWELL_INVALID_ARGUMENT at once, if the file can't be appended to
 */
export function jsonlFile(path: string): ChangeSink {
  if (typeof path !== "string" || path === "") {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `jsonlFile(…) takes the path of a file, not ${shown(path)}.`);
  }
  /** Whether the file ends in half a line, since the power failed or the disk was full. Undefined: not known. */
  let isTorn: boolean | undefined;
  try {
    isTorn = endsWithinLine(path);
  } catch (cause) {
    const message = `jsonlFile(…) can't append to ${shown(path)}: ${messageOf(cause)}. Its folder must exist.`;
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", message, { cause });
  }
  return (record) => {
    try {
      const start = (isTorn ?? endsWithinLine(path)) ? "\n" : "";
      isTorn = undefined;
      appendFileSync(path, `${start}${escapeUnprintable(JSON.stringify(record))}\n`, { mode });
      isTorn = false;
    } catch (cause) {
      throw new StepwellError(
        "STEPWELL_OBSERVER_FAILED",
        `Revision ${record.revision} of execution "${record.execution}" is missing in ${path}: ${messageOf(cause)}`,
        { workflow: record.workflow, execution: record.execution, step: record.step, cause },
      );
    }
  };
}

const mode = 0o600;

/** Creates the file if it is not there. */
function endsWithinLine(path: string): boolean {
  const file = openSync(path, "a+", mode);
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last.toString() !== "\n";
  } finally {
    closeSync(file);
  }
}
