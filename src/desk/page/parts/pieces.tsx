/** Small parts of many pages. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Count, ExecutionLine } from "../../http/shapes.js";
import { Icon } from "../base/icons.js";

const whole = new Intl.NumberFormat("en");

export function countText({ count, more, unknown }: Count): string {
  if (unknown === true) return "not counted";
  return `${whole.format(count)}${more ? "+" : ""}`;
}

export const numberText = (count: number): string => whole.format(count);

export const executionPath = (id: string, tab?: string): string =>
  `/execution?${new URLSearchParams({ id, ...(tab !== undefined && { tab }) }).toString()}`;

export const certificatePath = (id: string): string => `/certificate?${new URLSearchParams({ id }).toString()}`;

export const recallPath = (id: string): string => `/recalls?${new URLSearchParams({ id }).toString()}`;

export const listPath = (query: Readonly<Record<string, string>>): string =>
  `/executions?${new URLSearchParams(query).toString()}`;

/** For a list of children too, where what leads to it counts them. */
export const withChildren = { children: "true" } as const;

export function ExecutionLink({ id, className = "" }: { readonly id: string; readonly className?: string }) {
  return (
    <Link
      href={executionPath(id)}
      data-row=""
      title={id}
      className={`one-line block rounded font-mono text-sm font-medium text-water-deep hover:underline ${className}`}
    >
      {id}
    </Link>
  );
}

export function Tag({ tag }: { readonly tag: string }) {
  return (
    <Link
      href={listPath({ tag })}
      title={`Executions with the tag ${tag}`}
      className="one-line inline-block max-w-44 rounded bg-idle-tint px-1.5 text-xs text-idle hover:text-water-deep hover:underline"
    >
      {tag}
    </Link>
  );
}

/** Which way it goes, and where it stands. */
export function StepAt({ direction, step }: Pick<ExecutionLine, "direction" | "step">) {
  const way = direction === "up" ? "On the way up" : "On the way down";
  return (
    <span className="flex min-w-0 items-center gap-1.5" title={`${way}, at ${step}`}>
      <span className={direction === "up" ? "text-water" : "text-back"}>
        <Icon name={direction} className="size-3.5" />
      </span>
      <span className="sr-only">{way}, at </span>
      <span className="one-line">{step}</span>
    </span>
  );
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-5 gap-y-2 px-4 py-3">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd className="text-any num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Moves the focus along the links of a list. */
function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")].filter((row) => row.offsetParent !== null);
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? rows.at(by === 1 ? 0 : -1) : rows[at + by];
  next?.focus();
}

export const rowKeys = [
  { keys: "j", does: "Next row", act: () => step(1) },
  { keys: "k", does: "Row before", act: () => step(-1) },
];
