import { lazy, Suspense, useState } from "react";
import { Link } from "wouter";
import type { StepFacts } from "../../model/facts.js";
import type { WorkflowLine, WorkflowsView, WorkflowView } from "../../http/shapes.js";
import { useMay, useRead } from "../base/api.js";
import { Icon } from "../base/icons.js";
import { useKeys } from "../base/keys.js";
import { useAsked } from "../base/url.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { LanePiece, type Sign } from "../parts/lane-marks.js";
import { countText, listPath, rowKeys, withChildren } from "../parts/pieces.js";
import { Section } from "../parts/section.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { cell, Table } from "../parts/table.js";

const PublishDialog = lazy(async () => ({ default: (await import("../parts/publish-dialog.js")).PublishDialog }));
const LaunchDialog = lazy(async () => ({ default: (await import("../parts/launch-dialog.js")).LaunchDialog }));

export function Workflows() {
  const [asked] = useAsked();
  const name = asked.get("name");
  return name === null ? <All /> : <One name={name} version={asked.get("version") ?? undefined} />;
}

const counts = ["running", "waiting", "scheduled", "stuck"] as const;

const columns = [
  { name: "Workflow" },
  ...counts.map((name) => ({
    name: name[0]!.toUpperCase() + name.slice(1),
    className: `w-20 text-right ${name === "stuck" ? "" : "hidden sm:table-cell"}`,
  })),
  { name: "Findings", className: "hidden w-24 text-right md:table-cell" },
];

function All() {
  const { data, error, refetch } = useRead<WorkflowsView>("api/workflows");
  const may = useMay("act-many");
  const [publishing, setPublishing] = useState(false);
  useKeys(rowKeys);
  return (
    <>
      <PageHead title="Workflows">
        <span className="flex-1" />
        {may && (
          <Button icon="send" onClick={() => setPublishing(true)}>
            Publish to a topic …
          </Button>
        )}
      </PageHead>
      <div className="card overflow-hidden">
        {error !== null ? (
          <Failure error={error} again={() => void refetch()} />
        ) : data === undefined ? (
          <Loading />
        ) : data.workflows.length === 0 ? (
          <Notice icon="workflows" title="No workflows yet">
            A workflow stands here once a launcher has registered it in this store.
          </Notice>
        ) : (
          <Table label="Workflows" columns={columns}>
            {data.workflows.map((line) => (
              <Row key={line.name} line={line} />
            ))}
          </Table>
        )}
      </div>
      {publishing && (
        <Suspense>
          <PublishDialog close={() => setPublishing(false)} />
        </Suspense>
      )}
    </>
  );
}

function Row({ line }: { readonly line: WorkflowLine }) {
  const { name, versions, findings } = line;
  return (
    <tr className="hover:bg-raised">
      <td className={cell}>
        <Link
          href={`/workflows?${new URLSearchParams({ name }).toString()}`}
          data-row=""
          className="one-line block rounded font-medium text-water-deep hover:underline"
        >
          {name}
        </Link>
        <span className="one-line block text-sm text-faint">
          {versions.length === 1 ? `version ${versions[0]}` : `versions ${versions.join(", ")}`}
        </span>
      </td>
      {counts.map((status) => (
        <td key={status} className={`${cell} text-right ${status === "stuck" ? "" : "hidden sm:table-cell"}`}>
          <Link
            href={listPath({ workflow: name, status, ...withChildren })}
            aria-label={`${countText(line[status])} ${status} of ${name}`}
            className={`num rounded hover:underline ${line[status].count === 0 ? "text-faint" : status === "stuck" ? "font-semibold text-bad" : ""}`}
          >
            {countText(line[status])}
          </Link>
        </td>
      ))}
      <td className={`${cell} num hidden text-right text-soft md:table-cell`}>{findings}</td>
    </tr>
  );
}

function One({ name, version }: { readonly name: string; readonly version: string | undefined }) {
  const { data, error, refetch } = useRead<WorkflowView>("api/workflow", { name, version });
  const may = useMay("launch");
  const [launching, setLaunching] = useState(false);
  return (
    <>
      <Link
        href="/workflows"
        className="mb-1 inline-flex items-center gap-1 rounded text-sm text-soft hover:text-water-deep hover:underline"
      >
        <Icon name="left" className="size-3.5" /> Workflows
      </Link>
      <PageHead title={name}>
        {data !== undefined && <span className="text-soft">version {data.version}</span>}
        <span className="flex-1" />
        {may && data?.launchable === true && (
          <Button look="main" icon="running" onClick={() => setLaunching(true)}>
            Launch …
          </Button>
        )}
      </PageHead>
      {error !== null && (
        <div className="card">
          <Failure error={error} again={() => void refetch()} />
        </div>
      )}
      {error === null && data === undefined && <Loading />}
      {data !== undefined && <Definition workflow={data} />}
      {launching && data !== undefined && (
        <Suspense>
          <LaunchDialog workflow={data.name} version={data.version} close={() => setLaunching(false)} />
        </Suspense>
      )}
    </>
  );
}

function Definition({ workflow: { name, versions, findings, steps, version } }: { readonly workflow: WorkflowView }) {
  return (
    <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_22rem]">
      <Section title="Steps">
        {steps.length === 0 ? (
          <Notice icon="workflows" title="The steps are not known">
            No launcher has kept the list of steps of version {version} in this store.
          </Notice>
        ) : (
          <Steps steps={steps} />
        )}
      </Section>
      <div className="flex flex-col gap-5">
        <Section title="Versions in flight">
          <ul className="divide-y divide-line">
            {versions.map((one) => (
              <li key={one.version} className="flex items-center gap-3 px-4 py-2.5">
                <Link
                  href={`/workflows?${new URLSearchParams({ name, version: one.version }).toString()}`}
                  aria-current={one.version === version ? "true" : undefined}
                  className={`one-line min-w-0 flex-1 rounded hover:underline ${one.version === version ? "font-semibold" : "text-water-deep"}`}
                >
                  {one.version}
                </Link>
                {!one.known && <span className="text-sm text-faint">code not here</span>}
                <span className="num text-soft">{countText(one.inFlight)} in flight</span>
              </li>
            ))}
          </ul>
        </Section>
        <Section title="Findings" aside={<span className="num text-sm text-faint">{findings.length}</span>}>
          {findings.length === 0 ? (
            <p className="px-4 py-3 text-soft">No gap was found that matters when something fails.</p>
          ) : (
            <ul className="divide-y divide-line">
              {findings.map(({ step, kind, problem }) => (
                <li key={`${step} ${kind}`} className="px-4 py-3">
                  <p className="flex items-center gap-1.5 font-medium">
                    <span className="text-warn">
                      <Icon name="stuck" className="size-3.5" />
                    </span>
                    {step}
                  </p>
                  <p className="text-any text-sm text-soft">{problem}</p>
                </li>
              ))}
            </ul>
          )}
        </Section>
      </div>
    </div>
  );
}

const upSign: Sign = { icon: "dot", tone: "water", filled: true };
const undoSign: Sign = { icon: "back", tone: "back", filled: false };
const keptSign: Sign = { icon: "lock", tone: "idle", filled: true };
const noneSign: Sign = { icon: "dash", tone: "idle", filled: false };

/** What stands on its way down. */
function downOf({ rollback, irreversible, children }: StepFacts): readonly [Sign, string] {
  if (rollback === true) return [undoSign, "has an undo"];
  const made = children === undefined ? "" : `children of ${Object.values(children.workflows).join(", ")}; `;
  if (irreversible !== undefined) return [keptSign, `${made}is kept: ${irreversible}`];
  return made === "" ? [noneSign, "has no undo"] : [undoSign, `${made}each undoes itself`];
}

/** The two lanes as they are written: nothing has happened on them. */
function Steps({ steps }: Pick<WorkflowView, "steps">) {
  const last = steps.length - 1;
  return (
    <ol className="px-2 py-1">
      {steps.map((step, index) => {
        const { name, pivot, when, transactional, messages = [] } = step;
        const [down, word] = downOf(step);
        return (
          <li key={name} className="relative flex min-h-[3.25rem] items-center py-1.5 pr-2 pl-[104px]">
            <LanePiece
              up={upSign}
              down={down}
              upWays={[index === 0 ? "none" : "walked", index === last ? "none" : "walked"]}
              downWays={[index === 0 ? "none" : "ahead", index === last ? "none" : "ahead"]}
              turns={false}
            />
            <div className="min-w-0">
              <span className="flex flex-wrap items-center gap-1.5">
                <span className="text-any font-medium">{name}</span>
                {pivot === true && (
                  <Badge tone="idle" icon="pivot">
                    pivot
                  </Badge>
                )}
                {when === true && <Badge tone="idle">conditional</Badge>}
                {transactional === true && <Badge tone="idle">transactional</Badge>}
              </span>
              <span className="text-any block text-sm text-soft">
                {word}
                {messages.length > 0 && `; takes ${messages.join(", ")}`}
              </span>
            </div>
          </li>
        );
      })}
    </ol>
  );
}
