import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

interface Manifest {
  readonly keywords: readonly string[];
  readonly files: readonly string[];
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const manifest: Manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const entries = Object.keys(manifest.exports)
  .filter((entry) => entry !== "./package.json")
  .map((entry) => entry.replace(/^\./, "stepwell"));

let folder: string;
let consumer: string;
let shipped: readonly string[];

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { cwd, shell: process.platform === "win32" })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error([`${command} ${args.join(" ")} failed.`, stdout, stderr].join("\n"), { cause: error });
  }
}

async function link(name: string): Promise<void> {
  const place = join(consumer, "node_modules", name);
  if (existsSync(place)) return;
  await mkdir(dirname(place), { recursive: true });
  await symlink(join(root, "node_modules", name), place, "junction");
}

/** Builds and packs a copy, so that nothing left over in `dist/` is taken for the package. */
async function pack(): Promise<string> {
  const copy = join(folder, "copy");
  await mkdir(copy);
  for (const name of await readdir(root)) {
    if (["dist", "coverage", ".git", ".tmp", "node_modules", "examples", "bench"].includes(name)) continue;
    await cp(join(root, name), join(copy, name), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(copy, "node_modules"), "junction");
  await run(process.execPath, [tsc, "-p", "tsconfig.build.json"], copy);
  const answer = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], copy);
  const [{ filename, files }]: [{ filename: string; files: { path: string }[] }] = JSON.parse(answer);
  shipped = files.map(({ path }) => path).toSorted();
  return join(folder, filename);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stepwell-package-"));
  consumer = join(folder, "consumer");
  const tarball = await pack();
  const installed = join(consumer, "node_modules", "stepwell");
  await mkdir(installed, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"], folder);
  // As a package manager would without the optional peers. What is not declared is not there.
  for (const name of Object.keys(manifest.dependencies)) await link(name);
  await writeFile(join(consumer, "package.json"), JSON.stringify({ type: "module" }));
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the packed package", () => {
  it("ships the build, the sources, the documents and nothing else", () => {
    const wanted =
      /^(package\.json|LICENSE|README\.md|CHANGELOG\.md|docs\/.+\.md|src\/.+\.ts|dist\/.+\.(js|d\.ts)(\.map)?)$/;
    expect(shipped.filter((path) => !wanted.test(path))).toEqual([]);
    expect(shipped).toEqual(expect.arrayContaining(["LICENSE", "package.json"]));
  });

  it("ships no tests and no tools of tests", () => {
    expect(shipped.filter((path) => /\.test(-d)?\.|flow\/walk\./.test(path))).toEqual([]);
  });

  it("maps each file of the build to a source that ships", async () => {
    const installed = join(consumer, "node_modules", "stepwell");
    const built = shipped.filter((path) => /\.(js|d\.ts)$/.test(path) && path.startsWith("dist/"));
    const lost: string[] = [];
    for (const path of built) {
      const map: { sources: string[] } = JSON.parse(await readFile(join(installed, `${path}.map`), "utf8"));
      if (map.sources.length !== 1) lost.push(path);
      for (const source of map.sources) {
        if (!shipped.includes(posix.join(posix.dirname(path), source))) lost.push(`${path}: ${source}`);
      }
    }
    expect(built.length).toBeGreaterThan(100);
    expect(lost).toEqual([]);
  });

  it("leads a stack trace into the sources", async () => {
    const code = `import { workflow } from "stepwell"; try { workflow(""); } catch (error) { console.log(error.stack); }`;
    const trace = await run(process.execPath, ["--enable-source-maps", "--input-type=module", "-e", code], consumer);
    expect(trace).toMatch(/stepwell\/src\/definition\/\w[\w-]*\.ts:\d+/);
  });

  it("says on its page what it is, whose it is and where it may be used", () => {
    expect(manifest).toMatchObject({
      description: expect.stringMatching(/^.{40,160}$/) as string,
      license: "MIT",
      author: expect.any(String) as string,
      engines: { node: expect.any(String) as string },
    });
    expect(manifest.keywords.length).toBeGreaterThan(5);
  });

  it("holds every file that its manifest points at", () => {
    const targets = [...Object.values(manifest.exports), ...Object.values(manifest.bin)]
      .flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)))
      .map((target) => target.replace(/^\.\//, ""));
    expect(targets.filter((target) => !shipped.includes(target))).toEqual([]);
  });

  it.each(entries)("lets a project import %s without the optional peers", async (entry) => {
    const code = `const { length } = Object.keys(await import("${entry}")); console.log(length > 0);`;
    expect(await run(process.execPath, ["--input-type=module", "-e", code], consumer)).toBe("true\n");
  });

  it("keeps its inner rooms to itself", async () => {
    const code = `await import("stepwell/dist/engine/launcher.js").catch((error) => console.log(error.code));`;
    expect(await run(process.execPath, ["--input-type=module", "-e", code], consumer)).toBe(
      "ERR_PACKAGE_PATH_NOT_EXPORTED\n",
    );
  });

  it("runs the first example of the README as it stands there, without a compiler", async () => {
    const page = await readFile(join(root, "README.md"), "utf8");
    const [, code = "", printed = ""] = /^```ts run\n([^]*?)^```$[^`]*```text\n([^]*?)```$/m.exec(page) ?? [];
    for (const name of ["zod", "@photostructure/sqlite"]) await link(name);
    await writeFile(join(consumer, "example.mjs"), code);
    expect(await run(process.execPath, ["example.mjs"], consumer)).toBe(printed);
    expect(printed).toContain("rolledBack");
  });

  it.each(Object.keys(manifest.bin))("answers to %s --help", async (name) => {
    const program = join(consumer, "node_modules", "stepwell", manifest.bin[name] ?? "");
    expect(await readFile(program, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(await run(process.execPath, [program, "--help"], consumer)).toContain(name);
  });
});

describe("the types of the packed package", () => {
  beforeAll(async () => {
    for (const name of ["@types/node", "undici-types", "zod", ...Object.keys(manifest.peerDependencies)]) {
      await link(name);
    }
    const compilerOptions = {
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    };
    await writeFile(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  });

  it("check in a strict project that checks its libraries too", async () => {
    const imports = entries.map((entry, index) => `import * as entry${index} from "${entry}";`);
    const use = `
      import { workflow, pause, Launcher } from "stepwell";
      import { postgresStore } from "stepwell/postgres";
      import { sqliteStore } from "stepwell/sqlite";
      import { logger } from "stepwell/observers/logger";
      import { z } from "zod";
      const greet = workflow("greet", { input: z.object({ name: z.string() }) })
        .step("write", { run: async ({ state }) => ({ letter: \`Dear \${state.name}\` }) })
        .step("post", { run: async ({ state }) => ({ size: state.letter.length }) })
        .observe(logger());
      export async function main(): Promise<number | undefined> {
        const url = process.env["DATABASE_URL"];
        const store = url === undefined ? sqliteStore("greetings.db") : postgresStore(url, { schema: "greetings" });
        await using launcher = new Launcher({ store, workflows: [greet] });
        await launcher.start();
        const execution = await launcher.launch(greet, { name: "you" }, { id: "greet-1" });
        const outcome = await execution.outcome();
        // @ts-expect-error: the input has a name that is text.
        await launcher.launch(greet, { name: 1 });
        return outcome.status === "completed" ? outcome.state.size : undefined;
      }
      export const all = [pause, ${entries.map((_, index) => `entry${index}`).join(", ")}];`;
    await writeFile(join(consumer, "main.ts"), [...imports, use].join("\n"));
    expect(await run(process.execPath, [tsc, "-p", "."], consumer)).toBe("");
  });
});
