/** Server-sent events: what the page listens to. */
import type { Client } from "../../index.js";
import { systemClock, type Timer } from "../../clock.js";
import { answer } from "./answers.js";
import type { Feed } from "./feed.js";
import { needed, numberIn } from "./query.js";
import type { DeskEvent } from "./feed-shapes.js";

/** A proxy that hears nothing for longer may end the connection, in milliseconds. */
const quiet = 15_000;

/** So much may wait for a listener that does not read, in events. Then it is told that it has missed some. */
const mostWaiting = 256;

/** Events of all executions, or of those that the filter names. */
export function allEvents(feed: Feed, search: URLSearchParams): Response {
  const workflow = search.get("workflow");
  return stream((tell, end) =>
    feed.listen((event) => {
      if (event.type !== "transition" || workflow === null || event.workflow === workflow) tell(event);
    }, end),
  );
}

/** Every transition of one execution after a revision; the browser says by itself which one it has seen last. */
export function executionEvents(client: Client, { headers }: Request, search: URLSearchParams): Response {
  const id = needed(search, "id");
  const last = numberIn(
    new URLSearchParams({ last: headers.get("last-event-id") ?? "" }),
    "last",
    0,
    Number.MAX_SAFE_INTEGER,
  );
  const from = last ?? numberIn(search, "after", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const execution = client.execution(id);
  return stream((tell, end) => {
    const ended = new AbortController();
    const follow = async (): Promise<void> => {
      const { workflow } = await execution.summary();
      for await (const { revision, step } of execution.follow({ from, signal: ended.signal })) {
        const { status } = await execution.summary();
        tell({ type: "transition", execution: id, workflow, status, revision, step }, revision);
      }
    };
    void follow().then(end, end);
    return () => ended.abort();
  });
}

/** @param begin begins to tell, and gives what ends that */
function stream(begin: (tell: (event: DeskEvent, id?: number) => void, end: () => void) => () => void): Response {
  const encoder = new TextEncoder();
  let timer: Timer | undefined;
  let stop = (): void => undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let missed = false;
        const write = (event: DeskEvent, id?: number): void => {
          const line = id === undefined ? "" : `id: ${id}\n`;
          controller.enqueue(encoder.encode(`${line}data: ${JSON.stringify(event)}\n\n`));
        };
        const tell = (event: DeskEvent, id?: number): void => {
          if ((controller.desiredSize ?? 0) <= 0) missed = true;
          else {
            if (missed) write({ type: "gap" });
            missed = false;
            write(event, id);
          }
        };
        const still = (): void => {
          timer = systemClock.after(quiet, () => {
            tell({ type: "still-here" });
            still();
          });
        };
        controller.enqueue(encoder.encode("retry: 3000\n\n"));
        still();
        stop = begin(tell, () => {
          timer?.cancel();
          // Whoever listens may have gone first.
          try {
            controller.close();
          } catch {}
        });
      },
      cancel() {
        timer?.cancel();
        stop();
      },
    },
    { highWaterMark: mostWaiting },
  );
  return answer(body, "text/event-stream; charset=utf-8", { headers: { "x-accel-buffering": "no" } });
}
