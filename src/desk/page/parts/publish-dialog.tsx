import { useState } from "react";
import { act } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";
import { JsonField, problemWith } from "./json-field.js";
import { Labelled } from "./labelled.js";

export function PublishDialog({ close }: { readonly close: () => void }) {
  const [topic, setTopic] = useState("");
  const [name, setName] = useState("");
  const [payload, setPayload] = useState("");
  return (
    <ActDialog
      act="publish"
      title="Publish to a topic"
      verb="Publish"
      reason="none"
      consequence="The message goes into the mailbox of every execution that subscribes to the topic now, and is kept for those that subscribe later."
      ready={topic.trim() !== "" && name.trim() !== "" && problemWith(payload, "any") === undefined}
      send={() =>
        act("publish", { topic: topic.trim(), name: name.trim(), payload: payload.trim() === "" ? "null" : payload })
      }
      close={close}
    >
      <Labelled label="Topic">
        {(id) => (
          <input
            id={id}
            className="field"
            value={topic}
            autoComplete="off"
            onInput={(event) => setTopic(event.currentTarget.value)}
          />
        )}
      </Labelled>
      <Labelled label="Name of the message">
        {(id) => (
          <input
            id={id}
            className="field"
            value={name}
            autoComplete="off"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        )}
      </Labelled>
      <JsonField label="Payload, as JSON" text={payload} change={setPayload} wanted="any" hint="Left empty: null." />
    </ActDialog>
  );
}
