/** Recalls: those of the store, one of them, and acts. */
import type { RecallActed, RecallProgress, RecallRate } from "../../index.js";
import type { ActAnswer } from "./act-shapes.js";
import type { Acting } from "./acting.js";
import { badRequest, Refused } from "./answers.js";
import { object, optionalCount, optionalText, text, type Fields } from "./body.js";
import { filterIn } from "./filter.js";
import { conditionsOf, needed } from "./query.js";
import { countOf, type Reading } from "./reading.js";
import type { RecallActedView, RecallsView, RecallView } from "./recall-shapes.js";

export async function recalls({ client }: Reading, search: URLSearchParams): Promise<RecallsView> {
  const after = search.get("after") || undefined;
  const [now, page] = await Promise.all([
    client.fleet.now(),
    client.recalls.list({ limit: 50, ...(after !== undefined && { after }) }),
  ]);
  return { now: now.toISOString(), recalls: page.recalls.map(recallView), cursor: page.cursor };
}

export async function recall({ client }: Reading, search: URLSearchParams): Promise<RecallView> {
  return recallView(await client.recalls.get(needed(search, "id")).progress());
}

function recallView({ launchedAt, endedAt, paused, stopped, ...others }: RecallProgress): RecallView {
  return {
    ...others,
    launchedAt: launchedAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
    ...(paused !== undefined && { paused: actedView(paused) }),
    ...(stopped !== undefined && { stopped: actedView(stopped) }),
  };
}

function actedView<Acted extends RecallActed>(acted: Acted): Omit<Acted, "at"> & Pick<RecallActedView, "at"> {
  return { ...acted, at: acted.at.toISOString() };
}

/** Of what has completed, and was launched by itself: a filter may say so, and nothing else. */
export async function beginRecall({ client, by }: Acting, body: Fields): Promise<ActAnswer> {
  const { status = ["completed"], ...filter } = filterIn(object(body, "filter"));
  if (status.join() !== "completed") throw badRequest("A recall is of executions that have completed.");
  if (filter.root !== undefined || filter.children !== undefined)
    throw badRequest(
      "A recall is of what was launched by itself, whose children go back with it. Choose without root and children.",
    );
  const conditions = conditionsOf(filter);
  if (Object.keys(conditions).length === 0) throw badRequest("Choose by at least one condition.");
  const expected = optionalCount(body, "expected");
  const now = await countOf(client, { ...conditions, status: "completed" });
  if (expected !== undefined && now.count > expected) {
    const message = `There are ${now.count}${now.more ? " or more" : ""} now, and ${expected} were shown. Nothing was done.`;
    throw new Refused(409, "DESK_CHANGED", message, { count: now });
  }
  const order = optionalText(body, "order") as "newest" | undefined;
  const rate = optionalText(body, "rate") as RecallRate | undefined;
  const bounds = { atOnce: optionalCount(body, "atOnce"), canary: optionalCount(body, "canary") };
  const onStuck = optionalCount(body, "onStuck");
  const { id } = await client.recall({
    filter: conditions,
    reason: text(body, "reason"),
    by,
    ...(order !== undefined && { order }),
    ...(rate !== undefined && { rate }),
    ...(bounds.atOnce !== undefined && { atOnce: bounds.atOnce }),
    ...(bounds.canary !== undefined && { canary: bounds.canary }),
    ...(onStuck !== undefined && { onStuck }),
  });
  return { said: "The recall has begun. It goes on when this page is closed.", recall: id, decided: "done" };
}

const said = {
  pause: "It asks no more until it is resumed. What goes down goes on.",
  resume: "It goes on.",
  stop: "It asks no more, and ends when all that it asked are at rest.",
};

export const actOnRecall =
  (act: keyof typeof said) =>
  async ({ client, by }: Acting, body: Fields): Promise<ActAnswer> => {
    const id = text(body, "recall");
    const reason = optionalText(body, "reason");
    await client.recalls.get(id)[act]({ by, ...(reason !== undefined && { reason }) });
    return { said: said[act], recall: id, decided: "done" };
  };
