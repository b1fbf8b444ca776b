/** The signs of the desk: one stroke, one grid. Each stands beside words; none carries a meaning alone. */

const paths = {
  overview: "M3 10.5 10 4l7 6.5M5 9v7h10V9",
  executions: "M4 5h12M4 10h12M4 15h8",
  workflows: "M4 4h5v4h4v4h3v4",
  schedules: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM10 6v4l3 2",
  letters: "M3 5.5h14v9H3zM3 6l7 5 7-5",
  limits: "M3 14a7 7 0 0 1 14 0M10 14l3.5-4",
  launchers: "M4 4h12v5H4zM4 11h12v5H4zM7 6.5h.01M7 13.5h.01",
  up: "M10 16V4M5.5 8.5 10 4l4.5 4.5",
  down: "M10 4v12M5.5 11.5 10 16l4.5-4.5",
  done: "m4.5 10.5 3.5 3.5 7.5-8",
  failed: "m5.5 5.5 9 9m0-9-9 9",
  stuck: "M10 3 2.5 16.5h15zM10 8.5v3.5M10 14.3v.01",
  waiting: "M6 3h8M6 17h8M7 3c0 4 6 5 6 7s-6 3-6 7M13 3c0 4-6 5-6 7s6 3 6 7",
  scheduled: "M4 5h12v11H4zM4 8.5h12M7 3v3.5M13 3v3.5",
  running: "M6 4.5v11l9-5.5z",
  back: "M8 5 4 9l4 4M4 9h8a4 4 0 0 1 0 8H9",
  queued: "M4 6h9M4 10h12M4 14h6",
  struggling: "M3 11h3l2-6 4 10 2-4h3",
  dash: "M5 10h10",
  lock: "M5 9h10v7H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  doubt: "M7.5 7.5a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 .9-1 1.7M10 14.5v.01",
  half: "M10 4v12a6 6 0 0 0 0-12Z",
  skip: "M4 5l6 5-6 5zM13 5v10",
  pause: "M7 5v10M13 5v10",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12ZM13.5 13.5 17 17",
  close: "m5 5 10 10M15 5 5 15",
  right: "m8 5 5 5-5 5",
  left: "m12 5-5 5 5 5",
  open: "m5 8 5 5 5-5",
  send: "M3 10 17 4l-4 13-3-5.5z",
  sun: "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM10 2v2M10 16v2M2 10h2M16 10h2M4.5 4.5l1.4 1.4M14.1 14.1l1.4 1.4M15.5 4.5l-1.4 1.4M5.9 14.1l-1.4 1.4",
  moon: "M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5Z",
  keyboard: "M2.5 5.5h15v9h-15zM5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M6.5 11.5h7",
  copy: "M7 7h9v9H7zM4 13V4h9",
  pivot: "M5 4v12M5 5h9l-2.5 3L14 11H5",
} as const;

export type IconName = keyof typeof paths;

/** Always beside words that say the same, so it is hidden from screen readers. */
export function Icon({ name, className = "size-4" }: { readonly name: IconName; readonly className?: string }) {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 20 20"
      className={`${className} shrink-0 fill-none stroke-current`}
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={paths[name]} />
    </svg>
  );
}

/** The same signs, inside another drawing. */
export const pathOf = (name: IconName): string => paths[name];
