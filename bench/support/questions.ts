/** All sorts of lists and counts that the public API offers. */
import type { Launcher, ListConditions } from "stepwell";
import { common, times, uncommon } from "./population.js";

export interface Question {
  readonly name: string;
  readonly ask: (launcher: Launcher) => Promise<unknown>;
}

type Named = readonly [name: string, conditions: ListConditions];

/** Those that are asked for together with another: of each kind what many have, and what few have. */
const paired: ReadonlySet<string> = new Set([
  "status completed",
  "status waiting",
  "status stuck",
  "status scheduled",
  "status running",
  "workflow up",
  "workflow rare",
  "tag common",
  "tag uncommon",
  "since yesterday",
  "a day in the midst",
]);

/** By one condition. */
function singles(): Named[] {
  const { midst, late } = times();
  const statuses = ["completed", "waiting", "stuck", "rolledBack", "scheduled", "running"] as const;
  return [
    ...statuses.map((status): Named => [`status ${status}`, { status }]),
    ["status stuck, rolledBack", { status: ["stuck", "rolledBack"] }],
    ["status waiting, stuck", { status: ["waiting", "stuck"] }],
    ["workflow up", { workflow: "up" }],
    ["workflow parked", { workflow: "parked" }],
    ["workflow rare", { workflow: "rare" }],
    ["workflow unknown", { workflow: "unknown" }],
    ["tag common", { tags: [common] }],
    ["tag uncommon", { tags: [uncommon] }],
    ["tag unknown", { tags: ["unknown"] }],
    ["tags both", { tags: [common, uncommon] }],
    ["since yesterday", { createdFrom: late }],
    ["until the midst", { createdBefore: midst }],
    ["a day in the midst", { createdFrom: new Date(midst.getTime() - 86_400_000), createdBefore: midst }],
  ];
}

/** None, each, and pairs that do not ask for the same. */
function conditions(): Named[] {
  const all = singles();
  const some = all.filter(([name]) => paired.has(name));
  const pairs = some.flatMap(([one, first], index) =>
    some.slice(index + 1).flatMap(([other, second]): Named[] => {
      const isSame = Object.keys(first).some((key) => key in second);
      return isSame ? [] : [[`${one} + ${other}`, { ...first, ...second }]];
    }),
  );
  return [["all", {}], ...all, ...pairs];
}

/** The place in the midst is that of a page that ends there. */
export async function askable(launcher: Launcher): Promise<Question[]> {
  const { cursor } = await launcher.list({ createdBefore: times().midst, limit: 1 });
  const after = cursor!;
  const questions = conditions().flatMap(([name, chosen]): Question[] => {
    const select = Object.keys(chosen).length === 0 ? ({ all: true } as const) : chosen;
    return [
      { name: `list ${name}`, ask: (it) => it.list(chosen) },
      { name: `list ${name}, from the midst`, ask: (it) => it.list({ ...chosen, after }) },
      { name: `count ${name}`, ask: (it) => it.select(select).count() },
    ];
  });
  return [
    ...questions,
    { name: "list all, 1000 a page", ask: (it) => it.list({ limit: 1000 }) },
    { name: "dead letters", ask: (it) => it.deadLetters() },
    { name: "dead letters of a workflow", ask: (it) => it.deadLetters({ workflow: "deaf" }) },
    { name: "count dead letters", ask: (it) => it.countDeadLetters() },
    { name: "count dead letters by workflow", ask: (it) => it.countDeadLettersByWorkflow() },
  ];
}
