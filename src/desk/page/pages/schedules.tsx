import { lazy, Suspense, useState } from "react";
import { Link } from "wouter";
import type { ScheduleView, SchedulesView } from "../../http/shapes.js";
import { useMay, useRead } from "../base/api.js";
import { Ago } from "../base/time.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { listPath } from "../parts/pieces.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { cell, Table } from "../parts/table.js";

const ScheduleDialog = lazy(async () => ({ default: (await import("../parts/schedule-dialog.js")).ScheduleDialog }));

export type ScheduleAct = "schedule-pause" | "schedule-resume" | "schedule-trigger";

const columns = [
  { name: "Schedule" },
  { name: "When", className: "hidden sm:table-cell" },
  { name: "Next", className: "w-24" },
  { name: "Last", className: "hidden w-24 md:table-cell" },
  { name: "Acts", className: "w-28 text-right sm:w-60" },
];

export function Schedules() {
  const { data, error, refetch } = useRead<SchedulesView>("api/schedules");
  const [chosen, choose] = useState<{ readonly act: ScheduleAct; readonly schedule: ScheduleView }>();
  return (
    <>
      <PageHead title="Schedules" />
      <div className="card overflow-hidden">
        {error !== null ? (
          <Failure error={error} again={() => void refetch()} />
        ) : data === undefined ? (
          <Loading rows={4} />
        ) : data.schedules.length === 0 ? (
          <Notice icon="schedules" title="No schedules">
            A program sets one with <code className="font-mono">launcher.schedules.set</code>; it launches a workflow at
            its times.
          </Notice>
        ) : (
          <Table label="Schedules" columns={columns}>
            {data.schedules.map((schedule) => (
              <Row key={schedule.name} schedule={schedule} choose={(act) => choose({ act, schedule })} />
            ))}
          </Table>
        )}
      </div>
      {chosen !== undefined && (
        <Suspense>
          <ScheduleDialog {...chosen} close={() => choose(undefined)} />
        </Suspense>
      )}
    </>
  );
}

function Row({ schedule, choose }: { readonly schedule: ScheduleView; readonly choose: (act: ScheduleAct) => void }) {
  const { name, workflow, version, timing, paused, nextAt, lastAt, triggerable } = schedule;
  const mayAct = useMay("act-one");
  const mayLaunch = useMay("launch");
  return (
    <tr>
      <td className={cell}>
        <span className="text-any font-medium">{name}</span>
        <Link
          href={listPath({ tag: `schedule:${name}` })}
          title="What it launched"
          className="one-line block rounded text-sm text-water-deep hover:underline"
        >
          {workflow}, version {version}
        </Link>
        <span className="text-any block text-sm text-soft sm:hidden">{timing}</span>
      </td>
      <td className={`${cell} text-any hidden text-soft sm:table-cell`}>{timing}</td>
      <td className={cell}>
        {paused ? (
          <Badge tone="warn" icon="pause">
            Paused
          </Badge>
        ) : nextAt === null ? (
          <span className="text-faint">no more</span>
        ) : (
          <Ago at={nextAt} />
        )}
      </td>
      <td className={`${cell} hidden text-soft md:table-cell`}>
        {lastAt === null ? <span className="text-faint">never</span> : <Ago at={lastAt} />}
      </td>
      <td className={cell}>
        <span className="flex flex-wrap justify-end gap-1.5">
          {mayAct && (
            <Button small onClick={() => choose(paused ? "schedule-resume" : "schedule-pause")}>
              {paused ? "Resume" : "Pause"} … <span className="sr-only">{name}</span>
            </Button>
          )}
          {mayLaunch && triggerable && (
            <Button small onClick={() => choose("schedule-trigger")}>
              Launch now … <span className="sr-only">{name}</span>
            </Button>
          )}
        </span>
      </td>
    </tr>
  );
}
