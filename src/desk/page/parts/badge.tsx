/** Where an execution is, in a word, a sign and a colour: never the colour alone. */
import { Icon, type IconName } from "../base/icons.js";

export type Tone = "good" | "bad" | "back" | "wait" | "idle" | "warn" | "water";

const tones: Readonly<Record<Tone, string>> = {
  good: "bg-good-tint text-good",
  bad: "bg-bad-tint text-bad",
  back: "bg-back-tint text-back",
  wait: "bg-wait-tint text-wait",
  idle: "bg-idle-tint text-idle",
  warn: "bg-warn-tint text-warn",
  water: "bg-water-tint text-water",
};

export function Badge({
  tone,
  icon,
  children,
}: {
  readonly tone: Tone;
  readonly icon?: IconName;
  readonly children: string;
}) {
  return (
    <span
      className={`inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-xs font-semibold whitespace-nowrap ${tones[tone]}`}
    >
      {icon !== undefined && <Icon name={icon} className="size-3.5" />}
      {children}
    </span>
  );
}

interface Standing {
  readonly status: string;
  readonly direction?: "up" | "down";
  readonly queued?: boolean;
  readonly struggling?: boolean;
}

const standings: Readonly<Record<string, readonly [string, Tone, IconName]>> = {
  stuck: ["Stuck", "bad", "stuck"],
  waiting: ["Waiting", "wait", "waiting"],
  scheduled: ["Scheduled", "idle", "scheduled"],
  running: ["Running", "water", "running"],
  rolling: ["Rolling back", "back", "back"],
  completed: ["Completed", "good", "done"],
  rolledBack: ["Rolled back", "back", "back"],
  queued: ["Queued", "idle", "queued"],
};

export function standingOf({ status, direction, queued }: Standing): readonly [string, Tone, IconName] {
  const key = queued === true ? "queued" : status === "running" && direction === "down" ? "rolling" : status;
  return standings[key] ?? [status, "idle", "dash"];
}

export function StatusBadge(standing: Standing) {
  const [word, tone, icon] = standingOf(standing);
  return (
    <span className="inline-flex flex-wrap gap-1">
      <Badge tone={tone} icon={icon}>
        {word}
      </Badge>
      {standing.struggling === true && (
        <Badge tone="warn" icon="struggling">
          Struggling
        </Badge>
      )}
    </span>
  );
}
