import type { ReactNode } from "react";

export interface Column {
  readonly name: string;
  readonly className?: string;
}

/** A list as a table: heads for who listens, too. */
export function Table({
  label,
  columns,
  children,
}: {
  readonly label: string;
  readonly columns: readonly Column[];
  readonly children: ReactNode;
}) {
  return (
    <table aria-label={label} className="w-full table-fixed border-collapse">
      <thead>
        <tr className="border-b border-line text-left">
          {columns.map(({ name, className = "" }) => (
            <th key={name} scope="col" className={`eyebrow px-2 py-2 first:pl-4 last:pr-4 ${className}`}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody className="divide-y divide-line">{children}</tbody>
    </table>
  );
}

export const cell = "px-2 py-2.5 first:pl-4 last:pr-4 align-top";
