import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { isGone, ownIdentity, type ProcessIdentity } from "./process-identity.js";

/** Says who it is, and lives until it is killed. */
const script = `
  import { ownIdentity } from ${JSON.stringify(new URL("process-identity.ts", import.meta.url).href)};
  console.log(JSON.stringify(ownIdentity()));
  setInterval(() => undefined, 1000);
`;

const flags = ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", script];

async function identityOf(child: ChildProcess): Promise<ProcessIdentity> {
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return JSON.parse(line.toString()) as ProcessIdentity;
}

describe("a process of this machine", () => {
  test("that lives is not gone, and one that was killed is, also before its parent knows of it", async () => {
    const child = spawn(process.execPath, flags);
    const identity = await identityOf(child);
    expect(isGone(ownIdentity())).toBe(false);
    expect(isGone(identity)).toBe(false);
    child.kill("SIGKILL");
    // While this process does not turn to its events, the child is not waited for: it is there, and has ended.
    execFileSync("sleep", ["0.2"]);
    expect(isGone(identity)).toBe(process.platform === "linux");
    await once(child, "exit");
    expect(isGone(identity)).toBe(true);
  });

  test("is not taken for another one that has its number now", () => {
    const { host, pid } = ownIdentity();
    expect(isGone({ host: host.replace(/@\d*@/, "@1@"), pid })).toBe(process.platform === "linux");
  });

  test("can't be seen from another machine, boot or space of process numbers", () => {
    const { host, pid } = ownIdentity();
    expect(isGone({ host: `elsewhere${host}`, pid: 2 ** 22 - 1 })).toBe(false);
    expect(isGone({ host: "localhost", pid })).toBe(false);
  });
});

const canUnshare =
  process.platform === "linux" &&
  spawnSync("unshare", ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true"]).status === 0;

test.runIf(canUnshare)("a container of the same host name says nothing of the processes of another one", async () => {
  const space = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const inside = await identityOf(spawn("unshare", [...space, process.execPath, ...flags]));
  // Its number is one that is given out in every space, and often to nobody here.
  expect(inside.host).not.toBe(ownIdentity().host);
  expect(isGone(inside)).toBe(false);
  expect(isGone({ ...inside, pid: 2 ** 22 - 1 })).toBe(false);
});
