import type { RecallView } from "../../http/recall-shapes.js";
import { act } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";

interface Props {
  readonly act: "recall-pause" | "recall-resume" | "recall-stop";
  readonly recall: RecallView;
  readonly close: () => void;
}

const words = {
  "recall-pause": ["Pause", "It asks no more until somebody resumes it. What goes down goes on."],
  "recall-resume": ["Resume", "It goes on asking. Who is in trouble now does not pause it again; others do."],
  "recall-stop": [
    "Stop",
    "It asks no more, for good, and ends when what goes down is at rest. What it has undone stays undone.",
  ],
} as const;

export function RecallActDialog({ act: name, recall: { id, reason }, close }: Props) {
  const [verb, consequence] = words[name];
  return (
    <ActDialog
      act={name}
      title={`${verb} the recall: ${reason}`}
      verb={verb}
      grave={name === "recall-stop"}
      reason="optional"
      consequence={consequence}
      send={(why) => act(name, { recall: id, ...(why !== "" && { reason: why }) })}
      close={close}
    />
  );
}
