import { lazy, Suspense, useState } from "react";
import type { Count, ExecutionsPage } from "../../http/shapes.js";
import { useMay, useRead } from "../base/api.js";
import { useKeys } from "../base/keys.js";
import { queryOf } from "../base/query.js";
import { useAsked } from "../base/url.js";
import { Button } from "../parts/button.js";
import { ExecutionTable } from "../parts/execution-table.js";
import { Filters, isFiltered } from "../parts/filters.js";
import { countText, numberText, rowKeys } from "../parts/pieces.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";

const BulkDialog = lazy(async () => ({ default: (await import("../parts/bulk-dialog.js")).BulkDialog }));

const RecallDialog = lazy(async () => ({ default: (await import("../parts/recall-dialog.js")).RecallDialog }));

type Bulk = "bulk-rollback" | "bulk-retry" | "recall";

export function Executions() {
  const [asked, ask] = useAsked();
  const query = queryOf(asked);
  const page = useRead<ExecutionsPage>("api/executions", { ...query });
  const { after: _after, ...counted } = query;
  // The rows come first: to count may take longer.
  const count = useRead<Count>("api/executions/count", counted, page.data !== undefined && !page.isPlaceholderData);
  const [bulk, setBulk] = useState<Bulk>();
  useKeys(rowKeys);
  return (
    <>
      <PageHead title="Executions">
        <span role="status" className="num text-soft">
          {count.data !== undefined && `${countText(count.data)}${isFiltered(asked) ? " fit" : " in all"}`}
        </span>
        <span className="flex-1" />
        <BulkButtons asked={asked} choose={setBulk} />
      </PageHead>
      <Filters asked={asked} ask={ask} />
      <div className="card mt-4 overflow-hidden" aria-busy={page.isFetching}>
        <List page={page.data} error={page.error} again={() => void page.refetch()} filtered={isFiltered(asked)} />
      </div>
      {page.data !== undefined && <Pager page={page.data} after={asked.get("after")} ask={(after) => ask({ after })} />}
      {bulk !== undefined && (
        <Suspense>
          {bulk === "recall" ? (
            <RecallDialog query={query} close={() => setBulk(undefined)} />
          ) : (
            <BulkDialog act={bulk} query={query} close={() => setBulk(undefined)} />
          )}
        </Suspense>
      )}
    </>
  );
}

interface ListProps {
  readonly page: ExecutionsPage | undefined;
  readonly error: unknown;
  readonly again: () => void;
  readonly filtered: boolean;
}

function List({ page, error, again, filtered }: ListProps) {
  if (error !== null && error !== undefined) return <Failure error={error} again={again} />;
  if (page === undefined) return <Loading rows={12} />;
  const { executions, damaged, lookedAt, cursor } = page;
  if (executions.length + damaged.length > 0)
    return <ExecutionTable label="Executions" executions={executions} damaged={damaged} />;
  if (lookedAt !== undefined && cursor !== null) {
    return (
      <Notice icon="search" title="None so far" role="status">
        {numberText(lookedAt)} executions were looked at, and none fits. There are more: look further, or narrow it down
        by workflow, status or time.
      </Notice>
    );
  }
  return filtered ? (
    <Notice icon="search" title="None fits" role="status">
      No execution fits all of these filters. Take one away.
    </Notice>
  ) : (
    <Notice icon="workflows" title="Nothing was launched yet" role="status">
      Executions stand here as soon as a program calls <code className="font-mono">launch</code>.
    </Notice>
  );
}

interface PagerProps {
  readonly page: ExecutionsPage;
  readonly after: string | null;
  readonly ask: (after: string | undefined) => void;
}

function Pager({ page: { cursor, executions, lookedAt }, after, ask }: PagerProps) {
  useKeys([
    ...(cursor === null ? [] : [{ keys: "n", does: "Older executions", act: () => ask(cursor) }]),
    ...(after === null ? [] : [{ keys: "N", does: "Newest executions", act: () => ask(undefined) }]),
  ]);
  if (cursor === null && after === null) return null;
  return (
    <nav aria-label="Pages of the list" className="mt-3 flex items-center justify-end gap-2">
      {lookedAt !== undefined && (
        <span className="mr-auto text-sm text-faint">
          {numberText(executions.length)} found among {numberText(lookedAt)} that were looked at
        </span>
      )}
      <Button icon="left" disabled={after === null} onClick={() => ask(undefined)}>
        Newest
      </Button>
      <Button disabled={cursor === null} onClick={() => ask(cursor ?? undefined)}>
        {lookedAt === undefined ? "Older" : "Look further"}
      </Button>
    </nav>
  );
}

/** Acts on all that fits, for who may. Only on what a store can count: the filters that no index serves choose too slowly. */
function BulkButtons({ asked, choose }: { readonly asked: URLSearchParams; readonly choose: (act: Bulk) => void }) {
  const may = useMay("act-many");
  if (!may || !isFiltered(asked)) return null;
  const isSlow = ["id", "direction", "reason"].some((name) => asked.has(name));
  const title = isSlow
    ? "Take the filters for id, direction and reason away: an act on many chooses without them."
    : undefined;
  const isOfChildren = asked.has("root") || asked.get("children") === "true";
  return (
    <span className="flex gap-2">
      <Button disabled={isSlow} title={title} onClick={() => choose("bulk-retry")}>
        Retry all …
      </Button>
      <Button disabled={isSlow} title={title} onClick={() => choose("bulk-rollback")}>
        Roll back all …
      </Button>
      {asked.getAll("status").join() === "completed" && (
        <Button
          disabled={isSlow || isOfChildren}
          title={
            title ??
            (isOfChildren ? "A recall is of what was launched by itself; its children go back with it." : undefined)
          }
          onClick={() => choose("recall")}
        >
          Recall all …
        </Button>
      )}
    </span>
  );
}
