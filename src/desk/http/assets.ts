/** The page, as it was built into the package. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { answer } from "./answers.js";

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly tag: string;
}

/** From the built handler, and from its source in this repository. */
const folders = ["../page", "../../../dist/desk/page"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

let read: Promise<ReadonlyMap<string, Asset>> | undefined;

/** Only what was there at the start is ever served: no address leads out of the folder. */
function assets(): Promise<ReadonlyMap<string, Asset>> {
  return (read ??= readAll());
}

async function readAll(): Promise<ReadonlyMap<string, Asset>> {
  const folder = folders.find((it) => existsSync(join(it, "index.html")) && existsSync(join(it, "assets")));
  if (folder === undefined) return new Map();
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = files
    .filter((file) => file.isFile() && types[extname(file.name)] !== undefined)
    .map(async (file) => {
      const path = join(file.parentPath, file.name);
      const body = new Uint8Array(await readFile(path));
      const tag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
      const name = path.slice(folder.length + 1).replaceAll("\\", "/");
      return [name, { body, type: types[extname(file.name)]!, tag }] as const;
    });
  return new Map(await Promise.all(found));
}

/** @param path below the mount, without a slash before it. Undefined: there is no such file */
export async function assetAt(path: string, request: Request): Promise<Response | undefined> {
  const asset = (await assets()).get(path);
  if (asset === undefined || path === "index.html") return undefined;
  // The name of what stands in `assets/` has a digest in it.
  const caching = path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  const headers = { "cache-control": caching, etag: asset.tag };
  if (request.headers.get("if-none-match") === asset.tag) return answer(null, asset.type, { status: 304, headers });
  return answer(request.method === "HEAD" ? null : asset.body, asset.type, { headers });
}

/** The page's frame; every address in it is relative to `<base href>`. */
export async function page(mount: string): Promise<Response> {
  const frame = (await assets()).get("index.html");
  if (frame === undefined) {
    return answer("The page of the desk is not built: run `npm run build`.", "text/plain; charset=utf-8", {
      status: 503,
    });
  }
  // A mount has no character that means something in HTML: `desk(…)` refuses others.
  const html = new TextDecoder().decode(frame.body).replace(/<head>/i, `<head>\n    <base href="${mount}" />`);
  return answer(html, frame.type);
}
