/** The desk's page in a real browser: what passes from the request of a page until what it is about is painted. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import type { Browser, Page } from "playwright-core";
import type { Store } from "stepwell";
import { desk } from "stepwell/desk";
import { startBrowser } from "../../test/support/browser.js";
import { pageSize } from "../../test/support/page-size.js";
import { median, type Figure } from "../figures.js";
import { launcherFor, withMillion } from "../support/population.js";
import { long } from "../support/long.js";
import { order } from "../support/work.js";

const times = 5;

/** A row of a table of executions. */
const row = "main tbody tr";
const lists: readonly string[] = [
  "executions",
  "executions?status=stuck",
  "executions?status=waiting",
  "executions?status=completed",
  "executions?workflow=parked",
  "executions?workflow=rare",
  "executions?tag=west",
  "executions?tag=fragile",
  "executions?status=stuck&status=waiting&workflow=parked",
];

interface Times {
  /** Of the slowest list, in milliseconds. */
  readonly list: number;
  readonly slowest: string;
  readonly overview: number;
  readonly execution: number;
  /** While the execution is scrolled through: the longest that a frame took. */
  readonly frame: number;
  /** From the request of the page itself to the first list. */
  readonly load: number;
}

export async function deskPage(): Promise<Figure[]> {
  const browser = await startBrowser();
  try {
    const [onPostgres, onSqlite] = await withMillion((_, newStore) => measured(browser, newStore()));
    const figure = (what: "list" | "overview" | "execution" | "load", more: Figure["extra"] = {}): Figure => {
      const [postgres, sqlite] = [onPostgres![what], onSqlite![what]];
      const extra = { postgres, sqlite, ...more };
      return { name: `desk.${what}`, value: Math.max(postgres, sqlite), unit: "ms (of the slower store)", extra };
    };
    const size = pageSize(fileURLToPath(new URL("../../dist/desk/page", import.meta.url)));
    return [
      figure("list", { slowest: `${onPostgres!.slowest}, ${onSqlite!.slowest}` }),
      figure("overview"),
      figure("execution", { frame: Math.max(onPostgres!.frame, onSqlite!.frame) }),
      figure("load"),
      { name: "desk.size", value: size.all, unit: "KiB (gzip)", extra: { first: size.first } },
    ];
  } finally {
    await browser.close();
  }
}

async function measured(browser: Browser, store: Store): Promise<Times> {
  const launcher = await launcherFor(store);
  const execution = await launcher.launch(long, order);
  await execution.outcome();
  const handler = desk(launcher, { authorize: () => ({ by: "bench" }) });
  const server = serve({ fetch: handler, hostname: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const page = await browser.newPage();
  const shown = new Map<string, number>();
  for (const path of lists) shown.set(path, await painted(page, address, path, row));
  const [slowest, list] = [...shown].reduce((one, other) => (one[1] >= other[1] ? one : other));
  const overview = await painted(page, address, "", row);
  const opened = await painted(page, address, `execution?id=${execution.id}`, "[data-index]");
  const frame = await page.evaluate<number>(scroll);
  const load = await loaded(page, `${address}executions`, row);
  await page.close();
  server.close();
  await launcher.stop();
  return { list, slowest, overview, execution: opened, frame, load };
}

/**
 * The median time from the click on a link until what it leads to is there and has been painted, in milliseconds. Each time the page is
 * opened anew, so that nothing is known from before.
 */
async function painted(page: Page, address: string, path: string, what: string): Promise<number> {
  const taken: number[] = [];
  for (let time = 0; time <= times; time++) {
    await page.goto(`${address}schedules`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    taken.push(await page.evaluate<number>(untilPainted(path, what)));
  }
  return median(taken.slice(1));
}

/** The same from the request of the page itself: its files are known from before, and all of it is made anew. */
async function loaded(page: Page, address: string, what: string): Promise<number> {
  const taken: number[] = [];
  for (let time = 0; time <= times; time++) {
    await page.goto("about:blank");
    await page.goto(address, { waitUntil: "commit" });
    taken.push(await page.evaluate<number>(untilThere(what, "0")));
  }
  return median(taken.slice(1));
}

// What runs in the page is text: nothing else here knows a browser's names.

/** Since `began`, in milliseconds, after the frame in which it is seen. */
const untilThere = (what: string, began: string): string => `new Promise((resolve) => {
  const look = () =>
    requestAnimationFrame(
      document.querySelector(${JSON.stringify(what)}) === null ? look : () => setTimeout(() => resolve(performance.now() - ${began})),
    );
  look();
})`;

const untilPainted = (path: string, what: string): string => `(() => {
  const began = performance.now();
  history.pushState(null, "", new URL(${JSON.stringify(path)}, document.baseURI));
  return ${untilThere(what, "began")};
})()`;

/** Goes down the page for two hundred screens. Gives back the longest that a frame took, in milliseconds. */
const scroll = `(async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  let [longest, last] = [0, await frame()];
  for (let screen = 0; screen < 200; screen++) {
    window.scrollBy(0, window.innerHeight);
    const now = await frame();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
})()`;
