/** What a desk is mounted with. */
import { StepwellError, type AnyWorkflow } from "../../index.js";
import type { DeskRight } from "./shapes.js";

/** Who asks, as the program that mounts the desk knows them. */
export interface DeskUser {
  /** The name that the history keeps of what they do. One line of 1 to 255 characters. */
  readonly by: string;
}

/**
 * Says who asks, and whether they may. `undefined`: nobody is signed in. `false`: they may not. It may read the headers of the request,
 * and not its body.
 */
export type Authorize = (
  request: Request,
  act: DeskRight,
) => DeskUser | false | null | undefined | PromiseLike<DeskUser | false | null | undefined>;

export interface DeskOptions {
  /** Who asks, and may they? A desk without it needs a `token`, and then answers this machine only. */
  readonly authorize?: Authorize;
  /** In place of `authorize`: who has the token may do all, from this machine. At least 32 characters that nobody can guess. */
  readonly token?: string;
  /** With `token`: the name that the history keeps. Default: "operator". */
  readonly by?: string;
  /** The path of the desk as the browser sees it: `/admin/desk`. Default: `/`. */
  readonly mount?: string;
  /**
   * The names of hosts, with a port where it is not the usual one, under which the desk may be asked: `["desk.example.com"]`. Any
   * other name is refused, so that no foreign site can have its own name lead here. Default: `localhost`, `127.0.0.1`, `[::1]`.
   */
  readonly hosts?: readonly string[];
  /** Paths into the values that are shown, whose contents are hidden: `card.number`, `items[*].price`. Default: none. */
  readonly redact?: readonly string[];
  /** Workflows that may be launched from the page, and whose findings it shows. Default: none. */
  readonly workflows?: readonly AnyWorkflow[];
  /** Hears of requests that failed by a mistake of the desk or of `authorize`. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
}

export interface DeskSettings {
  readonly authorize: Authorize | undefined;
  readonly token: string | undefined;
  readonly by: string;
  /** Ends in a slash. */
  readonly mount: string;
  readonly hosts: readonly string[] | undefined;
  readonly redact: readonly string[];
  readonly workflows: readonly AnyWorkflow[];
  readonly onError: (error: unknown) => void;
}

const names = new Set(["authorize", "token", "by", "mount", "hosts", "redact", "workflows", "onError"]);

const shortestToken = 32;

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
export function settingsOf(options: DeskOptions): DeskSettings {
  if (typeof options !== "object" || (options as unknown) === null) throw invalid("takes an object of options");
  for (const name of Object.keys(options)) {
    if (!names.has(name)) throw new StepwellError("STEPWELL_UNKNOWN_OPTION", `desk(…) has no option "${name}".`);
  }
  const { authorize, token, by = "operator", mount = "/", hosts, redact = [], workflows = [] } = options;
  if ((authorize === undefined) === (token === undefined)) {
    throw invalid(
      `needs "authorize", a function that says who asks and whether they may; or "token", which opens it to this machine alone. ` +
        `Not both. A desk that asks nobody who they are is never mounted`,
    );
  }
  if (authorize !== undefined && typeof authorize !== "function") throw invalid(`: "authorize" must be a function`);
  if (token !== undefined && (typeof token !== "string" || token.length < shortestToken)) {
    throw invalid(`: "token" must be a text of at least ${shortestToken} characters`);
  }
  if (token !== undefined && hosts !== undefined) {
    throw invalid(`: with a "token" it answers this machine only. To be asked under other names it needs "authorize"`);
  }
  if (!isLine(by)) throw invalid(`: "by" must be one line of 1 to 255 characters`);
  for (const host of hosts ?? []) {
    if (!/^[a-z0-9.:[\]-]+$/.test(host))
      throw invalid(`: "hosts" holds names of hosts in small letters, not ${JSON.stringify(host)}`);
  }
  return {
    authorize,
    token,
    by,
    mount: mountOf(mount),
    hosts,
    redact,
    workflows,
    onError: options.onError ?? ((error) => console.error(error)),
  };
}

function mountOf(mount: unknown): string {
  const isPath =
    typeof mount === "string" && /^\/(?:[A-Za-z0-9._~-]+\/?)*$/.test(mount) && !/\/\.{1,2}(?:\/|$)/.test(mount);
  if (!isPath) throw invalid(`: "mount" must be a path such as "/admin/desk", not ${JSON.stringify(mount)}`);
  // Behind a proxy that takes the mount away, such a one could not be told from the desk's own addresses.
  if (/^\/(?:api|assets)\/?$/.test(mount))
    throw invalid(`: "mount" can't be "${mount}"; "${mount.replace(/\/$/, "")}/desk" can`);
  return mount.endsWith("/") ? mount : `${mount}/`;
}

/** What the client takes as the name of who acts: whom it would refuse later is refused here. */
export function isLine(text: unknown): text is string {
  return (
    typeof text === "string" && text.trim() !== "" && text.length <= 255 && text.isWellFormed() && !/\p{Cc}/u.test(text)
  );
}

function invalid(problem: string): StepwellError {
  const joined = problem.startsWith(":") ? problem : ` ${problem}`;
  return new StepwellError("STEPWELL_INVALID_ARGUMENT", `desk(…)${joined}.`);
}
