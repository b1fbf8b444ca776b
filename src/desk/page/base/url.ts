/** What a page shows is said by its address: it can be sent to somebody, and it is there again after a reload. */
import { useCallback, useMemo } from "react";
import { useLocation, useSearch } from "wouter";

export type Changes = Readonly<Record<string, string | readonly string[] | undefined>>;

function withChanges(search: string, changes: Changes): string {
  const next = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    const values = typeof value === "string" ? [value] : (value ?? []);
    for (const one of values) if (one !== "") next.append(name, one);
  }
  return next.toString();
}

/** @returns what the address asks, and a function that asks something else */
export function useAsked(): [URLSearchParams, (changes: Changes, replace?: boolean) => void] {
  const search = useSearch();
  const [here, go] = useLocation();
  const asked = useMemo(() => new URLSearchParams(search), [search]);
  const ask = useCallback(
    (changes: Changes, replace = false) => {
      // As the address is now: what was typed is asked when the typing has paused, and more may have been chosen meanwhile.
      const next = withChanges(window.location.search, changes);
      go(next === "" ? here : `${here}?${next}`, { replace });
    },
    [here, go],
  );
  return [asked, ask];
}
