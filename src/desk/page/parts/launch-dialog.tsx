import { useState } from "react";
import { act } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";
import { JsonField } from "./json-field.js";
import { TextField } from "./labelled.js";
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
      <TextField label="Id (optional)" value={id} change={setId} />
      <TextField label="Tags (optional, with commas between)" value={tags} change={setTags} />
    </ActDialog>
  );
}
