/** What the desk asks before an execution goes back to a step, or somebody says what had happened: in a real browser, on a real store. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { Launcher, memoryStore, pause, unknown, workflow } from "../../src/index.js";
import { faultsOn, startBrowser } from "../support/browser.js";
import { serveDesk, type ServedDesk } from "../support/desk-server.js";

const token = "t".repeat(32);
const input = z.object({ address: z.string() });
const undo = () => undefined;

const order = workflow("order", { input })
  .step("charge", { run: () => ({ paid: true }), rollback: undo })
  .step("ship", { run: ({ state }) => ({ parcel: state.address }), rollback: undo })
  .step("letter", { run: () => undefined, irreversible: "The letter has left." });

const patient = workflow("patient", { input })
  .step("charge", { run: () => undefined, rollback: undo })
  .step("pack", {
    run: () => undefined,
    rollbackMessages: { unpacked: z.null() },
    rollback: () => pause(),
    onRollbackMessage: undo,
  });

const paying = workflow("paying", { input })
  .step("pay", {
    run: ({ state }): { transfer: string } => {
      throw new Error(`socket hang up, ${state.address}`);
    },
    probe: () => unknown(),
  })
  .step("ship", { run: ({ state }) => ({ sent: state.transfer }) });

let browser: Browser;
let context: BrowserContext;
let page: Page;
let launcher: Launcher;
let served: ServedDesk;
/** What the browser complained of. */
let complaints: string[] = [];

beforeAll(async () => {
  browser = await startBrowser();
}, 240_000);

afterAll(() => browser?.close());

beforeEach(async () => {
  complaints = [];
  const workflows = [order, patient, paying];
  launcher = new Launcher({ store: memoryStore(), workflows, onError: () => undefined });
  await launcher.start();
  served = await serveDesk(launcher, { token, by: "ada", mount: "/ops", workflows });
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  context.setDefaultTimeout(10_000);
  page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`${served.address}#token=${token}`);
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
});

afterEach(async () => {
  await context.close();
  await served.stop();
  await launcher.stop();
});

async function open(id: string): Promise<void> {
  await page.goto(`${served.address}execution?id=${id}`);
  await page.getByRole("heading", { level: 1, name: id }).waitFor();
}

it("sends an execution back to the step that is chosen in its lanes, once it is agreed to what would be done twice", async () => {
  const execution = await launcher.launch(order, { address: "Elm Street" }, { id: "order-1" });
  await execution.outcome();
  await open("order-1");
  await page.getByRole("button", { name: "Go back to a step" }).click();
  const dialog = page.getByRole("dialog");
  const rows = dialog.getByRole("listitem");
  await dialog.getByLabel("Reason").fill("wrong address");
  const send = dialog.getByRole("button", { name: "Go back to a step" });
  expect(await send.isDisabled()).toBe(true);
  await dialog.getByRole("radio", { name: "ship" }).check();
  await dialog.getByText("Then it goes up again at ship.").waitFor();
  expect(await rows.allInnerTexts()).toMatchObject([
    expect.stringMatching(/charge[^]*Done$/),
    expect.stringMatching(/ship[^]*Done[^]*Still to undo/),
    expect.stringMatching(/letter[^]*Done[^]*can’t be undone[^]*The letter has left/),
  ]);
  expect(await faultsOn(page)).toEqual([]);
  expect(await send.isDisabled()).toBe(true);
  await dialog.getByLabel("Do a second time what can’t be undone: letter").check();
  await dialog.getByLabel("Fields of the state").fill('{"address": "Oak Street"}');
  await send.click();
  await dialog.getByRole("status").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("round 1: back from letter to ship, ada, wrong address").waitFor();
  await expect.poll(() => execution.state()).toMatchObject({ address: "Oak Street", parcel: "Oak Street" });
  expect(complaints).toEqual([]);
});

it("offers a rollback of what is being rewound, which then takes over, and nobody another rewind", async () => {
  const execution = await launcher.launch(patient, { address: "Elm Street" }, { id: "order-2" });
  await execution.outcome();
  await execution.rewind({ to: "pack", reason: "wrong box", by: "bob" });
  await open("order-2");
  const acts = page.getByRole("region", { name: "What is the matter" });
  await acts.getByText(/bob sent it back to step .pack., and then up again: wrong box/).waitFor();
  expect(await acts.getByRole("button", { name: "Go back to a step" }).count()).toBe(0);
  await acts.getByRole("button", { name: "Roll back" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("It does not go up again.").waitFor();
  await dialog.getByRole("region", { name: "What would be done" }).getByText("Still to undo").first().waitFor();
  await dialog.getByLabel("Reason").fill("cancelled");
  await dialog.getByRole("button", { name: "Roll back" }).click();
  await dialog.getByRole("status").waitFor();
  await execution.send("unpacked", null);
  expect(await execution.outcome()).toMatchObject({ status: "rolledBack", reason: "cancelled" });
});

it("says what is in doubt, and takes the word of who knows what had happened", async () => {
  const execution = await launcher.launch(paying, { address: "Elm Street" }, { id: "order-3" });
  await execution.outcome();
  await open("order-3");
  await page.getByText(/nobody knows whether .pay. was done/).waitFor();
  const pay = page.getByRole("list", { name: "Steps" }).getByRole("listitem").first();
  expect(await pay.innerText()).toMatch(/In doubt[^]*order-3\/pay\/run, its probe said unknown/);
  await page.getByRole("button", { name: "Say what happened" }).click();
  const dialog = page.getByRole("dialog");
  const say = dialog.getByRole("button", { name: "Say so" });
  await dialog.getByLabel("Reason").fill("statement of 3 May");
  expect(await say.isDisabled()).toBe(true);
  await dialog.getByLabel("What became of it").selectOption("It happened");
  await dialog.getByLabel("What the step gave").fill("{ transfer: 7 }");
  expect(await say.isDisabled()).toBe(true);
  await dialog.getByLabel("What the step gave").fill('{ "transfer": "t-7" }');
  expect(await faultsOn(page)).toEqual([]);
  await say.click();
  await dialog.getByRole("status").waitFor();
  expect(await execution.outcome()).toMatchObject({ status: "completed", state: { transfer: "t-7", sent: "t-7" } });
  const row = (await execution.history()).find(({ by }) => by !== undefined);
  expect(row).toMatchObject({ func: "probe", result: "happened", by: "ada", why: "statement of 3 May" });
  expect(complaints).toEqual([]);
});

it("prints a certificate: on white, without what is there to click on, and no wider than the paper", async () => {
  const execution = await launcher.launch(order, { address: "Elm Street" }, { id: "order-4" });
  await execution.outcome();
  await execution.rollback("returned", { by: "ada" });
  await execution.outcome();
  await page.goto(`${served.address}certificate?id=order-4`);
  await page.getByRole("heading", { level: 1, name: "Certificate of order-4" }).waitFor();
  const left = page.getByRole("region", { name: "Left in the world" });
  await left.getByText("can't be undone: The letter has left.").waitFor();
  expect(await page.getByRole("navigation").isVisible()).toBe(true);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await faultsOn(page), colorScheme).toEqual([]);
  }
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  // A4, with its margins.
  await page.setViewportSize({ width: 718, height: 1047 });
  expect(await page.getByRole("navigation").isVisible()).toBe(false);
  expect(await page.getByRole("button", { name: "Print" }).isVisible()).toBe(false);
  await left.getByText("can't be undone: The letter has left.").waitFor();
  expect(await page.evaluate("getComputedStyle(document.querySelector('main section')).backgroundColor")).toBe(
    "rgb(255, 255, 255)",
  );
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(718);
  const wide = "[...document.querySelectorAll('main section')].filter((it) => it.scrollWidth > it.clientWidth).length";
  expect(await page.evaluate(wide)).toBe(0);
  expect((await page.pdf({ format: "A4" })).length).toBeGreaterThan(1_000);
  expect(complaints).toEqual([]);
});
