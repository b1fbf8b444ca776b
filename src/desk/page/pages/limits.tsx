import { Link } from "wouter";
import type { LimitsView, LimitView } from "../../http/shapes.js";
import { useRead } from "../base/api.js";
import { countText, listPath, numberText, withChildren } from "../parts/pieces.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { cell, Table } from "../parts/table.js";

const columns = [
  { name: "Workflow" },
  { name: "Places taken", className: "w-[34%]" },
  { name: "By key", className: "hidden w-20 text-right sm:table-cell" },
  { name: "Rate", className: "hidden w-36 sm:table-cell" },
  { name: "In the queue", className: "w-28 text-right" },
];

export function Limits() {
  const { data, error, refetch } = useRead<LimitsView>("api/limits");
  return (
    <>
      <PageHead title="Limits" />
      <div className="card overflow-hidden">
        {error !== null ? (
          <Failure error={error} again={() => void refetch()} />
        ) : data === undefined ? (
          <Loading rows={4} />
        ) : data.limits.length === 0 ? (
          <Notice icon="limits" title="No limits">
            No workflow in this store says how many of its executions may work at a time.
          </Notice>
        ) : (
          <Table label="Limits" columns={columns}>
            {data.limits.map((limit) => (
              <Row key={limit.workflow} limit={limit} />
            ))}
          </Table>
        )}
      </div>
    </>
  );
}

function Row({ limit: { workflow, limit, keyLimit, rate, held, queued } }: { readonly limit: LimitView }) {
  return (
    <tr>
      <td className={cell}>
        <Link
          href={listPath({ workflow, ...withChildren })}
          className="one-line block rounded font-medium text-water-deep hover:underline"
        >
          {workflow}
        </Link>
      </td>
      <td className={cell}>
        <span className="num flex items-center gap-3">
          {numberText(held)}
          {limit !== null && (
            <>
              <span className="text-faint">of {numberText(limit)}</span>
              <Meter label={`Places taken by ${workflow}`} value={held} most={limit} />
            </>
          )}
        </span>
      </td>
      <td className={`${cell} num hidden text-right text-soft sm:table-cell`}>{keyLimit ?? "–"}</td>
      <td className={`${cell} hidden text-soft sm:table-cell`}>{rate ?? "–"}</td>
      <td className={`${cell} num text-right ${queued.count > 0 ? "font-semibold" : "text-faint"}`}>
        {countText(queued)}
      </td>
    </tr>
  );
}

function Meter({ label, value, most }: { readonly label: string; readonly value: number; readonly most: number }) {
  const share = most === 0 ? 1 : Math.min(1, value / most);
  return (
    <span
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={most}
      aria-valuenow={value}
      className="h-1.5 min-w-0 flex-1 overflow-hidden rounded-full bg-line"
    >
      <span className="block h-full rounded-full bg-water" style={{ width: `${share * 100}%` }} />
    </span>
  );
}
