/** What this process has seen of the last hour. */
import type { ReactNode } from "react";
import { useMemo } from "react";
import type { ActivityMinute, ActivityWindow } from "../../http/feed-shapes.js";
import { Ago } from "../base/time.js";
import { Chart, type Line } from "./chart.js";
import { numberText } from "./pieces.js";
import { Section } from "./section.js";

const sum = (minutes: readonly ActivityMinute[], of: (minute: ActivityMinute) => number): string =>
  numberText(minutes.reduce((all, minute) => all + of(minute), 0));

function Figure({
  title,
  lines,
  times,
  unit,
}: {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly times: readonly number[];
  readonly unit?: string;
}) {
  return (
    <figure className="min-w-0 px-4 py-3">
      <figcaption className="flex flex-wrap items-baseline justify-between gap-x-4">
        <span className="font-medium">{title}</span>
        <span className="flex gap-3 text-xs text-soft">
          {lines.map(({ label, dashed }) => (
            <span key={label} className="inline-flex items-center gap-1.5">
              <span
                aria-hidden="true"
                className="inline-block w-4 border-t-2 border-current"
                style={{ borderStyle: dashed === true ? "dashed" : "solid" }}
              />
              {label}
            </span>
          ))}
        </span>
      </figcaption>
      <Chart times={times} lines={lines} {...(unit !== undefined && { unit })} />
    </figure>
  );
}

function Told({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-faint">{name}</dt>
      <dd className="num font-semibold">{children}</dd>
    </div>
  );
}

/** A line through fewer is none. */
const fewest = 3;

export function Activity({ window: { since, minutes } }: { readonly window: ActivityWindow }) {
  const times = useMemo(() => minutes.map(({ at }) => Date.parse(at)), [minutes]);
  const charts = useMemo(
    () => ({
      throughput: [{ label: "transitions a minute", colour: "water", values: minutes.map((one) => one.transitions) }],
      trouble: [
        { label: "turned", colour: "back", values: minutes.map((one) => one.turned) },
        { label: "failed attempts", colour: "warn", dashed: true, values: minutes.map((one) => one.failedAttempts) },
      ],
      latency: [
        { label: "median", colour: "water", values: minutes.map((one) => one.p50) },
        { label: "95 of 100", colour: "wait", dashed: true, values: minutes.map((one) => one.p95) },
      ],
    }),
    [minutes],
  );
  return (
    <Section
      title="Activity"
      aside={
        <span className="text-sm text-faint">
          As this process has seen it, since <Ago at={since} />
        </span>
      }
    >
      <dl className="flex flex-wrap gap-x-8 gap-y-2 border-b border-line px-4 py-3">
        <Told name="Launched">{sum(minutes, (one) => one.launched)}</Told>
        <Told name="Completed">{sum(minutes, (one) => one.completed)}</Told>
        <Told name="Turned">{sum(minutes, (one) => one.turned)}</Told>
        <Told name="Rolled back">{sum(minutes, (one) => one.rolledBack)}</Told>
        <Told name="Became stuck">{sum(minutes, (one) => one.stuck)}</Told>
        <Told name="Failed attempts">{sum(minutes, (one) => one.failedAttempts)}</Told>
      </dl>
      {minutes.length < fewest ? (
        <p className="px-4 py-3 text-soft">Charts are drawn once it has seen {fewest} minutes.</p>
      ) : (
        <div className="grid divide-y divide-line xl:grid-cols-3 xl:divide-x xl:divide-y-0">
          <Figure title="Throughput" times={times} lines={charts.throughput} />
          <Figure title="Trouble" times={times} lines={charts.trouble} />
          <Figure title="From launch to rest" unit=" ms" times={times} lines={charts.latency} />
        </div>
      )}
    </Section>
  );
}
