/** The recipes of docs/desk.md, run behind the servers that they are for. */
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import type { Express } from "express";
import type { FastifyInstance } from "fastify";
import type { Hono } from "hono";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { Client } from "../../src/index.js";
import { pause, workflow } from "../../src/index.js";
import { nodeListener, type Authorize, type DeskHandler } from "../../src/desk/index.js";
import { ada } from "../support/desk.js";
import { scene } from "../support/seen.js";

const root = join(import.meta.dirname, "../..");

type Recipe<App> = (client: Client, authorize: Authorize) => App;

interface Recipes {
  readonly hono: Recipe<Hono>;
  readonly expressApp: Recipe<Express>;
  readonly fastifyApp: Recipe<FastifyInstance>;
  readonly nextRoute: Recipe<{ GET: DeskHandler; POST: DeskHandler; HEAD: DeskHandler }>;
  readonly node: Recipe<Server>;
}

let folder: string;
let recipes: Recipes;

beforeAll(async () => {
  const text = await readFile(join(root, "docs/desk.md"), "utf8");
  const blocks = [...text.matchAll(/^```ts recipe\n([^]*?)^```$/gm)].map(([, code = ""]) => code);
  // Inside of the repository, so that they find the package and the servers.
  await mkdir(join(root, ".tmp"), { recursive: true });
  folder = await mkdtemp(join(root, ".tmp/recipes-"));
  const modules = await Promise.all(
    blocks.map(async (code, index) => {
      const file = join(folder, `recipe-${index}.ts`);
      await writeFile(file, code);
      return (await import(file)) as object;
    }),
  );
  recipes = Object.assign({}, ...modules) as Recipes;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const made = workflow("w", { input: z.object({}) }).step("ask", {
  messages: { yes: z.object({}) },
  run: () => pause({}),
  onMessage: () => ({}),
});

/** @returns where the server listens */
async function listening(server: Server): Promise<string> {
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Each gives a server that has the recipe's app. */
const servers: Readonly<Record<string, (client: Client) => Promise<Server>>> = {
  Hono: async (client) => {
    const server = serve({ fetch: recipes.hono(client, ada).fetch, port: 0, hostname: "127.0.0.1" }) as Server;
    await once(server, "listening");
    return server;
  },
  Express: async (client) => createServer(recipes.expressApp(client, ada)),
  Fastify: async (client) => {
    const app = recipes.fastifyApp(client, ada);
    onTestFinished(() => app.close());
    await app.ready();
    return app.server;
  },
  // Next gives a route the request as the browser sends it, with the whole path.
  "Next.js": async (client) => {
    const { GET, POST, HEAD } = recipes.nextRoute(client, ada);
    const methods: Readonly<Record<string, DeskHandler>> = { GET, POST, HEAD };
    return createServer(nodeListener((request) => methods[request.method]!(request)));
  },
  "Node alone": async (client) => recipes.node(client, ada),
};

test.each(Object.keys(servers))("%s: the page, its files, its API, an act and a stream", async (name) => {
  const { launcher, launch } = await scene([made]);
  const execution = await launch(made);
  const home = await listening(await servers[name]!(launcher));
  const page = await fetch(`${home}/desk/executions`);
  const html = await page.text();
  expect(html).toContain('<base href="/desk/" />');
  const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(html)![1]!;
  expect((await fetch(`${home}/desk/${script}`)).headers.get("content-type")).toContain("text/javascript");
  expect((await fetch(`${home}/desk`)).url).toBe(`${home}/desk/`);
  const { revision } = await execution.summary();
  const sent = await fetch(`${home}/desk/api/acts/send`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stepwell-desk": "1", origin: home },
    body: JSON.stringify({ execution: "e", revision, name: "yes", payload: "{}" }),
  });
  expect(await sent.json()).toMatchObject({ decided: "done", execution: "e" });
  const events = await fetch(`${home}/desk/api/execution/events?id=e`);
  const { value } = await events.body!.getReader().read();
  expect(new TextDecoder().decode(value)).toContain("retry:");
  const head = await fetch(`${home}/desk/`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("every recipe of the page is run here", () => {
  expect(Object.keys(recipes).toSorted()).toEqual(["expressApp", "fastifyApp", "hono", "nextRoute", "node"]);
});
