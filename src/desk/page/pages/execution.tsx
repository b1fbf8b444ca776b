import { Fragment, lazy, Suspense, useEffect, useRef, useState } from "react";
import { Tabs } from "@base-ui/react/tabs";
import { Link } from "wouter";
import type { CountedView, ExecutionView } from "../../http/shapes.js";
import type { Offer, Urgency } from "../../model/words.js";
import { read, useMay, useRead } from "../base/api.js";
import { Icon, type IconName } from "../base/icons.js";
import { useKeys } from "../base/keys.js";
import { useFollowing } from "../base/live.js";
import { Ago } from "../base/time.js";
import { useAsked } from "../base/url.js";
import { StatusBadge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { ChildGroups } from "../parts/child-groups.js";
import { ErrorView } from "../parts/error-view.js";
import { Lanes } from "../parts/lanes.js";
import { Mailbox } from "../parts/mailbox.js";
import {
  certificatePath,
  countText,
  ExecutionLink,
  Facts,
  listPath,
  rowKeys,
  Tag,
  withChildren,
} from "../parts/pieces.js";
import { Section } from "../parts/section.js";
import { PageHead } from "../parts/shell.js";
import { StateView } from "../parts/state-view.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { Timeline } from "../parts/timeline.js";

const OfferDialog = lazy(async () => ({ default: (await import("../parts/acts.js")).OfferDialog }));

/** Has a long history counted part by part, and looks again after each. */
function useCounting(execution: ExecutionView | undefined, lookAgain: () => unknown): void {
  const isHeld = useFollowing() === "paused";
  const isCounting = useRef(false);
  useEffect(() => {
    if (execution === undefined || execution.lanes.countedAfter === 0 || isHeld || isCounting.current) return;
    isCounting.current = true;
    const over = (): void => {
      isCounting.current = false;
    };
    const counted = read<CountedView>("api/execution/count", { id: execution.id });
    // Where it fails, what is shown says what is missing, and the next change tries it again.
    void counted.then(() => (over(), lookAgain()), over);
  }, [execution, isHeld, lookAgain]);
}

export function ExecutionPage() {
  const [asked] = useAsked();
  const id = asked.get("id") ?? "";
  const { data, error, refetch } = useRead<ExecutionView>("api/execution", { id }, id !== "");
  // What is shown while another one is fetched is that other one's page, not this one's.
  const execution = data?.id === id ? data : undefined;
  useCounting(execution, refetch);
  if (id === "")
    return (
      <Notice icon="search" title="Which one?">
        The address names no execution.
      </Notice>
    );
  if (error !== null && (execution === undefined || isGone(error))) {
    return (
      <>
        <PageHead title={id} />
        <div className="card">
          <Failure error={error} again={() => void refetch()} />
        </div>
      </>
    );
  }
  if (execution === undefined) return <Loading rows={10} />;
  return <Shown key={id} execution={execution} />;
}

const isGone = (error: Error): boolean =>
  "status" in error && (error.status === 404 || error.status === 403 || error.status === 401);

/** Only what is at rest has a certificate. */
const rests: ReadonlySet<string> = new Set(["completed", "rolledBack", "stuck"]);

function Shown({ execution }: { readonly execution: ExecutionView }) {
  const { id, workflow, version, tags } = execution;
  return (
    <>
      <Link
        href={listPath({ workflow, ...(execution.parent !== undefined && withChildren) })}
        className="mb-1 inline-flex items-center gap-1 rounded text-sm text-soft hover:text-water-deep hover:underline"
      >
        <Icon name="left" className="size-3.5" />
        <span className="one-line max-w-[70vw]">
          {workflow}, version {version}
        </span>
      </Link>
      <PageHead title={id}>
        <StatusBadge {...execution} />
        {tags.map((tag) => (
          <Tag key={tag} tag={tag} />
        ))}
        {rests.has(execution.status) && (
          <Link href={certificatePath(id)} className="rounded text-sm text-water-deep hover:underline">
            Certificate
          </Link>
        )}
      </PageHead>
      <div className="flex flex-col gap-5">
        <Matter execution={execution} />
        <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_19rem]">
          <Section title="Steps">
            <Lanes lanes={execution.lanes} />
          </Section>
          <Section title="Facts">
            <FactsOf execution={execution} />
          </Section>
        </div>
        {execution.children.length > 0 && <ChildGroups execution={execution} />}
        <Parts execution={execution} />
      </div>
    </>
  );
}

const looks: Readonly<Record<Urgency, readonly [string, string, IconName]>> = {
  act: ["border-l-bad", "text-bad", "stuck"],
  watch: ["border-l-warn", "text-warn", "struggling"],
  calm: ["border-l-edge", "text-water", "right"],
};

/** `fetch failed` says nothing; what lies beneath it does. */
function deepest(failure: ExecutionView["failure"]): string | undefined {
  let cause = failure?.cause;
  while (cause?.cause !== undefined) cause = cause.cause;
  return cause?.message === "" ? cause.name : cause?.message;
}

/** What is the matter, and what can be done. */
function Matter({ execution }: { readonly execution: ExecutionView }) {
  const { headline, lines, urgency, acts } = execution.words;
  const [edge, ink, icon] = looks[urgency];
  const may = useMay("act-one");
  const [chosen, choose] = useState<Offer>();
  const cause = deepest(execution.failure);
  return (
    <section aria-label="What is the matter" className={`card border-l-4 px-5 py-4 ${edge}`}>
      <p className="flex items-start gap-2.5 text-lg font-semibold">
        <Icon name={icon} className={`mt-0.5 size-5 ${ink}`} />
        <span className="text-any min-w-0">{headline}</span>
      </p>
      <div className="mt-1.5 flex max-w-prose flex-col gap-1 pl-[1.9rem] text-soft">
        {lines.map((line, index) => (
          <Fragment key={line}>
            <p className="text-any">{line}</p>
            {index === 0 && cause !== undefined && <p className="text-any">Its cause: {cause}</p>}
          </Fragment>
        ))}
      </div>
      {may && acts.length > 0 && (
        <div className="mt-3.5 flex flex-wrap gap-2 pl-[1.9rem]">
          {acts.map((offer, index) => (
            <Button
              key={offer.act}
              look={index === 0 && urgency === "act" ? "main" : "plain"}
              title={offer.consequence}
              onClick={() => choose(offer)}
            >
              {offer.label} …
            </Button>
          ))}
        </div>
      )}
      {!may && acts.length > 0 && (
        <p className="mt-3 flex items-center gap-1.5 pl-[1.9rem] text-sm text-faint">
          <Icon name="lock" className="size-3.5" /> You may look, and not act.
        </p>
      )}
      {chosen !== undefined && (
        <Suspense>
          <OfferDialog execution={execution} offer={chosen} close={() => choose(undefined)} />
        </Suspense>
      )}
    </section>
  );
}

function FactsOf({ execution }: { readonly execution: ExecutionView }) {
  const { workflow, version, createdAt, updatedAt, dueAt, deadlineAt, revision, attempts, pending, reason } = execution;
  const { parent, root } = execution;
  return (
    <Facts
      facts={[
        [
          "Workflow",
          <Link
            className="rounded text-water-deep hover:underline"
            href={`/workflows?${new URLSearchParams({ name: workflow, version }).toString()}`}
          >
            {workflow}
          </Link>,
        ],
        ["Version", version],
        ...(parent === undefined ? [] : ([["Child of", <ExecutionLink id={parent} />]] as const)),
        ...(root === undefined || root === parent ? [] : ([["At the top", <ExecutionLink id={root} />]] as const)),
        ["Launched", <Ago at={createdAt} />],
        ["Last change", <Ago at={updatedAt} />],
        ...(dueAt === undefined ? [] : ([["Due", <Ago at={dueAt} />]] as const)),
        ...(deadlineAt === undefined ? [] : ([["Deadline", <Ago at={deadlineAt} />]] as const)),
        ["Transitions", revision.toLocaleString("en")],
        ...(attempts > 0 ? ([["Failed attempts", String(attempts)]] as const) : []),
        ...(pending.count > 0 ? ([["Messages to take", countText(pending)]] as const) : []),
        ...(reason === "normal" ? [] : ([["Reason", reason]] as const)),
      ]}
    />
  );
}

const tabs = [
  { value: "timeline", label: "Timeline", key: "1" },
  { value: "state", label: "State", key: "2" },
  { value: "mailbox", label: "Mailbox", key: "3" },
  { value: "error", label: "Error", key: "4" },
] as const;

function Parts({ execution }: { readonly execution: ExecutionView }) {
  const [asked, ask] = useAsked();
  const shown = tabs.filter(({ value }) => value !== "error" || execution.failure !== undefined);
  const tab = shown.find(({ value }) => value === asked.get("tab"))?.value ?? "timeline";
  const choose = (value: string): void =>
    ask({ tab: value === "timeline" ? undefined : value, revision: undefined }, true);
  useKeys([
    ...rowKeys,
    ...shown.map(({ value, label, key }) => ({ keys: key, does: `Show ${label}`, act: () => choose(value) })),
  ]);
  return (
    <Tabs.Root value={tab} onValueChange={(value) => choose(String(value))} className="card min-w-0">
      <Tabs.List aria-label="More of it" className="flex gap-1 overflow-x-auto border-b border-line px-2 pt-1.5">
        {shown.map(({ value, label }) => (
          <Tabs.Tab
            key={value}
            value={value}
            className={`min-h-9 rounded-t-md border-b-2 px-3 ${tab === value ? "border-water font-semibold text-water-deep" : "border-transparent text-soft hover:text-ink"}`}
          >
            {label}
            {value === "mailbox" && execution.pending.count > 0 && (
              <span className="num ml-1.5 text-faint">{countText(execution.pending)}</span>
            )}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={tab} className="outline-offset-[-2px]">
        {tab === "timeline" && <Timeline execution={execution} />}
        {tab === "state" && <StateView execution={execution} />}
        {tab === "mailbox" && <Mailbox execution={execution} />}
        {tab === "error" && execution.failure !== undefined && (
          <div className="p-4">
            <ErrorView error={execution.failure} />
          </div>
        )}
      </Tabs.Panel>
    </Tabs.Root>
  );
}
