/** What the desk's page weighs over the wire: each file of it by itself, as `gzip -9` packs it. */
import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";

export interface PageSize {
  /** All that the page could ever load, in KiB. */
  readonly all: number;
  /** What it loads before the first list is shown: the file itself, its style sheet, its script and what that imports at once. */
  readonly first: number;
}

/** @param folder the built page: `dist/desk/page` */
export function pageSize(folder: string): PageSize {
  const assets = join(folder, "assets");
  const files = [join(folder, "index.html"), ...readdirSync(assets).map((name) => join(assets, name))];
  const html = readFileSync(files[0]!, "utf8");
  const named = [...html.matchAll(/(?:src|href)="\.\/assets\/([^"]+)"/g)].map(([, name]) => join(assets, name!));
  const first = new Set([files[0]!]);
  const walk = (file: string): void => {
    if (first.has(file)) return;
    first.add(file);
    if (!file.endsWith(".js")) return;
    const code = readFileSync(file, "utf8");
    // Imports that wait until something is wanted have a parenthesis.
    for (const [, name] of code.matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([^"']+)["']/g)) walk(join(assets, name!));
  };
  for (const file of named) walk(file);
  if (![...first].some((file) => basename(file).endsWith(".js"))) throw new Error(`${folder} has no script.`);
  return { all: kib(files), first: kib([...first]) };
}

function kib(files: readonly string[]): number {
  const bytes = files.map((file) => gzipSync(readFileSync(file), { level: 9 }).length);
  return bytes.reduce((sum, one) => sum + one, 0) / 1024;
}
