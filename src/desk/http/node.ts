/** The handler behind `node:http`, which speaks of requests in its own way. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/**
 * What `node:http` calls, from a handler of web-standard requests.
 *
 * @example
 * createServer(nodeListener(desk(client, { authorize }))).listen(4949, "127.0.0.1");
 */
export function nodeListener(handler: (request: Request) => Promise<Response>): RequestListener {
  return (incoming, outgoing) => {
    void answer(handler, incoming, outgoing).catch(() => {
      // Whoever asked has gone, or the connection is broken: there is nobody to tell.
      outgoing.destroy();
    });
  };
}

async function answer(
  handler: (request: Request) => Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const request = requestOf(incoming);
  if (request === undefined) {
    outgoing.writeHead(400).end();
    return;
  }
  const response = await handler(request);
  const cookies = response.headers.getSetCookie();
  outgoing.writeHead(response.status, [
    ...[...response.headers].filter(([name]) => name !== "set-cookie").flat(),
    ...cookies.flatMap((cookie) => ["set-cookie", cookie]),
  ]);
  if (response.body === null) {
    outgoing.end();
    return;
  }
  // A stream of events begins before there is one.
  outgoing.flushHeaders();
  await pipeline(Readable.fromWeb(response.body), outgoing);
}

/** Undefined: its address can't be read. */
function requestOf(incoming: IncomingMessage): Request | undefined {
  const { method = "GET", rawHeaders } = incoming;
  // Express takes the mount away from `url`, and keeps it here.
  const path = (incoming as { readonly originalUrl?: string }).originalUrl ?? incoming.url ?? "/";
  const secure = (incoming.socket as { readonly encrypted?: boolean }).encrypted === true;
  const origin = `${secure ? "https" : "http"}://${incoming.headers.host ?? "localhost"}`;
  if (!path.startsWith("/") || !URL.canParse(origin)) return undefined;
  const headers = new Headers();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    // HTTP/2 has the method and the path among its headers.
    if (!rawHeaders[index]!.startsWith(":")) headers.append(rawHeaders[index]!, rawHeaders[index + 1]!);
  }
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null;
  return new Request(`${origin}${path}`, { method, headers, body, ...(hasBody && { duplex: "half" }) });
}
