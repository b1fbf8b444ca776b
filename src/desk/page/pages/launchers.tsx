import type { LaunchersView } from "../../http/shapes.js";
import { useRead } from "../base/api.js";
import { span } from "../../model/spans.js";
import { Badge } from "../parts/badge.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { cell, Table } from "../parts/table.js";

const columns = [
  { name: "Host" },
  { name: "Process", className: "w-24 text-right" },
  { name: "Number", className: "hidden w-24 text-right sm:table-cell" },
  { name: "Heartbeat", className: "w-44" },
];

/** A launcher says every few seconds that it lives; one that is silent for longer may be dead. */
const patience = 10_000;

export function Launchers() {
  const { data, error, refetch } = useRead<LaunchersView>("api/launchers");
  return (
    <>
      <PageHead title="Launchers" />
      <div className="card overflow-hidden">
        {error !== null ? (
          <Failure error={error} again={() => void refetch()} />
        ) : data === undefined ? (
          <Loading rows={3} />
        ) : data.launchers.length === 0 ? (
          <Notice icon="launchers" title="No launcher is at work" role="alert">
            Executions wait until a program starts one: messages and requests are kept meanwhile.
          </Notice>
        ) : (
          <Table label="Launchers" columns={columns}>
            {data.launchers.map(({ number, host, pid, silentMs }) => (
              <tr key={number}>
                <td className={`${cell} text-any font-medium`}>{host}</td>
                <td className={`${cell} num text-right`}>{pid}</td>
                <td className={`${cell} num hidden text-right text-soft sm:table-cell`}>{number}</td>
                <td className={cell}>
                  {silentMs < patience ? (
                    <Badge tone="good" icon="done">
                      {`Alive, ${span(silentMs)} ago`}
                    </Badge>
                  ) : (
                    <Badge tone="warn" icon="stuck">
                      {`Silent for ${span(silentMs)}`}
                    </Badge>
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )}
      </div>
    </>
  );
}
