/** What a reader has chosen, kept in the browser: the theme. A browser that keeps nothing forgets it, and nothing else. */
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const key = "stepwell-desk-theme";
const listeners = new Set<() => void>();

function stored(): Theme {
  try {
    const value = localStorage.getItem(key);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

let theme = stored();

function show(): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

show();

export function setTheme(next: Theme): void {
  theme = next;
  show();
  try {
    localStorage.setItem(key, next);
  } catch {
    // Shown, not kept.
  }
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => theme,
  );
}

/** The theme that is seen: of the machine, where none was chosen. */
export function seenTheme(chosen: Theme): "light" | "dark" {
  if (chosen !== "system") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
