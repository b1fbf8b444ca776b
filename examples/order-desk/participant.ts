/** What the three participants have in common: a guarded HTTP API on a port of its own, with idempotency keys. */
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { z } from "zod";
import type { Answer, Ledger } from "./ledger.js";
import { setting } from "./setting.js";

/** Which of two names is given, of the thing to undo. */
export const named = z.union([
  z.strictObject({ id: z.number().int() }),
  z.strictObject({ requestedWith: z.string().min(1) }),
]);

/** An app that answers only to those who know the token of this run. */
export function guardedApp(): Hono {
  const app = new Hono();
  app.use(bearerAuth({ token: setting("ORDER_DESK_TOKEN") }));
  return app;
}

interface Command<Request> {
  readonly app: Hono;
  readonly ledger: Ledger;
  readonly path: string;
  readonly schema: z.ZodType<Request>;
  /** Does the work, inside a transaction of the ledger. */
  readonly work: (request: Request, key: string) => Answer;
  /** May hold back the answer, after the work is committed. */
  readonly beforeAnswer?: (answer: Answer) => Promise<void>;
}

/** A POST that changes something: needs an `Idempotency-Key` header and is done once for each key. */
export function command<Request>({ app, ledger, path, schema, work, beforeAnswer }: Command<Request>): void {
  app.post(path, async (context) => {
    const key = context.req.header("Idempotency-Key");
    if (!key) return context.json({ error: "the header Idempotency-Key is missing" }, 400);
    const request = schema.safeParse(await context.req.json().catch(() => undefined));
    if (!request.success) return context.json({ error: z.prettifyError(request.error) }, 400);
    const answer = ledger.once(key, JSON.stringify([path, request.data]), () => work(request.data, key));
    await beforeAnswer?.(answer);
    return context.json(answer.body, answer.status);
  });
}

/** Listens on a loopback port that the system picks, and ends with the process that started this one. */
export function listen(app: Hono): Promise<string> {
  process.on("disconnect", () => process.exit());
  return new Promise((resolve) => {
    serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => resolve(`http://127.0.0.1:${port}`));
  });
}

/** Tells the process that started this one where it listens. */
export function announce(url: string): void {
  process.send?.({ url });
}
