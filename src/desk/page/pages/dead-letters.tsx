import { lazy, Suspense, useState } from "react";
import type { DeadLettersPage, DeadLetterView, WorkflowNames } from "../../http/shapes.js";
import { useMay, useRead } from "../base/api.js";
import { useKeys } from "../base/keys.js";
import { Ago } from "../base/time.js";
import { useAsked } from "../base/url.js";
import { Button } from "../parts/button.js";
import { Labelled, TextField } from "../parts/labelled.js";
import { ExecutionLink, rowKeys } from "../parts/pieces.js";
import { PageHead } from "../parts/shell.js";
import { Failure, Loading, Notice } from "../parts/states.js";
import { Payload } from "../parts/payload.js";

const ResendDialog = lazy(async () => ({ default: (await import("../parts/resend-dialog.js")).ResendDialog }));
const BulkResendDialog = lazy(async () => ({ default: (await import("../parts/resend-dialog.js")).BulkResendDialog }));

const names = ["workflow", "execution", "name"] as const;

type Conditions = Readonly<Partial<Record<(typeof names)[number], string>>>;

export function DeadLetters() {
  const [asked, ask] = useAsked();
  const conditions: Conditions = Object.fromEntries(
    names.flatMap((name) => (asked.has(name) ? [[name, asked.get(name)!]] : [])),
  );
  const after = asked.get("after") ?? undefined;
  const { data, error, refetch } = useRead<DeadLettersPage>("api/dead-letters", { ...conditions, after });
  const [chosen, choose] = useState<DeadLetterView | "all">();
  const mayMany = useMay("act-many");
  useKeys(rowKeys);
  return (
    <>
      <PageHead title="Dead letters">
        <span className="flex-1" />
        {mayMany && data !== undefined && data.letters.length > 0 && (
          <Button icon="send" onClick={() => choose("all")}>
            Send all again …
          </Button>
        )}
      </PageHead>
      <Conditions conditions={conditions} ask={(changes) => ask({ ...changes, after: undefined }, true)} />
      <div className="card mt-4 overflow-hidden">
        {error !== null ? (
          <Failure error={error} again={() => void refetch()} />
        ) : data === undefined ? (
          <Loading rows={5} />
        ) : (
          <Letters page={data} choose={choose} />
        )}
      </div>
      {data !== undefined && (data.cursor !== null || after !== undefined) && (
        <nav aria-label="Pages of the list" className="mt-3 flex justify-end gap-2">
          <Button icon="left" disabled={after === undefined} onClick={() => ask({ after: undefined })}>
            Newest
          </Button>
          <Button disabled={data.cursor === null} onClick={() => ask({ after: data.cursor ?? undefined })}>
            Older
          </Button>
        </nav>
      )}
      {chosen !== undefined && (
        <Suspense>
          {chosen === "all" ? (
            <BulkResendDialog conditions={conditions} close={() => choose(undefined)} />
          ) : (
            <ResendDialog letter={chosen} close={() => choose(undefined)} />
          )}
        </Suspense>
      )}
    </>
  );
}

function Conditions({
  conditions,
  ask,
}: {
  readonly conditions: Conditions;
  readonly ask: (changes: Conditions) => void;
}) {
  const workflows = useRead<WorkflowNames>("api/workflows/names").data?.names ?? [];
  return (
    <div className="flex flex-wrap gap-3">
      <Labelled label="Workflow">
        {(id) => (
          <select
            id={id}
            className="field max-w-56"
            value={conditions.workflow ?? ""}
            onChange={(event) => ask({ workflow: event.currentTarget.value })}
          >
            <option value="">Any workflow</option>
            {workflows.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </Labelled>
      <TextField label="Execution" value={conditions.execution ?? ""} change={(execution) => ask({ execution })} />
      <TextField label="Message" value={conditions.name ?? ""} change={(name) => ask({ name })} />
    </div>
  );
}

function Letters({
  page: { letters, damaged, cursor },
  choose,
}: {
  readonly page: DeadLettersPage;
  readonly choose: (letter: DeadLetterView) => void;
}) {
  if (letters.length + damaged.length === 0 && cursor !== null) {
    return (
      <Notice icon="search" title="None so far" role="status">
        Some thousand dead letters were looked at, and none fits. There are older ones: look further.
      </Notice>
    );
  }
  if (letters.length + damaged.length === 0) {
    return (
      <Notice icon="letters" title="No dead letters">
        Each message that was sent has found a step that took it.
      </Notice>
    );
  }
  return (
    <ul aria-label="Dead letters" className="divide-y divide-line">
      {letters.map((letter) => (
        <Letter key={`${letter.execution} ${letter.id}`} letter={letter} choose={choose} />
      ))}
      {damaged.map(({ id, problem }) => (
        <li key={id} className="px-4 py-3">
          <ExecutionLink id={id} />
          <p className="text-any text-sm text-bad">Its letters can’t be read: {problem}</p>
        </li>
      ))}
    </ul>
  );
}

function Letter({
  letter,
  choose,
}: {
  readonly letter: DeadLetterView;
  readonly choose: (letter: DeadLetterView) => void;
}) {
  const { execution, workflow, id, name, payload, receivedAt, step, topic } = letter;
  const may = useMay("act-one");
  return (
    <li className="flex flex-col gap-2 px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="text-any font-semibold">{name}</span>
        <span className="text-sm text-soft">to</span>
        <ExecutionLink id={execution} className="max-w-full" />
        <span className="text-any text-sm text-faint">
          {workflow}
          {step !== undefined && `, dead at ${step}`}
          {topic !== undefined && `, topic ${topic}`}
        </span>
        <span className="flex-1" />
        <Ago at={receivedAt} className="text-sm text-faint" />
        {may && (
          <Button small icon="send" onClick={() => choose(letter)}>
            Send again …{" "}
            <span className="sr-only">
              {name} to {execution}
            </span>
          </Button>
        )}
      </div>
      <Payload id={id} name={name} payload={payload} />
    </li>
  );
}
