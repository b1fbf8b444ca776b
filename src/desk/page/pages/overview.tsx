import { lazy, Suspense, type ReactNode } from "react";
import { Link } from "wouter";
import type { Overview as OverviewData } from "../../http/shapes.js";
import { useRead } from "../base/api.js";
import { Icon } from "../base/icons.js";
import { useKeys } from "../base/keys.js";
import { statuses } from "../base/query.js";
import { standingOf, type Tone } from "../parts/badge.js";
import { ExecutionTable } from "../parts/execution-table.js";
import { countText, listPath, rowKeys, withChildren } from "../parts/pieces.js";
import { Section } from "../parts/section.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading } from "../parts/states.js";

const Activity = lazy(async () => ({ default: (await import("../parts/activity.js")).Activity }));

/** What needs a person comes first. */
const order = ["stuck", ...statuses.filter((status) => status !== "stuck")] as const;

const inks: Readonly<Record<Tone, string>> = {
  good: "text-good",
  bad: "text-bad",
  back: "text-back",
  wait: "text-wait",
  idle: "text-idle",
  warn: "text-warn",
  water: "text-water",
};

export function Overview() {
  const { data, error, refetch } = useRead<OverviewData>("api/overview");
  useKeys(rowKeys);
  return (
    <>
      <PageHead title="Overview" />
      {error !== null ? (
        <div className="card">
          <Failure error={error} again={() => void refetch()} />
        </div>
      ) : (
        <div className="flex flex-col gap-6">
          <Counts counts={data?.counts} />
          {data === undefined ? (
            <div className="card">
              <Loading rows={5} />
            </div>
          ) : (
            <Parts data={data} />
          )}
        </div>
      )}
    </>
  );
}

function Counts({ counts }: { readonly counts: OverviewData["counts"] | undefined }) {
  return (
    <ul aria-label="Executions by status" className="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
      {order.map((status) => {
        const [word, tone, icon] = standingOf({ status });
        const count = counts?.[status];
        const isNone = count?.count === 0;
        return (
          <li key={status}>
            <Link
              href={listPath({ status, ...withChildren })}
              data-row=""
              className={`card block px-4 py-3 transition-colors hover:border-water ${status === "stuck" && !isNone ? "border-bad" : ""}`}
            >
              <span className={`flex items-center gap-1.5 text-sm font-medium ${isNone ? "text-faint" : inks[tone]}`}>
                <Icon name={icon} />
                {word}
              </span>
              <span className={`num mt-1 block text-2xl font-semibold tracking-tight ${isNone ? "text-faint" : ""}`}>
                {count === undefined ? " " : countText(count)}
              </span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}

function Parts({ data }: { readonly data: OverviewData }) {
  const { stuck, struggling, counts, deadLetters, window } = data;
  return (
    <>
      {stuck.length === 0 ? (
        <Calm>No execution is stuck. Nothing needs a person.</Calm>
      ) : (
        <Section
          title="Needs a person"
          aside={
            <More
              to={listPath({ status: "stuck", ...withChildren })}
            >{`All that are stuck (${countText(counts.stuck)})`}</More>
          }
        >
          <ExecutionTable label="Stuck executions" executions={stuck} />
        </Section>
      )}
      {struggling.length > 0 && (
        <Section
          title="Struggling"
          aside={<span className="text-sm text-faint">Failed five times or more, and tried again by itself</span>}
        >
          <ExecutionTable label="Struggling executions" executions={struggling} />
        </Section>
      )}
      {window !== null && (
        <Suspense fallback={<div className="card h-56" />}>
          <Activity window={window} />
        </Suspense>
      )}
      {deadLetters.length > 0 && <Letters deadLetters={deadLetters} />}
    </>
  );
}

function Letters({ deadLetters }: Pick<OverviewData, "deadLetters">) {
  return (
    <Section title="Dead letters" aside={<More to="/dead-letters">All dead letters</More>}>
      <ul className="divide-y divide-line">
        {deadLetters.map((counted) => (
          <li key={counted.workflow}>
            <Link
              href={`/dead-letters?${new URLSearchParams({ workflow: counted.workflow }).toString()}`}
              className="flex items-center justify-between gap-4 px-4 py-2.5 hover:bg-raised"
            >
              <span className="one-line">{counted.workflow}</span>
              <span className="num text-soft">{countText(counted)} that no step took</span>
            </Link>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Calm({ children }: { readonly children: ReactNode }) {
  return (
    <p className="card flex items-center gap-3 px-4 py-4 text-soft">
      <span className="grid size-8 place-items-center rounded-full bg-good-tint text-good">
        <Icon name="done" />
      </span>
      {children}
    </p>
  );
}

function More({ to, children }: { readonly to: string; readonly children: string }) {
  return (
    <Link
      href={to}
      className="inline-flex items-center gap-1 rounded text-sm font-medium text-water-deep hover:underline"
    >
      {children}
      <Icon name="right" className="size-3.5" />
    </Link>
  );
}
