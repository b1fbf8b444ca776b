/** Progress for a browser, as server-sent events: `new EventSource("/progress/delivery-1")` shows each step as it is committed. */
import { createServer, type Server } from "node:http";
import type { Client } from "stepwell";

export function progressServer(client: Client): Server {
  return createServer((request, response) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    // A browser whose connection broke says which event it has seen last; nothing is lost, and nothing is told twice.
    const from = Number(request.headers["last-event-id"] ?? 0);
    const execution = client.execution(decodeURIComponent(request.url!.slice("/progress/".length)));
    const send = async (): Promise<void> => {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      for await (const { revision, step, func, result } of execution.follow({ from, signal: gone.signal })) {
        response.write(`id: ${revision}\ndata: ${JSON.stringify({ step, func, result })}\n\n`);
      }
      if (!gone.signal.aborted) response.end(`event: end\ndata: ${(await execution.summary()).status}\n\n`);
    };
    send().catch(() => response.destroy());
  });
}
