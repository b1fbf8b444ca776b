/** The desk behind real servers: node:http alone, and the command that opens one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Launcher, workflow } from "../../src/index.js";
import { desk, nodeListener, openDesk } from "../../src/desk/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { ada } from "../support/desk.js";
import { scene } from "../support/seen.js";

const made = workflow("w", { input: z.object({}) }).step("go", { run: () => ({}) });

const writing = (origin: string): Record<string, string> => ({
  "content-type": "application/json",
  "x-stepwell-desk": "1",
  origin,
});

/** As a browser that opens the printed address. */
async function signIn(address: string): Promise<{ readonly home: string; readonly cookie: string }> {
  const { origin, hash } = new URL(address);
  const token = new URLSearchParams(hash.slice(1)).get("token");
  const response = await fetch(`${origin}/api/session`, {
    method: "POST",
    headers: writing(origin),
    body: JSON.stringify({ token }),
  });
  expect(response.status).toBe(200);
  return { home: origin, cookie: response.headers.get("set-cookie")!.split(";")[0]! };
}

test("a desk for this machine listens at 127.0.0.1 alone, and its address is good for who has it", async () => {
  const { launcher, launch } = await scene([made]);
  await launch(made);
  const open = await openDesk(launcher, { port: 0, by: "ada" });
  onTestFinished(() => open.close());
  expect(open.address).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${open.port}/#token=[\\w-]{43}$`));
  expect((await fetch(`http://127.0.0.1:${open.port}/api/overview`)).status).toBe(401);
  const { home, cookie } = await signIn(open.address);
  const overview = await fetch(`${home}/api/overview`, { headers: { cookie } });
  expect(await overview.json()).toMatchObject({ counts: { completed: { count: 1 } } });
  // A name that somebody else has led to this machine.
  const rebound = await new Promise<number>((resolve, reject) => {
    const asked = request(
      { port: open.port, host: "127.0.0.1", headers: { host: "evil.example", cookie } },
      (response) => {
        response.resume();
        resolve(response.statusCode!);
      },
    );
    asked.on("error", reject).end();
  });
  expect(rebound).toBe(421);
  await expect(openDesk(launcher, { port: open.port })).rejects.toMatchObject({ code: "STEPWELL_INVALID_ARGUMENT" });
});

test("closing it ends streams that are open, and the client goes on", async () => {
  const { launcher } = await scene([made]);
  const open = await openDesk(launcher, { port: 0 });
  const { home, cookie } = await signIn(open.address);
  const events = await fetch(`${home}/api/events`, { headers: { cookie } });
  expect(events.headers.get("content-type")).toContain("text/event-stream");
  await open.close();
  await expect(events.text()).rejects.toThrow("terminated");
  expect((await launcher.list()).executions).toEqual([]);
});

test("behind node:http: bodies, cookies, streams, and requests that make no sense", async () => {
  const { launcher } = await scene([made]);
  const server = createServer(nodeListener(desk(launcher, { authorize: ada, workflows: [made] })));
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const home = `http://127.0.0.1:${port}`;
  const launched = await fetch(`${home}/api/acts/launch`, {
    method: "POST",
    headers: writing(home),
    body: JSON.stringify({ workflow: "w", version: "1", input: "{}", id: "new" }),
  });
  expect(await launched.json()).toMatchObject({ execution: "new" });
  const large = await fetch(`${home}/api/acts/launch`, {
    method: "POST",
    headers: writing(home),
    body: `{"input":"${"x".repeat(5_000_000)}"}`,
  }).catch(() => ({ status: 413 }));
  expect(large.status).toBe(413);
  const raw = (path: string, headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      request({ port, host: "127.0.0.1", path, headers }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on("error", reject)
        .end();
    });
  expect(await raw("http://evil.example/api/overview", {})).toBe(400);
  expect(await raw("/api/overview", { host: "a b" })).toBe(400);
  const gone = new AbortController();
  const events = await fetch(`${home}/api/events`, { signal: gone.signal });
  expect(events.status).toBe(200);
  gone.abort();
  expect((await fetch(`${home}/api/overview`)).status).toBe(200);
});

test("`stepwell desk` opens the page of a store, prints its address once, and ends at a signal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-desk-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "orders.db");
  const launcher = new Launcher({ store: sqliteStore(path), workflows: [made] });
  await launcher.start();
  await launcher.launch(made, {}, { id: "order-1" });
  await launcher.execution("order-1").outcome();
  await launcher.stop();
  const main = join(import.meta.dirname, "../../dist/cli/main.js");
  const child = spawn(process.execPath, [main, "desk", "--store", path, "--port", "0"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  const [address] = (await once(lines, "line")) as [string];
  const { home, cookie } = await signIn(address);
  const list = await fetch(`${home}/api/executions`, { headers: { cookie } });
  expect(await list.json()).toMatchObject({ executions: [{ id: "order-1", status: "completed" }] });
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(0);
});
