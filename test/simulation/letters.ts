/** Dead letters: they are listed, counted, and sent again, and whoever does it is told the truth. */
import fc from "fast-check";
import { StepwellError } from "../../src/errors.js";
import type { MailboxRecord } from "../../src/execution/records.js";
import type { DeadLetter, Sent } from "../../src/index.js";
import type { LetterAddress } from "../../src/client/dead-letters.js";
import type { Callers, Case, Machine, Place } from "./callers.js";
import { recallIds } from "./recalls.js";

export interface ResendAct {
  readonly act: "resend";
  readonly by: number;
  /** Which of the letters that are listed. */
  readonly nth: number;
  /** Null: to where it was. */
  readonly to: number | null;
  /** Under another name. */
  readonly as: number | null;
  readonly twice: boolean;
}

export const resendAct: fc.Arbitrary<ResendAct> = fc.record({
  act: fc.constant("resend" as const),
  by: fc.nat(5),
  nth: fc.nat(5),
  to: fc.option(fc.nat(3), { nil: null, freq: 2 }),
  as: fc.option(fc.nat(11), { nil: null, freq: 2 }),
  twice: fc.boolean(),
});

/** What a resend may be refused with. Nothing is stored then, and the letter stays what it is. */
const refusals = [
  "STEPWELL_NOT_DEAD",
  "STEPWELL_EXECUTION_ENDED",
  "STEPWELL_EXECUTION_NOT_FOUND",
  "STEPWELL_UNKNOWN_MESSAGE",
  "STEPWELL_INVALID_MESSAGE",
];

export const letterSights = [
  ...(["resent", "resent elsewhere", "resent twice"] as const),
  ...refusals.filter((code) => code !== "STEPWELL_EXECUTION_NOT_FOUND"),
].map((what) => `a dead letter: ${what}`);

export function resend(act: ResendAct, callers: Callers): void {
  const place = callers.able(act.by);
  if (place === undefined) return;
  callers.call(place, "resend", () => resent(act, place, callers), refusals);
}

async function resent({ nth, to, as, twice }: ResendAct, place: Place, callers: Callers): Promise<unknown> {
  const { letters } = await place.client.deadLetters();
  if (letters.length === 0) return "none";
  const { execution, id } = letters[nth % letters.length]!;
  const target =
    callers.members.find((it) => (to === null ? it.id === execution : it.number === to)) ?? callers.cases[0]!;
  const name = as === null ? undefined : callers.messageOf(target, { name: as });
  const sent = await resentAs({ execution, id }, target, name, place, callers);
  return twice ? resentAs({ execution, id }, target, name, place, callers, sent) : sent;
}

/** @param before what was answered to the same call */
async function resentAs(
  letter: LetterAddress,
  to: Case,
  as: string | undefined,
  { client }: Place,
  { scene: { books, seen }, isGone }: Callers,
  before?: Sent,
): Promise<Sent> {
  const sight = (what: string): void => seen.note("sight", `a dead letter: ${what}`);
  const { sent: told } = to;
  try {
    const sent = await client.resend(letter, { to: to.id, by: "ada", ...(as !== undefined && { as }) });
    told.push(sent.id);
    if (before !== undefined && !(sent.duplicate && sent.id === before.id) && !isGone(to.id))
      books.wrong(`${letter.execution} letter ${letter.id} was resent twice`);
    sight(before !== undefined ? "resent twice" : to.id === letter.execution ? "resent" : "resent elsewhere");
    return sent;
  } catch (error) {
    if (error instanceof StepwellError && refusals.includes(error.code)) sight(error.code);
    throw error;
  }
}

/** What it waits for comes as a letter that nobody has taken, if there is one. */
export function lastResend(to: Case, as: string, callers: Callers, machine: Machine): boolean {
  const executions = callers.members.map(({ id }) => id);
  const rows = callers.scene.store.mail({ executions }) as readonly MailboxRecord[];
  const letter = rows.find(({ kind, status }) => kind === "message" && status === "dead");
  if (letter === undefined) return false;
  const { execution, id, messageId } = letter;
  const resend = (): Promise<unknown> => resentAs({ execution, id: messageId ?? id }, to, as, machine, callers);
  callers.call(machine, `last resend ${as} to ${to.id}`, resend, refusals);
  return true;
}

/** At the end: each dead letter is listed once, and each that was sent again is somewhere, once. */
export async function wrongLetters(callers: Callers): Promise<string[]> {
  const { store } = callers.scene;
  const found: string[] = [];
  const rows = store.mail({ executions: callers.members.map(({ id }) => id) }) as readonly MailboxRecord[];
  const nameOf = ({ execution, id, messageId }: MailboxRecord): string => `${execution} ${messageId ?? id}`;
  // What came to a recall after its end is a dead letter as well.
  const steered = store.mail({ executions: recallIds }) as readonly MailboxRecord[];
  const isDead = ({ kind, status }: MailboxRecord): boolean => kind === "message" && status === "dead";
  const dead = [...rows, ...steered].filter(isDead).map(nameOf).toSorted();
  if (dead.length > 0) {
    const listed = (await listedIn(callers)).map(({ execution, id }) => `${execution} ${id}`).toSorted();
    if (listed.join() !== dead.join()) found.push(`dead are ${dead.join(", ")}, and listed ${listed.join(", ")}`);
  }
  const { count } = await callers.quiet.countDeadLetters();
  if (count !== dead.length) found.push(`${dead.length} letters are dead, and ${count} are counted`);
  for (const letter of rows.filter(({ kind, status }) => kind === "message" && status === "resent")) {
    const anew = rows.filter(({ messageId }) => messageId === `resent:${letter.execution}:${letter.id}`);
    const notes = rows.filter(
      ({ kind, execution, payload }) =>
        kind === "resend" && execution === letter.execution && (payload.value as Note).letter === letter.id,
    );
    const note = notes[0]?.payload.value as Note | undefined;
    if (note !== undefined && callers.isGone(note.to)) continue;
    if (anew.length !== 1) found.push(`${nameOf(letter)} was resent and is there ${anew.length} times`);
    if (notes.length !== 1) found.push(`${nameOf(letter)} was resent, which is noted ${notes.length} times`);
    const [one] = anew;
    if (one === undefined || note === undefined) continue;
    if (note.to !== one.execution || note.as !== one.name) found.push(`${nameOf(letter)} has gone elsewhere`);
    if (!one.payload.equals(letter.payload)) found.push(`${nameOf(letter)} was resent with another payload`);
  }
  for (const { messageId, execution } of rows) {
    const [, source, letter] = /^resent:(.+):([^:]+)$/.exec(messageId ?? "") ?? [];
    if (letter === undefined) continue;
    const [row] = rows.filter((it) => it.execution === source && it.id === letter);
    if (row?.status !== "resent" && !callers.isGone(source!))
      found.push(`${execution} got ${messageId}, and that letter is ${row?.status}`);
  }
  return found;
}

interface Note {
  readonly letter: string;
  readonly to: string;
  readonly as: string;
}

async function listedIn({ quiet }: Callers): Promise<DeadLetter[]> {
  const all: DeadLetter[] = [];
  let after: string | null = null;
  do {
    const page = await quiet.deadLetters({ limit: 2, ...(after !== null && { after }) });
    all.push(...page.letters);
    after = page.cursor;
  } while (after !== null);
  return all;
}
