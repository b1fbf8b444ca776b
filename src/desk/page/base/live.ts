/**
 * Whether the page follows what happens. One switch for all of it: paused, nothing is fetched but what the reader asks for, on focus
 * and on reconnecting neither. A hidden tab rests, and catches up when it is seen again.
 */
import { useSyncExternalStore } from "react";
import { focusManager, onlineManager, type Query, type QueryClient } from "@tanstack/react-query";
import type { DeskEvent } from "../../http/feed-shapes.js";
import { addressOf } from "./address.js";

export type Following = "on" | "paused" | "lost";

const listeners = new Set<() => void>();
let paused = false;
let lost = false;
let source: EventSource | undefined;
let client: QueryClient | undefined;
let stale: ReturnType<typeof setTimeout> | undefined;
let lastLook = 0;
let offset = 0;

/** The time of the store, as far as the page knows it. */
export const now = (): number => Date.now() + offset;

/** @param at when the answer was made, by the store's clock */
export function heard(at: string): void {
  const time = Date.parse(at);
  // A second is what a slow answer costs; a clock that is off is off by more.
  if (Math.abs(time - now()) > 2000) offset = time - Date.now();
}

const state = (): Following => (paused ? "paused" : lost ? "lost" : "on");

function tell(): void {
  for (const listener of listeners) listener();
}

/** Of an event: whose pages it concerns. Every list may show it. */
let touched: Set<string> | "all" = new Set();

/** Many events in one moment ask for one look, and a busy store for one in a second. */
function refresh(executions: readonly (string | undefined)[] | "all"): void {
  if (executions === "all") touched = "all";
  else if (touched !== "all") for (const id of executions) if (id !== undefined) touched.add(id);
  stale ??= setTimeout(look, Math.max(250, lastLook + 1000 - Date.now()));
}

function look(): void {
  const those = touched;
  stale = undefined;
  touched = new Set();
  if (paused || document.hidden) return;
  lastLook = Date.now();
  const concerns = ({ queryKey: [path, query] }: Query): boolean => {
    // What was fetched once for good is not asked again, and neither is what an act would do.
    if (typeof path !== "string" || !path.startsWith("api/") || path === "api/session") return false;
    const id = (query as { readonly id?: unknown } | undefined)?.id;
    const isOne = path.startsWith("api/execution") && !path.startsWith("api/executions");
    return those === "all" || !isOne || typeof id !== "string" || those.has(id);
  };
  void client?.invalidateQueries({ refetchType: "active", predicate: concerns });
}

function onEvent({ data }: MessageEvent<string>): void {
  const event: DeskEvent = JSON.parse(data);
  if (event.type === "transition") refresh([event.execution, event.parent, event.root]);
  else if (event.type === "gap") refresh("all");
}

function close(): void {
  source?.close();
  source = undefined;
}

function open(): void {
  if (paused || document.hidden || source !== undefined) return;
  const opened = new EventSource(addressOf("api/events"));
  source = opened;
  opened.addEventListener("open", () => {
    if (lost) refresh("all");
    lost = false;
    tell();
  });
  opened.addEventListener("message", onEvent);
  opened.addEventListener("error", () => {
    lost = true;
    tell();
    if (opened.readyState !== EventSource.CLOSED) return;
    // The browser gives up after a refusal; a server that restarts is back soon.
    close();
    setTimeout(open, 5000);
  });
}

export function setPaused(next: boolean): void {
  paused = next;
  lost = false;
  if (paused) close();
  else {
    open();
    refresh("all");
  }
  tell();
}

/** Once, when the page starts. */
export function follow(queries: QueryClient): void {
  client = queries;
  // Of the switch alone: a query library that looks again on its own would not obey it.
  focusManager.setEventListener(() => undefined);
  onlineManager.setEventListener(() => undefined);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!paused) {
      open();
      refresh("all");
    }
  });
  addEventListener("online", () => {
    if (!paused) refresh("all");
  });
  open();
}

export function useFollowing(): Following {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, state);
}
