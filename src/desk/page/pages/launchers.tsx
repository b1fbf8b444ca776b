import type { LaunchersView } from "../../http/shapes.js";
import { useRead } from "../base/api.js";
import { Icon } from "../base/icons.js";
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
        {data !== undefined && data.unattended.length > 0 && <Unattended unattended={data.unattended} />}
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
            {data.launchers.map(({ number, host, place, pid, silentMs }) => (
              <tr key={number}>
                <td className={`${cell} font-mono text-sm`}>
                  <span className="one-line block" title={`${host}: ${place}`}>
                    {host}
                  </span>
                </td>
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

function Unattended({ unattended }: Pick<LaunchersView, "unattended">) {
  return (
    <div role="alert" className="border-b border-line bg-warn-tint px-4 py-3">
      <p className="flex items-center gap-2 font-semibold text-warn">
        <Icon name="stuck" /> Nobody takes these up: no launcher that runs knows their version
      </p>
      <ul className="mt-1 pl-6">
        {unattended.map(({ what, workflow, version }) => (
          <li key={`${what} ${workflow} ${version}`} className="text-any">
            {what} of {workflow}, version {version}
          </li>
        ))}
      </ul>
    </div>
  );
}
