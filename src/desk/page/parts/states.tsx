/** What stands where there is nothing to show: not yet, nothing, not allowed, or something went wrong. */
import { useState, type ReactNode } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { RequestFailed, signIn } from "../base/api.js";
import { Icon, type IconName } from "../base/icons.js";
import { Button } from "./button.js";

interface NoticeProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ReactNode;
  readonly role?: "alert" | "status";
}

export function Notice({ icon, title, children, role }: NoticeProps) {
  return (
    <div role={role} className="flex flex-col items-center gap-2 px-6 py-14 text-center">
      <span className="mb-1 grid size-11 place-items-center rounded-full bg-idle-tint text-idle">
        <Icon name={icon} className="size-5" />
      </span>
      <p className="text-lg font-semibold">{title}</p>
      <div className="max-w-prose text-soft">{children}</div>
    </div>
  );
}

/** As tall as what is to come, so that nothing jumps. */
export function Loading({ rows = 8 }: { readonly rows?: number }) {
  return (
    <div role="status" aria-label="Loading" className="divide-y divide-line">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="flex h-[3.25rem] animate-pulse items-center gap-4 px-4">
          <div className="h-3 w-24 rounded bg-line" />
          <div className="h-3 flex-1 rounded bg-line" />
          <div className="h-3 w-16 rounded bg-line" />
        </div>
      ))}
    </div>
  );
}

export function Failure({ error, again }: { readonly error: unknown; readonly again?: () => void }) {
  const failed = error instanceof RequestFailed ? error : undefined;
  if (failed?.status === 401 || failed?.status === 403) return <NoRights failed={failed} />;
  if (failed?.status === 404) {
    return (
      <Notice icon="search" title="Not found" role="alert">
        <p className="text-any">{failed.message}</p>
      </Notice>
    );
  }
  return (
    <Notice
      icon="stuck"
      title={failed === undefined ? "The desk does not answer" : "This could not be read"}
      role="alert"
    >
      <p className="text-any">{error instanceof Error ? error.message : String(error)}</p>
      {failed?.code !== undefined && <p className="mt-1 font-mono text-xs text-faint">{failed.code}</p>}
      {again !== undefined && (
        <Button className="mt-4" onClick={again}>
          Try again
        </Button>
      )}
    </Notice>
  );
}

/** The token that the desk printed when it started. It never stands in an address that is sent. */
function SignIn() {
  const [token, setToken] = useState("");
  const [refusal, setRefusal] = useState<string>();
  const queries = useQueryClient();
  const enter = async (): Promise<void> => {
    try {
      await signIn(token.trim());
      await queries.resetQueries();
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form
      className="mt-5 flex flex-wrap items-end justify-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        void enter();
      }}
    >
      <label className="flex flex-col gap-1 text-left">
        <span className="eyebrow">Token</span>
        <input
          type="password"
          className="field w-72 max-w-full font-mono"
          autoComplete="off"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <Button type="submit" look="main" disabled={token.trim() === ""}>
        Sign in
      </Button>
      {refusal !== undefined && (
        <p role="alert" className="text-any w-full text-bad">
          {refusal}
        </p>
      )}
    </form>
  );
}

function NoRights({ failed }: { readonly failed: RequestFailed }) {
  const [title, text] =
    failed.status === 401
      ? [
          "Who is there?",
          "The desk does not know you. Open it by the address that it printed when it started, or give the token that it printed.",
        ]
      : ["Not yours to see", "The desk knows you, but whoever runs it has not given you the right to read this."];
  return (
    <Notice icon="lock" title={title} role="alert">
      <p>{text}</p>
      <p className="text-any mt-2 text-sm text-faint">{failed.message}</p>
      {failed.status === 401 && <SignIn />}
    </Notice>
  );
}
