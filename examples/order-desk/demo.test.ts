import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished, vi } from "vitest";

const demo = fileURLToPath(new URL("demo.ts", import.meta.url));
const run = (...options: string[]) =>
  promisify(execFile)(process.execPath, ["--import", import.meta.resolve("tsx"), demo, ...options]);

interface Running {
  readonly child: ChildProcess;
  /** Resolves with the line that a pattern fits, as soon as it was printed. */
  readonly line: (pattern: RegExp) => Promise<string>;
}

function start(...options: string[]): Running {
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), demo, ...options]);
  onTestFinished(() => void child.kill("SIGKILL"));
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const line = (pattern: RegExp): Promise<string> =>
    vi.waitFor(
      () => {
        const found = printed.split("\n").find((it) => pattern.test(it));
        if (found === undefined) throw new Error(`No line fits ${pattern}:\n${printed}`);
        return found;
      },
      { timeout: 100_000, interval: 100 },
    );
  return { child, line };
}

it("balances the books of sixty orders whose desk is killed once, and shows them on a page that stays and acts", async () => {
  const { child, line } = start("--orders", "60", "--kills", "1", "--json", "--desk");
  const exited = once(child, "exit");
  const address = new URL(/http:\S+/.exec(await line(/The desk's page on the orders/))![0]);
  expect(await (await fetch(address)).text()).toContain("<base href=");

  const numbers: Record<string, unknown> = JSON.parse(await line(/^\{.*\}$/));
  expect(numbers).toEqual({
    orders: 60,
    completed: expect.any(Number),
    rolledBack: expect.any(Number),
    stuck: 0,
    kills: 1,
    booksBalanced: true,
    seconds: expect.any(Number),
  });
  const { completed, rolledBack } = numbers as { completed: number; rolledBack: number };
  expect(completed + rolledBack).toBe(60);
  expect(Math.min(completed, rolledBack)).toBeGreaterThan(0);

  await line(/The page stays until/);
  const page = await signIn(address);
  const { executions } = await page.get<{ executions: { id: string; revision: number }[] }>(
    "api/executions?status=completed&limit=1",
  );
  const { id, revision } = executions[0]!;
  await page.post("api/acts/rollback", { execution: id, revision, reason: "the customer has changed her mind" });
  await vi.waitFor(
    async () => {
      const { status } = await page.get<{ status: string }>(`api/execution?id=${id}`);
      expect(status).toBe("rolledBack");
    },
    { timeout: 20_000, interval: 200 },
  );
  child.kill("SIGINT");
  expect(await exited).toEqual([130, null]);
}, 120_000);

/** As the page does, with the token that stands behind the address. */
async function signIn(address: URL) {
  const own = { origin: address.origin, "content-type": "application/json", "x-stepwell-desk": "1" };
  const token = new URLSearchParams(address.hash.slice(1)).get("token");
  const answer = await fetch(new URL("api/session", address), {
    method: "POST",
    headers: own,
    body: JSON.stringify({ token }),
  });
  const cookie = answer.headers.get("set-cookie")!.split(";")[0]!;
  const asked = async <Content>(path: string, init: RequestInit): Promise<Content> => {
    const response = await fetch(new URL(path, address), init);
    const text = await response.text();
    expect(response.ok, text).toBe(true);
    return JSON.parse(text) as Content;
  };
  return {
    get: <Content>(path: string) => asked<Content>(path, { headers: { cookie } }),
    post: (path: string, body: object) =>
      asked(path, { method: "POST", headers: { ...own, cookie }, body: JSON.stringify(body) }),
  };
}

it("refuses a number of orders that it does not have", async () => {
  await expect(run("--orders", "1000000")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--orders is 1000000, but must be a whole number from 24 to 640"),
  });
});
