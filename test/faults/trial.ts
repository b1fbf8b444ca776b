/** Executions with known answers, under faults, until all have come to rest; then everything is checked. */
import { setTimeout } from "node:timers/promises";
import { isRetryable } from "../../src/errors.js";
import type { ExecutionRecord } from "../../src/execution/records.js";
import type { Store } from "../../src/stores/contract.js";
import { violationsOf } from "./check.js";
import { Effects, type Effect } from "./effects.js";
import { pick, planOf, randomFrom, type Plan } from "./plan.js";
import { storeAt } from "./store.js";
import { Team, type LauncherSettings } from "./team.js";
import { topicOf, tripName } from "./trips.js";

export interface TrialOptions {
  readonly address: string;
  readonly effects: string;
  readonly seed: number;
  readonly launchers: number;
  /** Processes that launch and send, and drive nothing. Default: none, the launchers do that themselves. */
  readonly clients?: number;
  readonly settings?: LauncherSettings;
  /** Executions are launched and faults are made for so long. */
  readonly milliseconds: number;
  /** How many executions are launched a second. */
  readonly rate: number;
  /** No more are launched while so many are under way: callers that fail ask again, and would keep each other from being answered. */
  readonly mostUnderWay?: number;
  /** What goes wrong, again and again, while the trial lasts. Load goes on until the last of it is over. */
  readonly faults: readonly Fault[];
  /** Ends faults and load earlier. */
  readonly enough?: () => boolean;
  /** How long the rest may take afterwards. */
  readonly patience: number;
}

/** Something that goes wrong every `every` milliseconds, more or less. */
export interface Fault {
  readonly every: number;
  readonly make: (team: Team) => void | Promise<void>;
}

export interface Report {
  readonly executions: number;
  readonly completed: number;
  readonly rolledBack: number;
  readonly kills: number;
  readonly pauses: number;
  readonly refusedCommits: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

interface Case {
  readonly id: string;
  readonly plan: Plan;
  recalled: boolean;
  readonly sent: string[];
}

export async function trial(options: TrialOptions): Promise<Report> {
  const random = randomFrom(options.seed);
  const team = new Team(options.address, options.effects, random, options.settings);
  await team.start(options.launchers);
  await team.start(options.clients ?? 0, "client");
  const store = storeAt(options.address);
  await store.open();
  try {
    const cases = await underFaults(options, team, random);
    await allAtRest(store, cases, options.patience);
    return await reportOf(store, team, cases, options.effects);
  } finally {
    await team.close();
    await store.close();
  }
}

async function underFaults(
  { milliseconds, rate, faults, seed, mostUnderWay = Infinity, enough = () => false }: TrialOptions,
  team: Team,
  random: () => number,
): Promise<Case[]> {
  const until = Date.now() + milliseconds;
  const goesOn = (): boolean => Date.now() < until && !enough();
  const going = new Set(faults);
  const makers = faults.map(async (fault) => {
    const { every, make } = fault;
    while (goesOn()) {
      await setTimeout(every * (0.5 + random()));
      if (goesOn()) await make(team);
    }
    going.delete(fault);
  });
  const cases: Case[] = [];
  const acts: Promise<void>[] = [];
  let underWay = 0;
  while (goesOn() || going.size > 0) {
    await setTimeout(1000 / rate);
    if (underWay >= mostUnderWay) continue;
    const it: Case = { id: `${seed}-${cases.length}`, plan: planOf(random), recalled: false, sent: [] };
    cases.push(it);
    underWay++;
    acts.push(play(it, team, random).finally(() => underWay--));
  }
  await Promise.all(makers);
  await Promise.all(acts);
  return cases;
}

/** Launches it, sends what it waits for (early, late, twice), and requests its rollback if that is its plan. */
async function play(it: Case, team: Team, random: () => number): Promise<void> {
  const { id, plan } = it;
  await team.order({ what: "launch", id, workflow: tripName(plan.legs.length), input: { plan } });
  const later = (): number => pick(random, [0, 0, 200, 1500]) * random();
  const send = async (name: string, messageId = `${id}-${name}`): Promise<void> => {
    await setTimeout(later());
    for (let time = random() < 0.3 ? 2 : 1; time > 0; time--) {
      const answer = await team.order({ what: "send", id, name, messageId });
      if ("value" in answer && !it.sent.includes(messageId)) it.sent.push(messageId);
    }
  };
  /** Nobody may be subscribed yet, or any more. */
  const publish = async (topic: string, name: string): Promise<void> => {
    const messageId = `${id}-${name}`;
    await setTimeout(later());
    for (let time = random() < 0.3 ? 2 : 1; time > 0; time--) {
      const answer = await team.order({ what: "publish", topic, name, messageId });
      const { delivered } = ("value" in answer ? answer.value : {}) as { readonly delivered?: number };
      if (delivered === 1 && !it.sent.includes(messageId)) it.sent.push(messageId);
    }
  };
  const go = (index: number): Promise<void> => {
    const topic = topicOf(plan, id, index);
    return topic === undefined ? send(`go-${index}`) : publish(topic, `go-${index}`);
  };
  const recall = async (): Promise<void> => {
    if (plan.recalledAfterMs === null) return;
    await setTimeout(plan.recalledAfterMs);
    const answer = await team.order({ what: "rollback", id });
    const { accepted, why } = ("value" in answer ? answer.value : {}) as { accepted?: boolean; why?: string };
    // One that was asked twice, since its first answer was lost, hears that it is on its way.
    it.recalled = accepted === true || why === "already-rolling-back" || why === "already-rolled-back";
    // What came for its undo before it had completed is a dead letter, and has to be sent again.
    await Promise.all(plan.legs.map((_, index) => send(`back-${index}`, `${id}-back-${index}-again`)));
  };
  await Promise.all([...plan.legs.flatMap((_, index) => [go(index), send(`back-${index}`)]), recall()]);
}

async function allAtRest(store: Store, cases: readonly Case[], patience: number): Promise<void> {
  const until = Date.now() + patience;
  let left = cases.map(({ id }) => id);
  for (;;) {
    const records = await patiently(() => store.load(left));
    left = left.filter((_, index) => !isAtRest(records[index]));
    if (left.length === 0 || Date.now() > until) return;
    await setTimeout(100);
  }
}

/** The store may still be coming back. */
async function patiently<Result>(ask: () => Result | Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await setTimeout(100);
    }
  }
}

function isAtRest(record: ExecutionRecord | undefined): boolean {
  if (record === undefined || record.owner !== null || record.dueAt !== null) return false;
  return ["completed", "rolledBack", "stuck"].includes(record.status);
}

async function reportOf(store: Store, team: Team, cases: readonly Case[], path: string): Promise<Report> {
  const ledger = new Effects(path);
  const effects = new Map<string, Effect[]>();
  for (const effect of ledger.all()) effects.set(effect.execution, [...(effects.get(effect.execution) ?? []), effect]);
  ledger.close();
  const violations: string[] = [];
  const statuses: string[] = [];
  for (const { id, plan, recalled, sent } of cases) {
    const [record] = await patiently(() => store.load([id]));
    if (record === undefined) {
      violations.push(`${id}: was launched and is not there`);
      continue;
    }
    statuses.push(record.status);
    const history = await patiently(() => store.history(id));
    const mailbox = await patiently(() => store.mail({ executions: [id] }));
    const own = effects.get(id) ?? [];
    violations.push(...violationsOf({ plan, recalled, record, history, mailbox, sent, effects: own }));
  }
  const count = (status: string): number => statuses.filter((it) => it === status).length;
  return {
    executions: cases.length,
    completed: count("completed"),
    rolledBack: count("rolledBack"),
    kills: team.kills,
    pauses: team.pauses,
    refusedCommits: team.errors.get("STEPWELL_OWNERSHIP_LOST") ?? 0,
    errors: Object.fromEntries(team.errors),
    violations,
  };
}
