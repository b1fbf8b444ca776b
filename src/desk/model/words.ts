/** The words for where an execution stands, and for what each act on it would do. */
import type { ExecutionFacts } from "./facts.js";
import type { Lanes, Round } from "./lanes.js";
import { listed, milliseconds, quoted } from "./spans.js";
import { statusWords } from "./status-words.js";

export type ActName =
  | "send"
  | "publish"
  | "rollback"
  | "rewind"
  | "retry"
  | "resolve"
  | "skip"
  | "patch"
  | "launch"
  | "schedule-pause"
  | "schedule-resume"
  | "schedule-trigger"
  | "resend"
  | "bulk-rollback"
  | "bulk-retry"
  | "bulk-resend"
  | "recall"
  | "recall-pause"
  | "recall-resume"
  | "recall-stop";

/** How urgent it is that a person looks: `act`: a person is needed; `watch`: it may become so; `calm`: nothing to do. */
export type Urgency = "act" | "watch" | "calm";

export interface Words {
  /** One sentence: what is the matter. */
  readonly headline: string;
  /** More of it, a sentence each: since when, the last error, what stays in the world. */
  readonly lines: readonly string[];
  readonly urgency: Urgency;
  /** What can be done about it now, the likeliest first. */
  readonly acts: readonly Offer[];
}

/** An act that is possible now, and what it would do. */
export interface Offer {
  readonly act: ActName;
  /** For a button: "Try again". */
  readonly label: string;
  /** What it would do, for the question before it. */
  readonly consequence: string;
  readonly reason: "required" | "optional";
  /** Of a rewind: the steps that it may go back to, in order, and whether they can't be undone, so that they would be done twice. */
  readonly steps?: readonly { readonly name: string; readonly irreversible: boolean }[];
  /** It undoes something, or takes something as done that nobody has done. */
  readonly grave: boolean;
}

/** @param now the store's time, in milliseconds since 1970 */
export function wordsOf(facts: ExecutionFacts, lanes: Lanes, now: number): Words {
  return { ...statusWords(facts, lanes, now), acts: offersOf(facts, lanes, now) };
}

/** What can be done with an execution as it stands. Whether it may be decides the engine. */
function offersOf(facts: ExecutionFacts, lanes: Lanes, now: number): Offer[] {
  const round = lanes.rounds.at(-1)!;
  return [
    ...(facts.status === "stuck" ? stuckOffers(facts, round) : []),
    ...rollbackOffer(facts, round, now),
    ...rewindOffer(facts, round, now),
    ...sendOffer(facts),
  ];
}

function stuckOffers(facts: ExecutionFacts, { rows }: Round): Offer[] {
  const { step, direction, stepIndex } = facts.flow;
  const down = direction === "down";
  const name = quoted(step);
  const next = down
    ? rows.findLast(({ index, down: { mark } }) => index < stepIndex && mark === "to-undo")
    : rows.find(({ index }) => index > stepIndex);
  const goesOn =
    next === undefined
      ? `Then it ends as ${down ? "rolled back" : "completed"}.`
      : `Then it goes on ${down ? `undoing ${quoted(next.step)}` : `with ${quoted(next.step)}`}.`;
  return [
    ...resolveOffer(facts, goesOn),
    {
      act: "retry",
      label: "Try again",
      consequence: againOf(facts),
      reason: "optional",
      grave: false,
    },
    {
      act: "patch",
      label: "Change the state",
      consequence: "Merges fields into the state. It stays stuck until it is tried again or skipped.",
      reason: "required",
      grave: false,
    },
    {
      act: "skip",
      label: down ? "Take as undone" : "Take as done",
      consequence: down
        ? `Takes ${name} as undone though its undo failed: what it did stays in the world. ${goesOn}`
        : `Takes ${name} as done though it failed. ${goesOn}`,
      reason: "required",
      grave: true,
    },
  ];
}

/** Somebody knows what nobody could say. */
function resolveOffer({ flow, inDoubt }: ExecutionFacts, goesOn: string): Offer[] {
  if (inDoubt === undefined) return [];
  const name = quoted(flow.step);
  const consequence =
    flow.direction === "down"
      ? `Says whether ${name} was done: then it is undone, or nothing of it is.`
      : `Says whether ${name} was done. If it was: ${goesOn} If not, it is tried again, or the execution turns.`;
  return [{ act: "resolve", label: "Say what happened", consequence, reason: "required", grave: true }];
}

function againOf({ flow, inDoubt, steps }: ExecutionFacts): string {
  const name = quoted(flow.step);
  if (inDoubt !== undefined && steps?.[flow.stepIndex]?.probe === true)
    return `Asks the probe of ${name} again what became of its last attempt.`;
  const what = flow.direction === "down" ? `the undo of ${name}` : name;
  return `Runs ${what} again from its beginning, with fresh attempts and the same idempotency key.`;
}

/** Where it goes down already, a rollback takes over from a rewind only. What a child has completed, its parent alone may undo. */
function rollbackOffer(facts: ExecutionFacts, { rows }: Round, now: number): Offer[] {
  const { status, flow, parent } = facts;
  const isRewound = flow.direction === "down" && flow.until !== undefined;
  const isOver = status === "rolledBack" || (flow.direction === "down" && !isRewound) || isOfEngine(facts);
  const belongsToParent = status === "completed" && parent !== undefined;
  if (isOver || belongsToParent || donePivot(rows) >= 0 || isSealed(facts, now)) return [];
  const last = isRewound ? flow.stepIndex : Infinity;
  const begun = rows.filter(({ index, up }) => index <= last && !["to-do", "passed-over"].includes(up.mark));
  const steps = begun.toReversed().map(({ step }) => step);
  const order =
    steps.length === 0 ? "Nothing was done, so nothing is undone." : `Undoes ${listed(steps)}, in this order.`;
  const before = status === "completed" ? "It has completed, and is undone all the same. " : "";
  const instead = isRewound ? "It does not go up again. " : "";
  return [
    {
      act: "rollback",
      label: "Roll back",
      consequence: `${before}${instead}${order} What can't be undone stays, and a rollback is not taken back.`,
      reason: "required",
      grave: true,
    },
  ];
}

/**
 * A rewind that goes down ends by itself, and who asked for a rollback was told that it comes. What a child has done is a part of its
 * parent, which may be rewound.
 */
function rewindOffer(facts: ExecutionFacts, { rows }: Round, now: number): Offer[] {
  const { status, flow, steps = [], parent, request } = facts;
  const isGoingDown =
    flow.direction === "down" && (status !== "stuck" || (flow.until === undefined && request !== undefined));
  const isOver = status === "rolledBack" || parent !== undefined || isOfEngine(facts);
  if (isOver || isGoingDown || isSealed(facts, now)) return [];
  const pivot = donePivot(rows);
  const begun = rows.filter(
    ({ index, up: { mark } }) =>
      index > pivot &&
      index <= flow.stepIndex &&
      mark !== "passed-over" &&
      (mark !== "to-do" || index === flow.stepIndex),
  );
  if (begun.length === 0) return [];
  return [
    {
      act: "rewind",
      label: "Go back to a step",
      consequence:
        "Undoes that step and all that was done after it, the last one first, and then does them again from there, under new idempotency keys.",
      reason: "required",
      grave: true,
      steps: begun.map(({ index, step }) => ({ name: step, irreversible: steps[index]?.irreversible !== undefined })),
    },
  ];
}

/** A recall: what it has asked for stays asked. */
function isOfEngine({ workflow }: ExecutionFacts): boolean {
  return workflow.startsWith("stepwell:");
}

/** The index of the pivot. -1: there is none, or it is not done. */
function donePivot(rows: Round["rows"]): number {
  return rows.findLast((row) => row.pivot && ["done", "skipped"].includes(row.up.mark))?.index ?? -1;
}

function isSealed({ sealedAt }: ExecutionFacts, now: number): boolean {
  return sealedAt !== undefined && milliseconds(sealedAt) <= now;
}

function sendOffer({ status, steps, flow }: ExecutionFacts): Offer[] {
  const names = [
    ...new Set(steps?.flatMap(({ messages = [], rollbackMessages = [] }) => [...messages, ...rollbackMessages])),
  ];
  const isOver = status === "completed" || status === "rolledBack";
  if (isOver || (steps !== undefined && names.length === 0)) return [];
  const awaited =
    (flow.direction === "up" ? steps?.[flow.stepIndex]?.messages : steps?.[flow.stepIndex]?.rollbackMessages) ?? [];
  const consequence =
    status === "waiting" && awaited.length > 0
      ? `Puts a message into its mailbox. It waits for ${listed(awaited, "or")}.`
      : "Puts a message into its mailbox, where it lies until a step that declares its name waits for it.";
  return [{ act: "send", label: "Send a message", consequence, reason: "optional", grave: false }];
}
