/** Dead letters: messages that no step took. They are listed, counted, and sent again. */
import { systemClock } from "../clock.js";
import type { Sent } from "../definition/asking.js";
import type { AnyWorkflow } from "../definition/bag.js";
import { encode } from "../values/encode.js";
import { invalidArgument, longestName, refuseUnknownOptions, shown, missingFunction } from "../values/options.js";
import { isLine } from "../values/text.js";
import { StepwellError } from "../errors.js";
import { checkExecutionId, newId } from "../ids.js";
import type { ExecutionRecord, MailboxRecord } from "../execution/records.js";
import type { DeadMailConditions, DeadMailFilter, MailRecord, MaybePromise, Store } from "../stores/contract.js";
import { messageTo } from "../session/mailbox-entry.js";
import { Committer } from "../session/group-commit.js";
import type { Host } from "../session/host.js";
import { registryOf } from "../session/registration.js";
import { type Registered, registryKey } from "../session/registry.js";
import { checkMessage, checkMessageName, identityOf } from "./messages.js";
import { notFound } from "../session/not-found.js";
import { checkBy, checkText } from "../session/reasons.js";
import { carriedBy } from "../runtime/engine-events.js";
import { named, readable, type Damaged } from "../session/damaged-rows.js";

/** Which dead letters: all given conditions must hold. */
export interface LetterConditions {
  /** The name of the workflow of their executions. */
  readonly workflow?: string;
  /** In the mailbox of this execution. */
  readonly execution?: string;
  /** The name of the message. */
  readonly name?: string;
}

export interface LetterOptions extends LetterConditions {
  /** At most this many, from 1 to 1000. Default: 100. */
  readonly limit?: number;
  /** The `cursor` of the page before. Left out: the first page. */
  readonly after?: string;
}

/** A message that no step took. */
export interface DeadLetter {
  readonly execution: string;
  readonly workflow: string;
  /** As in `execution.mailbox()`: the sender's `messageId`, or the id that was made for the message. */
  readonly id: string;
  readonly name: string;
  /** As it was sent. */
  readonly payload: unknown;
  readonly receivedAt: Date;
  /** The step with whose transition the message became dead. Left out: the execution ended, or it is not known. */
  readonly step?: string;
  /** The topic that the message was published to. Left out: it was sent to this execution. */
  readonly topic?: string;
}

export interface LetterPage {
  /**
   * The last received first. A page may hold fewer than were asked for, or none, and have a next one: where the conditions leave out
   * much, a page looks at some thousand letters.
   */
  readonly letters: readonly DeadLetter[];
  /** Executions whose letters of this page can't be read, since they were damaged. Mostly empty. */
  readonly damaged: readonly Damaged[];
  /** For the next page; null: this was the last. */
  readonly cursor: string | null;
}

/** How many dead letters there are. */
export interface LetterTotal {
  readonly count: number;
  /** There may be more: the last 10,000 that were received were looked at, and no others. */
  readonly more: boolean;
}

/** How many dead letters the executions of a workflow have. */
export interface LetterCount extends LetterTotal {
  readonly workflow: string;
  /** From 1. */
  readonly count: number;
}

/** Which dead letter, by what `deadLetters` says of it. */
export interface LetterAddress {
  readonly execution: string;
  readonly id: string;
}

export interface ResendOptions {
  /** The id of the execution that gets the message. Default: the one in whose mailbox the letter is. */
  readonly to?: string;
  /** The name that the message gets. Default: the name that it has. */
  readonly as?: string;
  /** Who sends the message; kept with the letter. One line of 1 to 255 characters. */
  readonly by?: string;
}

/** How a dead letter was sent again, as it is kept beside the letter. */
export interface ResendNote {
  /** The id of the letter's arrival. */
  readonly letter: string;
  readonly to: string;
  readonly as: string;
  readonly by?: string;
}

/** What `Letters` needs of its host: a client, or a store alone. */
interface LetterHost extends Pick<Host, "report" | "storeNow"> {
  readonly committer: Pick<Committer, "deliver">;
  /** @throws STEPWELL_LAUNCHER_NOT_RUNNING, STEPWELL_CLIENT_STOPPED */
  ready(what: string): MaybePromise<void>;
}

const largestPage = 1000;

/** So many are counted, or looked at for those that fit. */
const countedTo = 10_000;
const passedOver = 4_000;

export class Letters {
  readonly #store: Store;
  readonly #host: LetterHost;
  readonly #registry: ReadonlyMap<string, Registered>;

  constructor(store: Store, host: LetterHost, registry: ReadonlyMap<string, Registered>) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
  }

  async list(options: LetterOptions = {}): Promise<LetterPage> {
    await this.#host.ready("deadLetters");
    const filter = filterOf(options);
    const { records, next } = await this.#store.deadMail(filter);
    const { read, damaged } = readable(records, ({ execution }) => execution, letterOf);
    return { letters: read, damaged, cursor: next === null ? null : String(next) };
  }

  async count(conditions: LetterConditions = {}): Promise<LetterTotal> {
    await this.#host.ready("countDeadLetters");
    refuseUnknownOptions(conditions, ["workflow", "execution", "name"], "countDeadLetters");
    const { counts, more } = await this.#store.countDeadMail(conditionsOf(conditions, "countDeadLetters"), countedTo);
    return { count: counts.reduce((sum, { count }) => sum + count, 0), more };
  }

  async countByWorkflow(): Promise<LetterCount[]> {
    await this.#host.ready("countDeadLettersByWorkflow");
    const { counts, more } = await this.#store.countDeadMail({ status: "dead" }, countedTo);
    // Stores differ in how they order texts.
    const sorted = counts.toSorted((one, other) => (one.workflow < other.workflow ? -1 : 1));
    return sorted.map((it) => ({ ...it, more }));
  }

  async resend(address: LetterAddress, options: ResendOptions = {}): Promise<Sent> {
    await this.#host.ready("resend");
    refuseUnknownOptions(address, ["execution", "id"], "resend");
    refuseUnknownOptions(options, ["to", "as", "by"], "resend");
    const { execution, id } = address;
    checkExecutionId(execution);
    checkText(id, "resend: id");
    const { to = execution, as, by } = options;
    checkExecutionId(to);
    if (as !== undefined) checkMessageName(as, "resend: as");
    checkBy(by, "resend: by");
    const source = await this.#existing(execution);
    const target = to === execution ? source : await this.#existing(to);
    const letter = await this.#letter(execution, id);
    // With the execution in it: a publication has the same id in all mailboxes.
    const messageId = `resent:${execution}:${letter.id}`;
    // The same call again is no error, as a duplicate of `send` is none.
    const known = await this.#store.mail({ executions: [to], messageId });
    if (known.length > 0) return { id: messageId, duplicate: true };
    if (letter.status !== "dead") throw notDead(execution, id, because[letter.status]);
    const name = as ?? letter.name;
    const note: ResendNote = { letter: letter.id, to, as: name, ...(by !== undefined && { by }) };
    return this.#deliver(letter, target, note, messageId, id);
  }

  async #deliver(
    letter: MailboxRecord,
    target: ExecutionRecord,
    note: ResendNote,
    messageId: string,
    shownId: string,
  ): Promise<Sent> {
    const { as: name } = note;
    const registered = this.#registry.get(registryKey(target.workflow, target.version));
    if (registered !== undefined) await checkMessage(registered, target.id, name, letter.payload.value);
    const noted = encode(note, { what: "The note of a resend", limit: Infinity });
    const arrival = messageTo(target.id, name, letter.payload, {
      messageId,
      carried: registered === undefined ? null : carriedBy("message", identityOf(target), registered, this.#host),
      resends: { execution: letter.execution, arrival: letter.id, note: { id: newId(), payload: noted } },
    });
    const { result } = await this.#host.committer.deliver(arrival);
    if (result === "stored" || result === "duplicate") return { id: messageId, duplicate: result === "duplicate" };
    if (result === "not-found") throw notFound(target.id);
    if (result === "not-dead") throw notDead(letter.execution, shownId, "it has been sent again meanwhile");
    throw new StepwellError(
      "STEPWELL_EXECUTION_ENDED",
      `Execution "${target.id}" has ended and takes no more messages; "${name}" was not sent again, and stays a dead letter.`,
      { execution: target.id, workflow: target.workflow },
    );
  }

  async #letter(execution: string, id: string): Promise<MailboxRecord> {
    const rows = [
      ...(await this.#store.mail({ executions: [execution], messageId: id })),
      ...(await this.#store.mail({ executions: [execution], id })),
    ];
    const fitting = rows.filter((row) => row.kind === "message" && (row.messageId ?? row.id) === id);
    // A sender may have taken as its `messageId` the id that was made for another message.
    const letter = fitting.find(({ status }) => status === "dead") ?? fitting[0];
    if (letter === undefined) throw notDead(execution, id, "it has no such message");
    return letter;
  }

  async #existing(id: string): Promise<ExecutionRecord> {
    const [record] = await this.#store.load([id]);
    if (record !== undefined) return record;
    throw notFound(id);
  }
}

const because = {
  pending: "it is still pending",
  consumed: "it was consumed",
  resent: "it has been sent again already",
} as const;

function notDead(execution: string, id: string, why: string): StepwellError {
  return new StepwellError(
    "STEPWELL_NOT_DEAD",
    `resend: execution "${execution}" has no dead letter ${shown(id)}: ${why}. Nothing was stored.`,
    { execution },
  );
}

function letterOf({ execution, workflow, id, messageId, ...row }: MailRecord): DeadLetter {
  return {
    execution,
    workflow,
    id: messageId ?? id,
    name: row.name,
    payload: named({ id: execution, workflow }, `dead letter "${messageId ?? id}"`, () => row.payload.value),
    receivedAt: new Date(row.receivedAt),
    ...(row.step !== null && { step: row.step }),
    ...(row.topic !== null && { topic: row.topic }),
  };
}

/** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
function filterOf(options: LetterOptions): DeadMailFilter {
  refuseUnknownOptions(options, ["workflow", "execution", "name", "limit", "after"], "deadLetters");
  const { limit = 100, after } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > largestPage) {
    throw invalidArgument(`deadLetters: "limit" must be a whole number from 1 to ${largestPage}, not ${shown(limit)}`);
  }
  if (after !== undefined && (typeof after !== "string" || !/^\d{1,16}$/.test(after))) {
    throw invalidArgument(`deadLetters: "after" must be the cursor of the page before, not ${shown(after)}`);
  }
  const before = after === undefined ? undefined : Number(after);
  const conditions = conditionsOf(options, "deadLetters");
  const isChosen = (conditions.workflow ?? conditions.name) !== undefined;
  // One more says whether there is a next page.
  return { ...conditions, limit, before, lookAt: limit + (isChosen ? passedOver : 1) };
}

function conditionsOf({ workflow, execution, name }: LetterConditions, where: string): DeadMailConditions {
  if (workflow !== undefined && !isLine(workflow, longestName)) {
    throw invalidArgument(`${where}: "workflow" must be the name of a workflow, not ${shown(workflow)}`);
  }
  if (execution !== undefined) checkExecutionId(execution);
  if (name !== undefined) checkMessageName(name, where);
  return { status: "dead", workflow, execution, name };
}

// ---- Without a launcher ------------------------------------------------------------------------

/** The same as the methods of a launcher: `deadLetters`, `countDeadLetters`, `countDeadLettersByWorkflow`, `resend`. */
export type DeadLetters = Pick<Letters, "list" | "count" | "countByWorkflow" | "resend">;

export interface DeadLettersOptions {
  /** Messages that are sent again to executions of these are checked as `send` checks them. Default: no message is checked. */
  readonly workflows?: readonly AnyWorkflow[];
}

/**
 * The dead letters of a store, without a launcher: no execution is taken up, no step runs. For tools of operators; the launcher that
 * drives the execution that gets the message finds it in the mailbox.
 *
 * @param store an open one: call its `open` before, and its `close` after
 * @example
 * const store = sqliteStore("orders.db");
 * await store.open();
 * await deadLettersIn(store).resend({ execution: "order-1001", id: "evt-9" }, { to: "order-1002", by: "ada" });
 * await store.close();
 *
 * @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION
 */
export function deadLettersIn(store: Store, options: DeadLettersOptions = {}): DeadLetters {
  const where = "deadLettersIn";
  if (missingFunction(store, ["write"]) !== undefined) {
    throw invalidArgument(`${where} takes a store, not ${shown(store)}`);
  }
  refuseUnknownOptions(options, ["workflows"], where);
  const { workflows } = options;
  const clock = store.clock ?? systemClock;
  const host: LetterHost = {
    committer: new Committer(store, clock),
    ready: () => undefined,
    report: (error) => console.error(error),
    storeNow: () => clock.now(),
  };
  return new Letters(store, host, workflows === undefined ? new Map() : registryOf(workflows, clock, where));
}
