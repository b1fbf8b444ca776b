/** Where a desk is mounted: whatever stands before it, the browser finds its files, its pages and its API. */
import { expect, test } from "vitest";
import { z } from "zod";
import { workflow } from "../../src/index.js";
import { desk, type DeskHandler } from "../../src/desk/index.js";
import { ada } from "../support/desk.js";
import { scene } from "../support/seen.js";

const made = workflow("w", { input: z.object({}) }).step("go", { run: () => ({}) });

type Server = (request: Request) => Promise<Response>;

/** As a proxy or the router of a framework does that takes the mount away. */
const stripping =
  (mount: string, handler: DeskHandler): Server =>
  (request) => {
    const url = new URL(request.url);
    url.pathname = url.pathname.slice(mount.length) || "/";
    return handler(new Request(url, request));
  };

/** What a browser does: loads the page, then what its addresses lead to, relative to its base. Gives the overview. */
async function visit(server: Server, address: string): Promise<unknown> {
  let response = await server(new Request(address));
  let at = address;
  if (response.status === 308) {
    at = new URL(response.headers.get("location")!, address).href;
    response = await server(new Request(at));
  }
  expect(response.status, at).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const html = await response.text();
  const base = new URL(/<base href="([^"]*)"/.exec(html)![1]!, at);
  const files = [...html.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, file]) => new URL(file!, base).href);
  expect(files.length).toBeGreaterThan(1);
  for (const file of files) {
    const asset = await server(new Request(file));
    expect(asset.status, file).toBe(200);
    expect(asset.headers.get("content-type"), file).toMatch(/^(?:text\/(?:javascript|css)|image\/)/);
  }
  const overview = await server(new Request(new URL("api/overview", base)));
  expect(overview.status).toBe(200);
  return overview.json();
}

const empty = { counts: { stuck: { count: 0 } } };

const mounts = ["/", "/desk", "/desk/", "/admin/ops/desk"];

test.each(mounts)(
  "mounted at %s: each page is found, behind what strips the mount and what does not",
  async (mount) => {
    const { launcher } = await scene([made]);
    const handler = desk(launcher, { authorize: ada, mount });
    const below = mount.endsWith("/") ? mount : `${mount}/`;
    const servers: Server[] = [handler, ...(mount === "/" ? [] : [stripping(below.slice(0, -1), handler)])];
    for (const server of servers) {
      for (const page of ["", "executions", "execution?id=../../x", "workflows/", "a/b/c"]) {
        expect(await visit(server, `http://localhost${below}${page}`), page).toMatchObject(empty);
      }
    }
  },
);

test("the mount without its slash leads to the one with it", async () => {
  const { launcher } = await scene([made]);
  const handler = desk(launcher, { authorize: ada, mount: "/ops/desk" });
  const response = await handler(new Request("http://localhost/ops/desk?status=stuck"));
  expect(response.status).toBe(308);
  expect(response.headers.get("location")).toBe("/ops/desk/?status=stuck");
  expect(await visit(handler, "http://localhost/ops/desk")).toMatchObject(empty);
  // Behind what strips the mount this can't be told from the root, and the page is right all the same.
  expect(await visit(stripping("/ops/desk", handler), "http://localhost/ops/desk")).toMatchObject(empty);
});

test("two desks in one host keep to themselves", async () => {
  const [one, other] = [await scene([made]), await scene([made])];
  await one.launch(made);
  const handlers = [
    desk(one.launcher, { authorize: ada, mount: "/one" }),
    desk(other.launcher, { token: "t".repeat(43), mount: "/other" }),
  ] as const;
  const server: Server = (request) => handlers[new URL(request.url).pathname.startsWith("/one") ? 0 : 1](request);
  await (await server(new Request("http://localhost/one/api/executions"))).json();
  const lists = await Promise.all(
    ["/one", "/other"].map(
      async (mount) => (await server(new Request(`http://localhost${mount}/api/executions`))).status,
    ),
  );
  expect(lists).toEqual([200, 401]);
  const html = await (await server(new Request("http://localhost/other/"))).text();
  expect(html).toContain('<base href="/other/" />');
});

test("files are kept by a browser for as long as their name stays, and pages are not", async () => {
  const { launcher } = await scene([made]);
  const handler = desk(launcher, { authorize: ada });
  const html = await (await handler(new Request("http://localhost/"))).text();
  const file = new URL(/src="(\.\/assets\/[^"]+)"/.exec(html)![1]!, "http://localhost/").href;
  const asset = await handler(new Request(file));
  expect(asset.headers.get("cache-control")).toContain("immutable");
  const again = await handler(new Request(file, { headers: { "if-none-match": asset.headers.get("etag")! } }));
  expect(again.status).toBe(304);
  expect((await handler(new Request("http://localhost/"))).headers.get("cache-control")).toBe("no-store");
  expect(await (await handler(new Request(file, { method: "HEAD" }))).text()).toBe("");
});
