import { PassThrough } from "node:stream";
import { expect, it, vi } from "vitest";
import { screen } from "./screen.js";
import { Tally } from "./tally.js";

/** What is written to it, and to a terminal if it is one. */
function stream(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
  const through = new PassThrough();
  let text = "";
  through.on("data", (chunk) => (text += String(chunk)));
  const terminal = { isTTY, columns: 200, cursorTo: () => true, clearLine: () => true, moveCursor: () => true };
  return { stream: Object.assign(through, terminal) as unknown as NodeJS.WriteStream, text: () => text };
}

it("shows a bar with the counts where somebody looks", async () => {
  const errors = stream(true);
  const shown = screen(new PassThrough(), errors.stream);
  const tally = new Tally();
  tally.add("a", { status: "completed", reason: "normal", state: {} });
  await shown.begin(4, tally);
  tally.add("b", { status: "rolledBack", reason: "too-dear", state: {} });
  shown.note("by the way");
  expect(errors.text()).toContain("1/4  completed 1  rolled back 0  stuck 0");
  await vi.waitFor(() => expect(errors.text()).toContain("2/4  completed 1  rolled back 1"));
  shown.end();
  expect(errors.text()).toContain("\u001b[Kby the way\n");
});

it("shows no bar in a file, only notes and the result, each in its place", async () => {
  const errors = stream(false);
  const output = stream(false);
  const shown = screen(output.stream, errors.stream);
  await shown.begin(4, new Tally());
  shown.note("by the way");
  shown.end();
  shown.result("done");
  expect(errors.text()).toBe("by the way\n");
  expect(output.text()).toBe("done\n");
});
