import { useState } from "react";
import { act } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";
import { JsonField } from "./json-field.js";
import { Labelled } from "./labelled.js";
import { ExecutionLink } from "./pieces.js";

interface Props {
  readonly workflow: string;
  readonly version: string;
  readonly close: () => void;
}

export function LaunchDialog({ workflow, version, close }: Props) {
  const [input, setInput] = useState("{}");
  const [id, setId] = useState("");
  const [tags, setTags] = useState("");
  const tagged = tags
    .split(",")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
  return (
    <ActDialog
      act="launch"
      title={`Launch ${workflow}`}
      verb="Launch"
      reason="none"
      consequence={`A new execution of ${workflow}, version ${version}, begins with this input, and works as any other does.`}
      ready={input.trim() !== ""}
      send={() =>
        act("launch", {
          workflow,
          version,
          input,
          ...(id.trim() !== "" && { id: id.trim() }),
          ...(tagged.length > 0 && { tags: tagged }),
        })
      }
      answered={({ execution }) => execution !== undefined && <ExecutionLink id={execution} />}
      close={close}
    >
      <JsonField
        label="Input, as JSON"
        text={input}
        change={setInput}
        wanted="any"
        hint="Checked by the schema of the workflow."
      />
      <Labelled label="Id (optional)">
        {(field) => (
          <input
            id={field}
            className="field"
            value={id}
            autoComplete="off"
            onInput={(event) => setId(event.currentTarget.value)}
          />
        )}
      </Labelled>
      <Labelled label="Tags (optional, with commas between)">
        {(field) => (
          <input
            id={field}
            className="field"
            value={tags}
            autoComplete="off"
            onInput={(event) => setTags(event.currentTarget.value)}
          />
        )}
      </Labelled>
    </ActDialog>
  );
}
