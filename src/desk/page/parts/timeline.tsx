/** The transitions of an execution, the newest first: a hundred at once, older ones on demand, twenty thousand without a hang. */
import { useMemo, useRef, useState } from "react";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import type { ExecutionView, HistoryPage, StateView, TransitionView } from "../../http/shapes.js";
import { sentenceOf, timelineOf, type TimelineEntry } from "../../model/timeline.js";
import { read, useRead } from "../base/api.js";
import { Icon } from "../base/icons.js";
import { useKeys } from "../base/keys.js";
import { Clock } from "../base/time.js";
import { span } from "../../model/spans.js";
import { Button } from "./button.js";
import { ErrorView } from "./error-view.js";
import { numberText } from "./pieces.js";
import { Failure } from "./states.js";
import { Changes, Value } from "./value.js";

type Entry = TimelineEntry<TransitionView>;

const olderAtOnce = 500;

interface History {
  /** The newest first, without a hole. */
  readonly rows: readonly TransitionView[];
  readonly isMore: boolean;
  readonly isFetching: boolean;
  readonly error: unknown;
  readonly fetchOlder: () => Promise<void>;
}

/** The newest page comes with the execution, and is renewed with it; what was seen never changes, and is kept. */
function useHistory({ id, history }: ExecutionView): History {
  const seen = useRef(new Map<number, TransitionView>()).current;
  const [{ isFetching, error }, setState] = useState<{ isFetching: boolean; error?: unknown }>({ isFetching: false });
  for (const row of history.rows) if (!seen.has(row.revision)) seen.set(row.revision, row);
  const newest = history.rows[0]?.revision ?? 0;
  const { size } = seen;
  const rows = useMemo(() => {
    const joined: TransitionView[] = [];
    for (let revision = newest; seen.has(revision); revision -= 1) joined.push(seen.get(revision)!);
    return joined;
  }, [newest, size, seen]);
  const oldest = rows.at(-1)?.revision ?? 0;
  const fetchOlder = async (): Promise<void> => {
    if (isFetching) return;
    setState({ isFetching: true });
    try {
      const page = await read<HistoryPage>("api/execution/history", { id, before: oldest, limit: olderAtOnce });
      for (const row of page.rows) seen.set(row.revision, row);
      setState({ isFetching: false });
    } catch (failure) {
      setState({ isFetching: false, error: failure });
    }
  };
  return { rows, isMore: oldest > 1, isFetching, error, fetchOlder };
}

const keyOf = (entry: Entry, index: number): string => {
  if (entry.type === "row") return `row ${entry.row.revision}`;
  return entry.type === "fold" ? `fold ${entry.rows[0]?.revision}` : `gap ${index}`;
};

export function Timeline({ execution }: { readonly execution: ExecutionView }) {
  const history = useHistory(execution);
  const { rows, isMore } = history;
  const entries = useMemo(() => timelineOf(rows.toReversed()).toReversed(), [rows]);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const list = useRef<HTMLDivElement>(null);
  const virtual = useWindowVirtualizer({
    count: entries.length + (isMore ? 1 : 0),
    estimateSize: () => 44,
    overscan: 12,
    scrollMargin: list.current?.offsetTop ?? 0,
    getItemKey: (index) => (index < entries.length ? keyOf(entries[index]!, index) : "older"),
  });
  useKeys(isMore ? [{ keys: "o", does: "Older transitions", act: () => void history.fetchOlder() }] : []);
  const toggle = (key: string): void => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  if (rows.length === 0) return <p className="px-4 py-8 text-center text-soft">Nothing was committed yet.</p>;
  return (
    <div
      ref={list}
      role="list"
      aria-label="Transitions, the newest first"
      className="relative"
      style={{ height: `${virtual.getTotalSize()}px` }}
    >
      {virtual.getVirtualItems().map(({ index, key, start }) => {
        const entry = entries[index];
        return (
          <div
            key={String(key)}
            ref={virtual.measureElement}
            data-index={index}
            role="listitem"
            className="absolute inset-x-0 top-0 border-b border-line"
            style={{ transform: `translateY(${start - virtual.options.scrollMargin}px)` }}
          >
            {entry === undefined ? (
              <Older history={history} />
            ) : (
              <EntryView
                entry={entry}
                id={execution.id}
                open={open.has(String(key))}
                toggle={() => toggle(String(key))}
              />
            )}
          </div>
        );
      })}
    </div>
  );
}

function Older({ history: { rows, isFetching, error, fetchOlder } }: { readonly history: History }) {
  return (
    <div className="flex flex-wrap items-center justify-center gap-3 px-4 py-3 text-sm text-soft">
      {error !== undefined && <Failure error={error} />}
      <span className="num">{numberText(rows.length)} are shown.</span>
      <Button small disabled={isFetching} onClick={() => void fetchOlder()}>
        {isFetching ? "Fetching …" : "Show older ones"}
      </Button>
    </div>
  );
}

interface EntryProps {
  readonly entry: Entry;
  readonly id: string;
  readonly open: boolean;
  readonly toggle: () => void;
}

function EntryView({ entry, id, open, toggle }: EntryProps) {
  if (entry.type === "gap") {
    return (
      <p className="flex items-center gap-3 px-4 py-1.5 text-xs text-faint">
        <span className="h-px w-6 bg-edge" />
        {entry.text} without a change
        <span className="h-px flex-1 bg-line" />
      </p>
    );
  }
  if (entry.type === "row")
    return <RowView row={entry.row} sentence={entry.sentence} id={id} open={open} toggle={toggle} />;
  return (
    <>
      <Head
        direction={entry.direction}
        open={open}
        toggle={toggle}
        at={entry.rows.at(-1)?.at}
        durationMs={entry.durationMs}
        tone=""
      >
        <span className="text-soft">
          {entry.steps.length} steps {entry.direction === "up" ? "done" : "undone"} at the first try:{" "}
          {entry.steps.slice(0, 6).join(", ")}
          {entry.steps.length > 6 && " …"}
        </span>
      </Head>
      {open && (
        <ol className="border-t border-line bg-raised pl-4">
          {entry.rows.toReversed().map((row) => (
            <li key={row.revision} className="border-b border-line last:border-b-0">
              <Folded row={row} id={id} />
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

function Folded({ row, id }: { readonly row: TransitionView; readonly id: string }) {
  const [open, setOpen] = useState(false);
  return <RowView row={row} sentence={sentenceOf(row)} id={id} open={open} toggle={() => setOpen(!open)} />;
}

interface HeadProps {
  readonly direction: "up" | "down";
  readonly open: boolean;
  readonly toggle: () => void;
  readonly at: string | undefined;
  readonly durationMs: number;
  readonly tone: string;
  readonly children: React.ReactNode;
}

function Head({ direction, open, toggle, at, durationMs, tone, children }: HeadProps) {
  return (
    <button
      type="button"
      data-row=""
      aria-expanded={open}
      onClick={toggle}
      className="flex w-full items-center gap-3 px-4 py-2.5 text-left hover:bg-raised"
    >
      <span className={direction === "up" ? "text-water" : "text-back"}>
        <Icon name={direction} />
      </span>
      <span className="sr-only">On the way {direction}:</span>
      <span className={`text-any min-w-0 flex-1 ${tone}`}>{children}</span>
      <span className="num hidden text-sm text-faint sm:inline">{durationMs > 0 && span(durationMs)}</span>
      <span className="w-17 text-right text-sm text-faint">{at !== undefined && <Clock at={at} />}</span>
      <Icon name="open" className={`size-3.5 text-faint transition-transform ${open ? "rotate-180" : ""}`} />
    </button>
  );
}

interface RowProps extends Omit<EntryProps, "entry"> {
  readonly row: TransitionView;
  readonly sentence: string;
}

function RowView({ row, sentence, id, open, toggle }: RowProps) {
  const isBad = row.error !== undefined;
  return (
    <>
      <Head
        direction={row.direction}
        open={open}
        toggle={toggle}
        at={row.at}
        durationMs={row.durationMs}
        tone={isBad ? "text-bad" : ""}
      >
        {sentence}
      </Head>
      {open && <Details row={row} id={id} />}
    </>
  );
}

function Details({ row, id }: { readonly row: TransitionView; readonly id: string }) {
  const {
    revision,
    step,
    func,
    attempt,
    result,
    by,
    why,
    message,
    error,
    guardErrors = [],
    details,
    migration,
    durationMs,
  } = row;
  const { data, error: failure } = useRead<StateView>("api/execution/state", { id, revision });
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["Transition", String(revision)],
    ["Step", `${step}, ${func}`],
    ["Result", result],
    ["Attempt", String(attempt)],
    ["Took", span(durationMs)],
    ["By", by],
    ["Why", why],
    ["Message", message === undefined ? undefined : `${message.name} (${message.id})`],
    ["Version", migration === undefined ? undefined : `${migration.from} to ${migration.to}`],
  ];
  return (
    <div className="flex flex-col gap-4 border-t border-line bg-paper px-4 py-4 sm:pl-11">
      <dl className="flex flex-wrap gap-x-7 gap-y-2">
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <div key={name} className="min-w-0">
                <dt className="text-xs text-faint">{name}</dt>
                <dd className="text-any">{value}</dd>
              </div>
            ),
        )}
      </dl>
      {details !== undefined && (
        <div>
          <h3 className="eyebrow mb-1">What came with the request</h3>
          <Value value={details} label={`What came with the request of transition ${revision}`} />
        </div>
      )}
      {[...(error === undefined ? [] : [error]), ...guardErrors].map((one, index) => (
        <ErrorView key={index} error={one} />
      ))}
      {failure !== null && <Failure error={failure} />}
      {data !== undefined && data.revision === revision && (
        <>
          <div>
            <h3 className="eyebrow mb-1">What it changed</h3>
            <Changes changes={data.changes} />
          </div>
          <details>
            <summary className="inline-block rounded text-sm text-water-deep hover:underline">
              The state after it
            </summary>
            <div className="mt-1.5">
              <Value value={data.state} label={`The state after transition ${revision}`} />
            </div>
          </details>
        </>
      )}
    </div>
  );
}
