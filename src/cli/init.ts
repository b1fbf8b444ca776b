/** `stepwell init`: a first workflow, a program that drives it and a test, in an empty folder or in a project that is there. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { StepwellError } from "../index.js";
import type { Screen } from "./screen.js";
import { launcherText, testText, workflowText } from "./templates.js";
import { clean, jsonLine, messageOf } from "./text.js";

export interface InitOptions {
  readonly json?: boolean;
}

interface Manifest {
  name?: string;
  type?: string;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** @param version of this package: the project asks for the same */
export function init(folder: string | undefined, version: string, options: InitOptions, screen: Screen): void {
  const root = resolve(folder ?? ".");
  mkdirSync(root, { recursive: true });
  const manifestPath = join(root, "package.json");
  const isNew = !existsSync(manifestPath);
  const manifest = isNew ? freshManifest(root) : readManifest(manifestPath);
  // In a project of CommonJS modules these are modules all the same.
  const extension = manifest.type === "module" ? "ts" : "mts";
  const own = join(root, "stepwell");
  const files: Record<string, string> = {
    [join(own, `fulfil-order.${extension}`)]: workflowText,
    [join(own, `launcher.${extension}`)]: launcherText(extension),
    [join(own, `fulfil-order.test.${extension}`)]: testText(extension),
  };
  const there = Object.keys(files).filter((file) => existsSync(file));
  if (there.length > 0) {
    const names = there.map((file) => relative(root, file)).join(", ");
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `init: ${names} is there already. Nothing was written.`);
  }
  const tsconfig = join(root, "tsconfig.json");
  if (!existsSync(tsconfig)) files[tsconfig] = tsconfigText;
  if (isNew) files[join(root, ".gitignore")] = "node_modules/\n*.db\n*.db-*\n";
  files[manifestPath] = manifestText(
    manifest,
    extension,
    version,
    isNew ? undefined : readFileSync(manifestPath, "utf8"),
  );
  mkdirSync(own, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(file, text);
  const written = Object.keys(files).map((file) => relative(root, file));
  const next = nextSteps(root, folder);
  if (options.json === true) screen.result(jsonLine({ folder: root, written, next }));
  else
    screen.result(
      clean(`Written: ${written.join(", ")}.`) + `\n\nNext:\n${next.map((it) => `  ${clean(it)}`).join("\n")}`,
    );
}

function freshManifest(root: string): Manifest {
  const name = basename(root)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "");
  return { name: name === "" ? "workflows" : name, type: "module" };
}

function readManifest(path: string): Manifest {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Manifest;
  } catch (cause) {
    throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `init: ${path} can't be read: ${messageOf(cause)}`, { cause });
  }
}

/** Adds what is missing, and changes nothing that is there. */
function manifestText(manifest: Manifest, extension: string, version: string, before: string | undefined): string {
  const hasOwnSqlite = isAtLeast(process.versions.node, 22, 13);
  const scripts = {
    "workflows:start": `node --import tsx stepwell/launcher.${extension}`,
    "workflows:test": `node --import tsx --test stepwell/fulfil-order.test.${extension}`,
    "workflows:types": "tsc --noEmit -p .",
  };
  const dependencies = {
    ...(!hasOwnSqlite && { "@photostructure/sqlite": "1.2.1" }),
    stepwell: `^${version}`,
    zod: "^4.0.0",
  };
  const devDependencies = { "@types/node": "^20.19.0", tsx: "^4.20.0", typescript: "^5.9.0" };
  const all = { ...manifest.dependencies, ...manifest.devDependencies };
  const missing = (wanted: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(wanted).filter(([name]) => !Object.hasOwn(all, name)));
  const merged = {
    ...manifest,
    ...(before === undefined && { private: true }),
    scripts: { ...scripts, ...manifest.scripts },
    dependencies: { ...manifest.dependencies, ...missing(dependencies) },
    devDependencies: { ...manifest.devDependencies, ...missing(devDependencies) },
  };
  const indent = /^([ \t]+)"/m.exec(before ?? "")?.[1] ?? "  ";
  return `${JSON.stringify(merged, null, indent)}\n`;
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [own = 0, next = 0] = version.split(".").map(Number);
  return own > major || (own === major && next >= minor);
}

const tsconfigText = `{
  "compilerOptions": {
    "target": "es2023",
    "module": "nodenext",
    "strict": true,
    "skipLibCheck": true,
    "noEmit": true,
    "types": ["node"]
  },
  "include": ["stepwell"]
}
`;

const managers = [
  ["pnpm-lock.yaml", "pnpm"],
  ["yarn.lock", "yarn"],
  ["bun.lock", "bun"],
] as const;

function nextSteps(root: string, folder: string | undefined): string[] {
  const manager = managers.find(([lock]) => existsSync(join(root, lock)))?.[1] ?? "npm";
  return [
    ...(folder === undefined || folder === "." ? [] : [`cd ${folder}`]),
    `${manager} install`,
    `${manager} run workflows:test    # the workflow, tested with a virtual clock`,
    `${manager} run workflows:start   # drives two orders: one is fulfilled, one goes back`,
    "npx stepwell list --store orders.db",
  ];
}
