import type { ScheduleView } from "../../http/shapes.js";
import { act } from "../base/api.js";
import { ActDialog } from "./act-dialog.js";
import { ExecutionLink } from "./pieces.js";

interface Props {
  readonly act: "schedule-pause" | "schedule-resume" | "schedule-trigger";
  readonly schedule: ScheduleView;
  readonly close: () => void;
}

const words = {
  "schedule-pause": ["Pause", "It launches nothing more until somebody resumes it. What it has launched goes on."],
  "schedule-resume": ["Resume", "It launches again, from its next time on. Times that passed meanwhile are left out."],
  "schedule-trigger": ["Launch now", "It launches one execution at once. Its own times stay as they are."],
} as const;

export function ScheduleDialog({ act: name, schedule, close }: Props) {
  const [verb, consequence] = words[name];
  return (
    <ActDialog
      act={name}
      title={`${verb}: ${schedule.name}`}
      verb={verb}
      reason="none"
      consequence={`${schedule.workflow}, ${schedule.timing}. ${consequence}`}
      send={() => act(name, { name: schedule.name })}
      answered={({ execution }) => execution !== undefined && <ExecutionLink id={execution} />}
      close={close}
    />
  );
}
