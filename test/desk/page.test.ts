/** The page in a real browser, with answers that a test gives: each page and state in both themes, and texts that are meant to do harm. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { fail, Launcher, memoryStore, pause, workflow, type Store } from "../../src/index.js";
import { postgresStore } from "../../src/stores/postgres/index.js";
import { sqliteStore } from "../../src/stores/sqlite/index.js";
import { faultsOn, startBrowser } from "../support/browser.js";
import {
  answers,
  childrenPage,
  executionView,
  historyPage,
  line,
  nothing,
  poisoned,
  stateView,
} from "../support/desk-fixtures.js";
import { Refused, serveDesk, startDesk, type DeskServer, type ServedDesk } from "../support/desk-server.js";
import { freshSchema, postgresUrl } from "../support/postgres.js";

let browser: Browser;
let context: BrowserContext;
let page: Page;
let desk: DeskServer;
/** What the browser complained of. */
let complaints: string[] = [];

const pages = [
  ["Overview", ""],
  ["Executions", "executions?status=stuck&direction=down"],
  ["order-1041", "execution?id=order-1041"],
  ["Children of ship-items", "children?id=order-1041&step=ship-items"],
  ["Workflows", "workflows"],
  ["fulfil-order", "workflows?name=fulfil-order"],
  ["Recalls", "recalls"],
  ["Recall: wrong-price", "recalls?id=recall-7"],
  ["Schedules", "schedules"],
  ["Dead letters", "dead-letters"],
  ["Limits", "limits"],
  ["Launchers", "launchers"],
] as const;

beforeAll(async () => {
  [browser, desk] = await Promise.all([startBrowser(), startDesk(answers)]);
}, 240_000);

afterAll(async () => {
  await browser?.close();
  await desk?.stop();
});

beforeEach(async () => {
  desk.answers = answers;
  desk.posted.length = 0;
  desk.asked.clear();
  complaints = [];
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  context.setDefaultTimeout(10_000);
  page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
});

afterEach(() => context.close());

/** Opens a page of the desk, and waits until it shows what it is about. */
async function open(path: string, heading?: string): Promise<void> {
  await page.goto(desk.address + path);
  await page.getByRole("heading", { level: 1, name: heading ?? "", exact: heading !== undefined }).waitFor();
  await page.locator("[aria-label=Loading]").first().waitFor({ state: "detached" });
}

describe("each page of the desk", () => {
  it.each(pages)(
    "shows %s at %j: no serious fault of accessibility in either theme, and no wider than a phone",
    async (heading, path) => {
      await open(path, heading);
      for (const tab of path.startsWith("execution?") ? ["State", "Mailbox", "Error", "Timeline"] : [""]) {
        if (tab !== "") await page.getByRole("tab", { name: tab }).click();
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          expect(await faultsOn(page), `${tab} ${colorScheme}`).toEqual([]);
        }
        await page.setViewportSize({ width: 360, height: 740 });
        expect(await page.evaluate("document.documentElement.scrollWidth"), tab).toBeLessThanOrEqual(360);
        await page.setViewportSize({ width: 1280, height: 800 });
      }
      expect(complaints).toEqual([]);
    },
  );

  it("says what it means that there is nothing", async () => {
    desk.answers = nothing;
    for (const [heading, path] of pages) {
      if (path.includes("=") && !path.startsWith("executions")) continue;
      await open(path.split("?")[0]!, heading);
      expect(await page.locator("main").innerText(), path).toMatch(/No |Nothing /);
    }
    expect(complaints).toEqual([]);
  });

  it("says to whom has no right that it is so, and asks a stranger for the token", async () => {
    const refuse = (status: number, code: string) => () =>
      new Refused(status, { error: { code, message: "It is so." } });
    desk.answers = { ...answers, "api/overview": refuse(403, "DESK_FORBIDDEN") };
    await open("");
    await page.getByText("Not yours to see").waitFor();
    expect(await faultsOn(page)).toEqual([]);
    desk.answers = {
      ...answers,
      "api/overview": refuse(401, "DESK_SIGN_IN"),
      "api/session": refuse(401, "DESK_SIGN_IN"),
    };
    await page.goto(desk.address);
    await page.getByLabel("Token").fill("secret");
    desk.answers = answers;
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Needs a person").waitFor();
    expect(desk.posted).toMatchObject([{ path: "api/session", body: { token: "secret" } }]);
  });

  it("hands in the token behind the # of its address, and shows it nowhere", async () => {
    await page.goto(`${desk.address}#token=secret`);
    await page.getByText("Needs a person").waitFor();
    expect(desk.posted).toMatchObject([{ path: "api/session", body: { token: "secret" } }]);
    expect(page.url()).toBe(desk.address);
    expect([...desk.asked.keys()].join()).not.toContain("secret");
  });

  it("says that the desk does not answer, and asks again when it is told to", async () => {
    desk.answers = {
      ...answers,
      "api/limits": () => new Refused(400, { error: { code: "DESK_FAILED", message: "the disk is full" } }),
    };
    await open("limits", "Limits");
    await page.getByText("the disk is full").waitFor();
    desk.answers = answers;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("table", { name: "Limits" }).waitFor();
    expect(desk.asked.get("api/limits")).toBe(2);
  });

  it("says of each step of a workflow how it goes back: by its undo, by its children, or not at all, and why", async () => {
    await open("workflows?name=fulfil-order", "fulfil-order");
    const says = [
      "has an undo",
      "children of ship-item; each undoes itself",
      "is kept: A mail that was sent stays sent.",
    ];
    for (const text of says) await page.getByText(text).first().waitFor();
    expect(await page.getByText("has no undo").count()).toBe(2);
  });
});

describe("a list", () => {
  it("asks for its rows first, counts once they are there, and shows all of them", async () => {
    const refused = () => new Refused(400, { error: { code: "DESK_FAILED", message: "the disk is full" } });
    desk.answers = { ...answers, "api/executions": refused };
    await open("executions", "Executions");
    await page.getByText("the disk is full").waitFor();
    expect(desk.asked.get("api/executions/count")).toBeUndefined();
    const executions = Array.from({ length: 50 }, (_, index) => line({ id: `order-${index}` }));
    const all = { now: new Date().toISOString(), executions, damaged: [], cursor: null };
    desk.answers = { ...answers, "api/executions": () => all };
    await page.getByRole("button", { name: "Try again" }).click();
    await expect.poll(() => page.locator("main tbody tr").count()).toBe(50);
    await expect.poll(() => desk.asked.get("api/executions/count")).toBe(1);
    expect(desk.asked.has("api/workflows")).toBe(false);
  });
});

describe("children", () => {
  it("are in the lists that the overview leads to, and in any other where it is asked for, as its address says", async () => {
    const asked: string[] = [];
    desk.answers = {
      ...answers,
      "api/executions": (query) => {
        asked.push(query.toString());
        return answers["api/executions"]!(query);
      },
    };
    await open("", "Overview");
    await page.getByRole("link", { name: "All that are stuck" }).click();
    const too = page.getByLabel("Children too");
    await expect.poll(() => asked).toEqual(["status=stuck&children=true"]);
    expect(await too.isChecked()).toBe(true);
    expect(await faultsOn(page)).toEqual([]);
    await too.click();
    await expect.poll(() => asked.at(-1)).toBe("status=stuck");
    await too.click();
    await expect.poll(() => new URL(page.url()).search).toBe("?status=stuck&children=true");
    await page.reload();
    await expect.poll(() => too.isChecked()).toBe(true);
  });

  const child = line({ id: "day-2/orders/1041", workflow: "fulfil-order", status: "stuck" });
  const now = new Date().toISOString();

  it("stand on the page of their parent, counted by step, and each count leads to these, one by one", async () => {
    const asked: string[] = [];
    desk.answers = {
      ...answers,
      "api/execution/children": (query) => {
        asked.push(query.toString());
        const lines = childrenPage.lines.filter(({ status }) => status === query.get("status"));
        return { ...childrenPage, lines };
      },
    };
    await open("execution?id=order-1041", "order-1041");
    await page.getByRole("link", { name: "batch-7" }).waitFor();
    await page.getByRole("link", { name: "day-2" }).waitFor();
    const counts = page.getByRole("region", { name: "Children" }).getByRole("listitem").getByRole("link");
    expect(await counts.allInnerTexts()).toEqual(["3 in all", "1 under way", "1 stuck", "1 not begun"]);
    await counts.filter({ hasText: "stuck" }).click();
    const rows = page.getByRole("table", { name: "Children" }).locator("tbody tr");
    await expect.poll(() => rows.allInnerTexts()).toMatchObject([expect.stringMatching(/A-1[^]*Stuck/)]);
    await page.getByRole("button", { name: "Not begun 1" }).click();
    await expect.poll(() => rows.allInnerTexts()).toMatchObject([expect.stringMatching(/C-3[^]*Not begun/)]);
    // There is nothing to look at yet.
    expect(await rows.getByRole("link").count()).toBe(0);
    const group = "id=order-1041&step=ship-items&round=0&number=1";
    expect(asked).toEqual([`${group}&status=stuck`, `${group}&status=notBegun`]);
    expect(complaints).toEqual([]);
  });

  it("are one link from their parent: what is below it and nothing else, and acts are on that alone", async () => {
    const bulk = { matched: 1, accepted: 1, refused: [], refusedInAll: 0, undecided: 0, aborted: false, dry: true };
    desk.answers = {
      ...answers,
      "api/executions": (query) =>
        query.get("root") === "day-2"
          ? { now, executions: [child], damaged: [], cursor: null }
          : answers["api/executions"]!(query),
      "api/acts/bulk-retry": () => ({ said: "1 would be tried again.", decided: "done", bulk }),
    };
    await open("execution?id=order-1041", "order-1041");
    await page.getByRole("region", { name: "Children" }).getByRole("link", { name: "all of its tree" }).click();
    await page.getByText("Only what is below day-2").waitFor();
    const rows = page.getByRole("table", { name: "Executions" }).locator("tbody tr");
    await expect.poll(() => rows.allInnerTexts()).toMatchObject([expect.stringContaining(child.id)]);
    await page.getByRole("button", { name: "Retry all" }).click();
    await page.getByRole("dialog").getByText("1 of 1 executions of any workflow, below day-2 would be").waitFor();
    expect(desk.posted).toMatchObject([
      { path: "api/acts/bulk-retry", body: { filter: { root: "day-2" }, dry: true } },
    ]);
    await open("executions?root=day-2&status=completed", "Executions");
    await page.getByRole("button", { name: "Roll back all" }).waitFor();
    expect(await page.getByRole("button", { name: "Recall all" }).isDisabled()).toBe(true);
  });
});

describe("a text that is meant to do harm", () => {
  const poison = `"><img src=x onerror="window.harmed=1"><script>window.harmed=1</script>\${window.harmed=1}{{1}}'\u202e`;

  it("stays a text on every page, in whichever field it stands", async () => {
    desk.answers = Object.fromEntries(
      Object.entries(answers).map(([path, answer]) => [
        path,
        (query: URLSearchParams) => poisoned(answer(query), poison),
      ]),
    );
    const id = `order-1041${poison}`;
    for (const [, path] of pages) {
      const [place, query] = path.split("?");
      const asked = new URLSearchParams(query);
      if (asked.has("id")) asked.set("id", id);
      await open(`${place}?${asked.toString()}`);
      await page.locator("main").getByText("<script>").filter({ visible: true }).first().waitFor();
      for (const summary of await page.locator("main summary").all()) await summary.click();
      for (const opens of ["Mailbox", "Error", "State", "Timeline"]) {
        if (path.startsWith("execution?")) await page.getByRole("tab", { name: opens }).click();
      }
      for (const row of (await page.locator("main button[data-row]").all()).slice(0, 3)) await row.click();
      const found = await page.evaluate(
        `({ harmed: "harmed" in window, planted: document.querySelectorAll("img, main script, [onerror]").length })`,
      );
      expect(found, path).toEqual({ harmed: false, planted: 0 });
    }
    expect(complaints).toEqual([]);
  });
});

describe("an act", () => {
  it("says what it does, needs a reason where the law does, and carries what the reader saw", async () => {
    desk.answers = { ...answers, "api/acts/skip": () => ({ said: "It was taken as undone.", decided: "done" }) };
    await open("execution?id=order-1041", "order-1041");
    await page.getByRole("button", { name: "Take as undone" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("stays in the world").waitFor();
    expect(await faultsOn(page)).toEqual([]);
    const button = dialog.getByRole("button", { name: "Take as undone" });
    expect(await button.isDisabled()).toBe(true);
    await dialog.getByLabel("Reason").fill("the stock was counted by hand");
    await button.click();
    await dialog.getByText("It was taken as undone.").waitFor();
    const body = { execution: "order-1041", revision: 40, reason: "the stock was counted by hand" };
    expect(desk.posted).toMatchObject([{ path: "api/acts/skip", headers: { "x-stepwell-desk": "1" }, body }]);
  });

  it("is refused where the execution has gone on: the page shows what has changed, and asks again", async () => {
    const later = { ...executionView(41), words: { ...executionView().words, headline: "Stuck again, at charge" } };
    desk.answers = {
      ...answers,
      "api/acts/retry": () => {
        if (desk.posted.length > 1) return { said: "It is tried again.", decided: "done" };
        const error = { code: "DESK_CHANGED", message: "It has gone on." };
        const changed = { execution: line({ revision: 41 }), since: historyPage(42, 1).rows, words: later.words };
        return new Refused(409, { error, changed });
      },
    };
    await open("execution?id=order-1041", "order-1041");
    await page.getByRole("button", { name: "Try again" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Try again" }).click();
    await dialog.getByText("Stuck again, at charge").waitFor();
    expect(await faultsOn(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Try again" }).click();
    await dialog.getByText("It is tried again.").waitFor();
    expect(desk.posted.map(({ body }) => (body as { revision: number }).revision)).toEqual([40, 41]);
  });

  it("on many is counted first, says how many and which, and is held to that number", async () => {
    const bulk = { matched: 12, accepted: 10, refused: [], refusedInAll: 2, undecided: 0, aborted: false };
    desk.answers = {
      ...answers,
      "api/acts/bulk-rollback": () => ({
        said: "10 were asked.",
        decided: "done",
        bulk: { ...bulk, dry: desk.posted.length === 1 },
      }),
    };
    await open("executions?workflow=fulfil-order&status=waiting", "Executions");
    await page.getByRole("button", { name: "Roll back all" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("10 of 12 executions of fulfil-order, that are waiting would be rolled back").waitFor();
    await dialog.getByLabel("Reason").fill("recalled");
    await dialog.getByRole("button", { name: "Roll back 10 executions" }).click();
    await dialog.getByText("10 were asked.").waitFor();
    const filter = { workflow: "fulfil-order", status: ["waiting"] };
    expect(desk.posted.map(({ body }) => body)).toMatchObject([
      { filter, dry: true },
      { filter, dry: false, expected: 12, reason: "recalled" },
    ]);
  });

  it("is not offered to who may only look", async () => {
    const session = { ...(answers["api/session"]!(new URLSearchParams()) as object), rights: ["read"] };
    desk.answers = { ...answers, "api/session": () => session };
    await open("execution?id=order-1041", "order-1041");
    await page.getByText("You may look, and not act.").waitFor();
    expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
    await open("executions?status=stuck", "Executions");
    expect(await page.getByRole("button", { name: "Roll back all" }).count()).toBe(0);
  });
});

describe("an execution of 20,000 transitions", () => {
  const huge = { ...answers, "api/execution": () => executionView(20_000) };

  it("shows the newest hundred, fetches older ones when they are wanted, and keeps only what is seen in the page", async () => {
    desk.answers = huge;
    await open("execution?id=order-1041", "order-1041");
    const list = page.getByRole("list", { name: "Transitions" });
    await list.getByRole("button").first().waitFor();
    const older = list.getByRole("button", { name: "Show older ones" });
    for (const shown of ["100", "600", "1,100"]) {
      // What is measured on the way makes the list longer.
      await expect
        .poll(async () => {
          await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)");
          return list.getByText(`${shown} are shown.`).count();
        })
        .toBe(1);
      await older.click();
    }
    expect(await list.getByRole("listitem").count()).toBeLessThan(100);
  });

  it("says up to where it is not counted yet, and looks on until all is", async () => {
    let countedAfter = 12_000;
    let goOn: () => void = () => undefined;
    const seen = new Promise<void>((resolve) => (goOn = resolve));
    desk.answers = {
      ...answers,
      "api/execution": () => {
        const { words, lanes, ...view } = executionView(20_000);
        const lines = countedAfter === 0 ? ["All of it."] : [`Not counted up to ${countedAfter}.`];
        return { ...view, words: { ...words, lines }, lanes: { ...lanes, countedAfter } };
      },
      "api/execution/count": async () => {
        await seen;
        return { countedAfter: (countedAfter -= 4_000) };
      },
    };
    await open("execution?id=order-1041", "order-1041");
    await page.getByText("Not counted up to 12000.").waitFor();
    goOn();
    await page.getByText("All of it.").waitFor();
    expect([...["", "/count"].map((more) => desk.asked.get(`api/execution${more}`))]).toEqual([4, 3]);
  });

  it("folds a value that is large, and fetches it when it is wanted", async () => {
    desk.answers = { ...answers, "api/execution/value": () => "the whole of it" };
    await open("execution?id=order-1041&tab=state", "order-1041");
    await page.getByText("The beginning of 78 KiB.").waitFor();
    await page.getByRole("button", { name: "Show all of it" }).click();
    await page.getByText("the whole of it").waitFor();
    expect(complaints).toEqual([]);
  });

  it("shows the state at each transition, and keeps which one in the address", async () => {
    desk.answers = {
      ...huge,
      "api/execution/state": (query) => ({
        ...stateView(Number(query.get("revision"))),
        state: { text: `after ${query.get("revision")}`, bytes: 9 },
      }),
    };
    await open("execution?id=order-1041&tab=state", "order-1041");
    await page.getByText("after 20000").waitFor();
    await page.getByRole("button", { name: "Before" }).click();
    await page.getByText("after 19999").waitFor();
    expect(page.url()).toContain("revision=19999");
    await page.reload();
    await page.getByText("after 19999").waitFor();
  });
});

describe("what happens meanwhile", () => {
  const first = { ...answers, "api/overview": answers["api/overview"]! };
  const event = { type: "transition", execution: "order-1", workflow: "w", status: "running", revision: 1, step: "s" };

  it("is shown as it happens, but not while the page is held still: on focus and on reconnecting neither", async () => {
    desk.answers = first;
    await open("", "Overview");
    const asked = () => desk.asked.get("api/overview") ?? 0;
    const atFirst = asked();
    desk.tell(event);
    await expect.poll(asked, { timeout: 5000 }).toBeGreaterThan(atFirst);
    await page.getByRole("switch", { name: "Follow what happens" }).click();
    await page.getByRole("switch", { name: "Follow what happens", checked: false }).waitFor();
    const paused = asked();
    desk.tell(event);
    await page.evaluate(
      `for (const name of ["focus", "online"]) dispatchEvent(new Event(name)); document.dispatchEvent(new Event("visibilitychange"))`,
    );
    // Whatever these would have asked for comes before this answer.
    await page.evaluate(`fetch("api/launchers").then((response) => response.text())`);
    expect(asked()).toBe(paused);
    await page.getByRole("switch", { name: "Follow what happens" }).click();
    await expect.poll(asked, { timeout: 5000 }).toBeGreaterThan(paused);
  });
});

describe("what happens to a child", () => {
  it("is shown on the page of its parent, and on that of its root", async () => {
    await open("execution?id=order-1041", "order-1041");
    const asked = () => desk.asked.get("api/execution") ?? 0;
    const event = { type: "transition", execution: "c", workflow: "w", status: "stuck", revision: 1, step: "s" };
    for (const above of [
      { parent: "order-1041", root: "day-2" },
      { parent: "leg-2", root: "order-1041" },
    ]) {
      const before = asked();
      desk.tell({ ...event, ...above });
      await expect.poll(asked, { timeout: 5000 }).toBe(before + 1);
    }
  });
});

describe("the keyboard", () => {
  it("leads everywhere, moves along lists, and says which keys there are", async () => {
    await open("", "Overview");
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await page.getByRole("heading", { level: 1, name: "Executions" }).waitFor();
    await page.getByRole("table", { name: "Executions" }).waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "order-1041" }).waitFor();
    await page.keyboard.press("2");
    await page.getByRole("tab", { name: "State", selected: true }).waitFor();
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.getByText("Go to Dead letters").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });

  it("gives the focus back where a dialog was opened from", async () => {
    await open("execution?id=order-1041", "order-1041");
    await page.getByRole("button", { name: "Try again" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    const isInside = () => page.evaluate(`document.activeElement.closest("[role=dialog]") !== null`);
    await expect.poll(isInside).toBe(true);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.evaluate("document.activeElement.textContent")).toContain("Try again");
  });

  it("puts every filter into the address, from where a reload brings it back", async () => {
    await open("executions", "Executions");
    await page.keyboard.press("/");
    await page.keyboard.type("order-10");
    await page.getByRole("checkbox", { name: "Stuck" }).press("Space");
    await page.getByLabel("Workflow").selectOption("fulfil-order");
    const asked = () => [...new URL(page.url()).searchParams].map((one) => one.join("=")).toSorted();
    await expect.poll(asked).toEqual(["id=order-10", "status=stuck", "workflow=fulfil-order"]);
    await page.reload();
    await expect.poll(() => page.getByRole("searchbox").inputValue()).toBe("order-10");
    expect(await page.getByRole("checkbox", { name: "Stuck" }).isChecked()).toBe(true);
  });
});

describe("the page on a real store", () => {
  const input = z.object({ cents: z.number() });
  let bankIsBack = false;
  const order = workflow("order", { input })
    .step("reserve", { run: () => ({ reservation: 7n }), rollback: () => ({}) })
    .step("charge", {
      messages: { settled: z.object({ at: z.string() }) },
      rollbackRetry: { attempts: 1 },
      run: () => pause({ paymentId: "pay-1" }),
      onMessage: () => ({ settled: true }),
      rollback: () => {
        if (!bankIsBack) throw new Error("the bank does not answer", { cause: new Error("connect ECONNREFUSED") });
        return {};
      },
    })
    .step("ship", { run: () => fail("sold-out") });
  let launcher: Launcher;
  let real: ServedDesk;

  async function serve(store: Store): Promise<void> {
    launcher = new Launcher({ store, workflows: [order], onError: () => undefined });
    await launcher.start();
    real = await serveDesk(launcher, { token: "t".repeat(32), by: "ada", mount: "/ops", workflows: [order] });
  }

  async function stop(): Promise<void> {
    await real.stop();
    await launcher.stop();
  }

  beforeEach(async () => {
    bankIsBack = false;
    await serve(memoryStore());
  });

  afterEach(stop);

  async function signedIn(path: string, heading: string): Promise<void> {
    await page.goto(`${real.address}#token=${"t".repeat(32)}`);
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    await page.goto(real.address + path);
    await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
  }

  async function stuck(id: string): Promise<void> {
    const execution = await launcher.launch(order, { cents: 1999 }, { id });
    await execution.send("settled", { at: "2026-03-02" });
    await execution.outcome();
  }

  it.each([
    ["memory", undefined],
    ["SQLite", () => sqliteStore(":memory:")],
    ["PostgreSQL", () => postgresStore(postgresUrl(), { schema: freshSchema() })],
  ])(
    "leads whoever has not seen the workflow to what is stuck, says what was done and undone, and mends it: on the %s store",
    async (_, newStore) => {
      if (newStore !== undefined) {
        await stop();
        await serve(newStore());
      }
      await stuck("order-7");
      await signedIn("", "Overview");
      await page.getByRole("table", { name: "Stuck executions" }).getByRole("link", { name: "order-7" }).click();
      await page.getByRole("heading", { level: 1, name: "order-7" }).waitFor();
      const matter = page.getByRole("region", { name: "What is the matter" });
      await matter.getByText("Stuck on the way down").waitFor();
      await matter.getByText("the bank does not answer").waitFor();
      await matter.getByText("connect ECONNREFUSED").waitFor();
      const steps = page.getByRole("list", { name: "Steps" }).getByRole("listitem");
      expect(await steps.allInnerTexts()).toMatchObject([
        expect.stringMatching(/reserve[^]*Done[^]*Still to undo/),
        expect.stringMatching(/charge[^]*Done[^]*Stuck/),
        expect.stringMatching(/ship[^]*Failed here/),
      ]);
      bankIsBack = true;
      await matter.getByRole("button", { name: "Try again" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Reason").fill("the bank is back");
      await dialog.getByRole("button", { name: "Try again" }).click();
      await dialog.getByRole("status").waitFor();
      await page.keyboard.press("Escape");
      await matter.getByText("Rolled back").waitFor();
      const history = await launcher.execution("order-7").history();
      expect(history.find(({ result }) => result === "retried")).toMatchObject({ by: "ada", why: "the bank is back" });
      expect(await launcher.execution("order-7").summary()).toMatchObject({ status: "rolledBack" });
      expect(complaints).toEqual([]);
    },
  );

  it("refuses what somebody else was quicker with, and shows what they did", async () => {
    await stuck("order-8");
    await signedIn("execution?id=order-8", "order-8");
    await page.getByRole("switch", { name: "Follow what happens" }).click();
    await page.getByRole("button", { name: "Take as undone" }).click();
    await launcher.patchState("order-8", { note: "asked the bank" }, "for the books", { by: "bob" });
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("refunded by hand");
    await dialog.getByRole("button", { name: "Take as undone" }).click();
    await dialog.getByText("It has gone on since you looked").waitFor();
    await dialog.getByText(/by bob/).waitFor();
    await dialog.getByRole("button", { name: "Take as undone" }).click();
    await dialog.getByRole("status").waitFor();
    expect(await launcher.execution("order-8").outcome()).toMatchObject({ status: "rolledBack" });
    const acts = (await launcher.execution("order-8").history()).filter(({ by }) => by !== undefined);
    expect(acts.map(({ by, result }) => `${by} ${result}`)).toEqual(["bob patched", "ada skipped"]);
  });

  it("shows the children of a step as they go on, each one link from its parent, and its parent one from it", async () => {
    const pack = workflow("pack", { input }).step("pick", {
      messages: { picked: z.object({}) },
      run: () => pause({}),
      onMessage: () => ({}),
      rollback: () => ({}),
    });
    const parcels = workflow("parcels", { input }).forEach("pack", pack, {
      items: () => [{ cents: 1 }, { cents: 2 }, { cents: 3 }],
      concurrency: 2,
    });
    await stop();
    launcher = new Launcher({ store: memoryStore(), workflows: [parcels], onError: () => undefined });
    await launcher.start();
    real = await serveDesk(launcher, { token: "t".repeat(32), by: "ada", mount: "/ops" });
    await launcher.launch(parcels, { cents: 1 }, { id: "p" });
    await signedIn("execution?id=p", "p");
    const counts = page.getByRole("region", { name: "Children" }).getByRole("listitem").getByRole("link");
    await expect.poll(() => counts.allInnerTexts()).toEqual(["3 in all", "2 under way", "1 not begun"]);
    await launcher.send("p/pack/1", "picked", {});
    await expect.poll(() => counts.allInnerTexts()).toEqual(["3 in all", "2 under way", "1 completed"]);
    await counts.filter({ hasText: "completed" }).click();
    const rows = page.getByRole("table", { name: "Children" }).locator("tbody tr");
    await expect.poll(() => rows.allInnerTexts()).toMatchObject([expect.stringContaining("p/pack/1")]);
    await launcher.send("p/pack/0", "picked", {});
    await expect.poll(() => rows.count()).toBe(2);
    await page.getByRole("link", { name: "p/pack/0" }).click();
    await page.getByRole("heading", { level: 1, name: "p/pack/0", exact: true }).waitFor();
    await page.getByRole("region", { name: "Facts" }).getByRole("link", { name: "p", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "p", exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("launches an execution, sends to it what the schema refuses, and rolls back many", async () => {
    await signedIn("workflows?name=order", "order");
    await page.getByRole("button", { name: "Launch" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Input").fill(`{"cents": 5}`);
    await dialog.getByLabel("Id").fill("a/b?c=<d>&..");
    await dialog.getByRole("button", { name: "Launch" }).click();
    await dialog.getByRole("link", { name: "a/b?c=<d>&.." }).click();
    await page.getByRole("heading", { level: 1, name: "a/b?c=<d>&.." }).waitFor();
    await page.getByRole("button", { name: "Send a message" }).first().click();
    await dialog.getByLabel("Payload").fill(`{"at": 5}`);
    await dialog.getByRole("button", { name: "Send" }).click();
    // The schema of the step refuses it, and the page says so.
    await dialog.getByRole("alert").waitFor();
    await page.keyboard.press("Escape");
    await launcher.launchMany(
      order,
      [1, 2, 3].map((cents) => ({ input: { cents }, id: `many-${cents}` })),
    );
    bankIsBack = true;
    await page.goto(`${real.address}executions?workflow=order&status=waiting`);
    await page.getByRole("button", { name: "Roll back all" }).click();
    await dialog.getByLabel("Reason").fill("recalled");
    await dialog.getByRole("button", { name: "Roll back 4 executions" }).click();
    await dialog.getByRole("status").waitFor();
    const { executions } = await launcher.list();
    expect(executions.map(({ status, flow }) => `${status} ${flow.reason}`)).toEqual(
      Array(4).fill("rolledBack recalled"),
    );
  });

  it("recalls what has completed, a canary first, and lets who looks at it pause and stop it", async () => {
    const quick = workflow("quick", { input }).step("1", { run: () => ({}), rollback: () => ({}) });
    await stop();
    launcher = new Launcher({ store: memoryStore(), workflows: [quick], onError: () => undefined });
    await launcher.start();
    real = await serveDesk(launcher, { token: "t".repeat(32), by: "ada", mount: "/ops" });
    const items = Array.from({ length: 120 }, (_, cents) => ({ input: { cents }, id: `quick-${cents}` }));
    for (const execution of await launcher.launchMany(quick, items)) await execution.outcome();
    await signedIn("executions?workflow=quick&status=completed", "Executions");
    await page.getByRole("button", { name: "Recall all" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("120 executions of quick").waitFor();
    await dialog.getByLabel("Canary").fill("2");
    await dialog.getByLabel("Rate").fill("1/m");
    await dialog.getByLabel("Reason").fill("wrong-price");
    await dialog.getByRole("button", { name: "Begin the recall" }).click();
    await dialog.getByRole("link", { name: "Look at the recall" }).click();
    await page.getByRole("heading", { level: 1, name: "Recall: wrong-price" }).waitFor();
    await page.getByText("The first 2 go back.").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await dialog.getByLabel("Reason").fill("the bank called");
    await dialog.getByRole("button", { name: "Pause" }).click();
    await dialog.getByText("Close", { exact: true }).click();
    await page.getByText("By ada: the bank called.").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await dialog.getByRole("button", { name: "Stop" }).click();
    await dialog.getByText("Close", { exact: true }).click();
    await page.getByText("It has ended. ada has stopped it.").waitFor();
    const [recall] = (await launcher.recalls.list()).recalls;
    expect(recall).toMatchObject({ status: "done", counted: 120, asked: 1, rolledBack: 1, left: 119, by: "ada" });
    expect(complaints).toEqual([]);
  });

  it("publishes to a topic, and says to how many it went", async () => {
    await signedIn("workflows", "Workflows");
    await page.getByRole("button", { name: "Publish" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Topic").fill("prices");
    await dialog.getByLabel("Name of the message").fill("changed");
    await dialog.getByLabel("Payload").fill(`{"sku": "A-1"}`);
    await dialog.getByRole("button", { name: "Publish" }).click();
    expect(await dialog.getByRole("status").innerText()).toContain("prices");
    expect(complaints).toEqual([]);
  });

  it("pauses a schedule, and sends a dead letter again to where it belongs", async () => {
    await launcher.schedules.set("hourly", order, { cents: 1 }, { every: "1h" });
    const [late, right] = await launcher.launchMany(order, [
      { id: "late", input: { cents: 1 } },
      { id: "right", input: { cents: 1 } },
    ]);
    bankIsBack = true;
    const events = ["evt-1", "evt-2"].map((messageId) => late!.send("settled", { at: "now" }, { messageId }));
    await Promise.all(events);
    await late!.outcome();
    await signedIn("schedules", "Schedules");
    await page.getByRole("button", { name: "Pause" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Pause" }).click();
    await dialog.getByRole("status").waitFor();
    expect(await launcher.schedules.list()).toMatchObject([{ name: "hourly", paused: true }]);
    await page.goto(`${real.address}dead-letters`);
    await page.getByRole("button", { name: "Send again" }).click();
    await dialog.getByLabel("To the execution").fill("right");
    await dialog.getByRole("button", { name: "Send again" }).click();
    await dialog.getByRole("status").waitFor();
    expect(await right!.outcome()).toMatchObject({ status: "rolledBack" });
    expect(await late!.mailbox()).toMatchObject([{ id: "evt-1" }, { id: "evt-2", resent: { to: "right", by: "ada" } }]);
  });

  it("shows what happens as it happens", async () => {
    await signedIn("executions", "Executions");
    await page.getByText("Nothing was launched yet").waitFor();
    await launcher.launch(order, { cents: 1 }, { id: "order-live" });
    await page.getByRole("link", { name: "order-live" }).waitFor();
    expect(complaints).toEqual([]);
  });
});
