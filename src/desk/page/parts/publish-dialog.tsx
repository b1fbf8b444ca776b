import { useState } from "react";
import { act } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";
import { JsonField, problemWith } from "./json-field.js";
import { TextField } from "./labelled.js";

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
      <TextField label="Topic" value={topic} change={setTopic} />
      <TextField label="Name of the message" value={name} change={setName} />
      <JsonField label="Payload, as JSON" text={payload} change={setPayload} wanted="any" hint="Left empty: null." />
    </ActDialog>
  );
}
