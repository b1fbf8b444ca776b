/** Each line of what keeps a desk from being used by others. */
import { expect, test } from "vitest";
import { z } from "zod";
import { fail, workflow } from "../../src/index.js";
import { desk, type Acts, type DeskOptions, type DeskRight } from "../../src/desk/index.js";
import { ada, deskRig, only, writing } from "../support/desk.js";
import { scene } from "../support/seen.js";

const made = workflow("w", { input: z.object({}).loose() })
  .step("charge", { run: () => ({}), rollback: () => fail("no-account") })
  .step("ship", { run: () => fail("sold-out") });

const stuck = async (input: object = {}) => {
  const { launch, launcher } = await scene([made]);
  const execution = await launch(made, input);
  await launcher.recall({ ids: ["nobody"], reason: "wrong-price", by: "ada", id: "r" });
  return { launcher, execution, revision: (await execution.summary()).revision };
};

const reads = {
  session: "",
  overview: "",
  executions: "",
  "executions/count": "",
  execution: "?id=e",
  "execution/history": "?id=e",
  "execution/state": "?id=e",
  "execution/mailbox": "?id=e",
  "execution/value": "?id=e&of=state",
  workflows: "",
  workflow: "?name=w",
  schedules: "",
  "dead-letters": "",
  limits: "",
  launchers: "",
  recalls: "",
  recall: "?id=r",
  events: "",
  "execution/events": "?id=e",
} as const;

/** Bodies that a check of rights must not look into. */
const rightOf: Readonly<Record<keyof Acts, DeskRight>> = {
  send: "act-one",
  publish: "act-many",
  rollback: "act-one",
  rewind: "act-one",
  retry: "act-one",
  resolve: "act-one",
  skip: "act-one",
  patch: "act-one",
  launch: "launch",
  "schedule-pause": "act-one",
  "schedule-resume": "act-one",
  "schedule-trigger": "launch",
  resend: "act-one",
  "bulk-rollback": "act-many",
  "bulk-retry": "act-many",
  "bulk-resend": "act-many",
  recall: "act-many",
  "recall-pause": "act-many",
  "recall-resume": "act-many",
  "recall-stop": "act-many",
};

const roles: Readonly<Record<string, readonly DeskRight[]>> = {
  reader: ["read"],
  operator: ["read", "act-one"],
  lead: ["read", "act-one", "act-many"],
  launching: ["read", "launch"],
  all: ["read", "act-one", "act-many", "launch"],
  none: [],
};

const drop = async (response: Response): Promise<number> => {
  await response.body?.cancel();
  return response.status;
};

test("a desk that asks nobody who they are is never mounted", async () => {
  const { launcher } = await scene([made]);
  const refused = (options: DeskOptions): unknown => {
    try {
      desk(launcher, options);
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
    return "mounted";
  };
  for (const none of [undefined, null, "token"]) expect(refused(none as never)).toBe("STEPWELL_INVALID_ARGUMENT");
  expect(refused({})).toBe("STEPWELL_INVALID_ARGUMENT");
  expect(refused({ token: "short" })).toBe("STEPWELL_INVALID_ARGUMENT");
  expect(refused({ token: "t".repeat(43), hosts: ["desk.example.com"] })).toBe("STEPWELL_INVALID_ARGUMENT");
  expect(refused({ token: "t".repeat(43), authorize: ada })).toBe("STEPWELL_INVALID_ARGUMENT");
  expect(refused({ authorize: true as never })).toBe("STEPWELL_INVALID_ARGUMENT");
  expect(refused({ authorise: ada } as never)).toBe("STEPWELL_UNKNOWN_OPTION");
  for (const mount of ["desk", "/a b", "/a/../b", '/"><script>', "//evil", "/api", "/assets/"]) {
    expect(refused({ authorize: ada, mount }), mount).toBe("STEPWELL_INVALID_ARGUMENT");
  }
  expect(refused({ authorize: ada, mount: "/ops/desk" })).toBe("mounted");
});

test.each(Object.entries(roles))("%s: every address answers those who may, and nobody else", async (_, rights) => {
  const { launcher } = await stuck();
  const { ask } = deskRig(launcher, { authorize: only(...rights) });
  for (const [path, query] of Object.entries(reads)) {
    expect(await drop(await ask(`api/${path}${query}`)), path).toBe(rights.includes("read") ? 200 : 403);
  }
  for (const [act, right] of Object.entries(rightOf)) {
    const response = await ask(`api/acts/${act}`, { method: "POST", headers: writing, body: "{}" });
    // With the right, it is the empty body that is refused.
    expect(await drop(response), act).toBe(rights.includes(right) ? 400 : 403);
  }
});

test("who is not signed in gets no answer but that, and no address is forgotten", async () => {
  const { launcher } = await stuck();
  const { ask } = deskRig(launcher, { authorize: () => undefined });
  for (const [path, query] of Object.entries(reads)) expect(await drop(await ask(`api/${path}${query}`))).toBe(401);
  for (const act of Object.keys(rightOf)) {
    expect(await drop(await ask(`api/acts/${act}`, { method: "POST", headers: writing, body: "{}" }))).toBe(401);
  }
  const { body } = await deskRig(launcher, { authorize: only("read", "launch") }).get("session");
  expect(body).toMatchObject({ by: "bob", rights: ["read", "launch"], store: "memory" });
});

test("nothing that the browser sends changes who acts", async () => {
  const { launcher, execution, revision } = await stuck();
  const { act } = deskRig(launcher, { authorize: ada });
  await act("retry", { execution: "e", revision, by: "mallory", reason: "again" } as never);
  const row = (await execution.history()).find(({ result }) => result === "retried");
  expect(row ?? { by: "ada" }).toMatchObject({ by: "ada" });
});

test("a name that is none, or a check that fails, opens nothing and tells nothing", async () => {
  const { launcher } = await stuck();
  const heard: unknown[] = [];
  const onError = (error: unknown): void => void heard.push(error);
  const secret = new Error("password=hunter2");
  const throwing = deskRig(launcher, { authorize: () => Promise.reject(secret), onError });
  const { status, body } = await throwing.get("overview");
  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain("hunter2");
  expect(heard).toEqual([secret]);
  for (const by of ["", "a\nb", "x".repeat(256), 7 as never]) {
    expect((await deskRig(launcher, { authorize: () => ({ by }), onError }).get("overview")).status).toBe(500);
  }
  expect((await deskRig(launcher, { authorize: () => true as never, onError }).get("overview")).status).toBe(500);
});

test("what writes must come from the desk's own page, with its header", async () => {
  const { launcher, revision } = await stuck();
  const { ask } = deskRig(launcher);
  const body = JSON.stringify({ execution: "e", revision });
  const post = async (headers: Record<string, string>): Promise<number> =>
    drop(await ask("api/acts/retry", { method: "POST", headers, body }));
  const without = (name: keyof typeof writing): Record<string, string> =>
    Object.fromEntries(Object.entries(writing).filter(([it]) => it !== name));
  expect(await post(without("x-stepwell-desk"))).toBe(403);
  expect(await post(without("origin"))).toBe(403);
  expect(await post({ ...writing, origin: "http://evil.example" })).toBe(403);
  expect(await post({ ...writing, origin: "http://localhost:8080" })).toBe(403);
  expect(await post({ ...writing, origin: "null" })).toBe(403);
  expect(await post({ ...writing, "sec-fetch-site": "cross-site" })).toBe(403);
  expect(await post({ ...writing, "sec-fetch-site": "same-site" })).toBe(403);
  expect(await post({ ...writing, "content-type": "text/plain" })).toBe(415);
  expect(await drop(await ask("api/acts/retry", { headers: writing }))).toBe(404);
  expect(await drop(await ask("api/overview", { method: "DELETE" }))).toBe(405);
  expect(await post(without("sec-fetch-site"))).toBe(200);
});

test("a name that is not the desk's is refused, so that no foreign site can lead its own name here", async () => {
  const { launcher } = await stuck();
  const asked = async (options: DeskOptions, host: string): Promise<number> =>
    drop(await desk(launcher, options)(new Request(`http://${host}/api/overview`)));
  for (const host of ["localhost:4949", "127.0.0.1:4949", "[::1]:4949", "localhost"]) {
    expect(await asked({ authorize: ada }, host), host).toBe(200);
  }
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.7"]) {
    expect(await asked({ authorize: ada }, host), host).toBe(421);
  }
  const named = { authorize: ada, hosts: ["desk.example.com", "desk.example.com:8443"] };
  expect(await asked(named, "desk.example.com")).toBe(200);
  expect(await asked(named, "desk.example.com:8443")).toBe(200);
  expect(await asked(named, "localhost")).toBe(421);
  const spoofed = new Request("http://localhost/api/overview", { headers: { host: "evil.example" } });
  expect(await drop(await desk(launcher, { authorize: ada })(spoofed))).toBe(421);
});

test("a token opens the desk once it is handed in by a POST, and is in no address and no answer", async () => {
  const { launcher } = await stuck();
  const token = "k".repeat(43);
  const { ask } = deskRig(launcher, { token, by: "ops" });
  const signIn = (given: string): Promise<Response> =>
    ask("api/session", { method: "POST", headers: writing, body: JSON.stringify({ token: given }) });
  expect(await drop(await ask(`api/overview?token=${token}`))).toBe(401);
  expect(await drop(await ask("api/overview", { headers: { authorization: `Bearer ${token}` } }))).toBe(401);
  expect(await drop(await signIn("k".repeat(42)))).toBe(401);
  const response = await signIn(token);
  const cookie = response.headers.get("set-cookie")!;
  expect(cookie).toMatch(/^stepwell_desk=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  expect(cookie).not.toContain(token);
  expect(await response.json()).toMatchObject({ by: "ops", rights: ["read", "act-one", "act-many", "launch"] });
  const headers = { cookie: `other=1; ${cookie.split(";")[0]}` };
  expect(await drop(await ask("api/overview", { headers }))).toBe(200);
  expect(await drop(await ask("api/overview", { headers: { cookie: "stepwell_desk=guess" } }))).toBe(401);
  await ask("api/session/end", { method: "POST", headers: { ...writing, ...headers }, body: "{}" });
  expect(await drop(await ask("api/overview", { headers }))).toBe(401);
});

test("bodies that are too large or no JSON are refused, and nothing is read beyond the limit", async () => {
  const { launcher } = await stuck();
  const { ask } = deskRig(launcher);
  const post = (body: string | ReadableStream<Uint8Array>, more: Record<string, string> = {}): Promise<Response> =>
    ask("api/acts/retry", { method: "POST", headers: { ...writing, ...more }, body, duplex: "half" });
  for (const body of ["", "{", "[]", "null", '"text"', "{} {}"]) expect(await drop(await post(body)), body).toBe(400);
  expect(await drop(await post("{}", { "content-length": "99999999" }))).toBe(413);
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
    },
  });
  const response = await post(endless);
  expect(await response.json()).toMatchObject({ error: { code: "DESK_TOO_LARGE" } });
  expect(response.status).toBe(413);
  expect(pulled).toBeLessThan(10);
  const deep = `{"execution":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
  expect(await drop(await post(deep))).toBe(400);
  const polluted = await post('{"__proto__":{"admin":true},"execution":"e","revision":0}');
  expect(polluted.status).toBe(409);
  expect(({} as { admin?: unknown }).admin).toBeUndefined();
});

test("every answer says that no script but the page's own may run, and that nothing may frame it", async () => {
  const { launcher } = await stuck();
  const { ask } = deskRig(launcher);
  for (const path of ["", "executions", "api/overview", "api/nothing", "api/execution/value?id=e&of=state"]) {
    const { headers } = await ask(path);
    const policy = headers.get("content-security-policy")!;
    expect(policy, path).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|nonce|data:|\*|https?:/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
  }
});

test("what users write is given as data, never as a page", async () => {
  const evil = "</script><img src=x onerror=alert(1)>";
  const { launcher, launch } = await scene([made]);
  await launch(made, { evil });
  const { ask } = deskRig(launcher);
  const paths = Object.entries(reads).filter(([path]) => !path.includes("events"));
  for (const [path, query] of paths) {
    const response = await ask(`api/${path}${query}`);
    expect(response.headers.get("content-type"), path).toMatch(/^(?:application\/json|text\/plain); charset=utf-8$/);
  }
  const notFound = await ask(`api/execution?id=${encodeURIComponent(evil)}`);
  expect(notFound.headers.get("content-type")).toMatch(/^application\/json/);
  const page = await (await ask(encodeURIComponent(evil))).text();
  expect(page).not.toContain("onerror");
});

test("no address leads out of the page's folder", async () => {
  const { launcher } = await stuck();
  const { handler } = deskRig(launcher);
  for (const path of ["..%2f..%2f..%2fpackage.json", "assets/..%2f..%2f..%2fpackage.json", "%2e%2e/package.json"]) {
    const response = await handler(new Request(`http://localhost/${path}`));
    expect(await response.text(), path).not.toContain("devDependencies");
  }
  expect(await drop(await handler(new Request("http://localhost/assets/nothing.js")))).toBe(404);
});

test("hidden paths are hidden wherever a value is shown: state, input, differences, messages, details", async () => {
  const secret = "4111-1111";
  const paying = workflow("w", { input: z.object({ card: z.object({ number: z.string(), name: z.string() }) }) })
    .step("charge", {
      run: ({ state }) => ({ cards: new Map([["main", { number: state.card.number }]]) }),
      rollback: ({ state }) => fail("no-account", { details: { card: state.card } }),
    })
    .step("ship", { messages: { card: z.object({}).loose() }, run: () => fail("sold-out"), onMessage: () => ({}) });
  const { launch, launcher } = await scene([paying]);
  await launch(paying, { card: { number: secret, name: "Ada" } });
  await launcher.send("e", "card", { card: { number: secret } });
  const { ask } = deskRig(launcher, { authorize: ada, redact: ["card.number", "cards[*][1].number"] });
  for (const path of [
    "execution?id=e",
    "execution/state?id=e&revision=0",
    "execution/state?id=e&revision=1",
    "execution/mailbox?id=e",
    "execution/value?id=e&of=state",
    "execution/history?id=e",
  ]) {
    const text = await (await ask(`api/${path}`)).text();
    expect(text, path).not.toContain(secret);
    expect(text, path).toMatch(/hidden|REDACTED/i);
  }
});
