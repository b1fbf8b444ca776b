import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { membersProgram } from "./support/members.js";
import { pageSize } from "./support/page-size.js";
import { storeContract } from "../src/testing/store.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const vite = join(root, "node_modules", "vite", "bin", "vite.js");
const tsx = join(root, "node_modules", "tsx", "dist", "loader.mjs");
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
/** In bytes, by path. */
let sizes: ReadonlyMap<string, number>;

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
  await run(process.execPath, ["scripts/unmap-desk.mjs"], copy);
  await run(process.execPath, [vite, "build", "--logLevel", "error"], copy);
  const answer = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], copy);
  const [{ filename, files }]: [{ filename: string; files: { path: string; size: number }[] }] = JSON.parse(answer);
  sizes = new Map(files.map(({ path, size }) => [path, size]));
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

/** Built by another tool than the rest, from sources that do not ship. */
const page = "dist/desk/page/";

/** The maps of the desk weigh as much as the desk, and few users step through it: they do not ship. */
const unmapped = "dist/desk/";

/** A test under any runner: a workflow that is right, and one that charges twice. */
const exploring = `
import assert from "node:assert/strict";
import { workflow } from "stepwell";
import { explore, Participant } from "stepwell/testing";
import { z } from "zod";

const order = (bank) =>
  workflow("order", { input: z.object({ sku: z.string() }) })
    .step("reserve", { run: () => ({ reserved: true }), rollback: () => undefined })
    .step("charge", {
      run: async ({ idempotencyKey }) => ({ charge: bank.do("charge", idempotencyKey, 7) }),
      rollback: async ({ runKey }) => bank.undo("charge", runKey),
    });
const input = { sku: "book" };

test("an order is whole or without trace", async () => {
  const report = await explore(order, { input, world: () => new Participant() });
  assert.equal(report.histories, report.of);
  assert.ok(report.of > 25);
});

test("an order at a bank without keys is not", async () => {
  const explored = explore(order, { input, world: () => new Participant({ keys: false }) });
  await assert.rejects(explored, { code: "STEPWELL_COUNTEREXAMPLE", message: /"charge" .* stands twice/ });
});
`;

describe("the packed package", () => {
  it("ships the build, the sources, the documents and nothing else", () => {
    const wanted =
      /^(package\.json|LICENSE|README\.md|CHANGELOG\.md|docs\/.+\.(md|svg|json|yaml)|src\/.+\.ts|dist\/.+\.(js|d\.ts)(\.map)?|dist\/desk\/page\/(index\.html|assets\/.+\.(js|css|svg)))$/;
    expect(shipped.filter((path) => !wanted.test(path))).toEqual([]);
    expect(shipped).toEqual(expect.arrayContaining(["LICENSE", "package.json"]));
  });

  it("ships no tests and no tools of tests", () => {
    expect(shipped.filter((path) => /\.test(-d)?\.|flow\/walk\./.test(path))).toEqual([]);
  });

  it("maps each file of the build to a source that ships", async () => {
    const installed = join(consumer, "node_modules", "stepwell");
    const built = shipped.filter(
      (path) => /\.(js|d\.ts)$/.test(path) && path.startsWith("dist/") && !path.startsWith(unmapped),
    );
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

  it("points at no map that does not ship", async () => {
    const pointing: string[] = [];
    for (const path of shipped.filter((it) => /^dist\/.+\.(js|d\.ts)$/.test(it) && !it.startsWith(page))) {
      const text = await readFile(join(consumer, "node_modules", "stepwell", path), "utf8");
      const [, map] = /^\/\/# sourceMappingURL=(.+)$/m.exec(text) ?? [];
      if (map !== undefined && !shipped.includes(posix.join(posix.dirname(path), map))) pointing.push(path);
    }
    expect(pointing).toEqual([]);
  });

  it("ships the desk's page without its sources, and has grown by the desk by no more than 700 KiB", () => {
    const desk = [...sizes].filter(([path]) => /^(dist|src)\/desk\//.test(path));
    expect(shipped).toContain(`${page}index.html`);
    expect(shipped.filter((path) => path.startsWith("src/desk/page/"))).toEqual([]);
    expect(desk.reduce((sum, [, size]) => sum + size, 0) / 1024).toBeLessThan(700);
  });

  it("has a page that weighs no more than 180 KiB in all, and 60 KiB to the first list", () => {
    const { all, first } = pageSize(join(consumer, "node_modules", "stepwell", page));
    expect(first).toBeGreaterThan(10);
    expect(first).toBeLessThan(60);
    expect(all).toBeGreaterThan(first);
    expect(all).toBeLessThan(180);
  });

  it("bundles what the page is made of: who installs the package installs none of it", () => {
    const bundled = ["preact", "@base-ui/react", "@tanstack/react-query", "@tanstack/react-virtual", "wouter", "uplot"];
    const installed = { ...manifest.dependencies, ...manifest.peerDependencies };
    expect(bundled.filter((name) => Object.hasOwn(installed, name))).toEqual([]);
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

  it("lets a CommonJS project require it, and compile against it", async () => {
    const code = `const { workflow } = require("stepwell"); console.log(typeof workflow);`;
    await writeFile(join(consumer, "old.cjs"), code);
    expect(await run(process.execPath, ["old.cjs"], consumer)).toBe("function\n");
    await writeFile(join(consumer, "old.cts"), `import { workflow } from "stepwell"; export const made = workflow;`);
    const options = ["--noEmit", "--skipLibCheck", "--target", "es2023", "--types", ""];
    expect(await run(process.execPath, [tsc, ...options, "--module", "nodenext", "old.cts"], consumer)).toBe("");
    await expect(run(process.execPath, [tsc, ...options, "--module", "node16", "old.cts"], consumer)).rejects.toThrow(
      "TS1479",
    );
  });

  it("keeps its inner rooms to itself", async () => {
    const code = `await import("stepwell/dist/client/launcher.js").catch((error) => console.log(error.code));`;
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
    // As a folder is after `npm init`, in which nothing says that files are modules.
    const fresh = join(folder, "fresh");
    await mkdir(fresh);
    await writeFile(join(fresh, "package.json"), JSON.stringify({ type: "commonjs" }));
    await symlink(join(consumer, "node_modules"), join(fresh, "node_modules"), "junction");
    for (const [file, ...loading] of [["example.mjs"], ["example.mts", "--import", pathToFileURL(tsx).href]]) {
      await rm(join(fresh, "orders.db"), { force: true });
      await writeFile(join(fresh, file!), code);
      expect(await run(process.execPath, [...loading, file!], fresh)).toBe(printed);
    }
  });

  it.each([
    ["node:test", ["--test", "explore.test.mjs"], `import { test } from "node:test";`],
    ["vitest", ["node_modules/vitest/vitest.mjs", "run", "--root", "."], `import { test } from "vitest";`],
    ["jest", ["--experimental-vm-modules", "node_modules/jest/bin/jest.js", "--rootDir", "."], ""],
  ])("explores a workflow under %s", async (runner, args, importing) => {
    const project = join(consumer, runner.replace(":", "-"));
    await mkdir(project, { recursive: true });
    await writeFile(join(project, "explore.test.mjs"), `${importing}\n${exploring}`);
    const config = { type: "module", jest: { testMatch: ["**/*.test.mjs"], transform: {} } };
    await writeFile(join(project, "package.json"), JSON.stringify(config));
    for (const name of ["zod", "vitest", "jest"]) await link(name);
    await symlink(join(consumer, "node_modules"), join(project, "node_modules"), "junction");
    const answer = promisify(execFile)(process.execPath, args, {
      cwd: project,
      env: { ...process.env, NO_COLOR: "1" },
    });
    const { stdout, stderr } = await answer;
    expect(stdout + stderr).toMatch(/pass 2|2 passed/);
  });

  it("lets a stranger write a store in less than 250 lines that does what every store must do, and says what it does not have", async () => {
    for (const name of ["@types/node", "undici-types"]) await link(name);
    await cp(join(root, "examples", "json-store"), join(consumer, "json-store"), { recursive: true });
    const code = await readFile(join(consumer, "json-store", "json-store.ts"), "utf8");
    expect(code.trimEnd().split("\n").length).toBeLessThan(250);
    const options = ["--strict", "--target", "es2023", "--module", "nodenext", "--types", "node", "--outDir", "made"];
    expect(await run(process.execPath, [tsc, ...options, "json-store/suite.ts"], consumer)).toBe("");
    const told = await run(process.execPath, ["--test-reporter=tap", "made/suite.js"], consumer);
    const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(told)?.[1]);
    expect(told).toMatch(/^# fail 0$/m);
    expect(count("pass")).toBe(storeContract.filter(({ needs }) => needs.length === 0).length);
    expect(count("skipped")).toBe(storeContract.length - count("pass"));
    expect(told).toMatch(/^ok \d+ - a schedule is read back .* # SKIP the store has no "schedules"$/m);
  });

  it.each(Object.keys(manifest.bin))("answers to %s --help", async (name) => {
    const program = join(consumer, "node_modules", "stepwell", manifest.bin[name] ?? "");
    expect(await readFile(program, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(await run(process.execPath, [program, "--help"], consumer)).toContain(name);
  });
});

/** The oldest compilers that are supported, and the one that builds it. */
const compilers = { "5.9": "typescript-5.9", "6.0": "typescript-6.0", "7.0": "typescript" } as const;
type Version = keyof typeof compilers;
const versions = Object.keys(compilers) as Version[];
/** What one in between says, these two say: the trials that take long are for them. */
const ends = ["5.9", "7.0"] as const;

function instantiationsIn(diagnostics: string): number {
  const [, instantiations] = /^Instantiations:\s+(\d+)/m.exec(diagnostics) ?? [];
  return Number(instantiations);
}

describe("the types of the packed package", { timeout: 240_000 }, () => {
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    // A type that no entry point names is an error where a declaration is made of it.
    declaration: true,
  };

  beforeAll(async () => {
    for (const name of ["@types/node", "undici-types", "zod", ...Object.keys(manifest.peerDependencies)]) {
      await link(name);
    }
    await cp(join(root, "test", "compilers"), consumer, { recursive: true });
  });

  /** What the compiler says of one file. */
  async function compiled(file: string, version: Version, options: object = {}, ...flags: string[]): Promise<string> {
    const config = `${file}.json`;
    await writeFile(
      join(consumer, config),
      JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, files: [file] }),
    );
    const program = join(root, "node_modules", compilers[version], "bin", "tsc");
    const args = [program, "-p", config, "--pretty", "false", ...flags];
    const answer = promisify(execFile)(process.execPath, args, { cwd: consumer, maxBuffer: 2 ** 26 });
    return (await answer.catch((failed: { stdout: string }) => failed)).stdout;
  }

  it("of all entry points check in a project that checks its libraries too", async () => {
    const imports = entries.map((entry, index) => `export * as entry${index} from "${entry}";`);
    await writeFile(join(consumer, "entries.ts"), imports.join("\n"));
    expect(await compiled("entries.ts", "7.0", { exactOptionalPropertyTypes: true })).toBe("");
  });

  it.each(ends)("have a name for all that a program infers of them, under TypeScript %s", async (version) => {
    const program = membersProgram(entries, consumer);
    expect(program.split("\n").length).toBeGreaterThan(1500);
    await writeFile(join(consumer, "members.ts"), program);
    expect(await compiled("members.ts", version)).toBe("");
  });

  it.each([
    ...versions.map((version) => ({ version, name: "not strict", options: { strict: false } })),
    ...versions.map((version) => ({ version, name: "strict, exactly", options: { exactOptionalPropertyTypes: true } })),
    { version: "7.0" as const, name: "strict", options: {} },
  ])("suit a project under TypeScript $version, $name", async ({ version, options }) => {
    expect(await compiled("consumer.ts", version, options)).toBe("");
  });

  it.each(ends)("refuse mistakes where they are written, in words, under TypeScript %s", async (version) => {
    const lines = (await readFile(join(root, "test", "compilers", "mistakes.ts"), "utf8")).split("\n");
    const mark = /^ *\/\/ @ts-expect-error (.*)$/;
    await writeFile(join(consumer, "mistakes.ts"), lines.map((line) => (mark.test(line) ? "//" : line)).join("\n"));
    const answer = await compiled("mistakes.ts", version, { exactOptionalPropertyTypes: true });
    const said = new Map<number, string>();
    for (const [, line = "", text = ""] of answer.matchAll(
      /^mistakes\.ts\((\d+),\d+\): ([^]*?)(?=^mistakes|$(?![^]))/gm,
    )) {
      said.set(Number(line), (said.get(Number(line)) ?? "") + text);
    }
    const wanted = lines.flatMap((line, index) => {
      const [, text] = mark.exec(line) ?? [];
      return text === undefined ? [] : [[index + 2, text] as const];
    });
    expect([...said.keys()].toSorted((a, b) => a - b)).toEqual(wanted.map(([line]) => line));
    expect(wanted.filter(([line, text]) => !said.get(line)!.includes(text))).toEqual([]);
    expect(wanted.length).toBeGreaterThan(30);
  });

  it.each(versions)(
    "carry a hundred steps at a cost that grows with their number, under TypeScript %s",
    async (version) => {
      const steps = Array.from({ length: 100 }, (_, step) => {
        const fields = Array.from(
          { length: (step % 5) + 1 },
          (_, field) => `f${step}_${field}: ${field % 2 ? 1 : '"x"'}`,
        );
        return `.step("step-${step}", {
        run: async ({ state }) => ({ ${fields.join(", ")}, seen: state.sku }),
        rollback: async ({ state }) => void state.f${step}_0?.length,
      })`;
      });
      const code = `import { workflow, type HalfDoneOf, type StateOf } from "stepwell";
      import { z } from "zod";
      export const long = workflow("long", { input: z.object({ sku: z.string() }) })${steps.join("\n")};
      export const last: StateOf<typeof long>["f99_0"] = "x";
      export const maybe: HalfDoneOf<typeof long>["f0_0"] = undefined;
      export const hovered: 0 = (null as unknown as StateOf<typeof long>);`;
      await writeFile(join(consumer, "long.ts"), code);
      const answer = await compiled(
        "long.ts",
        version,
        { declaration: false },
        "--extendedDiagnostics",
        "--noErrorTruncation",
      );
      const [error = "", ...others] = answer.split("\n").filter((line) => line.includes("error TS"));
      expect(others).toEqual([]);
      // A flat object, as an editor shows it.
      expect(error).toMatch(
        /^long\.ts\(\d+,\d+\): error TS2322: Type '\{ sku: string; [^{}&]*\}' is not assignable to type '0'/,
      );
      expect(instantiationsIn(answer)).toBeLessThan(4_000_000);
    },
  );

  it("carry a parallel step of ten workflows and a list at less cost than ten steps", async () => {
    const ten = Array.from({ length: 10 }, (_, index) => index);
    const children = ten.map(
      (
        index,
      ) => `const c${index} = workflow("c${index}", { input: z.object({ sku: z.string(), n${index}: z.number() }) })
        .step("do", { run: async ({ state }) => ({ out${index}: state.sku }), rollback: ({ state }) => void state.out${index} });`,
    );
    const header = `import { workflow, type StateOf } from "stepwell";
      import { z } from "zod";
      ${children.join("\n")}
      const parent = workflow("p", { input: z.object({ sku: z.string(), lines: z.array(z.object({ sku: z.string() })) }) });
      export const known = [${ten.map((index) => `c${index}`).join(", ")}];`;
    const steps = ten.map(
      (index) => `.step("s${index}", {
        run: async ({ state }) => ({ f${index}: state.sku }),
        rollback: async ({ state }) => void state.f${index}?.length,
      })`,
    );
    const both = `.parallel("all", { ${ten.map((index) => `k${index}: c${index}`).join(", ")} }, {
        input: ({ state: { sku } }) => ({ ${ten.map((index) => `k${index}: { sku, n${index}: 1 }`).join(", ")} }),
        join: ({ byKey }) => ({ ${ten.map((index) => `f${index}: byKey.k${index}.state.out${index}`).join(", ")} }),
      })
      .forEach("each", c0, {
        items: ({ state }) => state.lines,
        input: ({ item, index }) => ({ sku: item.sku, n0: index }),
        join: ({ children }) => ({ outs: children.map(({ state }) => state.out0) }),
      })`;
    const cost = async (made: string): Promise<number> => {
      const code = `${header}\nexport const made = parent${made};\nexport const last: StateOf<typeof made>["f9"] = "x";`;
      await writeFile(join(consumer, "children.ts"), code);
      const answer = await compiled("children.ts", "7.0", { declaration: false }, "--extendedDiagnostics");
      expect(answer).not.toContain("error TS");
      return instantiationsIn(answer);
    };
    expect(await cost(both)).toBeLessThan(await cost(steps.join("\n")));
  });
});
