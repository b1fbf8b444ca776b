/** What a history is made of: the points at which something may happen, and what happens there other than usual. */

/** What may happen at a point, in the words in which it is written down. `rewind <step>` and `sends <message>` have a name with them. */
export type Fault =
  | "fails"
  | "fails for good"
  | "answer lost"
  | "answers lost for good"
  | "hangs"
  | "late"
  | "very late"
  | "dies before it"
  | "dies after it"
  | "taken for dead"
  | "says unknown"
  | "rollback requested"
  | "dies"
  | "commit answer lost"
  | "commit held"
  | "deployed"
  | "never comes"
  | "comes twice"
  | "comes late"
  | `early ${string}`
  | `instead ${string}`
  | `rewind ${string}`
  | "skipped"
  | "retried twice";

/**
 * What can be left out by name. A late effect comes within a minute after its call was given up or its process was taken for dead; a
 * very late one when all else is over.
 */
export const faultKinds = [
  "failures",
  "lost-answers",
  "hangs",
  "late-effects",
  "very-late-effects",
  "deaths",
  "messages",
  "rollbacks",
  "rewinds",
  "operators",
  "deployments",
] as const;

/** @see faultKinds */
export type FaultKind = (typeof faultKinds)[number];

const kindsOf: Readonly<Record<string, FaultKind>> = {
  fails: "failures",
  "fails for good": "failures",
  "answer lost": "lost-answers",
  "answers lost for good": "lost-answers",
  hangs: "hangs",
  late: "late-effects",
  "very late": "very-late-effects",
  "dies before it": "deaths",
  "dies after it": "deaths",
  "taken for dead": "late-effects",
  "says unknown": "failures",
  "rollback requested": "rollbacks",
  dies: "deaths",
  "commit answer lost": "deaths",
  "commit held": "deaths",
  deployed: "deployments",
  "never comes": "messages",
  "comes twice": "messages",
  "comes late": "messages",
  skipped: "operators",
  "retried twice": "operators",
};

export function kindOf(fault: Fault): FaultKind {
  if (fault.startsWith("rewind ")) return "rewinds";
  return kindsOf[fault] ?? "messages";
}

/** Something other than usual, and where. */
export interface Deviation {
  /** The point: "run charge", "commit charge ok", "waiting at approve"; with "#2" where it is the second of that name. */
  readonly at: string;
  readonly fault: Fault;
}

/** Deviations in the order in which they come. Empty: all goes well. */
export type Course = readonly Deviation[];

/** A point that a history has come to. */
export interface Point {
  readonly at: string;
  readonly faults: readonly Fault[];
}

/** As in the line to paste. */
export function written({ at, fault }: Deviation): string {
  return `${at}: ${fault}`;
}

export function readDeviation(text: string): Deviation {
  const cut = text.lastIndexOf(": ");
  return { at: text.slice(0, cut), fault: text.slice(cut + 2) as Fault };
}

/** "charge" of "run charge#2". */
function subject(at: string): { readonly of: string; readonly nth: string } {
  const [, of = at, nth] = /^(.*?)(?:#(\d+))?$/.exec(at) ?? [];
  return { of, nth: nth === undefined ? "" : ` (for the ${ordinal(Number(nth))} time)` };
}

function ordinal(number: number): string {
  const ending =
    number % 10 > 3 || (number % 100 > 10 && number % 100 < 14) ? "th" : ["th", "st", "nd", "rd"][number % 10]!;
  return `${number}${ending}`;
}

const sentences: Readonly<Record<string, (of: string) => string>> = {
  fails: (of) => `${of} fails once, before its effect`,
  "fails for good": (of) => `${of} fails each time, before its effect`,
  "answer lost": (of) => `the answer of ${of} is lost: its effect happened, and the call fails`,
  "answers lost for good": (of) => `the answer of ${of} is lost each time: its effect happened, and the call fails`,
  hangs: (of) => `${of} never answers, and has no effect`,
  late: (of) => `${of} does not answer, and its effect comes a minute after it was given up`,
  "very late": (of) => `${of} does not answer, and its effect comes when all else is over`,
  "dies before it": (of) => `the process dies when ${of} begins, before its effect`,
  "dies after it": (of) => `the process dies after the effect of ${of}, before its commit`,
  "taken for dead": (of) => `the process freezes in ${of} and is taken for dead; its effect comes a minute later`,
  "says unknown": (of) => `${of} answers that nobody can say`,
  "rollback requested": (of) => `a rollback is asked for at ${of}`,
  dies: (of) => `the process dies right after the ${of}`,
  "commit answer lost": (of) => `the store's answer to the ${of} is lost`,
  "commit held": (of) => `the ${of} is held up until the process was taken for dead, and a minute longer`,
  deployed: (of) => `after the ${of} another version takes over`,
  "never comes": (of) => `nothing is sent while it is ${of}`,
  "comes twice": (of) => `the message is sent twice while it is ${of}`,
  "comes late": (of) => `the message comes too late while it is ${of}`,
  skipped: (of) => `an operator skips what is ${of}`,
  "retried twice": (of) => `an operator retries twice what is ${of}`,
};

/** "the process dies after the effect of charge, before its commit". */
function said({ at, fault }: Deviation): string {
  const { of, nth } = subject(at);
  const named = Object.hasOwn(sentences, fault) ? sentences[fault]!(of) : undefined;
  if (named !== undefined) return `${named}${nth}`;
  const [kind, ...rest] = fault.split(" ");
  const what = rest.join(" ");
  if (kind === "rewind") return `a rewind to ${what} is asked for at ${of}${nth}`;
  if (kind === "early") return `"${what}" is sent before it is waited for`;
  return `"${what}" is sent in place of what is usual, while it is ${of}${nth}`;
}

/** "All goes well, except: …" */
export function sentenceOf(course: Course): string {
  if (course.length === 0) return "All goes well.";
  return `All goes well, except: ${course.map(said).join("; then ")}.`;
}
