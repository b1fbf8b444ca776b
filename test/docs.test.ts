import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultRollbackRetry } from "../src/definition/retry-policy.js";
import { errorCodes } from "../src/errors.js";
import { commandReference } from "./support/command-reference.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
}

interface Block {
  readonly file: string;
  /** The language, and the words after it: `ts run`. */
  readonly info: string;
  readonly code: string;
}

const manifest: Manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const pages = new Map<string, string>();
for (const file of await pagesIn(root)) pages.set(file, await readFile(join(root, file), "utf8"));
const blocks = [...pages].flatMap(([file, text]) => blocksOf(file, text));

async function pagesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!/^(\..*|node_modules|dist|coverage)$/.test(entry.name)) found.push(...(await pagesIn(path)));
    } else if (entry.name.endsWith(".md")) found.push(relative(root, path).replaceAll("\\", "/"));
  }
  return found;
}

function blocksOf(file: string, text: string): Block[] {
  return [...text.matchAll(/^```(.+)\n([^]*?)^```$/gm)].map(([, info = "", code = ""]) => ({ file, info, code }));
}

function page(file: string): string {
  const text = pages.get(file);
  if (text === undefined) throw new Error(`There is no ${file}.`);
  return text;
}

/** What the page says after an example. */
function after({ file, code }: Block): string {
  return page(file).split(`${code}\`\`\``)[1]!;
}

/** What stands below a heading, up to the next one of the same or a higher level. */
function section(file: string, heading: string): string {
  const [, level = "", text] =
    new RegExp(`^(#+) ${heading}\\n([^]*)`, "m").exec(page(file).replace(/^```[^]*?^```$/gm, "")) ?? [];
  if (text === undefined) throw new Error(`${file} has no heading "${heading}".`);
  return text.split(new RegExp(`^#{1,${level.length}} `, "m"))[0]!;
}

/** The code words in the first column of the tables of a section. */
function firstColumn(file: string, heading: string): string[] {
  return [...section(file, heading).matchAll(/^\| `([^`]+)`/gm)].map(([, word = ""]) => word);
}

/** As GitHub makes them from headings. */
function anchorsOf(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-"),
  );
}

/** A folder inside the repository, so that the examples find the libraries that it has installed. */
let folder: string;

beforeAll(async () => {
  await mkdir(join(root, ".tmp"), { recursive: true });
  folder = await mkdtemp(join(root, ".tmp", "docs-"));
  const paths = Object.entries(manifest.exports).flatMap(([entry, target]) =>
    typeof target === "string"
      ? []
      : [[posix.join("stepwell", entry), [target.types.replace("./dist/", "../../src/").replace(/\.d\.ts$/, ".ts")]]],
  );
  const compilerOptions = { paths: Object.fromEntries(paths), moduleDetection: "force" };
  const config = { extends: "../../tsconfig.json", compilerOptions, include: ["*.ts"] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the examples", () => {
  const examples = blocks.filter(({ info }) => info.startsWith("ts"));
  const nameOf = (block: Block): string =>
    `${block.file.replaceAll(/\W/g, "-")}-${blocks.filter(({ file }) => file === block.file).indexOf(block)}.ts`;

  it("all compile", async () => {
    for (const block of examples) await writeFile(join(folder, nameOf(block)), block.code);
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", folder]).catch((failed: { stdout: string }) => failed);
    expect(stdout).toBe("");
    expect(examples.length).toBeGreaterThan(1);
  });

  it.each(examples.filter(({ info }) => info === "ts run"))("of $file prints what the page says", async (block) => {
    const name = nameOf(block);
    await writeFile(join(folder, name), block.code);
    const { stdout } = await run(process.execPath, ["--import", "tsx", name], { cwd: folder });
    const [, expected = ""] = /^[^`]*```text\n([^]*?)```\n/.exec(after(block)) ?? [];
    expect(stdout).toBe(expected);
  });

  it("begin with one in the README that has at most 30 lines", () => {
    const [first] = examples.filter(({ file }) => file === "README.md");
    expect(first?.info).toBe("ts run");
    expect(first?.code.trimEnd().split("\n").length).toBeLessThanOrEqual(30);
  });
});

describe("the pages", () => {
  it.each([...pages.keys()])("%s links to files and headings that exist", async (file) => {
    const prose = page(file).replace(/^```[^]*?^```$/gm, "");
    const broken: string[] = [];
    for (const [, target = ""] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const linked = path === "" ? file : posix.join(dirname(file), path);
      const exists = await stat(join(root, linked)).then(
        () => true,
        () => false,
      );
      if (!exists || (anchor !== undefined && !anchorsOf(pages.get(linked) ?? "").includes(anchor)))
        broken.push(target);
    }
    expect(broken).toEqual([]);
  });

  it.each([...pages.keys()])("%s names only commands that exist", (file) => {
    const named = [...page(file).matchAll(/\bnpm run ([\w:]+)/g)].map(([, script = ""]) => script);
    expect(named.filter((script) => script !== "name" && !(script in manifest.scripts))).toEqual([]);
  });
});

describe("the tables and lists", () => {
  it("README.md lists the entry points of the package, all and no other", () => {
    const entries = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json");
    const listed = firstColumn("README.md", "Entry points");
    expect(listed.toSorted()).toEqual(entries.map((entry) => posix.join("stepwell", entry)).toSorted());
  });

  it("docs/errors.md explains every code, and no other", () => {
    const explained = [...page("docs/errors.md").matchAll(/^### (STEPWELL_\w+)$/gm)].map(([, code = ""]) => code);
    expect(explained.toSorted()).toEqual(Object.keys(errorCodes).toSorted());
  });

  it.each([
    ["Options of a launcher", "session/options.ts", "LauncherOptions"],
    ["Options of a launch", "definition/asking.ts", "LaunchOptions"],
    ["Options of a retry policy", "definition/retry-policy.ts", "RetryPolicy"],
    ["Options of a workflow", "definition/workflow.ts", "WorkflowOptions"],
    ["Options of the SQLite store", "stores/sqlite/index.ts", "SqliteStoreOptions"],
    ["Options of the PostgreSQL store", "stores/postgres/index.ts", "PostgresStoreOptions"],
  ])("docs/guide.md: %s are those that the code has", async (heading, file, type) => {
    const source = await readFile(join(root, "src", file), "utf8");
    const [, body = ""] = new RegExp(`^export interface ${type}\\b[^]*?\\{\\n([^]*?)^\\}`, "m").exec(source) ?? [];
    const options = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option = ""]) => option);
    expect(options).not.toEqual([]);
    expect(firstColumn("docs/guide.md", heading).toSorted()).toEqual(options.toSorted());
  });

  it("docs/operating.md: the options of a client are those that the code has", async () => {
    const source = await readFile(join(root, "src/session/options.ts"), "utf8");
    const [, body = ""] = /^export interface ClientOptions \{\n([^]*?)^\}/m.exec(source) ?? [];
    const options = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option = ""]) => option);
    expect(options).not.toEqual([]);
    expect(firstColumn("docs/operating.md", "Ask without driving").toSorted()).toEqual(options.toSorted());
  });

  it("docs/guide.md: Options of a step are those that the code has", async () => {
    const source = await readFile(join(root, "src", "definition", "step.ts"), "utf8");
    const [, names = ""] = /^const optionNames = \[([^]*?)\]/m.exec(source) ?? [];
    const options = [...names.matchAll(/"(\w+)"/g)].map(([, option = ""]) => option);
    expect(options).not.toEqual([]);
    expect(firstColumn("docs/guide.md", "Options of a step").toSorted()).toEqual(options.toSorted());
  });

  it("README.md and ARCHITECTURE.md count the methods and the capabilities of a store as the contract has them", async () => {
    const source = await readFile(join(root, "src/stores/contract.ts"), "utf8");
    const bodyOf = (name: string): string =>
      new RegExp(`^export interface ${name}\\b.*\\{\\n([^]*?)^\\}`, "m").exec(source)?.[1] ?? "";
    const capabilities = [...bodyOf("Capabilities").matchAll(/^ {2}readonly (\w+)\?: \w+Store;/gm)].map(
      ([, name = ""]) => name,
    );
    const methods = [...bodyOf("Store").matchAll(/^ {2}(\w+)[(<]/gm)].length;
    const numbers = ["five", "six", "seven", "eight"][capabilities.length - 5]!;
    expect(page("README.md")).toContain(`${methods} methods, ${numbers} capabilities`);
    const told = section("ARCHITECTURE.md", "The contract of the stores").replaceAll("\n", " ");
    expect(told).toContain(`${methods} methods that every store must have, and ${numbers} capabilities`);
    expect(told).toContain(`${capabilities.map((name) => `\`${name}\``).join(", ")}. `);
  });

  it("docs/operating.md says for how long an undo is retried by default", () => {
    expect(defaultRollbackRetry).toMatchObject({ attempts: Infinity, within: 24 * 60 * 60_000 });
    expect(section("docs/operating.md", "Before it matters: `stepwell check`")).toContain(
      "by default it is retried for a day",
    );
  });

  it("docs/command-line.md says of each command what its help says", () => {
    // Tables are padded, and texts escaped, as Prettier wants them.
    const plain = (text: string): string =>
      text
        .replaceAll(/[\s\\]+|-{3,}/g, " ")
        .replaceAll(/ +/g, " ")
        .trim();
    expect(plain(page("docs/command-line.md"))).toContain(plain(commandReference()));
  });

  it("docs/desk.md: the options of the desk are those that the code has", async () => {
    const source = await readFile(join(root, "src/desk/http/options.ts"), "utf8");
    const [, body = ""] = /^export interface DeskOptions \{\n([^]*?)^\}/m.exec(source) ?? [];
    const options = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option = ""]) => option);
    expect(options).not.toEqual([]);
    expect(firstColumn("docs/desk.md", "Mount it for others").toSorted()).toEqual(options.toSorted());
  });
});
