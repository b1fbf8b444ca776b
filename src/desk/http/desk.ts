/** The desk as one function from a request to a response. */
import { readFileSync } from "node:fs";
import type { Client } from "../../index.js";
import { acts } from "./acting.js";
import type { Acts } from "./act-shapes.js";
import { answer, json, refusal, refusedBy, Refused } from "./answers.js";
import { assetAt, page } from "./assets.js";
import { bodyOf, text } from "./body.js";
import { childrenOf } from "./children.js";
import { allEvents, executionEvents } from "./events.js";
import { Feed } from "./feed.js";
import { Guard, hostOf } from "./guard.js";
import { Executions } from "./one-execution.js";
import { settingsOf, type DeskOptions, type DeskSettings } from "./options.js";
import { Printer } from "./print.js";
import {
  countExecutions,
  deadLetters,
  executions,
  launchers,
  limits,
  overview,
  schedules,
  workflow,
  workflowNames,
  workflows,
  type Reading,
} from "./reading.js";
import { recall, recalls } from "./recalls.js";
import type { DeskRight, Session } from "./shapes.js";

export type DeskHandler = (request: Request) => Promise<Response>;

/**
 * A web page on the executions of a store, and acts on them, as one handler that a server is given requests for.
 *
 * @param client a client, or a launcher
 * @example
 * const app = new Hono();
 * const handler = desk(client, { mount: "/desk", hosts: ["ops.example.com"], authorize });
 * app.all("/desk/*", ({ req }) => handler(req.raw));
 *
 * @throws STEPWELL_INVALID_ARGUMENT without a way to know who asks; STEPWELL_UNKNOWN_OPTION
 */
export function desk(client: Client, options: DeskOptions): DeskHandler {
  const settings = settingsOf(options);
  const own = new Desk(client, settings);
  return (request) => own.fetch(request);
}

type Read = (request: Request, search: URLSearchParams) => Promise<Response>;

class Desk {
  readonly #settings: DeskSettings;
  readonly #guard: Guard;
  readonly #client: Client;
  readonly #executions: Executions;
  readonly #reads: ReadonlyMap<string, Read>;

  constructor(client: Client, settings: DeskSettings) {
    const printer = new Printer(settings.redact);
    const feed = new Feed(client);
    this.#settings = settings;
    this.#client = client;
    this.#guard = new Guard(settings);
    this.#executions = new Executions(client, printer, settings.redact);
    this.#reads = reads({ client, settings, printer, feed }, this.#executions);
  }

  async fetch(request: Request): Promise<Response> {
    try {
      this.#guard.checkHost(request);
      return await this.#answer(request);
    } catch (error) {
      const refused = refusedBy(error);
      if (refused !== undefined) return refusal(refused);
      this.#settings.onError(error);
      // What went wrong is for the log: it may name what who asks may not see.
      return refusal(new Refused(500, "DESK_FAILED", "The desk failed. Its log says more."));
    }
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search, searchParams } = new URL(request.url);
    const { mount } = this.#settings;
    const bare = mount.slice(0, -1);
    // A page at the mount without its slash would resolve addresses beside the desk.
    if (bare !== "" && pathname === bare)
      return answer(null, "text/plain", { status: 308, headers: { location: `${mount}${search}` } });
    // A proxy, or the router of a framework, may have taken the mount away.
    const path = pathname.startsWith(mount) ? pathname.slice(mount.length) : pathname.replace(/^\//, "");
    if (path === "api" || path.startsWith("api/")) return this.#api(request, path.slice(4), searchParams);
    if (request.method !== "GET" && request.method !== "HEAD") throw notAllowed();
    return (await assetAt(path, request)) ?? this.#page(request, path);
  }

  /** Every address that is no file is one of the page's own. */
  #page(request: Request, path: string): Promise<Response> {
    const isFile = path.startsWith("assets/") || /\.(?:js|css|svg|png|ico|map|json|woff2)$/.test(path);
    if (isFile) throw new Refused(404, "DESK_NOT_FOUND", "There is no such file.");
    return page(this.#settings.mount);
  }

  async #api(request: Request, path: string, search: URLSearchParams): Promise<Response> {
    if (request.method === "POST") return this.#post(request, path);
    if (request.method !== "GET") throw notAllowed();
    if (path === "session") return json(await this.#session(request));
    const read = this.#reads.get(path);
    if (read === undefined) throw notFound();
    await this.#guard.authorize(request, "read");
    return read(request, search);
  }

  async #post(request: Request, path: string): Promise<Response> {
    this.#guard.checkOrigin(request, hostOf(request));
    if (path === "session") return this.#signIn(request);
    if (path === "session/end") return json({}, 200, { "set-cookie": this.#guard.end(request) });
    const name = path.startsWith("acts/") ? path.slice("acts/".length) : "";
    if (!Object.hasOwn(acts, name)) throw notFound();
    const act = acts[name as keyof Acts];
    const by = await this.#guard.authorize(request, act.right);
    const body = await bodyOf(request);
    const acting = { client: this.#client, settings: this.#settings, executions: this.#executions, by };
    return json(await act.run(acting, body));
  }

  async #signIn(request: Request): Promise<Response> {
    const cookie = this.#guard.exchange(request, text(await bodyOf(request), "token"));
    const headers = new Headers(request.headers);
    headers.set("cookie", cookie.slice(0, cookie.indexOf(";")));
    const known = new Request(request.url, { headers });
    return json(await this.#session(known), 200, { "set-cookie": cookie });
  }

  async #session(request: Request): Promise<Session> {
    const by = await this.#guard.authorize(request, "read");
    const rights: DeskRight[] = ["read"];
    for (const right of ["act-one", "act-many", "launch"] as const) {
      if (await this.#may(request, right)) rights.push(right);
    }
    const now = (await this.#client.fleet.now()).toISOString();
    return { by, rights, now, store: this.#client.fleet.store, version: version(), live: true };
  }

  async #may(request: Request, right: DeskRight): Promise<boolean> {
    try {
      await this.#guard.authorize(request, right);
      return true;
    } catch (error) {
      if (error instanceof Refused) return false;
      throw error;
    }
  }
}

function reads(reading: Reading, one: Executions): ReadonlyMap<string, Read> {
  const { client, feed } = reading;
  const given = (read: (reading: Reading, search: URLSearchParams) => Promise<unknown>): Read => {
    return async (_request, search) => json(await read(reading, search));
  };
  return new Map<string, Read>([
    ["overview", given(overview)],
    ["executions", given(executions)],
    ["executions/count", given(countExecutions)],
    ["execution", async (_, search) => json(await one.view(search))],
    ["execution/count", async (_, search) => json(await one.count(search))],
    ["execution/history", async (_, search) => json(await one.history(search))],
    ["execution/state", async (_, search) => json(await one.state(search))],
    ["execution/mailbox", async (_, search) => json(await one.mailbox(search))],
    ["execution/preview", async (_, search) => json(await one.preview(search))],
    ["execution/children", async (_, search) => json(await childrenOf(client, search))],
    ["execution/certificate", async (_, search) => json(await one.certificate(search))],
    ["execution/value", async (_, search) => answer(await one.value(search), "text/plain; charset=utf-8")],
    ["workflows", given(workflows)],
    ["workflows/names", given(workflowNames)],
    ["workflow", given(workflow)],
    ["schedules", given(schedules)],
    ["dead-letters", given(deadLetters)],
    ["limits", given(limits)],
    ["launchers", given(launchers)],
    ["recalls", given(recalls)],
    ["recall", given(recall)],
    ["events", async (_, search) => allEvents(feed, search)],
    ["execution/events", async (request, search) => executionEvents(client, request, search)],
  ]);
}

function notFound(): Refused {
  return new Refused(404, "DESK_NOT_FOUND", "The desk has no such address.");
}

function notAllowed(): Refused {
  return new Refused(405, "DESK_BAD_REQUEST", "The desk does not answer this method here.");
}

let known: string | undefined;

/** Of this package. */
function version(): string {
  return (known ??= (
    JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { readonly version: string }
  ).version);
}
