/** What comes to an execution from outside: messages and rollback requests. */
import type { WorkflowDefinition } from "../definition/definition.js";
import type { ExecutionIdentity } from "../definition/observer.js";
import { longestName, refuseUnknownOptions, shown } from "../values/options.js";
import { isLine } from "../values/text.js";
import { validate } from "../definition/schema.js";
import { StepwellError } from "../errors.js";
import { shapeOf } from "../execution/definition-change.js";
import type { Shape } from "../execution/router.js";
import type { Status } from "../definition/flow.js";
import type { Arrival, ArrivalResult } from "../stores/batch.js";
import type { ExecutionRecord, Standing } from "../execution/records.js";
import type { CallerTransaction, Store, Within, MaybePromise } from "../stores/contract.js";
import { alive, messageTo, payloadOf, requestTo } from "../session/mailbox-entry.js";
import type { ClientHost } from "../session/client-host.js";
import { type Registered, registryKey } from "../session/registry.js";
import { refuseRollback, type RollbackRequest } from "../execution/pending-mail.js";
import { notFound } from "../session/not-found.js";
import { answered } from "../session/patience.js";
import { checkExecutionId } from "../ids.js";
import { asked } from "../session/caller-transaction.js";
import { andThen, orElse } from "../session/maybe-promise.js";
import { refused, refusedAsUnknown, type RefusedAnswer } from "./refusals.js";
import { checkBy, checkMessageId, checkRollbackReason } from "../session/reasons.js";
import { carriedBy } from "../runtime/engine-events.js";
import { awaitRequest } from "./await-request.js";

export interface SendOptions {
  /**
   * The sender's own id, such as a webhook's event id: the same one twice is one message. Up to 1000 characters, and 1800
   * bytes of UTF-8.
   */
  readonly messageId?: string;
  /**
   * A transaction of your own on the store's database, as the connection that has it: what is stored commits
   * with it, or not at all. It is taken up after your commit, by polling at the latest.
   */
  readonly tx?: CallerTransaction;
}

export interface Sent {
  readonly id: string;
  /** This `messageId` had been sent before; nothing was stored. */
  readonly duplicate: boolean;
}

export interface RollbackOptions {
  /** What to do with an execution that has completed. Default: "undo". */
  readonly ifCompleted?: "undo" | "refuse";
  /** Who asks; for the history. One line of 1 to 255 characters. */
  readonly by?: string;
}

/**
 * `already-rolling-back` also says that a request like this one is on its way; `parked-again`, that no
 * launcher could go on with the execution, so that it is stuck where it was, or completed as it was. `error` says the same with a code.
 */
export type RollbackAnswer = { readonly accepted: true } | RefusedAnswer;

/** How often a request is judged before it is sent all the same. */
const patientTries = 3;

const requestsOnly = { pending: true, limit: 0 } as const;

/** Of a workflow that this process does not know. */
const unknownShape = { count: Infinity, pivot: -1 };

/** Not what was rolled back: nobody would take a request up there. */
const askable: readonly Status[] = [...alive, "completed"];

export class Mail {
  readonly #store: Store;
  readonly #host: ClientHost;
  readonly #registry: ReadonlyMap<string, Registered>;
  readonly #patience: number;

  /** @param patience for how long a request is waited for that only a launcher's commit decides, in milliseconds */
  constructor(
    store: Store,
    host: ClientHost,
    registry: ReadonlyMap<string, Registered>,
    patience: number = host.patience,
  ) {
    this.#store = store;
    this.#host = host;
    this.#registry = registry;
    this.#patience = patience;
  }

  send(id: string, name: string, payload: unknown, options: SendOptions): Promise<Sent> {
    return asked(this.#store, options, "send", () => {
      checkExecutionId(id);
      return andThen(this.#host.ready("send"), () => this.#send(id, name, payload, options));
    });
  }

  #send(id: string, name: string, payload: unknown, options: SendOptions): MaybePromise<Sent> {
    refuseUnknownOptions(options, ["messageId", "tx"], "send");
    const { messageId, tx } = options;
    const within = tx === undefined ? undefined : this.#host.within(tx, "send");
    if (messageId !== undefined) checkMessageId(messageId, "send: messageId");
    checkMessageName(name, "send");
    const patiently = <Answer>(answer: MaybePromise<Answer>): MaybePromise<Answer> =>
      answer instanceof Promise ? answered(this.#host.clock, answer) : answer;
    return andThen(patiently((within ?? this.#store).load([id], "standing")), ([standing]) => {
      if (standing === undefined) throw notFound(id);
      const arrival = orElse<Arrival | Sent>(
        () => this.#arrival(standing, name, payload, messageId),
        (error) => {
          // A duplicate is recognised before anything else, so a webhook that comes twice is never an error.
          if (messageId === undefined) throw error;
          return andThen(patiently((within ?? this.#store).mailbox(id, { messageId })), (known) => {
            if (known.length > 0) return { id: messageId, duplicate: true };
            throw error;
          });
        },
      );
      return andThen(arrival, (it) => ("duplicate" in it ? it : this.#deliver(it, standing, within)));
    });
  }

  #deliver(arrival: Arrival, { id, workflow }: Standing, within: Within | undefined): MaybePromise<Sent> {
    const delivered = within === undefined ? this.#host.committer.deliver(arrival) : deliverWithin(within, arrival);
    return andThen(delivered, (it) => {
      if (it.result === "stored" || it.result === "duplicate") {
        return { id: arrival.messageId ?? it.id, duplicate: it.result === "duplicate" };
      }
      throw new StepwellError(
        "STEPWELL_EXECUTION_ENDED",
        `Execution "${id}" has ended and takes no more messages; "${arrival.name}" was not stored.`,
        { execution: id, workflow },
      );
    });
  }

  /** @throws STEPWELL_UNKNOWN_MESSAGE, STEPWELL_INVALID_MESSAGE, STEPWELL_NOT_ENCODABLE, STEPWELL_TOO_LARGE */
  #arrival(standing: Standing, name: string, payload: unknown, messageId: string | undefined): MaybePromise<Arrival> {
    const registered = this.#registered(standing);
    const checked = registered === undefined ? undefined : checkMessage(registered, standing.id, name, payload);
    return andThen(checked, () =>
      messageTo(standing.id, name, payloadOf(name, payload, this.#host.sizeLimit), {
        carried: registered === undefined ? null : carriedBy("message", identityOf(standing), registered, this.#host),
        messageId: messageId ?? null,
      }),
    );
  }

  /** @throws STEPWELL_INVALID_ARGUMENT, STEPWELL_UNKNOWN_OPTION */
  checkRollback(reason: string, options: RollbackOptions): RollbackRequest {
    checkRollbackReason(reason, "rollback: the reason");
    refuseUnknownOptions(options, ["ifCompleted", "by"], "rollback");
    const { ifCompleted = "undo", by } = options;
    if (ifCompleted !== "undo" && ifCompleted !== "refuse") {
      throw new StepwellError("STEPWELL_INVALID_ARGUMENT", `rollback: ifCompleted must be "undo" or "refuse".`);
    }
    checkBy(by, "rollback: by");
    return { reason, ifCompleted, ...(by !== undefined && { by }) };
  }

  /** What the answer to a request would be as things stand. Nothing is stored. */
  async judgeRollback(record: ExecutionRecord, request: RollbackRequest): Promise<RollbackAnswer> {
    const shape = (await this.#shapeOf(record)) ?? unknownShape;
    const why = refuseRollback(record.status, record.position, shape, request);
    if (why !== undefined) return this.#refused(record, why);
    // Most executions never got anything.
    const pending = record.signals === 0 ? [] : await this.#store.mailbox(record.id, requestsOnly);
    const asked = pending.some(({ kind }) => kind === "rollback");
    return asked ? this.#refused(record, "already-rolling-back") : { accepted: true };
  }

  async rollback(id: string, reason: string, options: RollbackOptions): Promise<RollbackAnswer> {
    const request = this.checkRollback(reason, options);
    await this.#host.ready("rollback");
    const row = requestTo(id, "rollback", request, {
      method: "rollback",
      sizeLimit: this.#host.sizeLimit,
      acceptedIn: askable,
      wakes: ["scheduled", "running", "waiting", "stuck", "completed"],
    });
    // What was read may have moved on before the request is written; then it is judged anew. One that
    // moves on all the time takes the request as it comes, and its launcher judges.
    for (let tries = 1; ; tries++) {
      const movesOn = tries > patientTries;
      const [record] = await this.#store.load([id]);
      if (record === undefined) return refusedAsUnknown(id);
      const shape = await this.#shapeOf(record);
      const why = refuseRollback(record.status, record.position, shape ?? unknownShape, request);
      if (why !== undefined) return this.#refused(record, why);
      // While the pivot runs a request is held: only its end says whether it came in time. Where this process
      // does not know the pivot, or the execution could not go on, who takes it up must say. And one that has
      // ended takes messages again only once it has turned.
      const isOpen = shape === undefined || record.position.stepIndex === shape.pivot || isAtRest(record);
      const pending = await this.#store.mailbox(id, requestsOnly);
      const earlier = pending.find(({ kind }) => kind === "rollback");
      if (earlier !== undefined) {
        if (isOpen && !(await this.#verdict(id, earlier.id, request)).accepted) continue;
        return this.#refused(record, "already-rolling-back");
      }
      const { result } = await this.#host.committer.deliver({
        ...row,
        ...(!movesOn && { only: { revision: record.revision, signals: record.signals } }),
      });
      if (result !== "stored") continue;
      return movesOn || isOpen ? this.#verdict(id, row.id, request) : { accepted: true };
    }
  }

  /** What became of a request that only the launcher that takes it up can decide. */
  async #verdict(id: string, arrival: string, request: RollbackRequest): Promise<RollbackAnswer> {
    if ((await awaitRequest(arrival, id, this.#store, this.#host, "rollback", this.#patience)) === "consumed") {
      return { accepted: true };
    }
    const [record] = await this.#store.load([id]);
    if (record === undefined) return refusedAsUnknown(id);
    const { status, position } = record;
    const shape = await this.#shapeOf(record);
    const why = refuseRollback(status, position, shape ?? unknownShape, request);
    if (why !== undefined) return this.#refused(record, why);
    // It could go back, but for what parked it, or for a list of steps that has changed.
    return this.#refused(record, status === "stuck" || shape !== undefined ? "parked-again" : "past-pivot");
  }

  /** Of the list of steps that it has, whoever has registered that. Undefined: nobody has kept it. */
  async #shapeOf(record: ExecutionRecord): Promise<Shape | undefined> {
    const { workflow, version, fingerprint } = record;
    const registered = this.#registered(record);
    if (registered !== undefined || fingerprint === null) return registered?.shape;
    const steps = await this.#host.listOf(workflow, version, fingerprint);
    return steps && shapeOf(steps);
  }

  #refused(record: ExecutionRecord, why: Parameters<typeof refused>[1]): RollbackAnswer {
    return refused(record, why, this.#registered(record));
  }

  #registered(record: Standing): Registered | undefined {
    return this.#registry.get(registryKey(record.workflow, record.version));
  }
}

function deliverWithin(within: Within, arrival: Arrival): MaybePromise<ArrivalResult> {
  const written = within.write({ creates: [], transitions: [], releases: [], arrivals: [arrival] });
  return andThen(written, ({ arrivals }) => arrivals[0]!);
}

function isAtRest({ status }: ExecutionRecord): boolean {
  return status === "stuck" || status === "completed";
}

export function identityOf({ id, workflow, version }: Standing): ExecutionIdentity {
  return { id, workflow, version };
}

/** What could be the name of no declared message is a mistake, whether the workflow is known here or not. */
export function checkMessageName(name: unknown, where: string): asserts name is string {
  if (isLine(name, longestName)) return;
  throw new StepwellError(
    "STEPWELL_INVALID_ARGUMENT",
    `${where}: the name of a message must be a text of 1 to ${longestName} characters without control characters, not ${shown(name)}.`,
  );
}

/** Some step must declare the name, and the schema of one of them must take the payload. */
export function checkMessage(
  { definition }: Registered,
  id: string,
  name: string,
  payload: unknown,
): MaybePromise<void> {
  const takers = definition.steps.flatMap(({ name: step, messages, rollbackMessages }) =>
    [messages, rollbackMessages].flatMap((declared) =>
      Object.hasOwn(declared, name) ? { step, schema: declared[name]! } : [],
    ),
  );
  const check = (index: number, problems: readonly string[]): MaybePromise<void> => {
    if (index === takers.length) throw refusedMessage(definition, id, name, problems);
    const { step, schema } = takers[index]!;
    return andThen(validate(schema, payload), (checked) =>
      checked.ok ? undefined : check(index + 1, [...problems, `${step}: ${checked.problem}`]),
    );
  };
  return check(0, []);
}

function refusedMessage(
  definition: WorkflowDefinition,
  id: string,
  name: string,
  problems: readonly string[],
): StepwellError {
  const about = { execution: id, workflow: definition.name };
  if (problems.length > 0) {
    const message = `Message "${name}" to execution "${id}" was not stored: its payload was refused. ${problems.join("; ")}`;
    return new StepwellError("STEPWELL_INVALID_MESSAGE", message, about);
  }
  const known = definition.steps.flatMap((step) => [
    ...Object.keys(step.messages),
    ...Object.keys(step.rollbackMessages),
  ]);
  return new StepwellError(
    "STEPWELL_UNKNOWN_MESSAGE",
    `No step of workflow "${definition.name}" declares a message "${name}"; nothing was stored. ` +
      (known.length === 0 ? "It declares none." : `It declares: ${[...new Set(known)].join(", ")}.`),
    about,
  );
}
