import { useId, type ReactNode } from "react";

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
