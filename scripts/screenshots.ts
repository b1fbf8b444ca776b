/**
 * Takes the pictures of the desk that stand in the documentation: `npm run screenshots`. Each page in both themes, from the store of the
 * order desk after a day's work, and an hour of the next one in which the warehouse does not answer.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { getRequestListener } from "@hono/node-server";
import { Launcher, pause, workflow } from "stepwell";
import { desk } from "stepwell/desk";
import { sqliteStore } from "stepwell/sqlite";
import { z } from "zod";
import type { Order } from "../examples/order-desk/books.js";
import { fulfilOrder } from "../examples/order-desk/fulfil-order.js";
import {
  crashed,
  killAll,
  startParticipants,
  token as participantToken,
  type Participants,
} from "../examples/order-desk/processes.js";
import { tradingDay } from "../examples/order-desk/trading-day.js";
import { startBrowser } from "../test/support/browser.js";

const images = fileURLToPath(new URL("../docs/images/", import.meta.url));

/** Stock is counted by hand, two shelves at a time. */
const countStock = workflow("count-stock", {
  input: z.object({ shelf: z.string() }),
  concurrency: { limit: 2 },
}).step("count", {
  messages: { counted: z.object({ pieces: z.number().int() }) },
  run: () => pause({}, { timeout: "1d" }),
  onMessage: ({ message }) => ({ pieces: message.payload.pieces }),
  irreversible: "What was counted stays counted.",
});

const orders = readFileSync(new URL("../examples/order-desk/orders.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line): Order => JSON.parse(line));

const soldBefore = 160;

const quiet = { show: () => undefined, say: () => undefined, close: () => undefined };

/** A parcel to there is refused, so that the order turns. */
const nowhere = { name: "Mara Lind", street: "Am Leuchtturm 1", postcode: "18565", city: "Hiddensee" };

async function until<Value>(look: () => Promise<Value | undefined | false>): Promise<Value> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await sleep(50);
  }
}

async function startLauncher(folder: string, participants: Participants): Promise<Launcher> {
  const urls = Object.entries(participants).map(([name, { url }]) => [`${name.toUpperCase()}_URL`, url]);
  Object.assign(process.env, Object.fromEntries(urls), { ORDER_DESK_TOKEN: participantToken });
  const launcher = new Launcher({
    store: sqliteStore(join(folder, "desk.db")),
    workflows: [fulfilOrder, countStock],
    onError: () => undefined,
  });
  await launcher.start();
  return launcher;
}

/** The day after: orders in every standing that a person may meet, as they come about by themselves. */
async function nextDay(launcher: Launcher, participants: Participants): Promise<void> {
  await launcher.schedules.set(
    "count-front-shelf",
    countStock,
    { shelf: "front" },
    { cron: "0 6 * * *", timezone: "Europe/Berlin" },
  );
  await launcher.schedules.set("count-tea-shelf", countStock, { shelf: "tea" }, { every: "6h" });
  await launcher.schedules.pause("count-tea-shelf");
  await launcher.launchMany(
    countStock,
    ["A", "B", "C", "D", "E"].map((shelf) => ({ input: { shelf }, id: `count-${shelf}`, tags: ["stock"] })),
  );
  const launch = async (index: number, more: Partial<Order> = {}, tags: string[] = []): Promise<string> => {
    const order = { ...orders[soldBefore + index], ...more };
    await launcher.launch(fulfilOrder, order, { id: order.id, tags: [`city:${order.address.city}`, ...tags] });
    return order.id;
  };
  const charged = (id: string) => until(async () => (await launcher.execution(id).summary()).status === "waiting");
  const settle = (id: string, event: string) => launcher.send(id, "settled", { at: new Date() }, { messageId: event });
  for (const index of [0, 1, 2, 3, 4, 5]) {
    const id = await launch(index, { address: { ...nowhere, postcode: "10115", city: "Berlin" } });
    await charged(id);
    await Promise.all([settle(id, `evt-${id}-1`), settle(id, `evt-${id}-2`)]);
  }
  // Two of them had a wrong price.
  const recalled = [0, 1].map((index) => orders[soldBefore + index].id);
  await until(async () => {
    const { executions } = await launcher.list({ status: "completed" });
    return recalled.every((id) => executions.some((it) => it.id === id));
  });
  const recall = {
    ids: recalled,
    reason: "wrong-price",
    by: "ada",
    rate: "10/s",
    canary: 1,
    id: "wrong-price",
  } as const;
  await (await launcher.recall(recall)).outcome();
  for (const index of [6, 7, 8, 9]) await launch(index);
  const [lost, late] = [await launch(10, { address: nowhere }, ["gift"]), await launch(11, { address: nowhere })];
  await Promise.all([charged(lost), charged(late)]);
  // From here on the warehouse does not answer: what is reserved there can't be released.
  await participants.warehouse.stop();
  await settle(lost, `evt-${lost}`);
  await until(async () => (await launcher.execution(lost).summary()).status === "stuck");
  await settle(late, `evt-${late}`);
  await until(async () => (await launcher.execution(late).summary()).struggling);
}

/** The desk behind a server of Node. It counts from when it is first asked. */
async function serve(launcher: Launcher): Promise<string> {
  const token = randomBytes(24).toString("base64url");
  const listener = getRequestListener(desk(launcher, { token, by: "ada", workflows: [fulfilOrder, countStock] }));
  const server = createServer((request, response) => void listener(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const headers = { origin, "x-stepwell-desk": "1", "content-type": "application/json" };
  const signedIn = await fetch(`${origin}/api/session`, { method: "POST", headers, body: JSON.stringify({ token }) });
  const cookie = signedIn.headers.getSetCookie().map((one) => one.split(";")[0]);
  const asked = await fetch(`${origin}/api/overview`, { headers: { cookie: cookie.join("; ") } });
  if (!asked.ok) throw new Error(`The desk answered with ${asked.status}.`);
  return `${origin}/#token=${token}`;
}

interface Shot {
  readonly name: string;
  readonly path: string;
  /** What is clicked before. */
  readonly click?: string;
  readonly phone?: true;
}

async function shoot(address: string, shots: readonly Shot[]): Promise<void> {
  const browser = await startBrowser(true);
  for (const colorScheme of ["light", "dark"] as const) {
    const context = await browser.newContext({ colorScheme, locale: "en-GB", reducedMotion: "reduce" });
    const page = await context.newPage();
    const camera = await context.newCDPSession(page);
    await page.goto(address);
    await page.getByRole("heading", { level: 1 }).waitFor();
    for (const { name, path, click, phone } of shots) {
      await page.setViewportSize(phone === true ? { width: 390, height: 844 } : { width: 1280, height: 860 });
      await page.goto(new URL(path, address).href);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.locator("[aria-label=Loading]").first().waitFor({ state: "detached" });
      if (click !== undefined) await page.locator(click).first().click();
      // A chart is drawn when its library has come.
      await page.waitForLoadState("load");
      await sleep(600);
      const { data } = await camera.send("Page.captureScreenshot", { format: "webp", quality: 82 });
      const file = `desk-${name}-${colorScheme}.webp`;
      writeFileSync(join(images, file), Buffer.from(data, "base64"));
      console.log(file, `${Math.round((data.length * 3) / 4096)} KiB`);
    }
    await context.close();
  }
  await browser.close();
}

const folder = mkdtempSync(join(tmpdir(), "stepwell-screenshots-"));
mkdirSync(images, { recursive: true });
process.once("exit", () => {
  killAll();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
const day = await Promise.race([tradingDay(folder, orders.slice(0, soldBefore), 1, quiet), crashed]);
await day.end();
const participants = await startParticipants(folder, 1_000_000);
const launcher = await startLauncher(folder, participants);
const address = await serve(launcher);
await Promise.race([nextDay(launcher, participants), crashed]);
const [stuck] = (await launcher.list({ status: "stuck" })).executions;
const one = `execution?id=${stuck?.id}`;
await shoot(address, [
  { name: "overview", path: "" },
  { name: "executions", path: "executions" },
  { name: "execution", path: one },
  { name: "act", path: one, click: "section button >> nth=1" },
  { name: "state", path: `${one}&tab=state` },
  { name: "workflow", path: "workflows?name=fulfil-order" },
  { name: "schedules", path: "schedules" },
  { name: "dead-letters", path: "dead-letters" },
  { name: "limits", path: "limits" },
  { name: "launchers", path: "launchers" },
  { name: "recall", path: "recalls?id=wrong-price" },
  { name: "certificate", path: `certificate?id=${orders[soldBefore].id}` },
  { name: "phone", path: one, phone: true },
]);
await launcher.stop();
process.exit(0);
