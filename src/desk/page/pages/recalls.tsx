import { lazy, Suspense, useState } from "react";
import { Link } from "wouter";
import type { RecallsView, RecallView } from "../../http/recall-shapes.js";
import { useMay, useRead } from "../base/api.js";
import { Ago } from "../base/time.js";
import { useAsked } from "../base/url.js";
import { Badge, type Tone } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import type { IconName } from "../base/icons.js";
import { ExecutionLink, Facts, numberText, recallPath } from "../parts/pieces.js";
import { Section } from "../parts/section.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { cell, Table } from "../parts/table.js";

const RecallActDialog = lazy(async () => ({
  default: (await import("../parts/recall-act-dialog.js")).RecallActDialog,
}));

export type RecallAct = "recall-pause" | "recall-resume" | "recall-stop";

const standings: Readonly<Record<RecallView["status"], readonly [string, Tone, IconName]>> = {
  counting: ["Counting", "water", "running"],
  canary: ["Canary", "water", "running"],
  asking: ["Asking", "water", "running"],
  paused: ["Paused", "warn", "pause"],
  finishing: ["Finishing", "back", "back"],
  done: ["Done", "good", "done"],
  stuck: ["Stuck", "bad", "stuck"],
};

function Standing({ status }: Pick<RecallView, "status">) {
  const [word, tone, icon] = standings[status];
  return (
    <Badge tone={tone} icon={icon}>
      {word}
    </Badge>
  );
}

const columns = [
  { name: "Recall" },
  { name: "Status", className: "w-28" },
  { name: "Rolled back", className: "w-36 text-right" },
  { name: "In trouble", className: "hidden w-24 text-right sm:table-cell" },
  { name: "Begun", className: "hidden w-24 md:table-cell" },
];

/** All of them, or the one that the address names. */
export function Recalls() {
  const [asked, ask] = useAsked();
  const id = asked.get("id");
  return id === null || id === "" ? <All asked={asked} ask={ask} /> : <One id={id} />;
}

function All({ asked, ask }: { readonly asked: URLSearchParams; readonly ask: ReturnType<typeof useAsked>[1] }) {
  const after = asked.get("after") ?? undefined;
  const { data, error, refetch } = useRead<RecallsView>("api/recalls", { after });
  return (
    <>
      <PageHead title="Recalls" />
      <div className="card overflow-hidden">
        {error !== null ? (
          <Failure error={error} again={() => void refetch()} />
        ) : data === undefined ? (
          <Loading rows={4} />
        ) : data.recalls.length === 0 ? (
          <Notice icon="back" title="No recalls">
            A recall undoes many executions that have completed. Choose them in the list of executions: “Recall all”.
          </Notice>
        ) : (
          <Table label="Recalls" columns={columns}>
            {data.recalls.map((recall) => (
              <Row key={recall.id} recall={recall} />
            ))}
          </Table>
        )}
      </div>
      {data !== undefined && data.cursor !== null && (
        <div className="mt-3 flex justify-end">
          <Button onClick={() => ask({ after: data.cursor! })}>Older</Button>
        </div>
      )}
    </>
  );
}

function Row({ recall: { id, status, reason, by, rolledBack, counted, stuck, struggling, launchedAt } }: OfRecall) {
  return (
    <tr>
      <td className={cell}>
        <Link
          href={recallPath(id)}
          data-row=""
          title={id}
          className="one-line block rounded font-medium text-water-deep hover:underline"
        >
          {reason}
        </Link>
        <span className="one-line block text-sm text-soft">by {by}</span>
      </td>
      <td className={cell}>
        <Standing status={status} />
      </td>
      <td className={`${cell} num text-right`}>
        {numberText(rolledBack)} of {numberText(counted)}
      </td>
      <td className={`${cell} num hidden text-right sm:table-cell`}>{numberText(stuck + struggling)}</td>
      <td className={`${cell} hidden text-soft md:table-cell`}>
        <Ago at={launchedAt} />
      </td>
    </tr>
  );
}

interface OfRecall {
  readonly recall: RecallView;
}

function One({ id }: { readonly id: string }) {
  const { data: recall, error, refetch } = useRead<RecallView>("api/recall", { id });
  const [chosen, choose] = useState<RecallAct>();
  if (error !== null) return <Failure error={error} again={() => void refetch()} />;
  if (recall === undefined) return <Loading />;
  return (
    <>
      <PageHead title={`Recall: ${recall.reason}`}>
        <Standing status={recall.status} />
        <span className="flex-1" />
        <Brake recall={recall} choose={choose} />
      </PageHead>
      <p className="text-any mb-4 text-soft" role="status">
        {sentenceOf(recall)}
      </p>
      <Progress recall={recall} />
      <div className="mt-4 grid gap-4 lg:grid-cols-2">
        <Section title="What became of them">
          <Facts facts={countsOf(recall)} />
        </Section>
        <Section title="How it goes about it">
          <Facts facts={planOf(recall)} />
        </Section>
      </div>
      <Troubled recall={recall} />
      {chosen !== undefined && (
        <Suspense>
          <RecallActDialog act={chosen} recall={recall} close={() => choose(undefined)} />
        </Suspense>
      )}
    </>
  );
}

/** For who may act on many. */
function Brake({ recall: { status, stopped }, choose }: OfRecall & { readonly choose: (act: RecallAct) => void }) {
  const may = useMay("act-many");
  if (!may || status === "done" || status === "stuck" || stopped !== undefined) return null;
  return (
    <span className="flex gap-2">
      <Button look="main" onClick={() => choose(status === "paused" ? "recall-resume" : "recall-pause")}>
        {status === "paused" ? "Resume …" : "Pause …"}
      </Button>
      <Button onClick={() => choose("recall-stop")}>Stop …</Button>
    </span>
  );
}

/** What was undone of all, drawn to scale; the numbers stand below. */
function Progress({ recall: { rolledBack, counted, underWay, stuck } }: OfRecall) {
  const part = (count: number): string => `${counted === 0 ? 0 : (100 * count) / counted}%`;
  return (
    <svg
      className="h-3 w-full overflow-hidden rounded-full bg-idle-tint"
      role="img"
      aria-label={`${numberText(rolledBack)} of ${numberText(counted)} are rolled back`}
    >
      <rect width={part(rolledBack)} height="100%" className="fill-good" />
      <rect x={part(rolledBack)} width={part(underWay)} height="100%" className="fill-back" />
      <rect x={part(rolledBack + underWay)} width={part(stuck)} height="100%" className="fill-bad" />
    </svg>
  );
}

const whyPaused = {
  asked: "Somebody has paused it.",
  canary: "It has paused: not all of its canary were rolled back. The others were not touched.",
  stuck: "It has paused: too many are stuck or struggling. Nothing more is asked until somebody resumes it.",
};

function sentenceOf({ status, paused, stopped, asked, counted, canary }: RecallView): string {
  if (paused !== undefined) {
    const who =
      paused.by === undefined ? "" : ` By ${paused.by}${paused.reason === undefined ? "" : `: ${paused.reason}`}.`;
    return `${whyPaused[paused.why]}${who}`;
  }
  if (status === "stuck") return "It could not go on. Look at its execution, and retry that.";
  if (status === "counting") return "It counts what fits. Nothing was asked yet.";
  if (status === "canary")
    return `The first ${numberText(canary)} go back. The others are asked once these are rolled back.`;
  if (status === "asking") return `${numberText(asked)} of ${numberText(counted)} are asked so far.`;
  const by = stopped === undefined ? "" : ` ${stopped.by ?? "Somebody"} has stopped it.`;
  return status === "done" ? `It has ended.${by}` : `It asks no more, and waits for what goes down.${by}`;
}

function countsOf(it: RecallView): [string, string][] {
  const refused = Object.entries(it.refused).map(([why, count]): [string, number] => [`Refused: ${why}`, count]);
  const counts: [string, number][] = [
    ["Counted", it.counted],
    ["Still to come", it.left],
    ["Asked", it.asked],
    ["Going down", it.underWay],
    ["Rolled back", it.rolledBack],
    ["Struggling", it.struggling],
    ["Stuck", it.stuck],
    ["Turned by others", it.turned],
    ["Not found", it.notFound],
    ["Not completed", it.notCompleted],
    ...refused,
  ];
  return counts.map(([name, count]) => [name, numberText(count)]);
}

function planOf({ id, by, rate, atOnce, canary, onStuck, order, launchedAt, endedAt }: RecallView) {
  return [
    ["Execution", <ExecutionLink id={id} />],
    ["Asked by", by],
    ["Rate", rate],
    ["At once", numberText(atOnce)],
    ["Canary", numberText(canary)],
    ["Pauses at", `${numberText(onStuck)} in trouble`],
    ["First", order === "given" ? "in the order of the ids" : `the ${order}`],
    ["Begun", <Ago at={launchedAt} />],
    ["Ended", endedAt === null ? "not yet" : <Ago at={endedAt} />],
  ] as const;
}

function Troubled({ recall: { troubled, unattended } }: OfRecall) {
  if (troubled.length + unattended.length === 0) return null;
  return (
    <div className="mt-4">
      <Section title="In trouble">
        <ul className="divide-y divide-line">
          {unattended.map(({ workflow, version, count }) => (
            <li key={`${workflow} ${version}`} className="text-any px-4 py-2">
              No launcher has taken up {numberText(count)} of {workflow}, version {version}.
            </li>
          ))}
          {troubled.map(({ id, is }) => (
            <li key={id} className="flex items-center gap-3 px-4 py-2">
              <Badge tone={is === "stuck" ? "bad" : "warn"} icon={is}>
                {is === "stuck" ? "Stuck" : "Struggling"}
              </Badge>
              <ExecutionLink id={id} />
            </li>
          ))}
        </ul>
      </Section>
    </div>
  );
}
