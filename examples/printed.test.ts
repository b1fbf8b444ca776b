/** Each example prints what stands in the `output.txt` beside it. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const here = fileURLToPath(new URL(".", import.meta.url));
const outputs = (await readdir(here, { recursive: true })).filter((file) => file.endsWith("output.txt"));

it.each(outputs.map((file) => file.slice(0, -"/output.txt".length)))(
  "%s prints what it should",
  async (name) => {
    const example = `${here}${name}/example.ts`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", import.meta.resolve("tsx"), example]);
    // What differs from run to run: ids that are made, and times.
    const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
    expect(stdout.replaceAll(uuid, "<uuid>")).toBe(await readFile(`${here}${name}/output.txt`, "utf8"));
  },
  60_000,
);

it("there are some", () => expect(outputs).not.toEqual([]));
