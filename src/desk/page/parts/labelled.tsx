import { useId, type ReactNode } from "react";

/** A line of text. */
export function TextField({
  label,
  value,
  change,
  className = "",
}: {
  readonly label: string;
  readonly value: string;
  readonly change: (value: string) => void;
  readonly className?: string;
}) {
  return (
    <Labelled label={label}>
      {(id) => (
        <input
          id={id}
          className={`field ${className}`}
          value={value}
          autoComplete="off"
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
    </Labelled>
  );
}

export function Labelled({
  label,
  children,
}: {
  readonly label: string;
  readonly children: (id: string) => ReactNode;
}) {
  const id = useId();
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <label htmlFor={id} className="eyebrow">
        {label}
      </label>
      {children(id)}
    </div>
  );
}
