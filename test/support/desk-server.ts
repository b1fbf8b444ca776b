/** Serves the built page, as the desk's handler does, with answers that a test gives: for states that a real store can't be brought to. */
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { getRequestListener } from "@hono/node-server";
import { desk, type DeskOptions } from "../../src/desk/index.js";
import type { Client } from "../../src/index.js";
import type { Answers } from "./desk-fixtures.js";

const folder = fileURLToPath(new URL("../../dist/desk/page", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** As the handler sends it. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/** What a handler answers instead of its shape. */
export class Refused {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

export interface DeskServer {
  /** With a slash at its end. */
  readonly address: string;
  answers: Answers;
  /** What was posted, the last one last. */
  readonly posted: { readonly path: string; readonly headers: IncomingMessage["headers"]; readonly body: unknown }[];
  /** How often each path was asked for. */
  readonly asked: Map<string, number>;
  /** Sends an event to every page that listens. */
  tell(event: unknown): void;
  stop(): Promise<void>;
}

/** @param mount where the page is mounted: `/`, `/admin/desk/` */
export async function startDesk(answers: Answers, mount = "/admin/desk/"): Promise<DeskServer> {
  if (!existsSync(join(folder, "index.html"))) throw new Error("The page is not built: run `npm run build` first.");
  const listeners = new Set<ServerResponse>();
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const desk: DeskServer = {
    address: `http://127.0.0.1:${port}${mount}`,
    answers,
    posted: [],
    asked: new Map(),
    tell(event) {
      for (const listener of listeners) listener.write(`data: ${JSON.stringify(event)}\n\n`);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, "http://desk");
    if (!pathname.startsWith(mount)) return end(response, 404, "text/plain", "outside of the desk");
    const path = pathname.slice(mount.length);
    desk.asked.set(path, (desk.asked.get(path) ?? 0) + 1);
    if (path === "api/events") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
      listeners.add(response);
      response.once("close", () => listeners.delete(response));
      return;
    }
    if (path.startsWith("api/")) return end(response, ...(await said(request, path, searchParams)));
    const file = join(folder, path);
    if (path.startsWith("assets/") && existsSync(file)) {
      return end(response, 200, types[extname(file)] ?? "", readFileSync(file));
    }
    const html = readFileSync(join(folder, "index.html"), "utf8").replace("<head>", `<head><base href="${mount}">`);
    end(response, 200, "text/html; charset=utf-8", html, { "content-security-policy": policy });
  }

  async function said(
    request: IncomingMessage,
    path: string,
    query: URLSearchParams,
  ): Promise<[number, string, string]> {
    if (request.method === "POST") {
      const chunks: Buffer[] = await request.toArray();
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
      desk.posted.push({ path, headers: request.headers, body });
    }
    const missing = new Refused(404, { error: { code: "DESK_NOT_FOUND", message: path } });
    // An answer may come later.
    const value = (await desk.answers[path]?.(query)) ?? missing;
    if (value instanceof Refused) return [value.status, "application/json", JSON.stringify(value.body)];
    if (typeof value === "string") return [200, "text/plain; charset=utf-8", value];
    return [200, "application/json", JSON.stringify(value)];
  }
  return desk;
}

function end(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Buffer,
  more: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": type, ...more }).end(body);
}

export interface ServedDesk {
  /** With a slash at its end. */
  readonly address: string;
  stop(): Promise<void>;
}

/** The real handler, behind a server of Node. */
export async function serveDesk(client: Client, options: DeskOptions): Promise<ServedDesk> {
  const listener = getRequestListener(desk(client, options));
  const server = createServer((request, response) => void listener(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}${options.mount ?? ""}/`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
