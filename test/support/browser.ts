/**
 * One headless Chromium for the tests of the desk's page: Debian's own. Where it is not there, it is installed, if this process may.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium, type Browser, type Page } from "playwright-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Screenshots of the same page are the same, whatever the machine's screen is.
  "--font-render-hinting=none",
];

/** @param fonts that the page is designed with, for pictures of it */
export async function startBrowser(fonts = false): Promise<Browser> {
  return chromium.launch({ executablePath: installed(fonts), args: flags, headless: true });
}

function installed(fonts: boolean): string {
  const given = process.env["STEPWELL_TEST_CHROMIUM"];
  if (given !== undefined && given !== "") return given;
  const found = places.find((place) => existsSync(place));
  if (found !== undefined && !fonts) return found;
  const mayInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (mayInstall) install(found === undefined ? ["chromium"] : [], fonts);
  const now = places.find((place) => existsSync(place));
  if (now !== undefined) return now;
  throw new Error(
    `The tests of the desk's page need Chromium, and found none of ${places.join(", ")}. ` +
      `Install it ("apt-get install chromium"), or name one with STEPWELL_TEST_CHROMIUM.`,
  );
}

function install(packages: readonly string[], fonts: boolean): void {
  const wanted = [...packages, ...(fonts ? ["fonts-inter", "fonts-jetbrains-mono"] : [])];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: string[]): boolean => spawnSync("apt-get", args, { env, stdio: "ignore" }).status === 0;
  const get = (): boolean => apt("install", "-y", "--no-install-recommends", ...wanted);
  // The list of packages may be old, or not there.
  if (!get()) {
    apt("update");
    get();
  }
}

export interface Fault {
  readonly rule: string;
  readonly impact: string;
  readonly where: readonly string[];
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Serious faults of accessibility on the page as it stands. */
export async function faultsOn(page: Page): Promise<Fault[]> {
  // By the debugger, not as a script of the page: its content security policy is what ships.
  if (!(await page.evaluate(`"axe" in window`))) await page.evaluate(axeSource);
  return page.evaluate(async () => {
    interface Found {
      readonly id: string;
      readonly impact: string | null;
      readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: readonly Found[] }> };
    };
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, impact, nodes }) => ({
        rule: id,
        impact: String(impact),
        where: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)}: ${failureSummary}`),
      }));
  });
}
