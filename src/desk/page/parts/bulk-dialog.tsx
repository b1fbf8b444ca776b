/** An act on all executions that a filter finds: first only counted, then said in a sentence, then done. */
import { useQuery } from "@tanstack/react-query";
import type { ActAnswer, BulkView } from "../../http/act-shapes.js";
import type { ExecutionsQuery } from "../../http/shapes.js";
import { act } from "../base/api.js";
import { askedInWords } from "../base/query.js";
import { ActDialog } from "./act-dialog.js";
import { Panel } from "./dialog.js";
import { numberText } from "./pieces.js";
import { Failure } from "./states.js";

interface Props {
  readonly act: "bulk-rollback" | "bulk-retry";
  readonly query: ExecutionsQuery;
  readonly close: () => void;
}

const words = {
  "bulk-rollback": {
    title: "Roll back all that fit",
    verb: "Roll back",
    would: "would be rolled back",
    grave: true,
    reason: "required",
  },
  "bulk-retry": {
    title: "Retry all that fit",
    verb: "Retry",
    would: "would be tried again",
    grave: false,
    reason: "optional",
  },
} as const;

interface How {
  readonly dry: boolean;
  readonly expected?: number;
}

function send(name: Props["act"], query: ExecutionsQuery, reason: string, how: How): Promise<ActAnswer> {
  // All that chooses is sent: what the desk can't choose by it refuses.
  const { after: _after, ...filter } = query;
  if (name === "bulk-rollback") return act(name, { filter, reason, ...how });
  return act(name, { filter, ...how, ...(reason !== "" && { reason }) });
}

export function BulkDialog({ act: name, query, close }: Props) {
  const { title, verb, would, grave, reason } = words[name];
  const dry = useQuery({
    queryKey: ["dry", name, query],
    queryFn: () => send(name, query, "dry run", { dry: true }),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
  const bulk = dry.data?.bulk;
  if (bulk === undefined) {
    return (
      <Panel title={title} close={close}>
        {dry.error !== null ? <Failure error={dry.error} /> : <p role="status">Counting what would become of them …</p>}
      </Panel>
    );
  }
  const named = `${verb} ${numberText(bulk.accepted)} ${bulk.accepted === 1 ? "execution" : "executions"}`;
  return (
    <ActDialog
      act={name}
      title={title}
      verb={named}
      grave={grave}
      reason={reason}
      ready={bulk.accepted > 0}
      consequence={
        <>
          <p>
            <b className="num">{numberText(bulk.accepted)}</b> of {numberText(bulk.matched)} executions{" "}
            {askedInWords(query)} {would}.
          </p>
          <Refusals bulk={bulk} />
        </>
      }
      send={(why) => send(name, query, why, { dry: false, expected: bulk.matched })}
      answered={(answer) => answer.bulk !== undefined && <Refusals bulk={answer.bulk} />}
      close={close}
    />
  );
}

function Refusals({ bulk: { refused, refusedInAll, dry } }: { readonly bulk: BulkView }) {
  if (refusedInAll === 0) return null;
  return (
    <details className="mt-2">
      <summary className="text-sm text-soft">
        {numberText(refusedInAll)} {dry ? "would refuse" : "refused"}
      </summary>
      <ul className="mt-1 max-h-48 overflow-y-auto text-sm text-soft">
        {refused.map(({ id, message }) => (
          <li key={id} className="text-any border-t border-line py-1">
            {message}
          </li>
        ))}
      </ul>
    </details>
  );
}
