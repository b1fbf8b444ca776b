/** What a sweep plays: a scenario with a fault at each call in turn, and with two of them. */
import type { PlannedLink } from "./sweep-hand.js";
import { play, type Opens, type Played } from "./sweep-play.js";
import { faults, type Made, type Planned } from "./sweep-process.js";
import type { Scenario } from "./sweep-scenarios.js";

export interface Found {
  readonly planned: readonly (Planned | PlannedLink)[];
  readonly what: readonly string[];
}

interface Sprung {
  readonly sprung: readonly { readonly name: string; readonly fault: string }[];
}

/** What was played, and what it has shown. */
export class Tally {
  plays = 0;
  readonly found: Found[] = [];
  /** How often each fault sprang at each operation, as `write dies after`. */
  readonly met: Record<string, number> = {};

  /** Faults for which somebody was taken for dead, and lived. */
  readonly takenOver = new Set<string>();

  note(planned: Found["planned"], { violations, sprung, takenOver }: Omit<Played, "sprung" | "made"> & Sprung): void {
    this.plays++;
    if (takenOver > 0) for (const { fault } of planned) this.takenOver.add(fault);
    if (violations.length > 0) this.found.push({ planned, what: violations });
    for (const { name, fault } of sprung) this.met[`${name} ${fault}`] = (this.met[`${name} ${fault}`] ?? 0) + 1;
  }
}

/** Calls that leave nothing behind: a fault there is the engine's business alone, and no store has a part in it. */
const reads = new Set([
  ...["load", "list", "mail", "history", "deaths", "limits.read", "schedules.find", "schedules.due", "definitions.of"],
  ...["lists.due", "lists.find", "lists.news", "lists.lines", "lists.launches"],
]);

export const changes = ({ name }: Made): boolean => !reads.has(name);

/** All that may happen at the calls from `from` on. */
export function singlesOf(made: readonly Made[], from = 0, until = made.length): Planned[] {
  return made.slice(from, until).flatMap(({ isRegistered }, index) => {
    const at = from + index;
    return faults.filter((fault) => isRegistered || fault !== "is buried").map((fault) => ({ at, fault }));
  });
}

/** The calls that are made where nothing goes wrong. */
export async function undisturbed(scenario: Scenario, opens: Opens): Promise<readonly Made[]> {
  const { violations, made } = await play(scenario, opens, []);
  if (violations.length > 0) throw new Error(`${scenario.name}, undisturbed: ${violations.join("; ")}`);
  return made;
}

export async function playSingles(
  scenario: Scenario,
  opens: Opens,
  tally: Tally,
  fits: (made: Made) => boolean = () => true,
): Promise<void> {
  const made = await undisturbed(scenario, opens);
  for (const one of singlesOf(made)) if (fits(made[one.at]!)) tally.note([one], await play(scenario, opens, [one]));
}

/** With that first fault, and each second one at most so many calls after it. */
export async function playPairs(
  scenario: Scenario,
  opens: Opens,
  first: Planned,
  within: number,
  tally: Tally,
): Promise<void> {
  const { made } = await play(scenario, opens, [first]);
  for (const second of singlesOf(made, first.at + 1, first.at + 1 + within)) {
    const pair = [first, second];
    tally.note(pair, await play(scenario, opens, pair));
  }
}

/** Any two. */
export async function drawPair(
  scenario: Scenario,
  opens: Opens,
  made: readonly Made[],
  random: () => number,
  tally: Tally,
): Promise<void> {
  const one = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const first = one(singlesOf(made));
  const then = await play(scenario, opens, [first]);
  const seconds = singlesOf(then.made, first.at + 1);
  if (seconds.length === 0) return;
  const pair = [first, one(seconds)];
  tally.note(pair, await play(scenario, opens, pair));
}

/** In words, with the command that plays it again. */
export function told(scenario: Scenario, store: string, { planned, what }: Found): string {
  const faultsOf = planned.map(({ at, fault }) => `${at}:${fault}`).join(",");
  return [
    `${scenario.name}, on ${store}: ${what.slice(0, 5).join("\n  ")}`,
    `Play it again: npm run simulate:sweep -- --scenario ${scenario.id} --store ${store} --faults "${faultsOf}"`,
  ].join("\n");
}
