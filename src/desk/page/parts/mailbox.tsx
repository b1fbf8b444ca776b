import { lazy, Suspense, useState } from "react";
import type { ExecutionView, Mailbox as MailboxData, MessageView } from "../../http/shapes.js";
import { useMay, useRead } from "../base/api.js";
import { Ago } from "../base/time.js";
import { Badge, type Tone } from "./badge.js";
import type { IconName } from "../base/icons.js";
import { Button } from "./button.js";
import { ExecutionLink } from "./pieces.js";
import { Failure, Loading, Notice } from "./states.js";
import { Payload } from "./payload.js";

const SendDialog = lazy(async () => ({ default: (await import("./acts.js")).SendDialog }));

const looks: Readonly<Record<MessageView["status"], readonly [string, Tone, IconName]>> = {
  pending: ["Not taken yet", "wait", "waiting"],
  consumed: ["Taken", "good", "done"],
  dead: ["Dead: no step took it", "warn", "letters"],
  resent: ["Sent again", "idle", "send"],
};

export function Mailbox({ execution }: { readonly execution: ExecutionView }) {
  const { data, error } = useRead<MailboxData>("api/execution/mailbox", { id: execution.id });
  const [sending, setSending] = useState(false);
  const may = useMay("act-one");
  return (
    <div>
      {may && (
        <div className="border-b border-line px-4 py-3">
          <Button icon="send" onClick={() => setSending(true)}>
            Send a message …
          </Button>
        </div>
      )}
      {error !== null && <Failure error={error} />}
      {error === null && data === undefined && <Loading rows={3} />}
      {data?.messages.length === 0 && (
        <Notice icon="letters" title="No messages">
          Nothing was sent to this execution.
        </Notice>
      )}
      <ul aria-label="Messages, the newest first" className="divide-y divide-line">
        {data?.messages.map((message) => (
          <Message key={message.id} message={message} />
        ))}
      </ul>
      {data?.more === true && (
        <p className="border-t border-line px-4 py-2 text-sm text-faint">Older messages are not shown.</p>
      )}
      {sending && (
        <Suspense>
          <SendDialog execution={execution} close={() => setSending(false)} />
        </Suspense>
      )}
    </div>
  );
}

function Message({
  message: { id, name, payload, receivedAt, status, step, topic, resent },
}: {
  readonly message: MessageView;
}) {
  const [word, tone, icon] = looks[status];
  return (
    <li className="flex flex-col gap-2 px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="text-any font-semibold">{name}</span>
        <Badge tone={tone} icon={icon}>
          {word}
        </Badge>
        {step !== undefined && <span className="text-sm text-soft">by {step}</span>}
        {topic !== undefined && <span className="text-any text-sm text-soft">topic {topic}</span>}
        <span className="flex-1" />
        <Ago at={receivedAt} className="text-sm text-faint" />
      </div>
      {resent !== undefined && (
        <div className="flex items-center gap-1.5 text-sm text-soft">
          Sent again {resent.by !== undefined && `by ${resent.by} `}as {resent.as} to <ExecutionLink id={resent.to} />
        </div>
      )}
      <Payload id={id} name={name} payload={payload} />
    </li>
  );
}
