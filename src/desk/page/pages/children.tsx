/** The children of one step, one by one. */
import { Link } from "wouter";
import type { ChildGroup, ChildLine } from "../../../index.js";
import type { ChildrenPage } from "../../http/child-shapes.js";
import { useRead } from "../base/api.js";
import { Icon } from "../base/icons.js";
import { useKeys } from "../base/keys.js";
import { useAsked } from "../base/url.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { childStatuses, groupName, standingOfChild } from "../parts/child-groups.js";
import { ExecutionLink, executionPath, numberText, rowKeys } from "../parts/pieces.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { cell, Table } from "../parts/table.js";

export function Children() {
  const [asked, ask] = useAsked();
  const id = asked.get("id") ?? "";
  const names = ["id", "step", "round", "number", "status", "from"] as const;
  const query = Object.fromEntries(names.map((name) => [name, asked.get(name) ?? undefined]));
  const { data, error, refetch, isFetching } = useRead<ChildrenPage>("api/execution/children", query);
  useKeys(rowKeys);
  return (
    <>
      <Link
        href={executionPath(id)}
        className="mb-1 inline-flex items-center gap-1 rounded text-sm text-soft hover:text-water-deep hover:underline"
      >
        <Icon name="left" className="size-3.5" />
        <span className="one-line max-w-[70vw]">{id}</span>
      </Link>
      <PageHead title={`Children of ${data === undefined ? asked.get("step") : groupName(data.group)}`} />
      {data !== undefined && (
        <StatusChoice
          group={data.group}
          chosen={asked.get("status")}
          choose={(status) => ask({ status, from: undefined })}
        />
      )}
      <div className="card mt-4 overflow-hidden" aria-busy={isFetching}>
        {error !== null ? (
          <Failure error={error} again={() => void refetch()} />
        ) : data === undefined ? (
          <Loading rows={12} />
        ) : (
          <Lines page={data} />
        )}
      </div>
      {data !== undefined && (
        <Pager page={data} from={asked.get("from")} ask={(from) => ask({ from: from?.toString() })} />
      )}
    </>
  );
}

interface ChoiceProps {
  readonly group: ChildGroup;
  readonly chosen: string | null;
  readonly choose: (status: ChildLine["status"] | undefined) => void;
}

function StatusChoice({ group, chosen, choose }: ChoiceProps) {
  return (
    <div role="group" aria-label="Status" className="flex flex-wrap gap-1.5">
      <Button
        small
        look={chosen === null ? "main" : "plain"}
        aria-pressed={chosen === null}
        onClick={() => choose(undefined)}
      >
        All <span className="num">{numberText(group.count)}</span>
      </Button>
      {childStatuses.map((status) => (
        <Button
          key={status}
          small
          look={chosen === status ? "main" : "plain"}
          aria-pressed={chosen === status}
          onClick={() => choose(status)}
        >
          {standingOfChild(status, group)[0]} <span className="num">{numberText(group[status])}</span>
        </Button>
      ))}
    </div>
  );
}

const columns = [
  { name: "Child" },
  { name: "Execution", className: "hidden sm:table-cell sm:w-1/2" },
  { name: "Status", className: "w-36" },
];

function Lines({ page: { group, lines, lookedAt } }: { readonly page: ChildrenPage }) {
  if (lines.length === 0) {
    return (
      <Notice icon="search" title={lookedAt === undefined ? "None fits" : "None so far"} role="status">
        {lookedAt === undefined
          ? "No child of this step has this status."
          : `${numberText(lookedAt)} children were looked at, and none has this status. There are more: look further.`}
      </Notice>
    );
  }
  return (
    <Table label="Children" columns={columns}>
      {lines.map((line) => (
        <Row key={line.position} line={line} group={group} />
      ))}
    </Table>
  );
}

function Row({ line: { key, id, status, isAsked }, group }: { readonly line: ChildLine; readonly group: ChildGroup }) {
  const [word, tone, icon] = standingOfChild(status, group);
  // There is no execution of one that has not begun.
  const name =
    status === "notBegun" ? (
      <span className="one-line block font-mono text-sm text-faint">{id}</span>
    ) : (
      <ExecutionLink id={id} />
    );
  return (
    <tr className="transition-colors hover:bg-raised">
      <td className={cell}>
        <span className="one-line block font-medium" title={key}>
          {key}
        </span>
        <span className="block sm:hidden">{name}</span>
      </td>
      <td className={`${cell} hidden sm:table-cell`}>{name}</td>
      <td className={cell}>
        <Badge tone={tone} icon={icon}>
          {word}
        </Badge>
        {isAsked && status !== "rolledBack" && <span className="block text-sm text-faint">asked to go back</span>}
      </td>
    </tr>
  );
}

interface PagerProps {
  readonly page: ChildrenPage;
  readonly from: string | null;
  readonly ask: (from: number | undefined) => void;
}

function Pager({ page: { next, lookedAt }, from, ask }: PagerProps) {
  useKeys([
    ...(next === null ? [] : [{ keys: "n", does: "Next children", act: () => ask(next) }]),
    ...(from === null ? [] : [{ keys: "N", does: "First children", act: () => ask(undefined) }]),
  ]);
  if (next === null && from === null) return null;
  return (
    <nav aria-label="Pages of the list" className="mt-3 flex items-center justify-end gap-2">
      <Button icon="left" disabled={from === null} onClick={() => ask(undefined)}>
        First
      </Button>
      <Button disabled={next === null} onClick={() => ask(next ?? undefined)}>
        {lookedAt === undefined ? "Next" : "Look further"}
      </Button>
    </nav>
  );
}
