/** Memory and patience of a process whose database is away. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { freshSchema, postgresUrl } from "../support/postgres.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import type { Report } from "./callers.js";

const script = fileURLToPath(new URL("callers.ts", import.meta.url));

test("while the database is away for a minute, 10,000 callers are refused in time, and the memory of their process stays flat", async () => {
  const proxy = await TcpProxy.before(postgresUrl());
  onTestFinished(() => proxy.close());
  const child = fork(script, [proxy.url, freshSchema(), "60"], { execArgv: ["--expose-gc", "--import", "tsx"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const heard = async <T>(): Promise<T> => ((await once(child, "message")) as [T])[0];
  expect(await heard()).toBe("ready");
  proxy.mode = "frozen";
  child.send("away");
  const { heap, codes, slowest } = await heard<Report>();
  expect(Object.keys(codes)).toEqual(["STEPWELL_STORE_UNREACHABLE"]);
  // Each call takes five seconds, and each caller waits two before the next.
  expect(codes["STEPWELL_STORE_UNREACHABLE"]).toBeGreaterThan(60_000);
  // Five seconds, and what a busy machine adds.
  expect(slowest).toBeLessThan(15_000);
  // By then all of them wait; what comes later finds as many places as are given back.
  const [early, late] = [Math.max(...heap.slice(1, 4)), Math.max(...heap.slice(-4))];
  expect(late).toBeLessThan(1.2 * early);
  proxy.cut();
  proxy.mode = "open";
  child.send("there");
  expect(await heard()).toBe("went on");
}, 150_000);
