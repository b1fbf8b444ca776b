/** Acts: each a call of the client's, by who asks, on the execution as the page showed it. */
import { StepwellError, type Client } from "../../index.js";
import { badRequest, Refused } from "./answers.js";
import type { ActAnswer, Acts, BulkView } from "./act-shapes.js";
import { count, flag, object, optionalCount, optionalText, text, texts, typed, type Fields } from "./body.js";
import type { Executions } from "./one-execution.js";
import type { DeskSettings } from "./options.js";
import { filterIn } from "./filter.js";
import { conditionsOf, isEverything } from "./query.js";
import { actOnRecall, beginRecall } from "./recalls.js";
import { countOf } from "./reading.js";
import type { Count, DeskRight } from "./shapes.js";
import { lineOf } from "./views.js";

export interface Acting {
  readonly client: Client;
  readonly settings: DeskSettings;
  readonly executions: Executions;
  /** Who asks. */
  readonly by: string;
}

interface Act {
  readonly right: DeskRight;
  readonly run: (acting: Acting, body: Fields) => Promise<ActAnswer>;
}

const mostRefused = 100;

/** An object, so that the compiler misses none. */
export const acts: Readonly<Record<keyof Acts, Act>> = {
  send: { right: "act-one", run: send },
  publish: { right: "act-many", run: publish },
  rollback: { right: "act-one", run: rollback },
  rewind: { right: "act-one", run: rewind },
  retry: { right: "act-one", run: retry },
  resolve: { right: "act-one", run: resolve },
  skip: { right: "act-one", run: skip },
  patch: { right: "act-one", run: patch },
  launch: { right: "launch", run: launch },
  "schedule-pause": { right: "act-one", run: pause },
  "schedule-resume": { right: "act-one", run: resume },
  "schedule-trigger": { right: "launch", run: trigger },
  resend: { right: "act-one", run: resend },
  "bulk-rollback": { right: "act-many", run: bulkRollback },
  "bulk-retry": { right: "act-many", run: bulkRetry },
  "bulk-resend": { right: "act-many", run: bulkResend },
  recall: { right: "act-many", run: beginRecall },
  "recall-pause": { right: "act-many", run: actOnRecall("pause") },
  "recall-resume": { right: "act-many", run: actOnRecall("resume") },
  "recall-stop": { right: "act-many", run: actOnRecall("stop") },
};

/** On one execution as it was shown. Has it gone on, the answer says to what. */
async function onOne(
  { client, executions }: Acting,
  body: Fields,
  act: (id: string, ifRevision: number, client: Client) => Promise<string>,
): Promise<ActAnswer> {
  const id = text(body, "execution");
  const revision = count(body, "revision");
  try {
    return { said: await act(id, revision, client), execution: id, decided: "done" };
  } catch (error) {
    if (!(error instanceof StepwellError)) throw error;
    if (error.code === "STEPWELL_UNDECIDED") return { said: error.message, execution: id, decided: "undecided" };
    if (error.code !== "STEPWELL_EXECUTION_CHANGED") throw error;
    const { words, rows, details } = await executions.since(id, revision);
    throw new Refused(409, "DESK_CHANGED", error.message, { execution: lineOf(details), since: rows, words });
  }
}

function retry(acting: Acting, body: Fields): Promise<ActAnswer> {
  const reason = optionalText(body, "reason");
  const given = { by: acting.by, ...(reason !== undefined && { reason }), ...patchIn(body) };
  return onOne(acting, body, async (id, ifRevision, client) => {
    await client.retry(id, { ...given, ifRevision });
    return `Execution "${id}" tries its step again as soon as a launcher takes it up.`;
  });
}

function resolve(acting: Acting, body: Fields): Promise<ActAnswer> {
  const reason = text(body, "reason");
  const isGiven = optionalText(body, "happened") !== undefined;
  const what = isGiven ? { happened: typed(body, "happened") as object } : ({ didNotHappen: true } as const);
  return onOne(acting, body, async (id, ifRevision, client) => {
    await client.execution(id).resolve(what, reason, { by: acting.by, ifRevision });
    return `Execution "${id}" goes on with what you said as soon as a launcher takes it up.`;
  });
}

function skip(acting: Acting, body: Fields): Promise<ActAnswer> {
  const reason = text(body, "reason");
  const given = { by: acting.by, ...patchIn(body) };
  return onOne(acting, body, async (id, ifRevision, client) => {
    await client.skip(id, reason, { ...given, ifRevision });
    return `Execution "${id}" takes its step as done and goes on as soon as a launcher takes it up.`;
  });
}

function patch(acting: Acting, body: Fields): Promise<ActAnswer> {
  const reason = text(body, "reason");
  const fields = typed(body, "patch") as object;
  return onOne(acting, body, async (id, ifRevision, client) => {
    await client.patchState(id, fields, reason, { by: acting.by, ifRevision });
    return `The state of execution "${id}" is changed.`;
  });
}

function rollback(acting: Acting, body: Fields): Promise<ActAnswer> {
  const reason = text(body, "reason");
  const ifCompleted = optionalText(body, "ifCompleted") as "undo" | undefined;
  return onOne(acting, body, async (id, ifRevision, client) => {
    const answer = await client.rollback(id, reason, {
      by: acting.by,
      ifRevision,
      ...(ifCompleted !== undefined && { ifCompleted }),
    });
    if (!answer.accepted) throw answer.error;
    return `Execution "${id}" is being rolled back.`;
  });
}

function rewind(acting: Acting, body: Fields): Promise<ActAnswer> {
  const [to, reason, repeat] = [text(body, "to"), text(body, "reason"), texts(body, "repeat")];
  const given = { to, reason, by: acting.by, ...patchIn(body), ...(repeat !== undefined && { repeat }) };
  return onOne(acting, body, async (id, ifRevision, client) => {
    const answer = await client.execution(id).rewind({ ...given, ifRevision });
    if (!answer.accepted) throw answer.error;
    return `Execution "${id}" goes back to step "${to}", and then up again from there.`;
  });
}

function send(acting: Acting, body: Fields): Promise<ActAnswer> {
  const name = text(body, "name");
  const payload = typed(body, "payload");
  const messageId = optionalText(body, "messageId");
  return onOne(acting, body, async (id, ifRevision, client) => {
    const sent = await client.send(id, name, payload, { ifRevision, ...(messageId !== undefined && { messageId }) });
    if (sent.duplicate) return `The message had been sent to "${id}" before. Nothing was stored.`;
    return `Sent to "${id}", as message "${sent.id}".`;
  });
}

async function publish({ client }: Acting, body: Fields): Promise<ActAnswer> {
  const topic = text(body, "topic");
  const messageId = optionalText(body, "messageId");
  const { delivered, duplicate } = await client.publish(topic, text(body, "name"), typed(body, "payload"), {
    ...(messageId !== undefined && { messageId }),
  });
  const said = duplicate
    ? `The message had been published to "${topic}" before. Nothing was stored.`
    : `Published to "${topic}": ${delivered} executions have it now.`;
  return { said, decided: "done" };
}

async function launch({ client, settings }: Acting, body: Fields): Promise<ActAnswer> {
  const [name, version] = [text(body, "workflow"), text(body, "version")];
  const workflow = settings.workflows.find((it) => it.name === name && it.version === version);
  if (workflow === undefined) {
    throw badRequest(`This desk can't launch workflow ${JSON.stringify(name)} version ${JSON.stringify(version)}.`);
  }
  const [id, tags] = [optionalText(body, "id"), texts(body, "tags")];
  const execution = await client.launch(workflow, typed(body, "input"), {
    ...(id !== undefined && { id }),
    ...(tags !== undefined && { tags }),
  });
  return { said: `Launched as "${execution.id}".`, execution: execution.id, decided: "done" };
}

async function pause({ client }: Acting, body: Fields): Promise<ActAnswer> {
  const { name } = await client.schedules.pause(text(body, "name"));
  return { said: `Schedule "${name}" is paused.`, decided: "done" };
}

async function resume({ client }: Acting, body: Fields): Promise<ActAnswer> {
  const { name, nextAt } = await client.schedules.resume(text(body, "name"));
  const next = nextAt === null ? "has no time to come" : `launches next at ${nextAt.toISOString()}`;
  return { said: `Schedule "${name}" goes on, and ${next}.`, decided: "done" };
}

async function trigger({ client }: Acting, body: Fields): Promise<ActAnswer> {
  const execution = await client.schedules.trigger(text(body, "name"));
  return { said: `Launched as "${execution.id}".`, execution: execution.id, decided: "done" };
}

async function resend({ client, by }: Acting, body: Fields): Promise<ActAnswer> {
  const execution = text(body, "execution");
  const [to, as] = [optionalText(body, "to"), optionalText(body, "as")];
  await client.resend(
    { execution, id: text(body, "id") },
    { by, ...(to !== undefined && { to }), ...(as !== undefined && { as }) },
  );
  return { said: `Sent again, to "${to ?? execution}".`, execution: to ?? execution, decided: "done" };
}

// ---- On many -----------------------------------------------------------------------------------

async function bulkRollback(acting: Acting, body: Fields): Promise<ActAnswer> {
  const reason = text(body, "reason");
  return onMany(acting, body, "rolled back", (chosen, how) => chosen.rollback(reason, how));
}

async function bulkRetry(acting: Acting, body: Fields): Promise<ActAnswer> {
  const reason = optionalText(body, "reason");
  return onMany(acting, body, "tried again", (chosen, how) =>
    chosen.retry({ ...how, ...(reason !== undefined && { reason }) }),
  );
}

/**
 * What is under way here goes on when the page is closed, for the request that began it is not listened to; but it ends with this
 * process. So it is kept short.
 */
const mostAtOnce = 100;

function refuseMany({ count: found, more, unknown }: Count, what: string): void {
  if (unknown !== true && !more && found <= mostAtOnce) return;
  const many = unknown === true ? "Too many to be counted" : `${found}${more ? " or more" : ""}`;
  throw new Refused(
    400,
    "DESK_TOO_MANY",
    `${many} ${what}, and the desk acts on at most ${mostAtOnce} at a time: what it has begun would end with its process. ` +
      "Narrow the filter down and act on one slice after the other; a recall undoes what has completed, however many. Nothing was done.",
  );
}

async function onMany(
  { client, by }: Acting,
  body: Fields,
  done: string,
  act: (
    chosen: ReturnType<Client["select"]>,
    how: { readonly by: string; readonly dryRun: boolean },
  ) => ReturnType<ReturnType<Client["select"]>["retry"]>,
): Promise<ActAnswer> {
  const conditions = conditionsOf(filterIn(object(body, "filter")));
  if (isEverything(conditions)) throw badRequest("Choose by at least one condition.");
  const [dry, expected] = [flag(body, "dry"), optionalCount(body, "expected")];
  const now = await countOf(client, conditions);
  if (!dry && expected !== undefined && now.count > expected) {
    const message = `There are ${now.count}${now.more ? " or more" : ""} now, and ${expected} were shown. Nothing was done.`;
    throw new Refused(409, "DESK_CHANGED", message, { count: now });
  }
  refuseMany(now, "executions fit");
  const { matched, accepted, refused, undecided, aborted } = await act(client.select(conditions), { by, dryRun: dry });
  const said = dry ? `${accepted} of ${matched} would be ${done}.` : `${accepted} of ${matched} are being ${done}.`;
  const counts = { matched, accepted, refusedInAll: refused.length, undecided: undecided.length };
  return answered(said, { dry, ...counts, refused: refused.slice(0, mostRefused), aborted });
}

function answered(said: string, bulk: BulkView): ActAnswer {
  return { said, bulk, decided: bulk.undecided > 0 ? "undecided" : "done" };
}

/** How many dead letters are read at a time. */
const letterPage = 100;

async function bulkResend({ client, by }: Acting, body: Fields): Promise<ActAnswer> {
  const given = {
    workflow: optionalText(body, "workflow"),
    execution: optionalText(body, "execution"),
    name: optionalText(body, "name"),
  };
  const conditions = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (Object.keys(conditions).length === 0) throw badRequest("Choose by at least one condition.");
  const [dry, expected] = [flag(body, "dry"), optionalCount(body, "expected")];
  const now = await client.countDeadLetters(conditions);
  const { count: matched } = now;
  if (!dry && expected !== undefined && matched > expected) {
    const message = `There are ${matched} now, and ${expected} were shown. Nothing was done.`;
    throw new Refused(409, "DESK_CHANGED", message, { count: now });
  }
  refuseMany(now, "dead letters fit");
  if (dry) {
    const none = { refused: [], refusedInAll: 0, undecided: 0, aborted: false };
    return answered(`${matched} would be sent again.`, { dry, matched, accepted: matched, ...none });
  }
  return sentAgain(client, conditions, by);
}

async function sentAgain(client: Client, conditions: object, by: string): Promise<ActAnswer> {
  const refused: { id: string; code: string; message: string }[] = [];
  let [matched, accepted] = [0, 0];
  let after: string | undefined;
  do {
    const page = await client.deadLetters({ ...conditions, limit: letterPage, ...(after !== undefined && { after }) });
    for (const { execution, id } of page.letters) {
      matched += 1;
      try {
        await client.resend({ execution, id }, { by });
        accepted += 1;
      } catch (error) {
        if (!(error instanceof StepwellError)) throw error;
        refused.push({ id: execution, code: error.code, message: error.message });
      }
    }
    after = page.cursor ?? undefined;
  } while (after !== undefined);
  const counts = { matched, accepted, refusedInAll: refused.length, undecided: 0, aborted: false };
  return answered(`${accepted} of ${matched} were sent again.`, {
    dry: false,
    ...counts,
    refused: refused.slice(0, mostRefused),
  });
}

function patchIn(body: Fields): { readonly patch?: object } {
  return optionalText(body, "patch") === undefined ? {} : { patch: typed(body, "patch") as object };
}
