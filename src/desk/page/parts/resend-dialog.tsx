import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import type { DeadLetterView } from "../../http/shapes.js";
import { act } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";
import { Panel } from "./dialog.js";
import { TextField } from "./labelled.js";
import { ExecutionLink, numberText } from "./pieces.js";
import { Failure } from "./states.js";

export function ResendDialog({ letter, close }: { readonly letter: DeadLetterView; readonly close: () => void }) {
  const [to, setTo] = useState(letter.execution);
  const [as, setAs] = useState(letter.name);
  return (
    <ActDialog
      act="resend"
      title={`Send again: ${letter.name}`}
      verb="Send again"
      reason="none"
      consequence="The message goes, as it was, into the mailbox of that execution. The letter stays, and says where it was sent."
      ready={to.trim() !== "" && as.trim() !== ""}
      send={() =>
        act("resend", {
          execution: letter.execution,
          id: letter.id,
          ...(to !== letter.execution && { to: to.trim() }),
          ...(as !== letter.name && { as: as.trim() }),
        })
      }
      answered={({ execution }) => execution !== undefined && <ExecutionLink id={execution} />}
      close={close}
    >
      <TextField label="To the execution" value={to} change={setTo} className="font-mono text-sm" />
      <TextField label="Under the name" value={as} change={setAs} />
    </ActDialog>
  );
}

interface BulkProps {
  readonly conditions: { readonly workflow?: string; readonly execution?: string; readonly name?: string };
  readonly close: () => void;
}

export function BulkResendDialog({ conditions, close }: BulkProps) {
  const title = "Send all of them again";
  const dry = useQuery({
    queryKey: ["dry", "bulk-resend", conditions],
    queryFn: () => act("bulk-resend", { ...conditions, dry: true }),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
  const bulk = dry.data?.bulk;
  if (bulk === undefined) {
    return (
      <Panel title={title} close={close}>
        {dry.error !== null ? <Failure error={dry.error} /> : <p role="status">Counting them …</p>}
      </Panel>
    );
  }
  const { workflow, execution, name } = conditions;
  const which = [
    name !== undefined && `named ${name}`,
    workflow !== undefined && `of ${workflow}`,
    execution !== undefined && `of ${execution}`,
  ];
  return (
    <ActDialog
      act="bulk-resend"
      title={title}
      verb={`Send ${numberText(bulk.accepted)} again`}
      reason="none"
      consequence={`${numberText(bulk.accepted)} dead letters ${which.filter(Boolean).join(" ")} go, as they were, into the mailboxes that they were sent to.`}
      ready={bulk.accepted > 0}
      send={() => act("bulk-resend", { ...conditions, dry: false, expected: bulk.matched })}
      close={close}
    />
  );
}
