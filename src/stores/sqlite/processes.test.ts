import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Database } from "./database.js";
import { findDriver } from "./driver.js";
import { openDatabase } from "./open.js";

const folder = mkdtempSync(join(tmpdir(), "stepwell-processes-"));
afterAll(() => rmSync(folder, { recursive: true }));

const program = fileURLToPath(new URL("../../../test/support/sqlite-writer.ts", import.meta.url));
const size = 20;

/** A process that writes batches until its input ends, or until it is killed. */
class Writer {
  /** The last batch that the store has acknowledged. */
  acknowledged = 0;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #name: string;
  #complaint = "";

  constructor(path: string, name: string) {
    this.#name = name;
    this.#process = spawn(process.execPath, ["--import", "tsx", program, path, name, String(size)]);
    createInterface(this.#process.stdout!).on("line", (line) => (this.acknowledged = Number(line)));
    this.#process.stderr!.on("data", (text: Buffer) => (this.#complaint += text.toString()));
    this.#ended = once(this.#process, "close");
    onTestFinished(() => void this.#process.kill("SIGKILL"));
  }

  async reach(batch: number): Promise<void> {
    await vi.waitUntil(() => this.acknowledged >= batch, { timeout: 20_000, interval: 5 });
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  /** What it complained about; nothing, if it ended well. */
  async finish(): Promise<string> {
    this.#process.stdin!.end();
    const [code] = (await this.#ended) as [number | null];
    return code === 0 ? "" : `${this.#name} ended with ${code}: ${this.#complaint}`;
  }
}

interface Found {
  readonly executions: number;
  readonly committed: number;
  readonly histories: number;
}

/** What is in the file. */
class Contents {
  readonly #database: Database;

  constructor(path: string) {
    this.#database = openDatabase(path, "full", findDriver(), 0);
    onTestFinished(() => this.#database.close());
  }

  get integrity(): unknown {
    return this.#database.rows("PRAGMA integrity_check");
  }

  count(name: string): number {
    const [row] = this.#database.rows<{ readonly count: number }>(
      "SELECT count(*) AS count FROM stepwell_executions WHERE id GLOB ?",
      `${name}-*`,
    );
    return row!.count;
  }

  of(name: string, batch: number): Found {
    const [row] = this.#database.rows<Found>(
      "SELECT count(*) AS executions, sum(revision) AS committed, (SELECT count(*) FROM stepwell_history WHERE execution IN " +
        "(SELECT sequence FROM stepwell_executions WHERE id GLOB ?1)) AS histories FROM stepwell_executions WHERE id GLOB ?1",
      `${name}-${batch}-*`,
    );
    return row!;
  }
}

const done: Found = { executions: size, committed: size, histories: size };
const begun: Found = { executions: size, committed: 0, histories: 0 };

describe("processes that share an SQLite file", () => {
  test("one that is killed loses nothing that was acknowledged, and leaves no half of a batch", async () => {
    const path = join(folder, "killed.db");
    for (const name of ["first", "second", "third"]) {
      const writer = new Writer(path, name);
      await writer.reach(40);
      await writer.kill();
      const file = new Contents(path);
      expect(file.integrity).toEqual([{ integrity_check: "ok" }]);
      // One more batch may have been committed and not said.
      const last = file.count(name) / size;
      expect([writer.acknowledged, writer.acknowledged + 1]).toContain(last);
      for (let batch = 1; batch < last; batch++) expect(file.of(name, batch), `${name} ${batch}`).toEqual(done);
      expect(file.of(name, last)).toEqual(begun);
    }
  });

  test("neither harm nor starve each other, and one goes on when the other is killed", async () => {
    const path = join(folder, "shared.db");
    const [left, right] = [new Writer(path, "left"), new Writer(path, "right")];
    await Promise.all([left.reach(1), right.reach(1)]);
    const start = { left: left.acknowledged, right: right.acknowledged };
    const written = (): number => left.acknowledged + right.acknowledged - start.left - start.right;
    await vi.waitUntil(() => written() > 1000, { timeout: 20_000, interval: 5 });
    const shares = [left.acknowledged - start.left, right.acknowledged - start.right];
    // Without the random pauses one of them gets a few in ten thousand.
    expect(Math.min(...shares) / (shares[0]! + shares[1]!)).toBeGreaterThan(0.01);
    await left.kill();
    const before = right.acknowledged;
    await right.reach(before + 50);
    expect(await right.finish()).toBe("");
    const file = new Contents(path);
    expect(file.integrity).toEqual([{ integrity_check: "ok" }]);
    expect(file.count("right")).toBe(right.acknowledged * size);
    expect(file.count("left") / size - left.acknowledged).toBeLessThanOrEqual(1);
    for (const [name, batches] of [
      ["left", left.acknowledged],
      ["right", right.acknowledged],
    ] as const) {
      for (let batch = 1; batch < batches; batch += 7) expect(file.of(name, batch), `${name} ${batch}`).toEqual(done);
    }
  });
});
