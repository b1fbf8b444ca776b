/** Whatever stands on the command line: it ends with an exit code, and an error has words. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import { main } from "../../src/cli/program.js";
import { anyText, fuzzRuns, fuzzTime } from "../support/fuzz.js";

/** Those that write no files, start nothing and wait for nobody. */
const commands = [
  "show",
  "list",
  "stats",
  "doctor",
  "dead-letters",
  "retry",
  "skip",
  "patch",
  "rollback",
  "rewind",
  "resolve",
];
const others = ["schedules", "certificate", "preview", "limits", "check", "diagram", "cancel", "help", "complete"];
const options = [
  "--json",
  "--limit",
  "--status",
  "--workflow",
  "--tag",
  "--by",
  "--why",
  "--yes",
  "--revision",
  "--at",
  "--help",
];
const word = fc.oneof(
  fc.constantFrom("e1", "booking", "stuck", ...options),
  // A module that is named is loaded, and a store that is named is opened.
  anyText.filter((text) => !text.startsWith("--store")),
);

test(
  "every command line ends with an exit code, and what it refuses it refuses in words",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "stepwell-fuzz-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    let said = "";
    const hear = (text: unknown): boolean => {
      said += String(text);
      return true;
    };
    const spies = [vi.spyOn(process.stdout, "write"), vi.spyOn(process.stderr, "write")];
    for (const spy of spies) spy.mockImplementation(hear);
    onTestFinished(() => spies.forEach((spy) => spy.mockRestore()));
    const store = ["--store", join(folder, "fuzz.db")];
    const line = fc.tuple(
      fc.oneof(fc.constantFrom(...commands, ...others), anyText),
      fc.array(word, { maxLength: 5 }),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(line, async ([command, words, isStored]) => {
        if (["init", "dev", "run", "desk", "migrate", "tail", "launch"].includes(command)) return;
        said = "";
        const code = await main([command, ...words, ...(isStored ? store : [])]);
        expect([0, 1, 2]).toContain(code);
        if (code === 2) expect(said).toMatch(/error|Usage|usage|Commands/);
        expect(said).not.toMatch(/\bTypeError\b|\bRangeError\b|Cannot read properties/);
      }),
      fuzzRuns(150),
    );
  },
  fuzzTime,
);
