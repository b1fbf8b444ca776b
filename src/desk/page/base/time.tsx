/** Times as people say them. The exact one is in the title, and for programs in `datetime`. */
import { useSyncExternalStore } from "react";
import { now } from "./live.js";

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
] as const;

function rough(ms: number): string {
  const unit = units.find(([, size]) => ms >= size);
  return unit === undefined ? "" : `${Math.floor(ms / unit[1])} ${unit[0]}`;
}

function ago(at: number, from: number): string {
  const passed = from - at;
  const text = rough(Math.abs(passed));
  if (text === "") return "now";
  return passed > 0 ? `${text} ago` : `in ${text}`;
}

const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const clockTime = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});

const exact = (at: string): string => `${exactly.format(new Date(at))} (${at})`;

const listeners = new Set<() => void>();
let tick = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all relative times on the page. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    tick += 1;
    for (const one of listeners) one();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function useTick(): number {
  return useSyncExternalStore(subscribe, () => tick);
}

/** Relative, by the clock of the store that wrote it. */
export function Ago({ at, className = "" }: { readonly at: string; readonly className?: string }) {
  useTick();
  return (
    <time dateTime={at} title={exact(at)} className={`num whitespace-nowrap ${className}`}>
      {ago(Date.parse(at), now())}
    </time>
  );
}

export function Clock({ at, day = false }: { readonly at: string; readonly day?: boolean }) {
  return (
    <time dateTime={at} title={exact(at)} className="num whitespace-nowrap">
      {(day ? dayAndTime : clockTime).format(new Date(at))}
    </time>
  );
}
