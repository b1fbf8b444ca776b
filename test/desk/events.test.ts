/** What happens is told to the page as it happens. */
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { pause, StepwellError, workflow } from "../../src/index.js";
import type { DeskEvent, Overview } from "../../src/desk/index.js";
import { deskRig } from "../support/desk.js";
import { scene } from "../support/seen.js";

const made = workflow("w", { input: z.object({}) })
  .step("ask", { messages: { yes: z.object({}) }, run: () => pause({}), onMessage: () => ({}) })
  .step("go", { run: () => ({}) });

/** The events of a stream, one by one. */
async function* eventsIn(response: Response): AsyncGenerator<DeskEvent & { readonly id?: string }, void> {
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      const id = /^id: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield { ...(JSON.parse(data) as DeskEvent), ...(id !== undefined && { id }) };
    }
  }
}

test("every listener hears of an execution that moves, and the overview counts it", async () => {
  const { launch, launcher, clock } = await scene([made]);
  const { ask, get } = deskRig(launcher);
  const [one, other] = [await ask("api/events"), await ask("api/events?workflow=another")];
  expect(one.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  onTestFinished(() => other.body!.cancel());
  await get("overview");
  await clock.advance(0);
  await launch(made);
  for await (const event of eventsIn(one)) {
    if (event.type !== "transition") continue;
    expect(event).toMatchObject({ execution: "e", workflow: "w", step: "ask" });
    break;
  }
  await clock.advance(0);
  const { window } = (await get<Overview>("overview")).body;
  expect(window!.minutes.reduce((sum, { launched }) => sum + launched, 0)).toBe(1);
});

test("of a child it is told whose it is, and who is at the top", async () => {
  const leg = workflow("leg", { input: z.object({}) }).child("ask", made, { input: () => ({}) });
  const journey = workflow("journey", { input: z.object({}) }).child("leg", leg, { input: () => ({}) });
  const { launch, launcher, clock } = await scene([journey]);
  const { ask, get } = deskRig(launcher);
  const all = await ask("api/events");
  await clock.advance(0);
  await launch(journey);
  const above: Record<string, unknown> = {};
  for await (const event of eventsIn(all)) {
    if (event.type !== "transition") continue;
    above[event.execution] = [event.parent, event.root];
    if (Object.keys(above).length === 3) break;
  }
  expect(above).toEqual({
    e: [undefined, undefined],
    "e/leg/0": ["e", "e"],
    "e/leg/0/ask/0": ["e/leg/0", "e"],
  });
  const { window } = (await get<Overview>("overview")).body;
  expect(window!.minutes.reduce((sum, { launched }) => sum + launched, 0)).toBe(3);
});

test("where there is too much to follow, listeners are told to read again, and the overview tells no figures", async () => {
  const { launcher, clock } = await scene([made]);
  const follow = (): never => {
    throw new StepwellError("STEPWELL_FILTER_TOO_WIDE", "follow: more than 10000 executions that have not ended fit.");
  };
  const { ask, get } = deskRig(Object.assign(launcher, { follow }));
  const all = await ask("api/events");
  await clock.advance(0);
  for await (const { type } of eventsIn(all)) {
    expect(type).toBe("gap");
    expect((await get<Overview>("overview")).body.window).toBeNull();
    break;
  }
});

test("after a minute in which there was too much to follow it is followed again, and what moves is told", async () => {
  const { launch, launcher, clock } = await scene([made]);
  const { ask, get } = deskRig(launcher);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const tooWide = vi.spyOn(launcher, "follow").mockImplementationOnce(() => {
    throw new StepwellError("STEPWELL_FILTER_TOO_WIDE", "follow: more than 10000 executions that have not ended fit.");
  });
  const all = await ask("api/events");
  await vi.advanceTimersByTimeAsync(55_000);
  expect(tooWide).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(tooWide).toHaveBeenCalledTimes(2);
  await clock.advance(0);
  expect((await get<Overview>("overview")).body.window).not.toBeNull();
  await launch(made);
  const types: string[] = [];
  for await (const { type } of eventsIn(all)) {
    types.push(type);
    if (type === "transition") break;
  }
  expect(types.filter((type) => type !== "still-here")).toEqual([...Array<string>(13).fill("gap"), "transition"]);
});

test("of one execution every transition is told, and a browser that comes back goes on where it was", async () => {
  const { launch, launcher, clock } = await scene([made]);
  await launch(made);
  await launcher.send("e", "yes", {});
  await clock.advance(0);
  const { ask } = deskRig(launcher);
  const heard = async (headers: Record<string, string>): Promise<(string | undefined)[]> => {
    const ids: (string | undefined)[] = [];
    for await (const { id } of eventsIn(await ask("api/execution/events?id=e", { headers }))) ids.push(id);
    return ids;
  };
  // It has ended, so the stream ends.
  expect(await heard({})).toEqual(["1", "2", "3"]);
  expect(await heard({ "last-event-id": "2" })).toEqual(["3"]);
});

test("a stream ends where the client stops, and one that nobody reads keeps nothing up", async () => {
  const { launch, launcher, clock } = await scene([made]);
  const { ask } = deskRig(launcher);
  const [unread, read] = [await ask("api/events"), await ask("api/events")];
  await clock.advance(0);
  await launch(made);
  await launcher.stop();
  const events: string[] = [];
  for await (const { type } of eventsIn(read)) events.push(type);
  expect(events.at(-1)).toBe("gap");
  await unread.body!.cancel();
});
