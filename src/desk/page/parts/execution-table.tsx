import { useEffect, useState } from "react";
import type { DamagedLine, ExecutionLine } from "../../http/shapes.js";
import { Ago } from "../base/time.js";
import { StatusBadge } from "./badge.js";
import { ExecutionLink, StepAt, Tag } from "./pieces.js";
import { cell, Table } from "./table.js";

const columns = [
  { name: "Execution" },
  { name: "Status", className: "w-32 sm:w-36" },
  { name: "Workflow", className: "hidden md:table-cell md:w-[18%]" },
  { name: "Step", className: "hidden md:table-cell md:w-[18%]" },
  { name: "Last change", className: "hidden w-28 text-right sm:table-cell" },
];

interface Props {
  readonly label: string;
  readonly executions: readonly ExecutionLine[];
  readonly damaged?: readonly DamagedLine[];
}

/** A row is at least so tall, in pixels. */
const lowest = 52;

/** What is seen is drawn first, and what is below the edge of the window right after. */
export function ExecutionTable({ label, executions, damaged = [] }: Props) {
  const [isWhole, setWhole] = useState(false);
  useEffect(() => {
    let later: ReturnType<typeof setTimeout> | undefined;
    const frame = requestAnimationFrame(() => {
      later = setTimeout(() => setWhole(true));
    });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(later);
    };
  }, []);
  const rows = isWhole ? executions : executions.slice(0, Math.ceil(innerHeight / lowest));
  return (
    <Table label={label} columns={columns}>
      {rows.map((execution) => (
        <Row key={execution.id} execution={execution} />
      ))}
      {(isWhole ? damaged : []).map(({ id, workflow, problem }) => (
        <tr key={id}>
          <td className={cell}>
            <ExecutionLink id={id} />
            <p className="text-any text-sm text-bad">It can’t be read: {problem}</p>
          </td>
          <td className={cell}>Damaged</td>
          <td className={`${cell} one-line hidden md:table-cell`}>{workflow}</td>
          <td className={`${cell} hidden md:table-cell`} />
          <td className={`${cell} hidden sm:table-cell`} />
        </tr>
      ))}
    </Table>
  );
}

/** What there is to know beside its place: the error of one that is in trouble, the reason of one that turned. */
function noteOf({ status, error, reason, struggling, attempts, direction }: ExecutionLine): string | undefined {
  if (status === "stuck") return attempts > 1 ? `${error ?? reason} (${attempts} attempts)` : (error ?? reason);
  // On the way down, its error is the one that turned it.
  if (struggling) return `Attempt ${attempts} failed. ${direction === "down" ? "It turned: " : ""}${error ?? reason}`;
  return direction === "down" || status === "rolledBack" ? reason : undefined;
}

function Row({ execution }: { readonly execution: ExecutionLine }) {
  const { id, workflow, version, tags, direction, step, updatedAt, status } = execution;
  const note = noteOf(execution);
  return (
    <tr className="transition-colors hover:bg-raised">
      <td className={cell}>
        <div className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
          <ExecutionLink id={id} className="max-w-full" />
          {tags.slice(0, 3).map((tag) => (
            <Tag key={tag} tag={tag} />
          ))}
          {tags.length > 3 && (
            <span className="text-xs text-faint" title={tags.slice(3).join(", ")}>
              and {tags.length - 3} more
            </span>
          )}
        </div>
        {note !== undefined && (
          <p title={note} className={`one-line mt-0.5 text-sm ${status === "stuck" ? "text-bad" : "text-soft"}`}>
            {note}
          </p>
        )}
        <div className="mt-0.5 flex min-w-0 flex-wrap items-center gap-x-3 text-sm text-faint md:hidden">
          <span className="one-line min-w-0">{workflow}</span>
          <StepAt direction={direction} step={step} />
        </div>
      </td>
      <td className={cell}>
        <StatusBadge {...execution} />
        <Ago at={updatedAt} className="mt-1 block text-sm text-faint sm:hidden" />
      </td>
      <td className={`${cell} hidden md:table-cell`}>
        <span className="one-line block" title={workflow}>
          {workflow}
        </span>
        <span className="one-line block text-sm text-faint">{version}</span>
      </td>
      <td className={`${cell} hidden md:table-cell`}>
        <StepAt direction={direction} step={step} />
      </td>
      <td className={`${cell} hidden text-right text-soft sm:table-cell`}>
        <Ago at={updatedAt} />
      </td>
    </tr>
  );
}
