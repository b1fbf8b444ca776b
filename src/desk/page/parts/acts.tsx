/** The acts on one execution: what each would do, what it needs, and what came of it. */
import { useState } from "react";
import type { ExecutionView, PreviewView } from "../../http/shapes.js";
import type { Lanes as LanesData } from "../../model/lanes.js";
import type { Offer } from "../../model/words.js";
import { act, useRead } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";
import { Labelled } from "./labelled.js";
import { JsonField, problemWith } from "./json-field.js";
import { Lanes, type Choice } from "./lanes.js";
import { Failure } from "./states.js";

interface Props {
  readonly execution: ExecutionView;
  readonly close: () => void;
}

export function OfferDialog({ execution, offer, close }: Props & { readonly offer: Offer }) {
  if (offer.act === "send") return <SendDialog execution={execution} offer={offer} close={close} />;
  if (offer.act === "rewind") return <RewindDialog execution={execution} offer={offer} close={close} />;
  if (offer.act === "resolve") return <ResolveDialog execution={execution} offer={offer} close={close} />;
  return <PatchingDialog execution={execution} offer={offer} close={close} />;
}

function ResolveDialog({ execution: { id, revision }, offer, close }: Props & { readonly offer: Offer }) {
  const [answer, setAnswer] = useState<"" | "happened" | "not">("");
  const [given, setGiven] = useState("");
  const { label, consequence, grave, reason } = offer;
  const fields = given.trim() === "" ? "{}" : given;
  return (
    <ActDialog
      act="resolve"
      title={`${label}: ${id}`}
      verb="Say so"
      consequence={consequence}
      grave={grave}
      reason={reason}
      revision={revision}
      ready={answer !== "" && (answer === "not" || problemWith(given, "object") === undefined)}
      send={(why, seen) => {
        const on = { execution: id, revision: seen, reason: why };
        return act("resolve", answer === "happened" ? { ...on, happened: fields } : on);
      }}
      close={close}
    >
      <Labelled label="What became of it">
        {(field) => (
          <select
            id={field}
            className="field"
            value={answer}
            onChange={(event) => setAnswer(event.currentTarget.value as typeof answer)}
          >
            <option value="">Choose</option>
            <option value="happened">It happened</option>
            <option value="not">It did not happen</option>
          </select>
        )}
      </Labelled>
      {answer === "happened" && (
        <JsonField
          label="What the step gave, as JSON (optional)"
          text={given}
          change={setGiven}
          wanted="object"
          hint="The fields that it would have given to the state."
        />
      )}
    </ActDialog>
  );
}

function RewindDialog({ execution: { id, revision, lanes }, offer, close }: Props & { readonly offer: Offer }) {
  const [to, setTo] = useState("");
  const [patch, setPatch] = useState("");
  const [repeat, setRepeat] = useState(false);
  const { label, consequence, grave, reason, steps = [] } = offer;
  const from = steps.findIndex(({ name }) => name === to);
  const again = from < 0 ? [] : steps.slice(from).flatMap(({ name, irreversible }) => (irreversible ? name : []));
  return (
    <ActDialog
      act="rewind"
      title={`${label}: ${id}`}
      verb={label}
      consequence={consequence}
      grave={grave}
      reason={reason}
      revision={revision}
      ready={from >= 0 && problemWith(patch, "object") === undefined && (again.length === 0 || repeat)}
      send={(why, seen) =>
        act("rewind", {
          ...{ execution: id, revision: seen, to, reason: why },
          ...(patch.trim() !== "" && { patch }),
          ...(again.length > 0 && { repeat: again }),
        })
      }
      close={close}
    >
      <p className="mb-1 text-sm font-medium">Back to the step</p>
      <Preview
        id={id}
        to={to}
        lanes={{ ...lanes, rounds: lanes.rounds.slice(-1) }}
        choice={{
          label: "Back to the step",
          steps: steps.map(({ name }) => name),
          chosen: to,
          choose: (step) => {
            setTo(step);
            setRepeat(false);
          },
        }}
      />
      {again.length > 0 && (
        <label className="text-any flex items-center gap-2 text-sm">
          <input type="checkbox" checked={repeat} onChange={(event) => setRepeat(event.currentTarget.checked)} />
          Do a second time what can’t be undone: {again.join(", ")}
        </label>
      )}
      <JsonField
        label="Fields of the state, as JSON (optional)"
        text={patch}
        change={setPatch}
        wanted="object"
        hint="Merged into the state where it goes up again."
      />
    </ActDialog>
  );
}

/** Acts that may mend the state: retry, skip, patch; and the rollback, which may not. */
function PatchingDialog({ execution: { id, revision }, offer, close }: Props & { readonly offer: Offer }) {
  const [patch, setPatch] = useState("");
  const { act: name, label, consequence, reason, grave } = offer;
  const must = name === "patch";
  const problem = problemWith(patch, "object");
  const given = patch.trim() === "" ? {} : { patch };
  return (
    <ActDialog
      act={name}
      title={`${label}: ${id}`}
      verb={label}
      consequence={consequence}
      grave={grave}
      reason={reason}
      revision={revision}
      ready={problem === undefined && (!must || patch.trim() !== "")}
      send={(why, seen) => {
        const on = { execution: id, revision: seen };
        if (name === "patch") return act("patch", { ...on, reason: why, patch });
        if (name === "skip") return act("skip", { ...on, reason: why, ...given });
        if (name === "rollback") return act("rollback", { ...on, reason: why });
        return act("retry", { ...on, ...(why !== "" && { reason: why }), ...given });
      }}
      close={close}
    >
      {must ? (
        <JsonField
          label="Fields of the state, as JSON"
          text={patch}
          change={setPatch}
          wanted="object"
          hint="Merged into the state; what is not named stays."
        />
      ) : name === "rollback" ? (
        <Preview id={id} />
      ) : (
        <details>
          <summary className="inline-block rounded text-sm text-water-deep hover:underline">
            Mend the state first
          </summary>
          <div className="mt-2">
            <JsonField
              label="Fields of the state, as JSON"
              text={patch}
              change={setPatch}
              wanted="object"
              hint="Merged into the state before."
            />
          </div>
        </details>
      )}
    </ActDialog>
  );
}

interface PreviewProps {
  readonly id: string;
  /** Of a rewind: the step to which it would go back. Empty: none is chosen yet. */
  readonly to?: string;
  /** What is shown while none is chosen. */
  readonly lanes?: LanesData;
  readonly choice?: Choice;
}

/** What would become of each step, as the execution stands now. */
function Preview({ id, to, lanes, choice }: PreviewProps) {
  const isAsked = to !== "";
  const { data, error } = useRead<PreviewView>("api/execution/preview", { id, to }, isAsked);
  if (error !== null) return <Failure error={error} />;
  const shown = isAsked ? data?.lanes : lanes;
  // What may be repeated is asked for below.
  const said = isAsked && data?.refused !== "would-repeat" ? data?.said : undefined;
  const upAgain = isAsked ? data?.upAgain : undefined;
  if (shown === undefined) return null;
  return (
    <section aria-label="What would be done">
      {said !== undefined && <p className="text-any mb-2 text-sm text-warn">{said}</p>}
      <div className="max-h-80 overflow-y-auto rounded-lg border border-line">
        <Lanes lanes={shown} choice={choice} />
      </div>
      {upAgain !== undefined && <p className="text-any mt-2 text-sm">{`Then it goes up again at ${upAgain.step}.`}</p>}
    </section>
  );
}

export function SendDialog({ execution, offer, close }: Props & { readonly offer?: Offer }) {
  const { id, revision, messages } = execution;
  const [name, setName] = useState(messages[0] ?? "");
  const [payload, setPayload] = useState("");
  const [messageId, setMessageId] = useState("");
  const known = offer ?? execution.words.acts.find((one) => one.act === "send");
  return (
    <ActDialog
      act="send"
      title={`Send a message: ${id}`}
      verb="Send"
      reason="none"
      revision={revision}
      consequence={
        known?.consequence ??
        "The message goes into the mailbox. A step that takes messages of its name gets it; else it becomes a dead letter."
      }
      ready={name.trim() !== "" && problemWith(payload, "any") === undefined}
      send={(_, seen) =>
        act("send", {
          execution: id,
          revision: seen,
          name,
          payload: payload.trim() === "" ? "null" : payload,
          ...(messageId.trim() !== "" && { messageId }),
        })
      }
      close={close}
    >
      <Labelled label="Name">
        {(field) =>
          messages.length > 0 ? (
            <select id={field} className="field" value={name} onChange={(event) => setName(event.currentTarget.value)}>
              {messages.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          ) : (
            <input
              id={field}
              className="field"
              value={name}
              autoComplete="off"
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )
        }
      </Labelled>
      <JsonField label="Payload, as JSON" text={payload} change={setPayload} wanted="any" hint="Left empty: null." />
      <Labelled label="Id of the message (optional)">
        {(field) => (
          <input
            id={field}
            className="field"
            value={messageId}
            autoComplete="off"
            onInput={(event) => setMessageId(event.currentTarget.value)}
          />
        )}
      </Labelled>
    </ActDialog>
  );
}
