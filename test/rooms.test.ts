import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A room: the files that are in it, and what they may import. The lists stand in `.oxlintrc.json`. */
interface Room {
  readonly name: string;
  readonly files: string;
  readonly patterns: readonly string[];
}

interface LintRules {
  readonly "eslint/no-restricted-imports"?: "off" | readonly [string, { patterns: readonly { group: string[] }[] }];
}

const rooms = await readRooms();
const sources = (await readdir(join(root, "src"), { recursive: true }))
  .map((file) => `src/${file.replaceAll("\\", "/")}`)
  .filter((file) => file.endsWith(".ts") && !/\.test(-d)?\.ts$/.test(file));

async function readRooms(): Promise<Room[]> {
  const text = await readFile(join(root, ".oxlintrc.json"), "utf8");
  const config: { overrides: { files: string[]; rules: LintRules }[] } = JSON.parse(text.replace(/^\s*\/\/.*$/gm, ""));
  return config.overrides.flatMap(({ files, rules }) => {
    const rule = rules["eslint/no-restricted-imports"];
    if (rule === undefined || rule === "off") return [];
    const patterns = rule[1].patterns.flatMap(({ group }) => group);
    return files.map((glob) => ({ name: glob.replace(/(\/\*)+\.ts$/, ""), files: glob, patterns }));
  });
}

function fits(glob: string, text: string): boolean {
  const parts = glob.split(/(\*\*|\*)/).map((part) => {
    if (part === "**") return ".*";
    return part === "*" ? "[^/]*" : part.replace(/[.\\+?^${}()|[\]]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`).test(text);
}

/** As oxlint does: of the lists that fit a file, and of the patterns that fit an import, the last one counts. */
const roomOf = (file: string): Room | undefined => rooms.findLast((room) => fits(room.files, file));
const mayImport = (room: Room, specifier: string): boolean =>
  room.patterns.findLast((pattern) => fits(pattern.replace(/^!/, ""), specifier))?.startsWith("!") ?? true;

/** Without comments, since examples in them import as users do. */
const codeOf = async (file: string): Promise<string> =>
  (await readFile(join(root, file), "utf8")).replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");

const importsOf = (code: string): string[] =>
  [...code.matchAll(/(?<!["'])\b(?:from|import|require|getBuiltinModule)(?:\?\.)?\s*\(?\s*["']([^"']+)["']/g)].flatMap(
    ([, specifier]) => specifier ?? [],
  );

/** Those that are left when the program runs: the compiler drops what is marked as a type as a whole. */
const runTimeImportsOf = (code: string): string[] =>
  importsOf(code.replace(/(?<=^|;)\s*(?:import|export) type\b[^;]*;|\bimport\(["'][^"']+["']\)(?=\.[A-Z])/gm, ""));

type Imports = ReadonlyMap<string, readonly string[]>;

/** What of these files each imports when the program runs. */
async function runTimeImports(files: readonly string[]): Promise<Imports> {
  const imported = async (file: string): Promise<readonly string[]> =>
    runTimeImportsOf(await codeOf(file))
      .map((specifier) => posix.join(dirname(file), specifier).replace(/\.js$/, ".ts"))
      .filter((other) => files.includes(other));
  return new Map(await Promise.all(files.map(async (file) => [file, await imported(file)] as const)));
}

/** The longest path of files of which each imports the next. @throws where files import each other in a circle */
function longestPath(imports: Imports): readonly string[] {
  const known = new Map<string, readonly string[]>();
  const longestOf = (files: Iterable<string>, above: readonly string[]): readonly string[] => {
    let longest: readonly string[] = [];
    for (const file of files) {
      if (above.includes(file)) throw new Error(`a circle: ${[...above, file].join(" -> ")}`);
      const path = known.get(file) ?? [file, ...longestOf(imports.get(file) ?? [], [...above, file])];
      known.set(file, path);
      if (path.length > longest.length) longest = path;
    }
    return longest;
  };
  return longestOf(imports.keys(), []);
}

describe("the rooms of src/", () => {
  // The programs that `stepwell init` writes stand there as texts.
  it.each(sources.filter((file) => file !== "src/cli/templates.ts"))(
    "%s is in a room and imports only what that room may touch",
    async (file) => {
      const room = roomOf(file);
      if (!room) throw new Error(`${file} is in no room: .oxlintrc.json has no list of what it may import.`);
      expect(importsOf(await codeOf(file)).filter((specifier) => !mayImport(room, specifier))).toEqual([]);
    },
  );

  it("finds imports in every form", () => {
    const code = `
      import a, { b } from "./1.js"; import "./2.js"; export * from './3.js'; export { c } from "./4.js";
      import type { D } from "./5.js"; type E = import("./6.js").E; await import("./7.js");
      require("8"); process.getBuiltinModule?.("node:9");
      import {
        f,
      } from "./10.js";
      const words = ["from", "to"];`;
    const found = ["./1.js", "./2.js", "./3.js", "./4.js", "./5.js", "./6.js", "./7.js", "8", "node:9", "./10.js"];
    expect(importsOf(code)).toEqual(found);
  });

  it("tells the imports that are left when the program runs from those of types", () => {
    const code = `
      import { a, type B } from "./1.js"; import "./2.js"; export * from "./3.js"; await import("./4.js");
      import type { C } from "./5.js"; export type { D } from "./6.js"; type E = import("./7.js").E;
      import type {
        F,
      } from "./8.js";
      import { g } from "./9.js";`;
    expect(runTimeImportsOf(code)).toEqual(["./1.js", "./2.js", "./3.js", "./4.js", "./9.js"]);
  });

  it("finds the longest path of imports, and a circle", () => {
    const imports = new Map([
      ["a", ["b", "c"]],
      ["b", ["c"]],
      ["c", []],
      ["d", ["b"]],
    ]);
    expect(longestPath(imports)).toEqual(["a", "b", "c"]);
    expect(() => longestPath(new Map([...imports, ["c", ["d"]]]))).toThrow("a circle: a -> b -> c -> d -> b");
  });

  it("let no file import itself over others, when the program runs", async () => {
    const imports = await runTimeImports(sources);
    expect(() => longestPath(imports)).not.toThrow();
  });

  it("let no path of imports within session, runtime, worker and client be longer than 8 files, when the program runs", async () => {
    const engine = sources.filter((file) => /^src\/(?:session|runtime|worker|client)\//.test(file));
    const longest = longestPath(await runTimeImports(engine));
    expect(engine.length).toBeGreaterThan(100);
    expect(longest.length, longest.join(" -> ")).toBeLessThanOrEqual(8);
  });

  it("let no two rooms know each other, over however many others", () => {
    const neighbours = new Map<string, Set<string>>();
    for (const room of rooms) {
      const known = neighbours.get(room.name) ?? new Set();
      for (const pattern of room.patterns.filter((one) => one.startsWith("!."))) {
        const file = posix.join(dirname(room.files), pattern.slice(1)).replaceAll("*", "any").replace(/\.js$/, ".ts");
        const name = roomOf(file)?.name;
        expect(name, `${room.files} may import ${pattern.slice(1)}, which is in no room`).toBeDefined();
        if (name && name !== room.name) known.add(name);
      }
      neighbours.set(room.name, known);
    }
    const walk = (name: string, path: readonly string[]): void => {
      expect(path, `a ring of rooms: ${[...path, name].join(" -> ")}`).not.toContain(name);
      for (const next of neighbours.get(name) ?? []) walk(next, [...path, name]);
    };
    for (const name of neighbours.keys()) walk(name, []);
  });

  it.each([
    ["src/definition/step.ts", "../client/launcher.js"],
    ["src/definition/step.ts", "../clock.js"],
    ["src/execution/router.ts", "../clock.js"],
    ["src/execution/router.ts", "../stores/contract.js"],
    ["src/execution/router.ts", "node:fs"],
    ["src/client/client.ts", "../worker/worker.js"],
    ["src/worker/worker.ts", "../client/launcher.js"],
    ["src/runtime/loop.ts", "../worker/worker.js"],
    ["src/session/host.ts", "../runtime/loop.js"],
    ["src/execution/router.ts", "../session/host.js"],
    ["src/client/launcher.ts", "../stores/memory/memory-store.js"],
    ["src/client/launcher.ts", "../testing/virtual-clock.js"],
    ["src/client/launcher.ts", "node:timers/promises"],
    ["src/stores/memory/memory-store.ts", "../../client/launcher.js"],
    ["src/stores/memory/memory-store.ts", "../../execution/router.js"],
    ["src/stores/sqlite/index.ts", "../../client/launcher.js"],
    ["src/stores/sqlite/index.ts", "../memory/memory-store.js"],
    ["src/observers/logger.ts", "../client/launcher.js"],
    ["src/observers/logger.ts", "./changes.js"],
    ["src/observers/opentelemetry/traces.ts", "../logger.js"],
    ["src/testing/index.ts", "../stores/memory/memory-store.js"],
    ["src/testing/store-contract/index.ts", "vitest"],
    ["src/index.ts", "./stores/sqlite/index.js"],
    ["src/cli/main.ts", "../client/launcher.js"],
    ["src/cli/main.ts", "../clock.js"],
    ["src/cli/main.ts", "node:timers/promises"],
  ])("never let %s import %s", (file, specifier) => {
    const room = roomOf(file);
    expect(room && mayImport(room, specifier)).toBe(false);
  });
});

describe("the one door to time", () => {
  /** What oxlint has no rule for. */
  const readsTheClock = /\bnew Date\b(?!\s*\(\s*[^\s)])|(?<!new )(?<![.\w])Date\(/;

  it.each(sources.filter((file) => file !== "src/clock.ts"))("%s does not ask for today's date", async (file) => {
    expect(await codeOf(file)).not.toMatch(readsTheClock);
  });

  it("knows a date of today from another one", () => {
    for (const code of ["new Date()", "new Date( )", "new Date;", "Date()"]) expect(code).toMatch(readsTheClock);
    for (const code of ["new Date(at)", "value instanceof Date", "at: Date;"]) expect(code).not.toMatch(readsTheClock);
  });
});

describe("the lint rules", () => {
  let folder: string;
  let complaints: ReadonlyMap<string, readonly string[]>;

  const plantedIn = (room: Room): string => room.files.replaceAll("*", "planted");
  const candidatesFor = (room: Room): string[] => {
    const inside = [
      ...rooms.map(plantedIn),
      "src/stores/memory/memory-store.ts",
      "src/execution/position.ts",
      "src/definition/flow.ts",
    ];
    const seen = inside.map((file) => posix.relative(dirname(room.files), file).replace(/\.ts$/, ".js"));
    const outside = rooms.flatMap(({ patterns }) => patterns.filter((one) => /^!?[@\w][^*]*$/.test(one)));
    return [
      ...new Set([
        ...seen.map((path) => (path.startsWith(".") ? path : `./${path}`)),
        ...outside.map((one) => one.replace("!", "")),
        "vitest",
        "node:fs/promises",
        "node:timers/promises",
      ]),
    ];
  };

  const door = [
    ["setTimeout(() => {}, 1);", "eslint(no-restricted-globals)"],
    ["setInterval(() => {}, 1);", "eslint(no-restricted-globals)"],
    ["setImmediate(() => {});", "eslint(no-restricted-globals)"],
    ["performance.now();", "eslint(no-restricted-globals)"],
    ["crypto.randomUUID();", "eslint(no-restricted-globals)"],
    ["Date.now();", "eslint(no-restricted-properties)"],
    ["export const { now } = Date;", "eslint(no-restricted-properties)"],
    ["Math.random();", "eslint(no-restricted-properties)"],
    ["process.hrtime.bigint();", "eslint(no-restricted-properties)"],
    ["AbortSignal.timeout(1);", "eslint(no-restricted-properties)"],
    ["globalThis.setTimeout(() => {}, 1);", "eslint(no-restricted-properties)"],
  ] as const;

  const careless = [
    ["declare function later(): Promise<boolean>; later();", "typescript(no-floating-promises)"],
    ["if (later()) later.name.trim();", "typescript(no-misused-promises)"],
    ["export const list = [1].map((one): any => one);", "typescript(no-explicit-any)"],
    ["export default list;", "import(no-default-export)"],
  ] as const;

  const plant = async (file: string, lines: readonly string[]): Promise<void> => {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), lines.join("\n"));
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stepwell-rooms-"));
    for (const file of [".oxlintrc.json", "tsconfig.json"]) await cp(join(root, file), join(folder, file));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    for (const room of rooms) {
      const imports = candidatesFor(room).map((one, index) => `import { createHash as name${index} } from "${one}";`);
      await plant(plantedIn(room), [...imports, `import { randomUUID } from "node:crypto";`]);
    }
    const doorLines = door.map(([line]) => line);
    await plant("src/runtime/door.ts", doorLines);
    await plant("src/runtime/door.test.ts", doorLines);
    await plant("src/stores/sqlite/door.ts", doorLines);
    const carelessLines = careless.map(([line]) => line);
    await plant("src/runtime/careless.ts", carelessLines);
    await plant("src/runtime/long.ts", ["export function long(): void {", ...Array(400).fill("  void 0;"), "}"]);
    complaints = await lint();
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function lint(): Promise<Map<string, string[]>> {
    const bin = join(root, "node_modules", "oxlint", "bin", "oxlint");
    const { stdout } = await promisify(execFile)(process.execPath, [bin, "--format", "json", "src"], {
      cwd: folder,
      maxBuffer: 2 ** 26,
    }).catch((failed: { stdout: string }) => failed);
    const report: { diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[] } =
      JSON.parse(stdout);
    const found = new Map<string, string[]>();
    for (const { code, filename, labels } of report.diagnostics) {
      const place = `${filename.replaceAll("\\", "/")}:${labels[0]?.span.line}`;
      found.set(place, [...(found.get(place) ?? []), code]);
    }
    return found;
  }

  const saidOf = (file: string, index: number): readonly string[] => complaints.get(`${file}:${index + 1}`) ?? [];

  it.each(rooms)("refuse every import that $files may not have, and no other", (room) => {
    const candidates = candidatesFor(room);
    const refused = candidates.filter((_, index) =>
      saidOf(plantedIn(room), index).includes("eslint(no-restricted-imports)"),
    );
    expect(refused).toEqual(candidates.filter((specifier) => !mayImport(room, specifier)));
    expect(refused).not.toEqual([]);
  });

  it.each(rooms)("let no random number into $files", (room) => {
    expect(saidOf(plantedIn(room), candidatesFor(room).length)).toContain("eslint(no-restricted-imports)");
  });

  it.each(["src/runtime/door.ts", "src/stores/sqlite/door.ts"])("keep the door to time shut in %s", (file) => {
    for (const [index, [line, code]] of door.entries()) expect(saidOf(file, index), line).toContain(code);
  });

  it("leave tests the real clock", () => {
    for (const [index, [line, code]] of door.entries()) {
      expect(saidOf("src/runtime/door.test.ts", index), line).not.toContain(code);
    }
  });

  it("see a promise that nobody awaits, an `any`, and a default export", () => {
    for (const [index, [line, code]] of careless.entries()) {
      expect(saidOf("src/runtime/careless.ts", index), line).toContain(code);
    }
  });

  it("see a file and a function that are too long", () => {
    const codes = [...complaints]
      .filter(([place]) => place.startsWith("src/runtime/long.ts:"))
      .flatMap(([, said]) => said);
    expect(codes).toContain("eslint(max-lines)");
    expect(codes).toContain("eslint(max-lines-per-function)");
  });
});

describe("what the pages say of the files", () => {
  it("holds: each file of the pure room has its test beside it, save the shapes of what is stored", () => {
    const pure = sources.filter((file) => file.startsWith("src/execution/"));
    const untested = pure.filter((file) => !existsSync(join(root, file.replace(/\.ts$/, ".test.ts"))));
    expect(untested).toEqual(["src/execution/records.ts", "src/execution/time.ts"]);
  });

  it("holds: each file of the SQLite store has one of the same name in the PostgreSQL store, save what only a file needs", () => {
    // A server keeps long values apart by itself, finds a history by an index, and walks several ways in one statement.
    const ofFiles = ["beside", "history", "landmarks", "places", "walks"].map((name) => `src/stores/sqlite/${name}.ts`);
    const own = sources.filter((file) => file.startsWith("src/stores/sqlite/") && !ofFiles.includes(file));
    expect(sources).toEqual(expect.arrayContaining(ofFiles));
    const counterparts = own.map((file) => file.replaceAll("sqlite", "postgres"));
    expect(own.length).toBeGreaterThan(10);
    expect(counterparts.filter((file) => !sources.includes(file))).toEqual([]);
  });
});
