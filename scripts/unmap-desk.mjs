/** The maps of the desk do not ship: what is built of it must not point at them, or a bundler warns of each. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const folder = join(import.meta.dirname, "..", "dist", "desk");
for (const entry of await readdir(folder, { recursive: true })) {
  if (!/\.(js|d\.ts)$/.test(entry)) continue;
  const file = join(folder, entry);
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
}
