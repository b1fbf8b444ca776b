/** Whatever is sent to the desk: it answers, with a code where it refuses, and never without leave. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { Client, Launcher, memoryStore, pause, workflow } from "../../src/index.js";
import { ada, deskRig, writing } from "../support/desk.js";
import { anyText, fuzzRuns, fuzzTime } from "../support/fuzz.js";

const approve = workflow("approve", { input: z.object({}).loose() }).step("ask", {
  messages: { yes: z.object({}).loose() },
  run: () => pause(),
  onMessage: () => ({}),
  rollback: () => ({}),
});

const reads = [
  "overview",
  "executions",
  "execution",
  "history",
  "state",
  "mailbox",
  "dead-letters",
  "workflows",
  "workflow",
];
const more = ["launchers", "limits", "schedules", "recalls", "recall", "preview", "certificate", "events", "rewind"];
const acts = [
  "send",
  "rollback",
  "rewind",
  "retry",
  "skip",
  "patch",
  "resolve",
  "resend",
  "recall",
  "schedule",
  "launch",
];
const part = fc.oneof(fc.constantFrom("a-1", ...reads, ...more, ...acts, "api", "acts"), anyText);
const path = fc.oneof(
  fc.constantFrom(...reads, ...more).map((it) => `api/${it}`),
  fc.constantFrom(...acts).map((it) => `api/acts/${it}`),
  fc.array(part, { maxLength: 4 }).map((parts) => parts.map(encode).join("/")),
);
const names = fc.constantFrom(
  "id",
  "execution",
  "status",
  "limit",
  "cursor",
  "after",
  "workflow",
  "tags",
  "revision",
  "step",
  "name",
  "q",
);
const value: fc.Arbitrary<unknown> = fc.oneof(anyText, fc.constant("a-1"), fc.integer(), fc.jsonValue({ maxDepth: 2 }));
const query = fc.array(fc.tuple(names, fc.oneof(anyText, fc.constant("a-1"), fc.integer().map(String))), {
  maxLength: 3,
});
const body = fc.oneof(
  fc
    .dictionary(
      fc.oneof(names, fc.constantFrom("reason", "why", "patch", "payload", "ifRevision", "ids", "filter"), anyText),
      value,
    )
    .map((it) => JSON.stringify(it)),
  anyText,
  fc.json(),
);
const headers = fc.dictionary(
  fc.constantFrom(
    "content-type",
    "x-stepwell-desk",
    "origin",
    "sec-fetch-site",
    "host",
    "accept",
    "content-length",
    "cookie",
  ),
  fc.oneof(
    fc.constantFrom("application/json", "1", "null", "text/html", "0", "cross-site"),
    fc.string({ maxLength: 8 }),
  ),
  { maxKeys: 3 },
);
const asked = fc.record({
  path,
  query,
  method: fc.constantFrom("GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"),
  headers: fc.option(headers),
  body,
});
type Asked = typeof asked extends fc.Arbitrary<infer Value> ? Value : never;

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** Undefined: no request can be made of it. */
function requestOf({ path, query, method, headers, body }: Asked): [path: string, init: RequestInit] | undefined {
  const search = new URLSearchParams(query.map(([name, value]): [string, string] => [name, value]));
  const init: RequestInit = { method, headers: headers ?? (method === "GET" ? {} : writing) };
  if (method !== "GET" && method !== "HEAD") init.body = body;
  try {
    void new Request(`http://localhost/${path}`, init);
  } catch {
    return undefined;
  }
  return [`${path}?${search.toString()}`, init];
}

test(
  "every request is answered, and what is refused or fails says so with a code",
  async () => {
    const store = memoryStore();
    const launcher = new Launcher({ store, workflows: [approve] });
    await launcher.start();
    try {
      await launcher.launch(approve, {}, { id: "a-1" });
      const { ask } = deskRig(new Client({ store }), { authorize: ada });
      await fc.assert(
        fc.asyncProperty(asked, async (it) => {
          const request = requestOf(it);
          if (request === undefined) return;
          const response = await ask(...request);
          const isStream = response.headers.get("content-type")?.includes("event-stream") === true;
          if (isStream) return response.body?.cancel();
          const text = await response.text();
          expect(response.status, text).not.toBe(500);
          if (response.status >= 400 && text !== "")
            expect(JSON.parse(text)).toMatchObject({ error: { code: expect.any(String) as string } });
          return undefined;
        }),
        fuzzRuns(800),
      );
    } finally {
      await launcher.stop();
    }
  },
  fuzzTime,
);

test(
  "who is nobody is told nothing and does nothing, whatever is asked",
  async () => {
    const store = memoryStore();
    const launcher = new Launcher({ store, workflows: [approve] });
    await launcher.start();
    try {
      const secret = "secret-7c1f";
      const execution = await launcher.launch(approve, { secret }, { id: "a-1" });
      const { ask } = deskRig(new Client({ store }), { authorize: () => false });
      const before = await execution.summary();
      await fc.assert(
        fc.asyncProperty(asked, async (it) => {
          const request = requestOf({ ...it, path: `api/${it.path.replace(/^api\//, "")}` });
          if (request === undefined) return;
          const response = await ask(...request);
          // "api/.." is the page itself, which anybody may have: it knows nothing.
          const isApi = new URL(request[0], "http://localhost/").pathname.startsWith("/api/");
          if (isApi) expect(response.status).toBeGreaterThanOrEqual(400);
          expect(await response.text()).not.toContain(secret);
        }),
        fuzzRuns(400),
      );
      expect(await execution.summary()).toEqual(before);
    } finally {
      await launcher.stop();
    }
  },
  fuzzTime,
);
