/** Keys for who does not use a mouse. They rest while something is typed, and leave the browser's own keys alone. */
import { useEffect } from "react";

export interface Key {
  /** One key, or two after each other: `g e`. */
  readonly keys: string;
  readonly does: string;
  readonly act: () => void;
}

const known = new Set<readonly Key[]>();
let first = "";

const typesInto = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

function pressed(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typesInto(event.target)) return;
  // An open dialog has the keys.
  if (document.querySelector('[role="dialog"],[role="alertdialog"],[role="menu"]') !== null) return;
  const both = first === "" ? event.key : `${first} ${event.key}`;
  const all = [...known].toReversed().flat();
  const found = all.find(({ keys }) => keys === both) ?? all.find(({ keys }) => keys === event.key);
  first = found === undefined && all.some(({ keys }) => keys.startsWith(`${event.key} `)) ? event.key : "";
  if (found === undefined) return;
  event.preventDefault();
  found.act();
}

export function listenToKeys(): void {
  document.addEventListener("keydown", pressed);
}

/** While the component is shown. */
export function useKeys(keys: readonly Key[]): void {
  useEffect(() => {
    known.add(keys);
    return () => {
      known.delete(keys);
    };
  });
}

/** What is listened to now, each key once. */
export const keysNow = (): readonly Key[] => {
  const all = [...known].flat();
  return all.filter((key, index) => all.findIndex(({ keys }) => keys === key.keys) === index);
};
