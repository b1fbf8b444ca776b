/** What stands around every page: where one can go, whether the page follows, who one is. */
import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useSession } from "../base/api.js";
import { Icon, type IconName } from "../base/icons.js";
import { useKeys } from "../base/keys.js";
import { setPaused, useFollowing } from "../base/live.js";
import { seenTheme, setTheme, useTheme } from "../base/settings.js";

const Help = lazy(async () => ({ default: (await import("./help.js")).Help }));

const places: readonly { readonly to: string; readonly name: string; readonly icon: IconName; readonly key: string }[] =
  [
    { to: "/", name: "Overview", icon: "overview", key: "o" },
    { to: "/executions", name: "Executions", icon: "executions", key: "e" },
    { to: "/workflows", name: "Workflows", icon: "workflows", key: "w" },
    { to: "/recalls", name: "Recalls", icon: "back", key: "r" },
    { to: "/schedules", name: "Schedules", icon: "schedules", key: "s" },
    { to: "/dead-letters", name: "Dead letters", icon: "letters", key: "d" },
    { to: "/limits", name: "Limits", icon: "limits", key: "l" },
    { to: "/launchers", name: "Launchers", icon: "launchers", key: "a" },
  ];

function Brand() {
  return (
    <Link href="/" className="flex items-center gap-2.5 rounded-md">
      <svg viewBox="0 0 32 32" className="size-7" aria-hidden="true">
        <rect width="32" height="32" rx="7" className="fill-water" />
        <path
          d="M6 8h5v5h4v5h2v-5h4V8h5M10 24h12"
          className="fill-none stroke-on-water"
          strokeWidth="2.6"
          strokeLinejoin="round"
          strokeLinecap="round"
        />
      </svg>
      <span className="text-lg font-semibold tracking-tight">Stepwell</span>
    </Link>
  );
}

function Places() {
  const [here] = useLocation();
  return (
    <nav aria-label="Pages" className="-mx-1 flex gap-0.5 overflow-x-auto px-1 py-1 lg:flex-col lg:overflow-visible">
      {places.map(({ to, name, icon }) => {
        // The page of one execution belongs to their list, and so do its children.
        const place = here === "/children" || here === "/execution" ? "/executions" : here;
        const isHere = place === to;
        return (
          <Link
            key={to}
            href={to}
            aria-current={isHere ? "page" : undefined}
            className={`flex min-h-9 items-center gap-2.5 rounded-[7px] px-2.5 whitespace-nowrap transition-colors ${
              isHere
                ? "bg-water-tint font-semibold text-water-deep"
                : "text-soft hover:bg-water-tint hover:text-water-deep"
            }`}
          >
            <Icon name={icon} />
            {name}
          </Link>
        );
      })}
    </nav>
  );
}

const words = { on: "Live", paused: "Paused", lost: "Reconnecting" } as const;

function LiveSwitch() {
  const following = useFollowing();
  const on = following !== "paused";
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      aria-label="Follow what happens"
      title={
        on ? "The page follows what happens. Press to hold it still." : "The page is held still. Press to follow again."
      }
      onClick={() => setPaused(on)}
      className={`inline-flex min-h-8 items-center gap-2 rounded-full border px-3 text-sm font-medium ${
        on ? "border-line text-soft" : "border-warn bg-warn-tint text-warn"
      }`}
    >
      {following === "on" && <span className="size-2 rounded-full bg-good" />}
      {following === "lost" && <span className="size-2 animate-pulse rounded-full bg-warn" />}
      {following === "paused" && <Icon name="pause" className="size-3.5" />}
      {words[following]}
    </button>
  );
}

function ThemeSwitch() {
  const seen = seenTheme(useTheme());
  const other = seen === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      aria-label={`Show the ${other} theme`}
      title={`Show the ${other} theme`}
      onClick={() => setTheme(other)}
      className="grid size-8 place-items-center rounded-full text-soft hover:bg-water-tint hover:text-water-deep"
    >
      <Icon name={seen === "dark" ? "sun" : "moon"} />
    </button>
  );
}

function Tools({ help }: { readonly help: () => void }) {
  const who = useSession()?.by;
  return (
    <div className="flex items-center gap-1">
      <LiveSwitch />
      <span className="flex-1" />
      <button
        type="button"
        aria-label="Keys"
        title="Keys (?)"
        onClick={help}
        className="hidden size-8 place-items-center rounded-full text-soft hover:bg-water-tint hover:text-water-deep sm:grid"
      >
        <Icon name="keyboard" />
      </button>
      <ThemeSwitch />
      {who !== undefined && (
        <span title={`You act as ${who}`} className="one-line max-w-24 text-sm text-faint">
          {who}
        </span>
      )}
    </div>
  );
}

export function Shell({ children }: { readonly children: ReactNode }) {
  const [here, go] = useLocation();
  const [helping, setHelping] = useState(false);
  const following = useFollowing();
  useEffect(() => scrollTo(0, 0), [here]);
  useKeys([
    ...places.map(({ to, name, key }) => ({ keys: `g ${key}`, does: `Go to ${name}`, act: () => go(to) })),
    {
      keys: "p",
      does: following === "paused" ? "Follow what happens" : "Hold the page still",
      act: () => setPaused(following !== "paused"),
    },
    { keys: "?", does: "Show the keys", act: () => setHelping(true) },
  ]);
  return (
    <div className="mx-auto min-h-dvh max-w-[96rem] lg:grid print:block lg:grid-cols-[13.5rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:z-50 focus:m-2 focus:bg-card focus:p-2"
        onClick={toMain}
      >
        Skip to the page
      </a>
      <header className="flex print:hidden flex-col gap-3 border-b border-line px-4 pt-3 pb-1 lg:sticky lg:top-0 lg:h-dvh lg:gap-6 lg:border-r lg:border-b-0 lg:p-4">
        <div className="flex items-center justify-between gap-4">
          <Brand />
          <div className="lg:hidden">
            <Tools help={() => setHelping(true)} />
          </div>
        </div>
        <Places />
        <div className="mt-auto hidden border-t border-line pt-3 lg:block">
          <Tools help={() => setHelping(true)} />
        </div>
      </header>
      <main id="main" tabIndex={-1} className="min-w-0 px-4 py-5 outline-none sm:px-6 lg:px-8 lg:py-7">
        {children}
      </main>
      {helping && (
        <Suspense>
          <Help close={() => setHelping(false)} />
        </Suspense>
      )}
    </div>
  );
}

/** By hand: under a `<base href>`, a link to a place on the page leads to another page. */
function toMain(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** The head of a page. */
export function PageHead({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Stepwell`;
  }, [title]);
  return (
    <div className="mb-5 flex flex-wrap items-center gap-x-4 gap-y-2">
      <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
      {children}
    </div>
  );
}
