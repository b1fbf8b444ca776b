/** `stepwell show`: where an execution stands and why, its two lanes, its state, and what can be done about it. */
import { inspect } from "node:util";
import type { Execution, ExecutionDetails, ExecutionSummary } from "../index.js";
import { lanesOf } from "../desk/model/lanes.js";
import { tallyOf, type Tally } from "../desk/model/tally.js";
import { wordsOf, type Words } from "../desk/model/words.js";
import { asking, type OperateOptions } from "./asking.js";
import { drawnLanes } from "./draw-lanes.js";
import { whyOf } from "./look.js";
import type { Screen } from "./screen.js";
import { stuckBelow } from "./stuck-below.js";
import { clean, jsonLine, paintFor, shellWord, type Paint } from "./text.js";

/** So many are shown. */
const mostMessages = 100;

export function show(id: string, options: OperateOptions, screen: Screen): Promise<number> {
  return asking(options, screen, async (client) => {
    const execution = client.execution(id);
    const [details, state, pending, inAll] = await Promise.all([
      ...([execution.details(), execution.state()] as const),
      ...([execution.mailbox({ status: "pending", limit: mostMessages }), execution.countPending()] as const),
    ]);
    const lanes = lanesOf(details, await tallied(execution, details.revision));
    const words = wordsOf(details, lanes, (await client.fleet.now()).getTime());
    const stuck = details.children.length === 0 ? undefined : (await stuckBelow(client, [details])).get(id);
    if (options.json === true) {
      screen.result(
        jsonLine({
          ...details,
          ...(stuck !== undefined && { stuckBelow: stuck.id }),
          headline: words.headline,
          lanes,
          acts: words.acts,
          state,
          pending,
          pendingInAll: inAll,
        }),
      );
      return;
    }
    const paint = paintFor(process.stdout);
    const parts = [headOf(details, words, paint), drawnLanes(lanes, paint)];
    if (details.children.length > 0) parts.push(childrenOf(details, stuck, paint));
    if (words.acts.length > 0) parts.push(actsOf(id, words, paint));
    parts.push(stateOf(state, paint));
    if (pending.length > 0) parts.push(mailOf(pending, inAll, paint));
    screen.result(parts.join("\n\n"));
  });
}

/** So many transitions are read at a time: a history may be larger than what a process can hold. */
const atOnce = 1000;

/** What is counted of a history, up to where the details were read. */
async function tallied(execution: Execution, revision: number): Promise<Tally> {
  let tally = tallyOf([]);
  for (let from = 0; from < revision; from += atOnce)
    tally = tallyOf(await execution.history({ from, limit: Math.min(atOnce, revision - from) }), tally);
  return tally;
}

const tones = { act: "red", watch: "yellow", calm: "green" } as const;

function headOf(details: ExecutionDetails, { headline, lines, urgency }: Words, paint: Paint): string {
  const { id, workflow, version, status, tags, parent, createdAt, updatedAt } = details;
  const about = [workflow, `version ${version}`, ...tags, ...(parent === undefined ? [] : [`child of ${parent}`])].join(
    ", ",
  );
  return [
    `${paint("bold", clean(id))}  ${paint("dim", clean(about))}`,
    `${paint(tones[urgency], status)} since ${updatedAt.toISOString()}, launched ${createdAt.toISOString()}`,
    clean(headline),
    ...lines.map((line) => `  ${clean(line)}`),
  ].join("\n");
}

/** Commands of the acts that have one. */
const commands: Readonly<Partial<Record<Words["acts"][number]["act"], (id: string) => string>>> = {
  retry: (id) => `stepwell retry ${id}`,
  resolve: (id) => `stepwell resolve ${id} "why" --happened '{"field":1}'`,
  skip: (id) => `stepwell skip ${id} "why"`,
  patch: (id) => `stepwell patch ${id} '{"field":1}' "why"`,
  rollback: (id) => `stepwell rollback ${id} reason`,
  rewind: (id) => `stepwell rewind ${id} --to step --reason "why"`,
  send: (id) => `stepwell send ${id} name '{}'`,
};

function actsOf(id: string, { acts }: Words, paint: Paint): string {
  const word = shellWord(id);
  return acts
    .flatMap(({ act, consequence }) => {
      const command = commands[act];
      return command === undefined ? [] : [`${paint("bold", clean(command(word)))}\n  ${clean(consequence)}`];
    })
    .join("\n");
}

/** Where one child is stuck among thousands, it is named. */
function childrenOf(
  { id, root, children }: ExecutionDetails,
  stuck: ExecutionSummary | undefined,
  paint: Paint,
): string {
  const lines = children.map(({ step, number, count, notBegun, underWay, stuck: parked, ...ended }) => {
    const which = number > 1 ? `${step} (${number})` : step;
    const counts = `${underWay} under way, ${parked} stuck, ${ended.completed} completed, ${ended.rolledBack} rolled back`;
    return clean(
      `  ${which}: ${count} children, ${counts}, ${notBegun} not begun${ended.isClosed ? ", asked to go back" : ""}`,
    );
  });
  if (stuck !== undefined) {
    const why = whyOf(stuck.flow.reason, stuck.error);
    lines.push(clean(`  ${stuck.id} is stuck at ${stuck.flow.step}${why === "" ? "" : `: ${why}`}`));
  }
  const hints = [
    ...(stuck === undefined ? [] : [`stepwell show ${shellWord(stuck.id)}`]),
    `stepwell children ${shellWord(id)}`,
    `stepwell list --root ${shellWord(root ?? id)}`,
  ];
  return [paint("dim", "children"), ...lines, ...hints.map((it) => paint("dim", clean(`  ${it}`)))].join("\n");
}

function stateOf(state: unknown, paint: Paint): string {
  const lines = inspect(state, { depth: 6 }).split("\n");
  return [paint("dim", "state"), ...lines.map((line) => `  ${clean(line)}`)].join("\n");
}

function mailOf(
  pending: readonly { readonly name: string; readonly id: string; readonly receivedAt: Date }[],
  { count, more }: { readonly count: number; readonly more: boolean },
  paint: Paint,
): string {
  const others = `  and ${more ? "more than " : ""}${count - pending.length} others`;
  return [
    paint("dim", "messages that no step has taken yet"),
    ...pending.map(({ name, id, receivedAt }) => clean(`  ${name}, ${id}, ${receivedAt.toISOString()}`)),
    ...(count > pending.length ? [paint("dim", others)] : []),
  ].join("\n");
}
